// cluster.cc - prints figures about a cluster of three database nodes whose writer is killed and
// hung under load, at Galera's default time limits: what was acknowledged and lost, which refusals
// were not true, and how long no one got a good answer.
//
// Environment: KILLS and HANGS, how many of each (5).

#define BOOST_TEST_MODULE figures
#include <boost/test/unit_test.hpp>

#include "figures/figures.h"
#include "system/harness/answers.h"
#include "system/harness/story.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using figures::Clock;
using namespace std::chrono_literals;

namespace {

int number_of(const char* name)
{
    constexpr int kUsual = 5;
    const char* value = std::getenv(name);
    return value == nullptr || *value == 0 ? kUsual : std::atoi(value);
}

// What all clients got, and when the good answers came.
class Record {
public:
    void note(const std::string& what, int status)
    {
        const std::lock_guard lock{mutex_};
        ++counts_[what + " " + std::to_string(status)];
        if (status == 200) good_[what].push_back(Clock::now());
    }
    void note_stale(int missing)
    {
        const std::lock_guard lock{mutex_};
        ++counts_["stale lists"];
        most_missing_ = std::max(most_missing_, missing);
    }
    // Returns the longest time since `begin` without a good answer.
    double longest_gap(const std::string& what, Clock::time_point begin)
    {
        const std::lock_guard lock{mutex_};
        Clock::duration longest{};
        auto last = begin;
        for (const auto at : good_[what]) {
            if (at < begin) continue;
            longest = std::max(longest, at - last);
            last = at;
        }
        return std::chrono::duration<double>(std::max(longest, Clock::now() - last)).count();
    }
    std::map<std::string, int> counts()
    {
        const std::lock_guard lock{mutex_};
        return counts_;
    }

private:
    std::mutex mutex_;
    std::map<std::string, int> counts_;
    std::map<std::string, std::vector<Clock::time_point>> good_;
    int most_missing_ = 0;
};

// A client that creates mailboxes in a domain of its own, and lists them after each.
struct Client {
    story::Tenant who;
    std::map<std::string, int> answers{};  // of each name's POST
    int acknowledged = 0;

    void work(const http::Server& server, Record& record, const std::atomic<bool>& is_over)
    {
        const http::Fields headers{{"Authorization", http::basic(who.key)}};
        const auto ask = [&](const http::Request& request) -> http::Answer {
            try {
                return server.send(request);
            } catch (const std::exception&) {
                return {};
            }
        };
        for (int i = 0; !is_over; ++i) {
            const auto name = "m" + std::to_string(i);
            const auto made =
                ask({"POST", who.mailboxes(), headers,
                     http::form({{"mailbox", name}, {"password", std::string{story::kPassword}}})});
            answers[name] = made.status;
            record.note("POST", made.status);
            acknowledged += made.status == 200 ? 1 : 0;
            const auto listed = ask({"GET", who.mailboxes() + "?limit=1", headers, {}});
            record.note("GET", listed.status);
            if (listed.status == 200) {
                const auto total = answers::page(listed).total_count;
                if (total < acknowledged) record.note_stale(acknowledged - static_cast<int>(total));
            }
        }
    }
};

struct Cluster {
    stack::Stack stack{process::Arguments{"--cluster", "3", "--no-mail"}};

    std::string tell(const std::string& command, const std::string& node,
                     const std::string& statement = "") const
    {
        process::Arguments arguments{stack.setting("GALERA"), stack.setting("GALERA_DIR"), command,
                                     node};
        if (!statement.empty()) arguments.push_back(statement);
        const auto told = process::run(arguments);
        BOOST_TEST_REQUIRE(told.exit == 0, command << " of n" << node << ": " << told.err);
        return told.out;
    }
    bool is_whole() const
    {
        const auto status =
            process::run({stack.setting("GALERA"), stack.setting("GALERA_DIR"), "status"}).out;
        std::size_t synced = 0;
        for (auto at = status.find(": 3 Primary Synced ON"); at != std::string::npos;
             at = status.find(": 3 Primary Synced ON", at + 1))
            ++synced;
        return synced == 3;
    }
    // Asks HAProxy, whose table names the writer.
    std::string writer() const
    {
        const auto ended = process::run({"socat", "-", stack.setting("HAPROXY_STATS")},
                                        {.input = "show table writer\n"});
        const auto at = ended.out.find("server_key=n");
        BOOST_TEST_REQUIRE(at != std::string::npos, ended.out << ended.err);
        return ended.out.substr(at + 12, 1);
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_writer_is_lost_under_load, Cluster)
{
    constexpr int kClients = 4;
    std::vector<Client> clients;
    for (int i = 0; i < kClients; ++i) clients.push_back({story::add_tenant(stack)});
    Record record;
    std::atomic<bool> is_over = false;
    std::vector<std::jthread> threads;
    for (auto& client : clients)
        threads.emplace_back([&] { client.work(stack.server(), record, is_over); });
    std::this_thread::sleep_for(3s);
    const auto event = [&](const std::string& name, const std::string& command) {
        const auto node = writer();
        const auto begin = Clock::now();
        tell(command, node);
        std::this_thread::sleep_for(15s);
        tell(command == "kill" ? "start" : "resume", node);
        if (!process::eventually([&] { return is_whole(); }, 60s, 500ms)) {
            // A node that hung may have ended itself.
            process::run({stack.setting("GALERA"), stack.setting("GALERA_DIR"), "start", node});
            BOOST_TEST_REQUIRE(is_whole());
        }
        std::cout << name << " of n" << node << ": longest gap " << std::fixed
                  << std::setprecision(1) << record.longest_gap("POST", begin) << " s for POST, "
                  << record.longest_gap("GET", begin) << " s for GET" << std::endl;
    };
    for (int i = 0; i < number_of("KILLS"); ++i) event("kill", "kill");
    for (int i = 0; i < number_of("HANGS"); ++i) event("hang", "pause");
    is_over = true;
    threads.clear();

    std::map<std::string, int> wrong;
    for (const auto& client : clients) {
        std::vector<std::set<std::string>> found;
        for (const auto* node : {"1", "2", "3"}) {
            const auto out =
                tell("sql", node,
                     "SET SESSION wsrep_sync_wait = 15; SELECT m.local_part FROM "
                         + stack.setting("DB_NAME") + ".mailbox m JOIN " + stack.setting("DB_NAME")
                         + ".domain d ON d.id = m.domain_id WHERE d.name = "
                         + stack::quote(client.who.domain));
            std::istringstream lines{out};
            auto& names = found.emplace_back();
            for (std::string line; std::getline(lines, line);) names.insert(line);
        }
        if (found[0] != found[1] || found[1] != found[2]) ++wrong["nodes differ"];
        for (const auto& [name, status] : client.answers) {
            const bool is_there = found[0].contains(name);
            if (status == 200 && !is_there) ++wrong["acknowledged and lost"];
            if (status == 503 && is_there) ++wrong["503, but done"];
            if (status == 409) ++wrong["refused, but new"];
        }
    }
    for (const auto& [what, count] : record.counts()) std::cout << what << ": " << count << "\n";
    for (const auto& [what, count] : wrong) std::cout << "WRONG " << what << ": " << count << "\n";
    BOOST_TEST(wrong.empty());
}
