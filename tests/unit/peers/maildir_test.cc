// maildir_test.cc - which folders are a mailbox's, and that nothing else goes with one that is
// removed.

#include "peers/maildir.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/support.h"

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;
using boost::test_tools::per_element;
using Strings = std::vector<std::string>;

namespace {

constexpr auto kNoEnd = maildir::Clock::time_point::max();
const std::string kAlice = "2ec17e9a94d71b61cc411b0690d5cfa3";
const std::string kBob = "2e00000000000000000000000000000b";

struct Mail {
    Mail()
    {
        fs::create_directory(directory.path("store"));
        for (const auto& id : {kAlice, kBob}) {
            for (const char* folder : {"cur", "new", "tmp", ".Sent/cur"})
                fs::create_directories(home(id) / "Maildir" / folder);
            write(home(id) / "Maildir" / "cur" / "1,S=3:2,S", "abc");
            write(home(id) / "Maildir" / "cur" / "2,S=5:2,S", "defgh");
            write(home(id) / "Maildir" / "dovecot-uidlist", "12");
        }
    }
    fs::path home(const std::string& id) const
    {
        return fs::path{directory.path("store")} / id.substr(0, 2) / id;
    }
    static void write(const fs::path& file, std::string_view text) { std::ofstream{file} << text; }
    std::int64_t files(const fs::path& folder) const
    {
        return std::count_if(fs::recursive_directory_iterator{folder},
                             fs::recursive_directory_iterator{},
                             [](const auto& entry) { return entry.is_regular_file(); });
    }

    support::Directory directory;
    maildir::Store store = [this] {
        fs::create_directory(directory.path("store"));
        return maildir::Store{directory.path("store")};
    }();
};

struct Name : support::Row {
    std::string text;
};

const Name kNoIds[] = {
    {"nothing", ""},
    {"31 digits", std::string(31, 'a')},
    {"33 digits", std::string(33, 'a')},
    {"capitals", std::string(32, 'A')},
    {"another letter", std::string(31, 'a') + "g"},
    {"a way up", "../" + std::string(29, 'a')},
    {"a wildcard", std::string(31, 'a') + "*"},
    {"a NUL", std::string(31, 'a') + std::string(1, '\0')},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(storages)

BOOST_DATA_TEST_CASE(what_is_no_id, data::make(kNoIds), row)
{
    BOOST_TEST(!maildir::is_id(row.text));
    Mail mail;
    BOOST_CHECK_THROW(mail.store.remove(row.text, kNoEnd), std::logic_error);
    BOOST_TEST(mail.files(mail.directory.path("store")) == 6);
}

BOOST_AUTO_TEST_CASE(what_is_an_id)
{
    BOOST_TEST(maildir::is_id(kAlice));
    BOOST_TEST(maildir::is_id("0123456789abcdef0123456789abcdef"));
}

BOOST_FIXTURE_TEST_CASE(a_folder_is_removed_with_all_in_it, Mail)
{
    const auto removed = store.remove(kAlice, kNoEnd);
    BOOST_TEST(removed.is_complete);
    BOOST_TEST(removed.files == 3);
    BOOST_TEST(removed.bytes == 10);
    BOOST_TEST(!fs::exists(home(kAlice)));
    BOOST_TEST(files(home(kBob)) == 3);
    BOOST_TEST(store.ids("2e") == Strings{kBob}, per_element());
    BOOST_TEST(store.strangers().empty());
}

BOOST_FIXTURE_TEST_CASE(a_folder_that_is_not_there, Mail)
{
    for (const auto& id : {std::string{"2e"} + std::string(30, '0'), std::string(32, 'f')}) {
        const auto removed = store.remove(id, kNoEnd);
        BOOST_TEST(removed.is_complete);
        BOOST_TEST(removed.files == 0);
    }
    BOOST_TEST(files(directory.path("store")) == 6);
}

// With its time over at once, each call removes something, and the last one all.
BOOST_FIXTURE_TEST_CASE(little_by_little, Mail)
{
    int calls = 0;
    maildir::Removed all;
    for (all.is_complete = false; !all.is_complete; ++calls) {
        const auto removed = store.remove(kAlice, maildir::Clock::time_point::min());
        BOOST_TEST(!fs::exists(home(kAlice)));
        BOOST_TEST_REQUIRE(calls < 10);
        all.is_complete = removed.is_complete;
        all.files += removed.files;
        all.bytes += removed.bytes;
    }
    BOOST_TEST(calls > 1);
    BOOST_TEST(all.files == 3);
    BOOST_TEST(all.bytes == 10);
    BOOST_TEST(store.ids("2e") == Strings{kBob}, per_element());
    BOOST_TEST(!fs::exists(home(kAlice).string() + ".removed"));
}

// A delivery that was under way makes it again while what was in its place is being removed.
BOOST_FIXTURE_TEST_CASE(one_that_comes_back_meanwhile, Mail)
{
    BOOST_TEST(!store.remove(kAlice, maildir::Clock::time_point::min()).is_complete);
    fs::create_directories(home(kAlice) / "Maildir" / "new");
    write(home(kAlice) / "Maildir" / "new" / "3,S=1", "x");
    BOOST_TEST(store.remove(kAlice, kNoEnd).is_complete);
    BOOST_TEST(store.ids("2e") == Strings{kBob}, per_element());
    BOOST_TEST(!fs::exists(home(kAlice).string() + ".removed"));
}

BOOST_FIXTURE_TEST_CASE(an_empty_file_in_its_place, Mail)
{
    fs::remove_all(home(kAlice));
    write(home(kAlice), "");
    BOOST_TEST(store.remove(kAlice, kNoEnd).files == 1);
    BOOST_TEST(!fs::exists(home(kAlice)));
}

// Links are removed, not followed, wherever they stand.
BOOST_FIXTURE_TEST_CASE(links_lead_nowhere, Mail)
{
    const fs::path outside = directory.path("outside");
    fs::create_directory(outside);
    write(outside / "precious", "kept");
    fs::create_directory_symlink(outside, home(kAlice) / "Maildir" / "link");
    fs::create_symlink(outside / "precious", home(kAlice) / "Maildir" / "cur" / "3,S=4:2,S");
    fs::create_directory_symlink(home(kBob), home(kAlice) / "bob");
    BOOST_TEST(store.remove(kAlice, kNoEnd).is_complete);
    BOOST_TEST(!fs::exists(home(kAlice)));
    BOOST_TEST(files(outside) == 1);
    BOOST_TEST(files(home(kBob)) == 3);

    const std::string linked = "2e" + std::string(30, 'c');
    fs::create_directory_symlink(outside, home(linked));
    BOOST_TEST(store.remove(linked, kNoEnd).is_complete);
    BOOST_TEST(!fs::exists(fs::symlink_status(home(linked))));
    BOOST_TEST(files(outside) == 1);
}

BOOST_FIXTURE_TEST_CASE(a_link_instead_of_the_folder_of_folders, Mail)
{
    const fs::path outside = directory.path("outside");
    const std::string id(32, 'f');
    fs::create_directories(outside / id);
    write(outside / id / "precious", "kept");
    fs::create_directory_symlink(outside, fs::path{directory.path("store")} / "ff");
    BOOST_CHECK_THROW(store.remove(id, kNoEnd), std::system_error);
    BOOST_CHECK_THROW(store.ids("ff"), std::system_error);
    BOOST_TEST(files(outside) == 1);
    BOOST_TEST(store.strangers() == Strings{directory.path("store") + "/ff"}, per_element());
}

BOOST_FIXTURE_TEST_CASE(a_name_that_looks_for_trouble, Mail)
{
    for (const char* name : {"-rf", " ", "a\nb", "..."})
        write(home(kAlice) / "Maildir" / name, "x");
    BOOST_TEST(store.remove(kAlice, kNoEnd).files == 7);
    BOOST_TEST(!fs::exists(home(kAlice)));
}

BOOST_FIXTURE_TEST_CASE(folders_deep_in_folders, Mail)
{
    auto folder = home(kAlice);
    for (int i = 0; i < 50; ++i) folder /= "d";
    fs::create_directories(folder);
    BOOST_TEST(store.remove(kAlice, kNoEnd).is_complete);
    BOOST_TEST(!fs::exists(home(kAlice)));
}

BOOST_FIXTURE_TEST_CASE(what_lies_in_the_store, Mail)
{
    const fs::path root = directory.path("store");
    BOOST_TEST(store.ids("2e") == (Strings{kBob, kAlice}), per_element());
    BOOST_TEST(store.ids("00").empty());
    BOOST_TEST(store.strangers().empty());
    fs::create_directory(root / "lost+found");
    fs::create_directory(root / "2e" / "notes");
    fs::create_directory(root / "2e" / (kAlice + ".bak"));
    fs::create_directory(root / "2e"
                         / (kAlice + ".removed"));  // what a call that was stopped has left
    fs::create_directory(root / "2e" / std::string(32, 'a'));  // of another folder
    write(root / "README", "x");
    BOOST_TEST(store.ids("2e") == (Strings{kBob, kAlice}), per_element());
    const Strings expected{(root / "2e" / kAlice).string() + ".bak",
                           (root / "2e" / std::string(32, 'a')).string(),
                           (root / "2e" / "notes").string(), (root / "README").string(),
                           (root / "lost+found").string()};
    BOOST_TEST(store.strangers() == expected, per_element());
}

// The janitor takes none of them for a mailbox's folder, and removes none that nobody asked it to.
BOOST_FIXTURE_TEST_CASE(what_stands_in_a_folders_place, Mail)
{
    const fs::path root = directory.path("store");
    BOOST_TEST(store.misfits("2e").empty());
    BOOST_TEST(store.misfits("00").empty());
    const auto away = directory.path("away");
    const Strings expected{(root / "2e" / kAlice).string()};
    fs::rename(home(kAlice), away);
    write(home(kAlice), "x");
    BOOST_TEST(store.misfits("2e") == expected, per_element());
    BOOST_TEST(store.ids("2e") == Strings{kBob}, per_element());
    BOOST_TEST(store.strangers() == expected, per_element());
    fs::remove(home(kAlice));
    fs::create_directory_symlink("/etc", home(kAlice));
    BOOST_TEST(store.misfits("2e") == expected, per_element());
    BOOST_TEST(store.ids("2e") == Strings{kBob}, per_element());
    fs::remove(home(kAlice));
    fs::rename(away, home(kAlice));
    BOOST_TEST(store.misfits("2e").empty());
    fs::rename(root / "2e", away);
    fs::create_directory_symlink(away, root / "2e");
    BOOST_TEST(store.misfits("2e") == Strings{(root / "2e").string()}, per_element());
}

BOOST_AUTO_TEST_CASE(a_store_that_is_not_there)
{
    const support::Directory directory;
    BOOST_CHECK_THROW(maildir::Store{directory.path("absent")}, std::system_error);
    BOOST_CHECK_THROW(maildir::Store{directory.write("file", "")}, std::system_error);
}

BOOST_AUTO_TEST_SUITE_END()
