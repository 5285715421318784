// panel_story.cc - runs the commands of docs/panel.md, unchanged, as a panel on another machine
// would run them: from the first account to the removal of the last one.
//
// Each command succeeds, and its answer has the members and the codes that the page shows.

#include "support/sources.h"
#include "system/harness/story.h"

#include <filesystem>
#include <fstream>
#include <iomanip>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;
using boost::test_tools::per_element;
using story::shows;

namespace {

using Names = std::set<std::string>;

struct Block {
    std::string commands;
    std::string answer;  // as the page shows it, in the indented lines after the block
};

// Returns the blocks for the place `panel` in their order.
std::vector<Block> blocks()
{
    std::istringstream text{sources::contents(sources::directory() / "docs/panel.md")};
    std::vector<Block> blocks;
    bool is_inside = false;
    for (std::string line; std::getline(text, line);) {
        if (line.starts_with("```")) {
            is_inside = line == "```sh panel";
            if (is_inside) blocks.emplace_back();
        } else if (is_inside) {
            blocks.back().commands += line + "\n";
        } else if (line.starts_with("#")) {
            if (line.starts_with("## What is different")) break;  // what follows are no answers
        } else if (line.starts_with("    ") && !blocks.empty()) {
            blocks.back().answer += line + "\n";
        }
    }
    BOOST_TEST_REQUIRE(blocks.size() > 15U);
    return blocks;
}

void replace_all(std::string& text, const std::string& what, const std::string& by)
{
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
        text.replace(at, what.size(), by);
}

// Returns the first group of each match.
Names found(const std::string& text, const std::regex& pattern)
{
    Names names;
    for (std::sregex_iterator match{text.begin(), text.end(), pattern}, end; match != end; ++match)
        names.insert(match->str(1));
    return names;
}

Names members(const std::string& answer)
{
    return found(answer, std::regex{"\"([a-z_]+)\":"});
}

Names codes(const std::string& answer)
{
    return found(answer, std::regex{"\"code\":\"([a-z_]+)\""});
}

struct Panel : story::Story {
    Panel() { fs::create_directories(folder); }

    // The names of the page in this stack: no other story uses them.
    std::string here(std::string commands) const
    {
        replace_all(commands, "https://mail.example.org", stack.setting("API_URL"));
        replace_all(commands, "192.0.2.10", "127.0.0.1");
        replace_all(commands, "example.org", domain);
        replace_all(commands, "acme", account);
        return commands;
    }

    fs::path file(std::size_t number, const std::string& extension) const
    {
        std::ostringstream name;
        name << std::setw(2) << std::setfill('0') << number << extension;
        return folder / name.str();
    }

    const std::string account = story::unique("panel");
    const std::string domain = story::unique("panel") + ".example.org";
    const fs::path folder = stack.directory() / "panel";
};

}  // namespace

BOOST_AUTO_TEST_SUITE(panel)

BOOST_FIXTURE_TEST_CASE(
    each_command_of_the_page_in_its_order, Panel,
    *shows("accounts: POST") * shows("accounts: GET of all") * shows("accounts: GET of one")
        * shows("accounts: PUT") * shows("accounts: disable and enable") * shows("accounts: DELETE")
        * shows("domains: POST") * shows("domains: PUT") * shows("domains: verify")
        * shows("domains: DELETE") * shows("domains: DELETE while it has mailboxes")
        * shows("keys: POST") * shows("keys: GET") * shows("keys: DELETE")
        * shows("mailboxes: GET of one") * shows("mailboxes: PUT of quota and state")
        * shows("mailboxes: q and details") * shows("mailboxes: deleted and restored")
        * shows("reports: usage") * shows("reports: the audit log")
        * shows("provisioning: Idempotency-Key")
        * shows("provisioning: another request with the same Idempotency-Key")
        * shows("provisioning: X-Mailgun-On-Behalf-Of"))
{
    const auto page = blocks();
    for (std::size_t i = 0; i < page.size(); ++i)
        std::ofstream{file(i, ".sh")} << here(page[i].commands);
    const auto ended =
        process::run({"bash", sources::directory() / "tests/system/guide/on-panel.sh",
                      stack.directory(), folder});
    for (std::size_t i = 0; i < page.size(); ++i) {
        const bool was_run = fs::exists(file(i, ".out"));
        const auto answer = was_run ? sources::contents(file(i, ".out")) : std::string{};
        BOOST_TEST_CONTEXT(page[i].commands << answer)
        {
            BOOST_TEST_REQUIRE(was_run, ended.err);
            auto shown = members(page[i].answer);
            shown.erase("priority");  // of an MX record; the stack has no mail_host
            for (const auto& name : shown)
                BOOST_TEST(members(answer).contains(name), "the answer has no " << name);
            BOOST_TEST(codes(answer) == codes(page[i].answer), per_element());
        }
    }
    BOOST_TEST(ended.exit == 0, ended.err);
    // The last commands remove what the page has created.
    BOOST_TEST(
        stack.value("SELECT COUNT(*) FROM account WHERE name LIKE " + stack::quote(account + "%"))
        == "0");
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM domain WHERE name = " + stack::quote(domain))
               == "0");
}

BOOST_AUTO_TEST_SUITE_END()
