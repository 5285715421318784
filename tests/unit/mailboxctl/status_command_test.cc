// status_command_test.cc - what `mailboxctl status` makes of the service's answer: rates between
// two answers, and a screen of 80 columns.

#include "mailboxctl/status_command.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <sstream>
#include <string>

#include "base/metrics.h"

using namespace std::chrono_literals;

namespace {

using status_command::Status;

std::vector<std::int64_t> buckets(std::size_t index, std::int64_t count)
{
    std::vector<std::int64_t> buckets(metrics::kBounds.size() + 1);
    buckets.at(index) = count;
    return buckets;
}

Status status()
{
    Status status{.version = "0.1.0", .started_at = 1000};
    status.operations = {{.name = "list", .requests = 100, .buckets = buckets(2, 100)},
                         {.name = "create", .requests = 0, .buckets = buckets(2, 0)}};
    return status;
}

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(status_command)

BOOST_AUTO_TEST_CASE(an_answer_that_is_something_else)
{
    for (const char* text : {"", "Not found", "[]", "{}", R"({"workers":[]})"})
        BOOST_TEST(!status_command::parse(text), text);
}

BOOST_AUTO_TEST_CASE(an_answer_is_read)
{
    const auto parsed = status_command::parse(
        R"({"version":"1","started_at":5,"database_up":false,"waiting":2,)"
        R"("queues":[{"account":3,"changes":2,"hashes":7}],)"
        R"("workers":[{"pid":9,"pool":"read","state":"busy","age_ms":1500,"requests":4,"operation":"list","busy_ms":30}],)"
        R"("operations":[{"operation":"list","requests":6,"server_errors":1,"buckets":[1,2,3]}]})");
    BOOST_TEST_REQUIRE(parsed.has_value());
    BOOST_TEST(!parsed->database_is_up);
    BOOST_TEST(parsed->started_at == 5);
    BOOST_TEST_REQUIRE(parsed->queues.size() == 1U);
    BOOST_TEST(parsed->queues[0].hashes == 7);
    BOOST_TEST_REQUIRE(parsed->workers.size() == 1U);
    BOOST_TEST(parsed->workers[0].operation == "list");
    BOOST_TEST_REQUIRE(parsed->operations.size() == 1U);
    BOOST_TEST(parsed->operations[0].buckets.size() == 3U);
}

BOOST_AUTO_TEST_CASE(rates_between_two_answers)
{
    const auto before = status();
    auto now = status();
    now.operations[0].requests += 50;
    now.operations[0].server_errors += 5;
    now.operations[0].buckets[2] += 50;
    const auto rates = status_command::rates(&before, now, 10s);
    BOOST_TEST_REQUIRE(rates.size() == 2U);  // nothing was created
    BOOST_TEST(rates[0].operation == "all");
    BOOST_TEST(rates[0].per_second == 5.0);
    BOOST_TEST(rates[1].operation == "list");
    BOOST_TEST(rates[1].server_errors_per_second == 0.5);
    // Half of the requests of the bucket from 0.5 to 1 ms.
    BOOST_TEST(rates[1].p50.value() == 0.00075, boost::test_tools::tolerance(1e-9));
    BOOST_TEST(rates[1].p99.value() < 0.001);
}

BOOST_AUTO_TEST_CASE(after_a_restart_the_counts_begin_anew)
{
    const auto before = status();
    auto now = status();
    now.started_at = 2000;
    now.operations[0].requests = 7;
    now.operations[0].buckets = buckets(0, 7);
    BOOST_TEST(status_command::rates(&before, now, 1s)[0].per_second == 7.0);
}

BOOST_AUTO_TEST_CASE(above_the_last_bound_no_time_is_known)
{
    auto now = status();
    now.operations[0].buckets = buckets(metrics::kBounds.size(), 100);
    const auto rates = status_command::rates(nullptr, now, 1s);
    BOOST_TEST(!rates[0].p50.has_value());
    BOOST_TEST(has(status_command::screen(now, rates, 1001), " >10000 "));
}

BOOST_AUTO_TEST_CASE(the_screen_has_80_columns)
{
    auto now = status();
    now.database_is_up = false;
    now.waiting = 1'000'000;
    now.queues = {{4'294'967'295, 999'999, 9'999'999}, {0, 1, 1}, {7, 1, 1}, {8, 1, 1}};
    now.workers = {{4'194'304, "write", "starting", 86'400'000LL * 400, 0},
                   {17, "read", "busy", 3'700'000, 1'234'567'890, "accounts", 12'345}};
    const auto screen =
        status_command::screen(now, status_command::rates(nullptr, now, 1s), 90'000);
    std::istringstream lines{screen};
    for (std::string line; std::getline(lines, line);) BOOST_TEST(line.size() <= 80U, line);
    for (const char* part : {"up 1d0h", "DATABASE AWAY", "accounts 12.3 s", "1h1m", "400d0h"})
        BOOST_TEST(has(screen, part), part << " in\n" << screen);
}

BOOST_AUTO_TEST_SUITE_END()
