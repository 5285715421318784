// pool_story.cc - the master and its workers: a worker that dies is replaced, and running requests
// are answered.

#include "system/harness/story.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

#include <boost/test/unit_test.hpp>
#include <sys/stat.h>

using answers::is_refused;
using answers::text;
using process::eventually;
using process::is_alive;
using story::shows;

namespace {

constexpr char kCreated[] = "200 {\"message\":\"Created 1 mailboxes\"}\n";

// Returns the words after a name in /proc/PID/status.
std::vector<std::string> status_of(pid_t pid, const std::string& name)
{
    std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
    std::vector<std::string> words;
    for (std::string line; std::getline(status, line);) {
        if (!line.starts_with(name + ":")) {
            continue;
        }
        std::istringstream rest{line.substr(name.size() + 1)};
        for (std::string word; rest >> word;) {
            words.push_back(word);
        }
    }
    return words;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pool)

BOOST_FIXTURE_TEST_CASE(its_sockets_are_for_nginx_only, story::Breaking)
{
    for (const char* name : {"FASTCGI_SOCKET", "FASTCGI_WRITE_SOCKET"}) {
        struct stat status {};
        BOOST_TEST_REQUIRE(::stat(stack.setting(name).c_str(), &status) == 0);
        BOOST_TEST(S_ISSOCK(status.st_mode));
        BOOST_TEST((status.st_mode & 0777U) == 0660U);
    }
}

// If root starts the service, its rights end before the first request.
BOOST_FIXTURE_TEST_CASE(no_process_of_it_is_root, story::Breaking)
{
    auto processes = stack.workers();
    processes.push_back(stack.master());
    for (const auto pid : processes) {
        for (const char* name : {"Uid", "Gid", "Groups"}) {
            const auto ids = status_of(pid, name);
            BOOST_TEST((!ids.empty() || name == std::string{"Groups"}));
            BOOST_TEST(std::count(ids.begin(), ids.end(), "0") == 0, name << " of " << pid);
        }
        for (const char* name : {"CapPrm", "CapEff"}) {
            const auto rights = status_of(pid, name);
            BOOST_TEST_REQUIRE(rights.size() == 1U);
            BOOST_TEST(rights[0] == "0000000000000000");
        }
    }
}

BOOST_FIXTURE_TEST_CASE(a_killed_worker_is_replaced, story::Breaking)
{
    const auto who = tenant();
    const auto mark = log.mark();
    const auto victim = stack.workers().front();
    ::kill(victim, SIGKILL);
    BOOST_TEST(stack.await_workers({victim}));
    BOOST_TEST(
        !log.expect(mark, {"warning worker-exit", "pid=" + std::to_string(victim), "SIGKILL"})
             .empty());
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(text(create(who, "alice")) == kCreated);
}

BOOST_FIXTURE_TEST_CASE(all_workers_killed_are_replaced, story::Breaking)
{
    const auto who = tenant();
    const auto mark = log.mark();
    const auto victims = stack.workers();
    BOOST_TEST(victims.size() == kWorkers);
    for (const auto pid : victims) {
        ::kill(pid, SIGKILL);
    }
    // The master holds the sockets, so a request that comes now waits for a worker and is answered.
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(text(create(who, "alice")) == kCreated);
    BOOST_TEST(stack.await_workers(victims));
    for (const auto pid : victims) {
        BOOST_TEST(
            !log.expect(mark, {"warning worker-exit", "pid=" + std::to_string(pid)}).empty());
    }
}

BOOST_FIXTURE_TEST_CASE(a_worker_killed_in_mid_request_leaves_nothing_half_done, story::Breaking,
                        *shows("answers: those that nginx makes itself"))
{
    const auto who = tenant();
    const auto before = snapshot();
    Hold hold{*this, who};
    auto answer = start_change(who, "alice");
    hold.await(1);
    for (const auto pid : stack.workers()) {
        ::kill(pid, SIGKILL);
    }
    BOOST_TEST(is_refused(answer.get(), 502, {"no_answer", "may or may not"}));
    hold.release();
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(text(create(who, "alice")) == kCreated);
}

// Each replacement is killed while it waits for a database that does not answer.
BOOST_FIXTURE_TEST_CASE(a_worker_that_cannot_start_is_tried_less_and_less_often, story::Breaking)
{
    reconfigure({{"db_connect_timeout", "60"}});
    const auto mark = log.mark();
    const auto ends = [&] {
        std::vector<std::string> lines;
        for (const auto& line : log.lines_since(mark)) {
            if (line.starts_with("warning worker-exit "))
                lines.push_back(line.substr(line.rfind(' ') + 1));
        }
        return lines;
    };
    {
        const process::Stopped stopped{{stack.part("mariadb")}};
        ::kill(stack.workers().front(), SIGKILL);
        BOOST_TEST(eventually([&] {
            const auto serving = stack.serving_workers();
            for (const auto pid : stack.workers()) {
                if (std::find(serving.begin(), serving.end(), pid) == serving.end())
                    ::kill(pid, SIGKILL);
            }
            return ends().size() >= 5;
        }));
    }
    const auto all = ends();
    BOOST_TEST_REQUIRE(all.size() >= 5U);
    const std::vector<std::string> expected{"respawn=0ms", "respawn=100ms", "respawn=200ms",
                                            "respawn=400ms", "respawn=800ms"};
    BOOST_TEST(std::vector(all.begin(), all.begin() + 5) == expected,
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(without_their_master_workers_end, story::Breaking)
{
    const auto who = tenant();
    const auto workers = stack.workers();
    const auto master = stack.master();
    Hold hold{*this, who};
    auto answer = start_change(who, "alice");
    hold.await(1);
    ::kill(master, SIGKILL);
    // All workers end, the busy one after its request.
    BOOST_TEST(
        eventually([&] { return std::count_if(workers.begin(), workers.end(), is_alive) == 1; }));
    hold.release();
    BOOST_TEST(text(answer.get()) == kCreated);
    BOOST_TEST(eventually([&] { return std::none_of(workers.begin(), workers.end(), is_alive); }));
    BOOST_TEST(is_refused(list(who), 503, {"unavailable"}));
}

BOOST_FIXTURE_TEST_CASE(running_requests_are_answered_before_the_stop, story::Breaking)
{
    for (const int signal : {SIGTERM, SIGINT}) {
        stack.up();
        BOOST_TEST_CONTEXT("signal " << signal)
        {
            const auto who = tenant();
            const auto mark = log.mark();
            const auto workers = stack.workers();
            Hold hold{*this, who};
            auto answer = start_change(who, "alice");
            hold.await(1);
            ::kill(stack.master(), signal);
            BOOST_TEST(!log.expect(mark, {"stop"}).empty());
            BOOST_TEST(is_alive(stack.master()));
            hold.release();
            BOOST_TEST(text(answer.get()) == kCreated);
            BOOST_TEST(eventually([&] { return !is_alive(stack.master()); }));
            BOOST_TEST(std::none_of(workers.begin(), workers.end(), is_alive));
            BOOST_TEST(is_refused(list(who), 503, {"unavailable"}));
        }
    }
}

BOOST_FIXTURE_TEST_CASE(an_idle_service_stops_at_once, story::Breaking)
{
    const auto mark = log.mark();
    const auto workers = stack.workers();
    ::kill(stack.master(), SIGTERM);
    BOOST_TEST(eventually([&] { return !is_alive(stack.master()); },
                          std::chrono::seconds{20}));  // stop_grace is 35 s
    BOOST_TEST(std::none_of(workers.begin(), workers.end(), is_alive));
    BOOST_TEST(!log.expect(mark, {"stop"}).empty());
    for (const auto& line : log.lines_since(mark)) {
        BOOST_TEST(!line.starts_with("warning"), line);
        BOOST_TEST(!line.starts_with("error"), line);
    }
}

BOOST_FIXTURE_TEST_CASE(a_signal_to_a_worker_ends_that_one_only, story::Breaking)
{
    const auto who = tenant();
    // Signals of faults are no exception: the sanitizers would report them.
    for (const int signal : {SIGTERM, SIGXCPU}) {
        const auto victim = stack.workers().front();
        ::kill(victim, signal);
        BOOST_TEST(stack.await_workers({victim}));
        BOOST_TEST(list(who).status == 200);
    }
}

// Lists have workers of their own.
BOOST_FIXTURE_TEST_CASE(lists_do_not_wait_behind_changes, story::Breaking)
{
    const auto who = tenant();
    Hold hold{*this, who};
    std::vector<std::future<http::Answer>> changes;
    for (const char* name : {"a", "b", "c", "d"}) {
        changes.push_back(start_change(who, name));
    }
    hold.await(2);
    BOOST_TEST(answers::page(list(who)).total_count == 0);
    hold.release();
    for (auto& change : changes) {
        BOOST_TEST(text(change.get()) == kCreated);
    }
}

BOOST_FIXTURE_TEST_CASE(a_client_that_hangs_up_is_served_all_the_same, story::Breaking)
{
    const auto who = tenant();
    Hold hold{*this, who};
    {
        http::Connection connection{stack.server().port()};
        connection.send(
            http::Request{"POST",
                          who.mailboxes(),
                          {{"Authorization", http::basic(who.key)}},
                          http::form({{"mailbox", "alice"}, {"password", "Wonderland"}})}
                .bytes());
        hold.await(1);
    }
    const auto workers = stack.workers();
    hold.release();
    BOOST_TEST(eventually([&] { return answers::page(list(who)).total_count == 1; }));
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(more_requests_than_may_wait, story::Breaking,
                        *shows("status: 503 more requests wait than the bound allows"))
{
    constexpr std::size_t kBound = 512;
    constexpr std::size_t kMore = 40;
    const auto who = tenant();
    reconfigure({{"backlog", std::to_string(kBound)}});
    const auto bytes = http::Request{
        "GET",
        who.mailboxes(),
        {{"Authorization", http::basic(who.key)}},
        {}}.bytes();
    http::Connections waiting;
    {
        const process::Stopped stopped{stack.workers()};
        waiting = http::open_many(stack.server().port(), kBound + kMore, bytes);
        BOOST_TEST(eventually([&] { return http::are_taken(waiting); }));
    }
    // nginx decides which requests came first, so only their number is known.
    std::size_t refused = 0;
    for (const auto& connection : waiting) {
        const auto answer = connection->receive();
        if (answer.status == 503) {
            ++refused;
            BOOST_TEST(is_refused(answer, 503, {"unavailable: Temporarily unavailable"}));
            BOOST_TEST(!answer.header("Retry-After").empty());
        } else {
            BOOST_TEST(answer.status == 200);
        }
    }
    BOOST_TEST(refused > 0U);
    BOOST_TEST(refused <= kMore);
}

BOOST_AUTO_TEST_SUITE_END()
