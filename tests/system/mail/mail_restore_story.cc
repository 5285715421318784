// mail_restore_story.cc - after the deletion of a mailbox: created again, restored, removed by the
// janitor, erased.

#include "system/harness/mail.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <regex>
#include <set>
#include <sstream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;
using process::Arguments;
using process::Ended;
using story::has;
using story::is_sentence;

namespace {

template <typename Base>
struct After : Base {
    After() : who{this->tenant()} { BOOST_TEST_REQUIRE(this->create(who, name).status == 200); }

    Ended ctl(const Arguments& arguments) const { return this->stack.mailboxctl(arguments); }
    // Runs mailboxctl with other settings.
    Ended ctl_with(const story::Settings& settings, const Arguments& arguments) const
    {
        const auto file = this->stack.directory() / (story::unique("other") + ".conf");
        std::ofstream{file} << story::configuration(this->stack, settings);
        fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
        Arguments all{this->stack.setting("MAILBOXCTL"), "--config", file};
        all.insert(all.end(), arguments.begin(), arguments.end());
        auto ended = process::run(all);
        fs::remove(file);
        return ended;
    }
    std::string storage_id(const std::string& of) const { return this->inside(of).substr(0, 32); }
    fs::path home(const std::string& id) const
    {
        return fs::path{this->stack.setting("STORE")} / id.substr(0, 2) / id;
    }

    // The name occurs nowhere else, so it can be searched for.
    const std::string name = story::unique("who'ever$");
    story::Tenant who;
    const std::string address = who.address(name);
    const std::string old = who.address(name + "-old");
};

using Restored = After<mail::Story>;

// Returns what an IMAP client knows of the messages: folder, numbers, flags.
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
    BOOST_TEST(submission(address)
                   .send(address, {address}, mail::message("To myself"))
                   .starts_with("250 "));
    BOOST_TEST(process::eventually([&] { return reader.select() == 3U; }));
    BOOST_TEST(process::eventually([&] { return size_of(who, name) == counted(address); }));
    BOOST_TEST(size_of(who, name) > size);
}

// The janitor is halted, so a session of the old mailbox continues.
BOOST_FIXTURE_TEST_CASE(deleted_made_again_and_both_there, Restored)
{
    expected = {"foreign key constraint fails"};
    deliver(address, mail::message("First"));
    deliver(address, mail::message("Second"));
    const auto id = storage_id(address);
    {
        const mail::Halt halt{stack};
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
    BOOST_TEST(is_sentence(ctl({"mailbox", "restore", address, "--as", "x@example.net"}), 1,
                           {"x@example.net"}));
    BOOST_TEST(ctl({"mailbox", "restore", address, "--as", name + "-old"}).exit == 0);
    BOOST_TEST(storage_id(old) == id);

    auto reader = imap(old);
    BOOST_TEST(reader.select() == 1U);
    BOOST_TEST(has(reader.message(1), "Subject: First"));
    BOOST_TEST(pop3(old).messages() == 1U);
    auto other = imap(address, "Looking-Glass");
    BOOST_TEST(other.select() == 1U);
    BOOST_TEST(has(other.message(1), "Subject: For the new one"));
    BOOST_TEST(smtp()
                   .send("you@example.net", {old}, mail::message("For the old one"))
                   .starts_with("250 "));
    BOOST_TEST(process::eventually([&] { return messages(old) == 2U; }));
    BOOST_TEST(size_of(who, name + "-old") == counted(old));
    BOOST_TEST(size_of(who, name) == counted(address));
}

// A session from before the deletion must not see the restored mailbox, even if the janitor had no
// time to end it.
BOOST_FIXTURE_TEST_CASE(the_sessions_stay_ended, Restored)
{
    auto session = imap(address);
    auto sending = submission(address);
    {
        const mail::Halt halt{stack};
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
    const mail::Halt halt{stack};
    BOOST_TEST(remove(who, name).status == 200);
    stack.sql("UPDATE deleted_mailbox SET deleted_at = deleted_at - 7 * 86400 WHERE storage_id = "
              + stack::quote(id));
    BOOST_TEST(is_sentence(ctl({"mailbox", "restore", address}), 1, {"7 days", "deleted_for"}));
    BOOST_TEST(fs::exists(home(id)));
    BOOST_TEST(ctl({"janitor"}).exit == 0);
    BOOST_TEST(!fs::exists(home(id)));
    BOOST_TEST(is_sentence(ctl({"mailbox", "restore", address}), 1, {"nothing is kept", "backup"}));
}

// Each mailbox is either restored with its mail, or its restoration is refused and its mail is
// gone.
BOOST_FIXTURE_TEST_CASE(while_the_janitor_removes, Restored)
{
    constexpr std::size_t kMailboxes = 60;
    std::vector<std::string> names;
    std::vector<std::string> ids;
    mail::Smtp lmtp{endpoint("LMTP"), "LHLO"};
    for (std::size_t i = 0; i < kMailboxes; ++i) {
        names.push_back("m" + std::to_string(i));
        BOOST_TEST(create(who, names[i]).status == 200);
        BOOST_TEST(
            lmtp.send("you@example.net", {inside(who.address(names[i]))}, mail::message("Hello"))
                .starts_with("250 "));
        ids.push_back(storage_id(who.address(names[i])));
        BOOST_TEST(remove(who, names[i]).status == 200);
    }
    // With different settings, one command may restore what the other removes.
    stack.sql("UPDATE deleted_mailbox SET deleted_at = deleted_at - 2 * 86400 WHERE domain = "
              + stack::quote(who.domain));
    std::vector<Ended> restored(kMailboxes);
    Ended janitor;
    mail::in_parallel(kMailboxes + 1, 3, [&](std::size_t i) {
        if (i == kMailboxes / 4) janitor = ctl_with({{"deleted_for", "1"}}, {"janitor"});
        else
            restored[i < kMailboxes / 4 ? i : i - 1] =
                ctl({"mailbox", "restore", who.address(names[i < kMailboxes / 4 ? i : i - 1])});
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

BOOST_FIXTURE_TEST_CASE(queued_mail_for_the_old_mailbox, After<mail::Breaking>)
{
    deliver(address, mail::message("In time"));
    const auto id = storage_id(address);
    stop_dovecot();
    BOOST_TEST(
        smtp().send("you@example.net", {address}, mail::message("Queued")).starts_with("250 "));
    BOOST_TEST(remove(who, name).status == 200);
    BOOST_TEST(create(who, name, "Looking-Glass").status == 200);
    BOOST_TEST(ctl({"mailbox", "restore", address, "--as", name + "-old"}).exit == 0);
    BOOST_TEST(remove(who, name + "-old").status == 200);
    const auto mark = postfix.mark();
    stack.up();
    mail::flush(stack);
    BOOST_TEST(process::eventually([&] { return mail::is_queue_empty(stack); }));
    BOOST_TEST(!postfix.expect(mark, {"status=bounced", id}).empty());
    BOOST_TEST(imap(address, "Looking-Glass").select() == 0U);
    BOOST_TEST(ctl({"mailbox", "restore", old}).exit == 0);
    BOOST_TEST(imap(old).select() == 1U);
}

// --- erased ---------------------------------------------------------------------------

namespace {

// A mailbox that was deleted, restored, used over every protocol, deleted again and created again.
template <typename Base>
struct Erased : After<Base> {
    using After<Base>::address;
    using After<Base>::who;
    using After<Base>::name;

    Erased()
    {
        this->expected = {"foreign key constraint fails"};  // the ended session reports its size
        BOOST_TEST(this->create(who, "bob").status == 200);
        this->deliver(address, mail::message("First", canary + "\r\n"));
        BOOST_TEST(this->remove(who, name).status == 200);
        BOOST_TEST(this->create(who, name).status == 200);
        this->deliver(address, mail::message("Second", canary + "\r\n"));
        this->deliver(who.address("bob"), mail::message("Bob's"));
        BOOST_TEST(this->change(who, name, "Looking-Glass").status == 200);
        BOOST_TEST(this->submission(address, "Looking-Glass")
                       .send(address, {who.address("bob")}, mail::message("To bob", "By me\r\n"))
                       .starts_with("250 "));
        BOOST_TEST(process::eventually([&] { return this->messages(who.address("bob")) == 2; }));
        for (const auto& row : this->stack.sql(
                 "SELECT storage_id FROM deleted_mailbox WHERE local_part = " + stack::quote(name)))
            ids.push_back(row.at(0));
        ids.push_back(this->storage_id(address));
    }

    // Returns the tables with a row that contains this text.
    std::vector<std::string> tables_with(const std::string& text) const
    {
        std::vector<std::string> found;
        for (
            const auto& table : this->stack.sql(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")) {
            for (const auto& row : this->stack.sql("SELECT * FROM " + table.at(0))) {
                if (std::any_of(row.begin(), row.end(),
                                [&](const auto& cell) { return has(cell, text); }))
                    found.push_back(table.at(0));
            }
        }
        return found;
    }
    // Returns the files below a folder of the stack that contain the text or have it in their
    // names.
    std::set<std::string> files_with(const std::string& text, const std::string& below) const
    {
        const auto folder = (this->stack.directory() / below).string();
        const auto contents =
            process::run(mail::as_root({"grep", "-rlaF", "-e", text, folder})).out;
        const auto names =
            process::run(mail::as_root({"find", folder, "-name", "*" + text + "*"})).out;
        std::set<std::string> found;
        std::istringstream lines{contents + names};
        for (std::string line; std::getline(lines, line);) found.insert(fs::path{line}.filename());
        return found;
    }
    void check_nothing_is_left() const
    {
        for (const auto& text : {name, canary}) {
            BOOST_TEST(tables_with(text) == std::vector<std::string>{},
                       boost::test_tools::per_element());
        }
        BOOST_TEST(files_with(canary, "mail").empty());
        BOOST_TEST(files_with(canary, "log").empty());
        for (const auto& id : ids) {
            BOOST_TEST(!fs::exists(this->home(id)));
            BOOST_TEST(!fs::exists(this->home(id).string() + ".removed"));
        }
        const std::set<std::string> logs{"mailboxd.log", "nginx-access.log", "nginx-error.log",
                                         "postfix.log", "dovecot.log"};
        for (const auto& file : files_with(name, "log")) BOOST_TEST(logs.contains(file), file);
        BOOST_TEST(this->imap(who.address("bob")).select() == 2U);
    }

    const std::string canary = story::unique("canary");
    std::vector<std::string> ids;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_address, Erased<mail::Story>)
{
    auto session = imap(address, "Looking-Glass");
    const auto before = tables_with(name);
    BOOST_TEST(
        is_sentence(ctl({"erase", address}), 1, {"1 in mailbox", "1 in deleted_mailbox", "--yes"}));
    BOOST_TEST(tables_with(name) == before, boost::test_tools::per_element());
    BOOST_TEST(before.size() > 2U);
    BOOST_TEST(files_with(canary, "mail").size() == 2U);

    // The janitor is stopped. Otherwise it may end the session and remove the mail first, and would
    // count them instead.
    const auto ended = [&] {
        const mail::Halt halt{stack};
        return ctl({"erase", address, "--yes"});
    }();
    BOOST_TEST(ended.exit == 0, ended.out << ended.err);
    for (const auto& words :
         {"sessions_ended +1\n", "files +[1-9][0-9]*\n", "mailbox +1\n", "mailbox_usage +1\n",
          "sending_rate +1\n", "deleted_mailbox +1\n", "audit_log +4\n", "left_to_the_janitor +-\n",
          "postqueue", "rotated", "binary logs", "backups"}) {
        BOOST_TEST(std::regex_search(ended.out, std::regex{words}), words << " in: " << ended.out);
    }
    for (const auto& id : ids) BOOST_TEST(has(ended.out, id));
    // The command that it prints for the logs finds the logs of the stack.
    const auto begin = ended.out.find("find /var/log ");
    BOOST_TEST_REQUIRE(begin != std::string::npos, ended.out);
    const auto command = "find " + (stack.directory() / "log").string()
                         + ended.out.substr(begin + 13, ended.out.find('\n', begin) - begin - 13);
    const auto found = process::run(mail::as_root({"sh", "-c", command})).out;
    BOOST_TEST(!files_with(name, "log").empty());
    for (const auto& file : files_with(name, "log"))
        BOOST_TEST(has(found, file), file << " not in " << found);
    BOOST_TEST(session.end().starts_with("* BYE "));
    check_nothing_is_left();
    BOOST_TEST(is_refused(address, "Looking-Glass"));
    BOOST_TEST(
        smtp().send("you@example.net", {address}, mail::message("Late")).starts_with("550 "));
    BOOST_TEST(is_sentence(ctl({"mailbox", "restore", address}), 1, {"nothing is kept"}));
    BOOST_TEST(is_sentence(ctl({"erase", address, "--yes"}), 1, {"nothing is known"}));
    // The audit log keeps what was done and when.
    const auto audit = ctl({"audit", who.domain}).out;
    for (const char* action : {"create", "delete", "password", "erase"}) {
        BOOST_TEST(std::regex_search(audit, std::regex{std::string{action} + " +" + who.domain
                                                       + " +\\(erased\\)\n"}),
                   audit);
    }
    // Another customer can use the name.
    BOOST_TEST(create(who, name).status == 200);
    BOOST_TEST(imap(address).select() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_domain, Erased<mail::Story>)
{
    story::add_key(stack, {"--account", who.account, "--domain", who.domain});
    const auto ended = ctl({"erase", who.domain, "--yes", "--json"});
    BOOST_TEST(ended.exit == 0, ended.out << ended.err);
    for (const char* words : {"\"mailbox\":2,", "\"deleted_mailbox\":1,", "\"domain\":1,",
                              "\"api_key\":1,", "\"left_to_the_janitor\":null}"}) {
        BOOST_TEST(has(ended.out, words), ended.out);
    }
    BOOST_TEST(tables_with(who.domain) == std::vector<std::string>{},
               boost::test_tools::per_element());
    BOOST_TEST(tables_with(name) == std::vector<std::string>{}, boost::test_tools::per_element());
    BOOST_TEST(files_with(canary, "mail").empty());
    BOOST_TEST(files_with(who.domain, "mail").empty());
    BOOST_TEST(files_with(canary, "log").empty());
    BOOST_TEST(has(ctl({"account", "list"}).out, who.account));
    BOOST_TEST(is_sentence(ctl({"erase", who.domain, "--yes"}), 1, {"nothing is known"}));
}

// A domain that was removed before is found by the rows that are kept of it.
BOOST_FIXTURE_TEST_CASE(a_domain_that_was_removed, Erased<mail::Story>)
{
    BOOST_TEST(ctl({"domain", "remove", who.domain, "--yes"}).exit == 0);
    BOOST_TEST(files_with(canary, "mail").size() == 2U);
    BOOST_TEST(ctl({"erase", who.domain, "--yes"}).exit == 0);
    BOOST_TEST(tables_with(who.domain) == std::vector<std::string>{},
               boost::test_tools::per_element());
    BOOST_TEST(files_with(canary, "mail").empty());
}

namespace {

struct Stop {
    const char* why;
    const char* lock;  // the lock that it waits for when it is killed
    bool logs_in;
    bool has_mail;
};

std::ostream& operator<<(std::ostream& out, const Stop& row)
{
    return out << row.why;
}

const Stop kStops[] = {
    {"before anything", "SELECT * FROM domain WHERE name = {domain} FOR UPDATE", true, true},
    {"before its mail is removed",
     "SELECT * FROM deleted_mailbox WHERE domain = {domain} FOR UPDATE", false, true},
    {"with its mail removed",
     "SELECT * FROM audit_log WHERE domain = {domain} AND local_part = {name} AND action = 'create' FOR UPDATE",
     false, false},
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Erased<mail::Story>, killed_and_run_again, data::make(kStops), row)
{
    {
        auto holder = stack.connect_to_database();
        holder.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION; "
                       + mail::fill(row.lock, {{"{domain}", stack::quote(who.domain)},
                                               {"{name}", stack::quote(name)}}));
        const process::Child erasing{{stack.setting("MAILBOXCTL"), "--config",
                                      stack.setting("MAILBOXD_CONF"), "erase", address, "--yes"}};
        // InnoDB repeats its last answer to a query within 100 ms, so the interval is longer.
        BOOST_TEST_REQUIRE(process::eventually(
            [&] {
            return stack.value(
                       "SELECT COUNT(*) > 0 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
                   == "1";
            },
            std::chrono::seconds{60}, std::chrono::milliseconds{150}));
        ::kill(erasing.pid(), SIGKILL);
        BOOST_TEST(fs::exists(home(ids.front())) == row.has_mail);
        holder.execute("ROLLBACK");
    }
    BOOST_TEST(mail::Imap{endpoint("IMAP")}.login(address, "Looking-Glass").starts_with("OK ")
               == row.logs_in);
    // The server may still have run the last statement of the killed program.
    const auto ended = ctl({"erase", address, "--yes"});
    BOOST_TEST((ended.exit == 0 || (!row.has_mail && has(ended.err, "nothing is known"))),
               ended.out << ended.err);
    check_nothing_is_left();
}

// If it cannot reach the mail and the sessions, the janitor finishes the work.
BOOST_FIXTURE_TEST_CASE(without_dovecot_and_the_store, Erased<mail::Story>)
{
    auto session = imap(address, "Looking-Glass");
    {
        const mail::Halt halt{stack};
        const auto ended = ctl_with({{"store", "/nowhere"}, {"doveadm", "/nowhere/http"}},
                                    {"erase", address, "--yes"});
        BOOST_TEST(ended.exit == 1);
        BOOST_TEST(
            std::regex_search(
                ended.out,
                std::regex{"left_to_the_janitor +the mail .*/nowhere.*; open sessions .*/nowhere"}),
            ended.out);
        // The rows are still there, so that a second run finds the rest.
        BOOST_TEST(tables_with(name)
                       == (std::vector<std::string>{"deleted_mailbox", "deleted_mailbox"}),
                   boost::test_tools::per_element());
        for (const auto& id : ids) BOOST_TEST(fs::exists(home(id)));
    }
    BOOST_TEST(session.end().starts_with("* BYE "));
    // So long ago that no last delivery can still arrive.
    stack.sql("UPDATE deleted_mailbox SET deleted_at = deleted_at - 121");
    const auto janitor = ctl({"janitor"});
    BOOST_TEST(janitor.exit == 0, janitor.out << janitor.err);
    check_nothing_is_left();
}

BOOST_AUTO_TEST_SUITE_END()
