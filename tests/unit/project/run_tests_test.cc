// run_tests_test.cc - scripts/run-tests counts every story once, and a lane that dies as failed.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/sources.h"
#include "support/support.h"

namespace data = boost::unit_test::data;

namespace {

// Takes the place of story_tests: lists six stories, and reports what Boost.Test would. FAULT is
// what goes wrong.
constexpr char kStories[] = R"(#!/bin/bash
for option in "$@"; do
    case $option in
        --list_content*)
            [[ $FAULT == lists-nothing ]] ||
                printf 'mail_one*\n    a*\n    rows*\n        _0*\n        _1*\npool*\n    b*\nother*\n    c*\n    d*\n' >&2
            exit ;;
        --report_sink=*) report=${option#*=} ;;
        --run_test=*) suites=${option#*=} ;;
    esac
done
declare -A cases=([mail_one]=3 [pool]=1 [other]=2)
passed=0 failed=0
for suite in ${suites//,/ }; do ((passed += cases[$suite])); done
if [[ $suites == pool && $FAULT == dies ]]; then kill -KILL $$; fi
skipped=$((6 - passed))
if [[ $suites == other && $FAULT == leaves-one-out ]]; then ((--passed)); fi
if [[ $suites == other && $FAULT == fails ]]; then ((--passed, ++failed)); fi
echo "<TestResult><TestSuite name=\"stories\" result=\"passed\" test_cases_passed=\"$passed\"" \
    "test_cases_passed_with_warnings=\"0\" test_cases_failed=\"$failed\"" \
    "test_cases_skipped=\"$skipped\"></TestSuite></TestResult>" >"$report"
if [[ $suites == pool && $FAULT == ends-with-1 ]]; then exit 1; fi
exit "$failed"
)";

// One of those that failed is always what checks the OpenAPI document, because there is nothing of
// npm.
struct Run : support::Row {
    const char* fault;
    const char* totals;
};

const Run kRuns[] = {
    {{"all pass"}, "none", "6 passed, 1 failed\n"},
    {{"one fails"}, "fails", "5 passed, 2 failed\n"},
    {{"a lane is killed"}, "dies", "5 passed, 2 failed\n"},
    {{"a lane ends with an error that it does not report"}, "ends-with-1", "6 passed, 2 failed\n"},
    {{"a lane leaves a story out"}, "leaves-one-out", "5 passed, 2 failed\n"},
    {{"the program lists no story"}, "lists-nothing", "0 passed, 2 failed\n"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(lanes)

BOOST_DATA_TEST_CASE(every_story_is_counted_once, data::make(kRuns), row)
{
    const support::Directory build;
    const std::filesystem::path program = build.write("story_tests", kStories);
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    const auto command =
        "cd '" + sources::directory().string()
        + "' && env -u DB_URL -u MYSQLD -u TEST_FIRST -u BOOST_TEST_LOG_LEVEL FAULT=" + row.fault
        + " TEST_LANES=yes MAILBOXD_BUILD='" + program.parent_path().string()
        + "' scripts/run-tests stories >'" + build.path("said") + "' 2>&1";
    BOOST_TEST(std::system(command.c_str()) != 0);
    BOOST_TEST(sources::contents(build.path("test-totals")) == row.totals,
               sources::contents(build.path("said")));
}

BOOST_AUTO_TEST_SUITE_END()
