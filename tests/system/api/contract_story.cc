// contract_story.cc - every rule of the contract has a story, and every story names existing rules.
//
// tests/contract.txt lists the rules. Stories name theirs with shows(), which labels the test case;
// this test compares the labels of all test cases with the list. If the environment has
// TEST_CONTRACT=FILE, the rules and their stories are written to that file; `make contract` prints
// them.

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <boost/test/tree/traverse.hpp>
#include <boost/test/tree/visitor.hpp>
#include <boost/test/unit_test.hpp>

namespace {

namespace ut = boost::unit_test;

std::string environment_or(const char* name, const char* otherwise)
{
    const char* value = std::getenv(name);
    return value != nullptr ? value : otherwise;
}

// Returns the lines of tests/contract.txt: rules, comments and blank lines.
std::vector<std::string> lines_of_the_list()
{
    const auto path = environment_or("TEST_SOURCE_DIR", ".") + "/tests/contract.txt";
    std::ifstream file{path};
    BOOST_TEST_REQUIRE(file.good(), path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    return lines;
}

bool is_row(const std::string& line)
{
    return !line.empty() && line[0] != '#';
}

class Labels : public ut::test_tree_visitor {
public:
    std::map<std::string, std::set<std::string>> stories;  // by label

    // The rows of a table count as one story.
    bool visit(const ut::test_unit& unit) override
    {
        auto name = unit.full_name();
        if (const auto row = name.rfind("/_"); row != std::string::npos) {
            name.erase(row);
        }
        for (const auto& label : unit.p_labels.get()) {
            stories[label].insert(name);
        }
        return true;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(contract)

BOOST_AUTO_TEST_CASE(each_row_has_a_story)
{
    Labels labels;
    ut::traverse_test_tree(ut::framework::master_test_suite(), labels, true);
    std::ofstream list{environment_or("TEST_CONTRACT", "/dev/null")};
    std::set<std::string> all;
    for (const auto& line : lines_of_the_list()) {
        list << line << '\n';
        if (is_row(line)) {
            BOOST_TEST(all.insert(line).second, "twice in the list: " << line);
            const auto& stories = labels.stories[line];
            BOOST_TEST(!stories.empty(), "no story shows: " << line);
            for (const auto& story : stories) {
                list << "    " << story << '\n';
            }
        }
    }
    BOOST_TEST(all.size() > 50U);
    for (const auto& [label, stories] : labels.stories) {
        BOOST_TEST(all.contains(label), *stories.begin() << " shows what is no row: " << label);
    }
}

BOOST_AUTO_TEST_SUITE_END()
