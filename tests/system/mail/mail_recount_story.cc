// mail_recount_story.cc - sizes that Dovecot did not report, or reported in the wrong order, and
// how they are corrected.

#include "system/harness/mail.h"

#include <filesystem>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;
using process::Arguments;
using process::Ended;
using story::has;
using story::is_sentence;

namespace {

struct Recount : mail::Story {
    Recount()
    {
        for (const char* name : {"alice", "bob", "carol"})
            BOOST_TEST_REQUIRE(create(who, name).status == 200);
        deliver(who.address("alice"), mail::message("Hello"));
        BOOST_TEST_REQUIRE(process::eventually([&] { return listed("alice") > 0; }));
        size = listed("alice");
    }
    Ended ctl(const Arguments& arguments) const { return stack.mailboxctl(arguments); }
    std::int64_t listed(const std::string& name) const { return size_of(who, name); }
    std::string storage_id(const std::string& name) const
    {
        return inside(who.address(name)).substr(0, 32);
    }
    fs::path home(const std::string& name) const
    {
        const auto id = storage_id(name);
        return fs::path{stack.setting("STORE")} / id.substr(0, 2) / id;
    }
    // Copies the other mailbox's folder over this one's, as restoring a backup does, without
    // Dovecot.
    void restore_maildir(const std::string& name) const
    {
        const auto target = home(name);
        for (const auto& command :
             {Arguments{"mkdir", "-p", target.string()},
              Arguments{"cp", "-a", (home("alice") / "Maildir").string(), target.string()},
              Arguments{"chown", "-R", "--reference=" + home("alice").string(),
                        target.parent_path().string()}}) {
            const auto ended = process::run(mail::as_root(command));
            BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
        }
    }

    const story::Tenant who = tenant();
    std::int64_t size = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_recount, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(a_maildir_that_was_restored, Recount)
{
    restore_maildir("bob");
    BOOST_TEST(listed("bob") == 0);
    const auto bob = who.address("bob");
    const auto one = ctl({"mailbox", "recount", bob});
    BOOST_TEST(one.exit == 0, one.err);
    BOOST_TEST(
        has(one.out, bob + " has " + std::to_string(size) + " bytes in 1 messages; its size was 0"),
        one.out);
    BOOST_TEST(listed("bob") == size);
    BOOST_TEST(listed("bob") == counted(bob));
    // A right size stays the same, and the next delivery adds to it.
    BOOST_TEST(
        has(ctl({"mailbox", "recount", bob, "--json"}).out,
            "\"size_before\":" + std::to_string(size) + ",\"size_bytes\":" + std::to_string(size)));
    deliver(bob, mail::message("More"));
    BOOST_TEST(process::eventually([&] { return listed("bob") > size; }));
    BOOST_TEST(listed("bob") == counted(bob));
}

BOOST_FIXTURE_TEST_CASE(all_of_a_domain, Recount)
{
    restore_maildir("bob");
    restore_maildir("carol");
    const auto all = ctl({"mailbox", "recount", who.domain});
    BOOST_TEST(all.exit == 0, all.err);
    for (const char* name : {"bob", "carol"}) {
        BOOST_TEST(has(all.out, who.address(name)), all.out);
        BOOST_TEST(listed(name) == size);
    }
    BOOST_TEST(!has(all.out, who.address("alice")), all.out);
    BOOST_TEST(has(all.err, "3 mailboxes counted, 2 had another size"), all.err);
    const auto again = ctl({"mailbox", "recount", "--all", "--json"});
    BOOST_TEST(again.exit == 0, again.err);
    BOOST_TEST(!has(again.out, who.domain), again.out);
}

// Suspended mailboxes have mail, too.
BOOST_FIXTURE_TEST_CASE(a_suspended_one, Recount)
{
    restore_maildir("bob");
    ctl({"mailbox", "suspend", who.address("bob"), "--disabled"});
    BOOST_TEST(ctl({"mailbox", "recount", who.address("bob")}).exit == 0);
    BOOST_TEST(listed("bob") == size);
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_cannot_be_counted, Recount)
{
    BOOST_TEST(is_sentence(ctl({"mailbox", "recount"}), 2, {"--all"}));
    BOOST_TEST(is_sentence(ctl({"mailbox", "recount", who.domain, "--all"}), 2, {"--all"}));
    BOOST_TEST(
        is_sentence(ctl({"mailbox", "recount", "absent.example.org"}), 1, {"absent.example.org"}));
    BOOST_TEST(
        is_sentence(ctl({"mailbox", "recount", who.address("dora")}), 1, {who.address("dora")}));
}

// A session and a delivery report within seconds, so the last report may be the older one. The
// janitor counts again.
BOOST_FIXTURE_TEST_CASE(two_reports_within_seconds_cause_a_recount, Recount)
{
    // For this connection the server's clock is a minute behind.
    auto dovecot_of_then = stack.connect_to_database();
    const auto tell = [&](int bytes) {
        return "UPDATE mailbox_usage SET bytes = " + std::to_string(bytes)
               + " WHERE storage_id = " + stack::quote(storage_id("alice"));
    };
    {
        const mail::Halt janitor{stack};
        dovecot_of_then.execute("SET timestamp = UNIX_TIMESTAMP() - 60; " + tell(7));
        BOOST_TEST(stack.value("SELECT doubtful_at FROM mailbox_usage WHERE storage_id = "
                               + stack::quote(storage_id("alice")))
                   != "0");
        BOOST_TEST(listed("alice") == 7);
    }
    BOOST_TEST(
        process::eventually([&] { return listed("alice") == size; }, std::chrono::seconds{30}));
    BOOST_TEST(stack.value("SELECT doubtful_at FROM mailbox_usage WHERE storage_id = "
                           + stack::quote(storage_id("alice")))
               == "0");
}

// A single report is no reason to count again.
BOOST_FIXTURE_TEST_CASE(one_report_causes_no_recount, Recount)
{
    BOOST_TEST(stack.value("SELECT doubtful_at FROM mailbox_usage WHERE storage_id = "
                           + stack::quote(storage_id("alice")))
               == "0");
}

BOOST_AUTO_TEST_SUITE_END()
