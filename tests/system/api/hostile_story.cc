// hostile_story.cc - input of attackers: each is refused, nothing is changed, and the workers stay
// alive.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using answers::is_refused;
using story::shows;

namespace {

// After each row the workers must be the same as before it. All rows use one tenant with two
// mailboxes, because no row may change anything.
struct Hostile : story::Story {
    Hostile() : who{victim()}, workers{stack.workers()} {}
    void teardown()
    {
        BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
        for (const auto& line : log.lines_since(log_begin)) {
            BOOST_TEST(!line.starts_with("warning"), line);
        }
        Story::teardown();
    }

    static const story::Tenant& victim()
    {
        static const auto one = [] {
            Story story;
            const auto who = story.tenant();
            story.create(who, "alice");
            story.create(who, "kate");
            return who;
        }();
        return one;
    }

    const story::Tenant& who;
    std::vector<pid_t> workers;
};

std::string repeated(std::string_view text, std::size_t count)
{
    std::string all;
    for (std::size_t i = 0; i < count; ++i) {
        all += text;
    }
    return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(hostile)

namespace {

struct Path {
    const char* why;
    std::string path;
    int status;
};

std::ostream& operator<<(std::ostream& out, const Path& row)
{
    return out << row.why;
}

// Each path is tried with DELETE and PUT. alice exists, so a path that was taken for hers would
// change something.
const Path kPaths[] = {
    {"an escape cut short", "/{domain}/mailboxes/alice%", 400},
    {"an escape cut shorter", "/{domain}/mailboxes/alice%4", 400},
    {"an escape of no digits", "/{domain}/mailboxes/%GGalice", 400},
    {"an escape cut short in the domain", "/{domain}%/mailboxes/alice", 400},
    {"NUL at the end", "/{domain}/mailboxes/alice%00", 400},
    {"NUL and more at the end", "/{domain}/mailboxes/alice%00.bob", 400},
    {"NUL after the domain", "/{domain}%00/mailboxes/alice", 400},
    {"an encoded slash at the end", "/{domain}/mailboxes/alice%2F", 400},
    {"an encoded slash between", "/{domain}/mailboxes%2Falice", 400},
    {"an encoded slash in front", "/{domain}%2Fmailboxes/alice", 400},
    {"a line's end", "/{domain}/mailboxes/alice%0D%0A", 400},
    {"an encoded space at the end", "/{domain}/mailboxes/alice%20", 400},
    {"overlong", "/{domain}/mailboxes/%C1%A1lice", 400},
    {"an overlong slash", "/{domain}/mailboxes/alice%C0%AF", 400},
    {"an overlong dot", "/{domain}/mailboxes/alice%C0%AE", 400},
    {"half a character", "/{domain}/mailboxes/alice%E2%82", 400},
    {"a surrogate", "/{domain}/mailboxes/alice%ED%A0%80", 400},
    {"a wide letter that some fold to a narrow one", "/{domain}/mailboxes/%EF%BD%81lice", 400},
    {"a dotless i that some fold", "/{domain}/mailboxes/al%C4%B1ce", 400},
    {"a Kelvin sign that some fold", "/{domain}/mailboxes/%E2%84%AAate", 400},
    {"twice encoded", "/{domain}/mailboxes/%2561lice", 400},
    {"a local part of 65", "/{domain}/mailboxes/" + std::string(65, 'a'), 400},
    {"SQL", "/{domain}/mailboxes/alice'%20OR%20'1'='1", 400},
    {"SQL's wildcard", "/{domain}/mailboxes/%25", 400},
    {"SQL's single wildcard", "/{domain}/mailboxes/alic_", 404},
    {"SQL's comment", "/{domain}/mailboxes/alice'--", 404},
    {"two slashes in front", "//{domain}/mailboxes/alice", 404},
    {"two slashes between", "/{domain}//mailboxes/alice", 404},
    {"two slashes before the mailbox", "/{domain}/mailboxes//alice", 404},
    {"a dot between", "/{domain}/./mailboxes/alice", 404},
    {"a dot in front", "/./{domain}/mailboxes/alice", 404},
    {"up and down again", "/{domain}/x/../mailboxes/alice", 404},
    {"up from elsewhere", "/other/../{domain}/mailboxes/alice", 404},
    {"up at the end", "/{domain}/mailboxes/bob/../alice", 404},
    {"encoded dots", "/{domain}/x/%2E%2E/mailboxes/alice", 404},
    {"a dot for a name", "/{domain}/mailboxes/.", 400},
    {"two dots for a name", "/{domain}/mailboxes/..", 404},
    {"a parameter of the path", "/{domain}/mailboxes;x=1/alice", 404},
    {"a backslash", "/{domain}\\mailboxes\\alice", 404},
    {"another case", "/{domain}/Mailboxes/alice", 404},
    {"another case of the version", "/V3/{domain}/mailboxes/alice", 404},
    {"an encoded version", "/v3%2F{domain}/mailboxes/alice", 400},
    {"a slash after a mailbox", "/{domain}/mailboxes/alice/", 404},
    {"a domain that is an address", "/alice@{domain}/mailboxes/alice", 404},
    {"a domain with a port", "/{domain}:80/mailboxes/alice", 404},
    {"a domain with a space", "/{domain}%20/mailboxes/alice", 404},
    {"SQL for a domain", "/%25/mailboxes/alice", 404},
    {"no domain", "//mailboxes/alice", 404},
    {"a domain of 300", "/" + std::string(300, 'a') + "/mailboxes/alice", 404},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("paths: %2F, %00, invalid escapes or UTF-8")
                     * shows("paths: decoded once"))
BOOST_DATA_TEST_CASE_F(Hostile, a_path_with, data::make(kPaths), row)
{
    const auto before = snapshot();
    const auto path = story::fill(row.path, who);
    const auto new_password = http::form({{"password", "Looking-Glass"}});
    for (const auto& answer :
         {call(who.key, "PUT", path, new_password), call(who.key, "DELETE", path)}) {
        // nginx normalises the path; if it leads above the root, nginx answers 400 itself.
        const bool is_nginx =
            answer.status == 400 && answer.body.find("bad_request") != std::string::npos;
        BOOST_TEST((answer.status == row.status || is_nginx), answers::text(answer));
        BOOST_TEST(is_refused(answer, answer.status));
    }
    BOOST_TEST(snapshot() == before);
}

namespace {

struct Target {
    const char* why;
    std::string line;  // the request line; {domain} is filled in
    std::vector<int> statuses;
};

std::ostream& operator<<(std::ostream& out, const Target& row)
{
    return out << row.why;
}

// nginx and the service must understand these requests alike, or refuse them.
const Target kTargets[] = {
    {"the absolute form", "GET http://x/{domain}/mailboxes HTTP/1.1", {200, 400, 404}},
    {"the absolute form of another host",
     "GET http://y/{domain}/mailboxes HTTP/1.1",
     {200, 400, 404}},
    {"the absolute form of the collection, to be deleted",
     "DELETE http://x/{domain}/mailboxes HTTP/1.1",
     {400, 405}},
    {"the absolute form with a user", "GET http://api:key@x/{domain}/mailboxes HTTP/1.1", {400}},
    {"the absolute form without a path", "GET http://x?limit=1 HTTP/1.1", {400, 404}},
    {"a path that begins with a host", "GET //x/{domain}/mailboxes HTTP/1.1", {404}},
    {"a mailbox, and another one after a fragment",
     "DELETE /{domain}/mailboxes/alice#kate HTTP/1.1",
     {400}},
    {"a question mark that is encoded", "DELETE /{domain}/mailboxes/alice%3Fx HTTP/1.1", {400}},
    {"the asterisk form", "OPTIONS * HTTP/1.1", {400, 404, 405}},
    {"the authority form", "CONNECT {domain}:443 HTTP/1.1", {400, 405}},
    {"no slash in front", "GET {domain}/mailboxes HTTP/1.1", {400}},
    {"a fragment", "GET /{domain}/mailboxes#x HTTP/1.1", {400, 404}},
    {"a fragment with a query", "GET /{domain}/mailboxes?limit=1#x HTTP/1.1", {400}},
    {"a space in the path", "GET /{domain}/mail boxes HTTP/1.1", {400}},
    {"a space after the path", "GET /{domain}/mailboxes  HTTP/1.1", {200, 400}},
    {"a tab", "GET\t/{domain}/mailboxes HTTP/1.1", {400}},
    {"a raw byte", "GET /{domain}/mailboxes/\xFF HTTP/1.1", {400, 405}},
    {"no version", "GET /{domain}/mailboxes", {0, 400}},
    {"a version of one digit", "GET /{domain}/mailboxes HTTP/1", {400}},
    {"a version to come", "GET /{domain}/mailboxes HTTP/9.9", {400, 505}},
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Hostile, a_request_line_with, data::make(kTargets), row)
{
    const auto before = snapshot();
    http::Connection connection{stack.server().port()};
    connection.send(story::fill(row.line, who)
                    + "\r\nHost: x\r\nConnection: close\r\nAuthorization: " + http::basic(who.key)
                    + "\r\n\r\n");
    connection.finish();
    const auto stream = connection.receive_all();
    const int status = stream.starts_with("HTTP/1.1 ") ? std::stoi(stream.substr(9, 3)) : 0;
    BOOST_TEST((std::find(row.statuses.begin(), row.statuses.end(), status) != row.statuses.end()),
               stream);
    if (status == 200) {
        BOOST_TEST(stream.ends_with("\r\n\r\n" + list(who).body), stream);
    }
    BOOST_TEST(snapshot() == before);
}

namespace {

struct Sent {
    const char* why;
    http::Body body;
    int status;
};

std::ostream& operator<<(std::ostream& out, const Sent& row)
{
    return out << row.why;
}

constexpr char kUrlencoded[] = "application/x-www-form-urlencoded";
constexpr char kMultipart[] = "multipart/form-data; boundary=B";
const std::string kName = "--B\r\nContent-Disposition: form-data; name=\"mailbox\"\r\n\r\nbob\r\n";
const std::string kWord =
    "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ncorrect horse\r\n";

const Sent kBodies[] =
    {
        {"an escape cut short", {kUrlencoded, "mailbox=bob&password=correct+horse%"}, 400},
        {"an escape cut short in an unknown parameter",
         {kUrlencoded, "x=%zz&mailbox=bob&password=correct+horse"},
         400},
        {"NUL in the name", {kUrlencoded, "mailbox=bob%00&password=correct+horse"}, 400},
        {"NUL itself",
         {kUrlencoded, "mailbox=bob&password=correct+horse" + std::string(1, '\0')},
         400},
        {"SQL in the name",
         {kUrlencoded, "mailbox=bob');DROP+TABLE+mailbox;--&password=correct+horse"},
         400},
        {"a SQL comment", {kUrlencoded, "mailbox=bob/**/&password=correct+horse"}, 400},
        {"a wildcard", {kUrlencoded, "mailbox=%25&password=correct+horse"}, 400},
        {"a semicolon between", {kUrlencoded, "mailbox=bob;password=correct+horse"}, 400},
        {"names with words in brackets",
         {kUrlencoded, "mailbox[name]=bob&password[name]=correct+horse"},
         400},
        {"3000 names with numbers",
         {kUrlencoded,
          [] {
    std::string all;
    for (int i = 0; i < 3000; ++i) all += "mailbox[" + std::to_string(i) + "]=b&";
    return all;
          }()},
         400},
        {"a Unicode escape of JavaScript",
         {kUrlencoded, "mailbox=%u0062ob&password=correct+horse"},
         400},
        {"a line's end at the end", {kUrlencoded, "mailbox=bob&password=correct+horse\r\n"}, 400},
        {"a byte order mark", {kUrlencoded, "\xEF\xBB\xBFmailbox=bob&password=correct+horse"}, 400},
        {"two names against one password",
         {kUrlencoded, "mailbox=bob&mailbox=carol&password=correct+horse"},
         400},
        {"5000 names", {kUrlencoded, repeated("mailbox=bob&", 5000)}, 400},
        {"60,000 separators", {kUrlencoded, repeated("&", 60'000)}, 400},
        {"60,000 percent signs", {kUrlencoded, repeated("%", 60'000)}, 400},

        {"multipart without a boundary", {"multipart/form-data", kName + kWord + "--B--\r\n"}, 400},
        {"an empty boundary", {"multipart/form-data; boundary=", kName + kWord + "--B--\r\n"}, 400},
        {"an empty quoted boundary",
         {"multipart/form-data; boundary=\"\"", kName + kWord + "--B--\r\n"},
         400},
        {"a boundary that is not closed",
         {"multipart/form-data; boundary=\"B", kName + kWord + "--B--\r\n"},
         400},
        {"a boundary of 71",
         {"multipart/form-data; boundary=" + std::string(71, 'B'),
          "--" + std::string(71, 'B') + "--\r\n"},
         400},
        {"another boundary", {"multipart/form-data; boundary=C", kName + kWord + "--B--\r\n"}, 400},
        {"two boundaries",
         {"multipart/form-data; boundary=B; boundary=C", kName + kWord + "--C--\r\n"},
         400},
        {"no end", {kMultipart, kName + kWord}, 400},
        {"half an end", {kMultipart, kName + kWord + "--B-"}, 400},
        {"no line's end in front of the end",
         {kMultipart, kName + kWord.substr(0, kWord.size() - 2) + "--B--"},
         400},
        {"a part without its empty line",
         {kMultipart, "--B\r\nContent-Disposition: form-data; name=\"mailbox\"\r\nbob\r\n" + kWord
                          + "--B--\r\n"},
         400},
        {"a part without a name",
         {kMultipart, "--B\r\nContent-Disposition: form-data\r\n\r\nbob\r\n" + kWord + "--B--\r\n"},
         400},
        {"a part without a header", {kMultipart, "--B\r\n\r\nbob\r\n" + kWord + "--B--\r\n"}, 400},
        {"a part that ends in its header",
         {kMultipart, kName + "--B\r\nContent-Disposition: form-data"},
         400},
        {"a name that is not closed",
         {kMultipart, "--B\r\nContent-Disposition: form-data; name=\"mailbox\r\n\r\nbob\r\n" + kWord
                          + "--B--\r\n"},
         400},
        {"a part twice", {kMultipart, kName + kWord + kWord + "--B--\r\n"}, 400},
        {"an empty body", {kMultipart, ""}, 400},
        {"2000 parts", {kMultipart, repeated("--B\r\n\r\n\r\n", 2000)}, 400},
        {"boundaries only", {kMultipart, repeated("--B\r\n", 10'000)}, 400},
        {"a transfer encoding that we would have to undo",
         {kMultipart,
          kName
              + "--B\r\nContent-Disposition: form-data; name=\"password\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                "Y29ycmVjdCBob3JzZQ==\r\n--B--\r\n"},
         400},
        {"line ends without CR",
         {kMultipart,
          "--B\nContent-Disposition: form-data; name=\"mailbox\"\n\nbob\n--B\n"
          "Content-Disposition: form-data; name=\"password\"\n\ncorrect horse\n--B--\n"},
         400},
        {"a folded header",
         {kMultipart, "--B\r\nContent-Disposition: form-data;\r\n name=\"mailbox\"\r\n\r\nbob\r\n"
                          + kWord + "--B--\r\n"},
         400},
        {"a mailbox after the end", {kMultipart, kWord + "--B--\r\n" + kName + "--B--\r\n"}, 400},
        {"NUL in the name of a part",
         {kMultipart, "--B\r\nContent-Disposition: form-data; name=\"mailbox" + std::string(1, '\0')
                          + "\"\r\n\r\nbob\r\n" + kWord + "--B--\r\n"},
         400},

        {"JSON: nothing", http::json(""), 400},
        {"JSON: space", http::json(" \n"), 400},
        {"JSON: null", http::json("null"), 400},
        {"JSON: a string", http::json("\"mailbox\""), 400},
        {"JSON: a number", http::json("1"), 400},
        {"JSON: an empty object", http::json("{}"), 400},
        {"JSON: an empty array", http::json("[]"), 400},
        {"JSON: an array of arrays",
         http::json(R"([[{"mailbox":"bob","password":"correct horse"}]])"), 400},
        {"JSON: an array with null",
         http::json(R"([{"mailbox":"bob","password":"correct horse"},null])"), 400},
        {"JSON: garbage at the end", http::json(R"({"mailbox":"bob","password":"correct horse"}x)"),
         400},
        {"JSON: two objects", http::json(R"({"mailbox":"bob","password":"correct horse"}{})"), 400},
        {"JSON: a comma at the end", http::json(R"({"mailbox":"bob","password":"correct horse",})"),
         400},
        {"JSON: a comment", http::json(R"({"mailbox":"bob",/**/"password":"correct horse"})"), 400},
        {"JSON: a byte order mark",
         http::json("\xEF\xBB\xBF{\"mailbox\":\"bob\",\"password\":\"correct horse\"}"), 400},
        {"JSON: single quotes", http::json("{'mailbox':'bob','password':'correct horse'}"), 400},
        {"JSON: names without quotes", http::json(R"({mailbox:"bob",password:"correct horse"})"),
         400},
        {"JSON: a name twice",
         http::json(R"({"mailbox":"bob","mailbox":"carol","password":"correct horse"})"), 400},
        {"JSON: a name twice, once escaped",
         http::json(R"({"mailbox":"bob","mailbo\u0078":"carol","password":"correct horse"})"), 400},
        {"JSON: a password twice, equal",
         http::json(R"({"mailbox":"bob","password":"correct horse","password":"correct horse"})"),
         400},
        {"JSON: names in another case",
         http::json(R"({"Mailbox":"bob","Password":"correct horse"})"), 400},
        {"JSON: an escaped NUL", http::json(R"({"mailbox":"bob","password":"correct\u0000horse"})"),
         400},
        {"JSON: an escaped NUL in the name",
         http::json(R"({"mailbox\u0000x":"bob","mailbox":"bob","password":"correct horse"})"), 400},
        {"JSON: half a surrogate pair",
         http::json(R"({"mailbox":"bob","password":"correct\ud83dhorse"})"), 400},
        {"JSON: the other half", http::json(R"({"mailbox":"bob","password":"correct\ude00horse"})"),
         400},
        {"JSON: an escape that is none",
         http::json(R"({"mailbox":"b\ob","password":"correct horse"})"), 400},
        {"JSON: an escape cut short",
         http::json(R"({"mailbox":"bob","password":"correct horse\u00"})"), 400},
        {"JSON: a raw line's end",
         http::json("{\"mailbox\":\"bob\",\"password\":\"correct\nhorse\"}"), 400},
        {"JSON: a raw NUL",
         http::json(std::string("{\"mailbox\":\"bob\",\"password\":\"correct\0horse\"}", 44)), 400},
        {"JSON: NUL and more at the end",
         http::json(R"({"mailbox":"bob","password":"correct horse"})" + std::string("\0x", 2)),
         400},
        {"JSON: invalid UTF-8",
         http::json("{\"mailbox\":\"bob\",\"password\":\"correct\xFFhorse\"}"), 400},
        {"JSON: overlong UTF-8",
         http::json("{\"mailbox\":\"bob\",\"password\":\"correct\xC0\xAFhorse\"}"), 400},
        {"JSON: invalid UTF-8 in an unknown member",
         http::json("{\"x\":\"\xFF\",\"mailbox\":\"bob\",\"password\":\"correct horse\"}"), 400},
        {"JSON: a number for a password", http::json(R"({"mailbox":"bob","password":1234567})"),
         400},
        {"JSON: null for a password", http::json(R"({"mailbox":"bob","password":null})"), 400},
        {"JSON: true for a password", http::json(R"({"mailbox":"bob","password":true})"), 400},
        {"JSON: an array for a name",
         http::json(R"({"mailbox":["bob"],"password":"correct horse"})"), 400},
        {"JSON: an object for a name",
         http::json(R"({"mailbox":{"a":"b"},"password":"correct horse"})"), 400},
        {"JSON: 01", http::json(R"({"mailbox":"bob","password":"correct horse","x":01})"), 400},
        {"JSON: NaN", http::json(R"({"mailbox":"bob","password":"correct horse","x":NaN})"), 400},
        {"JSON: .5", http::json(R"({"mailbox":"bob","password":"correct horse","x":.5})"), 400},
        {"JSON: UTF-16", http::json(std::string("{\0\"\0m\0\"\0:\0001\0}\0", 14)), 400},
        {"JSON: depth 2000, arrays", http::json(repeated("[", 2000) + repeated("]", 2000)), 400},
        {"JSON: depth 2000, objects",
         http::json(repeated("{\"x\":", 2000) + "1" + repeated("}", 2000)), 400},
        {"JSON: depth 30,000, open", http::json(repeated("[", 30'000)), 400},
        {"JSON: a form", {"application/json", "mailbox=bob&password=correct+horse"}, 400},
        {"a form: JSON", {kUrlencoded, R"({"mailbox":"bob","password":"correct horse"})"}, 400},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("bodies: JSON, strict")
                     * shows("rules: multipart without boundary or end"))
BOOST_DATA_TEST_CASE_F(Hostile, a_body_with, data::make(kBodies), row)
{
    const auto before = snapshot();
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes(), row.body), row.status));
    BOOST_TEST(snapshot() == before);
}

namespace {

const std::string kOnePassword = "password=correct+horse";

const Target kFramings[] = {
    {"shorter than announced, then closed", "Content-Length: 500\r\n\r\n" + kOnePassword, {0, 400}},
    {"chunks that end too early",
     "Transfer-Encoding: chunked\r\n\r\nff\r\n" + kOnePassword,
     {0, 400}},
    {"chunks without their last",
     "Transfer-Encoding: chunked\r\n\r\n16\r\n" + kOnePassword + "\r\n",
     {0, 400}},
    {"a chunk of a size that overflows",
     "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nx",
     {400, 413}},
    {"a chunk of a negative size", "Transfer-Encoding: chunked\r\n\r\n-1\r\nx", {400}},
    {"a length that overflows",
     "Content-Length: 18446744073709551638\r\n\r\n" + kOnePassword,
     {400, 413}},
    {"a length with a sign", "Content-Length: +22\r\n\r\n" + kOnePassword, {400}},
    {"a hexadecimal length", "Content-Length: 0x16\r\n\r\n" + kOnePassword, {400}},
    {"two lengths", "Content-Length: 22\r\nContent-Length: 0\r\n\r\n" + kOnePassword, {400}},
    {"a list of lengths", "Content-Length: 22, 22\r\n\r\n" + kOnePassword, {400}},
    {"length and chunks",
     "Content-Length: 22\r\nTransfer-Encoding: chunked\r\n\r\n" + kOnePassword,
     {400}},
    {"chunks twice", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", {400, 501}},
    {"chunks and identity",
     "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
     {400, 501}},
    {"a name with a space in front of its colon",
     "Content-Length : 22\r\n\r\n" + kOnePassword,
     {400}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("rules: a body shorter than announced"))
BOOST_DATA_TEST_CASE_F(Hostile, a_framing_with, data::make(kFramings), row)
{
    const auto before = snapshot();
    http::Connection connection{stack.server().port()};
    connection.send("PUT " + who.mailbox("alice")
                    + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: "
                    + http::basic(who.key)
                    + "\r\nContent-Type: application/x-www-form-urlencoded\r\n" + row.line);
    connection.finish();
    const auto answer = connection.receive();
    BOOST_TEST(
        (std::find(row.statuses.begin(), row.statuses.end(), answer.status) != row.statuses.end()),
        answers::text(answer));
    if (answer.status != 0) {
        BOOST_TEST(is_refused(answer, answer.status));
    }
    BOOST_TEST(snapshot() == before);
}

// A request hidden after another request's body is a request of its own, without a key.
BOOST_FIXTURE_TEST_CASE(a_request_within_a_body, Hostile)
{
    const auto before = snapshot();
    const std::string inner =
        "DELETE " + who.mailbox("alice") + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    http::Connection connection{stack.server().port()};
    connection.send("POST " + who.mailboxes() + " HTTP/1.1\r\nHost: x\r\nAuthorization: "
                    + http::basic(who.key) + "\r\nContent-Length: 5\r\n\r\nxxxxx" + inner);
    const auto stream = connection.receive_all();
    BOOST_TEST(stream.starts_with("HTTP/1.1 400"), stream);
    BOOST_TEST(stream.find("HTTP/1.1 401") != std::string::npos, stream);
    BOOST_TEST(snapshot() == before);
}

namespace {

const http::Fields kHeaders = {
    {"Proxy", "http://127.0.0.1:1"},
    {"X-HTTP-Method-Override", "DELETE"},
    {"X-Original-URL", "/"},
    {"X-Rewrite-URL", "/"},
    {"Status", "500"},
    {"Request-Method", "DELETE"},
    {"Request-Uri", "/"},
    {"Content-Length-", "1"},
    {"Document-Root", "/"},
    {"Accept", "text/html"},
    {"Accept-Charset", "utf-16"},
    {"If-None-Match", "*"},
    {"If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"},
    {"Range", "bytes=0-0"},
    {"Upgrade", "h2c"},
    {"Cookie", "a=b"},
};

}  // namespace

// Some servers let these headers change the meaning of a request. Here they have no effect.
BOOST_FIXTURE_TEST_CASE(headers_that_mean_nothing_here, Hostile, *shows("answers: GET"))
{
    const auto expected = answers::text(list(who));
    for (const auto& header : kHeaders) {
        BOOST_TEST_CONTEXT(header.first)
        {
            BOOST_TEST(answers::text(call(who.key, "GET", who.mailboxes(), {}, {header}))
                       == expected);
        }
    }
    BOOST_TEST(answers::text(call(who.key, "GET", who.mailboxes(), {}, kHeaders)) == expected);
}

// A client that sends its body one byte at a time, or never, must not delay others.
BOOST_FIXTURE_TEST_CASE(bodies_that_never_end, Hostile,
                        *shows("answers: a client that is too slow"))
{
    const auto before = snapshot();
    std::vector<std::unique_ptr<http::Connection>> slow;
    for (int i = 0; i < 64; ++i) {
        slow.push_back(std::make_unique<http::Connection>(stack.server().port()));
        slow.back()->send("POST " + who.mailboxes() + " HTTP/1.1\r\nHost: x\r\nAuthorization: "
                          + http::basic(who.key) + "\r\nContent-Length: 100\r\n\r\nmailbox=bob");
    }
    for (int i = 0; i < 20; ++i) {
        BOOST_TEST(list(who).status == 200);
    }
    // After its timeout nginx closes the connection without an answer.
    BOOST_TEST(slow.front()->receive().status == 0);
    BOOST_TEST(snapshot() == before);
}

BOOST_AUTO_TEST_SUITE_END()
