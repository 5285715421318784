// refusals_story.cc - requests that the service refuses: status, code and message, and that nothing
// in the database has changed.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using answers::is_refused;
using answers::refusal;
using story::shows;

namespace {

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

// The mailbox "taken" exists.
const Exact kExact[] = {
    {"POST without mailbox", "POST", "/{domain}/mailboxes", "password=correct+horse",
     "400 mailbox_missing: 'mailbox' parameter is missing"},
    {"POST without password", "POST", "/{domain}/mailboxes", "mailbox=alice",
     "400 password_missing: 'password' parameter is missing"},
    {"POST without anything", "POST", "/{domain}/mailboxes", "",
     "400 mailbox_missing: 'mailbox' parameter is missing"},
    {"PUT without password", "PUT", "/{domain}/mailboxes/taken", "",
     "400 password_missing: 'password' parameter is missing"},
    {"PUT with another parameter only", "PUT", "/{domain}/mailboxes/taken",
     "passwort=correct+horse", "400 password_missing: 'password' parameter is missing"},
    {"a mailbox in the query is none", "POST", "/{domain}/mailboxes?mailbox=alice",
     "password=correct+horse", "400 mailbox_missing: 'mailbox' parameter is missing"},
    {"the names of parameters have a case", "POST", "/{domain}/mailboxes",
     "Mailbox=alice&password=correct+horse", "400 mailbox_missing: 'mailbox' parameter is missing"},
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
    {"a mailbox cannot be patched", "PATCH", "/{domain}/mailboxes/taken", "",
     "405 method_not_allowed: Method not allowed"},
    {"nor created at its own path", "POST", "/{domain}/mailboxes/taken", "password=correct+horse",
     "405 method_not_allowed: Method not allowed"},
    {"an invented method", "GE", "/{domain}/mailboxes", "",
     "405 method_not_allowed: Method not allowed"},
    {"an invented method for a mailbox", "PURGE", "/{domain}/mailboxes/taken", "",
     "405 method_not_allowed: Method not allowed"},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("status: 400 parameter missing") * shows("status: 404 domain")
                     * shows("status: 404 mailbox, on PUT and DELETE") * shows("status: 404 path")
                     * shows("status: 405 method") * shows("status: 409 mailbox exists, on POST")
                     * shows("creating what exists: 409 by default")
                     * shows("paths: any other path") * shows("paths: any other method")
                     * shows("answers: code beside message"))
BOOST_DATA_TEST_CASE_F(story::Story, a_refusal_has_the_contracts_words, data::make(kExact), row)
{
    const auto who = tenant();
    create(who, "taken");
    const auto before = snapshot();
    http::Body body;
    if (!row.form.empty()) {
        body = {"application/x-www-form-urlencoded", story::fill(row.form, who)};
    }
    const auto answer = call(who.key, row.method, story::fill(row.target, who), body);
    BOOST_TEST(refusal(answer) == story::fill(row.refusal, who));
    if (answer.status == 405) {
        BOOST_TEST(
            answer.header("Allow")
            == (row.target.ends_with("/mailboxes") ? "GET, HEAD, POST" : "GET, HEAD, PUT, DELETE"));
    }
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(a_parameter_given_twice, story::Story,
                        *shows("rules: a parameter given twice"))
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
    BOOST_TEST(is_refused(
        call(who.key, "POST", who.mailboxes(), form("mailbox=a&mailbox=b&password=correct+horse")),
        400));
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes(),
                               form("mailbox=a&password=correct+horse&password=correct+horse")),
                          400));
    BOOST_TEST(is_refused(
        call(who.key, "POST", who.mailboxes(),
             http::multipart({{"mailbox", "a"}, {"mailbox", "b"}, {"password", "correct horse"}})),
        400));
    // One value in the query and one in the body count as two.
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes() + "?mailbox=a",
                               form("mailbox=a&password=correct+horse")),
                          400, {"'mailbox'"}));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(a_password_in_the_query, story::Story,
                        *shows("rules: mailbox and password from the body only")
                            * shows("rules: a password in the query string"))
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
                               http::form({{"password", "correct horse"}})),
                          400, {"password"}));
    BOOST_TEST(is_refused(call(who.key, "GET", who.mailboxes() + query), 400, {"password"}));
    BOOST_TEST(
        is_refused(call(who.key, "DELETE", who.mailbox("taken") + query), 400, {"password"}));
    BOOST_TEST(is_refused(call(who.key, "DELETE", who.mailbox("taken") + "?passwor%64=x"), 400,
                          {"password"}));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(unknown_parameters_are_ignored, story::Story,
                        *shows("rules: unknown parameters are ignored"))
{
    const auto who = tenant();
    BOOST_TEST(call(who.key, "POST", who.mailboxes() + "?x=1&x=2",
                    http::form({{"mailbox", "alice"},
                                {"password", "correct horse"},
                                {"name", "Alice"},
                                {"name", "Liddell"},
                                {"limit", "x"}}))
                   .status
               == 200);
    BOOST_TEST(answers::page(list(who, "?page=2&page=3&&=")).names()
                   == std::vector{who.address("alice")},
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
    {"text, without any", {"text/plain", ""}, 415},
    {"no type that is one", {"urlencoded", kBoth}, 415},
    {"another multipart", {"multipart/mixed; boundary=x", "--x--"}, 415},
    {"a name that only begins alike", {"application/x-www-form-urlencoded2", kBoth}, 415},
    {"a name that only begins alike, of JSON", {"application/jsonp", "{}"}, 415},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("bodies: any other type") * shows("status: 415 type unknown"))
BOOST_DATA_TEST_CASE_F(story::Story, an_unknown_type_is_refused, data::make(kTypes), row)
{
    const auto who = tenant();
    create(who, "taken");
    const auto before = snapshot();
    BOOST_TEST(is_refused(call(who.key, "POST", who.mailboxes(), row.body), row.status,
                          {"unsupported_type"}));
    BOOST_TEST(is_refused(call(who.key, "PUT", who.mailbox("taken"), row.body), row.status,
                          {"unsupported_type"}));
    // GET and DELETE accept an empty body of any type.
    if (!row.body.bytes.empty()) {
        BOOST_TEST(is_refused(call(who.key, "DELETE", who.mailbox("taken"), row.body), row.status,
                              {"unsupported_type"}));
        BOOST_TEST(is_refused(call(who.key, "GET", who.mailboxes(), row.body), row.status,
                              {"unsupported_type"}));
    }
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(a_body_over_the_limit, story::Story,
                        *shows("rules: a body over the limit")
                            * shows("status: 413 body too large"))
{
    const auto who = tenant();
    const auto before = snapshot();
    const std::string front = "mailbox=alice&password=correct+horse&x=";
    constexpr std::size_t kLimit = 65'536;
    for (const auto size : {kLimit + 1, 2 * kLimit, 3'000'000UL}) {
        BOOST_TEST_CONTEXT(size)
        {
            const http::Body body{"application/x-www-form-urlencoded",
                                  front + repeated('x', size - front.size())};
            BOOST_TEST(
                is_refused(call(who.key, "POST", who.mailboxes(), body), 413, {"body_too_large"}));
        }
    }
    BOOST_TEST(snapshot() == before);
    const http::Body just_fits{"application/x-www-form-urlencoded",
                               front + repeated('x', kLimit - front.size())};
    BOOST_TEST(call(who.key, "POST", who.mailboxes(), just_fits).status == 200);
}

namespace {

struct Segment {
    const char* why;
    std::string text;
};

std::ostream& operator<<(std::ostream& out, const Segment& row)
{
    return out << row.why;
}

const Segment kSegments[] = {
    {"an encoded slash", "ali%2Fce"},
    {"an encoded slash in lower case", "ali%2fce"},
    {"an encoded NUL", "ali%00ce"},
    {"an escape without digits", "ali%zzce"},
    {"an escape cut short", "alice%4"},
    {"a bare percent sign", "alice%"},
    {"invalid UTF-8", "ali%FFce"},
    {"overlong UTF-8", "ali%C0%AFce"},
    {"another domain", "alice@other.example.org"},
    {"another domain, encoded", "alice%40other.example.org"},
    {"decoded once, not twice", "alice%2540{domain}"},
    {"a name that cannot be", "-alice"},
    {"a name with a plus, which in a path is one", "al+ice"},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("paths: %2F, %00, invalid escapes or UTF-8")
                     * shows("paths: a full address of another domain"))
BOOST_DATA_TEST_CASE_F(story::Story, a_bad_path_segment_is_refused, data::make(kSegments), row)
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    const auto path = who.mailbox(story::fill(row.text, who));
    BOOST_TEST(
        is_refused(call(who.key, "PUT", path, http::form({{"password", "Looking-Glass"}})), 400));
    BOOST_TEST(is_refused(call(who.key, "DELETE", path), 400));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(the_allowance_is_used_up, story::Story,
                        *shows("status: 409 allowance used up"))
{
    const auto who = tenant();
    stack.sql("UPDATE domain SET max_mailboxes = 2 WHERE name = " + stack::quote(who.domain));
    create(who, "first");
    create(who, "second");
    const auto before = snapshot();
    BOOST_TEST(is_refused(create(who, "third"), 409, {"allowance_used_up", "2"}));
    BOOST_TEST(snapshot() == before);
    // An existing mailbox is reported before the limit, because the client needs that answer.
    BOOST_TEST(is_refused(create(who, "second"), 409, {"mailbox_exists"}));
    remove(who, "first");
    BOOST_TEST(create(who, "third").status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
