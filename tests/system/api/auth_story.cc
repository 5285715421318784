// auth_story.cc - which keys are accepted, and what each key may see and do.

#include "system/harness/story.h"

#include <algorithm>
#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using answers::is_refused;
using answers::refusal;
using story::shows;

namespace {

constexpr char kUnauthorized[] = "401 unauthorized: Forbidden";

const char* const kWriting[] = {"POST", "PUT", "DELETE"};

// Returns a request with that method to a path that has it, for the mailbox alice.
http::Request request(const std::string& method, const story::Tenant& where,
                      const std::string& prefix = "")
{
    http::Request request{method, where.mailboxes(prefix), {}, {}};
    if (method == "POST") {
        request.body = http::form({{"mailbox", "alice"}, {"password", "Wonderland"}});
    } else if (method == "PUT") {
        request.target = where.mailbox("alice", prefix);
        request.body = http::form({{"password", "Looking-Glass"}});
    } else if (method == "DELETE") {
        request.target = where.mailbox("alice", prefix);
    }
    return request;
}

// The service asks the database differently for an empty page and for one with mailboxes. So every
// domain here has a mailbox, and lists are asked for both kinds of page.
struct Caller : story::Story {
    story::Tenant tenant()
    {
        auto its = Story::tenant();
        create(its, "witness");
        return its;
    }

    // Returns the answer to a list, after checking that an empty page gets the same status.
    http::Answer list_as(const std::string& key, const story::Tenant& where) const
    {
        const auto answer = as(key, request("GET", where));
        auto none = request("GET", where);
        none.target += "?limit=0";
        BOOST_TEST(as(key, none).status == answer.status);
        return answer;
    }

    http::Answer as(const std::string& key, http::Request its) const
    {
        its.headers.emplace_back("Authorization", http::basic(key));
        return send(its);
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(auth)

namespace {

struct Credentials {
    const char* why;
    // makes the Authorization header from a valid key
    std::string (*header)(const std::string& key);
};

std::ostream& operator<<(std::ostream& out, const Credentials& row)
{
    return out << row.why;
}

std::string with_letter_changed(std::string key, std::size_t at)
{
    key[at] = key[at] == 'a' ? 'b' : 'a';
    return key;
}

std::string pair(const std::string& text)
{
    return "Basic " + http::base64(text);
}

const Credentials kWrong[] =
    {
        {"nothing", [](const std::string&) { return std::string{}; }},
        {"a scheme alone", [](const std::string&) { return std::string{"Basic"}; }},
        {"a scheme and a space", [](const std::string&) { return std::string{"Basic "}; }},
        {"another scheme", [](const std::string& key) { return "Bearer " + key; }},
        {"a scheme that only begins alike",
         [](const std::string& key) { return "Basics " + http::base64("api:" + key); }},
        {"the key as it is", [](const std::string& key) { return key; }},
        {"not base64", [](const std::string& key) { return "Basic api:" + key; }},
        {"base64 with something at the end",
         [](const std::string& key) { return pair("api:" + key) + "!"; }},
        {"a tab after the scheme",
         [](const std::string& key) { return "Basic\t" + http::base64("api:" + key); }},
        {"two at once",
         [](const std::string& key) { return pair("api:" + key) + ", " + pair("api:" + key); }},
        {"padding that is none of it",
         [](const std::string& key) { return pair("api:" + key) + "="; }},
        {"base64 cut short",
         [](const std::string& key) {
    const auto whole = pair("api:" + key);
    return whole.substr(0, whole.size() - 3);
         }},
        {"no colon", [](const std::string& key) { return pair("api" + key); }},
        {"another user", [](const std::string& key) { return pair("admin:" + key); }},
        {"the user in another case", [](const std::string& key) { return pair("API:" + key); }},
        {"no user", [](const std::string& key) { return pair(":" + key); }},
        {"the key as the user", [](const std::string& key) { return pair(key + ":"); }},
        {"no key", [](const std::string&) { return pair("api:"); }},
        {"a key of the original service",
         [](const std::string&) { return pair("api:key-3ax6xnjp29jd6fds4gc373sgvjxteol0"); }},
        {"a mistyped public id",
         [](const std::string& key) { return pair("api:" + with_letter_changed(key, 6)); }},
        {"a mistyped secret",
         [](const std::string& key) { return pair("api:" + with_letter_changed(key, 20)); }},
        {"a mistyped checksum",
         [](const std::string& key) {
    return pair("api:" + with_letter_changed(key, key.size() - 1));
         }},
                  {"a letter too few",
                   [](const std::string& key) {
    return pair("api:" + key.substr(0, key.size() - 1));
                   }},
    {"a letter too many", [](const std::string& key) { return pair("api:" + key + "a"); }},
    {"a space at the end", [](const std::string& key) { return pair("api:" + key + " "); }},
    {"a line's end at the end", [](const std::string& key) { return pair("api:" + key + "\n"); }},
    {"NUL and more at the end",
     [](const std::string& key) { return pair("api:" + key + std::string("\0a", 2)); }},
    {"upper case",
     [](const std::string& key) {
    std::string upper = key;
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return pair("api:" + upper);
     }},
    {"invalid UTF-8", [](const std::string&) { return pair("api:\xFF\xFE"); }},
    {"SQL", [](const std::string&) { return pair("api:' OR '1'='1"); }},
    {"much too long", [](const std::string&) { return pair("api:" + std::string(5000, 'a')); }},
    };

}  // namespace

BOOST_TEST_DECORATOR(*shows("status: 401 no valid key")
                     * shows("authentication: missing, malformed or wrong"))
BOOST_DATA_TEST_CASE_F(Caller, nobody_is_let_in_with, data::make(kWrong), row)
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    const auto header = row.header(who.key);
    for (const char* method : {"GET", "POST", "PUT", "DELETE"}) {
        BOOST_TEST_CONTEXT(method)
        {
            auto its = request(method, who);
            if (!header.empty()) {
                its.headers.emplace_back("Authorization", header);
            }
            const auto answer = send(its);
            BOOST_TEST(refusal(answer) == kUnauthorized);
            BOOST_TEST(answer.all("WWW-Authenticate")
                           == std::vector<std::string>{"Basic realm=\"mailboxes\""},
                       boost::test_tools::per_element());
        }
    }
    BOOST_TEST(snapshot() == before);
}

BOOST_TEST_DECORATOR(*shows("authentication: scheme without regard to case")
                     * shows("authentication: HTTP Basic, user api, the key for a password"))
BOOST_DATA_TEST_CASE_F(Caller, the_scheme_may_be_written,
                       data::make({"Basic ", "basic ", "BASIC ", "bAsIC "}), scheme)
{
    const auto who = tenant();
    auto its = request("GET", who);
    its.headers.emplace_back("Authorization", scheme + http::base64("api:" + who.key));
    BOOST_TEST(send(its).status == 200);
}

BOOST_FIXTURE_TEST_CASE(a_revoked_key_is_refused_at_once, Caller,
                        *shows("authentication: missing, malformed or wrong"))
{
    const auto who = tenant();
    const auto key = story::add_key(stack, {"--account", who.account});
    const auto id = key.substr(4, 10);
    BOOST_TEST(list_as(key, who).status == 200);
    BOOST_TEST(stack.mailboxctl({"key", "revoke", id}).exit == 0);
    BOOST_TEST(refusal(list_as(key, who)) == kUnauthorized);
    BOOST_TEST(refusal(as(key, request("POST", who))) == kUnauthorized);
    BOOST_TEST(list_as(who.key, who).status == 200);
}

// A well-formed key with an existing id and another secret.
BOOST_FIXTURE_TEST_CASE(a_key_of_another_secret, Caller,
                        *shows("authentication: missing, malformed or wrong"))
{
    const auto who = tenant();
    const auto key = story::add_key(stack, {"--account", who.account});
    BOOST_TEST(list_as(key, who).status == 200);
    stack.sql("UPDATE api_key SET hash = REVERSE(hash) WHERE id = "
              + stack::quote(key.substr(4, 10)));
    BOOST_TEST(refusal(list_as(key, who)) == kUnauthorized);
    BOOST_TEST(refusal(as(key, request("POST", who))) == kUnauthorized);
}

BOOST_FIXTURE_TEST_CASE(an_expired_key_is_refused, Caller,
                        *shows("authentication: missing, malformed or wrong"))
{
    const auto who = tenant();
    const auto key = story::add_key(stack, {"--account", who.account, "--expires", "1"});
    const auto row = " WHERE id = " + stack::quote(key.substr(4, 10));
    BOOST_TEST(list_as(key, who).status == 200);
    const auto expires = std::stoll(stack.value("SELECT expires_at FROM api_key" + row));
    const auto now = static_cast<long long>(std::time(nullptr));
    BOOST_TEST(expires > now);
    BOOST_TEST(expires <= now + 2LL * 86400);
    stack.sql("UPDATE api_key SET expires_at = " + std::to_string(now - 1) + row);
    BOOST_TEST(refusal(list_as(key, who)) == kUnauthorized);
    BOOST_TEST(refusal(as(key, request("POST", who))) == kUnauthorized);
}

BOOST_FIXTURE_TEST_CASE(a_key_of_an_account_that_was_removed, Caller,
                        *shows("authentication: missing, malformed or wrong"))
{
    const auto who = tenant();
    BOOST_TEST(stack.mailboxctl({"account", "remove", who.account, "--yes"}).exit == 0);
    BOOST_TEST(refusal(as(who.key, request("GET", who))) == kUnauthorized);
}

namespace {

struct Range {
    const char* why;
    process::Arguments from;
    bool is_let_in;
};

std::ostream& operator<<(std::ostream& out, const Range& row)
{
    return out << row.why;
}

const Range kRanges[] = {
    {"loopback's own range", {"--from", "127.0.0.0/8"}, true},
    {"exactly this address", {"--from", "127.0.0.1/32"}, true},
    {"another network", {"--from", "10.0.0.0/8"}, false},
    {"its neighbour", {"--from", "127.0.0.0/32"}, false},
    {"one of two ranges", {"--from", "10.0.0.0/8", "--from", "127.0.0.0/24"}, true},
    {"none of two ranges", {"--from", "10.0.0.0/8", "--from", "192.168.0.0/16"}, false},
    {"the other family", {"--from", "::1/128"}, false},
    {"any of the other family", {"--from", "::/0"}, false},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("authentication: missing, malformed or wrong"))
BOOST_DATA_TEST_CASE_F(Caller, a_key_for_addresses, data::make(kRanges), row)
{
    const auto who = tenant();
    process::Arguments arguments{"--account", who.account};
    arguments.insert(arguments.end(), row.from.begin(), row.from.end());
    const auto key = story::add_key(stack, arguments);
    const auto answer = list_as(key, who);
    if (row.is_let_in) {
        BOOST_TEST(answer.status == 200);
    } else {
        BOOST_TEST(refusal(answer) == kUnauthorized);
    }
    // Headers in which the client names an address have no effect.
    auto lie = request("GET", who);
    lie.headers.emplace_back("X-Forwarded-For", "10.0.0.1");
    lie.headers.emplace_back("X-Real-IP", "10.0.0.1");
    BOOST_TEST(as(key, lie).status == answer.status);
}

BOOST_FIXTURE_TEST_CASE(a_read_only_key_reads, Caller,
                        *shows("authentication: a read-only key that writes")
                            * shows("status: 403 key may not write"))
{
    const auto who = tenant();
    create(who, "alice");
    const auto key = story::add_key(stack, {"--account", who.account, "--read-only"});
    const auto before = snapshot();
    BOOST_TEST(list_as(key, who).status == 200);
    BOOST_TEST(as(key, request("HEAD", who)).status == 200);
    for (const char* method : kWriting) {
        BOOST_TEST(is_refused(as(key, request(method, who)), 403, {"read_only"}));
    }
    BOOST_TEST(snapshot() == before);
}

namespace {

const char* const kStates[] = {"no_login", "disabled"};

}  // namespace

BOOST_TEST_DECORATOR(*shows("authentication: an account that is not active")
                     * shows("status: 403 account or domain suspended"))
BOOST_DATA_TEST_CASE_F(Caller, an_account_that_is, data::make(kStates), state)
{
    const auto who = tenant();
    create(who, "alice");
    stack.sql("UPDATE account SET state = " + stack::quote(state)
              + " WHERE name = " + stack::quote(who.account));
    const auto before = snapshot();
    for (const char* method : {"GET", "POST", "PUT", "DELETE"}) {
        BOOST_TEST(is_refused(as(who.key, request(method, who)), 403, {"suspended"}));
    }
    BOOST_TEST(list_as(who.key, who).status == 403);
    BOOST_TEST(as(who.key, request("HEAD", who)).status == 403);
    BOOST_TEST(snapshot() == before);
}

BOOST_TEST_DECORATOR(*shows("authentication: a domain that is not active")
                     * shows("status: 403 account or domain suspended"))
BOOST_DATA_TEST_CASE_F(Caller, a_domain_that_is, data::make(kStates), state)
{
    const auto who = tenant();
    const auto other = neighbour(who);
    create(who, "alice");
    stack.sql("UPDATE domain SET state = " + stack::quote(state)
              + " WHERE name = " + stack::quote(who.domain));
    const auto before = snapshot();
    BOOST_TEST(answers::page(list_as(who.key, who)).total_count == 2);
    BOOST_TEST(as(who.key, request("HEAD", who)).status == 200);
    for (const char* method : kWriting) {
        BOOST_TEST(is_refused(as(who.key, request(method, who)), 403, {"suspended"}));
    }
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(create(other, "alice").status == 200);
}

BOOST_TEST_DECORATOR(*shows("authentication: a mailbox that is not active"))
BOOST_DATA_TEST_CASE_F(Caller, a_mailbox_that_is, data::make(kStates), state)
{
    const auto who = tenant();
    create(who, "alice");
    const std::string its = " WHERE local_part = 'alice' AND domain_id = (SELECT id FROM domain"
                            " WHERE name = "
                            + stack::quote(who.domain) + ")";
    stack.sql("UPDATE mailbox SET state = " + stack::quote(state) + its);
    BOOST_TEST(answers::page(list(who)).total_count == 2);
    BOOST_TEST(change(who, "alice", "Looking-Glass").status == 200);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "Looking-Glass"));
    BOOST_TEST(stack.value("SELECT state FROM mailbox" + its) == state);
    BOOST_TEST(remove(who, "alice").status == 200);
    BOOST_TEST(
        stack.value("SELECT state FROM deleted_mailbox WHERE local_part = 'alice' AND domain = "
                    + stack::quote(who.domain))
        == state);
}

// A key must not reveal whether a domain that it cannot see exists.
BOOST_FIXTURE_TEST_CASE(absent_and_invisible_are_the_same, Caller,
                        *shows("authentication: a domain absent, or not for this key")
                            * shows("authentication: the log line says which"))
{
    const auto who = tenant();
    const auto other = tenant();
    create(other, "alice");
    const story::Tenant absent{"", story::unique("absent") + ".example.org", ""};
    const auto before = snapshot();
    for (const char* method : {"GET", "POST", "PUT", "DELETE"}) {
        BOOST_TEST_CONTEXT(method)
        {
            const auto mark = log.mark();
            const auto for_absent = as(who.key, request(method, absent));
            const auto for_other = as(who.key, request(method, other));
            BOOST_TEST(refusal(for_absent)
                       == "404 domain_not_found: Domain not found: " + absent.domain);
            BOOST_TEST(refusal(for_other)
                       == "404 domain_not_found: Domain not found: " + other.domain);
            BOOST_TEST(for_absent.headers.size() == for_other.headers.size());

            const auto absent_line = log.expect(mark, {for_absent.header("X-Request-Id")});
            const auto other_line = log.expect(mark, {for_other.header("X-Request-Id")});
            BOOST_TEST(absent_line.find("unknown-domain") != std::string::npos, absent_line);
            BOOST_TEST(other_line.find("foreign-domain") != std::string::npos, other_line);
        }
    }
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(a_right_key_is_not_refused_for_others_mistakes, Caller,
                        *shows("authentication: a right key is never refused for others' mistakes"))
{
    const auto who = tenant();
    const std::vector<http::Request> wrong(
        200, {"GET",
              who.mailboxes(),
              {{"Authorization", http::basic(with_letter_changed(who.key, 20))}},
              {}});
    for (const auto& answer : http::send_all(stack.server(), wrong)) {
        BOOST_TEST(refusal(answer) == kUnauthorized);
    }
    BOOST_TEST(as(who.key, request("GET", who)).status == 200);
}

namespace {

// A key, the domains that it may see, and whether it may write there.
struct Key {
    std::string name;
    std::string key;
    std::vector<std::string> domains;
    bool may_write;

    bool may_see(const story::Tenant& where) const
    {
        return std::find(domains.begin(), domains.end(), where.domain) != domains.end();
    }
};

}  // namespace

// Two accounts with two domains each; every key sends every method to every path.
BOOST_FIXTURE_TEST_CASE(every_key_finds_only_its_own, Caller,
                        *shows("authentication: a key narrowed to one domain, or to reading")
                            * shows("authentication: a domain absent, or not for this key")
                            * shows("authentication: a read-only key that writes"))
{
    const auto a1 = tenant();
    const auto a2 = neighbour(a1);
    const auto b1 = tenant();
    const auto b2 = neighbour(b1);
    const std::vector<story::Tenant> domains{a1, a2, b1, b2};

    const auto with = [this](const story::Tenant& its, process::Arguments arguments) {
        arguments.insert(arguments.begin(), {"--account", its.account});
        return story::add_key(stack, arguments);
    };
    const std::vector<Key> keys{
        {"account a", a1.key, {a1.domain, a2.domain}, true},
        {"account b", b1.key, {b1.domain, b2.domain}, true},
        {"account a, read-only", with(a1, {"--read-only"}), {a1.domain, a2.domain}, false},
        {"domain a1", with(a1, {"--domain", a1.domain}), {a1.domain}, true},
        {"domain b2", with(b2, {"--domain", b2.domain}), {b2.domain}, true},
        {"domain b1, read-only",
         with(b1, {"--domain", b1.domain, "--read-only"}),
         {b1.domain},
         false},
    };

    for (const auto& key : keys) {
        for (const auto& where : domains) {
            for (const std::string prefix : {"", "/v2", "/v3"}) {
                create(where, "witness");
                for (const std::string method : {"GET", "HEAD", "POST", "PUT", "DELETE"}) {
                    BOOST_TEST_CONTEXT(key.name << ": " << method << ' ' << prefix << '/'
                                                << where.domain)
                    {
                        const bool is_write = method != "GET" && method != "HEAD";
                        const bool is_done = key.may_see(where) && (key.may_write || !is_write);
                        const auto before = is_done && is_write ? "" : snapshot();
                        const auto answer = as(key.key, request(method, where, prefix));
                        if (is_done) {
                            BOOST_TEST(answer.status == 200);
                        } else if (method == "HEAD") {
                            BOOST_TEST(answer.status == 404);
                        } else if (!key.may_see(where)) {
                            BOOST_TEST(refusal(answer)
                                       == "404 domain_not_found: Domain not found: "
                                              + where.domain);
                        } else {
                            BOOST_TEST(is_refused(answer, 403, {"read_only"}));
                        }
                        if (is_done && method == "GET") {
                            for (const auto& address : answers::page(answer).names()) {
                                BOOST_TEST(address.ends_with("@" + where.domain));
                            }
                        }
                        if (!(is_done && is_write)) {
                            BOOST_TEST(snapshot() == before);
                        }
                    }
                }
            }
        }
    }

    // An address of the other domain in a path of one's own is refused, too.
    create(b1, "alice");
    const auto before = snapshot();
    const auto path = a1.mailbox(b1.address("alice"));
    BOOST_TEST(
        is_refused(call(a1.key, "PUT", path, http::form({{"password", "Looking-Glass"}})), 400));
    BOOST_TEST(is_refused(call(a1.key, "DELETE", path), 400));
    BOOST_TEST(is_refused(create(a1, b1.address("bob")), 400));
    BOOST_TEST(snapshot() == before);
}

BOOST_AUTO_TEST_SUITE_END()
