// suspension_story.cc - one suspension never weakens another, and a mailbox's suspension stays with
// its name when the customer deletes the mailbox: no key can create it again.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using process::Arguments;
using process::Ended;
using story::has;
using story::is_sentence;

namespace {

struct Suspensions : story::Story {
    Ended ctl(const Arguments& arguments, const std::string& input = "") const
    {
        return stack.mailboxctl(arguments, input);
    }

    static std::string name_of(const std::string& level, const story::Tenant& who)
    {
        if (level == "account") return who.account;
        return level == "domain" ? who.domain : who.address("alice");
    }
    static std::string where(const std::string& level, const story::Tenant& who)
    {
        if (level == "account") return "account WHERE name = " + stack::quote(who.account);
        if (level == "domain") return "domain WHERE name = " + stack::quote(who.domain);
        return "mailbox WHERE local_part = 'alice' AND domain_id = (SELECT id FROM domain WHERE name = "
               + stack::quote(who.domain) + ")";
    }
    std::string state(const std::string& level, const story::Tenant& who) const
    {
        return stack.value("SELECT state FROM " + where(level, who));
    }
};

struct Step {
    const char* before;
    Arguments words;  // the verb and its options
    const char* after;
    bool is_kept;  // true if the mailbox keeps a stricter state
};

std::ostream& operator<<(std::ostream& out, const Step& step)
{
    return out << step.before << ", then " << process::quoted(step.words);
}

const Step kSteps[] = {
    {"active", {"suspend"}, "no_login", false},
    {"active", {"suspend", "--disabled"}, "disabled", false},
    {"active", {"resume"}, "active", false},
    {"no_login", {"suspend"}, "no_login", false},
    {"no_login", {"suspend", "--disabled"}, "disabled", false},
    {"no_login", {"resume"}, "active", false},
    {"disabled", {"suspend"}, "disabled", true},
    {"disabled", {"suspend", "--disabled"}, "disabled", false},
    {"disabled", {"resume"}, "active", false},
};

const char* const kLevels[] = {"account", "domain", "mailbox"};

}  // namespace

BOOST_AUTO_TEST_SUITE(suspensions)

BOOST_DATA_TEST_CASE_F(Suspensions, none_is_weakened_by_another,
                       data::make(kLevels) * data::make(kSteps), level, step)
{
    const auto who = tenant();
    create(who, "alice");
    const auto name = name_of(level, who);
    const std::string table{level};
    stack.sql("UPDATE "
              + where(level, who)
                    .replace(0, table.size(), table + " SET state = " + stack::quote(step.before)));
    Arguments words{level, step.words[0], name};
    words.insert(words.end(), step.words.begin() + 1, step.words.end());
    const auto ended = ctl(words);
    BOOST_TEST(ended.exit == 0, ended.err);
    BOOST_TEST(state(level, who) == step.after);
    // The output names the resulting state, even if another one was requested.
    BOOST_TEST(has(ended.out, name + (step.is_kept ? " stays " : " is ") + step.after), ended.out);
    BOOST_TEST(has(ended.out, table + " resume") == step.is_kept, ended.out);
}

BOOST_FIXTURE_TEST_CASE(a_resumed_one_says_what_is_suspended_above_it, Suspensions)
{
    const auto who = tenant();
    create(who, "alice");
    ctl({"account", "suspend", who.account});
    ctl({"domain", "suspend", who.domain, "--disabled"});
    const auto mailbox = ctl({"mailbox", "resume", who.address("alice")}).out;
    for (const auto& words : {"is active", "account resume", "domain resume", "disabled"})
        BOOST_TEST(has(mailbox, words), mailbox);
    const auto domain = ctl({"domain", "resume", who.domain}).out;
    BOOST_TEST(has(domain, "account resume"), domain);
    BOOST_TEST(!has(domain, "domain resume"), domain);
    const auto account = ctl({"account", "resume", who.account}).out;
    BOOST_TEST(!has(account, "still"), account);
}

namespace {

// A way in which a customer's key might create the mailbox of a suspended name again.
struct Attempt {
    const char* why;
    http::Answer (*make)(const Suspensions& story, const story::Tenant& who);
};

std::ostream& operator<<(std::ostream& out, const Attempt& attempt)
{
    return out << attempt.why;
}

void remove_alice(const Suspensions& story, const story::Tenant& who)
{
    BOOST_TEST(story.remove(who, "alice").status == 200);
}

http::Answer add_credentials(const Suspensions& story, const story::Tenant& who)
{
    return story.call(who.key, "POST", "/v3/domains/" + who.domain + "/credentials",
                      http::form({{"login", "alice"}, {"password", story::kPassword}}));
}

const Attempt kAttempts[] =
    {
        {"deleted and created by the API",
         [](const Suspensions& story, const story::Tenant& who) {
    remove_alice(story, who);
    return story.create(who, "Alice");
         }},
        {"by the credentials' API",
         [](const Suspensions& story, const story::Tenant& who) {
    BOOST_TEST(
        story.call(who.key, "DELETE", "/v3/domains/" + who.domain + "/credentials/alice").status
        == 200);
    return add_credentials(story, who);
         }},
              {"after all were deleted by one call",
               [](const Suspensions& story, const story::Tenant& who) {
    story.ctl({"domain", "set", who.domain, "allow_delete_all=yes"});
    BOOST_TEST(story.call(who.key, "DELETE", "/v3/domains/" + who.domain + "/credentials").status
               == 200);
    return story.create(who, "alice");
               }},
    {"where a POST changes what there is",
     [](const Suspensions& story, const story::Tenant& who) {
    story.ctl({"domain", "set", who.domain, "on_duplicate=update"});
    BOOST_TEST(story.create(who, "alice", "Looking-Glass").status == 200);
    remove_alice(story, who);
    return story.create(who, "alice");
     }},
    {"one of many",
     [](const Suspensions& story, const story::Tenant& who) {
    remove_alice(story, who);
    return story.call(who.key, "POST", who.mailboxes(),
                      http::form({{"mailbox", "bob"},
                                  {"password", story::kPassword},
                                  {"mailbox", "alice"},
                                  {"password", story::kPassword}}));
     }},
    {"removed by mailboxctl",
     [](const Suspensions& story, const story::Tenant& who) {
    const auto removed = story.ctl({"mailbox", "remove", who.address("alice")});
    BOOST_TEST(has(removed.out, "stays suspended"), removed.out);
    return story.create(who, "alice");
     }},
    {"in a domain that was removed and restored",
     [](const Suspensions& story, const story::Tenant& who) {
    remove_alice(story, who);
    BOOST_TEST(story.ctl({"domain", "remove", who.domain, "--yes"}).exit == 0);
    BOOST_TEST(story.ctl({"domain", "restore", who.domain}).exit == 0);
    return story.create(who, "alice");
     }},
    };

// A way in which a suspended name gets a mailbox again. The mailbox is suspended, too.
struct Way {
    const char* why;
    void (*take)(const Suspensions& story, const story::Tenant& who);
};

std::ostream& operator<<(std::ostream& out, const Way& way)
{
    return out << way.why;
}

const Way kWays[] =
    {
        {"added by mailboxctl",
         [](const Suspensions& story, const story::Tenant& who) {
    remove_alice(story, who);
    const auto added = story.ctl({"mailbox", "add", who.address("alice"), "--password-file", "-"},
                                 std::string{story::kPassword} + "\n");
    BOOST_TEST(added.exit == 0, added.err);
    BOOST_TEST(has(added.out, "mailbox resume"), added.out);
         }},
        {"restored",
         [](const Suspensions& story, const story::Tenant& who) {
    remove_alice(story, who);
    BOOST_TEST(story.ctl({"mailbox", "restore", who.address("alice")}).exit == 0);
         }},
          {"another one restored under its name",
           [](const Suspensions& story, const story::Tenant& who) {
    remove_alice(story, who);
    story.create(who, "carol");
    story.remove(who, "carol");
    const auto restored = story.ctl({"mailbox", "restore", who.address("carol"), "--as", "alice"});
    BOOST_TEST(has(restored.out, "state disabled"), restored.out);
           }},
    };

}  // namespace

// A customer's key cannot end the operator's suspension.
BOOST_DATA_TEST_CASE_F(Suspensions, a_name_stays_suspended, data::make(kAttempts), attempt)
{
    const auto who = tenant();
    create(who, "alice");
    ctl({"mailbox", "suspend", who.address("alice"), "--disabled"});
    BOOST_TEST(
        answers::is_refused(attempt.make(*this, who), 403, {"suspended", who.address("alice")}));
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM " + where("mailbox", who)) == "0");
    BOOST_TEST(ctl({"mailbox", "resume", who.address("alice")}).exit == 0);
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(state("mailbox", who) == "active");
}

BOOST_DATA_TEST_CASE_F(Suspensions, a_mailbox_gets_its_names_suspension, data::make(kWays), way)
{
    const auto who = tenant();
    create(who, "alice");
    ctl({"mailbox", "suspend", who.address("alice"), "--disabled"});
    way.take(*this, who);
    BOOST_TEST(state("mailbox", who) == "disabled");
    BOOST_TEST(ctl({"mailbox", "resume", who.address("alice")}).exit == 0);
    BOOST_TEST(state("mailbox", who) == "active");
    BOOST_TEST(remove(who, "alice").status == 200);
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(state("mailbox", who) == "active");
}

BOOST_FIXTURE_TEST_CASE(a_suspended_name_without_a_mailbox, Suspensions)
{
    const auto who = tenant();
    const auto other = neighbour(who);
    const auto alice = who.address("alice");
    create(who, "alice");
    ctl({"mailbox", "suspend", alice});
    remove(who, "alice");

    BOOST_TEST(is_sentence(ctl({"mailbox", "show", alice}), 1,
                           {alice, "is suspended (no_login)", "mailbox resume"}));
    const auto listed = ctl({"mailbox", "list", who.domain});
    BOOST_TEST(has(listed.err, "1 name is suspended"), listed.err);
    BOOST_TEST(has(listed.err, "--suspended"), listed.err);
    BOOST_TEST(!has(listed.out, alice), listed.out);
    const auto names = ctl({"mailbox", "list", who.domain, "--suspended", "--json"}).out;
    BOOST_TEST(
        has(names, "{\"mailbox\":\"" + alice + "\",\"state\":\"no_login\",\"has_mailbox\":\"no\"}"),
        names);
    const auto why = ctl({"why", alice}).out;
    for (const auto& words : {"is suspended (no_login) since", "by the operator", "mailbox resume"})
        BOOST_TEST(has(why, words), why);

    // The suspension holds for the name in this domain only.
    create(other, "alice");
    BOOST_TEST(state("mailbox", other) == "active");

    // It can be made stricter, but not weaker.
    BOOST_TEST(has(ctl({"mailbox", "suspend", alice, "--disabled"}).out, "is disabled"));
    BOOST_TEST(has(ctl({"mailbox", "suspend", alice}).out, "stays disabled"));
    ctl({"mailbox", "add", alice, "--password-file", "-"}, std::string{story::kPassword} + "\n");
    BOOST_TEST(state("mailbox", who) == "disabled");
    const auto of_mailbox = ctl({"why", alice}).out;
    BOOST_TEST(has(of_mailbox, "by the operator (the suspension stayed with the name"), of_mailbox);
    remove(who, "alice");

    // After the name is resumed, a restored mailbox is active.
    const auto resumed = ctl({"mailbox", "resume", alice});
    BOOST_TEST(has(resumed.out, "no mailbox now"), resumed.out);
    BOOST_TEST(!has(ctl({"mailbox", "list", who.domain}).err, "suspended"));
    BOOST_TEST(has(ctl({"mailbox", "restore", alice}).out, "state active"));
    BOOST_TEST(state("mailbox", who) == "active");
    BOOST_TEST(is_sentence(ctl({"mailbox", "resume", who.address("nobody")}), 1, {"nobody"}));
}

// A domain that was removed and added again may have another owner, so no suspension is kept.
BOOST_FIXTURE_TEST_CASE(a_domain_that_is_added_again_has_none, Suspensions)
{
    const auto who = tenant();
    create(who, "alice");
    ctl({"mailbox", "suspend", who.address("alice")});
    ctl({"domain", "remove", who.domain, "--yes"});
    ctl({"domain", "add", who.domain, "--account", who.account, "--no-postmaster"});
    const auto key = story::add_key(stack, {"--account", who.account});
    BOOST_TEST(call(key, "POST", who.mailboxes(),
                    http::form({{"mailbox", "alice"}, {"password", story::kPassword}}))
                   .status
               == 200);
    BOOST_TEST(state("mailbox", who) == "active");
}

BOOST_AUTO_TEST_SUITE_END()
