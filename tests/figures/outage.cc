// outage.cc - prints figures about outages and attacks: the database is away under load, someone
// tries wrong keys, many connections are idle or slow. It asserts nothing about time.

#define BOOST_TEST_MODULE figures
#include <boost/test/unit_test.hpp>

#include "figures/figures.h"
#include "mail/api_key.h"
#include "system/harness/story.h"

#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <thread>

#include <sodium.h>

using figures::Clock;
using figures::percentile;
using figures::print;
using figures::since;
using figures::text;
using namespace std::chrono_literals;

namespace {

// The default stack, with four workers in each pool.
struct Bad : story::Story {
    Bad() : Story{stack::shared()}
    {
        stack.up();
        who = tenant();
        BOOST_TEST_REQUIRE(call(who.key, "POST", who.mailboxes(), story::hundred("user")).status
                           == 200);
    }
    void teardown() const { check_counters(); }  // the log has errors, as expected

    http::Request listing(const std::string& key) const
    {
        return {"GET", who.mailboxes(), {{"Authorization", http::basic(key)}}, {}};
    }
    http::Request changing() const
    {
        return {"PUT",
                who.mailbox("user1"),
                {{"Authorization", http::basic(who.key)}},
                http::form({{"password", story::kPassword}})};
    }

    story::Tenant who;
};

struct Asked {
    Clock::time_point begin;
    Clock::time_point end;
    int status;
    double seconds() const { return std::chrono::duration<double>(end - begin).count(); }
};

Asked ask(const http::Server& server, const http::Request& request)
{
    const auto begin = Clock::now();
    const auto status = server.send(request).status;
    return {begin, Clock::now(), status};
}

// Clients that send one request after another while this object exists. After a refusal a client
// waits for a moment.
class Load {
public:
    Load(const Bad& story, int lists, int changes)
    {
        for (int i = 0; i < lists + changes; ++i) {
            clients_.emplace_back(
                [this, server = story.stack.server(),
                 request = i < lists ? story.listing(story.who.key) : story.changing()] {
                while (!is_over_) {
                    const auto asked = ask(server, request);
                    {
                        const std::lock_guard lock{mutex_};
                        all_.push_back(asked);
                    }
                    if (asked.status != 200) {
                        std::this_thread::sleep_for(10ms);
                    }
                }
            });
        }
    }
    ~Load() { end(); }
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    std::vector<Asked> end()
    {
        is_over_ = true;
        for (auto& client : clients_) {
            client.join();
        }
        clients_.clear();
        return std::move(all_);
    }

private:
    std::vector<std::thread> clients_;
    std::mutex mutex_;
    std::vector<Asked> all_;
    std::atomic<bool> is_over_ = false;
};

bool listens(const std::string& path)
{
    try {
        const http::Connection connection{path};
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

std::string by_status(const std::map<int, int>& counts)
{
    std::string all;
    for (const auto& [status, count] : counts) {
        all += (all.empty() ? "" : ", ") + std::to_string(count) + " of " + std::to_string(status);
    }
    return all;
}

std::string milliseconds(double seconds)
{
    return text(seconds * 1000, " ms", seconds < 0.01 ? 1 : 0);
}

// Prints the outcomes of the requests that ran or began between the two times, and of the first
// ones after.
void print_outage(const std::vector<Asked>& all, Clock::time_point away, Clock::time_point back)
{
    std::map<int, int> counts;
    Clock::time_point first_refused = back;
    for (const auto& asked : all) {
        if (asked.end >= away && asked.begin < back) {
            ++counts[asked.status];
        }
        if (asked.status == 503 && asked.end >= away) {
            first_refused = std::min(first_refused, asked.end);
        }
    }
    print("answers meanwhile", by_status(counts));
    double longest = 0;
    double longest_known = 0;
    double first_after = 1e9;
    for (const auto& asked : all) {
        if (asked.status == 503) {
            longest = std::max(longest, asked.seconds());
            if (asked.begin > first_refused) {
                longest_known = std::max(longest_known, asked.seconds());
            }
        }
        if (asked.status == 200 && asked.end > back) {
            first_after =
                std::min(first_after, std::chrono::duration<double>(asked.end - back).count());
        }
    }
    print("longest time to a 503", milliseconds(longest));
    print("of those that were asked after the first had been answered",
          milliseconds(longest_known));
    print("from its return to the first 200", milliseconds(first_after));
}

constexpr auto kAway = 10s;

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_database_is_stopped, Bad)
{
    const auto database = stack.part("mariadb");
    const auto socket = stack.setting("DB_SOCKET");
    const auto workers = stack.workers();
    Load load{*this, 12, 4};
    std::this_thread::sleep_for(2s);
    const auto away = Clock::now();
    ::kill(database, SIGTERM);
    std::this_thread::sleep_for(kAway);
    std::thread starts{[this] { stack.up(); }};
    while (!listens(socket)) {
        std::this_thread::sleep_for(1ms);
    }
    const auto back = Clock::now();
    starts.join();
    std::this_thread::sleep_for(2s);
    std::cout << "The database is stopped for " << kAway.count()
              << " s, and whoever wants to connect is refused; 12 clients list, 4 change:\n";
    print_outage(load.end(), away, back);
    print("workers that were replaced", stack.workers() == workers ? "none" : "some");
}

BOOST_FIXTURE_TEST_CASE(the_database_hangs, Bad)
{
    const auto workers = stack.workers();
    Load load{*this, 12, 4};
    std::this_thread::sleep_for(2s);
    const auto away = Clock::now();
    {
        const process::Stopped stopped{{stack.part("mariadb")}};
        std::this_thread::sleep_for(3 * kAway);
    }
    const auto back = Clock::now();
    std::this_thread::sleep_for(2s);
    std::cout << "The database hangs for " << (3 * kAway).count()
              << " s (SIGSTOP): it takes connections and says nothing\n";
    print_outage(load.end(), away, back);
    print("workers that were replaced", stack.workers() == workers ? "none" : "some");
}

namespace {

constexpr int kWrong = 100'000;
constexpr int kGuessers = 16;
constexpr int kRight = 500;

struct Guessed : Bad {
    // Restarts nginx with the package's limits, or without limits.
    void limit(bool is_limited) const
    {
        const auto path = stack.directory() / "nginx" / "nginx.conf";
        std::ifstream file{path};
        std::string text{std::istreambuf_iterator<char>{file}, {}};
        const auto limits =
            "include \"" + (stack.directory() / "nginx" / "mailboxd-limits.conf").string() + "\";";
        const auto server =
            "include \"" + (stack.directory() / "nginx" / "mailboxd-server.conf").string() + "\";";
        if (const auto at = text.find(limits); at != std::string::npos) {
            text.erase(at, limits.size());
        }
        if (is_limited) {
            text.insert(text.find(server), limits);
        }
        std::ofstream{path} << text;
        const auto nginx = stack.part("nginx");
        const auto old = process::children(nginx);
        ::kill(nginx, SIGHUP);
        BOOST_TEST_REQUIRE(process::eventually([&] {
            const auto now = process::children(nginx);
            return std::none_of(now.begin(), now.end(), [&](pid_t pid) {
                return std::find(old.begin(), old.end(), pid) != old.end();
            });
        }));
    }

    std::map<std::string, double> statements() const
    {
        std::map<std::string, double> all;
        for (
            const auto& row : stack.sql(
                "SHOW GLOBAL STATUS WHERE variable_name IN ('Com_stmt_execute', 'Questions', 'Handler_read_next')")) {
            all[row.at(0)] = std::stod(row.at(1));
        }
        return all;
    }

    // Lists with a valid key every 25 ms, which is within its limit. Returns the median, the 99th
    // percentile, and how many were refused.
    std::string right_key() const
    {
        std::vector<double> seconds;
        int refused = 0;
        auto due = Clock::now();
        for (int i = 0; i < kRight; ++i) {
            std::this_thread::sleep_until(due += 25ms);
            const auto asked = ask(stack.server(), listing(who.key));
            refused += asked.status == 200 ? 0 : 1;
            if (asked.status == 200) {
                seconds.push_back(asked.seconds());
            }
        }
        const auto served = seconds.empty() ? "none was served"
                                            : milliseconds(percentile(seconds, 50)) + ", "
                                                  + milliseconds(percentile(seconds, 99));
        return served + ", " + std::to_string(refused) + " of " + std::to_string(kRight)
               + " refused";
    }

    // Sends `count` requests, each with a key from `key`.
    void flood(const std::string& what, int count, const std::function<std::string()>& key) const
    {
        std::atomic<int> left = count;
        std::mutex mutex;
        std::map<int, int> counts;
        const auto before = statements();
        const auto begin = Clock::now();
        std::vector<std::thread> guessers;
        for (int i = 0; i < kGuessers; ++i) {
            guessers.emplace_back([&] {
                std::map<int, int> own;
                while (left-- > 0) {
                    ++own[stack.server().send(listing(key())).status];
                }
                const std::lock_guard lock{mutex};
                for (const auto& [status, number] : own) {
                    counts[status] += number;
                }
            });
        }
        const auto meanwhile = count == kWrong ? right_key() : "";
        for (auto& guesser : guessers) {
            guesser.join();
        }
        const auto seconds = since(begin);
        const auto after = statements();
        print(what, by_status(counts) + ", " + text(count / seconds, " a second", 0));
        for (const auto& [name, number] : after) {
            print("  " + name + ", a right key's among them",
                  text(number - before.at(name), "", 0));
        }
        if (!meanwhile.empty()) {
            print("  a right key's lists meanwhile: median, p99", meanwhile);
        }
    }
};

// A well-formed key with the id of another. An attacker may know the id, for example from a log.
std::string of_same_id(const std::string& key)
{
    auto wrong = key.substr(0, 14) + api_key::random_base32(32);
    const auto labelled = "mailboxd key checksum " + wrong;
    std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
    ::crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(labelled.data()),
                         labelled.size());
    for (std::size_t i = 0; i < 7; ++i) {
        wrong += "abcdefghijklmnopqrstuvwxyz234567"[digest[i] & 31U];
    }
    return wrong;
}

std::string mistyped()
{
    auto key = api_key::Key::generate().text();
    key.back() = key.back() == 'a' ? 'b' : 'a';
    return key;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(wrong_keys, Guessed)
{
    BOOST_TEST_REQUIRE(::sodium_init() >= 0);
    BOOST_TEST_REQUIRE(api_key::Key::parse(of_same_id(who.key)).has_value());
    for (const bool is_limited : {false, true}) {
        limit(is_limited);
        std::cout << "Wrong keys from one address, " << kGuessers << " connections at a time, "
                  << (is_limited ? "with mailboxd-limits.conf\n" : "without limits\n");
        print("a right key's lists, nothing else: median, p99", right_key());
        flood("100,000 keys of the right form, each another", kWrong,
              [] { return api_key::Key::generate().text(); });
        flood("10,000 keys of a key's id, with other secrets", kWrong / 10,
              [this] { return of_same_id(who.key); });
        flood("10,000 keys whose checksum is wrong", kWrong / 10, mistyped);
    }
    limit(false);
}

BOOST_FIXTURE_TEST_CASE(idle_and_slow, Bad)
{
    constexpr int kRounds = 5;
    constexpr int kLists = 500;
    const process::OpenFiles files;
    const auto many = files.at_most(10'000);
    const auto head = " HTTP/1.1\r\nHost: x\r\nAuthorization: " + http::basic(who.key) + "\r\n";
    const auto lists = [&] {
        std::vector<double> seconds;
        for (int i = 0; i < kLists; ++i) {
            const auto asked = ask(stack.server(), listing(who.key));
            BOOST_TEST_REQUIRE(asked.status == 200);
            seconds.push_back(asked.seconds());
        }
        return seconds;
    };
    std::vector<double> alone;
    std::vector<double> beside;
    for (int round = 0; round < kRounds; ++round) {
        const auto first = lists();
        alone.insert(alone.end(), first.begin(), first.end());
        const auto idle = http::open_many(stack.server().port(), many, "");
        const auto headers = http::open_many(stack.server().port(), 100,
                                             "GET " + who.mailboxes() + head + "X-Slow: ");
        const auto bodies = http::open_many(stack.server().port(), 100,
                                            "PUT " + who.mailbox("user1") + head
                                                + "Content-Length: 100\r\n\r\npass");
        const auto second = lists();
        beside.insert(beside.end(), second.begin(), second.end());
    }
    std::cout << "A list of 100, one after the other: median, p99\n";
    print("nothing else",
          milliseconds(percentile(alone, 50)) + ", " + milliseconds(percentile(alone, 99)));
    print("beside " + std::to_string(many)
              + " idle connections, 100 slow headers and 100 slow bodies",
          milliseconds(percentile(beside, 50)) + ", " + milliseconds(percentile(beside, 99)));
}
