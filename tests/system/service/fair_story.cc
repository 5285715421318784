// fair_story.cc - many changes at once: no account waits for another's backlog, a change that
// cannot be done in time is refused before any work, and no worker hashes for a client that has
// gone.

#include "system/harness/story.h"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <future>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

using answers::is_refused;
using answers::text;
using process::eventually;
using story::shows;

namespace {

constexpr char kCreated[] = "200 {\"message\":\"Created 1 mailboxes\"}\n";

using Answers = std::vector<std::future<http::Answer>>;

bool is_ready(const std::future<http::Answer>& answer)
{
    return answer.wait_for(std::chrono::seconds{0}) == std::future_status::ready;
}

struct Fair : story::Breaking {
    // Sends a batch of 100 mailboxes, on a connection and a thread of its own.
    std::future<http::Answer> start_batch(const story::Tenant& tenant,
                                          const std::string& prefix) const
    {
        const http::Request request{"POST",
                                    tenant.mailboxes(),
                                    {{"Authorization", http::basic(tenant.key)}},
                                    story::hundred(prefix)};
        return std::async(std::launch::async,
                          [server = stack.server(), request] { return server.send(request); });
    }

    // Checks that none of the batches is done yet. On a loaded machine some may already be refused.
    static void expect_unfinished(Answers& batches)
    {
        for (auto& batch : batches) {
            if (!is_ready(batch)) continue;
            const auto answer = batch.get();
            BOOST_TEST(is_refused(answer, 503, {"unavailable"}), text(answer));
        }
        std::erase_if(batches, [](const auto& batch) { return !batch.valid(); });
    }

    // Waits for the batches and returns how many mailboxes they have created.
    static std::int64_t end_of(Answers& batches)
    {
        std::int64_t made = 0;
        for (auto& batch : batches) {
            const auto answer = batch.get();
            BOOST_TEST((answer.status == 200 || is_refused(answer, 503, {"unavailable"})),
                       text(answer));
            made += answer.status == 200 ? 100 : 0;
        }
        return made;
    }

    std::int64_t total(const story::Tenant& tenant) const
    {
        return answers::page(list(tenant, "?limit=0")).total_count;
    }

    std::string nginx_errors() const
    {
        std::ifstream file{stack.directory() / "log" / "nginx.log"};
        return {std::istreambuf_iterator<char>{file}, {}};
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fair)

// Four batches are four seconds of work for two idle processors. The other account's changes take a
// fraction of a second.
BOOST_FIXTURE_TEST_CASE(one_accounts_batches_leave_the_others_their_share, Fair)
{
    const auto flood = tenant();
    const auto other = tenant();
    const auto mark = log.mark();
    Answers batches;
    for (int i = 0; i < 4; ++i)
        batches.push_back(start_batch(flood, "batch" + std::to_string(i) + "-"));
    BOOST_TEST(text(create(other, "alice")) == kCreated);
    BOOST_TEST(change(other, "alice", "Looking-Glass").status == 200);
    BOOST_TEST(remove(other, "alice").status == 200);
    expect_unfinished(batches);
    const auto made = end_of(batches);
    BOOST_TEST(total(flood) == made);
    for (const auto& line : log.lines_since(mark))
        BOOST_TEST(line.find("SIGALRM") == std::string::npos, line);
}

// A single change by another key of the account does not wait for its batches either.
BOOST_FIXTURE_TEST_CASE(a_single_change_passes_its_own_accounts_batches, Fair)
{
    const auto who = tenant();
    const auto second = neighbour(who);
    Answers batches;
    for (int i = 0; i < 4; ++i)
        batches.push_back(start_batch(who, "batch" + std::to_string(i) + "-"));
    BOOST_TEST(text(create(second, "alice")) == kCreated);
    BOOST_TEST(remove(second, "alice").status == 200);
    expect_unfinished(batches);
    const auto made = end_of(batches);
    BOOST_TEST(total(who) == made);
}

// Hashing these would take longer than the deadline.
BOOST_FIXTURE_TEST_CASE(a_refused_change_is_not_hashed, Fair)
{
    const auto who = tenant();
    const auto narrow = tenant();
    BOOST_TEST_REQUIRE(create(who, "user-99").status == 200);
    BOOST_TEST_REQUIRE(stack.mailboxctl({"domain", "set", narrow.domain, "max_mailboxes=99"}).exit
                       == 0);
    reconfigure({{"request_deadline", "5"}, {"argon2_passes", "100"}});
    const auto batch = [&](const story::Tenant& tenant) {
        return call(tenant.key, "POST", tenant.mailboxes(), story::hundred("user-"));
    };
    BOOST_TEST(is_refused(batch(who), 409, {"mailbox_exists", "user-99"}));
    BOOST_TEST(is_refused(batch(narrow), 409, {"allowance_used_up", "99"}));
    BOOST_TEST_REQUIRE(stack.mailboxctl({"domain", "set", narrow.domain, "max_mailboxes=none"}).exit
                       == 0);
    BOOST_TEST_REQUIRE(stack.mailboxctl({"account", "set", narrow.account, "max_mailboxes=99"}).exit
                       == 0);
    BOOST_TEST(is_refused(batch(narrow), 409, {"allowance_used_up", "99"}));
    BOOST_TEST(is_refused(change(who, "nobody", "Looking-Glass"), 404, {"mailbox_not_found"}));
}

BOOST_FIXTURE_TEST_CASE(a_change_that_cannot_be_done_in_time_is_refused, Fair,
                        *shows("status: 503 a change could not be made before its deadline"))
{
    const auto who = tenant();
    reconfigure({{"request_deadline", "5"}, {"argon2_passes", "20"}});
    const auto before = snapshot();
    const auto mark = log.mark();
    const auto answer = call(who.key, "POST", who.mailboxes(), story::hundred("user-"));
    BOOST_TEST(is_refused(answer, 503, {"unavailable", "nothing was changed"}));
    BOOST_TEST(!answer.header("Retry-After").empty());
    BOOST_TEST(snapshot() == before);
    for (const auto& line : log.lines_since(mark))
        BOOST_TEST(line.find("worker-exit") == std::string::npos, line);
}

BOOST_FIXTURE_TEST_CASE(nobody_hashes_for_a_client_that_has_gone, Fair)
{
    const auto who = tenant();
    const auto mark = log.mark();
    {
        http::Connection connection{stack.server().port()};
        connection.send(http::Request{"POST",
                                      who.mailboxes(),
                                      {{"Authorization", http::basic(who.key)}},
                                      story::hundred("user-")}
                            .bytes());
        BOOST_TEST(eventually([&] { return connection.is_taken(); }));
    }
    BOOST_TEST(!log.expect(mark, {"method=POST", "detail=client-gone"}).empty());
    BOOST_TEST(total(who) == 0);
}

// To the kernel a half-closed connection looks like one that the client has left. The client is
// told that nothing was done.
BOOST_FIXTURE_TEST_CASE(a_batch_whose_client_half_closes_is_refused, Fair)
{
    const auto who = tenant();
    http::Connection connection{stack.server().port()};
    connection.send(http::Request{
        "POST", who.mailboxes(), {{"Authorization", http::basic(who.key)}}, story::hundred("user-")}
                        .bytes());
    connection.finish();
    BOOST_TEST(is_refused(connection.receive(), 503, {"unavailable", "nothing was changed"}));
    BOOST_TEST(total(who) == 0);
}

BOOST_FIXTURE_TEST_CASE(one_key_does_not_empty_the_pool, Fair)
{
    const auto held = tenant();
    const auto other = tenant();
    Hold hold{*this, held};
    Answers changes;
    for (const char* name : {"a", "b", "c", "d", "e", "f"})
        changes.push_back(start_change(held, name));
    hold.await(2);
    BOOST_TEST(text(create(other, "alice")) == kCreated);
    BOOST_TEST(change(other, "alice", "Looking-Glass").status == 200);
    BOOST_TEST(remove(other, "alice").status == 200);
    hold.release();
    for (auto& each : changes) BOOST_TEST(text(each.get()) == kCreated);
}

// The account with the most changes is refused. nginx does not notice, so its error log has no line
// that would quote the requests.
BOOST_FIXTURE_TEST_CASE(more_changes_than_may_wait, Fair,
                        *shows("status: 503 more requests wait than the bound allows"))
{
    constexpr int kMany = 20;
    constexpr int kWaiting = 5;
    const int running =
        // workers that may hash at once
        std::min(2, static_cast<int>(std::thread::hardware_concurrency()));
    const auto flood = tenant();
    const auto other = tenant();
    for (const auto& who : {flood, other}) BOOST_TEST_REQUIRE(create(who, "first").status == 200);
    reconfigure({{"waiting_changes", std::to_string(kWaiting)}});
    for (const auto& who : {flood, other}) BOOST_TEST_REQUIRE(create(who, "second").status == 200);
    const auto errors = nginx_errors();
    Answers flooding;
    std::future<http::Answer> single;
    {
        const process::Stopped stopped{stack.workers()};
        for (int i = 0; i < kMany; ++i)
            flooding.push_back(start_change(flood, "user" + std::to_string(i)));
        const auto refused = [&] {
            return std::count_if(flooding.begin(), flooding.end(), is_ready);
        };
        BOOST_TEST(eventually([&] { return refused() == kMany - kWaiting - running; }));
        single = start_change(other, "alice");
        BOOST_TEST(eventually([&] { return refused() == kMany - kWaiting - running + 1; }));
    }
    BOOST_TEST(text(single.get()) == kCreated);
    int refused = 0;
    for (auto& each : flooding) {
        const auto answer = each.get();
        if (answer.status == 200) continue;
        ++refused;
        BOOST_TEST(is_refused(answer, 503, {"unavailable", "nothing was changed"}));
        BOOST_TEST(!answer.header("Retry-After").empty());
    }
    BOOST_TEST(refused == kMany - kWaiting - running + 1);
    BOOST_TEST(total(flood) == 2 + kMany - refused);
    BOOST_TEST(nginx_errors() == errors);
}

BOOST_FIXTURE_TEST_CASE(a_gate_that_is_killed_is_replaced, Fair)
{
    const auto who = tenant();
    const auto gate = stack.gate();
    const auto mark = log.mark();
    Hold hold{*this, who};
    auto running = start_change(who, "running");
    hold.await(1);
    ::kill(gate, SIGKILL);
    BOOST_TEST(!log.expect(mark, {"warning worker-exit", "pid=" + std::to_string(gate), "pool=gate",
                                  "SIGKILL"})
                    .empty());
    auto next = start_change(who, "next");
    hold.release();
    // A change that a worker had is answered; later ones wait for the new gate.
    BOOST_TEST(text(running.get()) == kCreated);
    BOOST_TEST(text(next.get()) == kCreated);
    BOOST_TEST(stack.gate() != gate);
}

// A batch that pauses halfway keeps the passwords that it has generated.
BOOST_FIXTURE_TEST_CASE(a_batch_that_was_paused_is_made_whole, Fair)
{
    const auto who = tenant();
    const auto other = tenant();
    http::Fields logins;
    for (int i = 0; i < 100; ++i) logins.emplace_back("login", "user" + std::to_string(i));
    const http::Request request{"POST",
                                "/v3/domains/" + who.domain + "/credentials",
                                {{"Authorization", http::basic(who.key)}},
                                http::form(logins)};
    auto batch = std::async(std::launch::async,
                            [server = stack.server(), request] { return server.send(request); });
    int changes = 0;
    while (!is_ready(batch)) {
        BOOST_TEST(text(create(other, "user" + std::to_string(changes++))) == kCreated);
    }
    BOOST_TEST(changes > 1);
    const auto answer = batch.get();
    BOOST_TEST_REQUIRE((answer.status == 200 || answer.status == 503), text(answer));
    if (answer.status == 503) {
        BOOST_TEST(total(who) == 0);
        return;
    }
    for (const char* name : {"user0", "user50", "user99"}) {
        const auto begin = answer.body.find("\"" + std::string{name} + "@" + who.domain + "\":\"");
        BOOST_TEST_REQUIRE(begin != std::string::npos);
        const auto password = answer.body.substr(answer.body.find(":\"", begin) + 2, 24);
        BOOST_TEST(story::is_hash_of(stored_password(who, name), password));
    }
}

BOOST_AUTO_TEST_SUITE_END()
