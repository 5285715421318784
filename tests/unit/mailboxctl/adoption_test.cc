// adoption_test.cc - mail that is taken over from other servers' Maildirs: layouts, second passes,
// bad sources, and runs that end in the middle.

#include "mailboxctl/adoption.h"

#include <boost/test/unit_test.hpp>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <thread>

#include "db/accounts.h"
#include "mailboxctl/verification.h"
#include "peers/disk.h"
#include "support/support.h"

namespace fs = std::filesystem;
using adoption::How;
using adoption::Wanted;
using uid_merge::Uids;

namespace {

const std::string kId = "2ec17e9a94d71b61cc411b0690d5cfa3";

void write(const fs::path& file, const std::string& text)
{
    fs::create_directories(file.parent_path());
    std::ofstream{file} << text;
}

std::string contents(const fs::path& file)
{
    std::ostringstream text;
    text << std::ifstream{file}.rdbuf();
    return text.str();
}

std::string message(const std::string& id, const std::string& body = "hello\n")
{
    return "From: a@example.org\nMessage-ID: <" + id + "@x>\n\n" + body;
}

struct Adopting {
    Adopting()
    {
        fs::create_directories(store);
        for (const char* part : {"cur", "new", "tmp"}) fs::create_directories(old / part);
    }

    // Adds a message to the old Maildir.
    void add(const std::string& name, const std::string& folder = "", bool is_new = false)
    {
        for (const char* part : {"cur", "new", "tmp"}) fs::create_directories(old / folder / part);
        write(old / folder / (is_new ? "new" : "cur") / name,
              message(name.substr(0, name.find(':'))));
    }
    adoption::Done adopt() { return adoption::adopt(wanted, store.string(), kId); }
    verification::Report compared() const
    {
        return verification::compared(
            verification::contents(foreign::Maildir{old.string(), wanted.layout}),
            verification::contents(foreign::Maildir{maildir.string()}));
    }
    bool is_same() const
    {
        const auto report = compared();
        return report.differences.empty();
    }

    support::Directory directory;
    fs::path store = directory.path("store");
    fs::path old = directory.path("old");
    fs::path maildir = store / kId.substr(0, 2) / kId / "Maildir";
    Wanted wanted{.source = old.string(), .how = How::copy};
};

// Returns whether the function refuses with a sentence that has the text.
template <typename Function>
bool is_refused(Function function, const std::string& text)
{
    try {
        function();
    } catch (const std::exception& error) {
        BOOST_TEST_MESSAGE(error.what());
        return std::string{error.what()}.find(text) != std::string::npos;
    }
    return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(adoptions)

BOOST_FIXTURE_TEST_CASE(everything_of_a_maildir, Adopting)
{
    add("1.a:2,FSa");
    add("2.b", "", true);
    add("3.c:2,", ".Fa_ Huber.2024");
    write(old / "dovecot-uidlist", "3 V77 N9 Gabc\n3 W75 :1.a\n8 :2.b\n");
    write(old / "dovecot-keywords", "0 work\n");
    write(old / "dovecot-uidvalidity", "0000004d");
    write(old / "subscriptions", "Fa_ Huber.2024\nabsent\n");
    write(old / "cur/.hidden", "");
    for (const auto how : {How::copy, How::link}) {
        fs::remove_all(maildir.parent_path());
        wanted.how = how;
        const auto done = adopt();
        BOOST_TEST(done.messages == 3);
        BOOST_TEST(done.added == 3);
        BOOST_TEST((done.folders[0].uids == Uids::kept));
        BOOST_TEST(is_same());
        BOOST_TEST(contents(maildir / "cur/1.a:2,FSa") == message("1.a"));
        BOOST_TEST(fs::exists(maildir / "new/2.b"));
        BOOST_TEST(fs::exists(maildir / ".Fa_ Huber.2024/cur/3.c:2,"));
        BOOST_TEST(contents(maildir / "dovecot-uidlist") == "3 V77 N9 Gabc\n3 W75 :1.a\n8 :2.b\n");
        BOOST_TEST(contents(maildir / "dovecot-keywords") == "0 work\n");
        BOOST_TEST(contents(maildir / "dovecot-uidvalidity") == "0000004d");
        BOOST_TEST(fs::exists(maildir / "dovecot-uidvalidity.0000004d"));
        BOOST_TEST(contents(maildir / "subscriptions") == "V\t2\n\nFa_ Huber\t2024\nabsent\n");
        BOOST_TEST((fs::hard_link_count(maildir / "new/2.b") == (how == How::link ? 2 : 1)));
        BOOST_TEST(!fs::exists(maildir.parent_path() / ".adoption"));
        struct stat status {};
        BOOST_TEST_REQUIRE(::stat((maildir / "cur").c_str(), &status) == 0);
        BOOST_TEST((status.st_mode & 0777) == 0700U);
    }
}

BOOST_FIXTURE_TEST_CASE(the_time_of_a_message_stays, Adopting)
{
    add("1.a:2,S");
    const auto then = fs::last_write_time(old / "cur/1.a:2,S") - std::chrono::hours{1000};
    fs::last_write_time(old / "cur/1.a:2,S", then);
    adopt();
    BOOST_TEST((fs::last_write_time(maildir / "cur/1.a:2,S") == then));
}

BOOST_FIXTURE_TEST_CASE(nested_folders, Adopting)
{
    add("1.a:2,S", "Fa. Huber/2024.Q1");
    add("2.b:2,S", "Fa. Huber");
    write(old / "subscriptions", "V\t2\n\nFa. Huber\t2024.Q1\n");
    write(old / "Fa. Huber/2024.Q1/dovecot-uidlist", "3 V5 N3 Gx\n2 :1.a\n");
    const auto done = adopt();
    BOOST_TEST(done.folders.size() == 3U);
    BOOST_TEST(fs::exists(maildir / R"(.Fa\2e Huber.2024\2eQ1/cur/1.a:2,S)"));
    BOOST_TEST(contents(maildir / R"(.Fa\2e Huber.2024\2eQ1/dovecot-uidlist)")
               == "3 V5 N3 Gx\n2 :1.a\n");
    BOOST_TEST(contents(maildir / "subscriptions") == "V\t2\n\nFa\\2e Huber\t2024\\2eQ1\n");
    BOOST_TEST(is_same());
}

BOOST_FIXTURE_TEST_CASE(homes, Adopting)
{
    add("1.a:2,S");
    for (const char* name : {"Maildir", "mail"}) {
        const auto home = fs::path{directory.path(name + std::string{"-home"})};
        fs::create_directories(home);
        fs::copy(old, home / name, fs::copy_options::recursive);
        wanted.source = home.string() + "/";
        BOOST_TEST(adoption::check(wanted, store.string()).messages == 1, name);
    }
}

BOOST_FIXTURE_TEST_CASE(courier, Adopting)
{
    add("1.a:2,S");
    add("2.b:2,S");
    add("3.c:2,S", ".Sent");
    write(old / "courierimapuiddb", "1 900 8\n4 1.a\n7 2.b\n");
    write(old / "courierpop3dsizelist", "/2 8 901\n1.a:2,S 50 1:901\n2.b:2,S 50 2:901\n");
    write(old / "courierimapsubscribed", "INBOX.Sent\nINBOX\n");
    BOOST_TEST((adopt().folders[0].uids == Uids::kept));
    BOOST_TEST(contents(maildir / "dovecot-uidlist")
               == "3 V900 N8\n4 PUID1-901 :1.a\n7 PUID2-901 :2.b\n");
    BOOST_TEST(contents(maildir / "subscriptions") == "V\t2\n\nSent\nINBOX\n");
    const auto before = contents(maildir / "dovecot-uidlist");
    BOOST_TEST(adopt().added == 0);
    BOOST_TEST(contents(maildir / "dovecot-uidlist") == before);
}

BOOST_FIXTURE_TEST_CASE(a_second_pass, Adopting)
{
    add("1.a:2,");
    add("2.b", "", true);
    write(old / "dovecot-uidlist", "3 V77 N3 Gx\n1 :1.a\n2 :2.b\n");
    adopt();
    BOOST_TEST(adopt().added == 0);
    // One message was read, one was answered, one came.
    fs::rename(old / "new/2.b", old / "cur/2.b:2,S");
    fs::rename(old / "cur/1.a:2,", old / "cur/1.a:2,RS");
    add("3.c:2,F");
    write(old / "dovecot-uidlist", "3 V77 N8 Gx\n1 :1.a\n2 :2.b\n7 :3.c\n");
    const auto done = adopt();
    BOOST_TEST(done.added == 1);
    BOOST_TEST(done.folders[0].changed == 2);
    BOOST_TEST(is_same());
    BOOST_TEST(contents(maildir / "dovecot-uidlist") == contents(old / "dovecot-uidlist"));
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_somebody_uses, Adopting)
{
    add("1.a:2,F");
    add("2.b:2,");
    write(old / "dovecot-uidlist", "3 V77 N3 Gx\n1 :1.a\n2 :2.b\n");
    adopt();
    wanted.was_used = true;
    fs::remove(maildir / "cur/2.b:2,");
    fs::rename(maildir / "cur/1.a:2,F", maildir / "cur/1.a:2,S");
    const auto done = adopt();
    BOOST_TEST(done.added == 0);
    BOOST_TEST(done.folders[0].deleted_here == 1);
    BOOST_TEST(fs::exists(maildir / "cur/1.a:2,FS"));
    BOOST_TEST(!fs::exists(maildir / "cur/2.b:2,"));
}

// Mail that came here took the UID that the old server gave to another message.
BOOST_FIXTURE_TEST_CASE(a_uid_that_is_taken_here, Adopting)
{
    add("1.a:2,S");
    write(old / "dovecot-uidlist", "3 V77 N2 Gx\n1 :1.a\n");
    adopt();
    wanted.was_used = true;
    write(maildir / "new/here", message("here"));
    write(maildir / "dovecot-uidlist", "3 V77 N3 Gx\n1 :1.a\n2 :here\n");
    add("2.b:2,S");
    write(old / "dovecot-uidlist", "3 V77 N3 Gx\n1 :1.a\n2 :2.b\n");
    for (const bool is_deleted : {false, true}) {
        const auto done = adopt();
        BOOST_TEST(done.added == (is_deleted ? 0 : 1));
        BOOST_TEST(done.folders[0].deleted_here == (is_deleted ? 1 : 0));
        BOOST_TEST(contents(maildir / "dovecot-uidlist")
                   == "3 V77 N4 Gx\n1 :1.a\n2 :here\n3 P000000020000004d :2.b\n");
        BOOST_TEST(fs::exists(maildir / "cur/2.b:2,S") == !is_deleted);
        fs::remove(maildir / "cur/2.b:2,S");
    }
}

BOOST_FIXTURE_TEST_CASE(keywords_that_have_other_letters_here, Adopting)
{
    add("1.a:2,Sab");
    write(old / "dovecot-keywords", "0 work\n1 home\n");
    fs::create_directories(maildir / "cur");
    write(maildir / "dovecot-keywords", "0 home\n");
    adopt();
    BOOST_TEST(contents(maildir / "dovecot-keywords") == "0 home\n1 work\n");
    BOOST_TEST(fs::exists(maildir / "cur/1.a:2,Sab"));
    BOOST_TEST(is_same());
}

// --- bad sources ----------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(sources_that_are_refused, Adopting)
{
    add("1.a:2,S");
    const auto check = [&](const std::string& source) {
        wanted.source = source;
        adopt();
    };
    fs::create_directory_symlink(old, directory.path("link"));
    BOOST_TEST(is_refused([&] { check(directory.path("link")); }, "is a symbolic link"));
    BOOST_TEST(is_refused([&] { check(directory.path("absent")); }, "absent"));
    fs::create_directories(directory.path("empty"));
    BOOST_TEST(is_refused([&] { check(directory.path("empty")); }, "is not a Maildir"));
    fs::create_directories(fs::path{directory.path("dbox")} / "mailboxes");
    fs::create_directories(fs::path{directory.path("dbox")} / "storage");
    BOOST_TEST(is_refused([&] { check(directory.path("dbox")); }, "mailboxctl pull"));
    add("2.z:2,S");
    write(old / "cur/2.z:2,S", "\x28\xb5\x2f\xfd"
                               "...");
    BOOST_TEST(is_refused([&] { check(old.string()); }, "compressed (zstd)"));
    fs::remove(old / "cur/2.z:2,S");
    add("3.c:2,S", "both");
    add("4.d:2,S", ".layouts");
    BOOST_TEST(is_refused([&] { check(old.string()); }, "--layout"));
    BOOST_TEST(!fs::exists(maildir));
}

BOOST_FIXTURE_TEST_CASE(entries_that_are_no_messages, Adopting)
{
    add("1.a:2,S");
    write(directory.path("secret"), "secret");
    fs::create_symlink(directory.path("secret"), old / "cur/2.link:2,S");
    fs::create_directory(old / "cur/3.folder");
    BOOST_TEST_REQUIRE(::mkfifo((old / "cur/4.pipe").c_str(), 0600) == 0);
    fs::create_directory_symlink(directory.path("store"), old / ".linked");
    write(old / ".dovecot.sieve", "keep;");
    const auto done = adopt();
    BOOST_TEST(done.messages == 1);
    BOOST_TEST(done.left.size() == 5U);
    BOOST_TEST(is_same());
    for (const auto& entry : fs::recursive_directory_iterator{maildir})
        BOOST_TEST(!entry.is_symlink(), entry.path());
}

BOOST_FIXTURE_TEST_CASE(a_file_of_uids_that_is_a_link, Adopting)
{
    add("1.a:2,S");
    fs::create_symlink("/etc/passwd", old / "dovecot-uidlist");
    BOOST_TEST(is_refused([&] { adopt(); }, "dovecot-uidlist"));
}

BOOST_FIXTURE_TEST_CASE(other_owners, Adopting)
{
    if (::geteuid() != 0) return;  // only root can make them
    add("1.a:2,S");
    constexpr uid_t kOther = 12345, kThird = 12346;
    for (const auto& path : {old / "cur", old / "cur/1.a:2,S"})
        BOOST_TEST_REQUIRE(::chown(path.c_str(), kOther, kOther) == 0);
    wanted.how = How::link;
    BOOST_TEST(is_refused([&] { adopt(); }, "--take-ownership"));
    wanted.may_take_ownership = true;
    BOOST_TEST(adopt().added == 1);
    struct stat status {};
    BOOST_TEST_REQUIRE(::stat((maildir / "cur/1.a:2,S").c_str(), &status) == 0);
    BOOST_TEST(status.st_uid == 0U);
    // A user of the old system linked another user's file into their Maildir.
    write(old / "cur/2.b:2,S", "secret");
    BOOST_TEST_REQUIRE(::chown((old / "cur/2.b:2,S").c_str(), kThird, kThird) == 0);
    BOOST_TEST(is_refused([&] { adopt(); }, "belongs to another user"));
}

// A disk that is full looks the same: a write fails in the middle.
BOOST_FIXTURE_TEST_CASE(a_write_that_fails, Adopting)
{
    add("1.a:2,S");
    add("2.b:2,S");
    write(old / "cur/3.c:2,S", message("3.c", std::string(100000, 'x') + "\n"));
    write(old / "dovecot-uidlist", "3 V77 N4 Gx\n1 :1.a\n2 :2.b\n3 :3.c\n");
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    BOOST_TEST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const rlimit small{.rlim_cur = 70000, .rlim_max = before.rlim_max};
    BOOST_TEST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const bool was_refused = is_refused([&] { adopt(); }, "File too large");
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, SIG_DFL);
    BOOST_TEST(was_refused);
    BOOST_TEST(fs::is_empty(maildir / "cur"));
    BOOST_TEST(!fs::exists(maildir / "dovecot-uidlist"));
    BOOST_TEST(adopt().added == 3);
    BOOST_TEST(is_same());
    BOOST_TEST(contents(maildir / "dovecot-uidlist") == contents(old / "dovecot-uidlist"));
}

// --- runs that end in the middle --------------------------------------------------------

namespace {

// What Dovecot does with a folder: it replaces a stale lock, gives new messages UIDs, and drops
// UIDs without a message.
void deliver(const fs::path& folder, const std::string& name)
{
    const auto opened = disk::open_path(folder.string());
    const disk::Lock lock{
        opened.number(), "dovecot-uidlist", {::geteuid(), ::getegid()}, folder.string()};
    auto list = uidlist::parse(contents(folder / "dovecot-uidlist"))
                    .value_or(uidlist::List{.validity = 4242, .next = 1, .guid = "here"});
    write(folder / "new" / name, message(name));
    std::set<std::string> present;
    for (const char* part : {"new", "cur"}) {
        for (const auto& entry : fs::directory_iterator{folder / part})
            present.insert(uidlist::base_of(entry.path().filename().string()));
    }
    std::erase_if(list.records,
                  [&](const uidlist::Record& each) { return present.erase(each.base) == 0; });
    for (const auto& base : present) list.records.push_back({.uid = list.next++, .base = base});
    write(folder / "dovecot-uidlist.tmp", uidlist::text_of(list));
    fs::rename(folder / "dovecot-uidlist.tmp", folder / "dovecot-uidlist");
}

// Runs the adoption in a process of its own, which is killed after that time.
enum class Until { killed, end };
void interrupt(const std::function<void()>& adopt, std::chrono::microseconds after,
               Until until = Until::killed)
{
    const auto child = ::fork();
    BOOST_TEST_REQUIRE(child >= 0);
    if (child == 0) {
        try {
            adopt();
        } catch (...) {
            ::_exit(1);
        }
        ::_exit(0);
    }
    std::this_thread::sleep_for(after);
    if (until == Until::killed) ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(killed_at_any_point_and_run_again, Adopting)
{
    constexpr int kMessages = 60;
    std::string uids = "3 V77 N100 Gx\n";
    for (int i = 1; i <= kMessages; ++i) {
        const auto name = std::to_string(i) + ".m";
        add(name + ":2,S", i % 3 == 0 ? ".Sent" : "");
        if (i % 3 != 0) uids += std::to_string(i) + " :" + name + "\n";
    }
    write(old / "dovecot-uidlist", uids);
    fs::remove_all(maildir.parent_path());
    const auto begin = std::chrono::steady_clock::now();
    interrupt([&] { adopt(); }, std::chrono::seconds{0}, Until::end);
    const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(
                           std::chrono::steady_clock::now() - begin)
                           .count();
    for (unsigned seed = 0; seed < 60; ++seed) {
        std::mt19937 random{seed};
        wanted.was_used = seed % 4 > 1;
        wanted.how = seed % 2 == 0 ? How::link : How::copy;
        fs::remove_all(maildir.parent_path());
        std::size_t delivered = 0;
        const auto some_mail = [&] {
            if (!fs::is_directory(maildir / "new")) return;
            // In a mailbox that is used, mail that comes first decides the UIDVALIDITY.
            if (wanted.was_used && fs::is_empty(maildir / "cur")
                && !fs::exists(maildir / "dovecot-uidlist"))
                return;
            deliver(maildir, "delivered." + std::to_string(delivered++));
        };
        for (int i = 0; i < 5; ++i) {
            interrupt([&] { adopt(); },
                      std::chrono::microseconds{static_cast<std::int64_t>(random()) % whole});
            if (random() % 2 == 0) some_mail();
        }
        adopt();
        const auto report = compared();
        BOOST_TEST(report.is_complete(), "seed " << seed);
        BOOST_TEST(report.same == kMessages, "seed " << seed);
        BOOST_TEST(report.target == kMessages + static_cast<std::int64_t>(delivered),
                   "seed " << seed);
        const auto list = uidlist::parse(contents(maildir / "dovecot-uidlist"));
        BOOST_TEST_REQUIRE(list.has_value());
        BOOST_TEST(list->validity == 77U);
        std::int64_t kept = 0;
        for (const auto& record : list->records)
            kept += record.base == std::to_string(record.uid) + ".m" ? 1 : 0;
        BOOST_TEST(kept == kMessages - kMessages / 3, "seed " << seed);
        BOOST_TEST(!fs::exists(maildir.parent_path() / ".adoption"), "seed " << seed);
    }
}

BOOST_AUTO_TEST_SUITE_END()
