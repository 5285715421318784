// lost_commit_test.cc - a connection ends in the middle of a change: what was answered is what
// happened, exactly once.

#include "db/mailboxes.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "db/accounts.h"
#include "db/audited_change.h"
#include "db/grants.h"
#include "db/session.h"
#include "db/transaction.h"
#include "support/database.h"
#include "support/proxy.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using proxy::Fate;
using store::Changed;
using store::Created;
using store::Store;
using support::Stderr;

namespace {

using Clock = std::chrono::steady_clock;

bool is_commit(std::string_view command)
{
    return command
           == "\x03"
              "COMMIT";
}

Config with_socket(Config config, const std::string& socket)
{
    config.db.socket = socket;
    return config;
}

// A tenant, and a store that reaches the same database through a proxy.
struct Proxied : database::Tenant {
    // The log lines of these faults are kept out of the test's output.
    Stderr standard_error;
    support::Directory directory;
    proxy::Proxy proxy{database.config().db, directory.path("proxy.sock")};
    Config proxied_config = with_socket(database.config(), directory.path("proxy.sock"));
    db::Session proxied_session = database::session(proxied_config);
    Store proxied{proxied_session};
    const grants::Grant may = grant();

    // From now on this command, counted from 0, meets that fate. All others pass.
    void at(int place, Fate fate)
    {
        commands = 0;
        proxy.set_judge([this, place, fate](std::string_view) {
            return commands++ == place ? fate : Fate::passes;
        });
    }
    // The first so many COMMITs meet that fate.
    void at_commits(int count, Fate fate)
    {
        commits = 0;
        proxy.set_judge([this, count, fate](std::string_view command) {
            return is_commit(command) && commits++ < count ? fate : Fate::passes;
        });
    }

    bool create(std::string_view local_part)
    {
        return proxied
                   .create(may, {mailbox(local_part), mailbox(std::string{local_part} + "-2")},
                           actor)
                   .outcome
               == Created::Outcome::yes;
    }
    bool change(std::string_view local_part)
    {
        return proxied.change_password(may, address(local_part), "{PLAIN}second", actor)
               == Changed::yes;
    }
    bool remove(std::string_view local_part)
    {
        return proxied.remove(may, address(local_part), actor) == Changed::yes;
    }

    std::vector<store::NewMailbox> hundred(int first)
    {
        std::vector<store::NewMailbox> all;
        for (int i = first; i < first + 100; ++i) all.push_back(mailbox("m" + std::to_string(i)));
        return all;
    }

    std::int64_t times(std::string_view line)
    {
        const auto lines = audit();
        return std::count(lines.begin(), lines.end(), line);
    }
    std::int64_t ends_of(std::string_view storage)
    {
        return database.number("SELECT COUNT(*) FROM session_end WHERE storage_id = ?", {storage});
    }

    void check_created(const std::string& name)
    {
        BOOST_TEST(times("create " + name) == 1);
        BOOST_TEST(times("create " + name + "-2") == 1);
        BOOST_TEST(
            database.number(
                "SELECT COUNT(*) FROM mailbox WHERE domain_id = ? AND local_part IN (?, CONCAT(?, '-2'))",
                {domain_id, name, name})
            == 2);
        BOOST_TEST(counter() == rows());
    }
    void check_changed(const std::string& name)
    {
        BOOST_TEST(times("password " + name) == 1);
        BOOST_TEST(password(name) == "{PLAIN}second");
        BOOST_TEST(session_ends(name) == 1);
    }
    void check_removed(const std::string& name, const std::string& storage)
    {
        BOOST_TEST(times("delete " + name) == 1);
        BOOST_TEST(database.number("SELECT COUNT(*) FROM mailbox WHERE storage_id = ?", {storage})
                   == 0);
        BOOST_TEST(
            database.number("SELECT COUNT(*) FROM deleted_mailbox WHERE storage_id = ?", {storage})
            == 1);
        BOOST_TEST(ends_of(storage) == 1);
        BOOST_TEST(counter() == rows());
    }

    std::atomic<int> commands = 0;
    std::atomic<int> commits = 0;
};

constexpr Fate kFates[] = {Fate::lost, Fate::unanswered, Fate::answer_lost, Fate::lost_slowly,
                           Fate::arrives_late};
constexpr Fate kQuickFates[] = {Fate::lost, Fate::unanswered, Fate::answer_lost};
constexpr int kMostCommands = 100;

}  // namespace

BOOST_AUTO_TEST_SUITE(store)

// --- between requests -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_read_finds_its_connection_killed, Proxied)
{
    create("alice");
    const auto kill = [&] {
        const auto id =
            proxied_session.connection().query("SELECT CONNECTION_ID()").only<std::int64_t>();
        database.run("KILL " + std::to_string(id));
    };
    kill();
    BOOST_TEST(proxied.grant(key, domain.name()).has_value());
    kill();
    BOOST_TEST(proxied.list(key, domain, {}).has_value());
    kill();
    BOOST_TEST(proxied.page(domain_id, domain, {}).total == 2);
    kill();
    BOOST_TEST(proxied.has_domain(domain.name()));
    kill();
    BOOST_TEST(proxied.schema_version() > 0);
}

BOOST_FIXTURE_TEST_CASE(a_change_finds_its_connection_killed, Proxied)
{
    const auto kill = [&] {
        const auto id =
            proxied_session.connection().query("SELECT CONNECTION_ID()").only<std::int64_t>();
        database.run("KILL " + std::to_string(id));
    };
    kill();
    BOOST_TEST(create("alice"));
    check_created("alice");
    kill();
    BOOST_TEST(change("alice"));
    check_changed("alice");
    const auto storage = storage_id("alice");
    database.execute("DELETE FROM session_end WHERE storage_id = ?", {storage});
    kill();
    BOOST_TEST(remove("alice"));
    check_removed("alice", storage);
}

BOOST_AUTO_TEST_CASE(without_a_server_every_call_says_so_at_once)
{
    database::Tenant tenant;
    const support::Directory directory;
    const auto config = with_socket(tenant.database.config(), directory.path("absent.sock"));
    auto session = database::session(config);
    Store absent{session};
    const auto may = tenant.grant();
    const Stderr standard_error;
    const auto begin = Clock::now();
    BOOST_CHECK_THROW(absent.grant(tenant.key, tenant.domain.name()), db::Error);
    BOOST_CHECK_THROW(absent.has_domain(tenant.domain.name()), db::Error);
    BOOST_CHECK_THROW(absent.list(tenant.key, tenant.domain, {}), db::Error);
    BOOST_CHECK_THROW(absent.page(tenant.domain_id, tenant.domain, {}), db::Error);
    BOOST_CHECK_THROW(absent.create(may, {tenant.mailbox("alice")}, tenant.actor), db::Error);
    BOOST_CHECK_THROW(absent.change_password(may, tenant.address("alice"), "x", tenant.actor),
                      db::Error);
    BOOST_CHECK_THROW(absent.remove(may, tenant.address("alice"), tenant.actor), db::Error);
    BOOST_CHECK_THROW(absent.remove_all(may, tenant.domain, tenant.actor, Clock::now() + 1min),
                      db::Error);
    BOOST_CHECK_THROW(absent.domains({}, {}), db::Error);
    BOOST_CHECK_THROW(absent.schema_version(), db::Error);
    BOOST_TEST((Clock::now() - begin < 5s));
    BOOST_TEST(tenant.rows() == 0);
}

// --- within a transaction -------------------------------------------------------------

// The connection ends at each command in turn. Whichever it is, the tables agree with the answer.
BOOST_DATA_TEST_CASE_F(Proxied, the_connection_ends_at_any_command_of_create,
                       data::make(kQuickFates), fate)
{
    int place = 0;
    do {
        const auto name = "m" + std::to_string(place);
        at(place, fate);
        BOOST_TEST_CONTEXT("command " << place)
        {
            BOOST_TEST(create(name));
            check_created(name);
        }
    } while (commands > place++ && place < kMostCommands);
    BOOST_TEST(place > 5);
    BOOST_TEST(place < kMostCommands);
}

BOOST_DATA_TEST_CASE_F(Proxied, the_connection_ends_at_any_command_of_change_password,
                       data::make(kQuickFates), fate)
{
    int place = 0;
    do {
        const auto name = "m" + std::to_string(place);
        store.create(may, {mailbox(name)}, actor);
        at(place, fate);
        BOOST_TEST_CONTEXT("command " << place)
        {
            BOOST_TEST(change(name));
            check_changed(name);
        }
    } while (commands > place++ && place < kMostCommands);
    BOOST_TEST(place > 4);
    BOOST_TEST(place < kMostCommands);
}

BOOST_DATA_TEST_CASE_F(Proxied, the_connection_ends_at_any_command_of_remove,
                       data::make(kQuickFates), fate)
{
    int place = 0;
    do {
        const auto name = "m" + std::to_string(place);
        store.create(may, {mailbox(name)}, actor);
        const auto storage = storage_id(name);
        at(place, fate);
        BOOST_TEST_CONTEXT("command " << place)
        {
            BOOST_TEST(remove(name));
            check_removed(name, storage);
        }
    } while (commands > place++ && place < kMostCommands);
    BOOST_TEST(place > 6);
    BOOST_TEST(place < kMostCommands);
}

BOOST_DATA_TEST_CASE_F(Proxied, the_connection_ends_at_any_command_of_remove_all,
                       data::make(kQuickFates), fate)
{
    int place = 0;
    do {
        const auto name = "m" + std::to_string(place);
        store.create(may, {mailbox(name), mailbox(name + "-2")}, actor);
        at(place, fate);
        BOOST_TEST_CONTEXT("command " << place)
        {
            const auto done = proxied.remove_all(may, domain, actor, Clock::now() + 1min);
            BOOST_TEST(done.is_all);
            BOOST_TEST(done.removed == 2);
            BOOST_TEST(times("delete " + name) == 1);
            BOOST_TEST(times("delete " + name + "-2") == 1);
            BOOST_TEST(
                database.number(
                    "SELECT COUNT(*) FROM deleted_mailbox WHERE domain_id = ? AND local_part IN (?, CONCAT(?, '-2'))",
                    {domain_id, name, name})
                == 2);
            BOOST_TEST(rows() == 0);
            BOOST_TEST(counter() == 0);
        }
    } while (commands > place++ && place < kMostCommands);
    BOOST_TEST(place > 10);
    BOOST_TEST(place < kMostCommands);
}

// Without an answer the outcome is unknown, so the store asks for it. If the server is still at
// work on the old transaction, the store waits for its end.
BOOST_DATA_TEST_CASE_F(Proxied, a_commit_that_gets_no_answer, data::make(kFates), fate)
{
    at_commits(1, fate);
    BOOST_TEST(create("alice"));
    check_created("alice");
    BOOST_TEST(rows() == 2);
    const bool was_done =
        fate == Fate::unanswered || fate == Fate::answer_lost || fate == Fate::arrives_late;
    BOOST_TEST(commits == (was_done ? 1 : 2));

    at_commits(1, fate);
    BOOST_TEST(change("alice"));
    check_changed("alice");

    const auto storage = storage_id("alice-2");
    at_commits(1, fate);
    BOOST_TEST(remove("alice-2"));
    check_removed("alice-2", storage);
    BOOST_TEST(rows() == 1);

    const auto log = standard_error.take();
    BOOST_TEST(
        std::count_if(log.begin(), log.end(),
                      [](const auto& line) { return line.starts_with("warning commit-lost "); })
        == 3);
}

BOOST_DATA_TEST_CASE_F(Proxied, a_commit_of_an_update_that_gets_no_answer, data::make(kFates), fate)
{
    store.create(may, {mailbox("alice")}, actor);
    database.execute("UPDATE domain SET on_duplicate = 'update' WHERE id = ?", {domain_id});
    const auto updates = grant();
    at_commits(1, fate);
    const auto done =
        proxied.create(updates, {mailbox("alice", "{PLAIN}second"), mailbox("bob")}, actor);
    BOOST_TEST((done.outcome == Created::Outcome::yes));
    BOOST_TEST(done.created == 1U);
    BOOST_TEST(done.updated == 1U);
    BOOST_TEST(rows() == 2);
    BOOST_TEST(counter() == 2);
    check_changed("alice");
    BOOST_TEST(times("create bob") == 1);
}

// One statement finds out the outcome for all of them.
BOOST_DATA_TEST_CASE_F(Proxied, a_commit_of_a_hundred_that_gets_no_answer, data::make(kFates), fate)
{
    at_commits(1, fate);
    BOOST_TEST((proxied.create(may, hundred(0), actor).outcome == Created::Outcome::yes));
    BOOST_TEST(commits > 0);
    BOOST_TEST(rows() == 100);
    BOOST_TEST(counter() == 100);
    BOOST_TEST(audit().size() == 100U);
    BOOST_TEST(
        database.number(
            "SELECT COUNT(DISTINCT local_part) FROM audit_log WHERE domain = ? AND action = 'create'",
            {domain.name()})
        == 100);
}

// There are two transactions. Both lose their COMMIT, or one loses it twice.
BOOST_DATA_TEST_CASE_F(Proxied, a_commit_of_a_removal_of_all_that_gets_no_answer,
                       data::make(kFates), fate)
{
    constexpr std::int64_t kAll = 600;
    for (int i = 0; i < kAll; i += 100) store.create(may, hundred(i), actor);
    at_commits(2, fate);
    const auto done = proxied.remove_all(may, domain, actor, Clock::now() + 1min);
    BOOST_TEST(commits >= 2);
    BOOST_TEST(done.is_all);
    BOOST_TEST(done.removed == kAll);
    BOOST_TEST(rows() == 0);
    BOOST_TEST(counter() == 0);
    BOOST_TEST(
        database.number("SELECT COUNT(*) FROM deleted_mailbox WHERE domain_id = ?", {domain_id})
        == kAll);
    BOOST_TEST(
        database.number("SELECT COUNT(*) FROM audit_log WHERE domain = ? AND action = 'delete'",
                        {domain.name()})
        == kAll);
    BOOST_TEST(
        database.number(
            "SELECT COUNT(DISTINCT local_part) FROM audit_log WHERE domain = ? AND action = 'delete'",
            {domain.name()})
        == kAll);
}

BOOST_FIXTURE_TEST_CASE(the_database_is_lost_between_two_parts_of_a_removal_of_all, Proxied)
{
    constexpr std::int64_t kAll = 600;
    for (int i = 0; i < kAll; i += 100) store.create(may, hundred(i), actor);
    commits = 0;
    proxy.set_judge([this](std::string_view command) {
        if (commits > 0) return Fate::lost;
        commits = is_commit(command) ? 1 : 0;
        return Fate::passes;
    });
    const auto done = proxied.remove_all(may, domain, actor, Clock::now() + 1min);
    BOOST_TEST(!done.is_all);
    BOOST_TEST(done.removed == kAll - rows());
    BOOST_TEST(rows() == 100);
    BOOST_TEST(counter() == 100);
    // Before the first part nothing is done.
    BOOST_CHECK_THROW(proxied.remove_all(may, domain, actor, Clock::now() + 1min), db::Error);
    BOOST_TEST(rows() == 100);
}

// A request that got "exists already" must not be taken for done when the outcome is asked for.
BOOST_DATA_TEST_CASE_F(Proxied, somebody_else_takes_the_name_while_a_commit_is_lost,
                       data::make({Fate::lost, Fate::lost_slowly}), fate)
{
    std::atomic<bool> is_taken = false;
    proxy.set_judge([&, fate](std::string_view command) {
        if (!is_commit(command) || is_taken.exchange(true)) return Fate::passes;
        return fate;
    });
    support::Process other{[&] {
        // Waits for the domain's row, and gets it as soon as the lost transaction is rolled back.
        std::this_thread::sleep_for(20ms);
        auto another = database::session(database.config());
        Store own{another};
        const store::Actor somebody{"somebody", "192.0.2.9"};
        return own.create(may, {mailbox("alice", "{PLAIN}other")}, somebody).outcome
                       == Created::Outcome::yes
                   ? 1
                   : 0;
    }};
    const auto outcome = proxied.create(may, {mailbox("alice", "{PLAIN}ours")}, actor).outcome;
    const bool is_others = other.wait() == 1;
    BOOST_TEST((outcome == (is_others ? Created::Outcome::already_exists : Created::Outcome::yes)));
    BOOST_TEST(password("alice") == (is_others ? "{PLAIN}other" : "{PLAIN}ours"));
    BOOST_TEST(rows() == 1);
    BOOST_TEST(counter() == 1);
}

// The server is not reachable for a moment after it has received the COMMIT.
BOOST_DATA_TEST_CASE_F(Proxied, what_asks_for_a_lost_commit_loses_its_connection_too,
                       data::make(kQuickFates), fate)
{
    std::atomic<int> cuts = 0;
    proxy.set_judge([&, fate](std::string_view command) {
        if (cuts == 0 && !is_commit(command)) return Fate::passes;
        return cuts++ < 5 ? fate : Fate::passes;
    });
    BOOST_TEST(create("alice"));
    BOOST_TEST(cuts > 5);
    check_created("alice");
    BOOST_TEST(rows() == 2);
}

// No COMMIT reaches the server. The error is reported after a few attempts.
BOOST_FIXTURE_TEST_CASE(no_commit_ever_arrives, Proxied)
{
    at_commits(20, Fate::lost);
    BOOST_CHECK_THROW(create("alice"), db::Error);
    BOOST_TEST(commits <= 5);
    BOOST_TEST(rows() == 0);
    BOOST_TEST(counter() == 0);
}

// A node of a cluster refuses a COMMIT if its transaction contradicts another node's.
BOOST_FIXTURE_TEST_CASE(a_commit_that_the_server_refuses, Proxied)
{
    at_commits(1, Fate::refused);
    BOOST_TEST(create("alice"));
    BOOST_TEST(commits == 2);
    check_created("alice");
    at_commits(1, Fate::refused);
    BOOST_TEST(change("alice"));
    check_changed("alice");
    const auto storage = storage_id("alice-2");
    at_commits(1, Fate::refused);
    BOOST_TEST(remove("alice-2"));
    check_removed("alice-2", storage);
    BOOST_TEST(rows() == 1);

    at_commits(20, Fate::refused);
    BOOST_CHECK_THROW(create("bob"), db::Error);
    BOOST_TEST(commits <= 5);
    BOOST_TEST(rows() == 1);
    BOOST_TEST(counter() == 1);
}

namespace {

// How a node behaves that has not applied the lost transaction yet: it refuses changes that
// contradict it, or it knows the names but not the row in the audit log.
enum class Lag { refuses, knows_names };
std::ostream& operator<<(std::ostream& out, Lag lag)
{
    return out << (lag == Lag::refuses ? "refuses" : "knows names");
}

// A cluster whose first node is lost with the answer to a COMMIT. For two seconds, the next node
// does not show what was committed.
struct Lagging : Proxied {
    void lose_next_commit(Lag lag)
    {
        // By the clock of the server, which is on this machine.
        const auto end = std::make_shared<std::atomic<std::int64_t>>(0);
        const auto now = [] {
            return std::chrono::duration_cast<std::chrono::microseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                .count();
        };
        proxy.set_judge([=](std::string_view command) {
            if (is_commit(command) && *end == 0) {
                *end = now() + std::chrono::microseconds{2s}.count();
                return Fate::unanswered;
            }
            const bool begins = command
                                == "\x03"
                                   "START TRANSACTION";
            return lag == Lag::refuses && begins && now() < *end ? Fate::refused : Fate::passes;
        });
        proxy.set_rewrite([=](std::string_view command) {
            std::string text{command};
            constexpr std::string_view kFrom = "FROM audit_log WHERE ";
            const auto from = text.find(kFrom);
            if (*end != 0 && text.starts_with('\x16') && from != std::string::npos)
                text.insert(from + kFrom.size(), "SYSDATE(6) >= FROM_UNIXTIME("
                                                     + std::to_string(*end) + " / 1000000) AND ");
            return text;
        });
    }
};

// Changes of each kind, all by the one policy. Each returns whether it reports success.
struct AnyChange : support::Row {
    bool (*make)(Lagging& it);
    const char* line;  // of the audit log
};

// Makes a change of an operator's key.
template <typename Make>
void by_operator(Lagging& it, Make make)
{
    audit::Id id;
    store::AuditedChange how{it.proxied_session, id, it.actor, 10s};
    admin::Admin admin{how, id, it.actor};
    make(admin);
}

const AnyChange kChanges[] =
    {
        {{"create"}, [](Lagging& it) { return it.create("bob"); }, "create bob"},
        {{"change_password"}, [](Lagging& it) { return it.change("alice"); }, "password alice"},
        {{"remove"}, [](Lagging& it) { return it.remove("alice"); }, "delete alice"},
        {{"remove_all"},
         [](Lagging& it) {
    const auto done = it.proxied.remove_all(it.may, it.domain, it.actor, Clock::now() + 1min);
    return done.is_all && done.removed == 1;
         },
         "delete alice"},
        {{"domain state"},
         [](Lagging& it) {
    by_operator(it, [&](admin::Admin& admin) {
        admin.set_domain_state(it.domain, mailbox::State::no_login);
    });
    return true;
         },
         "domain-suspend "},
                {{"domain remove"},
                 [](Lagging& it) {
    std::int64_t removed = 0;
    by_operator(it,
                [&](admin::Admin& admin) { removed = admin.remove_domain(it.domain).mailboxes; });
    return removed == 1;
                 },
                 "domain-remove "},
    };

}  // namespace

// What was committed is answered as done, however long no one shows it: not as "exists already",
// not as "not found", and not as 503.
BOOST_DATA_TEST_CASE_F(Lagging, the_next_node_shows_a_commit_later,
                       data::make(kChanges) * data::make({Lag::refuses, Lag::knows_names}), kind,
                       lag)
{
    store.create(may, {mailbox("alice")}, actor);
    lose_next_commit(lag);
    BOOST_TEST(kind.make(*this));
    BOOST_TEST(times(kind.line) == 1);
}

// The outcome cannot be asked for either. The answer does not say that nothing was done: here it
// was.
BOOST_FIXTURE_TEST_CASE(nobody_knows_of_a_commit, Proxied)
{
    Store impatient{proxied_session, 200ms};
    commits = 0;
    proxy.set_judge([this](std::string_view command) {
        return commits > 0                           ? Fate::lost
               : is_commit(command) && ++commits > 0 ? Fate::unanswered
                                                     : Fate::passes;
    });
    BOOST_CHECK_THROW(impatient.create(may, {mailbox("alice"), mailbox("alice-2")}, actor),
                      store::InDoubt);
    check_created("alice");
}

BOOST_FIXTURE_TEST_CASE(a_refusal_is_no_commit, Proxied)
{
    store.create(may, {mailbox("alice")}, actor);
    at_commits(1, Fate::lost);
    BOOST_TEST(!remove("bob"));
    BOOST_TEST(!change("bob"));
    BOOST_TEST(!create("alice"));
    BOOST_TEST(commits == 0);
}

BOOST_FIXTURE_TEST_CASE(statements_are_prepared_once, Proxied)
{
    create("alice");
    std::atomic<int> prepared = 0;
    proxy.set_judge([&](std::string_view command) {
        prepared += command.starts_with('\x16') ? 1 : 0;
        return Fate::passes;
    });
    create("bob");
    proxied.list(key, domain, {});
    const int first = prepared;
    create("carol");
    proxied.list(key, domain, {});
    proxy.set_judge({});
    BOOST_TEST(first == 1);  // the list's
    BOOST_TEST(prepared == 1);
}

// A list costs one round trip: key, account, domain and page in one statement.
BOOST_FIXTURE_TEST_CASE(a_list_is_one_command, Proxied)
{
    create("alice");
    proxied.list(key, domain, {});
    at(-1, Fate::passes);
    BOOST_TEST(proxied.list(key, domain, {}).has_value());
    BOOST_TEST(commands == 1);
}

// --- deadlocks ------------------------------------------------------------------------

// Another transaction, which has changed more rows, locks the mailbox and then waits for the
// domain.
BOOST_FIXTURE_TEST_CASE(the_victim_of_a_deadlock_begins_again, Proxied)
{
    store.create(may, {mailbox("alice")}, actor);
    const auto storage = storage_id("alice");
    database.run(
        "CREATE TABLE IF NOT EXISTS ballast (id INT NOT NULL PRIMARY KEY) ENGINE = InnoDB");
    const support::Signal has_row;
    support::Process other{[&] {
        auto connection = database.connect();
        db::Transaction transaction{connection};
        for (std::int64_t i = 0; i < 200; ++i)
            connection.execute("INSERT INTO ballast (id) VALUES (?)", {i});
        connection.execute(
            "UPDATE mailbox SET quota_bytes = 5 WHERE domain_id = ? AND local_part = 'alice'",
            {domain_id});
        has_row.give();
        // Waits until the store has the domain and waits for the mailbox. The server renews the
        // table ten times a second.
        for (int i = 0; i < 200; ++i) {
            std::this_thread::sleep_for(150ms);
            auto waiting = connection.query(
                "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'");
            if (waiting.next()) break;
        }
        connection.execute("UPDATE domain SET quota_bytes = 5 WHERE id = ?", {domain_id});
        transaction.commit();
        return 0;
    }};
    has_row.await();
    BOOST_TEST(remove("alice"));
    BOOST_TEST(other.wait() == 0);
    check_removed("alice", storage);
    BOOST_TEST(
        database.number("SELECT quota_bytes FROM deleted_mailbox WHERE storage_id = ?", {storage})
        == 5);
    const auto log = standard_error.take();
    BOOST_TEST(std::any_of(log.begin(), log.end(), [](const auto& line) {
        return line.starts_with("info transaction-repeated ");
    }));
}

// Each kind of change: how it is made, which lock it has before it writes to the audit log, and its
// line there.
struct Kind : support::Row {
    bool (*change)(Proxied& it);
    db::Statement held;  // wants one id, that of the domain
    const char* line;    // of the audit log
};

const Kind kKinds[] =
    {
        {{"create"},
         [](Proxied& it) { return it.create("bob"); },
         "UPDATE domain SET quota_bytes = 5 WHERE id = ?",
         "create bob"},
        {{"change_password"},
         [](Proxied& it) { return it.change("alice"); },
         "UPDATE mailbox SET quota_bytes = 5 WHERE domain_id = ? AND local_part = 'alice'",
         "password alice"},
        {{"remove"},
         [](Proxied& it) { return it.remove("alice"); },
         "UPDATE domain SET quota_bytes = 5 WHERE id = ?",
         "delete alice"},
        {{"remove_all"},
         [](Proxied& it) {
    return it.proxied.remove_all(it.may, it.domain, it.actor, Clock::now() + 1min).is_all;
         },
         "UPDATE domain SET quota_bytes = 5 WHERE id = ?",
         "delete alice"},
};

// The other transaction locks the end of the audit log, where every change has to write, and then
// waits for the lock that the change has.
BOOST_DATA_TEST_CASE_F(Proxied, the_victim_begins_again_whatever_it_was, data::make(kKinds), kind)
{
    store.create(may, {mailbox("alice")}, actor);
    database.run(
        "CREATE TABLE IF NOT EXISTS weight (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE = InnoDB");
    const support::Signal has_end;
    const support::Signal is_waited_for;
    support::Process other{[&] {
        auto connection = database.connect();
        connection.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ");
        db::Transaction transaction{connection};
        for (int i = 0; i < 200; ++i) connection.run("INSERT INTO weight () VALUES ()");
        connection.query(
            "SELECT id FROM audit_log WHERE at > (UNIX_TIMESTAMP() - 100) * 1000000 FOR UPDATE");
        has_end.give();
        is_waited_for.await();
        connection.execute(kind.held, {domain_id});
        transaction.commit();
        return 0;
    }};
    has_end.await();
    // The server renews the table ten times a second.
    support::Process watch{[&] {
        auto connection = database.connect();
        for (int i = 0; i < 200; ++i) {
            std::this_thread::sleep_for(150ms);
            if (connection
                    .query(
                        "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
                    .next())
                break;
        }
        is_waited_for.give();
        return 0;
    }};
    BOOST_TEST(kind.change(*this));
    BOOST_TEST(other.wait() == 0);
    BOOST_TEST(watch.wait() == 0);
    BOOST_TEST(times(kind.line) == 1);
    BOOST_TEST(counter() == rows());
    const auto log = standard_error.take();
    BOOST_TEST(std::count_if(
                   log.begin(), log.end(),
                   [](const auto& line) {
        return line.starts_with("info transaction-repeated attempt=1 ")
               && line.find("1213") != std::string::npos;
                   })
               == 1);
}

// --- lock waits -----------------------------------------------------------------------

namespace {

// Another transaction locks the domain and the mailbox until the change has been begun so many
// times. Waiting for the locks ends after a second.
struct Held : Proxied {
    explicit Held(int its_attempts = 2) : attempts{its_attempts}
    {
        store.create(may, {mailbox("alice")}, actor);
        proxied_session.connection().run("SET SESSION innodb_lock_wait_timeout = 1");
        proxy.set_judge([this](std::string_view command) {
            if (command
                    == "\x03"
                       "START TRANSACTION"
                && ++begun == attempts)
                are_enough.give();
            return Fate::passes;
        });
        holder.emplace([this] {
            auto connection = database.connect();
            db::Transaction transaction{connection};
            for (const auto& kind : kKinds) connection.execute(kind.held, {domain_id});
            has_rows.give();
            are_enough.await();
            return 0;
        });
        has_rows.await();
    }

    const int attempts;
    std::atomic<int> begun = 0;
    const support::Signal has_rows;
    const support::Signal are_enough;
    std::optional<support::Process> holder;
};

struct HeldForEver : Held {
    HeldForEver() : Held{1000} {}
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Held, what_waits_too_long_for_a_lock_begins_again, data::make(kKinds), kind)
{
    BOOST_TEST(kind.change(*this));
    BOOST_TEST(begun == 2);
    BOOST_TEST(holder->wait() == 0);
    BOOST_TEST(times(kind.line) == 1);
    BOOST_TEST(counter() == rows());
}

BOOST_DATA_TEST_CASE_F(HeldForEver, what_always_waits_too_long_for_a_lock_is_given_up,
                       data::make(kKinds), kind)
{
    BOOST_CHECK_EXCEPTION(kind.change(*this), db::Error,
                          [](const auto& error) { return error.number == 1205; });
    BOOST_TEST(begun == 5);
    are_enough.give();
    BOOST_TEST(holder->wait() == 0);
    BOOST_TEST(audit() == std::vector<std::string>{"create alice"},
               boost::test_tools::per_element());
    BOOST_TEST(rows() == 1);
    BOOST_TEST(counter() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
