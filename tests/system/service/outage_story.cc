// outage_story.cc - while the database is away, requests are refused at once; when it is back,
// everything works again.

#include "system/harness/story.h"

#include "support/proxy.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <set>
#include <stdexcept>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using answers::is_refused;
using answers::refusal;
using process::eventually;
using story::shows;

namespace {

boost::test_tools::assertion_result is_refused(const http::Answer& answer)
{
    boost::test_tools::assertion_result result{refusal(answer)
                                                   == "503 unavailable: Temporarily unavailable"
                                               && !answer.header("Retry-After").empty()};
    result.message() << answers::text(answer);
    return result;
}

struct Outage : story::Breaking {
    pid_t database() const { return stack.part("mariadb"); }

    // Returns the answers to each kind of request: two that read, and the changes.
    std::vector<http::Answer> read(const story::Tenant& who) const
    {
        return {list(who), call(who.key, "GET", "/v3/domains")};
    }
    std::vector<http::Answer> change_all(const story::Tenant& who) const
    {
        return {create(who, "bob"), change(who, "alice", "Looking-Glass"), remove(who, "alice"),
                call(who.key, "DELETE", "/v3/domains/" + who.domain + "/credentials")};
    }

    void stop_database() const
    {
        ::kill(database(), SIGKILL);
        BOOST_TEST_REQUIRE(eventually([this] { return !process::is_alive(database()); }));
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(outage)

BOOST_FIXTURE_TEST_CASE(
    without_the_database, Outage,
    *shows("status: 503 the database cannot be asked")
        * shows("authentication: a mistyped key is refused without the database"))
{
    const auto who = tenant();
    create(who, "alice");
    const auto master = stack.master();
    const auto workers = stack.workers();
    const auto mark = log.mark();
    stop_database();

    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 5; ++i) {
        for (const auto& answer : {list(who), create(who, "bob"),
                                   change(who, "alice", "Looking-Glass"), remove(who, "alice")}) {
            BOOST_TEST(is_refused(answer));
        }
    }
    BOOST_TEST(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()
               < 30);  // and not a timeout for each
    BOOST_TEST(!log.expect(mark, {"error"}).empty());

    // A malformed key or request is refused without the database.
    auto mistyped = who.key;
    mistyped[20] = mistyped[20] == 'a' ? 'b' : 'a';
    BOOST_TEST(refusal(call(mistyped, "GET", who.mailboxes())) == "401 unauthorized: Forbidden");

    stack.up();
    BOOST_TEST(eventually([&] { return list(who).status == 200; }));
    BOOST_TEST(create(who, "bob").status == 200);
    BOOST_TEST(answers::page(list(who)).total_count == 2);
    // The service recovered by itself; no process was replaced.
    BOOST_TEST(stack.master() == master);
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
}

// The database accepts connections but never answers. Each worker waits for one timeout at most;
// then all requests are refused at once.
BOOST_FIXTURE_TEST_CASE(the_database_hangs, Outage,
                        *shows("status: 503 the database cannot be asked"))
{
    reconfigure({{"db_timeout", "2"}, {"db_connect_timeout", "1"}});
    const auto who = tenant();
    create(who, "alice");
    const auto master = stack.master();
    const auto workers = stack.workers();
    const auto waited = [&](std::size_t mark) {
        const auto lines = log.lines_since(mark);
        return std::count_if(lines.begin(), lines.end(), [](const std::string& line) {
            const auto at = line.find(" db_ms=");
            return line.starts_with("info request ") && at != std::string::npos
                   && std::stod(line.substr(at + 7)) > 800;
        });
    };
    {
        const process::Stopped stopped{{database()}};
        auto mark = log.mark();
        std::vector<http::Request> requests;
        for (int i = 0; i < 50; ++i) {
            requests.push_back(
                {"GET", who.mailboxes(), {{"Authorization", http::basic(who.key)}}, {}});
            requests.push_back(
                {"DELETE", who.mailbox("alice"), {{"Authorization", http::basic(who.key)}}, {}});
        }
        for (const auto& answer : http::send_all(stack.server(), requests)) {
            BOOST_TEST(is_refused(answer));
        }
        BOOST_TEST(waited(mark) <= static_cast<long>(kWorkers));

        // During the outage, for as long as four checks whether the database is back: idle workers
        // check, not requests.
        mark = log.mark();
        long count = 0;
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{6};
        while (std::chrono::steady_clock::now() < end) {
            for (const auto& answers : {read(who), change_all(who)}) {
                for (const auto& answer : answers) {
                    BOOST_TEST(is_refused(answer));
                    ++count;
                }
            }
        }
        BOOST_TEST(waited(mark) <= 2);
        BOOST_TEST(count > 10);  // a timeout for each would be three
    }
    BOOST_TEST(eventually([&] { return list(who).status == 200; }));
    for (int i = 0; i < 20; ++i) {
        BOOST_TEST(list(who).status == 200);
        BOOST_TEST(change(who, "alice", "Looking-Glass").status == 200);
    }
    BOOST_TEST(stack.master() == master);
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
}

// Like a replica: the data can be read, and changes are refused.
BOOST_FIXTURE_TEST_CASE(the_database_is_read_only, Outage,
                        *shows("status: 503 the database cannot be asked"))
{
    const auto who = tenant();
    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "allow_delete_all=yes"}).exit == 0);
    create(who, "alice");
    const auto workers = stack.workers();
    for (const auto& row : stack.sql(
             "SHOW GLOBAL VARIABLES WHERE variable_name IN ('read_only', 'super_read_only')")) {
        BOOST_TEST_CONTEXT(row.at(0))
        {
            const auto mark = log.mark();
            const auto before = snapshot();
            stack.sql("SET GLOBAL " + row.at(0) + " = 1");
            for (int i = 0; i < 3; ++i) {
                for (const auto& answer : read(who)) {
                    BOOST_TEST(answer.status == 200);
                }
                for (const auto& answer : change_all(who)) {
                    BOOST_TEST(is_refused(answer));
                }
            }
            BOOST_TEST(snapshot() == before);
            BOOST_TEST(!log.expect(mark, {"error database", "error 1290", "is the server read_only",
                                          "db_host has to lead"})
                            .empty());
            stack.sql("SET GLOBAL " + row.at(0) + " = 0");
            stack.sql("SET GLOBAL read_only = 0");
            BOOST_TEST(create(who, story::unique("user")).status == 200);
            BOOST_TEST(change(who, "alice", "Looking-Glass").status == 200);
        }
    }
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
}

// After a fail-over the old server continues read_only, and so do the connections to it. Reading
// workers, too, leave them after the first change on the new server.
BOOST_FIXTURE_TEST_CASE(a_database_that_became_read_only_is_not_stuck_to, Outage)
{
    const auto who = tenant();
    const auto connections = [&] {
        std::set<std::string> all;
        for (const auto& row : stack.sql(
                 "SELECT id FROM information_schema.processlist WHERE user = 'mailboxd_api'")) {
            all.insert(row.at(0));
        }
        return all;
    };
    const auto asking = [&](const std::string& method) {
        const auto target = method == "GET" ? who.mailboxes() : who.mailbox("alice");
        return http::Request{method, target, {{"Authorization", http::basic(who.key)}}, {}}.bytes();
    };
    // A worker may have dropped its connection in an earlier story and not needed one since.
    reconfigure({});
    std::set<std::string> before;
    BOOST_TEST_REQUIRE(eventually([&] { return (before = connections()).size() == kWorkers; }));
    stack.sql("SET GLOBAL read_only = 1");
    BOOST_TEST(create(who, "alice").status == 503);
    stack.sql("SET GLOBAL read_only = 0");
    const auto left = [&] {
        const auto after = connections();
        return std::count_if(before.begin(), before.end(),
                             [&](const auto& id) { return after.contains(id); });
    };
    BOOST_TEST(eventually([&] { return left() == kWorkers - 1; }));
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(eventually([&] {
        // Several requests at once, because one worker would answer them all otherwise.
        const auto lists = http::open_many(stack.server().port(), 20, asking("GET"));
        const auto changes = http::open_many(stack.server().port(), 20, asking("DELETE"));
        for (const auto& each : lists) BOOST_TEST(each->receive().status == 200);
        for (const auto& each : changes) BOOST_TEST(each->receive().status != 503);
        return left() == 0;
    }));
}

namespace {

// A database whose tables share two files that must not grow.
struct Small {
    stack::Stack small{
        {"--no-mail", "--workers", "1"},
        "innodb_file_per_table = OFF\ninnodb_data_file_path = ibdata1:12M;ibdata2:4M"};
};
struct Full : Small, story::Story {
    Full() : Story{small} {}
    void teardown() const
    {
        check_counters();
        show_log_of_failure();
    }

    // Inserts until not one more row fits.
    void fill() const
    {
        stack.sql(
            "CREATE TABLE ballast (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, bytes VARBINARY(7000)) ENGINE = InnoDB");
        for (const char* rows : {"500", "50", "5", "1"}) {
            bool is_room = true;
            for (int i = 0; i < 100 && is_room; ++i) {
                is_room = try_to_add(rows);
            }
            BOOST_TEST_REQUIRE(!is_room);
        }
    }
    bool try_to_add(const std::string& rows) const
    {
        try {
            stack.sql(
                "INSERT INTO ballast (bytes) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                + rows + ") SELECT REPEAT('x', 7000) FROM n");
            return true;
        } catch (const std::runtime_error&) {
            return false;
        }
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_database_is_full, Full,
                        *shows("status: 503 the database cannot be asked"))
{
    const auto who = tenant();
    BOOST_TEST(create(who, "alice").status == 200);
    const auto workers = stack.workers();
    const auto mark = log.mark();
    fill();
    // The last pages of the tables may still have room for a few.
    int created = 1;
    http::Answer answer;
    for (int i = 0; i < 20; ++i) {
        answer = call(who.key, "POST", who.mailboxes(),
                      story::hundred("user" + std::to_string(i) + "-"));
        if (answer.status != 200) {
            break;
        }
        created += 100;
    }
    BOOST_TEST(is_refused(answer));
    BOOST_TEST(!log.expect(mark, {"error database", "error 1114", "no room left"}).empty());
    const auto all = list(who, "?limit=1000");
    BOOST_TEST(all.status == 200);
    BOOST_TEST(answers::page(all).total_count == created);

    // A deletion needs no new page, unlike DROP TABLE. The server frees the pages some time later.
    stack.sql("DELETE FROM ballast WHERE id <= 200");
    BOOST_TEST(process::eventually([&] { return create(who, "bob").status == 200; }));
    BOOST_TEST(process::eventually([&] { return remove(who, "alice").status == 200; }));
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(started_before_the_database, Outage,
                        *shows("status: 503 the database cannot be asked"))
{
    const auto who = tenant();
    stop_database();
    const auto workers = stack.workers();
    for (const auto pid : workers) {
        ::kill(pid, SIGKILL);
    }
    BOOST_TEST(refusal(list(who)) == "503 unavailable: Temporarily unavailable");
    stack.up();
    BOOST_TEST(eventually([&] { return list(who).status == 200; }));
}

// A connection that the server has closed, for example because it was idle too long.
BOOST_FIXTURE_TEST_CASE(a_lost_connection_is_replaced, Outage)
{
    const auto who = tenant();
    for (int i = 0; i < 20; ++i) {
        list(who);
    }
    for (const auto& row : stack.sql("SELECT id FROM information_schema.processlist"
                                     " WHERE user = 'mailboxd_api'")) {
        stack.sql("KILL " + row.at(0));
    }
    // A statement that certainly did not run is repeated. A change may also be refused, but then it
    // was not made.
    for (int i = 0; i < 10; ++i) {
        BOOST_TEST(list(who).status == 200);
    }
    for (int i = 0; i < 10; ++i) {
        const auto name = "user" + std::to_string(i);
        const auto answer = create(who, name);
        BOOST_TEST((answer.status == 200 || answer.status == 503), answers::text(answer));
    }
    BOOST_TEST(create(who, "alice").status == 200);
}

BOOST_FIXTURE_TEST_CASE(a_connection_lost_in_mid_change_tells_the_truth, Outage,
                        *shows("lost answer: a connection lost in mid-change"))
{
    const auto who = tenant();
    Hold hold{*this, who};
    auto answer = std::async(std::launch::async, [&] { return create(who, "alice"); });
    hold.await(1);
    stack.sql("KILL "
              + stack.value("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx"
                            " WHERE trx_state = 'LOCK WAIT'"));
    hold.release();
    const auto status = answer.get().status;
    BOOST_TEST((status == 200 || status == 503));
    BOOST_TEST(answers::page(list(who)).total_count == (status == 200 ? 1 : 0));
}

namespace {

Config::Database server_at(const std::string& socket)
{
    Config::Database server;
    server.socket = socket;
    return server;
}

// The service reaches its database through a proxy.
struct Proxied : Outage {
    Proxied()
    {
        std::filesystem::permissions(socket, std::filesystem::perms::all);
        reconfigure({{"db_socket", socket}, {"argon2_memory_kib", "8"}});
    }

    // Decides what happens to the next COMMIT.
    void at_commit(proxy::Fate fate)
    {
        proxy.set_judge([this, fate](std::string_view command) {
            const bool is_it = command
                                   == "\x03"
                                      "COMMIT"
                               && !is_done;
            is_done = is_done || is_it;
            return is_it ? fate : proxy::Fate::passes;
        });
        is_done = false;
    }

    std::string socket = stack.directory() / "run" / story::unique("proxy");
    std::atomic<bool> is_done = true;
    proxy::Proxy proxy{server_at(stack.setting("DB_SOCKET")), socket};
};

}  // namespace

// Whether the server had carried out the COMMIT or not, the answer is true and the change is made
// at most once.
BOOST_TEST_DECORATOR(*shows("lost answer: a connection lost during COMMIT"))
BOOST_DATA_TEST_CASE_F(Proxied, a_connection_lost_during_commit,
                       data::make({proxy::Fate::lost, proxy::Fate::unanswered,
                                   proxy::Fate::answer_lost}),
                       fate)
{
    const auto who = tenant();
    at_commit(fate);
    BOOST_TEST(answers::text(create(who, "alice"))
               == "200 {\"message\":\"Created 1 mailboxes\"}\n");
    BOOST_TEST(is_done);
    BOOST_TEST(answers::page(list(who)).names() == std::vector{who.address("alice")},
               boost::test_tools::per_element());

    at_commit(fate);
    BOOST_TEST(answers::text(change(who, "alice", "Looking-Glass"))
               == "200 {\"message\":\"Password changed\"}\n");
    BOOST_TEST(is_done);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "Looking-Glass"));

    at_commit(fate);
    BOOST_TEST(answers::text(remove(who, "alice"))
               == "200 {\"message\":\"Mailbox has been deleted\",\"spec\":\"" + who.address("alice")
                      + "\"}\n");
    BOOST_TEST(is_done);
    BOOST_TEST(answers::page(list(who)).total_count == 0);
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM audit_log WHERE local_part = 'alice' AND domain = "
                           + stack::quote(who.domain))
               == "3");
}

// The same for the largest changes.
BOOST_TEST_DECORATOR(*shows("lost answer: a connection lost during COMMIT"))
BOOST_DATA_TEST_CASE_F(Proxied, a_connection_lost_during_a_large_commit,
                       data::make({proxy::Fate::lost, proxy::Fate::unanswered,
                                   proxy::Fate::answer_lost}),
                       fate)
{
    const auto who = tenant();
    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "allow_delete_all=yes"}).exit == 0);
    const std::string credentials = "/v3/domains/" + who.domain + "/credentials";
    at_commit(fate);
    BOOST_TEST(answers::text(call(who.key, "POST", credentials, story::hundred("user")))
               == "200 {\"message\":\"Created 100 credentials pair(s)\"}\n");
    BOOST_TEST(is_done);
    BOOST_TEST(answers::page(list(who)).total_count == 100);

    at_commit(fate);
    BOOST_TEST(answers::text(call(who.key, "DELETE", credentials))
               == "200 {\"message\":\"All domain credentials have been deleted\",\"count\":100}\n");
    BOOST_TEST(is_done);
    BOOST_TEST(answers::page(list(who)).total_count == 0);
    BOOST_TEST(
        stack.value(
            "SELECT CONCAT(COUNT(*), ' ', COUNT(DISTINCT action, local_part)) FROM audit_log WHERE action IN ('create', 'delete')"
            " AND domain = "
            + stack::quote(who.domain))
        == "200 200");
}

// A 503 would say that nothing was done.
BOOST_FIXTURE_TEST_CASE(a_commit_that_nobody_can_be_asked_about, Proxied,
                        *shows("lost answer: and where nobody can be asked afterwards"))
{
    const auto who = tenant();
    std::atomic<bool> is_lost{false};
    proxy.set_judge([&](std::string_view command) {
        if (is_lost) return proxy::Fate::lost;
        is_lost = command
                  == "\x03"
                     "COMMIT";
        return is_lost ? proxy::Fate::unanswered : proxy::Fate::passes;
    });
    BOOST_TEST(is_refused(create(who, "alice"), 504,
                          {"no_answer", "may or may not have been carried out"}));
    proxy.set_judge([](std::string_view) { return proxy::Fate::passes; });
    BOOST_TEST(answers::page(list(who)).names() == std::vector{who.address("alice")},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
