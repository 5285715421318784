// slow_story.cc - slow, greedy and idle clients do not hold a worker or a place in the service's
// queue, and other clients are served.

#include "system/harness/story.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include <boost/test/unit_test.hpp>

using answers::text;

namespace {

constexpr std::size_t kMore = 600;  // more than the service takes at once

// Two workers in each pool. Hashes cost almost nothing here, so they cause no delays.
struct Slow : story::Breaking {
    Slow() : who{tenant()}
    {
        reconfigure({{"argon2_memory_kib", "8"}, {"argon2_passes", "1"}});
        for (int i = 0; i < 10; ++i) {
            BOOST_TEST_REQUIRE(call(who.key, "POST", who.mailboxes(),
                                    story::hundred("user" + std::to_string(i) + "-"))
                                   .status
                               == 200);
        }
        workers = stack.workers();
    }

    std::string head(const std::string& method, const std::string& target) const
    {
        return method + " " + target
               + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + http::basic(who.key) + "\r\n";
    }

    http::Connections open(std::size_t count, const std::string& bytes) const
    {
        return http::open_many(stack.server().port(), count, bytes);
    }

    // Sends a hundred requests of all kinds, one after the other; the same workers answer them.
    // Sends fewer on a loaded machine, because nginx waits 15 seconds for the slow clients' headers
    // and bodies.
    void others_are_served() const
    {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{7};
        for (int i = 0; i < 25 && (i == 0 || std::chrono::steady_clock::now() < end); ++i) {
            BOOST_TEST(create(who, "carol").status == 200);
            BOOST_TEST(answers::page(list(who, "?limit=1000")).total_count == 1001);
            BOOST_TEST(change(who, "carol", "Looking-Glass").status == 200);
            BOOST_TEST(remove(who, "carol").status == 200);
        }
        BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
    }

    story::Tenant who;
    std::vector<pid_t> workers;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(slow)

BOOST_FIXTURE_TEST_CASE(headers_that_do_not_end, Slow)
{
    const auto slow = open(kMore, head("GET", who.mailboxes()) + "Connection: close\r\nX-Slow: ");
    others_are_served();
    // The slow clients were connected all the time.
    for (std::size_t i = 0; i < kMore; i += 50) {
        slow[i]->send("x\r\n\r\n");
        BOOST_TEST(slow[i]->receive().status == 200);
    }
}

BOOST_FIXTURE_TEST_CASE(bodies_that_do_not_end, Slow)
{
    const std::string body = "password=Looking-Glass";
    const auto slow =
        open(kMore, head("PUT", who.mailbox("user0-0")) + "Connection: close\r\nContent-Length: "
                        + std::to_string(body.size()) + "\r\n\r\n" + body.substr(0, 10));
    others_are_served();
    for (std::size_t i = 0; i < kMore; i += 50) {
        slow[i]->send(body.substr(10));
        BOOST_TEST(text(slow[i]->receive()) == "200 {\"message\":\"Password changed\"}\n");
    }
}

// Each client requests more than the sockets hold, and reads none of it.
BOOST_FIXTURE_TEST_CASE(readers_that_do_not_read, Slow)
{
    constexpr int kEach = 20;
    const auto request = head("GET", who.mailboxes() + "?limit=1000");
    std::string requests;
    for (int i = 1; i < kEach; ++i) {
        requests += request + "\r\n";
    }
    // The clients connect gradually, so that earlier ones already wait. All at once would be too
    // many requests.
    http::Connections slow;
    while (slow.size() < kMore) {
        auto some = open(100, requests + request + "Connection: close\r\n\r\n");
        std::move(some.begin(), some.end(), std::back_inserter(slow));
        for (int i = 0; i < 5; ++i) {
            BOOST_TEST(list(who, "?limit=1").status == 200);
        }
    }
    others_are_served();
    for (std::size_t i = 0; i < kMore; i += 100) {
        const auto stream = slow[i]->receive_all();
        int whole = 0;
        for (auto at = stream.find("HTTP/1.1 200 OK"); at != std::string::npos;
             at = stream.find("HTTP/1.1 200 OK", at + 1)) {
            ++whole;
        }
        BOOST_TEST(whole == kEach);
        BOOST_TEST(stream.ends_with("]}\n"));
    }
}

// More connections than nginx has room for: it closes those that have been idle longest.
BOOST_FIXTURE_TEST_CASE(ten_thousand_that_ask_nothing, Slow)
{
    const process::OpenFiles files;
    const auto idle = open(files.at_most(10'000), "");
    others_are_served();
    idle.back()->send(head("GET", who.mailboxes()) + "Connection: close\r\n\r\n");
    BOOST_TEST(idle.back()->receive().status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
