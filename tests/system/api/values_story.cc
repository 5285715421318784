// values_story.cc - the parameters' values: which are accepted, and which are refused with a
// message that names the rule. After a refusal nothing in the database has changed.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/requests.h"

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

BOOST_TEST_DECORATOR(*shows("parameters: mailbox") * shows("status: 400 parameter not valid"))
BOOST_DATA_TEST_CASE_F(story::Story, a_bad_mailbox_name_is_refused,
                       data::make(requests::through_nginx(requests::bad_mailboxes())), row)
{
    const auto who = tenant();
    const auto before = snapshot();
    const auto answer = create(who, story::fill(row.value, who));
    BOOST_TEST(is_refused(answer, 400, row.words));
    BOOST_TEST(snapshot() == before);
}

namespace {

const requests::Value kGoodMailboxes[] = {
    {"the shortest", "a", {}},
    {"the longest", repeated('a', 64), {}},
    {"digits", "0123456789", {}},
    {"the seed's own example", "bob.bar", {}},
    {"every character that is allowed", "a._-$&'=^`{|}~", {}},
    {"a hyphen at the end", "alice-", {}},
    {"what SQL would take for a wildcard", "a_b", {}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("parameters: mailbox"))
BOOST_DATA_TEST_CASE_F(story::Story, a_good_mailbox_name_is_accepted, data::make(kGoodMailboxes),
                       row)
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

BOOST_TEST_DECORATOR(*shows("parameters: password") * shows("status: 400 parameter not valid"))
BOOST_DATA_TEST_CASE_F(story::Story, a_bad_password_is_refused,
                       data::make(requests::through_nginx(requests::bad_passwords())), row)
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

const requests::Value kGoodPasswords[] =
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
BOOST_DATA_TEST_CASE_F(story::Story, a_good_password_is_accepted,
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

BOOST_TEST_DECORATOR(*shows("parameters: limit") * shows("parameters: skip")
                     * shows("rules: a parameter given twice"))
BOOST_DATA_TEST_CASE_F(story::Story, a_bad_page_is_refused,
                       data::make(requests::through_nginx(requests::bad_queries())), row)
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
