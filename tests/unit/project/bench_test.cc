// bench_test.cc - the ceilings of the benchmark measure what they claim to measure.

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <map>
#include <regex>
#include <string>

#include "support/sources.h"

namespace {

// Returns the statements by name from `constexpr char kName[] = "…" "…";`, with their pieces
// joined.
std::map<std::string, std::string> statements(const std::string& source)
{
    static const std::regex definition{
        R"re(constexpr char (k\w+)\[\] =((?:\s*"(?:[^"\\]|\\.)*")+);)re"};
    static const std::regex piece{R"re("((?:[^"\\]|\\.)*)")re"};
    std::map<std::string, std::string> found;
    for (std::sregex_iterator match{source.begin(), source.end(), definition}, end; match != end;
         ++match) {
        const auto pieces = match->str(2);
        auto& text = found[match->str(1)];
        for (std::sregex_iterator part{pieces.begin(), pieces.end(), piece}; part != end; ++part)
            text += part->str(1);
    }
    return found;
}

BOOST_AUTO_TEST_SUITE(bench)

// The ceiling of DELETE has a copy of the service's statements, which must stay equal to them.
BOOST_AUTO_TEST_CASE(the_ceiling_commits_what_a_delete_commits)
{
    std::map<std::string, std::string> ours;
    for (const auto& file : sources::files("src", ".cc"))
        ours.merge(statements(sources::contents(file)));
    const auto ceiling =
        statements(sources::contents(sources::directory() / "tests/bench/programs/commits.cc"));
    BOOST_TEST(ceiling.size() == 8U);
    for (const auto& [name, text] : ceiling)
        BOOST_TEST(ours[name] == text, name << " is another statement in src/: " << ours[name]);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
