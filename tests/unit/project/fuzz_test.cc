// fuzz_test.cc - replays the fuzzers' corpora: one case for each target, every file of its folder.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "fuzz/all.h"
#include "support/sources.h"

namespace data = boost::unit_test::data;

namespace {

BOOST_AUTO_TEST_SUITE(fuzz_corpus)

BOOST_DATA_TEST_CASE(replays, data::make(fuzz::kTargets), target)
{
    const auto corpus = sources::directory() / "tests/fuzz/corpus" / target.name;
    int count = 0;
    for (const auto& file : std::filesystem::directory_iterator{corpus}) {
        ++count;
        const auto input = sources::contents(file.path());
        try {
            target.call(input);
        } catch (const std::exception& error) {
            BOOST_ERROR(file.path().string() + ": " + error.what());
        }
    }
    BOOST_TEST(count > 0, "no corpus in " << corpus);
}

// Every target must also be listed in fuzz/all.h.
BOOST_AUTO_TEST_CASE(every_target_is_replayed)
{
    for (const auto& file :
         std::filesystem::directory_iterator{sources::directory() / "tests/fuzz"}) {
        auto name = file.path().filename().string();
        if (!name.ends_with("_fuzz.cc")) continue;
        name.resize(name.size() - std::strlen("_fuzz.cc"));
        const auto is_its = [&](const fuzz::Target& target) { return target.name == name; };
        BOOST_TEST(std::any_of(std::begin(fuzz::kTargets), std::end(fuzz::kTargets), is_its), name);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
