// mail_adoption_story.cc - mail of another server: taken over as a Maildir or by IMAP, with the
// same UIDs and UIDLs, while deliveries go on, and by a command that is killed.
//
// The old server's mail is what Dovecot wrote for another mailbox of the stack.

#include "support/sources.h"
#include "system/harness/mail.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include <unistd.h>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;
using process::Arguments;
using process::Ended;
using story::has;
using story::is_sentence;

namespace {

// What mail programs remember of a mailbox.
struct Seen {
    std::vector<std::string> imap;  // of each folder: UIDVALIDITY, and UID, flags and date of each
    std::string uidls;
    std::set<std::string> subscribed;
    bool operator==(const Seen&) const = default;
};

std::string between(const std::string& text, const std::string& begin, const std::string& end)
{
    const auto at = text.find(begin);
    if (at == std::string::npos) return {};
    return text.substr(at + begin.size(), text.find(end, at + begin.size()) - at - begin.size());
}

const std::vector<std::string> kFolders{"INBOX", "Fa. Huber/2024", "Entw&APw-rfe", "~back\\slash"};

// As a quoted string of IMAP.
std::string quoted(const std::string& folder)
{
    std::string text = "\"";
    for (const char c : folder) text += c == '\\' ? "\\\\" : std::string(1, c);
    return text + "\"";
}

struct Adoption : mail::Story {
    Adoption()
    {
        for (const char* name : {"old", "alice"})
            BOOST_TEST_REQUIRE(create(who, name).status == 200);
    }

    Ended ctl(const Arguments& arguments) const { return stack.mailboxctl(arguments); }
    void must(const Arguments& arguments) const
    {
        const auto ended = ctl(arguments);
        BOOST_TEST_REQUIRE(ended.exit == 0, process::quoted(arguments) << ended.out << ended.err);
    }
    std::string storage_id(const std::string& name) const
    {
        return inside(who.address(name)).substr(0, 32);
    }
    fs::path home(const std::string& name) const
    {
        const auto id = storage_id(name);
        return fs::path{stack.setting("STORE")} / id.substr(0, 2) / id;
    }
    fs::path place() const { return stack.directory() / "old" / who.domain; }

    // Fills a mailbox as its owner does, with gaps between the UIDs.
    void fill(const std::string& name) const
    {
        auto imap = this->imap(who.address(name));
        for (const auto& folder : kFolders) {
            imap.ask("CREATE " + quoted(folder));
            imap.ask("SUBSCRIBE " + quoted(folder));
            for (int i = 0; i < 4; ++i)
                imap.append(folder, mail::message(folder.substr(0, 3) + std::to_string(i)));
            imap.ask("SELECT " + quoted(folder));
            imap.ask("STORE 1 +FLAGS (\\Seen \\Answered)");
            imap.ask("STORE 3 +FLAGS (\\Flagged work)");
            imap.ask("STORE 2 +FLAGS (\\Deleted)");
            imap.ask("EXPUNGE");
        }
        imap.append("INBOX", mail::message("without flags"));
    }

    // Copies the mailbox's Maildir to where the old server has it.
    fs::path copied(const std::string& name, const std::string& as) const
    {
        const auto target = place() / as;
        for (const auto& command :
             {Arguments{"mkdir", "-p", place().string()}, Arguments{"rm", "-rf", target.string()},
              Arguments{"cp", "-a", (home(name) / "Maildir").string(), target.string()}}) {
            const auto ended = process::run(mail::as_root(command));
            BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
        }
        return target;
    }

    Seen seen(const std::string& name) const
    {
        Seen all;
        auto imap = this->imap(who.address(name));
        for (const auto& folder : kFolders) {
            all.imap.push_back(
                folder + " "
                + between(imap.ask("STATUS " + quoted(folder) + " (UIDVALIDITY)").text(), "(",
                          ")"));
            imap.ask("EXAMINE " + quoted(folder));
            for (auto line : imap.ask("UID FETCH 1:* (FLAGS INTERNALDATE)").lines) {
                if (const auto at = line.find(" \\Recent"); at != std::string::npos)
                    line.erase(at, 8);
                if (const auto at = line.find("\\Recent"); at != std::string::npos)
                    line.erase(at, 7);
                if (has(line, "FETCH"))
                    all.imap.push_back(folder + line.substr(line.find(" FETCH")));
            }
        }
        for (const auto& line : imap.ask("LSUB \"\" *").lines) all.subscribed.insert(line);
        all.uidls = this->pop3(who.address(name)).list("UIDL");
        return all;
    }

    const story::Tenant who = tenant();
};

std::string text(const Seen& seen)
{
    std::string all;
    for (const auto& line : seen.imap) all += line + "\n";
    return all + seen.uidls;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_adoption, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(uids_and_uidls_stay_over_two_passes, Adoption)
{
    fill("old");
    const auto old = copied("old", "alice");
    const auto alice = who.address("alice");
    must({"mailbox", "adopt", alice, old.string(), "--dry-run"});
    BOOST_TEST(!fs::exists(home("alice") / "Maildir"));
    must({"mailbox", "adopt", alice, old.string()});
    BOOST_TEST(size_of(who, "alice") == counted(alice));
    // The old server gets mail, and its user reads and deletes some.
    fill("old");
    copied("old", "alice");
    const auto second = ctl({"mailbox", "adopt", alice, old.string(), "--json"});
    BOOST_TEST(second.exit == 0, second.err);
    BOOST_TEST(has(second.out, R"("uids":"kept")"), second.out);
    BOOST_TEST(!has(second.out, "new, because"), second.out);
    const auto third = ctl({"mailbox", "adopt", alice, old.string(), "--json"});
    BOOST_TEST(has(third.out, R"("added":0)"), third.out);
    BOOST_TEST(size_of(who, "alice") == counted(alice));
    const auto before = seen("old"), after = seen("alice");
    for (const auto& line : before.imap)
        BOOST_TEST(std::count(after.imap.begin(), after.imap.end(), line)
                       >= std::count(before.imap.begin(), before.imap.end(), line),
                   line << " is not in\n"
                        << text(after));
    BOOST_TEST(has(before.uidls, between(after.uidls, "1 ", "\r")));
    BOOST_TEST((before.subscribed == after.subscribed));
}

BOOST_FIXTURE_TEST_CASE(mail_that_came_before_goes_behind, Adoption)
{
    fill("old");
    const auto old = copied("old", "alice");
    const auto alice = who.address("alice");
    deliver(alice, mail::message("came before"));
    must({"mailbox", "adopt", alice, old.string()});
    deliver(alice, mail::message("came after"));
    const auto before = seen("old"), after = seen("alice");
    for (const auto& line : before.imap)
        BOOST_TEST(std::count(after.imap.begin(), after.imap.end(), line) > 0, line);
    BOOST_TEST(after.imap.size() == before.imap.size() + 2);
    const auto report = ctl({"verify-import", alice, "--source", old.string(), "--allow-extra"});
    BOOST_TEST(report.exit == 0, report.out);
    BOOST_TEST(has(report.out, "and 2 are only here"), report.out);
    BOOST_TEST(ctl({"verify-import", alice, "--source", old.string()}).exit == 1);
}

// A user who has seen mail here keeps its UIDs. Old messages keep their UIDLs only.
BOOST_FIXTURE_TEST_CASE(a_user_who_was_here_already, Adoption)
{
    fill("old");
    const auto old = copied("old", "alice");
    const auto alice = who.address("alice");
    deliver(alice, mail::message("seen here"));
    const auto first = seen("alice");
    const auto uidl = between(first.uidls, "1 ", "\n");
    BOOST_TEST(process::eventually([&] {
        return !has(ctl({"mailbox", "show", alice, "--json"}).out, R"("last_login":null)");
    }));
    const auto adopted = ctl({"mailbox", "adopt", alice, old.string()});
    BOOST_TEST(adopted.exit == 0, adopted.err);
    BOOST_TEST(has(adopted.err, "INBOX: UIDs are new"), adopted.err);
    BOOST_TEST(has(adopted.out, "in some folders UIDs are new"), adopted.out);
    const auto before = seen("old"), after = seen("alice");
    BOOST_TEST(after.imap[0] == first.imap[0]);
    BOOST_TEST(has(after.uidls, uidl));
    std::istringstream lines{before.uidls};
    for (std::string line; std::getline(lines, line);) {
        if (const auto blank = line.find(' '); blank != std::string::npos)
            BOOST_TEST(has(after.uidls, line.substr(blank)), line << after.uidls);
    }
    BOOST_TEST(ctl({"verify-import", alice, "--source", old.string(), "--allow-extra"}).exit == 0);
}

BOOST_FIXTURE_TEST_CASE(nested_folders_and_courier, Adoption)
{
    const auto old = fs::path{stack.directory() / "old" / (who.domain + "-fs")};
    const auto put = [&](const std::string& file, const std::string& contents) {
        const auto path = old / file;
        fs::create_directories(path.parent_path());
        std::ofstream{path} << contents;
    };
    for (const std::string folder : {"", "Fa. Huber/2024/"}) {
        put(folder + "cur/1.a:2,S", "Message-ID: <1@x>\n\nold\n");
        put(folder + "new/2.b", "Subject: none\n\nnew\n");
    }
    put("courierimapuiddb", "1 900 8\n4 1.a\n7 2.b\n");
    put("courierpop3dsizelist", "/2 8 901\n1.a:2,S 50 5:901\n2.b 50 6:901\n");
    if (::geteuid() == 0) {
        const auto store = home("alice").parent_path().parent_path();
        process::run({"chown", "-R", "--reference=" + store.string(), old.string()});
    }
    const auto alice = who.address("alice");
    must({"mailbox", "adopt", alice, old.string(), "--link"});
    must({"verify-import", alice, "--source", old.string()});
    BOOST_TEST(has(pop3(alice).list("UIDL"), "1 UID5-901"));
    auto imap = this->imap(alice);
    BOOST_TEST(has(imap.ask("LIST \"\" *").text(), R"("Fa. Huber/2024")"));
    BOOST_TEST(has(imap.ask("STATUS INBOX (UIDVALIDITY)").text(), "UIDVALIDITY 900)"));
    imap.select();
    BOOST_TEST(has(imap.ask("UID FETCH 7 (UID)").text(), "UID 7"));
}

BOOST_FIXTURE_TEST_CASE(what_is_missing_is_found, Adoption)
{
    fill("old");
    const auto old = copied("old", "alice");
    const auto alice = who.address("alice");
    must({"mailbox", "adopt", alice, old.string()});
    must({"verify-import", alice, "--source", old.string()});
    {
        auto imap = this->imap(alice);
        imap.ask("SELECT " + quoted(kFolders[1]));
        imap.ask("STORE 1 +FLAGS (\\Deleted)");
        imap.ask("EXPUNGE");
        imap.ask("STORE 1 +FLAGS (\\Draft)");
    }
    const auto report = ctl({"verify-import", alice, "--source", old.string()});
    BOOST_TEST(report.exit == 1);
    BOOST_TEST(has(report.out, "missing: Fa. Huber/2024"), report.out);
    BOOST_TEST(has(report.out, "other flags: Fa. Huber/2024"), report.out);
    const auto json = ctl({"verify-import", alice, "--source", old.string(), "--json"});
    BOOST_TEST(json.exit == 1);
    BOOST_TEST(has(json.out, R"("missing":1,"extra":0)"), json.out);
    // A message that was deleted here stays deleted, once Dovecot has reported the login.
    BOOST_TEST(process::eventually([&] {
        return !has(ctl({"mailbox", "show", alice, "--json"}).out, R"("last_login":null)");
    }));
    const auto again = ctl({"mailbox", "adopt", alice, old.string()});
    BOOST_TEST(has(again.err, "1 messages were taken over before and deleted here"), again.err);
}

BOOST_FIXTURE_TEST_CASE(refusals, Adoption)
{
    const auto alice = who.address("alice");
    fs::create_directories(place());
    fs::remove(place() / "link");
    fs::create_directory_symlink(home("old"), place() / "link");
    BOOST_TEST(is_sentence(ctl({"mailbox", "adopt", alice, (place() / "link").string()}), 1,
                           {"is a symbolic link"}));
    BOOST_TEST(is_sentence(ctl({"mailbox", "adopt", who.address("dora"), "/tmp"}), 1, {"dora"}));
    BOOST_TEST(is_sentence(ctl({"mailbox", "adopt", alice, "/tmp", "--link", "--copy"}), 2,
                           {"--link and --copy"}));
    BOOST_TEST(is_sentence(ctl({"pull", alice, "--from", "ftp://x"}), 2, {"imap"}));
    const auto logins = stack.directory() / "open-logins";
    std::ofstream{logins} << alice << "\tx\n";
    fs::permissions(logins, fs::perms::owner_read | fs::perms::group_read);
    BOOST_TEST(
        is_sentence(ctl({"pull", alice, "--from", "imap://localhost", "--logins", logins.string()}),
                    1, {"chmod 600"}));
    BOOST_TEST(is_sentence(ctl({"verify-import", alice}), 2, {"--source"}));
    BOOST_TEST(!fs::exists(home("alice") / "Maildir"));
}

namespace {

// Only root may mount the small disk.
boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id)
{
    return ::geteuid() == 0;
}

}  // namespace

// The home is on a disk of 40 KiB, which only the command sees: the first run fills it, the second
// one has more room. Then its files become those of the real home.
BOOST_FIXTURE_TEST_CASE(a_full_mail_store, Adoption, *boost::unit_test::precondition(is_root))
{
    fill("old");
    const auto old = copied("old", "alice");
    const auto before = seen("old");
    const auto alice = who.address("alice");
    const auto here = home("alice"), aside = stack.directory() / story::unique("home");
    fs::create_directories(here);
    fs::create_directories(aside);
    const auto adopt =
        process::quoted({stack.setting("MAILBOXCTL"), "--config", stack.setting("MAILBOXD_CONF"),
                         "mailbox", "adopt", alice, old.string()});
    std::ofstream{stack.directory() / "small-disk"}
        << "store=" << process::quoted({stack.setting("STORE")})
        << "\nhere=" << process::quoted({here.string()})
        << "\naside=" << process::quoted({aside.string()}) << R"(
chown --reference="$store" "$here" "${here%/*}"
mount --bind "$here" "$aside"
mount -t tmpfs -o size=40k,mode=700 none "$here"
chown --reference="$store" "$here"
)" << adopt
        << R"(
echo "The first run ended with $?."
find "$here" -name '*.adopted' -o -name .new -o -name '*.lock*' -o -path '*/cur/*'
mount -o remount,size=4m "$here"
)" << adopt
        << R"(
echo "The second run ended with $?."
cp -a "$here/." "$aside/"
)";
    const auto ended =
        process::run({"unshare", "--mount", "sh", (stack.directory() / "small-disk").string()});
    BOOST_TEST(has(ended.err, "No space left on device; the messages that were copied stay"),
               ended.err);
    BOOST_TEST(has(ended.out, "The first run ended with 1.\nMail of "), ended.out);
    BOOST_TEST(has(ended.out, "The second run ended with 0.\n"), ended.out);
    must({"mailbox", "adopt", alice, old.string()});
    const auto after = seen("alice");
    BOOST_TEST((before.imap == after.imap), text(before) << text(after));
    BOOST_TEST(before.uidls == after.uidls);
    BOOST_TEST(size_of(who, "alice") == counted(alice));
    BOOST_TEST(!fs::exists(here / ".adoption"));
}

// --- by IMAP --------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(mail_by_imap, Adoption)
{
    fill("old");
    const auto alice = who.address("alice");
    const auto logins = (stack.directory() / "logins").string();
    fs::remove(logins);
    std::ofstream{logins} << alice << '\t' << who.address("old") << '\t' << story::kPassword
                          << '\n';
    fs::permissions(logins, fs::perms::owner_read | fs::perms::owner_write);
    const auto server = "imaps://127.0.0.1:" + stack.setting("IMAPS_PORT");
    const Arguments how{"--logins", logins, "--ca-file", stack.setting("TLS_CERT")};
    Arguments pull{"pull", alice, "--from", server},
        verify{"verify-import", alice, "--source", server};
    pull.insert(pull.end(), how.begin(), how.end());
    verify.insert(verify.end(), how.begin(), how.end());
    must(pull);
    must(verify);
    BOOST_TEST(size_of(who, "alice") == counted(alice));
    // Mail comes on both sides.
    deliver(alice, mail::message("came here"));
    fill("old");
    BOOST_TEST(ctl(verify).exit == 1);
    must(pull);
    verify.emplace_back("--allow-extra");
    const auto report = ctl(verify);
    BOOST_TEST(has(report.out, "0 are missing"), report.out);
    BOOST_TEST(size_of(who, "alice") == counted(alice));
    // A wrong password, and a server whose certificate nobody has signed.
    std::ofstream{logins} << alice << "\twrong\n";
    const auto refused = ctl(pull);
    BOOST_TEST(refused.exit == 1);
    BOOST_TEST(has(refused.out, "Authentication failed"), refused.out);
    pull.resize(pull.size() - 2);
    const auto untrusted = ctl(pull);
    BOOST_TEST(untrusted.exit == 1);
    BOOST_TEST(!has(untrusted.out, "Authentication"), untrusted.out);
}

// --- killed while mail arrives ----------------------------------------------------------

namespace {

constexpr int kInterruptions = 5;

// 6, or the number that the tester asked for. With 1000 each has 50 messages.
int wanted_mailboxes()
{
    const char* const wanted = std::getenv("TEST_ADOPTION_MAILBOXES");
    return wanted == nullptr ? 6 : std::stoi(wanted);
}

// Returns the header and the records of a dovecot-uidlist: UIDs by file names.
std::pair<std::string, std::map<std::string, std::string>> uids_of(const fs::path& file)
{
    std::ifstream list{file};
    std::pair<std::string, std::map<std::string, std::string>> uids;
    std::string line;
    std::getline(list, line);
    uids.first = line.substr(0, line.find(" N"));
    while (std::getline(list, line)) {
        const auto name = line.substr(std::min(line.size(), line.find(" :") + 2));
        uids.second[name.substr(0, name.find(':'))] = line.substr(0, line.find(' '));
    }
    return uids;
}

struct Interrupted : Adoption {
    static std::string name(int number) { return "u" + std::to_string(number); }

    // Delivers to all mailboxes, one after the other, until it is over.
    std::size_t deliver_until(const std::atomic<bool>& is_over) const
    {
        std::size_t count = 0;
        auto client = smtp();
        while (!is_over) {
            const auto to = who.address(name(static_cast<int>(count) % mailboxes));
            if (client.send("you@example.net", {to}, mail::message(std::to_string(count)))
                    .starts_with("250 "))
                ++count;
        }
        return count;
    }

    // Adopts the mailboxes in one shell, in another order each time.
    std::string script(std::mt19937& random) const
    {
        std::vector<int> order;
        for (int i = 0; i < mailboxes; ++i) order.push_back(i);
        std::shuffle(order.begin(), order.end(), random);
        std::string text;
        for (const int i : order)
            text += process::quoted({stack.setting("MAILBOXCTL"), "--config",
                                     stack.setting("MAILBOXD_CONF"), "mailbox", "adopt",
                                     who.address(name(i)), (place() / name(i)).string()})
                    + " >/dev/null || exit 1\n";
        return text;
    }
    // Kills the shell and the command that it runs.
    void adopt_for(std::chrono::milliseconds time, std::mt19937& random) const
    {
        const auto file = stack.directory() / "adoption-script";
        std::ofstream{file} << script(random);
        process::run({"timeout", "--signal=KILL", std::to_string(time.count()) + "e-3", "bash",
                      file.string()},
                     {.deadline = std::chrono::seconds{3600}});
    }

    void check_uids(int number) const
    {
        for (const std::string folder : {"", R"(.Fa\2e Huber.2024)"}) {
            const auto there = uids_of(place() / name(number) / folder / "dovecot-uidlist");
            const auto here = uids_of(home(name(number)) / "Maildir" / folder / "dovecot-uidlist");
            BOOST_TEST(there.first == here.first, name(number));
            // The list may still have messages that are gone.
            for (const char* part : {"cur", "new"}) {
                for (const auto& entry :
                     fs::directory_iterator{place() / name(number) / folder / part}) {
                    const auto file = entry.path().filename().string();
                    const auto base = file.substr(0, file.find(':'));
                    BOOST_TEST_REQUIRE(there.second.contains(base));
                    const auto found = here.second.find(base);
                    BOOST_TEST(
                        (found != here.second.end() && found->second == there.second.at(base)),
                        name(number) << " " << file);
                }
            }
        }
    }

    const int mailboxes = wanted_mailboxes();
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(killed_five_times_while_mail_arrives, Interrupted)
{
    // A delivery that has a folder open whose index becomes stale is deferred, and comes again.
    expected = {"deleted under us"};
    // As many deliveries as the machine can take are more than Dovecot's dict takes.
    if (mailboxes > 100) expected.insert(expected.end(), {"_dict: ", "Transaction ID"});
    for (int i = 0; i < (mailboxes > 100 ? 4 : 1); ++i) fill("old");
    seen("old");  // Dovecot writes its lists
    for (int i = 0; i < mailboxes; ++i) {
        BOOST_TEST_REQUIRE(create(who, name(i)).status == 200);
        copied("old", name(i));
    }
    std::atomic<bool> is_over{false};
    auto deliveries = std::async(std::launch::async, [&] { return deliver_until(is_over); });
    std::mt19937 random{20261201};
    for (int i = 0; i < kInterruptions; ++i)
        adopt_for(std::chrono::milliseconds{20 + static_cast<int>(random() % 60) * mailboxes},
                  random);
    is_over = true;
    const auto delivered = deliveries.get();
    BOOST_TEST(process::eventually([&] { return mail::is_queue_empty(stack); },
                                   std::chrono::seconds{600}));
    const auto file = stack.directory() / "adoption-script";
    std::ofstream{file} << script(random);
    const auto begin = std::chrono::steady_clock::now();
    const auto last =
        process::run({"bash", file.string()}, {.deadline = std::chrono::seconds{3600}});
    BOOST_TEST(last.exit == 0, last.err);
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
    const auto report = process::run({stack.setting("MAILBOXCTL"), "--config",
                                      stack.setting("MAILBOXD_CONF"), "verify-import", who.domain,
                                      "--source", (place() / "%n").string(), "--allow-extra"},
                                     {.deadline = std::chrono::seconds{3600}});
    BOOST_TEST(report.exit == 0, report.out << report.err);
    std::size_t extra = 0;
    std::istringstream lines{report.out};
    for (std::string line; std::getline(lines, line);) {
        if (has(line, " are missing, 0 differ"))
            extra += std::stoul("0" + between(line, "differ, and ", " are only"));
    }
    BOOST_TEST(extra == delivered);
    for (int i = 0; i < mailboxes; ++i) check_uids(i);
    for (int i = 0; i < std::min(mailboxes, 3); ++i) {
        BOOST_TEST(size_of(who, name(i)) == counted(who.address(name(i))));
        const auto before = seen("old"), after = seen(name(i));
        for (const auto& line : before.imap)
            BOOST_TEST(std::count(after.imap.begin(), after.imap.end(), line) > 0,
                       name(i) << ": " << line);
    }
    BOOST_TEST_MESSAGE(mailboxes << " mailboxes; " << delivered
                                 << " messages arrived; the last run took " << seconds.count()
                                 << " s");
}

// --- the guide ------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(the_pages_commands, Adoption)
{
    fill("old");
    copied("old", "alice");
    const auto file = stack.directory() / "moving-block";
    const auto logins = stack.directory() / "moving-logins";
    fs::remove(logins);
    std::istringstream page{sources::contents(sources::directory() / "docs" / "moving-mail.md")};
    std::string block;
    std::size_t count = 0;
    bool is_inside = false;
    for (std::string line; std::getline(page, line);) {
        if (!line.starts_with("```")) {
            if (is_inside) block += line + "\n";
            continue;
        }
        is_inside = !is_inside;
        if (is_inside) continue;
        std::ofstream{file} << block;
        const auto ended = process::run(
            {"bash", (sources::directory() / "tests/system/guide/on-moving.sh").string(),
             file.string()},
            {.environment = {"MAILBOXCTL=" + stack.setting("MAILBOXCTL"),
                             "MAILBOXD_CONF=" + stack.setting("MAILBOXD_CONF"),
                             "DOMAIN=" + who.domain, "OLD=" + place().string(),
                             "SERVER=imaps://127.0.0.1:" + stack.setting("IMAPS_PORT"),
                             "CA=" + stack.setting("TLS_CERT"), "LOGIN=" + who.address("old"),
                             "PASSWORD=" + std::string{story::kPassword},
                             "LOGINS=" + logins.string()}});
        BOOST_TEST_REQUIRE(ended.exit == 0, block << ended.out << ended.err);
        block.clear();
        ++count;
    }
    BOOST_TEST(count == 7U);
}

BOOST_AUTO_TEST_SUITE_END()
