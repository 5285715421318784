// layout_test.cc - src/ reads from top to bottom: the order is the table "Reading the code" in README.md, and a file
// includes only files further down. A foreign library is let in through one door.

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "sources.h"

namespace {

using Names = std::vector<std::string>;

Names matches(const std::string& text, const std::regex& pattern)
{
    Names found;
    for (std::sregex_iterator match{text.begin(), text.end(), pattern}, end; match != end; ++match)
        found.push_back(match->str(1));
    return found;
}

// `store` of store.h and store.cc: the two are one module.
std::string module_of(const std::string& file)
{
    return std::filesystem::path{file}.stem();
}

// The modules that the table names, with their places in it.
std::map<std::string, std::size_t> order()
{
    std::istringstream lines{sources::contents(sources::directory() / "README.md")};
    std::map<std::string, std::size_t> places;
    bool is_in_section = false;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("## ")) is_in_section = line == "## Reading the code";
        if (!is_in_section || !line.starts_with("| `")) continue;
        const auto first_column = line.substr(0, line.find('|', 1));
        for (const auto& name : matches(first_column, std::regex{"`([a-z]+)[.]"})) places.emplace(name, places.size());
    }
    return places;
}

std::vector<std::filesystem::path> files()
{
    std::vector<std::filesystem::path> all;
    for (const auto& file : std::filesystem::directory_iterator{sources::directory() / "src"})
        all.push_back(file.path());
    return all;
}

BOOST_AUTO_TEST_SUITE(layout)

BOOST_AUTO_TEST_CASE(every_file_has_its_place_in_the_table)
{
    const auto places = order();
    std::set<std::string> modules;
    for (const auto& file : files()) {
        modules.insert(module_of(file));
        BOOST_TEST(places.contains(module_of(file)), file.filename().string() + " is in no row of README.md");
    }
    for (const auto& [name, place] : places)
        BOOST_TEST(modules.contains(name), "README.md names " + name + ", which src/ does not have");
}

BOOST_AUTO_TEST_CASE(a_file_includes_only_files_further_down)
{
    auto places = order();
    for (const auto& file : files()) {
        const auto module = module_of(file);
        for (const auto& included : matches(sources::contents(file), std::regex{"#include \"([^\"]+)\""})) {
            if (module_of(included) == module) continue;
            BOOST_TEST(places[module_of(included)] > places[module],
                       file.filename().string() + " includes " + included + ", which stands above it");
        }
    }
}

BOOST_AUTO_TEST_CASE(a_foreign_library_has_one_door)
{
    const std::map<std::string, std::regex> doors{
        {"worker", std::regex{"#include <(fcgi.*)>"}},
        {"db", std::regex{"#include <((?:cppconn|mysql|mariadb).*)>"}},
        {"json", std::regex{"#include <(.*cJSON.h)>"}},
    };
    for (const auto& [door, pattern] : doors) {
        bool is_used = false;
        for (const auto& file : files()) {
            for (const auto& header : matches(sources::contents(file), pattern)) {
                is_used = true;
                BOOST_TEST(module_of(file) == door,
                           file.filename().string() + " includes <" + header + ">, which is for " + door + ".cc");
            }
        }
        BOOST_TEST(is_used, door + ".cc is no door any more");
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
