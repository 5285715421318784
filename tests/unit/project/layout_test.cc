// layout_test.cc - the rooms of src/: which folder may include which, and which file alone includes
// a foreign library.

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/sources.h"

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;

// Each room with the rooms that it may include. A room may always include itself.
const std::map<std::string, Names> kRooms{
    {"base", {}},
    {"mail", {"base"}},
    {"db", {"base", "mail"}},
    {"peers", {"base", "mail", "db"}},
    {"mailboxd", {"base", "mail", "db"}},
    {"mailboxctl", {"base", "mail", "db", "peers"}},
};

std::vector<std::string> matches(const std::string& text, const std::regex& pattern)
{
    std::vector<std::string> found;
    for (std::sregex_iterator match{text.begin(), text.end(), pattern}, end; match != end; ++match)
        found.push_back(match->str(1));
    return found;
}

std::vector<fs::path> files()
{
    auto all = sources::files("src", ".h");
    const auto more = sources::files("src", ".cc");
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

// "db/connection.h" of a file of src/.
std::string name_of(const fs::path& file)
{
    return fs::relative(file, sources::directory() / "src").string();
}

std::string room_of(const std::string& name)
{
    return name.substr(0, name.find('/'));
}

// "db/connection" of its header and of its source: the two are one module.
std::string module_of(const std::string& name)
{
    return fs::path{name}.replace_extension().string();
}

std::vector<std::string> included_by(const fs::path& file)
{
    return matches(sources::contents(file), std::regex{"#include \"([^\"]+)\""});
}

BOOST_AUTO_TEST_SUITE(layout)

BOOST_AUTO_TEST_CASE(a_file_includes_only_rooms_below_its_own)
{
    for (const auto& file : files()) {
        const auto name = name_of(file);
        const auto room = room_of(name);
        BOOST_TEST_REQUIRE(kRooms.contains(room), name << " is in no room");
        for (const auto& included : included_by(file)) {
            const auto other = room_of(included);
            BOOST_TEST((other == room || kRooms.at(room).contains(other)),
                       name << " includes " << included);
        }
    }
}

BOOST_AUTO_TEST_CASE(modules_include_each_other_in_no_circle)
{
    std::map<std::string, Names> uses;
    for (const auto& file : files()) {
        const auto module = module_of(name_of(file));
        for (const auto& included : included_by(file)) {
            if (module_of(included) != module) uses[module].insert(module_of(included));
        }
    }
    Names done;
    std::vector<std::string> path;
    const std::function<void(const std::string&)> visit = [&](const std::string& module) {
        const auto again = std::find(path.begin(), path.end(), module);
        BOOST_TEST((again == path.end()),
                   module << " includes itself by way of " << (path.empty() ? "" : path.back()));
        if (again != path.end() || done.contains(module)) return;
        path.push_back(module);
        for (const auto& used : uses[module]) visit(used);
        path.pop_back();
        done.insert(module);
    };
    std::vector<std::string> all;
    for (const auto& [module, used] : uses) all.push_back(module);
    for (const auto& module : all) visit(module);
}

BOOST_AUTO_TEST_CASE(a_foreign_library_has_one_door)
{
    const std::vector<std::pair<std::regex, Names>> doors{
        {std::regex{"#include <(fcgi.*)>"}, {"mailboxd/worker"}},
        {std::regex{"#include <((?:cppconn|mysql|mariadb).*)>"}, {"db/connection"}},
        {std::regex{"#include <(.*cJSON.h)>"}, {"base/json"}},
        {std::regex{"#include <(sodium.h)>"},
         {"base/secret", "base/crypto", "mail/api_key", "mail/password"}},
        {std::regex{"#include <(microhttpd.h)>"}, {"mailboxd/exporter"}},
        {std::regex{"#include <(curl/.*)>"}, {"peers/dovecot", "peers/tls", "peers/unix_http"}},
        {std::regex{"#include <(sqlite3.h)>"}, {"peers/sqlite"}},
        {std::regex{"#include <(idn2.h|uni(?:norm|case|str|types|ctype)[.]h)>"}, {"mail/unicode"}},
    };
    for (const auto& [pattern, allowed] : doors) {
        Names used;
        for (const auto& file : files()) {
            const auto module = module_of(name_of(file));
            for (const auto& header : matches(sources::contents(file), pattern)) {
                used.insert(module);
                BOOST_TEST(allowed.contains(module), module << " includes <" << header << ">");
            }
        }
        BOOST_TEST(used == allowed, boost::test_tools::per_element());
    }
}

// Statements stand in db/, and beside the operator's command that owns them. The service has none
// of its own.
BOOST_AUTO_TEST_CASE(the_service_has_no_sql)
{
    const std::regex statement{
        "\"(SELECT |INSERT |UPDATE |DELETE FROM|REPLACE |START TRANSACTION|COMMIT)"};
    for (const auto& file : files()) {
        const auto room = room_of(name_of(file));
        if (room == "db" || room == "mailboxctl" || room == "peers") continue;
        const auto found = matches(sources::contents(file), statement);
        BOOST_TEST(found.empty(), name_of(file) << " has a statement that begins with "
                                                << (found.empty() ? "" : found.front()));
    }
}

// The library's archive and the walk through src/ both name a file without its folder.
BOOST_AUTO_TEST_CASE(no_two_modules_of_the_library_have_one_name)
{
    std::map<std::string, std::string> modules;
    for (const auto& file : files()) {
        const auto module = module_of(name_of(file));
        const auto stem = fs::path{module}.filename().string();
        if (stem == "main") continue;
        BOOST_TEST(modules.emplace(stem, module).first->second == module);
    }
}

BOOST_AUTO_TEST_CASE(the_readme_names_every_module)
{
    const auto readme = sources::contents(sources::directory() / "README.md");
    Names named, is;
    for (const auto& module :
         matches(readme, std::regex{"`((?:base|mail|db|peers|mailboxd|mailboxctl)/[a-z_/]+)`"}))
        named.insert(module);
    for (const auto& file : files()) is.insert(module_of(name_of(file)));
    BOOST_TEST(named == is, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(tests_mirror_the_rooms)
{
    for (const auto& entry : fs::directory_iterator{sources::directory() / "tests/unit"}) {
        if (!entry.is_directory()) continue;
        const auto room = entry.path().filename().string();
        BOOST_TEST((kRooms.contains(room) || room == "project"),
                   "tests/unit/" << room << " is no room of src/");
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
