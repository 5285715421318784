// metrics_test.cc - what a process counts: buckets, statuses, sums.

#include "base/metrics.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <memory>
#include <string>

#include "base/log.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;

namespace {

struct Time : support::Row {
    std::chrono::nanoseconds time;
    std::size_t bucket;
};

const Time kTimes[] = {
    {"no time", 0ns, 0},
    {"a clock that was set back", -1ns, 0},
    {"a bound belongs to its bucket", 250us, 0},
    {"a nanosecond more is in the next one", 250us + 1ns, 1},
    {"the last bound", 10s, 14},
    {"longer than all bounds", 11s, 15},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_DATA_TEST_CASE(an_observation, data::make(kTimes), row)
{
    metrics::Histogram histogram;
    histogram.observe(row.time);
    for (std::size_t i = 0; i < histogram.buckets.size(); ++i)
        BOOST_TEST(histogram.buckets[i].value() == (i == row.bucket ? 1U : 0U), "bucket " << i);
    BOOST_TEST(histogram.nanoseconds.value()
               == static_cast<std::uint64_t>(std::max(row.time, 0ns).count()));
}

BOOST_AUTO_TEST_CASE(a_status_without_a_label_is_other)
{
    const auto block = std::make_unique<metrics::Block>();
    block->count_request(metrics::Operation::remove, 200);
    block->count_request(metrics::Operation::remove, 418);
    const auto& requests = block->requests[static_cast<std::size_t>(metrics::Operation::remove)];
    BOOST_TEST(requests.front().value() == 1U);
    BOOST_TEST(requests.back().value() == 1U);
}

BOOST_AUTO_TEST_CASE(blocks_are_added_and_cleared)
{
    const auto sum = std::make_unique<metrics::Block>();
    const auto one = std::make_unique<metrics::Block>();
    one->count_request(metrics::Operation::list, 200);
    one->duration_of(metrics::Operation::list).observe(3ms);
    one->database_wait_of(metrics::Pool::write).observe(1ms);
    one->password_hash.observe(20ms);
    one->of(metrics::Event::commit_lost).add(4);
    one->exits_of(metrics::Pool::write, metrics::Cause::fault).add();
    sum->add(*one);
    sum->add(*one);
    const auto check = [](const metrics::Block& block, std::uint64_t times) {
        BOOST_TEST(block.requests[0][0].value() == times);
        BOOST_TEST(block.request_duration[0].nanoseconds.value() == times * 3'000'000);
        BOOST_TEST(block.request_duration[0].buckets[4].value() == times);
        BOOST_TEST(block.database_wait[1].nanoseconds.value() == times * 1'000'000);
        BOOST_TEST(block.password_hash.nanoseconds.value() == times * 20'000'000);
        BOOST_TEST(block.events[static_cast<std::size_t>(metrics::Event::commit_lost)].value()
                   == times * 4);
        BOOST_TEST(block.worker_exits[1][3].value() == times);
    };
    check(*sum, 2);
    check(*one, 1);
    sum->clear();
    check(*sum, 0);
}

BOOST_AUTO_TEST_CASE(a_line_of_the_log_is_counted_by_its_severity)
{
    const support::Stderr standard_error;
    const auto block = std::make_unique<metrics::Block>();
    auto& before = metrics::own();
    metrics::use(*block);
    logging::info("event");
    logging::warning("event");
    logging::error("event");
    logging::error("event");
    metrics::use(before);
    logging::error("event");
    BOOST_TEST(block->of(metrics::Event::log_info).value() == 1U);
    BOOST_TEST(block->of(metrics::Event::log_warning).value() == 1U);
    BOOST_TEST(block->of(metrics::Event::log_error).value() == 2U);
}

BOOST_AUTO_TEST_SUITE_END()
