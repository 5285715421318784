// completion_test.cc - what bash offers after `mailboxctl` and Tab.

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdio>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>

#include "mailboxctl/command_list.h"
#include "support/sources.h"
#include "support/support.h"

namespace {

namespace data = boost::unit_test::data;
using Names = std::set<std::string>;

// Returns what bash prints, line by line, after it has read the completion file.
Names printed(const std::string& commands)
{
    const auto file = (sources::directory() / "conf/mailboxctl.bash-completion").string();
    const auto line = "bash -c '. \"" + file + "\"; " + commands + "'";
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe{::popen(line.c_str(), "r"), ::pclose};
    if (!pipe) throw std::runtime_error("bash cannot be started");
    std::string text;
    std::array<char, 1024> piece{};
    while (std::fgets(piece.data(), static_cast<int>(piece.size()), pipe.get()) != nullptr)
        text += piece.data();
    Names lines;
    std::istringstream in{text};
    for (std::string each; std::getline(in, each);) {
        if (!each.empty()) lines.insert(each);
    }
    return lines;
}

struct Typed : support::Row {
    std::string words;  // as bash has them; the last one is being typed
    Names offered;
};
const Typed kTyped[] = {
    {"the first word", "mailboxctl a", {"account", "alias", "audit"}},
    {"the second word", "mailboxctl key \"\"", {"add", "list", "revoke"}},
    {"the third word", "mailboxctl domain alias \"\"", {"add", "list", "remove"}},
    {"an option of a command of three words", "mailboxctl domain alias add --j", {"--json"}},
    {"an option of a command", "mailboxctl key add --r", {"--read-only"}},
    {"an option after an argument", "mailboxctl mailbox restore a@b.c --i", {"--id"}},
    {"every option of a command of one word", "mailboxctl check \"\"", {"--config", "--help"}},
    {"the value of --config is no command", "mailboxctl -c file domain d", {"dns"}},
    {"help of a command", "mailboxctl help domain d", {"dns"}},
    {"options before a command", "mailboxctl --v", {"--version"}},
    {"a command that does not exist", "mailboxctl tenant \"\"", {}},
    {"a file for an option",
     "mailboxctl mailbox add a@b.c --password-file /etc/passw",
     {"/etc/passwd"}},
};

BOOST_AUTO_TEST_SUITE(completion)

BOOST_AUTO_TEST_CASE(it_knows_every_command_with_its_options)
{
    Names is;
    for (const auto& command : command::all()) {
        Names options;
        const auto described = command.options();
        for (const auto& option : described.options()) options.insert("--" + option->long_name());
        std::string line{command.name};
        for (const auto& option : options) line += " " + option;
        is.insert(line);
    }
    const auto known = printed(
        "for name in \"${!_mailboxctl_options[@]}\"; do"
        " echo $name $(printf \"%s\\n\" ${_mailboxctl_options[$name]} | LC_ALL=C sort); done");
    BOOST_TEST(known == is, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE(it_offers_what_can_come_next, data::make(kTyped), row)
{
    const auto offered = printed("COMP_WORDS=(" + row.words
                                 + "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _mailboxctl;"
                                   " printf \"%s\\n\" \"${COMPREPLY[@]}\"");
    if (row.offered.size() == 1) BOOST_TEST(offered.contains(*row.offered.begin()));
    else BOOST_TEST(offered == row.offered, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
