// import_story.cc - mailboxctl import and export: users log in with the passwords of their old
// system, aliases deliver, an import that was killed goes on, and an export becomes the same again.

#include "system/harness/mail.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <ostream>
#include <sstream>

#include <boost/test/unit_test.hpp>

using process::Arguments;
using process::Ended;
using story::has;

namespace {

using Names = std::vector<std::string>;

// Made by Dovecot and libc from "correct horse battery".
struct Old {
    const char* name;
    const char* scheme;  // for doveadm pw; empty: the form says it
};
const Old kOld[] = {{"sha512", "SHA512-CRYPT"},
                    {"blowfish", "BLF-CRYPT"},
                    {"ssha", "SSHA512"},
                    {"argon", "ARGON2I"},
                    {"pbkdf", "PBKDF2"}};

std::string contents(const std::filesystem::path& file)
{
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

struct Importing : mail::Story {
    Importing() : who{tenant()} {}

    void teardown()
    {
        mail::Story::teardown();
        const auto account =
            stack.value("SELECT id FROM account WHERE name = " + stack::quote(who.account));
        stack.sql("DELETE FROM alias WHERE account_id = " + account);
        replace_weak_hashes();
    }

    Ended import(const std::string& rows, Arguments more = {}) const
    {
        Arguments arguments{"import", "-", "--account", who.account};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return stack.mailboxctl(arguments, rows);
    }
    // A hash by Dovecot, as another system has it: without the scheme where the form says it.
    std::string hash_of(const std::string& scheme) const
    {
        const auto ended = doveadm({"pw", "-s", scheme, "-p", std::string{story::kPassword}});
        BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
        auto hash = ended.out.substr(0, ended.out.find('\n'));
        return hash.find("}$") == std::string::npos || scheme == "PBKDF2"
                   ? hash
                   : hash.substr(hash.find('}') + 1);
    }
    std::filesystem::path file(const std::string& name) const
    {
        return stack.directory() / (story::unique(name) + ".csv");
    }
    std::string rows_of_audit() const
    {
        return stack.value("SELECT COUNT(*) FROM audit_log WHERE domain = "
                           + stack::quote(who.domain));
    }

    story::Tenant who;
};

mode_t mode_of(const std::filesystem::path& file)
{
    struct stat about {};
    BOOST_TEST_REQUIRE(::stat(file.c_str(), &about) == 0);
    return about.st_mode & 07777;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(imports)

BOOST_FIXTURE_TEST_CASE(users_log_in_with_their_old_passwords, Importing, *mail::needs_mail())
{
    // The hashes of Argon2 have commas.
    std::string rows = "address,hash,quota,created_at,aliases\n";
    for (const auto& [name, scheme] : kOld)
        rows += who.address(name) + ",\"" + hash_of(scheme) + "\",5M,2014-03-18 09:12:44,\n";
    rows += "plain@" + who.domain + ",{PLAIN}" + std::string{story::kPassword} + ",,,sales@"
            + who.domain + "\n";
    const auto ended = import(rows);
    BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
    BOOST_TEST(has(ended.out, "mailboxes: 6 new"), ended.out);
    for (const auto& [name, scheme] : kOld) {
        BOOST_TEST(imap(who.address(name)).select() == 0U, scheme);
        BOOST_TEST(pop3(who.address(name)).messages() == 0U, scheme);
    }
    BOOST_TEST(imap(who.address("plain")).select() == 0U);
    BOOST_TEST(stored_password(who, "plain").starts_with("{ARGON2ID}"));
    BOOST_TEST(
        mail::Imap{endpoint("IMAP")}.login(who.address("sha512"), "wrong horse").starts_with("NO"));

    deliver(who.address("plain"), mail::message("to the mailbox", "Hello.\r\n"));
    BOOST_TEST(smtp()
                   .send("you@example.net", {who.address("sales")},
                         mail::message("to the alias", "Hello.\r\n"))
                   .starts_with("250 "));
    BOOST_TEST(process::eventually([&] { return imap(who.address("plain")).select() == 2U; }));
    BOOST_TEST(stack.mailboxctl({"check"}).out.find("WRONG") == std::string::npos);
}

// The old mail is what Dovecot wrote for another mailbox of the stack.
BOOST_FIXTURE_TEST_CASE(old_mail_comes_along, Importing, *mail::needs_mail())
{
    BOOST_TEST_REQUIRE(create(who, "old").status == 200);
    const auto old = who.address("old");
    deliver(old, mail::message("first", "Hello.\r\n"));
    const auto id = inside(old).substr(0, 32);
    const std::filesystem::path maildir =
        std::filesystem::path{stack.setting("STORE")} / id.substr(0, 2) / id / "Maildir";
    const auto rows = "address,hash,maildir\nalice@" + who.domain + "," + hash_of("SSHA512") + ","
                      + maildir.string() + "\nbob@" + who.domain + "," + hash_of("SSHA512") + ","
                      + (maildir / "cur").string() + "\n";
    const auto dry = import(rows, {"--adopt", "copy", "--dry-run"});
    BOOST_TEST(dry.exit == 1);
    BOOST_TEST(has(dry.err, "line 3, maildir: "), dry.err);
    BOOST_TEST(import(rows).exit == 0);
    const auto alice = who.address("alice");
    BOOST_TEST(imap(alice).select() == 0U);
    for (const std::size_t count : {1U, 2U}) {
        const auto ended = import(rows, {"--adopt", "copy"});
        BOOST_TEST(ended.exit == 1);
        BOOST_TEST(has(ended.out, "The mail of 1 Maildirs was taken over: " + std::to_string(count)
                                      + " messages, 1 of them new here."),
                   ended.out);
        BOOST_TEST(imap(alice).select() == count);
        BOOST_TEST(size_of(who, "alice") == counted(alice));
        deliver(old, mail::message("second", "Hello.\r\n"));
    }
    BOOST_TEST(stack.mailboxctl({"verify-import", alice, "--source", maildir}).exit == 1);
    BOOST_TEST(import(rows, {"--adopt", "copy"}).exit == 1);
    const auto verified = stack.mailboxctl({"verify-import", alice, "--source", maildir});
    BOOST_TEST(verified.exit == 0, verified.out << verified.err);
}

BOOST_FIXTURE_TEST_CASE(bad_rows_go_to_a_file_that_can_be_imported_again, Importing,
                        *mail::needs_mail())
{
    const auto bad = file("bad");
    const auto hash = hash_of("SSHA512");
    const auto ended = import("address,hash,quota\nalice@" + who.domain + "," + hash + ",-1\nbob@"
                                  + who.domain + "," + hash + ",\n",
                              {"--bad", bad});
    BOOST_TEST(ended.exit == 1);
    BOOST_TEST(has(ended.err, "line 2, quota: '-1'"), ended.err);
    BOOST_TEST(mode_of(bad) == 0600);
    BOOST_TEST(answers::page(list(who)).names() == Names{who.address("bob")},
               boost::test_tools::per_element());
    auto text = contents(bad);
    BOOST_TEST(has(text, "address,hash,quota,reason\n"), text);
    text.replace(text.find(",-1,"), 4, ",1G,");
    BOOST_TEST(import(text).exit == 0);
    BOOST_TEST(imap(who.address("alice")).select() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_check_and_all_or_nothing_change_nothing, Importing, *mail::needs_mail())
{
    const auto before = rows_of_audit();
    const auto rows = "address,hash\nalice@" + who.domain + "," + hash_of("SSHA512") + "\nbob@new."
                      + who.domain + ",x\n";
    const auto checked = import(rows, {"--dry-run", "--json"});
    BOOST_TEST(checked.exit == 1);
    BOOST_TEST(has(checked.out, "\"mailboxes\":{\"new\":1,\"same\":0,\"different\":0,\"bad\":1}"),
               checked.out);
    BOOST_TEST(
        story::is_sentence(import(rows, {"--all-or-nothing"}), 1, {"bad", "nothing was changed"}));
    BOOST_TEST(rows_of_audit() == before);
    BOOST_TEST(answers::page(list(who)).total_count == 0);
}

// The import is killed at several moments. What it leaves is whole, and the last run finishes it.
BOOST_FIXTURE_TEST_CASE(a_killed_import_goes_on, Importing, *mail::needs_mail())
{
    constexpr int kRows = 20'000;
    const auto hash = hash_of("SSHA512");
    const auto rows = file("rows");
    {
        std::ofstream out{rows};
        out << "address,hash\n";
        for (int i = 0; i < kRows; ++i)
            out << "user" << i << "@" << who.domain << "," << hash << "\n";
    }
    const auto count = [&] {
        return std::stol(
            stack.value("SELECT mailboxes FROM domain WHERE name = " + stack::quote(who.domain)));
    };
    for (int kill = 1; kill <= 3; ++kill) {
        process::Child child{{stack.setting("MAILBOXCTL"), "--config",
                              stack.setting("MAILBOXD_CONF"), "import", rows, "--account",
                              who.account}};
        const auto before = count();
        BOOST_TEST(process::eventually([&] { return count() > before; }));
        ::kill(child.pid(), SIGKILL);
        child.end();
        BOOST_TEST(
            stack.value(
                "SELECT COUNT(*) FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE d.name = "
                + stack::quote(who.domain))
            == std::to_string(count()));
    }
    const auto ended = stack.mailboxctl({"import", rows, "--account", who.account});
    BOOST_TEST(ended.exit == 0, ended.err);
    BOOST_TEST(count() == kRows);
    BOOST_TEST(rows_of_audit() == std::to_string(kRows + 1));  // and domain-add
    BOOST_TEST(
        stack.value(
            "SELECT SUM(r.mailboxes) FROM mailbox_range r JOIN domain d ON d.id = r.domain_id WHERE d.name = "
            + stack::quote(who.domain))
        == std::to_string(kRows));
    BOOST_TEST(imap(who.address("user19999")).select() == 0U);
    stack.mailboxctl({"domain", "remove", who.domain, "--yes"});
}

BOOST_FIXTURE_TEST_CASE(an_output_is_no_other_file, Importing, *mail::needs_mail())
{
    const auto rows = file("rows"), link = file("link");
    const std::string text = "address,hash\nalice@" + who.domain + "," + hash_of("SSHA512") + "\n";
    std::ofstream{rows} << text;
    std::filesystem::create_hard_link(rows, link);
    const Arguments import{"import", rows, "--account", who.account};
    for (const auto& more : {Arguments{"--bad", rows}, Arguments{"--report", link},
                             Arguments{"--passwords", rows.parent_path() / "." / rows.filename()},
                             Arguments{"--bad", file("one"), "--report", ""}}) {
        auto arguments = import;
        arguments.insert(arguments.end(), more.begin(), more.end());
        if (arguments.back().empty()) arguments.back() = *(arguments.end() - 3);
        BOOST_TEST(story::is_sentence(stack.mailboxctl(arguments), 2, {"are the same file"}));
        BOOST_TEST(contents(rows) == text);
    }
    BOOST_TEST(rows_of_audit() == "1");  // domain-add
}

// Only root may mount the small disk.
boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id)
{
    return ::geteuid() == 0;
}

// Each file that an import writes is on a disk of 16 KiB, which only the command sees.
BOOST_FIXTURE_TEST_CASE(a_full_disk_changes_nothing, Importing,
                        *mail::needs_mail() * boost::unit_test::precondition(is_root))
{
    constexpr int kRows = 2000;
    const auto disk = stack.directory() / story::unique("small");
    std::filesystem::create_directory(disk);
    const auto on_small_disk =
        [&](const std::string& before, const std::string& rows, Arguments arguments) {
        Arguments all{stack.setting("MAILBOXCTL"),
                      "--config",
                      stack.setting("MAILBOXD_CONF"),
                      "import",
                      "-",
                      "--account",
                      who.account};
        all.insert(all.end(), arguments.begin(), arguments.end());
        return process::run({"unshare", "--mount", "sh", "-c",
                             "mount -t tmpfs -o size=16k none " + disk.string() + " && " + before
                                 + process::quoted(all) + "; status=$?; wc -c " + disk.string()
                                 + "/*; exit $status"},
                            {.input = rows});
    };
    const auto is_refused = [&](const Ended& ended, const std::string& sentence) {
        BOOST_TEST(ended.exit == 1);
        BOOST_TEST(has(ended.err, sentence), ended.err);
        BOOST_TEST(has(ended.err, "nothing was changed"), ended.err);
        BOOST_TEST(rows_of_audit() == "1");  // domain-add
    };
    const auto hash = hash_of("SSHA512");
    std::string good = "address,hash\n", bad = good;
    for (int i = 0; i < kRows; ++i) {
        good += "user" + std::to_string(i) + "@" + who.domain + "," + hash + "\n";
        bad += "user " + std::to_string(i) + "@" + who.domain + "," + hash + "\n";
    }
    bad += "user@" + who.domain + "," + hash + "\n";
    const auto full = [&](const std::string& name) {
        return (disk / name).string() + ": No space left on device";
    };
    is_refused(on_small_disk("", bad, {"--bad", disk / "bad.csv"}), full("bad.csv"));
    is_refused(on_small_disk("", good, {"--report", disk / "all.csv"}), full("all.csv"));
    is_refused(on_small_disk("TMPDIR=" + disk.string() + " ", good, {}),
               "standard input cannot be copied to a file in " + disk.string()
                   + ": No space left on device; set TMPDIR");
    // One page is left for the passwords, and more are made.
    std::string without = "address\n";
    for (int i = 0; i < 150; ++i) without += "user" + std::to_string(i) + "@" + who.domain + "\n";
    const auto ended =
        on_small_disk("head -c 12288 /dev/zero >" + disk.string() + "/zeros; TMPDIR=/tmp ", without,
                      {"--passwords", disk / "passwords"});
    is_refused(ended, full("passwords"));
    BOOST_TEST(has(ended.out, "0 " + (disk / "passwords").string()), ended.out);
    // The next run, with room.
    BOOST_TEST(import(good).exit == 0);
    BOOST_TEST(imap(who.address("user1999")).select() == 0U);
    stack.mailboxctl({"domain", "remove", who.domain, "--yes"});
}

// The domain moves to another name of its own, as to another installation.
BOOST_FIXTURE_TEST_CASE(an_export_becomes_the_same_again, Importing, *mail::needs_mail())
{
    const auto at = "@" + who.domain;
    std::string rows = "address,hash,quota,state,created_at,targets,stop,description\n";
    rows += "alice" + at + "," + hash_of("SHA512-CRYPT") + ",1G,active,2011-09-27T20:24:22Z,,,\n";
    rows += "bob" + at + "," + hash_of("BLF-CRYPT") + ",none,no_login,2012-09-27T20:24:22Z,,,\n";
    rows += "sales" + at + ",,,,,alice" + at + " bob" + at + ",,\"Sales, all of it\"\n";
    rows += "alice" + at + ",,,,,bob" + at + ",yes,\n";
    rows += at + ",,,,,sales" + at + ",,\n";
    rows += "alias." + who.domain + ",,,,," + who.domain + ",,\n";
    BOOST_TEST_REQUIRE(import(rows).exit == 0);
    const auto first = file("first"), second = file("second");
    const Arguments exporting{"export", who.domain, "--hashes", "--output"};
    const auto exported = [&](const std::filesystem::path& to) {
        auto arguments = exporting;
        arguments.push_back(to);
        BOOST_TEST_REQUIRE(stack.mailboxctl(arguments).exit == 0);
        return contents(to);
    };
    const auto before = exported(first);
    BOOST_TEST(mode_of(first) == 0600);
    BOOST_TEST(stack.mailboxctl({"export", who.domain, "--hashes"}).exit == 2);
    BOOST_TEST(!has(stack.mailboxctl({"export", who.domain}).out, "$6$"));

    // Nothing of it is left.
    BOOST_TEST_REQUIRE(stack.mailboxctl({"domain", "remove", who.domain, "--yes"}).exit == 0);
    const auto ended = stack.mailboxctl({"import", first, "--account", who.account});
    BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
    BOOST_TEST(exported(second) == before);
    BOOST_TEST(imap("alice@alias." + who.domain).select() == 0U);
    BOOST_TEST(
        has(import(before, {"--dry-run"}).out, "aliases: 0 new, 3 same, 0 different, 0 bad"));
}

BOOST_FIXTURE_TEST_CASE(the_list_of_the_original_gets_new_passwords, Importing, *mail::needs_mail())
{
    const auto made = file("made");
    const auto list =
        "{\"total_count\": 1, \"items\": [{\"size_bytes\": 0, \"created_at\": \"Tue, 27 Sep 2011 20:24:22 GMT\", \"mailbox\": \""
        + who.address("alice") + "\"}]}";
    BOOST_TEST(import(list).exit == 1);
    const auto ended = import(list, {"--passwords", made});
    BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
    BOOST_TEST(mode_of(made) == 0600);
    const auto line = contents(made);
    const auto start = who.address("alice") + ",";
    BOOST_TEST_REQUIRE(line.starts_with(start));
    const auto password = line.substr(start.size(), line.size() - start.size() - 1);
    BOOST_TEST(imap(who.address("alice"), password).select() == 0U);
    BOOST_TEST(has(story::Story::list(who).body, "Tue, 27 Sep 2011 20:24:22 GMT"));
    BOOST_TEST(!has(ended.out + ended.err, password));
}

BOOST_AUTO_TEST_SUITE_END()
