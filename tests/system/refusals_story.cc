// refusals_story.cc - what the service refuses: which status, which sentence,
// and that nothing in the database has changed.

#include "story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using story::is_refused;
using story::refusal;
using story::shows;

namespace {

// Where a row says {domain}, the story's own domain stands in the request.
std::string fill(std::string text, const std::string& domain)
{
    constexpr std::string_view kPlace = "{domain}";
    for (auto at = text.find(kPlace); at != text.npos; at = text.find(kPlace)) {
        text.replace(at, kPlace.size(), domain);
    }
    return text;
}

std::string repeated(char c, std::size_t count)
{
    return std::string(count, c);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(refusals)

namespace {

struct Exact {
    const char* why;
    const char* method;
    std::string target;
    std::string form;
    std::string refusal;
};

std::ostream& operator<<(std::ostream& out, const Exact& row)
{
    return out << row.why;
}

// "taken" is there already.
const Exact kExact[] = {
    {"POST without mailbox", "POST", "/{domain}/mailboxes", "password=correct+horse",
     "400 mailbox_missing: 'mailbox' parameter is missing"},
    {"POST without password", "POST", "/{domain}/mailboxes", "mailbox=alice",
     "400 password_missing: 'password' parameter is missing"},
    {"POST without anything", "POST", "/{domain}/mailboxes", "",
     "400 mailbox_missing: 'mailbox' parameter is missing"},
    {"PUT without password", "PUT", "/{domain}/mailboxes/taken", "",
     "400 password_missing: 'password' parameter is missing"},
    {"PUT with another parameter only", "PUT", "/{domain}/mailboxes/taken", "passwort=correct+horse",
     "400 password_missing: 'password' parameter is missing"},
    {"a mailbox in the query is none", "POST", "/{domain}/mailboxes?mailbox=alice",
     "password=correct+horse", "400 mailbox_missing: 'mailbox' parameter is missing"},
    {"the names of parameters have a case", "POST", "/{domain}/mailboxes",
     "Mailbox=alice&password=correct+horse",
     "400 mailbox_missing: 'mailbox' parameter is missing"},
    {"a domain that is not there", "GET", "/absent.example.org/mailboxes", "",
     "404 domain_not_found: Domain not found: absent.example.org"},
    {"a change in a domain that is not there", "POST", "/absent.example.org/mailboxes",
     "mailbox=alice&password=correct+horse",
     "404 domain_not_found: Domain not found: absent.example.org"},
    {"a new password for nobody", "PUT", "/{domain}/mailboxes/nobody", "password=correct+horse",
     "404 mailbox_not_found: Mailbox not found: nobody@{domain}"},
    {"nobody, by the full address", "PUT", "/{domain}/mailboxes/nobody@{domain}",
     "password=correct+horse", "404 mailbox_not_found: Mailbox not found: nobody@{domain}"},
    {"nobody is deleted", "DELETE", "/{domain}/mailboxes/NoBody", "",
     "404 mailbox_not_found: Mailbox not found: nobody@{domain}"},
    {"the name is taken", "POST", "/{domain}/mailboxes", "mailbox=taken&password=correct+horse",
     "409 mailbox_exists: Mailbox already exists: taken@{domain}"},
    {"the name is taken, in upper case", "POST", "/{domain}/mailboxes",
     "mailbox=TAKEN&password=correct+horse",
     "409 mailbox_exists: Mailbox already exists: taken@{domain}"},
    {"the name is taken, as an address", "POST", "/{domain}/mailboxes",
     "mailbox=taken%40{domain}&password=correct+horse",
     "409 mailbox_exists: Mailbox already exists: taken@{domain}"},
    {"the root", "GET", "/", "", "404 not_found: Not found"},
    {"a domain alone", "GET", "/{domain}", "", "404 not_found: Not found"},
    {"another collection", "GET", "/{domain}/routes", "", "404 not_found: Not found"},
    {"another version", "GET", "/v4/{domain}/mailboxes", "", "404 not_found: Not found"},
    {"two versions", "GET", "/v2/v3/{domain}/mailboxes", "", "404 not_found: Not found"},
    {"something below a mailbox", "GET", "/{domain}/mailboxes/taken/messages", "",
     "404 not_found: Not found"},
    {"a mailbox cannot be read", "GET", "/{domain}/mailboxes/taken", "",
     "405 method_not_allowed: Method not allowed"},
    {"nor created at its own path", "POST", "/{domain}/mailboxes/taken", "password=correct+horse",
     "405 method_not_allowed: Method not allowed"},
    {"an invented method", "GE", "/{domain}/mailboxes", "",
     "405 method_not_allowed: Method not allowed"},
    {"an invented method for a mailbox", "PURGE", "/{domain}/mailboxes/taken", "",
     "405 method_not_allowed: Method not allowed"},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("status: 400 parameter missing") * shows("status: 404 domain") *
                     shows("status: 404 mailbox, on PUT and DELETE") * shows("status: 404 path") *
                     shows("status: 405 method") * shows("status: 409 mailbox exists, on POST") *
                     shows("creating what exists: 409 by default") *
                     shows("paths: any other path") * shows("paths: any other method") *
                     shows("answers: code beside message"))
BOOST_DATA_TEST_CASE_F(story::Story, with_the_contracts_own_words, data::make(kExact), row)
{
    const auto who = tenant();
    create(who, "taken");
    const auto before = snapshot();
    http::Body body;
    if (!row.form.empty()) {
        body = {"application/x-www-form-urlencoded", fill(row.form, who.domain)};
    }
    const auto answer = call(who.key, row.method, fill(row.target, who.domain), body);
    BOOST_TEST(refusal(answer) == fill(row.refusal, who.domain));
    if (answer.status == 405) {
        BOOST_TEST(answer.header("Allow") ==
                   (row.target.ends_with("/mailboxes") ? "GET, HEAD, POST" : "PUT, DELETE"));
    }
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(an_address_of_255, story::Story, *shows("parameters: mailbox"))
{
    const auto who = tenant();
    auto domain = story::unique("long") + ".";
    while (domain.size() < 190) {
        domain += repeated('x', 30) + ".";
    }
    domain += "example.org";
    const auto added = house.mailboxctl({"domain", "add", domain, "--account", who.account, "--no-postmaster"});
    BOOST_TEST_REQUIRE(added.exit == 0, added.err);
    const story::Tenant its{who.account, domain, who.key};
    tenants.push_back(its);
    const auto fits = 254 - 1 - domain.size();
    BOOST_TEST_REQUIRE(fits < 64U);
    const auto before = snapshot();
    BOOST_TEST(is_refused(create(its, repeated('a', fits + 1)), 400, {"254"}));
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(create(its, repeated('a', fits)).status == 200);
    BOOST_TEST(story::page(list(its)).names() == std::vector{its.address(repeated('a', fits))},
               boost::test_tools::per_element());
}

namespace {

struct Value {
    const char* why;
    std::string value;
    std::vector<std::string> words;  // that the sentence has
};

std::ostream& operator<<(std::ostream& out, const Value& row)
{
    return out << row.why;
}

const Value kMailboxes[] = {
    {"nothing at all", "", {"'mailbox'"}},
    {"a local part of 65", repeated('a', 65), {"64"}},
    {"another domain", "alice@other.example.org", {"domain"}},
    {"two at signs", "alice@bob@{domain}", {"'mailbox'"}},
    {"no local part", "@{domain}", {"'mailbox'"}},
    {"no domain", "alice@", {"'mailbox'"}},
    {"the start of an extension", "alice+bob", {"'mailbox'"}},
    {"a slash is a path", "alice/bob", {"'mailbox'"}},
    {"a question mark is a query", "alice?bob", {"'mailbox'"}},
    {"a hash is a fragment", "alice#bob", {"'mailbox'"}},
    {"a percent sign is an escape", "alice%bob", {"'mailbox'"}},
    {"a wildcard, when sessions are ended", "alice*", {"'mailbox'"}},
    {"routing, to Postfix", "alice!bob", {"'mailbox'"}},
    {"an option, to a program", "-alice", {"hyphen"}},
    {"a dot in front", ".alice", {"dot"}},
    {"a dot behind", "alice.", {"dot"}},
    {"two dots", "alice..bob", {"dot"}},
    {"a space", "alice bob", {"'mailbox'"}},
    {"a trailing space, which a collation may ignore", "alice ", {"'mailbox'"}},
    {"a tab", "alice\tbob", {"'mailbox'"}},
    {"a line's end", "alice\r\nbob", {"'mailbox'"}},
    {"NUL would end C text", std::string("alice\0bob", 9), {"'mailbox'"}},
    {"a quoted local part", "\"alice\"", {"'mailbox'"}},
    {"a comment", "alice(bob)", {"'mailbox'"}},
    {"brackets", "<alice>", {"'mailbox'"}},
    {"a backslash", "alice\\bob", {"'mailbox'"}},
    {"a comma", "alice,bob", {"'mailbox'"}},
    {"a semicolon", "alice;bob", {"'mailbox'"}},
    {"a colon", "alice:bob", {"'mailbox'"}},
    {"not ASCII: the mail programs have no SMTPUTF8", "jos\xC3\xA9", {"'mailbox'"}},
    {"invalid UTF-8", "alice\xFF", {"'mailbox'"}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("parameters: mailbox") * shows("status: 400 parameter not valid"))
BOOST_DATA_TEST_CASE_F(story::Story, a_mailbox_that_could_not_receive_mail, data::make(kMailboxes), row)
{
    const auto who = tenant();
    const auto before = snapshot();
    const auto answer = create(who, fill(row.value, who.domain));
    BOOST_TEST(is_refused(answer, 400, row.words));
    BOOST_TEST(snapshot() == before);
}

namespace {

const Value kGoodMailboxes[] = {
    {"the shortest", "a", {}},
    {"the longest", repeated('a', 64), {}},
    {"digits", "0123456789", {}},
    {"the seed's own example", "bob.bar", {}},
    {"every character that is allowed", "a._-$&'=^`{|}~", {}},
    {"a hyphen behind", "alice-", {}},
    {"what SQL would take for a wildcard", "a_b", {}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("parameters: mailbox"))
BOOST_DATA_TEST_CASE_F(story::Story, but_these_are_good, data::make(kGoodMailboxes), row)
{
    const auto who = tenant();
    BOOST_TEST(create(who, row.value).status == 200);
    BOOST_TEST(story::page(list(who)).names() == std::vector{who.address(row.value)},
               boost::test_tools::per_element());
    const auto path = http::percent_encoded(row.value);
    BOOST_TEST(change(who, path, "Looking-Glass").status == 200);
    BOOST_TEST(remove(who, path).status == 200);
}

namespace {

const Value kPasswords[] = {
    {"nothing at all", "", {"password"}},
    {"one character too few", "1234", {"password", "5"}},
    {"one character too few, but enough bytes", "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F",
     {"password", "5"}},
    {"one character too many", repeated('x', 129), {"password", "128"}},
    {"the local part", "alice", {"password"}},
    {"the local part in another case", "ALICE", {"password"}},
    {"the address", "alice@{domain}", {"password"}},
    {"the domain", "{domain}", {"password"}},
    {"a control character", "correct\x01horse", {"password"}},
    {"a line's end", "correct\nhorse", {"password"}},
    {"DEL", "correct\x7Fhorse", {"password"}},
    {"NUL would end C text", std::string("correct\0horse", 13), {"password"}},
    {"a control character of the second kind", "correct\xC2\x85horse", {"password"}},
    {"invalid UTF-8", "correct\xFFhorse", {"password"}},
    {"overlong UTF-8", "correct\xC0\xAFhorse", {"password"}},
    {"a surrogate", "correct\xED\xA0\x80horse", {"password"}},
    {"UTF-8 cut short", "correct horse\xE2\x82", {"password"}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("parameters: password") * shows("status: 400 parameter not valid"))
BOOST_DATA_TEST_CASE_F(story::Story, a_password_that_is_none, data::make(kPasswords), row)
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    const auto password = fill(row.value, who.domain);
    const auto changed = change(who, "alice", password);
    BOOST_TEST(is_refused(changed, 400, row.words));
    if (password.size() > 5) {
        BOOST_TEST(changed.body.find(password) == std::string::npos, "it is echoed");
    }
    BOOST_TEST(snapshot() == before);
    remove(who, "alice");
    const auto without = snapshot();
    BOOST_TEST(is_refused(create(who, "alice", password), 400, row.words));
    BOOST_TEST(snapshot() == without);
}

namespace {

const Value kGoodPasswords[] = {
    {"the shortest", "12345", {}},
    {"the shortest in characters", "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F\xE2\x82\xAC", {}},
    {"the longest", repeated('x', 128), {}},
    {"the longest in bytes", [] {
         std::string text;
         for (int i = 0; i < 128; ++i) {
             text += "\xF0\x9F\x98\x80";
         }
         return text;
     }(), {}},
    {"what forms use themselves", "a=b&c+d %41;\"'<>", {}},
    {"spaces around", "  correct horse  ", {}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("parameters: password"))
BOOST_DATA_TEST_CASE_F(story::Story, but_these_are_passwords,
                       data::make(kGoodPasswords) * data::make({http::form, http::multipart}), row,
                       body)
{
    const auto who = tenant();
    BOOST_TEST(call(who.key, "POST", who.mailboxes(),
                    body({{"mailbox", "alice"}, {"password", row.value}})).status == 200);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), row.value));
}

namespace {

const Value kQueries[] = {
    {"above the maximum", "limit=1001", {"limit", "1000"}},
    {"below nothing", "limit=-1", {"limit", "1000"}},
    {"no number", "limit=", {"limit", "1000"}},
    {"no value", "limit", {"limit", "1000"}},
    {"a word", "limit=all", {"limit", "1000"}},
    {"a float", "limit=10.0", {"limit", "1000"}},
    {"an exponent", "limit=1e3", {"limit", "1000"}},
    {"hexadecimal", "limit=0x10", {"limit", "1000"}},
    {"a sign, which a form reads as a space", "limit=+1", {"limit", "1000"}},
    {"a sign", "limit=%2B1", {"limit", "1000"}},
    {"a space", "limit=%201", {"limit", "1000"}},
    {"more than 64 bits", "limit=18446744073709551617", {"limit", "1000"}},
    {"given twice", "limit=1&limit=2", {"limit"}},
    {"given twice, equal", "limit=1&limit=1", {"limit"}},
    {"skip below nothing", "skip=-1", {"skip"}},
    {"skip without a number", "skip=", {"skip"}},
    {"skip with a word", "skip=none", {"skip"}},
    {"skip beyond 2^63-1", "skip=9223372036854775808", {"skip"}},
    {"skip given twice", "skip=0&skip=0", {"skip"}},
    {"SQL", "limit=1;DROP+TABLE+mailbox", {"limit"}},
    {"a NUL", "limit=1%00", {"limit"}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("parameters: limit") * shows("parameters: skip") *
                     shows("rules: a parameter given twice"))
BOOST_DATA_TEST_CASE_F(story::Story, a_page_that_is_none, data::make(kQueries), row)
{
    const auto who = tenant();
    BOOST_TEST(is_refused(list(who, "?" + row.value), 400, row.words));
}

BOOST_FIXTURE_TEST_CASE(a_limit_out_of_range_has_a_code_of_its_own, story::Story,
                        *shows("answers: code beside message"))
{
    const auto who = tenant();
    BOOST_TEST(is_refused(list(who, "?limit=1001"), 400, {"bad_limit", "0", "1000"}));
    BOOST_TEST(is_refused(list(who, "?skip=x"), 400, {"bad_skip"}));
}

BOOST_FIXTURE_TEST_CASE(a_parameter_given_twice, story::Story, *shows("rules: a parameter given twice"))
{
    const auto who = tenant();
    create(who, "taken");
    const auto before = snapshot();
    const auto form = [](const char* text) {
        return http::Body{"application/x-www-form-urlencoded", text};
    };
    BOOST_TEST(is_refused(call(who.key, "PUT", who.mailbox("taken"),
                               form("password=correct+horse&password=correct+horse")),
                          400, {"password"}));
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes(),
                               form("mailbox=a&mailbox=b&password=correct+horse")),
                          400));
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes(),
                               form("mailbox=a&password=correct+horse&password=correct+horse")),
                          400));
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes(),
                               http::multipart({{"mailbox", "a"}, {"mailbox", "b"},
                                                {"password", "correct horse"}})),
                          400));
    // Once in the query and once in the body is twice.
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes() + "?mailbox=a",
                               form("mailbox=a&password=correct+horse")),
                          400, {"'mailbox'"}));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(a_password_in_the_query, story::Story,
                        *shows("rules: mailbox and password from the body only"))
{
    const auto who = tenant();
    create(who, "taken");
    const auto before = snapshot();
    const auto both = http::form({{"mailbox", "alice"}, {"password", "correct horse"}});
    const std::string query = "?password=correct+horse";
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes() + query, both), 400, {"password"}));
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes() + query), 400, {"password"}));
    BOOST_TEST(is_refused(call(who.key, "PUT", who.mailbox("taken") + query), 400, {"password"}));
    BOOST_TEST(is_refused(call(who.key, "PUT", who.mailbox("taken") + query,
                               http::form({{"password", "correct horse"}})), 400, {"password"}));
    BOOST_TEST(is_refused(call(who.key, "GET", who.mailboxes() + query), 400, {"password"}));
    BOOST_TEST(is_refused(call(who.key, "DELETE", who.mailbox("taken") + query), 400, {"password"}));
    BOOST_TEST(is_refused(call(who.key, "DELETE", who.mailbox("taken") + "?passwor%64=x"), 400,
                          {"password"}));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(unknown_parameters_are_ignored, story::Story,
                        *shows("rules: unknown parameters are ignored"))
{
    const auto who = tenant();
    BOOST_TEST(call(who.key, "POST", who.mailboxes() + "?x=1&x=2",
                    http::form({{"mailbox", "alice"}, {"password", "correct horse"},
                                {"name", "Alice"}, {"name", "Liddell"}, {"limit", "x"}}))
                   .status == 200);
    BOOST_TEST(story::page(list(who, "?page=2&page=3&&=")).names() ==
                   std::vector{who.address("alice")},
               boost::test_tools::per_element());
}

namespace {

struct Type {
    const char* why;
    http::Body body;
    int status;
};

std::ostream& operator<<(std::ostream& out, const Type& row)
{
    return out << row.why;
}

const std::string kBoth = "mailbox=alice&password=correct+horse";

const Type kTypes[] = {
    {"text", {"text/plain", kBoth}, 415},
    {"XML", {"application/xml", "<mailbox/>"}, 415},
    {"bytes", {"application/octet-stream", kBoth}, 415},
    {"no type that is one", {"urlencoded", kBoth}, 415},
    {"another multipart", {"multipart/mixed; boundary=x", "--x--"}, 415},
    {"a name that only begins alike", {"application/x-www-form-urlencoded2", kBoth}, 415},
    {"a name that only begins alike, of JSON", {"application/jsonp", "{}"}, 415},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("bodies: any other type") * shows("status: 415 type unknown"))
BOOST_DATA_TEST_CASE_F(story::Story, a_type_that_is_not_known, data::make(kTypes), row)
{
    const auto who = tenant();
    create(who, "taken");
    const auto before = snapshot();
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes(), row.body), row.status,
                          {"unsupported_type"}));
    BOOST_TEST(is_refused(call(who.key, "PUT", who.mailbox("taken"), row.body), row.status,
                          {"unsupported_type"}));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(a_body_over_the_limit, story::Story,
                        *shows("rules: a body over the limit") *
                            shows("status: 413 body too large"))
{
    const auto who = tenant();
    const auto before = snapshot();
    const std::string front = "mailbox=alice&password=correct+horse&x=";
    constexpr std::size_t kLimit = 64 * 1024;
    for (const auto size : {kLimit + 1, 2 * kLimit, 3'000'000UL}) {
        BOOST_TEST_CONTEXT(size)
        {
            const http::Body body{"application/x-www-form-urlencoded",
                                  front + repeated('x', size - front.size())};
            BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes(), body), 413,
                                  {"body_too_large"}));
        }
    }
    BOOST_TEST(snapshot() == before);
    const http::Body just_fits{"application/x-www-form-urlencoded",
                               front + repeated('x', kLimit - front.size())};
    BOOST_TEST(call(who.key, "POST", who.mailboxes(), just_fits).status == 200);
}

namespace {

const Value kSegments[] = {
    {"an encoded slash", "ali%2Fce", {}},
    {"an encoded slash in lower case", "ali%2fce", {}},
    {"an encoded NUL", "ali%00ce", {}},
    {"an escape without digits", "ali%zzce", {}},
    {"an escape cut short", "alice%4", {}},
    {"a bare percent sign", "alice%", {}},
    {"invalid UTF-8", "ali%FFce", {}},
    {"overlong UTF-8", "ali%C0%AFce", {}},
    {"another domain", "alice@other.example.org", {}},
    {"another domain, encoded", "alice%40other.example.org", {}},
    {"decoded once, not twice", "alice%2540{domain}", {}},
    {"a name that cannot be", "-alice", {}},
    {"a name with a plus, which in a path is one", "al+ice", {}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("paths: %2F, %00, invalid escapes or UTF-8") *
                     shows("paths: a full address of another domain"))
BOOST_DATA_TEST_CASE_F(story::Story, a_segment_that_is_none, data::make(kSegments), row)
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    const auto path = who.mailbox(fill(row.value, who.domain));
    BOOST_TEST(is_refused(call(who.key, "PUT", path, http::form({{"password", "Looking-Glass"}})), 400));
    BOOST_TEST(is_refused(call(who.key, "DELETE", path), 400));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(the_allowance_is_used_up, story::Story,
                        *shows("status: 409 allowance used up"))
{
    const auto who = tenant();
    house.sql("UPDATE domain SET max_mailboxes = 2 WHERE name = " + stack::quote(who.domain));
    create(who, "first");
    create(who, "second");
    const auto before = snapshot();
    BOOST_TEST(is_refused(create(who, "third"), 409, {"allowance_used_up", "2"}));
    BOOST_TEST(snapshot() == before);
    // What exists is told first: it is what the client has to know.
    BOOST_TEST(is_refused(create(who, "second"), 409, {"mailbox_exists"}));
    remove(who, "first");
    BOOST_TEST(create(who, "third").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
