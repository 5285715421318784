// exporter_test.cc - the answer to /metrics: its format, and that it has every metric from the
// start.

#include "mailboxd/exporter.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

// Two workers and what they count.
struct Service {
    db::Outage outage;
    std::atomic<std::uint64_t> version{0};
    std::unique_ptr<metrics::Block> first = std::make_unique<metrics::Block>();
    std::unique_ptr<metrics::Block> second = std::make_unique<metrics::Block>();
    worker::Status idle{};
    worker::Status starting{};

    Service() { idle.stage = worker::Stage::serving; }

    std::string text() const
    {
        using metrics::Pool;
        return exporter::text({.started_at = std::chrono::system_clock::from_time_t(1'700'000'000),
                               .outage = outage,
                               .version = version,
                               .blocks = {first.get(), second.get()},
                               .pools = {{Pool::read, -1, 4}, {Pool::write, -1, 5}},
                               .workers = {{Pool::read, &idle, first.get()},
                                           {Pool::write, &starting, second.get()}}});
    }
    bool says(const std::string& line) const
    {
        return ("\n" + text()).find("\nmailboxd_" + line + "\n") != std::string::npos;
    }
};

std::vector<std::string> lines(const std::string& text)
{
    std::istringstream stream{text};
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::string contents(const std::string& path)
{
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(exporter)

// Prometheus drops a scrape in which a sample comes twice.
BOOST_AUTO_TEST_CASE(help_and_type_precede_the_samples_and_no_sample_comes_twice)
{
    const Service service;
    const auto text = service.text();
    BOOST_TEST(text.ends_with("\n"));
    std::set<std::string> seen;
    std::string name;
    for (const auto& line : lines(text)) {
        if (line.starts_with("# HELP ")) {
            name = line.substr(7, line.find(' ', 7) - 7);
            BOOST_TEST(seen.insert(name + " HELP").second, line);
        } else if (line.starts_with("# TYPE ")) {
            BOOST_TEST(line.starts_with("# TYPE " + name + " "), line);
        } else {
            BOOST_TEST(line.starts_with(name), line);
            BOOST_TEST(seen.insert(line.substr(0, line.rfind(' '))).second, line);
        }
    }
}

BOOST_AUTO_TEST_CASE(every_label_is_there_from_the_start)
{
    const Service service;
    for (const auto operation : metrics::kOperations)
        BOOST_TEST(service.says("requests_total{operation=\"" + std::string{operation}
                                + "\",code=\"504\"} 0"),
                   operation);
    for (const char* line :
         {"commits_lost_total 0", "log_lines_total{severity=\"error\"} 0",
          "key_rejections_total{reason=\"scope\"} 0",
          "worker_exits_total{pool=\"write\",cause=\"deadline\"} 0",
          "database_errors_total{kind=\"give_up\"} 0", "password_hash_seconds_count 0",
          "workers{pool=\"read\",state=\"busy\"} 0", "database_up 1",
          "start_timestamp_seconds 1700000000", "workers_max{pool=\"write\"} 5"})
        BOOST_TEST(service.says(line), line);
}

BOOST_AUTO_TEST_CASE(the_blocks_are_added_up)
{
    const Service service;
    service.first->count_request(metrics::Operation::create, 409);
    service.second->count_request(metrics::Operation::create, 409);
    service.first->duration_of(metrics::Operation::create).observe(1ms);
    service.second->duration_of(metrics::Operation::create).observe(20s);
    BOOST_TEST(service.says("requests_total{operation=\"create\",code=\"409\"} 2"));
    const std::string bucket = "request_duration_seconds_bucket{operation=\"create\",le=\"";
    BOOST_TEST(service.says(bucket + "0.0005\"} 0"));
    BOOST_TEST(service.says(bucket + "0.001\"} 1"));
    BOOST_TEST(service.says(bucket + "10\"} 1"));
    BOOST_TEST(service.says(bucket + "+Inf\"} 2"));
    BOOST_TEST(service.says("request_duration_seconds_count{operation=\"create\"} 2"));
    BOOST_TEST(service.says("request_duration_seconds_sum{operation=\"create\"} 20.001000000"));
}

BOOST_AUTO_TEST_CASE(workers_are_counted_by_what_they_do)
{
    Service service;
    BOOST_TEST(service.says("workers{pool=\"read\",state=\"idle\"} 1"));
    BOOST_TEST(service.says("workers{pool=\"write\",state=\"starting\"} 1"));
    service.idle.busy_since = 1;
    BOOST_TEST(service.says("workers{pool=\"read\",state=\"idle\"} 0"));
    BOOST_TEST(service.says("workers{pool=\"read\",state=\"busy\"} 1"));
    for (const auto stage : {worker::Stage::dismissed, worker::Stage::ended}) {
        service.idle.stage = stage;
        BOOST_TEST(service.says("workers{pool=\"read\",state=\"busy\"} 0"));
    }
}

BOOST_AUTO_TEST_CASE(a_database_that_hangs_or_refuses_is_not_up)
{
    Service service;
    service.outage.begin();
    BOOST_TEST(service.says("database_up 0"));
    service.outage.end();
    BOOST_TEST(service.says("database_up 1"));
    service.outage.note_connect(false);
    BOOST_TEST(service.says("database_up 0"));
    service.outage.note_connect(true);
    BOOST_TEST(service.says("database_up 1"));
}

// While counts move, the sum would be wrong. If the master dies in the middle, the exporter still
// answers.
BOOST_AUTO_TEST_CASE(it_answers_although_counts_never_end_to_move)
{
    Service service;
    service.version = 1;
    BOOST_TEST(service.says("commits_lost_total 0"));
}

// Dashboards are written by that page.
BOOST_AUTO_TEST_CASE(the_page_has_each_metric)
{
    const auto page = contents("docs/metrics.md");
    BOOST_TEST_REQUIRE(!page.empty());
    constexpr std::string_view kPrefix = "# HELP mailboxd_";
    for (const auto& line : lines(Service{}.text())) {
        if (!line.starts_with(kPrefix)) continue;
        const auto name =
            line.substr(kPrefix.size(), line.find(' ', kPrefix.size()) - kPrefix.size());
        BOOST_TEST(page.find("`" + name + "`") != std::string::npos, name);
    }
}

BOOST_AUTO_TEST_SUITE_END()
