// contract_story.cc - every row of the contract has a story, and every story knows its rows.
//
// tests/contract.txt lists the rows. Stories name theirs by shows(), which labels the
// test case; here the tree of all test cases is walked and compared with the list. With
// TEST_CONTRACT=FILE in the environment, the list is written there with its stories.

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <string>

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

std::set<std::string> rows()
{
    const auto path = environment_or("TEST_SOURCE_DIR", ".") + "/tests/contract.txt";
    std::ifstream file{path};
    BOOST_TEST_REQUIRE(file.good(), path);
    std::set<std::string> all;
    for (std::string line; std::getline(file, line);) {
        if (!line.empty() && line[0] != '#') {
            BOOST_TEST(all.insert(line).second, "twice in the list: " << line);
        }
    }
    return all;
}

class Labels : public ut::test_tree_visitor {
public:
    std::map<std::string, std::set<std::string>> stories;  // of each label

    bool visit(const ut::test_unit& unit) override
    {
        for (const auto& label : unit.p_labels.get()) {
            stories[label].insert(unit.full_name());
        }
        return true;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(contract)

BOOST_AUTO_TEST_CASE(each_row_has_a_story)
{
    const auto all = rows();
    BOOST_TEST(all.size() > 50U);
    Labels labels;
    ut::traverse_test_tree(ut::framework::master_test_suite(), labels, true);

    for (const auto& row : all) {
        BOOST_TEST(labels.stories.contains(row), "no story shows: " << row);
    }
    for (const auto& [label, stories] : labels.stories) {
        BOOST_TEST(all.contains(label), *stories.begin() << " shows what is no row: " << label);
    }

    const auto list = environment_or("TEST_CONTRACT", "");
    if (!list.empty()) {
        std::ofstream file{list};
        for (const auto& [label, stories] : labels.stories) {
            file << label << '\n';
            for (const auto& story : stories) {
                file << "    " << story << '\n';
            }
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
