// credentials_story.cc - the same mailboxes as SMTP credentials; the domains; and the OpenAPI
// document.

#include "system/harness/mail.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using answers::refusal;
using answers::text;
using story::shows;

namespace {

constexpr char kAllDeleted[] =
    "\"message\":\"All domain credentials have been deleted\",\"count\":";

// The calls of this API, added to any fixture.
template <typename Story>
struct Calls : Story {
    using Story::Story;

    std::string path(const story::Tenant& who, const std::string& name = "",
                     const std::string& prefix = "/v3") const
    {
        return prefix + "/domains/" + who.domain + "/credentials"
               + (name.empty() ? "" : "/" + name);
    }
    http::Answer post(const story::Tenant& who, const http::Fields& fields) const
    {
        return this->call(who.key, "POST", path(who), http::form(fields));
    }
    http::Answer get(const story::Tenant& who, const std::string& query = "") const
    {
        return this->call(who.key, "GET", path(who) + query);
    }
    http::Answer delete_all(const story::Tenant& who) const
    {
        return this->call(who.key, "DELETE", path(who));
    }
    void allow_delete_all(const story::Tenant& who) const
    {
        BOOST_TEST_REQUIRE(
            this->stack.mailboxctl({"domain", "set", who.domain, "allow_delete_all=yes"}).exit
            == 0);
    }
};

using Credentials = Calls<story::Story>;
using Read = Calls<mail::Story>;
using Broken = Calls<story::Breaking>;

// Returns the password that follows `"address":"` in an answer.
std::string password_in(const http::Answer& answer, const std::string& address)
{
    const auto begin = "\"" + address + "\":\"";
    const auto place = answer.body.find(begin);
    if (place == std::string::npos) {
        return {};
    }
    const auto at = place + begin.size();
    return answer.body.substr(at, answer.body.find('"', at) - at);
}

const char* const kPrefixes[] = {"", "/v2", "/v3", "/v4"};

}  // namespace

BOOST_AUTO_TEST_SUITE(credentials)

BOOST_TEST_DECORATOR(*shows("credentials: /domains/<domain>/credentials")
                     * shows("credentials: /domains/<domain>/credentials/<login>")
                     * shows("credentials: under /v2, /v3 and /v4") * shows("credentials: GET")
                     * shows("credentials: POST") * shows("credentials: PUT")
                     * shows("credentials: DELETE"))
BOOST_DATA_TEST_CASE_F(Credentials, from_nothing_to_nothing, data::make(kPrefixes), prefix)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(text(call(who.key, "POST", path(who, "", prefix),
                         http::multipart({{"login", "alice"}, {"password", "Wonderland 1865"}})))
               == "200 {\"message\":\"Created 1 credentials pair(s)\"}\n");
    stack.sql(
        "UPDATE mailbox SET created_at = 1317896556 WHERE domain_id = (SELECT id FROM domain WHERE name = "
        + stack::quote(who.domain) + ")");
    BOOST_TEST(
        text(call(who.key, "GET", path(who, "", prefix)))
        == "200 {\"total_count\":1,\"items\":[{\"size_bytes\":0,\"created_at\":\"Thu, 06 Oct 2011 10:22:36 GMT\",\"mailbox\":\""
               + alice + "\",\"login\":\"" + alice + "\"}]}\n");
    BOOST_TEST(call(who.key, "HEAD", path(who, "", prefix)).status == 200);
    BOOST_TEST(text(call(who.key, "PUT", path(who, alice, prefix),
                         http::form({{"password", "Looking-Glass 1871"}})))
               == "200 {\"message\":\"Password changed\"}\n");
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "Looking-Glass 1871"));
    BOOST_TEST(text(call(who.key, "DELETE", path(who, "alice%40" + who.domain, prefix)))
               == "200 {\"message\":\"Credentials have been deleted\",\"spec\":\"" + alice
                      + "\"}\n");
    BOOST_TEST(text(call(who.key, "GET", path(who, "", prefix)))
               == "200 {\"total_count\":0,\"items\":[]}\n");
}

// A client may use both APIs for one mailbox.
BOOST_TEST_DECORATOR(*shows("credentials: the same mailboxes as /<domain>/mailboxes")
                     * mail::needs_mail())
BOOST_FIXTURE_TEST_CASE(a_mailbox_of_one_api_in_the_other_and_over_imap, Read)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(post(who, {{"login", "alice"}, {"password", "Wonderland 1865"}}).status == 200);
    BOOST_TEST(answers::page(list(who)).names() == std::vector{alice},
               boost::test_tools::per_element());
    deliver(alice, mail::message("Hello"));
    BOOST_TEST(imap(alice, "Wonderland 1865").select() == 1U);
    BOOST_TEST(story::has(get(who).body,
                          "{\"size_bytes\":" + std::to_string(size_of(who, "alice")) + ","));

    BOOST_TEST(change(who, "alice", "Looking-Glass 1871").status == 200);
    BOOST_TEST(is_refused(alice, "Wonderland 1865"));
    BOOST_TEST(imap(alice, "Looking-Glass 1871").select() == 1U);

    const auto changed = call(who.key, "PUT", path(who, "alice"));
    BOOST_TEST(imap(alice, password_in(changed, alice)).select() == 1U);
    BOOST_TEST(remove(who, "alice").status == 200);
    BOOST_TEST(text(get(who)) == "200 {\"total_count\":0,\"items\":[]}\n");

    BOOST_TEST(create(who, "bob").status == 200);
    BOOST_TEST(story::has(get(who).body, "\"login\":\"" + who.address("bob") + "\""));
    BOOST_TEST(call(who.key, "DELETE", path(who, "bob")).status == 200);
    BOOST_TEST(answers::page(list(who)).total_count == 0);
}

BOOST_FIXTURE_TEST_CASE(a_password_that_is_made_is_told_once, Credentials,
                        *shows("credentials: without password one is made"))
{
    const auto who = tenant();
    const auto begin = log.mark();
    const auto answer = post(who, {{"login", "alice"}, {"login", "bob"}});
    for (const char* name : {"alice", "bob"}) {
        const auto password = password_in(answer, who.address(name));
        BOOST_TEST(password.size() == 24U);
        BOOST_TEST(story::is_hash_of(stored_password(who, name), password));
        BOOST_TEST(!story::has(get(who).body, password));
        for (const auto& line : log.lines_since(begin)) {
            BOOST_TEST(!story::has(line, password), line);
        }
    }
}

namespace {

struct Row {
    const char* why;
    const char* method;
    std::string path;  // after the collection's path
    http::Body body;
    std::string refusal;
};

std::ostream& operator<<(std::ostream& out, const Row& row)
{
    return out << row.why;
}

const Row kRefused[] = {
    {"no login", "POST", "", http::form({{"password", "secret"}}),
     "400 mailbox_missing: 'login' parameter is missing"},
    {"both names", "POST", "",
     http::form({{"login", "bob"}, {"mailbox", "bob"}, {"password", "secret"}}),
     "400 bad_parameter: 'login' and 'mailbox' parameters mean the same: give one of them"},
    {"a login that nobody can have", "POST", "", http::form({{"login", "a..b"}}),
     "400 bad_mailbox: 'login' parameter is not valid: a dot must stand between other characters"},
    {"too short a password", "PUT", "/alice", http::form({{"password", "1234"}}),
     "400 bad_password: 'password' parameter is not valid: it must have 5 to 128 characters"},
    {"taken", "POST", "", http::form({{"login", "alice"}}),
     "409 mailbox_exists: Mailbox already exists: alice@{domain}"},
    {"not there", "DELETE", "/bob", {}, "404 mailbox_not_found: Mailbox not found: bob@{domain}"},
    {"another type",
     "POST",
     "",
     {"text/plain", "login=bob"},
     "415 unsupported_type: The body must be application/x-www-form-urlencoded, multipart/form-data or application/json."},
    {"too large", "POST", "", http::form({{"login", std::string(70'000, 'x')}}),
     "413 body_too_large: The body of the request is too large"},
    {"a method that there is not",
     "PATCH",
     "/alice",
     {},
     "405 method_not_allowed: Method not allowed"},
    {"all, where the domain does not allow it",
     "DELETE",
     "",
     {},
     "405 method_not_allowed: Method not allowed"},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("credentials: the same errors")
                     * shows("credentials: DELETE of all, where the domain does not allow it"))
BOOST_DATA_TEST_CASE_F(Credentials, a_bad_request_is_refused, data::make(kRefused), row)
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    BOOST_TEST(refusal(call(who.key, row.method, path(who) + row.path, row.body))
               == story::fill(row.refusal, who));
    BOOST_TEST(snapshot() == before);
}

// --- all of a domain -----------------------------------------------------------------------

// Deleting all has the same effects as deleting each.
BOOST_TEST_DECORATOR(*shows("credentials: DELETE of all, where the domain allows it")
                     * mail::needs_mail())
BOOST_FIXTURE_TEST_CASE(all_are_deleted_as_each_would_be, Read)
{
    const auto who = tenant();
    const auto other = neighbour(who);
    const auto alice = who.address("alice");
    for (const char* name : {"alice", "bob"}) {
        BOOST_TEST(create(who, name).status == 200);
    }
    BOOST_TEST(create(other, "carol").status == 200);
    deliver(alice, mail::message("Hello"));
    auto session = imap(alice);
    auto others = imap(other.address("carol"));
    allow_delete_all(who);
    BOOST_TEST(refusal(call(who.key, "DELETE", path(who) + "/"))
               == "405 method_not_allowed: Method not allowed");

    BOOST_TEST(text(delete_all(who)) == std::string{"200 {"} + kAllDeleted + "2}\n");
    BOOST_TEST(session.end().starts_with("* BYE "));
    BOOST_TEST(is_refused(alice, story::kPassword));
    BOOST_TEST(smtp()
                   .send("you@example.net", {alice}, mail::message("Too late"))
                   .starts_with("550 5.1.1 "));
    BOOST_TEST(answers::page(list(who)).total_count == 0);
    BOOST_TEST(others.ask("NOOP").result.starts_with("OK "));
    BOOST_TEST(answers::page(list(other)).total_count == 1);

    const auto log_of = stack.mailboxctl({"audit", alice}).out;
    BOOST_TEST(story::has(log_of, "delete"), log_of);
    BOOST_TEST(stack.mailboxctl({"mailbox", "restore", alice}).exit == 0);
    BOOST_TEST(imap(alice).select() == 1U);
    BOOST_TEST(text(delete_all(who)) == std::string{"200 {"} + kAllDeleted + "1}\n");
}

// A misspelt selector must not delete everything, and a misspelt password parameter must not
// generate a password.
BOOST_FIXTURE_TEST_CASE(
    a_misspelt_parameter_is_refused, Credentials,
    *shows("rules: unknown parameters are refused where a misspelt one is dangerous")
        * shows("credentials: DELETE of all, where the domain allows it"))
{
    const auto who = tenant();
    allow_delete_all(who);
    BOOST_TEST(create(who, "alice").status == 200);
    const auto before = snapshot();
    for (const std::string query : {"spec=alice", "Login=alice", "login%5B%5D=alice", "user=alice",
                                    "limit=1", "x", "confirm=no", "=", "mailbox=alice"}) {
        const auto by_query = call(who.key, "DELETE", path(who) + "?" + query);
        BOOST_TEST(answers::is_refused(by_query, 400, {"bad_parameter", "Nothing was deleted"}),
                   query);
        const auto by_body =
            call(who.key, "DELETE", path(who), {"application/x-www-form-urlencoded", query});
        BOOST_TEST(answers::is_refused(by_body, 400, {"bad_parameter", "Nothing was deleted"}),
                   query);
    }
    BOOST_TEST(
        answers::is_refused(call(who.key, "DELETE", path(who), http::json(R"({"spec":"alice"})")),
                            400, {"bad_parameter", "'spec'"}));
    BOOST_TEST(answers::is_refused(
        call(who.key, "DELETE", path(who), http::multipart({{"spec", "alice"}})), 400,
        {"bad_parameter", "'spec'"}));
    BOOST_TEST(answers::is_refused(post(who, {{"login", "bob"}, {"pasword", "Wonderland"}}), 400,
                                   {"bad_parameter", "'pasword'", "'password'"}));
    BOOST_TEST(answers::is_refused(
        call(who.key, "PUT", path(who, "alice"), http::form({{"new_password", "Wonderland"}})), 400,
        {"'new_password'"}));
    BOOST_TEST(answers::is_refused(call(who.key, "PUT", path(who, "alice") + "?passwd=Wonderland"),
                                   400, {"'passwd'"}));
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(post(who, {{"login", "bob"}, {"system", "false"}}).status == 200);
    BOOST_TEST(post(who, {{"login", "carol"}, {"password", "Wonderland"}, {"note", "x"}}).status
               == 200);
    BOOST_TEST(text(delete_all(who)) == std::string{"200 {"} + kAllDeleted + "3}\n");
}

// The database crashes; deletions that were acknowledged before are still in effect.
BOOST_FIXTURE_TEST_CASE(all_stay_deleted, Broken,
                        *shows("credentials: DELETE of all, where the domain allows it"))
{
    const auto who = tenant();
    allow_delete_all(who);
    http::Fields many;
    for (int i = 0; i < 100; ++i) {
        many.emplace_back("mailbox", "user" + std::to_string(i));
        many.emplace_back("password", story::kPassword);
    }
    BOOST_TEST(call(who.key, "POST", who.mailboxes(), http::form(many)).status == 200);
    BOOST_TEST(text(delete_all(who)) == std::string{"200 {"} + kAllDeleted + "100}\n");
    const auto database = stack.part("mariadb");
    ::kill(database, SIGKILL);
    BOOST_TEST_REQUIRE(process::eventually([&] { return !process::is_alive(database); }));
    stack.up();
    BOOST_TEST(process::eventually([&] { return list(who).status == 200; }));
    BOOST_TEST(answers::page(list(who)).total_count == 0);
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM deleted_mailbox WHERE domain = "
                           + stack::quote(who.domain))
               == "100");
}

namespace {

constexpr int kMany = 60'000;

struct Large : Broken {
    // Adds more mailboxes than one transaction deletes. The administrator writes the rows that the
    // service would write.
    void fill(const story::Tenant& who) const
    {
        const auto id =
            stack.value("SELECT id FROM domain WHERE name = " + stack::quote(who.domain));
        const auto many = std::to_string(kMany);
        stack.sql(
            "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password) SELECT "
            + id
            + ", n, CONCAT('user', n),"
              " 0, LEFT(SHA2(CONCAT('"
            + who.domain
            + "', n), 256), 32), '{PLAIN}x' FROM (SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n + 1 AS n"
              " FROM "
            + digits("a") + " JOIN " + digits("b") + " JOIN " + digits("c") + " JOIN " + digits("d")
            + " JOIN " + digits("e") + ") numbers WHERE n <= " + many);
        stack.sql(
            "INSERT INTO mailbox_range (domain_id, number, mailboxes, counts) SELECT domain_id, id DIV 65536, 0, REPEAT(CHAR(0), 512)"
            " FROM mailbox WHERE domain_id = "
            + id + " GROUP BY domain_id, id DIV 65536");
        stack.sql(
            "UPDATE mailbox_range r SET mailboxes = (SELECT COUNT(*) FROM mailbox m WHERE m.domain_id = r.domain_id AND m.id DIV 65536 = r.number)"
            " WHERE domain_id = "
            + id);
        for (int fine = 0; fine * 128 <= kMany; ++fine) {
            stack.sql("UPDATE mailbox_range SET counts = INSERT(counts, " + std::to_string(fine + 1)
                      + ", 1, CHAR((SELECT COUNT(*) FROM mailbox"
                        " WHERE domain_id = "
                      + id + " AND id BETWEEN " + std::to_string(128 * fine) + " AND "
                      + std::to_string(128 * fine + 127) + "))) WHERE domain_id = " + id);
        }
        stack.sql("UPDATE domain SET mailboxes = " + many + ", last_id = " + many
                  + " WHERE id = " + id);
    }

    static std::string digits(const std::string& name)
    {
        return "(SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7"
               " UNION SELECT 8 UNION SELECT 9) "
               + name;
    }
};

}  // namespace

// More mailboxes than can be deleted before the deadline. Each answer is true, no other client
// waits for long, and repeating the request finishes the deletion.
BOOST_FIXTURE_TEST_CASE(a_large_domain_is_deleted_in_parts, Large,
                        *shows("credentials: DELETE of all in a large domain"))
{
    const auto who = tenant();
    const auto other = neighbour(who);
    allow_delete_all(who);
    fill(who);
    reconfigure({{"request_deadline", "2"}});

    // Creates a mailbox in this domain and one in another domain. Returns the seconds that both
    // took.
    int others = 0;
    const auto create_others = [&] {
        const auto begin = std::chrono::steady_clock::now();
        BOOST_TEST(create(who, "new" + std::to_string(others)).status == 200);
        BOOST_TEST(create(other, "new" + std::to_string(others)).status == 200);
        ++others;
        return std::chrono::duration<double>{std::chrono::steady_clock::now() - begin}.count();
    };
    // On a loaded machine hashing alone takes longer, so it is measured first.
    const auto alone = std::max(create_others(), create_others());

    auto deleting =
        std::async(std::launch::async,
                   [server = stack.server(),
                    request = http::Request{
                        "DELETE", path(who), {{"Authorization", http::basic(who.key)}}, {}}] {
        return server.send(request);
        });
    BOOST_TEST(process::eventually(
        [&] { return answers::page(list(who, "?limit=1")).total_count < kMany; }));
    double longest = 0;
    do {
        longest = std::max(longest, create_others());
    } while (deleting.wait_for(std::chrono::seconds{0}) != std::future_status::ready);
    BOOST_TEST_MESSAGE(others << " times two mailboxes were created meanwhile, the longest took "
                              << longest << " s, alone " << alone << " s");
    BOOST_TEST(longest < 1 + 5 * alone);

    auto answer = deleting.get();
    BOOST_TEST(answer.status == 503);
    std::int64_t deleted = 0;
    const auto left = [&] { return answers::page(list(who, "?limit=1")).total_count; };
    for (int times = 1; answer.status == 503 && times < 100; ++times) {
        BOOST_TEST(refusal(answer).starts_with("503 not_finished: "), refusal(answer));
        BOOST_TEST(answer.header("Retry-After") == "1");
        deleted += std::stoll(refusal(answer).substr(std::string{"503 not_finished: "}.size()));
        BOOST_TEST(left() == kMany + others - deleted);
        answer = delete_all(who);
    }
    BOOST_TEST(text(answer)
               == std::string{"200 {"} + kAllDeleted + std::to_string(kMany + others - deleted)
                      + "}\n");
    BOOST_TEST(left() == 0);
    check_counters();
}

// --- domains -------------------------------------------------------------------------------

namespace {

std::string described(const std::string& domain, const std::string& created_at)
{
    return "{\"name\":\"" + domain
           + "\",\"state\":\"active\",\"is_disabled\":false,\"created_at\":\"" + created_at
           + "\",\"type\":\"custom\",\"wildcard\":false,\"spam_action\":\"disabled\"}";
}

}  // namespace

BOOST_TEST_DECORATOR(*shows("domains: GET of all") * shows("domains: GET of one")
                     * shows("domains: under /v2, /v3 and /v4")
                     * shows("domains: what the key may see"))
BOOST_DATA_TEST_CASE_F(Credentials, domains, data::make(kPrefixes), prefix)
{
    const auto who = tenant();
    const auto second = neighbour(who);
    const auto stranger = tenant();
    stack.sql("UPDATE domain SET created_at = 1317896556 WHERE name IN (" + stack::quote(who.domain)
              + ", " + stack::quote(second.domain) + ")");
    const std::string date = "Thu, 06 Oct 2011 10:22:36 GMT";
    const auto all = std::string{prefix} + "/domains";
    BOOST_TEST(text(call(who.key, "GET", all))
               == "200 {\"total_count\":2,\"items\":[" + described(who.domain, date) + ","
                      + described(second.domain, date) + "]}\n");
    BOOST_TEST(text(call(who.key, "GET", all + "?limit=1&skip=1"))
               == "200 {\"total_count\":2,\"items\":[" + described(second.domain, date) + "]}\n");
    BOOST_TEST(call(who.key, "HEAD", all).status == 200);
    const auto one = call(who.key, "GET", all + "/" + second.domain);
    BOOST_TEST(one.status == 200);
    BOOST_TEST(story::has(one.body, "{\"domain\":{\"created_at\":\"" + date + "\""));
    BOOST_TEST(story::has(one.body, "\"name\":\"" + second.domain + "\""));
    BOOST_TEST(call(who.key, "HEAD", all + "/" + second.domain).status == 200);

    const auto narrow =
        story::add_key(stack, {"--account", who.account, "--domain", second.domain, "--read-only"});
    BOOST_TEST(text(call(narrow, "GET", all))
               == "200 {\"total_count\":1,\"items\":[" + described(second.domain, date) + "]}\n");
    BOOST_TEST(refusal(call(narrow, "GET", all + "/" + who.domain))
               == "404 domain_not_found: Domain not found: " + who.domain);
    BOOST_TEST(refusal(call(who.key, "GET", all + "/" + stranger.domain))
               == "404 domain_not_found: Domain not found: " + stranger.domain);
    BOOST_TEST(refusal(call("mbx-nobody", "GET", all)) == "401 unauthorized: Forbidden");
    BOOST_TEST(refusal(call(who.key, "DELETE", all + "/" + who.domain))
                   .starts_with("403 operator_only: "));
    BOOST_TEST(refusal(call(who.key, "PATCH", all + "/" + who.domain))
               == "405 method_not_allowed: Method not allowed");
}

// A client that searches takes the first item of the answer for the domain that it searched.
BOOST_FIXTURE_TEST_CASE(domains_are_searched, Credentials,
                        *shows("domains: search, state and sort"))
{
    const auto who = tenant();
    const auto second = neighbour(who);
    const auto count_and_first = [&](const std::string& query) {
        const auto body = call(who.key, "GET", "/v4/domains" + query).body;
        const auto begin = body.find("\"name\":\"");
        const auto name = begin == std::string::npos
                              ? ""
                              : body.substr(begin + 8, body.find('"', begin + 8) - begin - 8);
        return body.substr(0, body.find(',')) + " " + name;
    };
    BOOST_TEST(count_and_first("?search=" + second.domain)
               == "{\"total_count\":1 " + second.domain);
    BOOST_TEST(count_and_first("?search=nowhere.example") == "{\"total_count\":0 ");
    BOOST_TEST(count_and_first("?sort=name:desc&limit=1")
               == "{\"total_count\":2 " + std::max(who.domain, second.domain));
    BOOST_TEST(stack.mailboxctl({"domain", "suspend", who.domain}).exit == 0);
    BOOST_TEST(count_and_first("?state=active") == "{\"total_count\":1 " + second.domain);
    BOOST_TEST(count_and_first("?state=disabled") == "{\"total_count\":1 " + who.domain);
    BOOST_TEST(count_and_first("?state=unverified") == "{\"total_count\":0 ");
    for (const char* query : {"?authority=example.org", "?state=verified", "?sort=date"}) {
        BOOST_TEST(answers::is_refused(call(who.key, "GET", std::string{"/v4/domains"} + query),
                                       400, {"bad_parameter"}),
                   query);
    }
}

// --- the OpenAPI document ------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(the_document_is_served, Credentials, *shows("openapi: GET /openapi.json"))
{
    const char* const sources = std::getenv("TEST_SOURCE_DIR");
    std::ifstream file{std::string{sources != nullptr ? sources : "."}
                       + "/nginx/mailboxd-openapi.json"};
    const std::string document{std::istreambuf_iterator<char>{file}, {}};
    BOOST_TEST(document.size() > 10'000U);
    for (const auto& headers :
         {http::Fields{}, http::Fields{{"Range", "bytes=0-9"}},
          http::Fields{{"If-Modified-Since", "Sun, 01 Jan 2040 00:00:00 GMT"}}}) {
        const auto answer = send({"GET", "/openapi.json", headers, {}});
        BOOST_TEST(answer.status == 200);
        BOOST_TEST(answer.body == document);
    }
    // The document has no versions, so conditional requests have no effect: the answer is the
    // document, or an error in JSON.
    const std::string old = "Sun, 01 Jan 2012 00:00:00 GMT";
    for (const auto& header : {std::pair<std::string, std::string>{"If-None-Match", "*"},
                               {"If-None-Match", "\"x\""},
                               {"If-None-Match", "W/\"x\", *"},
                               {"If-Modified-Since", old},
                               {"If-Match", "*"},
                               {"If-Match", "\"x\""},
                               {"If-Unmodified-Since", old},
                               {"If-Unmodified-Since", "tomorrow"},
                               {"If-Range", "\"x\""},
                               {"Range", "bytes=0-9"},
                               {"Range", "bytes=9999999-"},
                               {"Range", "lines=1"},
                               {"Accept", "text/html"}}) {
        for (const std::string method : {"GET", "HEAD"}) {
            BOOST_TEST_CONTEXT(method << " " << header.first << ": " << header.second)
            {
                const auto answer =
                    send({method, "/openapi.json", {header, {"Range", "bytes=1-2"}}, {}});
                BOOST_TEST((answer.status == 200 || answer.status == 412));
                if (method == "HEAD") continue;
                if (answer.status == 200) BOOST_TEST((answer.body == document));
                else
                    BOOST_TEST(
                        answers::is_refused(answer, 412, {"condition_failed", "no versions"}));
            }
        }
        // Conditional headers have no effect on the API's answers either.
        const auto who = tenant();
        BOOST_TEST(call(who.key, "GET", who.mailboxes(), {}, {header}).status == 200, header.first);
        BOOST_TEST(
            answers::is_refused(call(who.key, "GET", "/nowhere", {}, {header}), 404, {"not_found"}),
            header.first);
        BOOST_TEST(answers::is_refused(call(who.key, "TRACE", who.mailboxes(), {}, {header}), 405,
                                       {"method_not_allowed"}),
                   header.first);
        BOOST_TEST(create(who, "alice").status == 200);
        BOOST_TEST(call(who.key, "DELETE", who.mailbox("alice"), {}, {header}).status == 200,
                   header.first);
    }
    BOOST_TEST(send({"HEAD", "/openapi.json?", {}, {}}).status == 200);
    for (const char* method : {"POST", "PUT", "DELETE", "TRACE"}) {
        const auto answer = send({method, "/openapi.json", {}, {}});
        BOOST_TEST(refusal(answer) == "405 method_not_allowed: Method not allowed");
        BOOST_TEST(answer.header("Allow") == "GET, HEAD");
    }
}

BOOST_AUTO_TEST_SUITE_END()
