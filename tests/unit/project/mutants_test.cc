// mutants_test.cc - each patch of tests/mutants says what is wrong and names suites that exist.
//
// `scripts/mutants --check` checks that the patches apply to the sources.

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/sources.h"

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> patches()
{
    std::vector<fs::path> all;
    for (const auto& file : fs::directory_iterator{sources::directory() / "tests/mutants"})
        all.push_back(file.path());
    return all;
}

// Returns the names of all suites in a folder of tests.
std::set<std::string> suites(const std::string& folder)
{
    const std::regex pattern{"BOOST_AUTO_TEST_SUITE\\(([a-z_0-9]+)"};
    std::set<std::string> names;
    for (const auto& file : sources::files(folder, ".cc")) {
        const auto text = sources::contents(file);
        for (std::sregex_iterator match{text.begin(), text.end(), pattern}, end; match != end;
             ++match)
            names.insert(match->str(1));
    }
    return names;
}

// Returns the text above the diff.
std::string preface(const fs::path& patch)
{
    const auto text = sources::contents(patch);
    return text.substr(0, text.find("\n--- "));
}

BOOST_AUTO_TEST_SUITE(mutants)

BOOST_AUTO_TEST_CASE(each_says_what_is_wrong_and_names_the_likely_suites)
{
    const std::map<std::string, std::set<std::string>> all{{"unit", suites("tests/unit")},
                                                           {"stories", suites("tests/system")}};
    BOOST_TEST(patches().size() >= 30U);
    for (const auto& patch : patches()) {
        BOOST_TEST_CONTEXT(patch.filename())
        {
            std::istringstream lines{preface(patch)};
            std::string sentence;
            std::getline(lines, sentence);
            BOOST_TEST(sentence.find(' ') != std::string::npos);
            bool is_named = false;
            for (std::string line; std::getline(lines, line);) {
                std::smatch match;
                if (!std::regex_match(line, match,
                                      std::regex{"(unit|stories): ([a-z_0-9]+(?:, [a-z_0-9]+)*)"}))
                    continue;
                is_named = true;
                const auto list = match.str(2);
                const std::regex name{"[a-z_0-9]+"};
                for (std::sregex_iterator suite{list.begin(), list.end(), name}, end; suite != end;
                     ++suite) {
                    BOOST_TEST(all.at(match.str(1)).contains(suite->str()),
                               "no suite is named " << suite->str());
                }
            }
            BOOST_TEST(is_named);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
