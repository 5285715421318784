// folder_names_test.cc - folder names of other servers and how our Dovecot stores them.

#include "peers/folder_names.h"

#include <boost/test/unit_test.hpp>

namespace {

using folder_names::Name;

BOOST_AUTO_TEST_SUITE(folder_names_of_other_servers)

struct Row {
    const char* why;
    std::string maildirpp;  // at the other server
    std::string shown;      // in IMAP
    std::string on_disk;    // here
};

const Row kRows[] = {
    {"a plain name", ".Sent", "Sent", ".Sent"},
    {"two levels", ".2024.25", "2024/25", ".2024.25"},
    {"modified UTF-7", ".Entw&APw-rfe", "Entwürfe", ".Entw&APw-rfe"},
    {"raw UTF-8, as some servers store it", ".Entwürfe", "Entwürfe", ".Entw&APw-rfe"},
    {"an ampersand in modified UTF-7", ".R&-D", "R&D", ".R&-D"},
    {"an ampersand that is no modified UTF-7", ".R&D", "R&D", ".R&-D"},
    {"a pair of surrogates", ".&2D3eAA-", "😀", ".&2D3eAA-"},
    {"escaped as ours are", R"(.Fa\2e Huber.2024)", "Fa. Huber/2024", R"(.Fa\2e Huber.2024)"},
    {"a backslash", R"(.back\slash)", R"(back\slash)", R"(.back\5cslash)"},
    {"an escaped backslash", R"(.back\5cslash)", R"(back\slash)", R"(.back\5cslash)"},
    {"a tilde in front", ".~home", "~home", R"(.\7ehome)"},
    {"a tilde inside", ".a~b", "a~b", ".a~b"},
    {"INBOX in any case", ".Inbox", "INBOX", "."},
    {"below INBOX", ".INBOX.sub", "INBOX/sub", ".INBOX.sub"},
};

BOOST_AUTO_TEST_CASE(names)
{
    for (const auto& [why, maildirpp, shown, on_disk] : kRows) {
        const auto name = folder_names::of_maildirpp(maildirpp);
        BOOST_TEST_REQUIRE(name.has_value(), why);
        BOOST_TEST(folder_names::shown(*name) == shown, why);
        BOOST_TEST(folder_names::on_disk(*name) == on_disk, why);
        // Our own names are read back.
        if (!name->empty()) BOOST_TEST((folder_names::of_maildirpp(on_disk) == name), why);
    }
}

BOOST_AUTO_TEST_CASE(names_that_no_folder_can_have)
{
    for (const std::string name : {"Sent", ".", ".a..b", ".a.", ".tab\there", ".\xff\xfe"})
        BOOST_TEST(!folder_names::of_maildirpp(name).has_value(), name);
}

BOOST_AUTO_TEST_CASE(a_dot_in_nested_folders)
{
    const auto name = folder_names::of_levels({"Fa. Huber", "2024"});
    BOOST_TEST_REQUIRE(name.has_value());
    BOOST_TEST(folder_names::on_disk(*name) == R"(.Fa\2e Huber.2024)");
}

BOOST_AUTO_TEST_CASE(modified_utf_7)
{
    for (const std::string text : {"plain", "ü", "a&b", "日本語", "x😀y", "\xc2\x80", "&-"}) {
        const auto encoded = folder_names::to_utf7(text);
        BOOST_TEST((folder_names::from_utf7(encoded) == text), encoded);
    }
    for (const std::string bad : {"&", "&APw", "&A-", "&AGE-", "&2D0-", "&3gA-", "&*-", "ü"})
        BOOST_TEST(!folder_names::from_utf7(bad).has_value(), bad);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
