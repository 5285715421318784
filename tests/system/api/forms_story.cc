// forms_story.cc - the encodings in which clients have been seen to send the same parameters.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/requests.h"

namespace data = boost::unit_test::data;
using answers::is_refused;
using answers::refusal;
using answers::text;
using story::shows;

namespace {

constexpr char kUrlencoded[] = "application/x-www-form-urlencoded";
constexpr char kChanged[] = "200 {\"message\":\"Password changed\"}\n";

std::string created(int count)
{
    return "200 {\"message\":\"Created " + std::to_string(count) + " mailboxes\"}\n";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(forms)

BOOST_TEST_DECORATOR(*shows("bodies: urlencoded") * shows("bodies: multipart")
                     * shows("bodies: JSON") * shows("bodies: no Content-Type"))
BOOST_DATA_TEST_CASE_F(story::Story, a_body_creates_a_mailbox,
                       data::make(requests::through_nginx(requests::forms())), row)
{
    const auto who = tenant();
    BOOST_TEST(text(call(who.key, "POST", who.mailboxes(), {row.type, row.bytes})) == created(1));
    BOOST_TEST(answers::page(list(who)).names() == std::vector{who.address("alice")},
               boost::test_tools::per_element());
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "correct horse"));
}

BOOST_TEST_DECORATOR(*shows("bodies: all of them on PUT"))
BOOST_DATA_TEST_CASE_F(story::Story, a_body_changes_a_password,
                       data::make(requests::through_nginx(requests::forms())), row)
{
    if (row.bytes.starts_with('[')) {
        return;  // only POST takes several at once
    }
    const auto who = tenant();
    create(who, "alice", "another one");
    BOOST_TEST(text(call(who.key, "PUT", who.mailbox("alice"), {row.type, row.bytes})) == kChanged);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "correct horse"));
}

namespace {

// Each password is sent in every encoding that can carry it, and must arrive byte for byte.
const char* const kPasswords[] = {
    "p\xC3\xA4ssw\xC3\xB6rt \xE2\x82\xAC \xF0\x9F\x98\x80",
    "a+b c%20d",
    "\"quoted\\\"",
    "--B--",
    "{\"a\":1}",
    "a=b&c=d;e",
};

std::string json_text(const std::string& value)
{
    std::string quoted = "\"";
    for (const char c : value) {
        quoted += c == '"' || c == '\\' ? std::string{'\\', c} : std::string{c};
    }
    return quoted + "\"";
}

http::Body as_json(const http::Fields& fields)
{
    std::string object;
    for (const auto& [name, value] : fields) {
        object += (object.empty() ? "{" : ",") + json_text(name) + ":" + json_text(value);
    }
    return http::json(object + "}");
}

}  // namespace

BOOST_TEST_DECORATOR(*shows("bodies: urlencoded") * shows("bodies: multipart")
                     * shows("bodies: JSON"))
BOOST_DATA_TEST_CASE_F(story::Story, a_password_is_taken_to_the_byte,
                       data::make(kPasswords) * data::make({http::form, http::multipart, as_json}),
                       password, body)
{
    const auto who = tenant();
    BOOST_TEST(text(call(who.key, "POST", who.mailboxes(),
                         body({{"mailbox", "alice"}, {"password", password}})))
               == created(1));
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), password));
}

// With numbered arrays, each mailbox gets the password of the same number, in any order.
BOOST_FIXTURE_TEST_CASE(several_as_arrays, story::Story, *shows("several: written as arrays"))
{
    const auto who = tenant();
    const auto post = [&](const std::string& body) {
        return call(who.key, "POST", who.mailboxes(), {kUrlencoded, body});
    };
    BOOST_TEST(
        text(post("mailbox[]=alice&mailbox[]=bob&password[]=Wonderland&password[]=Looking-Glass"))
        == created(2));
    BOOST_TEST(
        text(post(
            "mailbox[3]=dora&password[2]=Wonderland&mailbox[2]=carol&password[3]=Looking-Glass"))
        == created(2));
    for (const char* name : {"alice", "carol"})
        BOOST_TEST(story::is_hash_of(stored_password(who, name), "Wonderland"), name);
    for (const char* name : {"bob", "dora"})
        BOOST_TEST(story::is_hash_of(stored_password(who, name), "Looking-Glass"), name);
    const auto before = snapshot();
    for (const char* body :
         {"mailbox[0]=eve&password[1]=Wonderland", "mailbox[0]=eve&password=Wonderland",
          "mailbox[name]=eve&password=Wonderland",
          "mailbox[0]=eve&mailbox[0]=frank&password[0]=Wonderland&password[1]=Wonderland"}) {
        BOOST_TEST(is_refused(post(body), 400, {"bad_parameter", "brackets"}), body);
    }
    BOOST_TEST(snapshot() == before);
}

// A client that compresses its body must be told so, not that parameters are missing.
BOOST_FIXTURE_TEST_CASE(a_body_with_an_encoding, story::Story, *shows("bodies: a Content-Encoding"))
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    const http::Body body{kUrlencoded, "\x1f\x8b\x08 mailbox=bob&password=Wonderland"};
    for (const char* encoding : {"gzip", "deflate", "br", "zstd", "identity, gzip", "GZIP"}) {
        for (const auto& [method, path] :
             {std::pair{"POST", who.mailboxes()},
              {"PUT", who.mailbox("alice")},
              {"DELETE", who.mailbox("alice")},
              {"GET", who.mailboxes()},
              {"POST", "/v3/domains/" + who.domain + "/credentials"}}) {
            const auto answer = call(who.key, method, path, body, {{"Content-Encoding", encoding}});
            BOOST_TEST(is_refused(answer, 415,
                                  {"unsupported_encoding", "Content-Encoding", "uncompressed"}),
                       method << " " << encoding);
            BOOST_TEST(answer.header("Accept-Encoding") == "identity");
        }
    }
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(call(who.key, "GET", who.mailboxes(), {}, {{"Content-Encoding", "gzip"}}).status
               == 200);
    BOOST_TEST(text(call(who.key, "POST", who.mailboxes(),
                         http::form({{"mailbox", "bob"}, {"password", "Wonderland"}}),
                         {{"Content-Encoding", "identity"}}))
               == created(1));
}

BOOST_FIXTURE_TEST_CASE(another_mailbox_than_that_of_the_path, story::Story,
                        *shows("rules: another mailbox than the path's"))
{
    const auto who = tenant();
    create(who, "alice");
    create(who, "bob");
    const auto before = snapshot();
    BOOST_TEST(is_refused(call(who.key, "PUT", who.mailbox("alice"),
                               http::form({{"mailbox", "bob"}, {"password", "Wonderland"}})),
                          400, {"bad_parameter", who.address("bob"), who.address("alice")}));
    BOOST_TEST(is_refused(call(who.key, "DELETE", who.mailbox("alice") + "?mailbox=bob"), 400,
                          {"bad_parameter", who.address("bob")}));
    BOOST_TEST(is_refused(
        call(who.key, "DELETE", who.mailbox("alice"), http::json(R"({"mailbox":"bob"})")), 400,
        {"bad_parameter"}));
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(
        text(call(who.key, "PUT", who.mailbox("alice"),
                  http::form({{"mailbox", who.address("ALICE")}, {"password", "Wonderland"}})))
        == kChanged);
}

BOOST_FIXTURE_TEST_CASE(json_escapes_mean_their_characters, story::Story, *shows("bodies: JSON"))
{
    const auto who = tenant();
    BOOST_TEST(
        text(call(who.key, "POST", who.mailboxes(),
                  http::json(R"({"mailbox":"alice","password":"\u00e4\u20AC\ud83d\uDE00\/\\\""})")))
        == created(1));
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"),
                                 "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80/\\\""));
}

BOOST_FIXTURE_TEST_CASE(a_multipart_body_of_no_parts, story::Story, *shows("bodies: multipart"))
{
    const auto who = tenant();
    create(who, "alice");
    for (const char* bytes : {"--B--\r\n", "--B--", "\r\n--B--\r\n"}) {
        const http::Body none{"multipart/form-data; boundary=B", bytes};
        BOOST_TEST(refusal(call(who.key, "POST", who.mailboxes(), none))
                   == "400 mailbox_missing: 'mailbox' parameter is missing");
        BOOST_TEST(refusal(call(who.key, "PUT", who.mailbox("alice"), none))
                   == "400 password_missing: 'password' parameter is missing");
        BOOST_TEST(call(who.key, "GET", who.mailboxes(), none).status == 200);
    }
}

// An array means several mailboxes, which only POST takes.
BOOST_FIXTURE_TEST_CASE(an_array_elsewhere_than_in_a_post, story::Story,
                        *shows("bodies: JSON, an array on POST only"))
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    for (const char* text : {"[]", R"([{"mailbox":"alice","password":"correct horse"}])",
                             R"([{"password":"correct horse"}])"}) {
        BOOST_TEST(is_refused(call(who.key, "PUT", who.mailbox("alice"), http::json(text)), 400,
                              {"bad_json", "object"}));
        BOOST_TEST(is_refused(call(who.key, "DELETE", who.mailbox("alice"), http::json(text)), 400,
                              {"bad_json", "object"}));
        BOOST_TEST(is_refused(call(who.key, "GET", who.mailboxes(), http::json(text)), 400,
                              {"bad_json", "object"}));
    }
    BOOST_TEST(snapshot() == before);
}

namespace {

const char* const kAnyType[] = {
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=B",
    "multipart/form-data",
    "application/json",
    "text/plain",
    "application/octet-stream",
    "nonsense",
};

}  // namespace

// Some clients send a Content-Type with every request.
BOOST_TEST_DECORATOR(*shows("bodies: an empty one of any type on GET, HEAD and DELETE"))
BOOST_DATA_TEST_CASE_F(story::Story, an_empty_body_of_type, data::make(kAnyType), type)
{
    const auto who = tenant();
    create(who, "alice");
    const http::Body empty{type, ""};
    for (const http::Fields& headers : {http::Fields{}, http::Fields{{"Content-Length", "0"}}}) {
        BOOST_TEST(answers::page(call(who.key, "GET", who.mailboxes(), empty, headers)).total_count
                   == 1);
        BOOST_TEST(call(who.key, "HEAD", who.mailboxes(), empty, headers).status == 200);
    }
    BOOST_TEST(call(who.key, "DELETE", who.mailbox("alice"), empty).status == 200);
    create(who, "bob");
    BOOST_TEST(call(who.key, "DELETE", who.mailbox("bob"), empty, {{"Content-Length", "0"}}).status
               == 200);
}

BOOST_FIXTURE_TEST_CASE(a_page_by_the_body_of_a_get, story::Story,
                        *shows("rules: limit and skip in a GET's body")
                            * shows("rules: a parameter given twice"))
{
    const auto who = tenant();
    for (const char* name : {"alice", "bob", "carol"}) {
        create(who, name);
    }
    const auto get = [&](const std::string& query, const std::string& body) {
        return call(who.key, "GET", who.mailboxes() + query, {kUrlencoded, body});
    };
    const auto one = [&](const char* name) { return std::vector{who.address(name)}; };
    BOOST_TEST(answers::page(get("", "limit=1&skip=1")).names() == one("bob"),
               boost::test_tools::per_element());
    BOOST_TEST(answers::page(get("?limit=1", "skip=2")).names() == one("carol"),
               boost::test_tools::per_element());
    BOOST_TEST(answers::page(get("?limit=1", "other=2")).names() == one("alice"),
               boost::test_tools::per_element());
    BOOST_TEST(is_refused(get("?limit=1", "limit=1"), 400, {"limit"}));
    BOOST_TEST(is_refused(get("?skip=1", "limit=1&skip=1"), 400, {"skip"}));
    BOOST_TEST(is_refused(get("", "limit=1001"), 400, {"bad_limit", "1000"}));
}

// HEAD returns the headers of GET and no body.
BOOST_FIXTURE_TEST_CASE(head_is_get_without_its_body, story::Story,
                        *shows("paths: /<domain>/mailboxes") * shows("answers: HEAD"))
{
    const auto who = tenant();
    create(who, "alice");
    for (const std::string query : {"", "?limit=0", "?limit=1001"}) {
        const auto get = call(who.key, "GET", who.mailboxes() + query);
        const auto head = call(who.key, "HEAD", who.mailboxes() + query);
        BOOST_TEST(head.status == get.status);
        for (const char* name : {"Content-Length", "Content-Type", "Cache-Control"}) {
            BOOST_TEST(head.header(name) == get.header(name));
        }
    }
    const auto refused = call("wrong", "HEAD", who.mailboxes());
    BOOST_TEST(refused.status == 401);
    BOOST_TEST(refused.header("WWW-Authenticate") == "Basic realm=\"mailboxes\"");
    BOOST_TEST(call(who.key, "HEAD", who.mailbox("alice")).status == 200);
    BOOST_TEST(call(who.key, "HEAD", "/nowhere").status == 404);
}

BOOST_FIXTURE_TEST_CASE(a_question_mark_with_nothing_behind, story::Story,
                        *shows("paths: a trailing ?"))
{
    const auto who = tenant();
    BOOST_TEST(text(call(who.key, "POST", who.mailboxes() + "?",
                         http::form({{"mailbox", "alice"}, {"password", "Wonderland"}})))
               == created(1));
    BOOST_TEST(answers::page(call(who.key, "GET", who.mailboxes() + "?")).total_count == 1);
    BOOST_TEST(text(call(who.key, "PUT", who.mailbox("alice") + "?",
                         http::form({{"password", "Looking-Glass"}})))
               == kChanged);
    BOOST_TEST(call(who.key, "DELETE", who.mailbox("alice") + "?").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
