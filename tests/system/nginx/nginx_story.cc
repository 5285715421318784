// nginx_story.cc - the answers that nginx makes itself have the API's form, too.

#include "system/harness/story.h"

#include <csignal>
#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using answers::is_refused;
using answers::refusal;
using story::shows;

namespace {

struct Bytes {
    const char* why;
    std::string bytes;  // {domain} and {key} are filled in
    int status;
    std::vector<std::string> words;
};

std::ostream& operator<<(std::ostream& out, const Bytes& row)
{
    return out << row.why;
}

const std::string kGet = "GET /{domain}/mailboxes HTTP/1.1\r\n{auth}";

const Bytes kRefused[] =
    {
        {"no HTTP at all", "mailbox=alice\r\n\r\n", 400, {"bad_request"}},
        {"no path", "GET HTTP/1.1\r\n{auth}\r\n", 400, {}},
        {"no host",
         "GET /{domain}/mailboxes HTTP/1.1\r\nConnection: close\r\n\r\n",
         400,
         {"bad_request"}},
        {"two hosts", kGet + "Host: y\r\n\r\n", 400, {"bad_request"}},
        {"a header without a colon in front of its space",
         kGet + "X Y: z\r\n\r\n",
         400,
         {"bad_request"}},
        {"two Authorizations", kGet + "Authorization: Basic YTpi\r\n\r\n", 400, {"bad_request"}},
        {"two Content-Lengths",
         kGet + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
         400,
         {"bad_request"}},
        {"a Content-Length that is none",
         kGet + "Content-Length: -1\r\n\r\n",
         400,
         {"bad_request"}},
        {"a length and chunks",
         kGet + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400,
         {"bad_request"}},
        {"a transfer encoding that is not known",
         kGet + "Transfer-Encoding: gzip\r\n\r\n",
         501,
         {"not_implemented"}},
        {"chunks that are none",
         "POST /{domain}/mailboxes HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
         400,
         {"bad_request"}},
        {"chunks of too many bytes",
         "POST /{domain}/mailboxes HTTP/1.1\r\n{auth}Transfer-Encoding: chunked\r\n\r\n20000\r\n"
             + std::string(0x20000, 'x') + "\r\n0\r\n\r\n",
         413,
         {"body_too_large"}},
        {"a length of too many bytes",
         "POST /{domain}/mailboxes HTTP/1.1\r\n{auth}Content-Length: 10000000\r\n\r\n",
         413,
         {"body_too_large"}},
        // The other error is reported, not the size, and in JSON: nginx checks the size again while
        // it makes its answer.
        {"a length of too many bytes and chunks",
         "POST /{domain}/mailboxes HTTP/1.1\r\n{auth}Content-Length: 70000\r\nTransfer-Encoding: chunked\r\n\r\n",
         400,
         {"bad_request"}},
        {"a length of too many bytes and a transfer encoding that is not known",
         "POST /{domain}/mailboxes HTTP/1.1\r\n{auth}Content-Length: 70000\r\nTransfer-Encoding: gzip\r\n\r\n",
         501,
         {"not_implemented"}},
        {"a length of too many bytes with TRACE",
         "TRACE /{domain}/mailboxes HTTP/1.1\r\n{auth}Content-Length: 70000\r\n\r\n",
         405,
         {"method_not_allowed"}},
        {"a length of too many bytes with CONNECT",
         "CONNECT x:443 HTTP/1.1\r\n{auth}Content-Length: 70000\r\n\r\n",
         400,
         {"bad_request"}},
        {"a length as large as can be",
         "POST /{domain}/mailboxes HTTP/1.1\r\n{auth}Content-Length: 9223372036854775807\r\n\r\n",
         413,
         {"body_too_large"}},
        {"one header of 40 KB",
         kGet + "X: " + std::string(40'000, 'x') + "\r\n\r\n",
         400,
         {"headers_too_large"}},
        {"headers of 40 KB",
         kGet +
             [] {
    std::string headers;
    for (int i = 0; i < 40; ++i) {
        headers += "X-" + std::to_string(i) + ": " + std::string(1000, 'x') + "\r\n";
    }
    return headers;
         }()
         + "\r\n",
         400,
         {"headers_too_large"}},
        {"a path of 40 KB",
         "GET /{domain}/mailboxes?" + std::string(40'000, 'x') + " HTTP/1.1\r\n{auth}\r\n",
         414,
         {"uri_too_long"}},
        {"HTTP/2.0 in words",
         "GET /{domain}/mailboxes HTTP/2.0\r\n{auth}\r\n",
         505,
         {"http_version_not_supported"}},
        {"HTTP/3.0 in words",
         "GET /{domain}/mailboxes HTTP/3.0\r\n{auth}\r\n",
         505,
         {"http_version_not_supported"}},
        {"HTTP/1.0 with chunks",
         "POST /{domain}/mailboxes HTTP/1.0\r\n{auth}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         400,
         {"bad_request"}},
        {"a folded header", kGet + "X: y\r\n z\r\n\r\n", 400, {"bad_request"}},
        {"a path of 40 KB without a query",
         "GET /{domain}/mailboxes/" + std::string(40'000, 'x') + " HTTP/1.1\r\n{auth}\r\n",
         414,
         {"uri_too_long"}},
        {"another path", "GET /favicon.ico HTTP/1.1\r\n{auth}\r\n", 404, {"not_found: Not found"}},
        {"its own error pages are no paths",
         "GET /.mailboxd/500 HTTP/1.1\r\n{auth}\r\n",
         404,
         {"not_found: Not found"}},
        {"nor is what they stand in",
         "GET /.mailboxd/ HTTP/1.1\r\n{auth}\r\n",
         404,
         {"not_found: Not found"}},
        {"up and out", "GET /../../etc/passwd HTTP/1.1\r\n{auth}\r\n", 400, {"bad_request"}},
        {"NUL in the path", "GET /{domain}/mailboxes/%00 HTTP/1.1\r\n{auth}\r\n", 400, {}},
        {"NUL itself in the path",
         "GET /{domain}/mail" + std::string(1, '\0') + "boxes HTTP/1.1\r\n{auth}\r\n",
         400,
         {"bad_request"}},
        {"an expectation that is not known", kGet + "Expect: 200-ok\r\n\r\n", 200, {}},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(nginx)

BOOST_TEST_DECORATOR(*shows("answers: those that nginx makes itself"))
BOOST_DATA_TEST_CASE_F(story::Story, answers_json_to, data::make(kRefused), row)
{
    const auto who = tenant();
    const auto before = snapshot();
    const auto answer = send_bytes(story::fill(row.bytes, who));
    if (row.status == 200) {
        BOOST_TEST(answer.status == 200);
    } else {
        BOOST_TEST(is_refused(answer, row.status, row.words));
    }
    BOOST_TEST(snapshot() == before);
}

// A client that stops in the middle of its body and still reads.
BOOST_FIXTURE_TEST_CASE(a_body_over_the_limit_that_is_cut_short, story::Story,
                        *shows("answers: those that nginx makes itself")
                            * shows("status: 413 body too large"))
{
    const auto who = tenant();
    for (const std::string method : {"POST", "HEAD"}) {
        http::Connection connection{stack.server().port()};
        connection.send(story::fill(
            method + " /{domain}/mailboxes HTTP/1.1\r\n{auth}Content-Length: 70000\r\n\r\nxx",
            who));
        connection.finish();
        const auto expect = method == "HEAD" ? http::Expect::no_body : http::Expect::body;
        const auto answer = connection.receive(expect);
        BOOST_TEST(answer.status == 413);
        const auto found = answers::breach(answer, expect);
        BOOST_TEST(found.empty(), found);
    }
}

namespace {

struct Method {
    const char* method;
    int status;
};

std::ostream& operator<<(std::ostream& out, const Method& row)
{
    return out << row.method;
}

const Method kMethods[] = {
    {"TRACE", 405},    {"OPTIONS", 405}, {"PATCH", 405},   {"GE", 405},   {"GETS", 405},
    {"PROPFIND", 405}, {"MKCOL", 405},   {"LOCK", 405},    {"_", 405},    {"get", 400},
    {"Post", 400},     {"delete", 400},  {"CONNECT", 400}, {"G\"T", 400}, {"G\tT", 400},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("paths: any other method")
                     * shows("paths: lower-case methods and CONNECT are nginx's 400")
                     * shows("status: 405 method"))
BOOST_DATA_TEST_CASE_F(story::Story, a_method_that_is_not_one_of_ours, data::make(kMethods), row)
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    for (const auto& [path, allow] :
         {std::pair{who.mailboxes(), "GET, HEAD, POST"},
          std::pair{who.mailboxes() + "/", "GET, HEAD, POST"},
          std::pair{who.mailbox("alice", "/v3"), "GET, HEAD, PUT, DELETE"}}) {
        BOOST_TEST_CONTEXT(row.method << ' ' << path)
        {
            const auto answer = call(who.key, row.method, path);
            BOOST_TEST(answer.status == row.status);
            if (row.status == 405) {
                BOOST_TEST(refusal(answer) == "405 method_not_allowed: Method not allowed");
                BOOST_TEST(answer.all("Allow") == std::vector<std::string>{allow},
                           boost::test_tools::per_element());
            }
        }
    }
    BOOST_TEST(snapshot() == before);
}

namespace {

const char* const kPaths[] = {
    "/v2/mailboxes",
    "/v2/mailboxes/",
    "/v2/mailboxes/alice",
    "/v2/mailboxes?a/b",
    "/v2/mailboxes/mailboxes",
    "/v2/mailboxes/mailboxes/alice",
    "/v2/v3/{domain}/mailboxes",
    "/v4/{domain}/mailboxes",
    "/v2//mailboxes",
    "//mailboxes",
    "/{domain}/mailboxes/alice/",
    "/{domain}/mailboxes/alice/bob",
    "/{domain}/mailboxes//alice",
    "/{domain}/mailboxes//",
    "/{domain}/mailboxes/?",
    "/{domain}/mailboxes/alice?a/b",
    "/",
    "/domains",
    "/domains/",
    "/domains?a/b",
    "/v4/domains",
    "/v5/domains",
    "/domains/{domain}",
    "/domains/{domain}/",
    "/domains/{domain}?a",
    "/v3/domains/{domain}/credentials",
    "/v4/domains/{domain}/credentials/",
    "/domains/{domain}/credentials/alice",
    "/domains/{domain}/credentials/alice/",
    "/domains/{domain}/credentials//",
    "/domains/{domain}/tracking",
    "/v4/domains/{domain}/verify",
    "/{domain}/deleted",
    "/v3/{domain}/deleted/",
    "/{domain}/deleted/x",
    "/{domain}/deleted/x/restore",
    "/v5/accounts/subaccounts",
    "/v5/accounts/subaccounts/",
    "/v5/accounts/subaccounts/1",
    "/v5/accounts/subaccounts/1/disable",
    "/v5/accounts/subaccounts/1/enable/",
    "/v5/accounts/subaccounts/1/limit",
    "/accounts/subaccounts",
    "/v1/keys",
    "/v1/keys/aaaaaaaaaa",
    "/v1/keys/aaaaaaaaaa/x",
    "/v2/keys",
    "/v1/usage",
    "/v1/audit/",
    "/v3/{domain}/credentials",
    "/domains/mailboxes",
    "/v3/domains/mailboxes",
    "/v4/domains/mailboxes",
    "/domains/mailboxes/alice",
    "/domains/mailboxes/credentials",
    "/domains/mailboxes/credentials/alice",
    "/v2/v3/domains",
    "/v3/v4/domains",
    "//domains",
    "/v3//domains",
    "/domains//credentials",
};

}  // namespace

// nginx refuses TRACE, and the service PATCH. Both must interpret a path alike.
BOOST_TEST_DECORATOR(*shows("paths: any other path") * shows("paths: any other method"))
BOOST_DATA_TEST_CASE_F(story::Story, nginx_and_the_service_see_the_same_in, data::make(kPaths),
                       path)
{
    const auto who = tenant();
    const auto by_nginx = call(who.key, "TRACE", story::fill(path, who));
    const auto by_service = call(who.key, "PATCH", story::fill(path, who));
    BOOST_TEST(refusal(by_nginx) == refusal(by_service));
    BOOST_TEST(by_nginx.all("Allow") == by_service.all("Allow"), boost::test_tools::per_element());
}

// A client of HTTP/1.0 gets an answer that it can read.
BOOST_FIXTURE_TEST_CASE(http_1_0, story::Story)
{
    const auto who = tenant();
    const auto answer = send_bytes("GET " + who.mailboxes() + " HTTP/1.0\r\nAuthorization: "
                                   + http::basic(who.key) + "\r\n\r\n");
    BOOST_TEST(answers::text(answer) == "200 {\"total_count\":0,\"items\":[]}\n");
}

BOOST_FIXTURE_TEST_CASE(a_client_that_asks_for_compression, story::Story,
                        *shows("answers: Content-Type is exactly application/json"))
{
    const auto who = tenant();
    for (int i = 0; i < 20; ++i) {
        create(who, "user" + std::to_string(i));
    }
    const auto answer = call(who.key, "GET", who.mailboxes(), {},
                             {{"Accept-Encoding", "gzip, deflate, br"}, {"Accept", "text/html"}});
    BOOST_TEST(answer.all("Content-Encoding").empty());
    BOOST_TEST(answers::page(answer).items.size() == 20U);
}

BOOST_FIXTURE_TEST_CASE(a_client_that_half_closes_gets_its_answer, story::Story)
{
    const auto who = tenant();
    http::Connection connection{stack.server().port()};
    connection.send(http::Request{"POST",
                                  who.mailboxes(),
                                  {{"Authorization", http::basic(who.key)}},
                                  http::form({{"mailbox", "alice"}, {"password", "Wonderland"}})}
                        .bytes());
    connection.finish();
    BOOST_TEST(answers::text(connection.receive())
               == "200 {\"message\":\"Created 1 mailboxes\"}\n");
}

BOOST_FIXTURE_TEST_CASE(a_client_that_expects_100_continue, story::Story)
{
    const auto who = tenant();
    BOOST_TEST(call(who.key, "POST", who.mailboxes(),
                    http::form({{"mailbox", "alice"}, {"password", "Wonderland"}}),
                    {{"Expect", "100-continue"}})
                   .status
               == 200);
}

// Several requests on one connection: each has its own answer, in their order.
BOOST_FIXTURE_TEST_CASE(a_connection_that_is_kept, story::Story)
{
    const auto who = tenant();
    const std::string head =
        " HTTP/1.1\r\nHost: x\r\nAuthorization: " + http::basic(who.key) + "\r\n";
    const std::string form = "mailbox=alice&password=Wonderland";
    http::Connection connection{stack.server().port()};
    connection.send("POST " + who.mailboxes() + head
                    + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
                    + std::to_string(form.size()) + "\r\n\r\n" + form + "GET " + who.mailboxes()
                    + head + "\r\nDELETE " + who.mailbox("alice") + head
                    + "Connection: close\r\n\r\n");
    const auto stream = connection.receive_all();
    const auto created = stream.find("Created 1 mailboxes");
    const auto listed = stream.find("\"total_count\":1");
    const auto deleted = stream.find("Mailbox has been deleted");
    BOOST_TEST(created != std::string::npos);
    BOOST_TEST(listed != std::string::npos);
    BOOST_TEST(deleted != std::string::npos);
    BOOST_TEST(created < listed);
    BOOST_TEST(listed < deleted);
}

// The rest of a refused request's body is not read as another request.
BOOST_FIXTURE_TEST_CASE(a_connection_that_is_kept_after_a_refusal, story::Story)
{
    const auto who = tenant();
    const std::string head = " HTTP/1.1\r\nHost: x\r\n";
    const std::string key = "Authorization: " + http::basic(who.key) + "\r\n";
    const std::string inner = "DELETE /inner HTTP/1.1\r\nHost: x\r\n\r\n";
    const std::string body = "Content-Length: " + std::to_string(inner.size()) + "\r\n\r\n" + inner;
    const std::pair<std::string, int> kept[] = {
        {"POST " + who.mailboxes() + head + body, 401},
        {"POST /nowhere" + head + key + body, 404},
        {"POST /nowhere" + head + key + "Transfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n",
         404},
        {"PATCH " + who.mailboxes() + head + key + body, 405},
        {"PUT " + who.mailbox("alice") + head + key + "Content-Type: text/plain\r\n" + body, 415},
        {"DELETE " + who.mailbox("alice") + head + key + body, 404},
        {"GET " + who.mailboxes() + head + key + body, 200},
    };
    for (const auto& [first, status] : kept) {
        BOOST_TEST_CONTEXT(first)
        {
            const auto last = "GET " + who.mailboxes() + head + key + "Connection: close\r\n\r\n";
            http::Connection connection{stack.server().port()};
            connection.send(first + last);
            const auto stream = connection.receive_all();
            BOOST_TEST(stream.starts_with("HTTP/1.1 " + std::to_string(status)), stream);
            BOOST_TEST(stream.find("HTTP/1.1 200 OK", 1) == stream.rfind("HTTP/1.1 "), stream);
        }
    }
}

BOOST_FIXTURE_TEST_CASE(without_the_service, story::Breaking,
                        *shows("answers: those that nginx makes itself"))
{
    const auto who = tenant();
    ::kill(stack.master(), SIGTERM);
    BOOST_TEST(process::eventually([&] { return !process::is_alive(stack.master()); }));
    for (const auto& answer : {list(who), create(who, "alice")}) {
        BOOST_TEST(is_refused(answer, 503, {"unavailable", "Temporarily unavailable"}));
        BOOST_TEST(answer.header("Retry-After") == "1");
    }
    BOOST_TEST(is_refused(call(who.key, "GET", "/nowhere"), 404, {"not_found"}));
}

BOOST_AUTO_TEST_SUITE_END()
