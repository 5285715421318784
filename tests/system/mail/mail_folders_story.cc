// mail_folders_story.cc - folders over IMAP: allowed names, their names on disk, and the folders
// that exist at first.

#include "system/harness/mail.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;

namespace {

struct Folder {
    const char* why;
    std::string name;     // as in IMAP: modified UTF-7 (RFC 3501 5.1.3), quoted
    std::string on_disk;  // below Maildir
};

const Folder kFolders[] = {
    {"a dot in the name", R"("Fa. Huber")", R"(.Fa\2e Huber)"},
    {"a version", R"("v1.2")", R"(.v1\2e2)"},
    {"a folder below another one", R"("2024/25")", ".2024.25"},
    {"dots below a folder", R"("a/b.c/d")", R"(.a.b\2ec.d)"},
    {"a dot in front", R"(".hidden")", R"(.\2ehidden)"},
    {"two dots", R"("x..y")", R"(.x\2e\2ey)"},
    {"a per cent sign", R"("100%")", ".100%"},
    {"a backslash", R"("back\\slash")", R"(.back\5cslash)"},
    {"what an escaped dot looks like", R"("v1\\2e2")", R"(.v1\5c2e2)"},
    {"a tilde in front", R"("~home")", R"(.\7ehome)"},
    {"an umlaut", R"("Entw&APw-rfe")", ".Entw&APw-rfe"},
    {"an ampersand", R"("R&-D")", ".R&-D"},
    {"a Maildir's own folder", R"("cur")", ".cur"},
    {"below INBOX", R"("INBOX/sub")", ".INBOX.sub"},
    {"a dot behind INBOX", R"("INBOX.old")", R"(.INBOX\2eold)"},
};

// Returns the names in lines like "* LIST (\HasNoChildren) "/" Drafts", quoted or not.
std::set<std::string> names(const mail::Imap::Response& answer)
{
    std::set<std::string> found;
    for (const auto& line : answer.lines) {
        const auto at = line.find("\"/\" ");
        if (at == std::string::npos) continue;
        const auto name = line.substr(at + 4);
        found.insert(name.starts_with('"') ? name : '"' + name + '"');
    }
    return found;
}

struct Folders : mail::Story {
    fs::path maildir(const std::string& address) const
    {
        const auto id = inside(address).substr(0, 32);
        return stack.directory() / "mail" / id.substr(0, 2) / id / "Maildir";
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_folders, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(names_of_folders, Folders)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    auto imap = this->imap(alice);
    BOOST_TEST(story::has(imap.ask("NAMESPACE").text(), R"((("" "/")))"));
    for (const auto& [why, name, on_disk] : kFolders) {
        BOOST_TEST(imap.ask("CREATE " + name).result.starts_with("OK "), why);
        BOOST_TEST(imap.ask("SUBSCRIBE " + name).result.starts_with("OK "), why);
        BOOST_TEST(imap.ask("STATUS " + name + " (MESSAGES)").result.starts_with("OK "), why);
        BOOST_TEST(fs::is_directory(maildir(alice) / on_disk), why);
    }
    auto later = this->imap(alice);
    const auto listed = names(later.ask("LIST \"\" *")),
               subscribed = names(later.ask("LSUB \"\" *"));
    for (const auto& [why, name, on_disk] : kFolders) {
        BOOST_TEST(listed.contains(name), why);
        BOOST_TEST(subscribed.contains(name), why);
        BOOST_TEST(
            later.ask("RENAME " + name + " \"renamed.now/" + std::to_string(listed.size()) + "\"")
                .result.starts_with("OK "),
            why);
        BOOST_TEST(later.ask("DELETE \"renamed.now/" + std::to_string(listed.size()) + "\"")
                       .result.starts_with("OK "),
                   why);
    }
    // A dot does not separate levels.
    BOOST_TEST(!names(later.ask("LIST \"\" %")).contains("\"Fa\""));
    BOOST_TEST(later.ask("CREATE \"a&AAk-b\"").result.starts_with("NO "));  // a tab

    deliver(alice, mail::message("Hello"));
    BOOST_TEST(this->pop3(alice).messages() == 1U);
}

BOOST_FIXTURE_TEST_CASE(folders_that_mail_programs_look_for, Folders)
{
    const auto who = tenant();
    BOOST_TEST(create(who, "alice").status == 200);
    auto imap = this->imap(who.address("alice"));
    const auto listed = imap.ask("LIST (SPECIAL-USE) \"\" *").text();
    const auto subscribed = names(imap.ask("LSUB \"\" *"));
    for (const std::string name : {"Archive", "Drafts", "Junk", "Sent", "Trash"}) {
        BOOST_TEST(story::has(listed, "\\" + name + ") \"/\" " + name), name << ": " << listed);
        BOOST_TEST(subscribed.contains('"' + name + '"'), name);
    }
}

BOOST_AUTO_TEST_SUITE_END()
