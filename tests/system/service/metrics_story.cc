// metrics_story.cc - /metrics counts what clients saw, over reloads and deaths, and answers while
// nobody else does.

#include "system/harness/story.h"

#include <algorithm>
#include <csignal>
#include <map>
#include <sstream>
#include <thread>

#include <boost/test/unit_test.hpp>

using process::eventually;

namespace {

using Samples = std::map<std::string, double>;  // by name and labels

struct Metrics : story::Breaking {
    std::string scrape() const
    {
        http::Connection connection{stack.directory() / "run" / "health.sock"};
        connection.send("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        return connection.receive_all();
    }

    Samples samples() const
    {
        const auto answer = scrape();
        BOOST_TEST_REQUIRE(answer.starts_with("HTTP/1.1 200 "), answer.substr(0, 300));
        std::istringstream lines{answer};
        Samples samples;
        for (std::string line; std::getline(lines, line);) {
            if (line.starts_with("mailboxd_"))
                samples[line.substr(0, line.rfind(' '))] = std::stod(line.substr(line.rfind(' ')));
        }
        return samples;
    }

    double sample(const std::string& name) const
    {
        const auto all = samples();
        BOOST_TEST_REQUIRE(all.contains(name), name);
        return all.at(name);
    }

    // All requests that were answered, or that only one operation has.
    static double requests(const Samples& samples, const std::string& part = "")
    {
        double sum = 0;
        for (const auto& [name, value] : samples) {
            if (name.starts_with("mailboxd_requests_total{") && story::has(name, part))
                sum += value;
        }
        return sum;
    }

    static double difference(const Samples& after, const Samples& before, const std::string& part)
    {
        return requests(after, part) - requests(before, part);
    }
};

// Returns the process that answers /metrics.
pid_t exporter_of(const stack::Stack& stack)
{
    for (const auto pid : process::children(stack.master()))
        if (process::name(pid) == "mailboxd-export") return pid;
    return 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(metrics)

BOOST_FIXTURE_TEST_CASE(they_are_prometheus_text, Metrics)
{
    const auto answer = scrape();
    BOOST_TEST(answer.starts_with("HTTP/1.1 200 "), answer.substr(0, 300));
    BOOST_TEST(story::has(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
               answer.substr(0, 300));
    BOOST_TEST(story::has(answer, "\n# TYPE mailboxd_requests_total counter\n"));
    BOOST_TEST(sample("mailboxd_workers_max{pool=\"write\"}") == 3.0);
    BOOST_TEST(sample("mailboxd_listen_backlog_max{pool=\"read\"}") > 0.0);
    BOOST_TEST(!stack.setting("METRICS_URL").empty());
}

BOOST_FIXTURE_TEST_CASE(each_answer_is_counted_by_operation_and_status, Metrics)
{
    const auto who = tenant();
    const auto before = samples();
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(create(who, "alice").status == 409);
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(change(who, "alice", story::kPassword).status == 200);
    BOOST_TEST(remove(who, "nobody").status == 404);
    BOOST_TEST(call(who.key, "GET", "/v3/domains").status == 200);
    BOOST_TEST(call("key-unknown", "GET", who.mailboxes()).status == 401);
    const auto has_counted = [&] {
        const auto after = samples();
        return difference(after, before, "\"create\",code=\"200\"") == 1
               && difference(after, before, "\"create\",code=\"409\"") == 1
               && difference(after, before, "\"list\",code=\"200\"") == 2
               && difference(after, before, "\"list\",code=\"401\"") == 1
               && difference(after, before, "\"change\",code=\"200\"") == 1
               && difference(after, before, "\"delete\",code=\"404\"") == 1
               && difference(after, before, "\"domains\",code=\"200\"") == 1
               && difference(after, before, "") == 8;
    };
    BOOST_TEST(eventually(has_counted), scrape());
    const auto after = samples();
    const auto grown = [&](const std::string& name) { return after.at(name) - before.at(name); };
    BOOST_TEST(grown("mailboxd_page_lookups_total") == 2.0);
    BOOST_TEST(grown("mailboxd_page_hits_total") <= 1.0);
    BOOST_TEST(grown("mailboxd_password_hash_seconds_count") == 2.0);
    BOOST_TEST(grown("mailboxd_key_rejections_total{reason=\"unknown\"}") == 1.0);
    BOOST_TEST(grown("mailboxd_request_duration_seconds_count{operation=\"create\"}") == 2.0);
    BOOST_TEST(grown("mailboxd_database_wait_seconds_count{pool=\"write\"}") == 4.0);
}

// Each worker that dies takes at most the request with it that it was serving. The master counts
// that one as 502, which is what nginx answers.
BOOST_FIXTURE_TEST_CASE(nothing_is_lost_over_reloads_and_deaths, Metrics)
{
    constexpr int kClients = 4;
    constexpr int kRequests = 500;  // of each
    const auto who = tenant();
    const auto before = samples();
    std::array<std::map<int, int>, kClients> seen;
    std::vector<std::thread> clients;
    for (auto& statuses : seen) {
        clients.emplace_back([&] {
            for (int i = 0; i < kRequests; ++i) ++statuses[list(who).status];
        });
    }
    for (int round = 0; round < 2; ++round) {
        const auto victim = stack.serving_workers().front();
        ::kill(victim, SIGKILL);
        BOOST_TEST(eventually([&] { return !process::is_alive(victim); }));
        reconfigure({{"max_limit", std::to_string(500 + round)}});
    }
    for (auto& client : clients) client.join();
    std::map<int, int> total;
    for (const auto& statuses : seen)
        for (const auto& [status, count] : statuses) total[status] += count;
    const auto is_equal = [&] {
        const auto after = samples();
        return std::all_of(total.begin(), total.end(), [&](const auto& entry) {
            return difference(after, before,
                              "\"list\",code=\"" + std::to_string(entry.first) + "\"")
                   == entry.second;
        });
    };
    BOOST_TEST(eventually(is_equal), scrape());
    const auto after = samples();
    const auto reloads = std::string{"mailboxd_config_reloads_total"};
    BOOST_TEST(after.at(reloads) - before.at(reloads) == 2.0);
    double exits = 0;
    for (const auto& [name, value] : after)
        if (name.starts_with("mailboxd_worker_exits_total{")) exits += value - before.at(name);
    BOOST_TEST(exits == 2.0 + 2.0 * kWorkers);
}

BOOST_FIXTURE_TEST_CASE(it_answers_while_all_workers_wait, Metrics)
{
    const auto who = tenant();
    Hold hold{*this, who};
    std::vector<std::future<http::Answer>> changes;
    for (int i = 0; i < 2; ++i) changes.push_back(start_change(who, "a" + std::to_string(i)));
    hold.await(2);
    BOOST_TEST(sample("mailboxd_workers{pool=\"write\",state=\"busy\"}") == 2.0);
    hold.release();
    for (auto& each : changes)
        BOOST_TEST(answers::text(each.get()) == "200 {\"message\":\"Created 1 mailboxes\"}\n");
    BOOST_TEST(
        eventually([&] { return sample("mailboxd_workers{pool=\"write\",state=\"busy\"}") == 0; }));
}

BOOST_FIXTURE_TEST_CASE(it_says_that_the_database_is_away, Metrics)
{
    const auto who = tenant();
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(sample("mailboxd_database_up") == 1.0);
    {
        const process::Stopped stopped{{stack.part("mariadb")}};
        BOOST_TEST(list(who).status == 503);
        BOOST_TEST(eventually([&] { return sample("mailboxd_database_up") == 0.0; }));
    }
    BOOST_TEST(eventually([&] { return list(who).status == 200; }));
    BOOST_TEST(eventually([&] { return sample("mailboxd_database_up") == 1.0; }));
}

BOOST_FIXTURE_TEST_CASE(the_exporter_is_replaced_when_it_dies, Metrics)
{
    const auto victim = exporter_of(stack);
    BOOST_TEST_REQUIRE(victim != 0);
    const auto before = requests(samples());
    ::kill(victim, SIGKILL);
    BOOST_TEST(eventually([&] {
        const auto now = exporter_of(stack);
        return now != 0 && now != victim;
    }));
    BOOST_TEST(requests(samples()) >= before);
}

BOOST_FIXTURE_TEST_CASE(other_paths_and_methods_are_refused, Metrics)
{
    for (const auto& [request, status] :
         {std::pair<std::string, std::string>{"POST /metrics", "405"},
          {"GET /other", "404"},
          {"HEAD /metrics", "200"}}) {
        http::Connection connection{stack.directory() / "run" / "metrics.sock"};
        connection.send(request
                        + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        const auto answer = connection.receive_all();
        BOOST_TEST(answer.starts_with("HTTP/1.1 " + status + " "),
                   request << ": " << answer.substr(0, 200));
    }
}

BOOST_FIXTURE_TEST_CASE(mailboxctl_shows_what_the_workers_do, Metrics)
{
    const auto who = tenant();
    BOOST_TEST(list(who).status == 200);
    Hold hold{*this, who};
    std::vector<std::future<http::Answer>> changes;
    for (int i = 0; i < 2; ++i) changes.push_back(start_change(who, "a" + std::to_string(i)));
    hold.await(2);
    {
        const process::Stopped stopped{{stack.part("mariadb")}};
        const auto shown = stack.mailboxctl({"status"});
        BOOST_TEST(shown.exit == 0, shown.err);
        for (const char* part :
             {"mailboxd ", "all ", "list ", " write  busy ", " create ", " read   idle "})
            BOOST_TEST(story::has(shown.out, part), part << " in\n" << shown.out);
        const auto printed = stack.mailboxctl({"status", "--json"});
        BOOST_TEST(printed.exit == 0);
        BOOST_TEST(printed.out.starts_with("{\"version\":"), printed.out);
        BOOST_TEST(story::has(printed.out, "\"operation\":\"create\""), printed.out);
        for (const auto worker : stack.workers())
            BOOST_TEST(story::has(printed.out, "{\"pid\":" + std::to_string(worker) + ","),
                       printed.out);
    }
    hold.release();
    for (auto& each : changes) BOOST_TEST(each.get().status == 200);
}

BOOST_FIXTURE_TEST_CASE(mailboxctl_says_that_the_service_is_away, Metrics)
{
    ::kill(stack.master(), SIGTERM);
    BOOST_TEST(eventually([&] { return !process::is_alive(stack.master()); }));
    BOOST_TEST(story::is_sentence(stack.mailboxctl({"status"}), 1,
                                  {"is mailboxd running", "metrics_socket"}));
}

BOOST_AUTO_TEST_SUITE_END()
