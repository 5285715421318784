// mailbox_settings_story.cc - new mailboxes with a quota and a state, and suspended names, through
// nginx and with the service's own database user. tests/unit/mailboxd/mailbox_handlers_test.cc has
// the rules in detail.

#include "system/harness/story.h"

#include <string>

#include <boost/test/unit_test.hpp>

using story::has;
using story::shows;

namespace {

struct Settings : story::Story {
    Settings() : who{tenant()}, operator_key{story::add_key(stack, {"--operator"})} {}

    std::string shown(const std::string& name) const
    {
        return call(operator_key, "GET", who.mailbox(name, "/v3")).body;
    }

    story::Tenant who;
    std::string operator_key;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mailbox_settings)

BOOST_FIXTURE_TEST_CASE(a_mailbox_begins_with_a_quota_and_a_state, Settings,
                        *shows("mailboxes: POST with quota and state"))
{
    const auto fields = http::form({{"mailbox", "alice"},
                                    {"password", story::kPassword},
                                    {"mailbox", "bob"},
                                    {"password", story::kPassword},
                                    {"quota_bytes", "1G"},
                                    {"quota_bytes", ""},
                                    {"state", "no_login"}});
    BOOST_TEST(answers::is_refused(call(who.key, "POST", who.mailboxes("/v3"), fields), 403,
                                   {"operator"}));
    BOOST_TEST(call(operator_key, "POST", who.mailboxes("/v3"), fields).body
               == "{\"message\":\"Created 2 mailboxes\"}\n");
    BOOST_TEST(has(shown("alice"), R"("quota_bytes":1073741824,"state":"no_login")"));
    BOOST_TEST(has(shown("bob"), R"("quota_bytes":null,"state":"no_login")"));
}

BOOST_FIXTURE_TEST_CASE(a_suspended_name_is_refused, Settings,
                        *shows("mailboxes: POST of a suspended name"))
{
    create(who, "alice");
    const auto item = who.mailbox("alice", "/v3");
    BOOST_TEST(call(operator_key, "PUT", item, http::form({{"state", "disabled"}})).status == 200);
    BOOST_TEST(remove(who, "alice").status == 200);
    BOOST_TEST(answers::is_refused(create(who, "alice"), 403, {who.address("alice")}));
    BOOST_TEST(call(operator_key, "PUT", item, http::form({{"state", "active"}})).status == 200);
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(has(shown("alice"), R"("state":"active")"));
}

BOOST_AUTO_TEST_SUITE_END()
