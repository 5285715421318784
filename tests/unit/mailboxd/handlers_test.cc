// handlers_test.cc - requests through Api::serve() on the real tables: statuses, messages to the
// byte, and which refusal comes first.

#include "base/strings.h"
#include "db/session.h"
#include "mailboxd/api.h"
#include "mailboxd/handlers.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <limits>

#include "db/accounts.h"
#include "mail/api_key.h"
#include "support/served.h"

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;
using support::bytes;
using namespace served;

namespace {

const Refused kPaths[] = {
    {"the root", {"GET", "/"}, "404 not_found"},
    {"the base alone", {"GET", "/v3"}, "404 not_found"},
    {"a domain alone", {"GET", "/v3/{D}"}, "404 not_found"},
    {"another resource", {"GET", "/v3/{D}/messages"}, "404 not_found"},
    {"the resource in capitals", {"GET", "/v3/{D}/Mailboxes"}, "404 not_found"},
    {"one segment too many", {"GET", "/v3/{D}/mailboxes/alice/x"}, "404 not_found"},
    {"a slash after a mailbox", {"DELETE", "/v3/{D}/mailboxes/alice/"}, "404 not_found"},
    {"two slashes after the collection", {"DELETE", "/v3/{D}/mailboxes//"}, "404 not_found"},
    {"no domain", {"GET", "/v3//mailboxes"}, "404 not_found"},
    {"another base", {"GET", "/v4/{D}/mailboxes"}, "404 not_found"},
    {"an encoded slash", {"DELETE", "/v3/{D}/mailboxes/a%2Fb"}, "400 bad_path"},
    {"an encoded NUL", {"DELETE", "/v3/{D}/mailboxes/a%00"}, "400 bad_path"},
    {"bad encoding", {"DELETE", "/v3/{D}/mailboxes/a%"}, "400 bad_encoding"},
    {"Latin-1", {"DELETE", "/v3/{D}/mailboxes/%E9"}, "400 bad_path"},
};

struct Method {
    const char* method;
    bool is_item;
    const char* allow;
};
std::ostream& operator<<(std::ostream& out, const Method& row)
{
    return out << row.method << (row.is_item ? " of a mailbox" : " of the collection");
}

const Method kWrongMethods[] = {
    {"PUT", false, "Allow: GET, HEAD, POST"},
    {"DELETE", false, "Allow: GET, HEAD, POST"},
    {"PATCH", false, "Allow: GET, HEAD, POST"},
    {"OPTIONS", false, "Allow: GET, HEAD, POST"},
    {"TRACE", false, "Allow: GET, HEAD, POST"},
    {"GE", false, "Allow: GET, HEAD, POST"},
    {"get", false, "Allow: GET, HEAD, POST"},
    {"", false, "Allow: GET, HEAD, POST"},
    {"GETS", false, "Allow: GET, HEAD, POST"},
    {"POST", true, "Allow: GET, HEAD, PUT, DELETE"},
    {"PATCH", true, "Allow: GET, HEAD, PUT, DELETE"},
    {"OPTIONS", true, "Allow: GET, HEAD, PUT, DELETE"},
};

struct Query : support::Row {
    std::string query;
    std::string outcome;
};

const std::string kGreatest = std::to_string(std::numeric_limits<std::int64_t>::max());

const Query kQueries[] = {
    {"none", "", "200"},
    {"an empty one", "?", "200"},
    {"the least limit", "?limit=0", "200"},
    {"the greatest limit", "?limit=1000", "200"},
    {"the greatest skip", "?skip=" + kGreatest, "200"},
    {"leading zeros", "?limit=0010", "200"},
    {"both", "?skip=1&limit=1", "200"},
    {"an encoded digit", "?limit=%31", "200"},
    {"unknown parameters", "?page=7&page=8&sort=&=", "200"},
    {"a mailbox is unknown here", "?mailbox=alice", "200"},
    {"a limit above the greatest", "?limit=1001", "400 bad_limit"},
    {"a negative limit", "?limit=-1", "400 bad_limit"},
    {"minus zero", "?limit=-0", "400 bad_limit"},
    {"an empty limit", "?limit=", "400 bad_limit"},
    {"a limit without value", "?limit", "400 bad_limit"},
    {"a word", "?limit=all", "400 bad_limit"},
    {"a sign", "?limit=%2B10", "400 bad_limit"},
    {"a plus is a space", "?limit=+10", "400 bad_limit"},
    {"a space after it", "?limit=10%20", "400 bad_limit"},
    {"a fraction", "?limit=1.0", "400 bad_limit"},
    {"an exponent", "?limit=1e2", "400 bad_limit"},
    {"hexadecimal", "?limit=0x10", "400 bad_limit"},
    {"a NUL after it", "?limit=10%00", "400 bad_limit"},
    {"beyond 64 bits", "?limit=18446744073709551617", "400 bad_limit"},
    {"a negative skip", "?skip=-1", "400 bad_skip"},
    {"a skip of 2^63", "?skip=9223372036854775808", "400 bad_skip"},
    {"an empty skip", "?skip=", "400 bad_skip"},
    {"a limit twice", "?limit=1&limit=1", "400 bad_parameter"},
    {"a skip twice", "?skip=1&limit=1&skip=2", "400 bad_parameter"},
    {"a name encoded and not", "?limit=1&li%6Dit=2", "400 bad_parameter"},
    {"bad encoding", "?limit=%", "400 bad_encoding"},
    {"a password: URLs are logged", "?password=secret", "400 password_in_url"},
};

const Refused kBodiesOfGet[] = {
    {"a limit in the body, as a published client sends it", {"GET", "", kForm, "limit=1"}, "200"},
    {"a limit in query and body", {"GET", "?limit=1", kForm, "limit=1"}, "400 bad_parameter"},
    {"a wrong limit in the body", {"GET", "", kForm, "limit=x"}, "400 bad_limit"},
    {"limit here, skip there", {"GET", "?limit=1", kForm, "skip=0"}, "200"},
    {"an empty form", {"GET", "", kForm, ""}, "200"},
    {"an empty multipart", {"GET", "", "multipart/form-data; boundary=b", ""}, "200"},
    {"an empty body of any type", {"GET", "", "text/xml", ""}, "200"},
    {"a body of an unknown type", {"GET", "", "text/xml", "<x/>"}, "415 unsupported_type"},
    {"HEAD the same", {"HEAD", "?limit=x", "", ""}, "400 bad_limit"},
    {"HEAD", {"HEAD", "", "", ""}, "200"},
    {"a compressed body", {"GET", "", kForm, "limit=1", "gzip"}, "415 unsupported_encoding"},
};

const std::string k128 = std::string(128, 'x');

const Refused kPosts[] = {
    {"nothing", {"POST", "", kForm, ""}, "400 mailbox_missing"},
    {"no mailbox", {"POST", "", kForm, "password=secret"}, "400 mailbox_missing"},
    {"no password", {"POST", "", kForm, "mailbox=new"}, "400 password_missing"},
    {"an empty mailbox", {"POST", "", kForm, "mailbox=&password=secret"}, "400 bad_mailbox"},
    {"an empty password", {"POST", "", kForm, "mailbox=new&password="}, "400 bad_password"},
    {"a mailbox with a space",
     {"POST", "", kForm, "mailbox=new+box&password=secret"},
     "400 bad_mailbox"},
    {"an extension", {"POST", "", kForm, "mailbox=new%2Btag&password=secret"}, "400 bad_mailbox"},
    {"another domain's",
     {"POST", "", kForm, "mailbox=new@example.com&password=secret"},
     "400 bad_mailbox"},
    {"too short a password", {"POST", "", kForm, "mailbox=new&password=abcd"}, "400 bad_password"},
    {"too long a password",
     {"POST", "", kForm, "mailbox=new&password=x" + k128},
     "400 bad_password"},
    {"the name as password",
     {"POST", "", kForm, "mailbox=newcomer&password=NewComer"},
     "400 bad_password"},
    {"a password that is no UTF-8",
     {"POST", "", kForm, "mailbox=new&password=secret%FF"},
     "400 bad_password"},
    {"the second of two is wrong",
     {"POST", "", kForm, "mailbox=new&password=secret&mailbox=n+w&password=secret"},
     "400 bad_mailbox"},
    {"two names, one password",
     {"POST", "", kForm, "mailbox=new&mailbox=newer&password=secret"},
     "400 bad_parameter"},
    {"one name, two passwords",
     {"POST", "", kForm, "mailbox=new&password=secret&password=secret"},
     "400 bad_parameter"},
    {"a name twice",
     {"POST", "", kForm, "mailbox=new&password=secret&mailbox=NEW&password=secret"},
     "400 bad_parameter"},
    {"a name and its address",
     {"POST", "", kForm, "mailbox=new&password=secret&mailbox=new@{D}&password=secret"},
     "400 bad_parameter"},
    {"mailbox in the query and in the body",
     {"POST", "?mailbox=new", kForm, "mailbox=new&password=secret"},
     "400 bad_parameter"},
    {"mailbox in the query only does not count",
     {"POST", "?mailbox=new", kForm, "password=secret"},
     "400 mailbox_missing"},
    {"password in the query",
     {"POST", "?password=secret", kForm, "mailbox=new"},
     "400 password_in_url"},
    {"password in query and body",
     {"POST", "?password=secret", kForm, "mailbox=new&password=secret"},
     "400 password_in_url"},
    {"an array of passwords in the query",
     {"POST", "?password[]=secret", kForm, "mailbox=new"},
     "400 password_in_url"},
    {"a numbered password in the query",
     {"POST", "?password%5B0%5D=secret", kForm, "mailbox=new"},
     "400 password_in_url"},
    {"an array of mailboxes in the query and one in the body",
     {"POST", "?mailbox[]=new", kForm, "mailbox=new&password=secret"},
     "400 bad_parameter"},
    {"two names in an array, one password",
     {"POST", "", kForm, "mailbox[]=new&mailbox[]=newer&password[]=secret"},
     "400 bad_parameter"},
    {"an array with names of its own",
     {"POST", "", kForm, "mailbox[name]=new&password=secret"},
     "400 bad_parameter"},
    {"a compressed body",
     {"POST", "", kForm, "mailbox=new&password=secret", "gzip"},
     "415 unsupported_encoding"},
    {"bad encoding", {"POST", "", kForm, "mailbox=new&password=%"}, "400 bad_encoding"},
    {"an unknown type",
     {"POST", "", "text/plain", "mailbox=new&password=secret"},
     "415 unsupported_type"},
    {"multipart without boundary",
     {"POST", "", "multipart/form-data", "--b--"},
     "400 bad_multipart"},
    {"multipart without parts",
     {"POST", "", "multipart/form-data; boundary=b", "--b--"},
     "400 mailbox_missing"},
    {"no JSON", {"POST", "", kJson, "mailbox=new"}, "400 bad_json"},
    {"an empty object", {"POST", "", kJson, "{}"}, "400 mailbox_missing"},
    {"an empty array", {"POST", "", kJson, "[]"}, "400 mailbox_missing"},
    {"JSON with a number",
     {"POST", "", kJson, R"({"mailbox":"new","password":12345})"},
     "400 bad_json"},
    {"JSON with a line end in the password",
     {"POST", "", kJson, R"({"mailbox":"new","password":"secret\n"})"},
     "400 bad_password"},
    {"taken", {"POST", "", kForm, "mailbox=alice&password=secret"}, "409 mailbox_exists"},
    {"taken, in capitals",
     {"POST", "", kForm, "mailbox=Alice&password=secret"},
     "409 mailbox_exists"},
    {"the second of two is taken",
     {"POST", "", kForm, "mailbox=new&password=secret&mailbox=alice&password=secret"},
     "409 mailbox_exists"},
};

const Refused kPuts[] = {
    {"nothing", {"PUT", "alice", kForm, ""}, "400 password_missing"},
    {"a password twice",
     {"PUT", "alice", kForm, "password=secret&password=secret"},
     "400 bad_parameter"},
    {"too short", {"PUT", "alice", kForm, "password=abcd"}, "400 bad_password"},
    {"the name", {"PUT", "alice", kForm, "password=alice"}, "400 bad_password"},
    {"the address", {"PUT", "alice", kForm, "password=alice@{D}"}, "400 bad_password"},
    {"the domain", {"PUT", "alice", kForm, "password={D}"}, "400 bad_password"},
    {"in the query", {"PUT", "alice?password=secret", "", ""}, "400 password_in_url"},
    {"an array in the query", {"PUT", "alice?password[]=secret", "", ""}, "400 password_in_url"},
    {"an array of two",
     {"PUT", "alice", kForm, "password[]=secret&password[]=secret"},
     "400 bad_parameter"},
    {"another mailbox in the body than in the path",
     {"PUT", "alice", kForm, "mailbox=bob&password=secret"},
     "400 bad_parameter"},
    {"another one in JSON",
     {"PUT", "alice", kJson, R"({"mailbox":"bob@{D}","password":"secret"})"},
     "400 bad_parameter"},
    {"another one in the query",
     {"PUT", "alice?mailbox=bob", kForm, "password=secret"},
     "400 bad_parameter"},
    {"none at all in the body",
     {"PUT", "alice", kForm, "mailbox=&password=secret"},
     "400 bad_mailbox"},
    {"a compressed body",
     {"PUT", "alice", kForm, "password=secret", "br"},
     "415 unsupported_encoding"},
    {"an array",
     {"PUT", "alice", kJson, R"([{"mailbox":"alice","password":"secret"}])"},
     "400 bad_json"},
    {"an unknown type", {"PUT", "alice", "text/plain", "secret"}, "415 unsupported_type"},
    {"not there", {"PUT", "bob", kForm, "password=secret"}, "404 mailbox_not_found"},
    {"an address that none can have", {"PUT", "a..b", kForm, "password=secret"}, "400 bad_mailbox"},
    {"another domain's", {"PUT", "alice@example.com", kForm, "password=secret"}, "400 bad_mailbox"},
};

const Refused kDeletes[] = {
    {"not there", {"DELETE", "bob", "", ""}, "404 mailbox_not_found"},
    {"an address that none can have", {"DELETE", "a+b", "", ""}, "400 bad_mailbox"},
    {"another domain's", {"DELETE", "alice%40example.com", "", ""}, "400 bad_mailbox"},
    {"a password in the query", {"DELETE", "alice?password=x", "", ""}, "400 password_in_url"},
    {"another mailbox in the body than in the path",
     {"DELETE", "alice", kForm, "mailbox=bob"},
     "400 bad_parameter"},
    {"another one in the query", {"DELETE", "alice?mailbox=bob", "", ""}, "400 bad_parameter"},
    {"an array of others",
     {"DELETE", "alice", kForm, "mailbox[]=alice&mailbox[]=bob"},
     "400 bad_parameter"},
    {"a compressed body",
     {"DELETE", "alice", kForm, "mailbox=alice", "gzip"},
     "415 unsupported_encoding"},
    {"a body of an unknown type", {"DELETE", "alice", "text/plain", "x"}, "415 unsupported_type"},
    {"a broken body", {"DELETE", "alice", kForm, "%"}, "400 bad_encoding"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(api)

// --- requests that succeed --------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(from_nothing_to_nothing, Served)
{
    const auto address = [&](const std::string& name) { return name + "@" + domain.name(); };
    BOOST_TEST(text(get()) == R"(200 {"total_count":0,"items":[]})");
    BOOST_TEST(text(post("mailbox=alice&password=secret"))
               == R"(200 {"message":"Created 1 mailboxes"})");
    BOOST_TEST(has_password("alice", "secret"));
    database.execute(
        "UPDATE mailbox SET created_at = 1317155062, size_bytes = 17 WHERE domain_id = ?",
        {domain_id});
    BOOST_TEST(
        text(get())
        == R"(200 {"total_count":1,"items":[{"size_bytes":17,"created_at":"Tue, 27 Sep 2011 20:24:22 GMT","mailbox":")"
               + address("alice") + R"("}]})");
    BOOST_TEST(text(put("alice", "password=another")) == R"(200 {"message":"Password changed"})");
    BOOST_TEST(has_password("alice", "another"));
    BOOST_TEST(!has_password("alice", "secret"));
    BOOST_TEST(text(remove("alice"))
               == R"(200 {"message":"Mailbox has been deleted","spec":")" + address("alice")
                      + R"("})");
    BOOST_TEST(text(get()) == R"(200 {"total_count":0,"items":[]})");
    BOOST_TEST(text(remove("alice"))
               == R"(404 {"message":"Mailbox not found: )" + address("alice")
                      + R"(","code":"mailbox_not_found"})");
    BOOST_TEST(standard_error.take() == Strings{}, per_element());
}

BOOST_DATA_TEST_CASE_F(Alice, the_same_under_every_base, data::make({"", "/v2", "/v3"}), base)
{
    BOOST_TEST(outcome(serve({"GET", target(std::string{base} + "/{D}/mailboxes")})) == "200");
    BOOST_TEST(outcome(serve({"POST", target(std::string{base} + "/{D}/mailboxes/"), kForm,
                              "mailbox=bob&password=secret"}))
               == "200");
    BOOST_TEST(outcome(serve({"DELETE", target(std::string{base} + "/{D}/mailboxes/bob")}))
               == "200");
}

BOOST_FIXTURE_TEST_CASE(the_domain_may_be_written_otherwise, Alice)
{
    auto capitals = domain.name();
    std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    for (const auto& name : {capitals, domain.name() + ".", capitals + "."}) {
        const auto listed = serve({"GET", "/" + name + "/mailboxes"});
        BOOST_TEST(outcome(listed) == "200");
        BOOST_TEST(listed.body.find("\"alice@" + domain.name() + "\"") != std::string::npos,
                   listed.body);
    }
    BOOST_TEST(outcome(serve({"GET", "/" + domain.name() + "../mailboxes"}))
               == "404 domain_not_found");
}

BOOST_DATA_TEST_CASE_F(Alice, the_mailbox_may_be_written_otherwise,
                       data::make({"alice", "ALICE", "%61lice", "alice@{D}", "alice%40{D}",
                                   "Alice%40{D}.", "alice?", "alice?x=y"}),
                       name)
{
    const auto answer = serve({"DELETE", target("/{D}/mailboxes/" + std::string{name})});
    BOOST_TEST(text(answer)
               == R"(200 {"message":"Mailbox has been deleted","spec":"alice@)" + domain.name()
                      + R"("})");
}

BOOST_FIXTURE_TEST_CASE(every_character_that_a_name_may_have, Served)
{
    const std::string name = "a._-$&'=^`{|}~";
    BOOST_TEST(outcome(post("mailbox=a._-$%26'%3D^`{|}~&password=secret")) == "200");
    BOOST_TEST(get().body.find("\"" + name + "@" + domain.name() + "\"") != std::string::npos);
    BOOST_TEST(outcome(put("a._-$&'=^`{|}~", "password=another")) == "200");
    BOOST_TEST(text(remove("a._-%24%26%27%3D%5E%60%7B%7C%7D%7E"))
               == R"(200 {"message":"Mailbox has been deleted","spec":")" + name + "@"
                      + domain.name() + R"("})");
}

struct Form : support::Row {
    std::string type;
    std::string body;
};

const Form kTwo[] = {
    {"urlencoded", kForm, "mailbox=bob&mailbox=carol&password=secret-b&password=secret-c"},
    {"urlencoded, in pairs", kForm,
     "mailbox=bob&password=secret-b&mailbox=carol&password=secret-c"},
    {"urlencoded, passwords first", kForm,
     "password=secret-b&password=secret-c&mailbox=bob&mailbox=carol"},
    {"no type", "", "mailbox=bob&mailbox=carol&password=secret-b&password=secret-c"},
    {"arrays as PHP numbers them", kForm,
     "mailbox%5B0%5D=bob&mailbox%5B1%5D=carol&password%5B0%5D=secret-b&password%5B1%5D=secret-c"},
    {"arrays as Ruby writes them", kForm,
     "mailbox[]=bob&mailbox[]=carol&password[]=secret-b&password[]=secret-c"},
    {"multipart", "multipart/form-data; boundary=\"b\"",
     "--b\r\nContent-Disposition: form-data; name=\"mailbox\"\r\n\r\nbob\r\n--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsecret-b\r\n"
     "--b\r\nContent-Disposition: form-data; name=\"mailbox\"\r\n\r\ncarol\r\n--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsecret-c\r\n--b--"},
    {"JSON", kJson,
     R"([{"mailbox":"bob","password":"secret-b"},{"password":"secret-c","mailbox":"carol"}])"},
    {"with unknown parameters", kForm,
     "x=1&mailbox=bob&mailbox=carol&x=2&password=secret-b&password=secret-c&limit=z"},
};

BOOST_DATA_TEST_CASE_F(Alice, two_at_once, data::make(kTwo), row)
{
    BOOST_TEST(text(post(row.body, row.type)) == R"(200 {"message":"Created 2 mailboxes"})");
    BOOST_TEST(names() == (Strings{"alice", "bob", "carol"}), per_element());
    BOOST_TEST(has_password("bob", "secret-b"));
    BOOST_TEST(has_password("carol", "secret-c"));
}

BOOST_DATA_TEST_CASE_F(
    Alice, a_password_is_changed_in_every_form,
    data::make(
        {Form{{"urlencoded"}, kForm, "password=s%20cr+t"},
         Form{{"no type"}, "", "password=s%20cr+t"},
         Form{{"JSON"}, kJson, R"({"password":"s cr t"})"},
         Form{{"with the mailbox of the path"}, kForm, "mailbox=ALICE&password=s+cr+t"},
         Form{{"as an array of one"}, kForm, "password[]=s+cr+t"},
         Form{
             {"multipart"},
             "multipart/form-data; boundary=b",
             "--b\r\nContent-Disposition: form-data; name=\"password\"\r\nContent-Length: 6\r\n\r\ns cr t\r\n--b--\r\n"}}),
    row)
{
    BOOST_TEST(text(put("alice", row.body, row.type)) == R"(200 {"message":"Password changed"})");
    BOOST_TEST(has_password("alice", "s cr t"));
}

BOOST_FIXTURE_TEST_CASE(a_hundred_at_once_and_no_more, Served)
{
    std::string hundred;
    for (int i = 0; i < 100; ++i) hundred += "mailbox=m" + std::to_string(i) + "&password=secret&";
    BOOST_TEST(outcome(post(hundred + "mailbox=more&password=secret")) == "400 bad_parameter");
    BOOST_TEST(rows() == 0);
    BOOST_TEST(text(post(hundred)) == R"(200 {"message":"Created 100 mailboxes"})");
    BOOST_TEST(rows() == 100);
    BOOST_TEST(get().body.find("\"total_count\":100,") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_page_has_a_hundred_by_default_and_its_greatest_is_a_setting, Served)
{
    std::vector<store::NewMailbox> many;
    for (int i = 0; i < 120; ++i) many.push_back(mailbox("m" + std::to_string(i)));
    store.create(grant(), many, actor);
    const auto items = [](const http::Response& response) {
        std::size_t count = 0;
        for (auto place = response.body.find("created_at"); place != std::string::npos;
             place = response.body.find("created_at", place + 1))
            ++count;
        return count;
    };
    BOOST_TEST(items(get()) == 100U);
    BOOST_TEST(items(get("?limit=1000")) == 120U);
    BOOST_TEST(items(get("?skip=110")) == 10U);
    config.max_limit = 50;
    BOOST_TEST(items(get()) == 50U);
    BOOST_TEST(outcome(get("?limit=51")) == "400 bad_limit");
    BOOST_TEST(text(get("?limit=51")).find("from 0 to 50") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_updates, Alice)
{
    database.execute("UPDATE domain SET on_duplicate = 'update' WHERE id = ?", {domain_id});
    BOOST_TEST(text(post("mailbox=alice&password=secret"))
               == R"(200 {"message":"Created 1 mailboxes"})");
    BOOST_TEST(has_password("alice", "secret"));
    BOOST_TEST(rows() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_is_full, Alice)
{
    database.execute("UPDATE domain SET max_mailboxes = 1 WHERE id = ?", {domain_id});
    const auto answer = post("mailbox=bob&password=secret");
    BOOST_TEST(outcome(answer) == "409 allowance_used_up");
    BOOST_TEST(answer.body.find("max_mailboxes is 1.") != std::string::npos, answer.body);
    check_untouched();
}

// --- requests that are refused ------------------------------------------------------------------

BOOST_DATA_TEST_CASE_F(Alice, a_path, data::make(kPaths), row)
{
    BOOST_TEST(outcome(serve(at(row.call, ""))) == row.outcome);
    // The same without a key, because the answer reveals nothing.
    BOOST_TEST(outcome(serve(at(row.call, ""), "")) == row.outcome);
    check_untouched();
}

BOOST_DATA_TEST_CASE_F(Alice, a_method, data::make(kWrongMethods), row)
{
    const auto answer = serve({row.method, row.is_item ? item("alice") : collection()});
    BOOST_TEST(text(answer)
               == R"(405 {"message":"Method not allowed","code":"method_not_allowed"})");
    BOOST_TEST(answer.extra_header == row.allow);
    check_untouched();
}

// Only GET, HEAD and POST ever act on the collection.
BOOST_FIXTURE_TEST_CASE(a_slash_after_the_collection_is_the_collection, Alice)
{
    const auto answer = serve({"DELETE", collection() + "/"});
    BOOST_TEST(outcome(answer) == "405 method_not_allowed");
    BOOST_TEST(answer.extra_header == "Allow: GET, HEAD, POST");
    BOOST_TEST(outcome(serve({"GET", collection() + "/"})) == "200");
    BOOST_TEST(outcome(serve({"GET", collection() + "/?limit=1"})) == "200");
    check_untouched();
}

BOOST_DATA_TEST_CASE_F(Alice, a_query, data::make(kQueries), row)
{
    BOOST_TEST(outcome(get(row.query)) == row.outcome);
}

BOOST_DATA_TEST_CASE_F(Alice, a_body_of_a_get, data::make(kBodiesOfGet), row)
{
    BOOST_TEST(outcome(serve(at(row.call, collection()))) == row.outcome);
}

BOOST_DATA_TEST_CASE_F(Alice, a_post, data::make(kPosts), row)
{
    BOOST_TEST(outcome(serve(at(row.call, collection()))) == row.outcome);
    check_untouched();
}

BOOST_DATA_TEST_CASE_F(Alice, a_put, data::make(kPuts), row)
{
    BOOST_TEST(outcome(serve(at(row.call, collection() + "/"))) == row.outcome);
    check_untouched();
}

BOOST_DATA_TEST_CASE_F(Alice, a_delete, data::make(kDeletes), row)
{
    BOOST_TEST(outcome(serve(at(row.call, collection() + "/"))) == row.outcome);
    check_untouched();
}

BOOST_FIXTURE_TEST_CASE(messages_to_the_byte, Alice)
{
    BOOST_TEST(text(post("password=secret"))
               == R"(400 {"message":"'mailbox' parameter is missing","code":"mailbox_missing"})");
    BOOST_TEST(text(post("mailbox=bob"))
               == R"(400 {"message":"'password' parameter is missing","code":"password_missing"})");
    BOOST_TEST(text(put("alice", ""))
               == R"(400 {"message":"'password' parameter is missing","code":"password_missing"})");
    BOOST_TEST(text(post("mailbox=Alice&password=secret"))
               == R"(409 {"message":"Mailbox already exists: alice@)" + domain.name()
                      + R"(","code":"mailbox_exists"})");
    BOOST_TEST(text(put("Bob", "password=secret"))
               == R"(404 {"message":"Mailbox not found: bob@)" + domain.name()
                      + R"(","code":"mailbox_not_found"})");
    BOOST_TEST(text(serve({"GET", "/"})) == R"(404 {"message":"Not found","code":"not_found"})");
    BOOST_TEST(
        text(serve({"GET", "/absent.example/mailboxes"}))
        == R"(404 {"message":"Domain not found: absent.example","code":"domain_not_found"})");
    BOOST_TEST(text(serve({"GET", collection()}, ""))
               == R"(401 {"message":"Forbidden","code":"unauthorized"})");
    BOOST_TEST(get("?limit=x").body.find("'limit' parameter must be a whole number from 0 to 1000")
               != std::string::npos);
    BOOST_TEST(get("?skip=x").body.find(
                   "'skip' parameter must be a whole number from 0 to 9223372036854775807")
               != std::string::npos);
}

BOOST_DATA_TEST_CASE_F(Served, a_domain_that_none_can_have,
                       data::make({"-", "a..b", "a_b", "%20", "%C3%A9", "%01", "a%22b", "%5C"}),
                       name)
{
    const auto answer = serve({"GET", "/" + std::string{name} + "/mailboxes"});
    BOOST_TEST(outcome(answer) == "404 domain_not_found");
    BOOST_TEST(text(answer).find('\x01') == std::string::npos);
}

// --- keys ------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_call_without_a_valid_key_is_refused, Alice)
{
    for (const auto& authorization :
         {std::string{}, basic("api:"), basic("api:" + api_key::Key::generate().text()),
          basic("user:" + key.text()), basic("api:key-3ax6xnjp29jd6fds4gc373sgvjxteol0"),
          std::string{"Bearer "} + key.text()}) {
        for (const auto& call : {Call{"GET", collection()}, Call{"HEAD", collection()},
                                 Call{"POST", collection(), kForm, "mailbox=bob&password=secret"},
                                 Call{"PUT", item("alice"), kForm, "password=secret"},
                                 Call{"DELETE", item("alice")}}) {
            const auto answer = serve(call, authorization);
            BOOST_TEST(outcome(answer) == "401 unauthorized");
            BOOST_TEST(answer.extra_header == "WWW-Authenticate: Basic realm=\"mailboxes\"");
        }
    }
    check_untouched();
}

// The public part alone grants nothing, because every log line has it.
BOOST_FIXTURE_TEST_CASE(a_key_with_the_right_id_and_another_secret, Alice)
{
    database.execute("UPDATE api_key SET hash = ? WHERE id = ?",
                     {api_key::Key::generate().sha256(), key.id()});
    for (const auto& call :
         {Call{"GET", collection()}, Call{"HEAD", collection()},
          Call{"GET", collection() + "?limit=0"}, Call{"GET", collection() + "?skip=5"},
          Call{"POST", collection(), kForm, "mailbox=bob&password=secret"},
          Call{"PUT", item("alice"), kForm, "password=secret"}, Call{"DELETE", item("alice")}}) {
        BOOST_TEST(outcome(serve(call)) == "401 unauthorized", call.method << ' ' << call.target);
    }
    check_untouched();
}

// A caller without a valid key does not learn about mistakes in the request.
BOOST_FIXTURE_TEST_CASE(a_caller_without_a_valid_key_learns_nothing_else, Alice)
{
    const auto wrong = basic("api:" + api_key::Key::generate().text());
    for (const auto& call :
         {Call{"GET", collection() + "?limit=x"}, Call{"GET", "/absent.example/mailboxes"},
          Call{"GET", "/a..b/mailboxes"}, Call{"POST", collection(), "text/plain", "x"},
          Call{"PUT", item("a..b"), kForm, ""}, Call{"DELETE", item("bob")}}) {
        BOOST_TEST(outcome(serve(call, wrong)) == "401 unauthorized",
                   call.method << ' ' << call.target);
    }
}

// --- cached pages ---------------------------------------------------------------

// Two workers, each with its own connection and its own pages.
struct TwoWorkers : Alice {
    db::Session session_of_second{config.db, config.db.password(), config};
    api::Api second{config, session_of_second};

    http::Response get_from_second(const api_key::Key& its_key)
    {
        return serve_by(second, {"GET", collection()}, basic("api:" + its_key.text()));
    }
    http::Response get_from_second() { return get_from_second(key); }
    bool second_lists(std::string_view text)
    {
        return get_from_second().body.find(text) != std::string::npos;
    }
    // A change that does not change the domain's version, so a cached page is recognized.
    void change_in_secret()
    {
        database.execute(
            "UPDATE mailbox SET created_at = 4711 WHERE domain_id = ? AND local_part = 'alice'",
            {domain_id});
    }
};

BOOST_FIXTURE_TEST_CASE(a_page_is_kept_while_its_domain_stays_as_it_is, TwoWorkers)
{
    BOOST_TEST(outcome(get_from_second()) == "200");
    change_in_secret();
    BOOST_TEST(!second_lists("1970"));
    database.execute("UPDATE domain SET last_id = last_id WHERE id = ?", {domain_id});
    BOOST_TEST(second_lists("1970"));
}

BOOST_FIXTURE_TEST_CASE(nothing_is_kept_where_the_configuration_says_so, TwoWorkers)
{
    auto keeping_nothing = config;
    keeping_nothing.kept_pages = 0;
    api::Api third{keeping_nothing, session};
    const auto get_from_third = [&] {
        return serve_by(third, {"GET", collection()}, basic("api:" + key.text()));
    };
    BOOST_TEST(outcome(get_from_third()) == "200");
    change_in_secret();
    BOOST_TEST(get_from_third().body.find("1970") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_kept_page_hides_no_change_of_another_worker, TwoWorkers)
{
    BOOST_TEST(second_lists("alice@"));
    post("mailbox=bob&password=secret");
    BOOST_TEST(second_lists("bob@"));
    BOOST_TEST(second_lists("\"total_count\":2"));
    post("mailbox=carol&password=secret&mailbox=dave&password=secret");
    BOOST_TEST(second_lists("dave@"));
    database.execute(
        "INSERT INTO mailbox_usage (username, bytes) VALUES (CONCAT(?, '@', ?), 12345)",
        {storage_id("carol"), domain.name()});
    BOOST_TEST(second_lists("12345"));
    database.execute("UPDATE mailbox_usage SET bytes = 54321 WHERE storage_id = ?",
                     {storage_id("carol")});
    BOOST_TEST(second_lists("54321"));
    remove("alice");
    BOOST_TEST(!second_lists("alice@"));
    for (const auto* name : {"bob", "carol", "dave"}) remove(name);
    BOOST_TEST(text(get_from_second()) == R"(200 {"total_count":0,"items":[]})");
}

BOOST_FIXTURE_TEST_CASE(a_kept_page_is_for_its_key_alone, TwoWorkers)
{
    BOOST_TEST(outcome(get_from_second()) == "200");
    Alice other;
    BOOST_TEST(outcome(get_from_second(other.key)) == "404 domain_not_found");
    // The key's id exists with another secret.
    database.execute("UPDATE api_key SET hash = REVERSE(hash) WHERE id = ?", {key.id()});
    BOOST_TEST(outcome(get_from_second()) == "401 unauthorized");
}

struct End : support::Row {
    db::Statement statement;
    std::string outcome;
};

const End kEnds[] = {
    {"the key is revoked", "UPDATE api_key SET revoked_at = 1 WHERE id = ?", "401 unauthorized"},
    {"the key has expired", "UPDATE api_key SET expires_at = UNIX_TIMESTAMP() WHERE id = ?",
     "401 unauthorized"},
    {"the key is from elsewhere only",
     "UPDATE api_key SET addresses = '203.0.113.0/24' WHERE id = ?", "401 unauthorized"},
    {"the key is gone", "DELETE FROM api_key WHERE id = ?", "401 unauthorized"},
    {"the account may not",
     "UPDATE account SET state = 'no_login' WHERE id = (SELECT account_id FROM api_key WHERE id = ?)",
     "403 suspended"},
};

BOOST_DATA_TEST_CASE_F(TwoWorkers, a_kept_page_is_for_who_may_still, data::make(kEnds), row)
{
    BOOST_TEST(outcome(get_from_second()) == "200");
    BOOST_TEST(outcome(get_from_second()) == "200");
    database.execute(row.statement, {key.id()});
    BOOST_TEST(outcome(get_from_second()) == row.outcome);
}

BOOST_FIXTURE_TEST_CASE(a_kept_page_is_not_for_a_key_that_is_narrowed_to_another_domain, TwoWorkers)
{
    BOOST_TEST(outcome(get_from_second()) == "200");
    const auto domains = database.number("SELECT account_id FROM domain WHERE id = ?", {domain_id});
    database.execute(
        "INSERT INTO domain (account_id, name, created_at) VALUES (?, CONCAT('other-', ?), 1)",
        {domains, domain.name()});
    database.execute(
        "UPDATE api_key SET domain_id = (SELECT id FROM domain WHERE name = CONCAT('other-', ?)) WHERE id = ?",
        {domain.name(), key.id()});
    BOOST_TEST(outcome(get_from_second()) == "404 domain_not_found");
}

// The new domain is another one, and its counter begins again.
BOOST_FIXTURE_TEST_CASE(a_kept_page_is_not_of_a_domain_that_was_removed_and_is_there_again,
                        TwoWorkers)
{
    const auto version = database.number("SELECT version FROM domain WHERE id = ?", {domain_id});
    BOOST_TEST(second_lists("alice@"));
    const auto its_account =
        database.number("SELECT account_id FROM domain WHERE id = ?", {domain_id});
    database.execute("DELETE FROM mailbox WHERE domain_id = ?", {domain_id});
    database.execute("DELETE FROM domain WHERE id = ?", {domain_id});
    BOOST_TEST(outcome(get_from_second()) == "404 domain_not_found");
    database.execute(
        "INSERT INTO domain (account_id, name, created_at, version) VALUES (?, ?, 1, ?)",
        {its_account, domain.name(), version});
    BOOST_TEST(text(get_from_second()) == R"(200 {"total_count":0,"items":[]})");
}

BOOST_FIXTURE_TEST_CASE(a_key_may_read_only, Alice)
{
    database.execute("UPDATE api_key SET read_only = 1 WHERE id = ?", {key.id()});
    BOOST_TEST(outcome(get()) == "200");
    BOOST_TEST(outcome(get("?skip=5")) == "200");
    BOOST_TEST(outcome(post("mailbox=bob&password=secret")) == "403 read_only");
    BOOST_TEST(outcome(put("alice", "password=secret")) == "403 read_only");
    BOOST_TEST(outcome(remove("alice")) == "403 read_only");
    check_untouched();
}

BOOST_DATA_TEST_CASE_F(Alice, an_account_is_suspended, data::make({"no_login", "disabled"}), state)
{
    database.execute("UPDATE account SET state = ? WHERE name = ?", {state, account});
    for (const auto& answer : {get(), get("?limit=x"), post("mailbox=bob&password=secret"),
                               put("alice", "password=secret"), remove("alice"),
                               serve({"GET", "/absent.example/mailboxes"})}) {
        BOOST_TEST(outcome(answer) == "403 suspended");
    }
    check_untouched();
}

BOOST_DATA_TEST_CASE_F(Alice, a_domain_is_suspended, data::make({"no_login", "disabled"}), state)
{
    database.execute("UPDATE domain SET state = ? WHERE id = ?", {state, domain_id});
    BOOST_TEST(outcome(get()) == "200");
    BOOST_TEST(outcome(get("?skip=5")) == "200");
    BOOST_TEST(outcome(post("mailbox=bob&password=secret")) == "403 suspended");
    BOOST_TEST(outcome(put("alice", "password=secret")) == "403 suspended");
    BOOST_TEST(outcome(remove("alice")) == "403 suspended");
    check_untouched();
}

BOOST_FIXTURE_TEST_CASE(a_key_from_some_addresses, Alice)
{
    database.execute("UPDATE api_key SET addresses = '192.0.2.0/24 2001:db8::/32' WHERE id = ?",
                     {key.id()});
    for (const auto* const right : {"192.0.2.1", "2001:db8::5", "::ffff:192.0.2.9"}) {
        client = right;
        BOOST_TEST(outcome(get()) == "200", right);
    }
    for (const auto* const wrong : {"198.51.100.1", "2001:db9::5", "", "unix:"}) {
        client = wrong;
        BOOST_TEST(outcome(get()) == "401 unauthorized", wrong);
        BOOST_TEST(outcome(remove("alice")) == "401 unauthorized", wrong);
    }
    check_untouched();
}

// The answers are the same; the log lines differ.
BOOST_FIXTURE_TEST_CASE(a_domain_that_is_not_ours_is_a_domain_that_is_not, Alice)
{
    Alice other;
    const auto name = other.domain.name();
    for (const auto& call :
         {Call{"GET", "/" + name + "/mailboxes"},
          Call{"POST", "/" + name + "/mailboxes", kForm, "mailbox=bob&password=secret"},
          Call{"DELETE", "/" + name + "/mailboxes/alice"}}) {
        BOOST_TEST(text(serve(call))
                   == R"(404 {"message":"Domain not found: )" + name
                          + R"(","code":"domain_not_found"})");
        BOOST_TEST(trace.detail == "foreign-domain");
    }
    BOOST_TEST(outcome(serve({"GET", "/absent.example/mailboxes"})) == "404 domain_not_found");
    BOOST_TEST(trace.detail == "unknown-domain");
    other.check_untouched();
}

BOOST_FIXTURE_TEST_CASE(the_trace_has_no_secret, Alice)
{
    serve({"PUT", item("alice"), kForm, "password=Zq7Xw9Kv3"});
    BOOST_TEST(trace.key_id == key.id());
    BOOST_TEST(trace.route == "/<domain>/mailboxes/<mailbox>");
    BOOST_TEST(trace.detail == "");
    get();
    BOOST_TEST(trace.route == "/<domain>/mailboxes");
    serve({"GET", "/x"});
    BOOST_TEST(trace.route == "-");
    BOOST_TEST(trace.key_id == "");
}

// --- failures -------------------------------------------------------------

// The API without a database. Refusals that need no database stay the same.
struct Absent {
    http::Response serve(const Call& call, const std::string& authorization)
    {
        turn::Alone turn;
        return api.serve({.method = call.method,
                          .target = call.target,
                          .authorization = authorization,
                          .content_type = call.type,
                          .client = "192.0.2.1",
                          .body = Secret{call.body}},
                         trace, turn);
    }
    http::Response serve(const Call& call)
    {
        return serve(call, basic("api:" + api_key::Key::generate().text()));
    }

    support::Directory directory;
    support::Stderr standard_error;
    Config config = [this] {
        Config absent;
        absent.db.socket = directory.path("absent.sock");
        return absent;
    }();
    db::Session session{config.db, "", config};
    api::Api api{config, session};
    api::Trace trace;
};

BOOST_FIXTURE_TEST_CASE(without_a_database_every_call_is_for_later, Absent)
{
    for (const auto& call :
         {Call{"GET", "/e.org/mailboxes"}, Call{"GET", "/e.org/mailboxes?limit=x"},
          Call{"HEAD", "/e.org/mailboxes"},
          Call{"POST", "/e.org/mailboxes", kForm, "mailbox=alice&password=Zq7Xw9Kv3"},
          Call{"PUT", "/e.org/mailboxes/alice", kForm, "password=Zq7Xw9Kv3"},
          Call{"DELETE", "/e.org/mailboxes/alice"}}) {
        const auto answer = serve(call);
        BOOST_TEST(text(answer)
                   == R"(503 {"message":"Temporarily unavailable","code":"unavailable"})");
        BOOST_TEST(answer.extra_header.starts_with("Retry-After: "));
        BOOST_TEST(answer.worker_is_sound);
    }
    for (const auto& line : standard_error.take()) {
        BOOST_TEST(
            (line.starts_with("error database ") || line.starts_with("info transaction-repeated ")),
            line);
        BOOST_TEST(line.find("Zq7Xw9Kv3") == std::string::npos, line);
    }
}

BOOST_FIXTURE_TEST_CASE(without_a_database_some_refusals_stay, Absent)
{
    BOOST_TEST(outcome(serve({"GET", "/x"})) == "404 not_found");
    BOOST_TEST(outcome(serve({"GET", "/e.org/mailboxes/a%"})) == "400 bad_encoding");
    BOOST_TEST(outcome(serve({"PATCH", "/e.org/mailboxes"})) == "405 method_not_allowed");
    BOOST_TEST(outcome(serve({"GET", "/e.org/mailboxes"}, "")) == "401 unauthorized");
    BOOST_TEST(outcome(serve({"GET", "/e.org/mailboxes"}, basic("api:" + std::string(53, 'a'))))
               == "401 unauthorized");
    BOOST_TEST(standard_error.take() == Strings{}, per_element());
}

// The database answers, but the table that every change needs is missing.
BOOST_AUTO_TEST_CASE(a_database_that_refuses_says_nothing_of_itself)
{
    database::Database own;
    database::Tenant tenant{own};
    own.run("DROP TABLE audit_log");
    const support::Stderr standard_error;
    api::Api api{own.config(), tenant.session};
    api::Trace trace;
    const auto target = "/" + tenant.domain.name() + "/mailboxes";
    const auto authorization = basic("api:" + tenant.key.text());
    turn::Alone turn;
    const auto answer = api.serve({.method = "POST",
                                   .target = target,
                                   .authorization = authorization,
                                   .content_type = "",
                                   .client = "192.0.2.1",
                                   .body = Secret{"mailbox=alice&password=secret"}},
                                  trace, turn);
    BOOST_TEST(text(answer) == R"(503 {"message":"Temporarily unavailable","code":"unavailable"})");
    BOOST_TEST(tenant.rows() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_fault_of_ours_ends_the_worker, Alice)
{
    config.argon2_memory_kib = std::size_t{1} << 50;  // cannot be had
    const auto answer = post("mailbox=bob&password=Zq7Xw9Kv3");
    BOOST_TEST(text(answer) == R"(500 {"message":"Internal error","code":"internal_error"})");
    BOOST_TEST(!answer.worker_is_sound);
    const auto log = standard_error.take();
    BOOST_TEST_REQUIRE(log.size() == 1U);
    BOOST_TEST(log[0].starts_with("error fault route="), log[0]);
    BOOST_TEST(log[0].find("Zq7Xw9Kv3") == std::string::npos);
    check_untouched();
}

// Every request is answered: nothing throws, and no byte breaks the JSON.
BOOST_FIXTURE_TEST_CASE(every_byte_everywhere_is_answered, Alice)
{
    for (int byte = 0; byte < 256; ++byte) {
        const std::string c(1, static_cast<char>(byte));
        for (const auto& call :
             {Call{"GET", "/" + c + "/mailboxes"}, Call{"G" + c, collection()},
              Call{"GET", collection() + "?" + c + "=" + c}, Call{"DELETE", item("b" + c)},
              Call{"PUT", item("alice"), c, "x" + c}, Call{"PUT", item("alice"), kJson, c},
              Call{"PUT", item("alice"), "multipart/form-data; boundary=" + c, "--" + c + "--"},
              Call{"POST", collection(), "", "mailbox=b" + c + "&password="}}) {
            const auto answer = serve(call);
            text(answer);
            BOOST_TEST(answer.status < 500);
            BOOST_TEST(answer.body.front() == '{');
            BOOST_TEST(strings::is_utf8(answer.body));
            BOOST_TEST(answer.body.find_first_of(bytes("\0\x01\x1F\t\r")) == std::string::npos);
        }
    }
    check_untouched();
}

BOOST_FIXTURE_TEST_CASE(how_the_service_is, Served)
{
    for (const char* method : {"GET", "HEAD", "POST"}) {
        BOOST_TEST(text(serve({method, "/healthz"}, "")) == R"(200 {"message":"Alive"})");
        BOOST_TEST(trace.route == "/healthz");
        BOOST_TEST(text(serve({method, "/readyz"}, "")) == R"(200 {"message":"Ready"})");
        BOOST_TEST(trace.route == "/readyz");
    }
    for (const char* other : {"/healthz/", "/v3/healthz", "/readyz?x", "/readyz/write", "readyz"}) {
        const auto answer = outcome(serve({"GET", other}));
        BOOST_TEST((answer == "404 not_found" || answer == "400 bad_path"),
                   other << ": " << answer);
    }
    BOOST_TEST(standard_error.take().empty());
}

BOOST_FIXTURE_TEST_CASE(how_the_service_is_without_its_database, Served)
{
    auto absent = config;
    absent.db.socket = "/nonexistent/mysqld.sock";
    db::Session nowhere{absent.db, "", absent};
    api::Api server{absent, nowhere};
    BOOST_TEST(text(serve_by(server, {"GET", "/healthz"}, "")) == R"(200 {"message":"Alive"})");
    BOOST_TEST(outcome(serve_by(server, {"GET", "/readyz"}, "")) == "503 database_absent");
}

BOOST_AUTO_TEST_SUITE_END()
