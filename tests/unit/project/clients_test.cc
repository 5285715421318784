// clients_test.cc - SMTP credentials and domains, called through serve() as published libraries
// call them, on the real tables. They are the same mailboxes under other paths.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <set>

#include "base/json.h"
#include "db/accounts.h"
#include "mail/api_key.h"
#include "mailboxd/routes.h"
#include "support/served.h"
#include "support/sources.h"

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;
using namespace served;

namespace {

std::string multipart(const std::vector<std::pair<std::string, std::string>>& fields,
                      const std::string& more = "")
{
    std::string body;
    for (const auto& [name, value] : fields) {
        body += "--b0\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n" + more + "\r\n"
                + value + "\r\n";
    }
    return body + "--b0--\r\n";
}

// What a library sends for its calls, according to its source. {D} stands for the domain.
struct Library : support::Row {
    std::string type;
    std::string created;  // the body of POST
    std::string changed;  // the body of PUT
    std::string deleted;  // the body of DELETE
    std::string name;     // in the path
};

const std::string kMultipart = "multipart/form-data; boundary=b0";

const Library kLibraries[] = {
    {"mailgun.js", kMultipart, multipart({{"login", "bob@{D}"}, {"password", "secret"}}),
     multipart({{"password", "another"}}), "", "bob@{D}"},
    {"mailgun-js-boland", "application/x-www-form-urlencoded", "login=bob%40{D}&password=secret",
     "password=another", "", "bob"},
    {"mailgun-go", kForm, "login=bob&password=secret", "password=another", "", "bob"},
    {"mailgun-python, by requests", kForm, "login=bob%40{D}&password=secret", "password=another",
     "", "bob%40{D}"},
    {"mailgun-php, by php-http", "multipart/form-data; boundary=\"b0\"",
     multipart({{"login", "bob"}, {"password", "secret"}}, "Content-Length: 6\r\n"),
     multipart({{"password", "another"}}, "Content-Length: 7\r\n"), "--b0--\r\n", "bob@{D}"},
    {"mailgun-ruby, by Faraday", kForm, "login=bob&password=secret", "password=another", "", "bob"},
    {"mailgun-java, by Feign", "multipart/form-data; charset=UTF-8; boundary=b0",
     multipart({{"login", "bob@{D}"}, {"password", "secret"}},
               "Content-Type: text/plain; charset=UTF-8\r\n"),
     multipart({{"password", "another"}}, "Content-Type: text/plain; charset=UTF-8\r\n"), "",
     "bob@{D}"},
    {"C#, by RestSharp, as the samples have it", kForm, "login=bob%40{D}&password=secret",
     "password=another", "", "bob"},
    {"WWW::Mailgun, by LWP", "multipart/form-data; boundary=b0",
     multipart({{"login", "bob"}, {"password", "secret"}}), multipart({{"password", "another"}}),
     "", "bob"},
};

struct Credentials : Served {
    Credentials() { store.create(grant(), {mailbox("alice")}, actor); }

    std::string path(const std::string& base = "/v3") const
    {
        return base + "/domains/" + domain.name() + "/credentials";
    }
    http::Response post(const std::string& body, const std::string& type = kForm)
    {
        return serve({"POST", path(), type, target(body)});
    }
    http::Response put(const std::string& name, const std::string& body,
                       const std::string& type = kForm)
    {
        return serve({"PUT", path() + "/" + target(name), type, target(body)});
    }
    std::string address(const std::string& name) const { return name + "@" + domain.name(); }
    void allow_delete_all()
    {
        admin::Admin{connection}.set_domain(domain, "allow_delete_all", "yes");
    }
    void check_untouched()
    {
        BOOST_TEST(names() == Strings{"alice"}, per_element());
        BOOST_TEST(password("alice") == "{PLAIN}first");
    }

    db::Connection connection{database.connect()};
};

// Returns the password that an answer has for an address.
std::string given(const http::Response& answer, const std::string& address)
{
    const auto read = json::parse(answer.body);
    for (const auto& [name, value] : read ? read->members : std::vector<json::Member>{}) {
        for (const auto& [login, secret] : value.members) {
            if (name == "credentials" && login == address) return secret.text;
        }
    }
    return {};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(clients)

BOOST_DATA_TEST_CASE_F(Credentials, a_librarys_calls_are_answered, data::make(kLibraries), row)
{
    BOOST_TEST(text(post(row.created, row.type))
               == R"j(200 {"message":"Created 1 credentials pair(s)"})j");
    BOOST_TEST(has_password("bob", "secret"));
    BOOST_TEST(text(put(row.name, row.changed, row.type))
               == R"(200 {"message":"Password changed"})");
    BOOST_TEST(has_password("bob", "another"));
    BOOST_TEST(text(serve({"DELETE", path() + "/" + target(row.name),
                           row.deleted.empty() ? "" : row.type, row.deleted}))
               == R"(200 {"message":"Credentials have been deleted","spec":")" + address("bob")
                      + R"("})");
    check_untouched();
}

BOOST_DATA_TEST_CASE_F(Credentials, the_same_mailboxes_under_every_base,
                       data::make({"", "/v2", "/v3", "/v4"}), base)
{
    database.execute(
        "UPDATE mailbox SET created_at = 1317155062, size_bytes = 17 WHERE domain_id = ?",
        {domain_id});
    const auto expected =
        R"(200 {"total_count":1,"items":[{"size_bytes":17,"created_at":"Tue, 27 Sep 2011 20:24:22 GMT","mailbox":")"
        + address("alice") + R"(","login":")" + address("alice") + R"("}]})";
    for (const auto* query : {"", "/", "?limit=100", "?limit=1&skip=0"})
        BOOST_TEST(text(serve({"GET", path(base) + query})) == expected);
    BOOST_TEST(text(serve({"GET", path(base) + "?skip=1"}))
               == R"(200 {"total_count":1,"items":[]})");
    BOOST_TEST(outcome(serve({"HEAD", path(base)})) == "200");
    BOOST_TEST(text(serve({"DELETE", path(base) + "/alice"}))
               == R"(200 {"message":"Credentials have been deleted","spec":")" + address("alice")
                      + R"("})");
}

// A page of one list that a worker has cached must not answer the other list.
BOOST_FIXTURE_TEST_CASE(each_list_has_its_own_form, Credentials)
{
    for (int i = 0; i < 2; ++i) {
        BOOST_TEST(get().body.find("login") == std::string::npos);
        BOOST_TEST(serve({"GET", path()}).body.find("login") != std::string::npos);
    }
}

BOOST_FIXTURE_TEST_CASE(each_api_sees_the_others_changes, Credentials)
{
    BOOST_TEST(outcome(post("login=bob&password=secret")) == "200");
    BOOST_TEST(get().body.find(address("bob")) != std::string::npos);
    BOOST_TEST(outcome(Served::put("bob", "password=another")) == "200");
    BOOST_TEST(has_password("bob", "another"));
    BOOST_TEST(outcome(post("login=bob&password=secret")) == "409 mailbox_exists");
    BOOST_TEST(outcome(remove("bob")) == "200");
    BOOST_TEST(outcome(put("bob", "password=secret")) == "404 mailbox_not_found");
}

// --- generated passwords ------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_password_is_made_where_none_is_given, Credentials)
{
    const auto answer = post("login=bob");
    const auto password = given(answer, address("bob"));
    BOOST_TEST(
        text(answer)
        == R"j(200 {"message":"Created 1 credentials pair(s)","note":"Keep these passwords: they are not shown again.","credentials":{")j"
               + address("bob") + R"(":")" + password + R"("}})");
    BOOST_TEST(password.size() == 24U);
    BOOST_TEST(has_password("bob", password));

    const auto changed = put("bob", "");
    const auto another = given(changed, address("bob"));
    BOOST_TEST(text(changed).starts_with(R"(200 {"message":"Password changed","note":)"));
    BOOST_TEST(another != password);
    BOOST_TEST(has_password("bob", another));
    for (const auto& line : standard_error.take())
        BOOST_TEST(line.find(password) == std::string::npos, line);
}

BOOST_FIXTURE_TEST_CASE(a_password_is_made_for_each_of_many, Credentials)
{
    const auto answer = post(R"([{"login":"bob"},{"login":"carol"}])", kJson);
    BOOST_TEST(text(answer).starts_with(R"j(200 {"message":"Created 2 credentials pair(s)")j"));
    for (const auto* name : {"bob", "carol"})
        BOOST_TEST(has_password(name, given(answer, address(name))));
    BOOST_TEST(given(answer, address("bob")) != given(answer, address("carol")));
}

BOOST_DATA_TEST_CASE_F(Credentials, a_password_that_is_made_keeps_to_the_rule,
                       data::make({5, 8, 24, 40, 128}) ^ data::make({5, 10, 128, 64, 128}), least,
                       most)
{
    config.min_password = static_cast<std::size_t>(least);
    config.max_password = static_cast<std::size_t>(most);
    const auto password = given(post("login=bob"), address("bob"));
    BOOST_TEST(password.size() >= config.min_password);
    BOOST_TEST(password.size() <= config.max_password);
}

// --- refusals -------------------------------------------------------------------------------

namespace {

const Refused kPosts[] = {
    {"nothing", {"POST", "", kForm, ""}, "400 mailbox_missing"},
    {"no login", {"POST", "", kForm, "password=secret"}, "400 mailbox_missing"},
    {"both names of it",
     {"POST", "", kForm, "login=bob&mailbox=bob&password=secret"},
     "400 bad_parameter"},
    {"an empty login", {"POST", "", kForm, "login=&password=secret"}, "400 bad_mailbox"},
    {"an empty password is no absent one",
     {"POST", "", kForm, "login=bob&password="},
     "400 bad_password"},
    {"another domain's", {"POST", "", kForm, "login=bob@example.com"}, "400 bad_mailbox"},
    {"two logins, one password",
     {"POST", "", kForm, "login=bob&login=carol&password=secret"},
     "400 bad_parameter"},
    {"a login twice", {"POST", "", kForm, "login=bob&login=BOB"}, "400 bad_parameter"},
    {"login in the query and in the body",
     {"POST", "?login=bob", kForm, "login=bob&password=secret"},
     "400 bad_parameter"},
    {"login in the query only",
     {"POST", "?login=bob", kForm, "password=secret"},
     "400 mailbox_missing"},
    {"password in the query",
     {"POST", "?password=secret", kForm, "login=bob"},
     "400 password_in_url"},
    {"a login that is no text", {"POST", "", kJson, R"({"login":1})"}, "400 bad_json"},
    {"an array, one without its login",
     {"POST", "", kJson, R"([{"login":"bob"},{"password":"secret"}])"},
     "400 bad_json"},
    {"an array, one without its password",
     {"POST", "", kJson, R"([{"login":"bob","password":"secret"},{"login":"carol"}])"},
     "400 bad_parameter"},
    {"an array with both names",
     {"POST", "", kJson, R"([{"login":"bob"},{"mailbox":"carol"}])"},
     "400 bad_parameter"},
    {"an unknown type", {"POST", "", "text/plain", "login=bob"}, "415 unsupported_type"},
    {"taken", {"POST", "", kForm, "login=alice"}, "409 mailbox_exists"},
    // Otherwise the misspelt password would be ignored and another one generated.
    {"a misspelt password", {"POST", "", kForm, "login=bob&pasword=secret"}, "400 bad_parameter"},
    {"a misspelt password in JSON",
     {"POST", "", kJson, R"([{"login":"bob","Password":"secret"}])"},
     "400 bad_parameter"},
    {"an unknown parameter in the query and no password",
     {"POST", "?pass=secret", kForm, "login=bob"},
     "400 bad_parameter"},
};

const Refused kOthers[] = {
    {"a login of another domain",
     {"PUT", "/alice@example.com", kForm, "password=secret"},
     "400 bad_mailbox"},
    {"a password twice",
     {"PUT", "/alice", kForm, "password=secret&password=secret"},
     "400 bad_parameter"},
    {"too short a password", {"PUT", "/alice", kForm, "password=abcd"}, "400 bad_password"},
    {"not there", {"PUT", "/bob", kForm, ""}, "404 mailbox_not_found"},
    {"not there to delete", {"DELETE", "/bob"}, "404 mailbox_not_found"},
    {"a slash after a login", {"DELETE", "/alice/"}, "404 not_found"},
    {"two slashes", {"DELETE", "//"}, "404 not_found"},
    {"more than a login", {"GET", "/alice/x"}, "404 not_found"},
    {"all, which the domain does not allow", {"DELETE", ""}, "405 method_not_allowed"},
    {"all, with a slash", {"DELETE", "/"}, "405 method_not_allowed"},
    {"GET of a login", {"GET", "/alice"}, "405 method_not_allowed"},
    {"PUT of all", {"PUT", ""}, "405 method_not_allowed"},
    {"a wrong limit", {"GET", "?limit=x"}, "400 bad_limit"},
    {"a misspelt password, where one would be made",
     {"PUT", "/alice", kForm, "new_password=secret"},
     "400 bad_parameter"},
    {"a misspelt password in JSON",
     {"PUT", "/alice", kJson, R"({"passwd":"secret"})"},
     "400 bad_parameter"},
    {"an unknown parameter in the query and no password",
     {"PUT", "/alice?force=1", kForm, ""},
     "400 bad_parameter"},
    {"another login than the path's",
     {"PUT", "/alice", kForm, "login=bob&password=secret"},
     "400 bad_parameter"},
    {"another login than the path's, to delete",
     {"DELETE", "/alice?login=bob"},
     "400 bad_parameter"},
    {"another mailbox than the path's, to delete",
     {"DELETE", "/alice", kJson, R"({"mailbox":"bob"})"},
     "400 bad_parameter"},
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Credentials, a_post_is_refused, data::make(kPosts), row)
{
    BOOST_TEST(
        outcome(serve({"POST", path() + row.call.target, row.call.type, target(row.call.body)}))
        == row.outcome);
    check_untouched();
}

BOOST_DATA_TEST_CASE_F(Credentials, a_call_is_refused, data::make(kOthers), row)
{
    BOOST_TEST(
        outcome(serve({row.call.method, path() + row.call.target, row.call.type, row.call.body}))
        == row.outcome);
    check_untouched();
}

BOOST_FIXTURE_TEST_CASE(a_sentence_names_the_parameter_that_was_meant, Credentials)
{
    BOOST_TEST(text(post(""))
               == R"(400 {"message":"'login' parameter is missing","code":"mailbox_missing"})");
    BOOST_TEST(text(post("login=a..b")).find("'login' parameter is not valid: a dot")
               != std::string::npos);
    BOOST_TEST(text(post("mailbox=a..b")).find("'mailbox' parameter is not valid: a dot")
               != std::string::npos);
    BOOST_TEST(text(put("a..b", "")).find("'login' parameter is not valid: a dot")
               != std::string::npos);
}

// The Mailboxes API has no parameter `login` and generates no passwords.
BOOST_FIXTURE_TEST_CASE(the_other_api_stays_as_it_is, Credentials)
{
    BOOST_TEST(outcome(Served::post("login=bob&password=secret")) == "400 mailbox_missing");
    BOOST_TEST(outcome(Served::post("mailbox=bob&login=carol&password=secret")) == "200");
    BOOST_TEST(outcome(Served::post(R"({"mailbox":"dave","password":"secret","login":1})", kJson))
               == "200");
    BOOST_TEST(outcome(Served::put("bob", "")) == "400 password_missing");
    allow_delete_all();
    BOOST_TEST(outcome(serve({"DELETE", collection()})) == "405 method_not_allowed");
    BOOST_TEST(names() == (Strings{"alice", "bob", "dave"}), per_element());
}

// --- deleting all -----------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(all_are_deleted_where_the_domain_allows_it, Credentials)
{
    BOOST_TEST(outcome(post("login=bob&password=secret")) == "200");
    allow_delete_all();
    BOOST_TEST(outcome(serve({"DELETE", path() + "/"}))
               == "405 method_not_allowed");         // perhaps a login that is empty by mistake
    for (const auto* name : {"login", "mailbox"}) {  // this means one mailbox, not all
        BOOST_TEST(outcome(serve({"DELETE", path() + "?" + name + "=bob"})) == "400 bad_parameter");
        BOOST_TEST(outcome(serve({"DELETE", path(), kForm, std::string{name} + "=bob"}))
                   == "400 bad_parameter");
        BOOST_TEST(
            outcome(serve({"DELETE", path(), kJson, std::string{"{\""} + name + "\":\"bob\"}"}))
            == "400 bad_parameter");
    }
    // Unknown selectors are refused, because all would be deleted instead of the selected ones.
    for (const auto* name : {"spec", "Login", "logins[]", "login[]", "mailbox[0]", "mailbox[x]",
                             "user", "limit", "skip", "confirm", "", "%FF", "a%0Ab"}) {
        BOOST_TEST(outcome(serve({"DELETE", path() + "?" + name + "=bob"})) == "400 bad_parameter",
                   name);
        BOOST_TEST(outcome(serve({"DELETE", path() + "?" + name}))
                       == (*name == '\0' ? "200" : "400 bad_parameter"),
                   name);
        if (*name == '\0') BOOST_TEST(outcome(post("login=bob&password=secret")) == "200");
        BOOST_TEST(outcome(serve({"DELETE", path(), kForm, std::string{name} + "=bob"}))
                       == "400 bad_parameter",
                   name);
        BOOST_TEST(outcome(serve({"DELETE", path(), "multipart/form-data; boundary=b0",
                                  multipart({{name, "bob"}})}))
                       == "400 bad_parameter",
                   name);
    }
    BOOST_TEST(outcome(serve({"DELETE", path(), kJson, R"({"spec":"bob"})"}))
               == "400 bad_parameter");
    BOOST_TEST(outcome(serve({"DELETE", path(), kJson, R"([{"login":"bob"}])"})) == "400 bad_json");
    BOOST_TEST(text(serve({"DELETE", path() + "?spec=bob"})).find("'spec'") != std::string::npos);
    if (rows() == 1) BOOST_TEST(outcome(post("login=alice&password=secret")) == "200");
    BOOST_TEST(rows() == 2);
    BOOST_TEST(text(serve({"DELETE", path()}))
               == R"(200 {"message":"All domain credentials have been deleted","count":2})");
    BOOST_TEST(rows() == 0);
    BOOST_TEST(counter() == 0);
    BOOST_TEST(text(serve({"DELETE", path()}))
               == R"(200 {"message":"All domain credentials have been deleted","count":0})");
    admin::Admin{connection}.set_domain(domain, "allow_delete_all", "no");
    BOOST_TEST(outcome(serve({"DELETE", path()})) == "405 method_not_allowed");
}

// The deletions so far stay in effect, and the caller is told that mailboxes are left.
BOOST_FIXTURE_TEST_CASE(a_deletion_that_takes_too_long_says_so, Credentials)
{
    allow_delete_all();
    config.request_deadline = std::chrono::seconds{0};
    const auto answer = serve({"DELETE", path()});
    BOOST_TEST(
        text(answer)
        == R"(503 {"message":"0 credentials have been deleted, and there may be more: send the request again","code":"not_finished"})");
    BOOST_TEST(answer.extra_header == "Retry-After: 1");
    BOOST_TEST(rows() == 1);
}

// --- domains -----------------------------------------------------------------------------------

namespace {

std::string as_json(const std::string& name, bool is_active = true)
{
    return R"({"name":")" + name + R"(","state":")" + (is_active ? "active" : "disabled")
           + R"(","is_disabled":)" + (is_active ? "false" : "true")
           + R"(,"created_at":"Tue, 27 Sep 2011 20:24:22 GMT","type":"custom","wildcard":false,"spam_action":"disabled"})";
}

struct Two : Credentials {
    Two()
    {
        admin::Admin{connection}.add_domain(second, account);
        database.execute("UPDATE domain SET created_at = 1317155062 WHERE name IN (?, ?)",
                         {domain.name(), second.name()});
    }
    mailbox::Domain second = *mailbox::Domain::parse(support::unique("second") + ".example");
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Two, domains_under_every_base, data::make({"", "/v2", "/v3", "/v4"}), base)
{
    const auto list = std::string{base} + "/domains";
    const auto both = as_json(domain.name()) + "," + as_json(second.name());
    for (const auto* query : {"", "/", "?", "?limit=100", "?limit=100&skip=0", "?state=active"}) {
        BOOST_TEST(text(serve({"GET", list + query}))
                   == R"(200 {"total_count":2,"items":[)" + both + "]}");
    }
    BOOST_TEST(text(serve({"GET", list + "?limit=1&skip=1"}))
               == R"(200 {"total_count":2,"items":[)" + as_json(second.name()) + "]}");
    BOOST_TEST(text(serve({"GET", list + "?skip=2"})) == R"(200 {"total_count":2,"items":[]})");
    BOOST_TEST(outcome(serve({"GET", list + "?limit=1001"})) == "400 bad_limit");
    BOOST_TEST(outcome(serve({"HEAD", list})) == "200");
    const auto one = [&](const std::string& query) {
        return text(serve({"GET", list + "/" + second.name() + query}));
    };
    const auto id =
        std::to_string(database.number("SELECT id FROM domain WHERE name = ?", {second.name()}));
    const auto account_id =
        std::to_string(database.number("SELECT id FROM account WHERE name = ?", {account}));
    const auto expected =
        R"(200 {"domain":{"created_at":"Tue, 27 Sep 2011 20:24:22 GMT","id":")" + id
        + R"(","is_disabled":false,"name":")" + second.name()
        + R"(","require_tls":false,"skip_verification":false,"smtp_login":"postmaster@)"
        + second.name()
        + R"(","spam_action":"disabled","state":"active","type":"custom","use_automatic_sender_security":false,"web_prefix":"email","web_scheme":"http","wildcard":false,"subaccount_id":")"
        + account_id
        + R"(","max_mailboxes":null,"quota_bytes":null,"on_duplicate":"reject","allow_delete_all":false,"aliases":0,"max_aliases":null,"system_addresses":true,"forward_outside":false,"mailboxes":0,"size_bytes":0},"receiving_dns_records":[],"sending_dns_records":[{"is_active":false,"cached":[],"record_type":"TXT","valid":"unknown","value":"v=spf1 mx ~all","name":")"
        + second.name()
        + R"("},{"is_active":false,"cached":[],"record_type":"TXT","valid":"unknown","value":"v=DMARC1; p=none; rua=mailto:postmaster@)"
        + second.name() + R"(","name":"_dmarc.)" + second.name() + R"("}]})";
    BOOST_TEST(one("") == expected);
    BOOST_TEST(outcome(serve({"GET", list + "/" + second.name() + "/"})) == "404 not_found");
    BOOST_TEST(one("?h:extended=true") == expected);
    for (const auto* method : {"PUT", "DELETE", "PATCH"})
        BOOST_TEST(serve({method, list}).extra_header == "Allow: GET, HEAD, POST");
    for (const auto* method : {"POST", "PATCH"}) {
        BOOST_TEST(serve({method, list + "/" + second.name()}).extra_header
                   == "Allow: GET, HEAD, PUT, DELETE");
    }
}

// As the original documents these parameters; it ignores the others, too.
BOOST_FIXTURE_TEST_CASE(domains_are_searched_and_sorted, Two)
{
    const auto first = domain.name();
    const auto last = second.name();
    const auto all = [&](const std::string& query) {
        std::vector<std::string> names;
        const auto read = json::parse(serve({"GET", "/v4/domains" + query}).body);
        BOOST_TEST_REQUIRE(read.has_value());
        for (const auto& [name, value] : read->members) {
            for (const auto& [none, item] : value.members) {
                for (const auto& [its_name, its_value] : item.members) {
                    if (its_name == "name") names.push_back(its_value.text);
                }
            }
            if (name == "total_count" && query.find("limit") == std::string::npos)
                names.push_back("of " + value.text);
        }
        return names;
    };
    const auto is = [&](const std::string& query, const Strings& expected) {
        BOOST_TEST_CONTEXT(query) BOOST_TEST(all(query) == expected, per_element());
    };
    std::string capitals = last;
    std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    is("", {"of 2", first, last});
    is("?search=" + last, {"of 1", last});
    is("?search=" + capitals, {"of 1", last});
    is("?search=" + last.substr(0, 12), {"of 1", last});
    is("?search=" + last.substr(2, 8), {"of 0"});  // the name begins with it
    is("?search=", {"of 2", first, last});
    is("?search=nowhere.example", {"of 0"});
    is("?search=%25", {"of 0"});  // no wildcards
    is("?search=_", {"of 0"});
    is("?search=*", {"of 0"});
    is("?search=" + last + "&skip=1", {"of 1"});
    is("?search=" + last + "&limit=0", {});
    is("?search=b%C3%BCcher", {"of 0"});
    is("?state=active", {"of 2", first, last});
    is("?state=disabled", {"of 0"});
    is("?state=unverified", {"of 0"});  // there are none, because the operator adds the domains
    admin::Admin{connection}.set_domain_state(domain, mailbox::State::no_login);
    is("?state=active", {"of 1", last});
    is("?state=disabled", {"of 1", first});
    is("?state=disabled&search=" + last, {"of 0"});
    const bool is_ascending = first < last;
    is("?sort=name", is_ascending ? Strings{"of 2", first, last} : Strings{"of 2", last, first});
    is("?sort=name:asc",
       is_ascending ? Strings{"of 2", first, last} : Strings{"of 2", last, first});
    is("?sort=name%3Adesc",
       is_ascending ? Strings{"of 2", last, first} : Strings{"of 2", first, last});
    is("?sort=name&limit=1&skip=1", {is_ascending ? last : first});
    is("?include_subaccounts=true&x=y", {"of 2", first, last});
    for (const auto* query :
         {"?state=enabled", "?state=", "?sort=created_at", "?sort=name:up",
          "?sort=", "?authority=example.org", "?authority=", "?search=a&search=b",
          "?state=active&state=active", "?search=%FF", "?search=a%00"}) {
        BOOST_TEST(outcome(serve({"GET", std::string{"/v4/domains"} + query}))
                       == "400 bad_parameter",
                   query);
    }
    BOOST_TEST(outcome(serve({"GET", "/v4/domains", kForm, "state=enabled"}))
               == "400 bad_parameter");
    BOOST_TEST(outcome(serve({"GET", "/v4/domains?state=enabled"}, "")) == "401 unauthorized");
}

BOOST_FIXTURE_TEST_CASE(a_key_of_one_domain_sees_that_one, Two)
{
    admin::NewKey wanted;
    wanted.account_id = admin::Admin{connection}.account_id(account);
    wanted.domain = second;
    const auto narrow = admin::Admin{connection}.add_key(wanted);
    const auto as = [&](const std::string& path) {
        return serve({"GET", path}, basic("api:" + narrow.text()));
    };
    BOOST_TEST(text(as("/v3/domains"))
               == R"(200 {"total_count":1,"items":[)" + as_json(second.name()) + "]}");
    BOOST_TEST(outcome(as("/v3/domains/" + second.name())) == "200");
    BOOST_TEST(text(as("/v3/domains/" + domain.name()))
               == R"(404 {"message":"Domain not found: )" + domain.name()
                      + R"(","code":"domain_not_found"})");
    BOOST_TEST(outcome(as("/v3/domains/" + domain.name() + "/credentials"))
               == "404 domain_not_found");
}

BOOST_FIXTURE_TEST_CASE(another_accounts_domains_are_not_seen, Two)
{
    Two other;
    BOOST_TEST(serve({"GET", "/v3/domains"}).body.find(other.domain.name()) == std::string::npos);
    BOOST_TEST(outcome(serve({"GET", "/v3/domains/" + other.domain.name()}))
               == "404 domain_not_found");
}

BOOST_FIXTURE_TEST_CASE(a_suspended_domain_is_shown_as_such, Two)
{
    admin::Admin{connection}.set_domain_state(second, mailbox::State::no_login);
    const auto one = serve({"GET", "/v3/domains/" + second.name()});
    BOOST_TEST(one.body.find(R"("is_disabled":true)") != std::string::npos);
    BOOST_TEST(one.body.find(R"("state":"no_login")") != std::string::npos);
    BOOST_TEST(text(serve({"GET", "/v3/domains?skip=1"}))
               == R"(200 {"total_count":2,"items":[)" + as_json(second.name(), false) + "]}");
}

BOOST_DATA_TEST_CASE_F(Two, a_wrong_key_is_refused_first,
                       data::make({"/v3/domains", "/v3/domains?limit=x", "/v4/domains/{D}"}), path)
{
    const auto is_refused = [&](const std::string& expected) {
        BOOST_TEST(outcome(serve({"GET", target(path)})) == expected, path);
    };
    BOOST_TEST(outcome(serve({"GET", target(path)}, "")) == "401 unauthorized");
    BOOST_TEST(
        outcome(serve({"GET", target(path)}, basic("api:" + api_key::Key::generate().text())))
        == "401 unauthorized");
    admin::Admin{connection}.set_account_state(account, mailbox::State::no_login);
    is_refused("403 suspended");
    admin::Admin{connection}.revoke_key(key.id());
    is_refused("401 unauthorized");
}

// The Mailboxes API is older, so its domain may be called `domains`.
BOOST_FIXTURE_TEST_CASE(mailboxes_of_a_domain_called_domains, Credentials)
{
    BOOST_TEST(outcome(serve({"GET", "/domains/mailboxes"})) == "404 domain_not_found");
    BOOST_TEST(std::string{trace.route} == "/<domain>/mailboxes");
    BOOST_TEST(outcome(serve({"DELETE", "/v3/domains/mailboxes/credentials"}))
               == "404 domain_not_found");
    BOOST_TEST(std::string{trace.route} == "/<domain>/mailboxes/<mailbox>");
    BOOST_TEST(outcome(serve({"GET", "/v3/mailboxes"})) == "404 domain_not_found");
}

// --- the document -------------------------------------------------------------------------------

namespace {

const json::Node* member(const json::Node& node, const std::string& name)
{
    for (const auto& [its_name, value] : node.members) {
        if (its_name == name) return &value;
    }
    return nullptr;
}

}  // namespace

// The service has exactly the paths and methods of the OpenAPI document.
BOOST_FIXTURE_TEST_CASE(the_document_has_what_is_served, Credentials)
{
    const auto document =
        json::parse(sources::contents(sources::directory() / "nginx/mailboxd-openapi.json"));
    BOOST_TEST_REQUIRE(document.has_value());
    allow_delete_all();
    std::set<std::string> patterns;
    for (const auto& [path, item] : member(*document, "paths")->members) {
        // A path that has one version only begins with it, also in the table of routes.
        const auto* const servers = member(item, "servers");
        const bool has_one_version = servers != nullptr && servers->members.size() == 1;
        const auto version =
            has_one_version ? member(servers->members.front().value, "url")->text : std::string{};
        patterns.insert(version + std::regex_replace(path, std::regex{"\\{(\\w+)\\}"}, "<$1>"));
        const auto target = version
                            + std::regex_replace(
                                std::regex_replace(path, std::regex{"\\{domain\\}"}, domain.name()),
                                std::regex{"\\{\\w+\\}"}, "nobody");
        for (const std::string method :
             {"get", "head", "post", "put", "delete", "patch", "options"}) {
            std::string capitals;
            for (const char c : method) capitals += static_cast<char>(c - 'a' + 'A');
            const auto answer = serve({capitals, target});
            BOOST_TEST((answer.status == 405) == (member(item, method) == nullptr),
                       capitals << " " << path << ": " << text(answer));
        }
        for (const auto& [method, operation] : item.members) {
            const auto* const responses = member(operation, "responses");
            if (responses == nullptr) continue;
            for (const auto* status : {"200", "400", "401", "403", "404", "413", "414", "415",
                                       "429", "500", "501", "502", "503", "504", "505"}) {
                BOOST_TEST(member(*responses, status) != nullptr,
                           method << " " << path << " " << status);
            }
        }
    }
    std::set<std::string> served;
    for (const auto& path : routes::all()) served.insert(std::string{path.pattern});
    BOOST_TEST(patterns == served, per_element());
    BOOST_TEST(served.size() > 10U);
}

BOOST_AUTO_TEST_SUITE_END()
