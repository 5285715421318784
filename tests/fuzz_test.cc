// fuzz_test.cc - replays the fuzzers' corpora: one case a target, every file of tests/fuzz/corpus/TARGET.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>

#include "fuzz/targets.h"
#include "sources.h"
#include "support.h"

namespace data = boost::unit_test::data;

namespace {

struct Target : support::Row {
    void (*call)(std::string_view);
};

const Target kTargets[] = {
    {"path", fuzz::path},       {"basic", fuzz::basic}, {"urlencoded", fuzz::urlencoded},
    {"multipart", fuzz::multipart}, {"json", fuzz::json},   {"address", fuzz::address},
    {"ranges", fuzz::ranges},   {"config", fuzz::config}, {"answer", fuzz::answer},
};

BOOST_AUTO_TEST_SUITE(fuzz_corpus)

BOOST_DATA_TEST_CASE(replays, data::make(kTargets), target)
{
    const auto corpus = sources::directory() / "tests/fuzz/corpus" / target.why;
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

// A target that is added is added to the list above, too.
BOOST_AUTO_TEST_CASE(every_corpus_has_a_target)
{
    for (const auto& directory : std::filesystem::directory_iterator{sources::directory() / "tests/fuzz/corpus"}) {
        const auto name = directory.path().filename().string();
        BOOST_TEST(std::any_of(std::begin(kTargets), std::end(kTargets), [&](const Target& target) { return target.why == name; }), name);
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
