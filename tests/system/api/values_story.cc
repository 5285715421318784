// values_story.cc - the parameters' values: which are accepted, and which are refused with a
// message that names the rule. After a refusal nothing in the database has changed.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using answers::is_refused;
using story::shows;

namespace {

std::string repeated(char c, std::size_t count)
{
    return std::string(count, c);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(values)

BOOST_FIXTURE_TEST_CASE(an_address_of_255, story::Story, *shows("parameters: mailbox"))
{
    const auto who = tenant();
    auto domain = story::unique("long") + ".";
    while (domain.size() < 190) {
        domain += repeated('x', 30) + ".";
    }
    domain += "example.org";
    const auto added =
        stack.mailboxctl({"domain", "add", domain, "--account", who.account, "--no-postmaster"});
    BOOST_TEST_REQUIRE(added.exit == 0, added.err);
    const story::Tenant its{who.account, domain, who.key};
    tenants.push_back(its);
    const auto fits = 254 - 1 - domain.size();
    BOOST_TEST_REQUIRE(fits < 64U);
    const auto before = snapshot();
    BOOST_TEST(is_refused(create(its, repeated('a', fits + 1)), 400, {"254"}));
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(create(its, repeated('a', fits)).status == 200);
    BOOST_TEST(answers::page(list(its)).names() == std::vector{its.address(repeated('a', fits))},
               boost::test_tools::per_element());
}

namespace {

struct Value {
    const char* why;
    std::string value;
    std::vector<std::string> words;  // that the message must contain
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
BOOST_DATA_TEST_CASE_F(story::Story, a_mailbox_that_could_not_receive_mail, data::make(kMailboxes),
                       row)
{
    const auto who = tenant();
    const auto before = snapshot();
    const auto answer = create(who, story::fill(row.value, who));
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
    BOOST_TEST(answers::page(list(who)).names() == std::vector{who.address(row.value)},
               boost::test_tools::per_element());
    // Unencoded, as published clients put it into the path, and encoded.
    BOOST_TEST(change(who, row.value, "Wonderland").status == 200);
    const auto path = http::percent_encoded(row.value);
    BOOST_TEST(change(who, path, "Looking-Glass").status == 200);
    BOOST_TEST(remove(who, path).status == 200);
}

namespace {

const Value kPasswords[] = {
    {"nothing at all", "", {"password"}},
    {"one character too few", "1234", {"password", "5"}},
    {"one character too few, but enough bytes",
     "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F",
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
    const auto password = story::fill(row.value, who);
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

const Value kGoodPasswords[] =
    {
        {"the shortest", "12345", {}},
        {"the shortest in characters", "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F\xE2\x82\xAC", {}},
        {"the longest", repeated('x', 128), {}},
        {"the longest in bytes",
         [] {
    std::string text;
    for (int i = 0; i < 128; ++i) {
        text += "\xF0\x9F\x98\x80";
    }
    return text;
         }(),
         {}},
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
                    body({{"mailbox", "alice"}, {"password", row.value}}))
                   .status
               == 200);
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
    {"SQL in skip", "skip=0'%20OR%20'1'='1", {"skip"}},
    {"a wildcard", "limit=%25", {"limit"}},
    {"wide digits", "limit=%EF%BC%91", {"limit"}},
    {"a NUL", "limit=1%00", {"limit"}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("parameters: limit") * shows("parameters: skip")
                     * shows("rules: a parameter given twice"))
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

BOOST_AUTO_TEST_SUITE_END()
