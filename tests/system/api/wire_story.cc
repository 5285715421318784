// wire_story.cc - the requests of other published clients, byte for byte. Each creates a mailbox,
// lists it, changes its password and deletes it. clients_story.cc runs two clients that can be
// installed.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using story::shows;

namespace {

struct Call {
    std::string line;
    std::string headers;  // of this call only
    std::string body;
};

// {login} is the key in base64, {length} the size of the body.
struct Client {
    const char* name;
    std::string headers;  // of every call
    Call create, list, change, remove;
};

std::ostream& operator<<(std::ostream& out, const Client& row)
{
    return out << row.name;
}

// Returns a multipart body; `own` is added to each part's headers.
std::string parts(const std::string& boundary, const http::Fields& fields,
                  const std::string& own = "", const std::string& end = "\r\n")
{
    std::string body;
    for (const auto& [name, value] : fields) {
        body += "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n"
                + own + "\r\n" + value + "\r\n";
    }
    return body + "--" + boundary + "--" + end;
}

constexpr char kForm[] =
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n";
constexpr char kBoth[] = "mailbox=alice%40{domain}&password=supasecret";
const http::Fields kBothFields{{"mailbox", "alice@{domain}"}, {"password", "supasecret"}};
const http::Fields kNewPassword{{"password", "abc123"}};

std::string multipart(const std::string& boundary)
{
    return "Content-Length: {length}\r\nContent-Type: multipart/form-data; boundary=" + boundary
           + "\r\n";
}

const Client kClients[] = {
    {"mailgun-js 0.2: Node's request, with a character set and a DELETE that has a length",
     "Authorization: Basic {login}\r\nhost: x\r\nConnection: keep-alive\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1",
      "content-type: application/x-www-form-urlencoded; charset=utf-8\r\ncontent-length: {length}\r\n",
      kBoth},
     {"GET /v2/{domain}/mailboxes?limit=1&skip=0 HTTP/1.1", "", ""},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.1",
      "content-type: application/x-www-form-urlencoded; charset=utf-8\r\ncontent-length: {length}\r\n",
      "password=abc123"},
     {"DELETE /v2/{domain}/mailboxes/alice HTTP/1.1", "content-length: 0\r\n", ""}},

    {"mailgun-js 0.4 to 0.6: a question mark with nothing after it",
     "Host: x\r\nAuthorization: Basic {login}\r\nConnection: close\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1", kForm, kBoth},
     {"GET /v2/{domain}/mailboxes? HTTP/1.1", "", ""},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.1", kForm, "password=abc123"},
     {"DELETE /v2/{domain}/mailboxes/alice? HTTP/1.1", "", ""}},

    {"the gem mailgun, and the samples with RestClient: parameters of a list as headers, addresses as they are",
     "Accept: */*; q=0.5, application/xml\r\nAccept-Encoding: gzip, deflate\r\nAuthorization: Basic {login}\r\n"
     "User-Agent: Ruby\r\nHost: x\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1", kForm, kBoth},
     {"GET /v2/{domain}/mailboxes HTTP/1.1", "Limit: 1\r\nSkip: 0\r\n", ""},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.1", kForm, "password=abc123"},
     {"DELETE /v2/{domain}/mailboxes/alice@{domain} HTTP/1.1", "", ""}},

    {"mailgunner, and the gem mailgun later: Net::HTTP, encoded addresses, a DELETE that is a form of nothing",
     "Accept-Encoding: gzip;q=1.0,deflate;q=0.6,identity;q=0.3\r\nAccept: */*\r\nUser-Agent: Ruby\r\n"
     "Authorization: Basic {login}\r\nConnection: close\r\nHost: x\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1", kForm, kBoth},
     {"GET /v2/{domain}/mailboxes?limit=1&skip=0 HTTP/1.1", "", ""},
     {"PUT /v2/{domain}/mailboxes/alice%40{domain} HTTP/1.1", kForm, "password=abc123"},
     {"DELETE /v2/{domain}/mailboxes/alice%40{domain} HTTP/1.1", kForm, ""}},

    {"mailgun-ruby: /v3",
     "User-Agent: mailgun-sdk-ruby/1.1\r\nAccept: */*\r\nAuthorization: Basic {login}\r\nHost: x\r\n",
     {"POST /v3/{domain}/mailboxes HTTP/1.1", kForm, kBoth},
     {"GET /v3/{domain}/mailboxes?limit=1 HTTP/1.1", "", ""},
     {"PUT /v3/{domain}/mailboxes/alice HTTP/1.1", kForm, "password=abc123"},
     {"DELETE /v3/{domain}/mailboxes/alice HTTP/1.1", "", ""}},

    {"mailgun-php 1: Guzzle over curl, which asks before it sends",
     "Host: x\r\nAuthorization: Basic {login}\r\nUser-Agent: mailgun-sdk-php/1.7 Guzzle/3.8.1 curl/7.29.0 PHP/5.4.16\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1",
      multipart("----------------------------8eb3c1bd9d6c") + "Expect: 100-Continue\r\n",
      parts("----------------------------8eb3c1bd9d6c", kBothFields)},
     {"GET /v2/{domain}/mailboxes?limit=5&skip=0 HTTP/1.1", "", ""},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.1",
      "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\nContent-Length: {length}\r\n",
      "password=abc123"},
     {"DELETE /v2/{domain}/mailboxes/alice HTTP/1.1", "", ""}},

    {"mailgun-php 2: parts with a length of their own",
     "Host: x\r\nUser-Agent: mailgun-sdk-php/2.0\r\nAuthorization: Basic {login}\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1", multipart("\"564c9d7c7d5e5\""),
      parts("564c9d7c7d5e5", {{"password", "supasecret"}, {"mailbox", "kate.moss0"}},
            "Content-Length: 10\r\n")
          + "\r\n"},
     {"GET /v2/{domain}/mailboxes? HTTP/1.1", "", ""},
     {"PUT /v2/{domain}/mailboxes/kate.moss0 HTTP/1.1", kForm, "password=abc123"},
     {"DELETE /v2/{domain}/mailboxes/kate.moss0 HTTP/1.1", "", ""}},

    {"PHP's curl with arrays: forms also where there is nothing to say",
     "Authorization: Basic {login}\r\nHost: x\r\nAccept: */*\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1",
      multipart("------------------------5d8f4b0c7a1e2f36") + "Expect: 100-continue\r\n",
      parts("------------------------5d8f4b0c7a1e2f36", kBothFields)},
     {"GET /v2/{domain}/mailboxes HTTP/1.1", kForm, "limit=1&skip=0"},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.1",
      multipart("------------------------5d8f4b0c7a1e2f36"),
      parts("------------------------5d8f4b0c7a1e2f36", kNewPassword)},
     {"DELETE /v2/{domain}/mailboxes/alice HTTP/1.1", kForm, ""}},

    {"PHP's file_get_contents: HTTP/1.0, and no type",
     "Authorization: Basic {login}\r\nHost: x\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.0", "Content-Length: {length}\r\n", kBoth},
     {"GET /v2/{domain}/mailboxes HTTP/1.0", "", ""},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.0", "Content-Length: {length}\r\n",
      "password=abc123"},
     {"DELETE /v2/{domain}/mailboxes/alice HTTP/1.0", "", ""}},

    {"WWW::Mailgun: Perl's LWP, with a slash after the collection",
     "TE: deflate,gzip;q=0.3\r\nConnection: TE, close\r\nAuthorization: Basic {login}\r\nHost: x\r\nUser-Agent: libwww-perl/6.05\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1", multipart("xYzZY"), parts("xYzZY", kBothFields)},
     {"GET /v2/{domain}/mailboxes/ HTTP/1.1", "", ""},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.1", multipart("xYzZY"),
      parts("xYzZY", kNewPassword)},
     {"DELETE /v2/{domain}/mailboxes/alice HTTP/1.1", "", ""}},

    {"Typesafe.Mailgun: .NET, basic in lower case, no line's end after the last boundary, a DELETE of no parts",
     "Authorization: basic {login}\r\nHost: x\r\nConnection: Keep-Alive\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1",
      multipart("0f8fad5bd9cb469fa16570867728950e") + "Expect: 100-continue\r\n",
      parts("0f8fad5bd9cb469fa16570867728950e", kBothFields, "", "")},
     {"GET /v2/{domain}/mailboxes?skip=0&limit=100 HTTP/1.1", "", ""},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.1",
      multipart("0f8fad5bd9cb469fa16570867728950e") + "Expect: 100-continue\r\n",
      parts("0f8fad5bd9cb469fa16570867728950e", kNewPassword, "", "")},
     {"DELETE /v2/{domain}/mailboxes/alice HTTP/1.1",
      multipart("0f8fad5bd9cb469fa16570867728950e") + "Expect: 100-continue\r\n",
      parts("0f8fad5bd9cb469fa16570867728950e", {}, "", "")}},

    {"the samples with RestSharp: wishes that nobody fulfils",
     "Authorization: Basic {login}\r\nAccept: application/json, application/xml, text/json, text/x-json, text/javascript, text/xml\r\n"
     "User-Agent: RestSharp/104.4.0.0\r\nHost: x\r\nAccept-Encoding: gzip, deflate\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1", kForm, kBoth},
     {"GET /v2/{domain}/mailboxes HTTP/1.1", "", ""},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.1", kForm, "password=abc123"},
     {"DELETE /v2/{domain}/mailboxes/alice HTTP/1.1", "Content-Length: 0\r\n", ""}},

    {"the samples with Jersey: a type on everything, a body in chunks",
     "Authorization: Basic {login}\r\nUser-Agent: Java/1.7.0_51\r\nHost: x\r\n"
     "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\nConnection: keep-alive\r\n"
     "Content-type: application/x-www-form-urlencoded\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1", "Content-Length: {length}\r\n", kBoth},
     {"GET /v2/{domain}/mailboxes HTTP/1.1", "", ""},
     {"PUT /v3/{domain}/mailboxes/alice HTTP/1.1", "Transfer-Encoding: chunked\r\n",
      "9\r\npassword=\r\n6\r\nabc123\r\n0\r\n\r\n"},
     {"DELETE /v2/{domain}/mailboxes/alice HTTP/1.1", "", ""}},

    {"the samples with Unirest: Apache's HttpClient, whose parts have a type and an encoding",
     "user-agent: unirest-java/1.3.11\r\naccept-encoding: gzip\r\nauthorization: Basic {login}\r\nHost: x\r\nConnection: Keep-Alive\r\n",
     {"POST /v3/{domain}/mailboxes HTTP/1.1", multipart("Kq3ojHxdzGT2wgCp9pDzfWGFQY_wLZm"),
      parts("Kq3ojHxdzGT2wgCp9pDzfWGFQY_wLZm", kBothFields,
            "Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n")},
     {"GET /v3/{domain}/mailboxes HTTP/1.1", "", ""},
     {"PUT /v3/{domain}/mailboxes/alice HTTP/1.1",
      "Content-Length: {length}\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n",
      "password=abc123"},
     {"DELETE /v3/{domain}/mailboxes/alice HTTP/1.1", "", ""}},

    {"the samples with Python's requests, and its files for forms",
     "Host: x\r\nAccept-Encoding: gzip, deflate, compress\r\nAccept: */*\r\nUser-Agent: python-requests/1.2.3\r\n"
     "Authorization: Basic {login}\r\n",
     {"POST /v2/{domain}/mailboxes HTTP/1.1", multipart("127.0.0.1.1000.4242.1385000000.123.1"),
      "--127.0.0.1.1000.4242.1385000000.123.1\r\nContent-Disposition: form-data; name=\"mailbox\"; filename=\"mailbox\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\nalice\r\n"
          + parts("127.0.0.1.1000.4242.1385000000.123.1", {{"password", "supasecret"}})},
     {"GET /v2/{domain}/mailboxes HTTP/1.1", kForm, "skip=0&limit=1"},
     {"PUT /v2/{domain}/mailboxes/alice HTTP/1.1", kForm, "password=abc123"},
     {"DELETE /v2/{domain}/mailboxes/alice HTTP/1.1", "Content-Length: 0\r\n", ""}},

    {"Java's own client, which would like HTTP/2",
     "Connection: Upgrade, HTTP2-Settings\r\nHost: x\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n"
     "Upgrade: h2c\r\nAuthorization: Basic {login}\r\n",
     {"POST /v3/{domain}/mailboxes HTTP/1.1",
      "Content-Type: application/json\r\nContent-Length: {length}\r\n",
      R"({"mailbox":"alice","password":"supasecret"})"},
     {"GET /v3/{domain}/mailboxes HTTP/1.1", "", ""},
     {"PUT /v3/{domain}/mailboxes/alice HTTP/1.1",
      "Content-Type: application/json\r\nContent-Length: {length}\r\n", R"({"password":"abc123"})"},
     {"DELETE /v3/{domain}/mailboxes/alice HTTP/1.1",
      "Content-Type: application/json\r\nContent-Length: {length}\r\n", "{}"}},
};

struct Wire : story::Story {
    http::Answer send(const Client& client, const Call& call, const story::Tenant& who) const
    {
        const auto body = story::fill(call.body, who);
        auto bytes =
            story::fill(call.line + "\r\n" + client.headers + call.headers + "\r\n", who) + body;
        for (const auto& [place, value] :
             {std::pair<std::string, std::string>{"{login}", http::base64("api:" + who.key)},
              {"{length}", std::to_string(body.size())}}) {
            if (const auto at = bytes.find(place); at != std::string::npos) {
                bytes.replace(at, place.size(), value);
            }
        }
        return send_bytes(bytes);
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(wire)

BOOST_TEST_DECORATOR(*shows("bodies: urlencoded") * shows("bodies: multipart")
                     * shows("bodies: no Content-Type")
                     * shows("bodies: an empty one of any type on GET, HEAD and DELETE")
                     * shows("rules: limit and skip in a GET's body") * shows("paths: a trailing ?")
                     * shows("paths: trailing / on the collection")
                     * shows("paths: bare name or full address, raw or encoded")
                     * shows("authentication: scheme without regard to case"))
BOOST_DATA_TEST_CASE_F(Wire, as_sent_by, data::make(kClients), client)
{
    const auto who = tenant();
    BOOST_TEST(answers::text(send(client, client.create, who))
               == "200 {\"message\":\"Created 1 mailboxes\"}\n");
    const auto page = answers::page(send(client, client.list, who));
    BOOST_TEST(page.total_count == 1);
    BOOST_TEST_REQUIRE(page.items.size() == 1U);
    const auto address = page.items[0].mailbox;
    const auto name = address.substr(0, address.find('@'));
    BOOST_TEST(address == who.address(name));
    BOOST_TEST(story::is_hash_of(stored_password(who, name), "supasecret"));
    BOOST_TEST(answers::text(send(client, client.change, who))
               == "200 {\"message\":\"Password changed\"}\n");
    BOOST_TEST(story::is_hash_of(stored_password(who, name), "abc123"));
    BOOST_TEST(answers::text(send(client, client.remove, who))
               == "200 {\"message\":\"Mailbox has been deleted\",\"spec\":\"" + address + "\"}\n");
    BOOST_TEST(answers::refusal(send(client, client.remove, who))
               == "404 mailbox_not_found: Mailbox not found: " + address);
}

BOOST_AUTO_TEST_SUITE_END()
