// mail_restore_story.cc - the end of a mailbox and what comes after: made again, restored, removed.

#include "mail.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;
using process::Arguments;
using process::Ended;
using story::is_sentence;

namespace {

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

template <typename Base>
struct After : Base {
    After() : who{this->tenant()}
    {
        BOOST_TEST_REQUIRE(this->create(who, name).status == 200);
    }

    Ended ctl(const Arguments& arguments) const { return this->house.mailboxctl(arguments); }
    // With settings of its own.
    Ended ctl_with(const story::Settings& settings, const Arguments& arguments) const
    {
        const auto file = this->house.directory() / (story::unique("other") + ".conf");
        std::ofstream{file} << story::configuration(this->house, settings);
        fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
        Arguments all{this->house.setting("MAILBOXCTL"), "--config", file};
        all.insert(all.end(), arguments.begin(), arguments.end());
        auto ended = process::run(all);
        fs::remove(file);
        return ended;
    }
    std::string storage_id(const std::string& of) const { return this->inside(of).substr(0, 32); }
    fs::path home(const std::string& id) const { return fs::path{this->house.setting("STORE")} / id.substr(0, 2) / id; }

    // By a name that is nowhere else, so that it can be looked for.
    const std::string name = story::unique("who'ever$");
    story::Tenant who;
    const std::string address = who.address(name);
    const std::string old = who.address(name + "-old");
};

using Restored = After<mail::Story>;

// What a reader knows of the messages: folder, numbers, flags.
std::string as_read(mail::Imap& imap)
{
    const auto selected = imap.ask("SELECT INBOX").text();
    const auto validity = selected.substr(selected.find("UIDVALIDITY"));
    auto text = validity.substr(0, validity.find(']')) + "\n";
    for (const auto& line : imap.ask("FETCH 1:* (UID FLAGS)").lines) text += line + "\n";
    return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_restore, *mail::needs_mail())

// --- restored -------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(all_of_it_comes_back, Restored)
{
    const auto letter = mail::message("Kept");
    deliver(address, letter);
    deliver(address, mail::message("Too"));
    std::string before;
    {
        auto reader = imap(address);
        reader.select();
        reader.ask("STORE 1 +FLAGS (\\Flagged \\Seen)");
        BOOST_TEST(reader.ask("CREATE Folder").result.starts_with("OK "));
        BOOST_TEST(reader.append("Folder", letter).starts_with("OK "));
        before = as_read(reader);
        reader.ask("LOGOUT");
    }
    BOOST_TEST(process::eventually([&] { return size_of(who, name) == counted(address); }));
    const auto size = size_of(who, name);
    BOOST_TEST(size > 0);
    BOOST_TEST(remove(who, name).status == 200);
    BOOST_TEST(is_refused(address, story::kPassword));
    BOOST_TEST(smtp().send("you@example.net", {address}, letter).starts_with("550 "));

    const auto ended = ctl({"mailbox", "restore", address, "--json"});
    BOOST_TEST(ended.exit == 0, ended.err);
    BOOST_TEST(has(ended.out, "\"size_bytes\":" + std::to_string(size)), ended.out);
    BOOST_TEST(size_of(who, name) == size);
    auto reader = imap(address);
    BOOST_TEST(as_read(reader) == before);
    BOOST_TEST(has(reader.message(1), letter.substr(letter.find("Subject"))));
    BOOST_TEST(reader.select("Folder") == 1U);
    BOOST_TEST(pop3(address).messages() == 2U);
    BOOST_TEST(submission(address).send(address, {address}, mail::message("To myself")).starts_with("250 "));
    BOOST_TEST(process::eventually([&] { return reader.select() == 3U; }));
    BOOST_TEST(process::eventually([&] { return size_of(who, name) == counted(address); }));
    BOOST_TEST(size_of(who, name) > size);
}

// The old one's session outlives it, as long as the janitor is halted.
BOOST_FIXTURE_TEST_CASE(deleted_made_again_and_both_there, Restored)
{
    expected = {"foreign key constraint fails"};
    deliver(address, mail::message("First"));
    deliver(address, mail::message("Second"));
    const auto id = storage_id(address);
    {
        const mail::Halt halt{house};
        auto session = imap(address);
        BOOST_TEST(session.select() == 2U);
        BOOST_TEST(remove(who, name).status == 200);
        BOOST_TEST(create(who, name, "Looking-Glass").status == 200);
        BOOST_TEST(imap(address, "Looking-Glass").select() == 0U);
        session.ask("STORE 2 +FLAGS.SILENT (\\Deleted)");
        BOOST_TEST(session.ask("EXPUNGE").result.starts_with("OK "));
        const auto mark = dovecot.mark();
        session.ask("LOGOUT");
        BOOST_TEST(!dovecot.expect(mark, {"foreign key constraint fails"}).empty());
        BOOST_TEST(size_of(who, name) == 0);
    }
    deliver(address, mail::message("For the new one"));
    BOOST_TEST(is_sentence(ctl({"mailbox", "restore", address}), 1, {"already", "--as"}));
    BOOST_TEST(is_sentence(ctl({"mailbox", "restore", address, "--as", "x@example.net"}), 1, {"x@example.net"}));
    BOOST_TEST(ctl({"mailbox", "restore", address, "--as", name + "-old"}).exit == 0);
    BOOST_TEST(storage_id(old) == id);

    auto reader = imap(old);
    BOOST_TEST(reader.select() == 1U);
    BOOST_TEST(has(reader.message(1), "Subject: First"));
    BOOST_TEST(pop3(old).messages() == 1U);
    auto other = imap(address, "Looking-Glass");
    BOOST_TEST(other.select() == 1U);
    BOOST_TEST(has(other.message(1), "Subject: For the new one"));
    BOOST_TEST(smtp().send("you@example.net", {old}, mail::message("For the old one")).starts_with("250 "));
    BOOST_TEST(process::eventually([&] { return messages(old) == 2U; }));
    BOOST_TEST(size_of(who, name + "-old") == counted(old));
    BOOST_TEST(size_of(who, name) == counted(address));
}

// A session from before the deletion is none of the restored mailbox's, even if nobody had the time to end it.
BOOST_FIXTURE_TEST_CASE(the_sessions_stay_ended, Restored)
{
    auto session = imap(address);
    auto sending = submission(address);
    {
        const mail::Halt halt{house};
        BOOST_TEST(remove(who, name).status == 200);
        BOOST_TEST(ctl({"mailbox", "restore", address}).exit == 0);
        BOOST_TEST(sending.ask("MAIL FROM:<" + address + ">").starts_with("421 4.7.0 "));
    }
    BOOST_TEST(session.end().starts_with("* BYE "));
    BOOST_TEST(imap(address).select() == 0U);
}

BOOST_FIXTURE_TEST_CASE(after_the_grace, Restored)
{
    deliver(address, mail::message("Gone"));
    const auto id = storage_id(address);
    const mail::Halt halt{house};
    BOOST_TEST(remove(who, name).status == 200);
    house.sql("UPDATE deleted_mailbox SET deleted_at = deleted_at - 7 * 86400 WHERE storage_id = " + stack::quote(id));
    BOOST_TEST(is_sentence(ctl({"mailbox", "restore", address}), 1, {"7 days", "deleted_for"}));
    BOOST_TEST(fs::exists(home(id)));
    BOOST_TEST(ctl({"janitor"}).exit == 0);
    BOOST_TEST(!fs::exists(home(id)));
    BOOST_TEST(is_sentence(ctl({"mailbox", "restore", address}), 1, {"nothing is kept", "backup"}));
}

// Each of them is either there with its mail, or refused and gone.
BOOST_FIXTURE_TEST_CASE(while_the_janitor_removes, Restored)
{
    constexpr std::size_t kMailboxes = 60;
    std::vector<std::string> names;
    std::vector<std::string> ids;
    mail::Smtp lmtp{endpoint("LMTP"), "LHLO"};
    for (std::size_t i = 0; i < kMailboxes; ++i) {
        names.push_back("m" + std::to_string(i));
        BOOST_TEST(create(who, names[i]).status == 200);
        BOOST_TEST(lmtp.send("you@example.net", {inside(who.address(names[i]))}, mail::message("Hello")).starts_with("250 "));
        ids.push_back(storage_id(who.address(names[i])));
        BOOST_TEST(remove(who, names[i]).status == 200);
    }
    // By different settings the one may restore what the other removes.
    house.sql("UPDATE deleted_mailbox SET deleted_at = deleted_at - 2 * 86400 WHERE domain = " + stack::quote(who.domain));
    std::vector<Ended> restored(kMailboxes);
    Ended janitor;
    mail::in_parallel(kMailboxes + 1, 3, [&](std::size_t i) {
        if (i == kMailboxes / 4) janitor = ctl_with({{"deleted_for", "1"}}, {"janitor"});
        else restored[i < kMailboxes / 4 ? i : i - 1] = ctl({"mailbox", "restore", who.address(names[i < kMailboxes / 4 ? i : i - 1])});
    });
    BOOST_TEST(janitor.exit == 0, janitor.out << janitor.err);
    std::size_t there = 0;
    for (std::size_t i = 0; i < kMailboxes; ++i) {
        BOOST_TEST_CONTEXT(names[i] << ": " << restored[i].out << restored[i].err)
        {
            const bool is_there = inside(who.address(names[i])).starts_with(ids[i]);
            BOOST_TEST(is_there == (restored[i].exit == 0));
            BOOST_TEST(fs::exists(home(ids[i])) == is_there);
            if (is_there) BOOST_TEST(imap(who.address(names[i])).select() == 1U);
            else BOOST_TEST(is_sentence(restored[i], 1));
            there += is_there ? 1 : 0;
        }
    }
    BOOST_TEST_MESSAGE(there << " of " << kMailboxes << " were restored");
    BOOST_TEST(there > 0U);
    BOOST_TEST(there < kMailboxes);
}

BOOST_FIXTURE_TEST_CASE(what_was_queued_for_the_old_one, After<mail::Breaking>)
{
    deliver(address, mail::message("In time"));
    const auto id = storage_id(address);
    stop_dovecot();
    BOOST_TEST(smtp().send("you@example.net", {address}, mail::message("Queued")).starts_with("250 "));
    BOOST_TEST(remove(who, name).status == 200);
    BOOST_TEST(create(who, name, "Looking-Glass").status == 200);
    BOOST_TEST(ctl({"mailbox", "restore", address, "--as", name + "-old"}).exit == 0);
    BOOST_TEST(remove(who, name + "-old").status == 200);
    const auto mark = postfix.mark();
    house.up();
    flush();
    BOOST_TEST(process::eventually([&] { return is_queue_empty(); }));
    BOOST_TEST(!postfix.expect(mark, {"status=bounced", id}).empty());
    BOOST_TEST(imap(address, "Looking-Glass").select() == 0U);
    BOOST_TEST(ctl({"mailbox", "restore", old}).exit == 0);
    BOOST_TEST(imap(old).select() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
