// lanes_test.cc - the order in which waiting changes are served. Time is passed in, so each order
// is exact.

#include "mailboxd/lanes.h"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using lanes::Change;
using lanes::Clock;
using lanes::Id;
using lanes::Lanes;

constexpr Clock::time_point kStart{1h};

struct Queue {
    explicit Queue(const lanes::Limits& limits = {.workers = 5, .processors = 2, .waiting = 512})
        : all{limits}
    {
    }

    void add(Id id, const std::string& lane, std::size_t hashes = 1, bool is_begun = false)
    {
        all.add({.id = id,
                 .lane = lane,
                 .needs_hash = hashes > 0,
                 .hashes = hashes,
                 .is_begun = is_begun,
                 .deadline = kStart + 30s});
    }
    Id next()
    {
        const auto change = all.take_next(now);
        return change ? change->id : 0;
    }
    // Takes all changes that may run now.
    std::vector<Id> take()
    {
        std::vector<Id> taken;
        while (const auto id = next()) taken.push_back(id);
        return taken;
    }
    // Ends a change that has run for that time.
    void finish(Id id, Clock::duration time)
    {
        now += time;
        all.finish(id, now);
    }

    Lanes all;
    Clock::time_point now = kStart;
};

using Ids = std::vector<Id>;

}  // namespace

BOOST_AUTO_TEST_SUITE(lanes_in_order)

BOOST_AUTO_TEST_CASE(one_account_is_served_in_the_order_of_arrival)
{
    Queue queue;
    for (Id id = 1; id <= 4; ++id) queue.add(id, "a");
    BOOST_TEST(queue.take() == (Ids{1, 2}), boost::test_tools::per_element());
    queue.finish(1, 20ms);
    BOOST_TEST(queue.next() == 3U);
}

BOOST_AUTO_TEST_CASE(another_account_does_not_wait_behind_a_flood)
{
    Queue queue;
    for (Id id = 1; id <= 100; ++id) queue.add(id, "flood");
    BOOST_TEST(queue.take().size() == 2U);
    queue.now += 20ms;
    queue.add(1000, "other");
    queue.finish(1, 0ms);
    BOOST_TEST(queue.next() == 1000U);
}

BOOST_AUTO_TEST_CASE(two_accounts_share_by_time_and_not_by_number)
{
    Queue queue{{.workers = 2, .processors = 1, .waiting = 512}};
    for (Id id = 1; id <= 100; ++id) queue.add(id, "long");
    for (Id id = 101; id <= 200; ++id) queue.add(id, "short");
    int longs = 0;
    int shorts = 0;
    for (int i = 0; i < 55; ++i) {
        const auto id = queue.next();
        BOOST_TEST_REQUIRE(id != 0U);
        ++(id <= 100 ? longs : shorts);
        queue.finish(id, id <= 100 ? 100ms : 10ms);
    }
    BOOST_TEST(longs == 5);
    BOOST_TEST(shorts == 50);
}

BOOST_AUTO_TEST_CASE(what_was_not_used_is_not_saved_up)
{
    Queue queue{{.workers = 2, .processors = 1, .waiting = 512}};
    queue.add(1, "busy");
    for (Id id = 2; id <= 50; ++id) {
        queue.add(id, "busy");
        queue.finish(queue.next(), 1s);
    }
    for (Id id = 101; id <= 110; ++id) queue.add(id, "newcomer");
    for (Id id = 51; id <= 60; ++id) queue.add(id, "busy");
    int newcomers = 0;
    for (int i = 0; i < 10; ++i) {
        const auto id = queue.next();
        newcomers += id > 100 ? 1 : 0;
        queue.finish(id, 1s);
    }
    BOOST_TEST(newcomers >= 4);
    BOOST_TEST(newcomers <= 6);
}

BOOST_AUTO_TEST_CASE(no_more_hash_than_there_are_processors_and_a_delete_needs_none)
{
    Queue queue;
    for (Id id = 1; id <= 3; ++id) queue.add(id, "a");
    queue.add(4, "a", 0);
    BOOST_TEST(queue.take() == (Ids{1, 2, 4}), boost::test_tools::per_element());
    queue.all.stop_hashing(1);
    BOOST_TEST(queue.next() == 3U);
}

BOOST_AUTO_TEST_CASE(the_last_worker_is_for_who_has_no_other)
{
    Queue queue{{.workers = 3, .processors = 3, .waiting = 512}};
    for (Id id = 1; id <= 5; ++id) queue.add(id, "a", 0);
    BOOST_TEST(queue.take() == (Ids{1, 2}), boost::test_tools::per_element());
    queue.add(6, "b", 0);
    BOOST_TEST(queue.next() == 6U);
}

BOOST_AUTO_TEST_CASE(a_single_worker_serves_everybody)
{
    Queue queue{{.workers = 1, .processors = 1, .waiting = 512}};
    queue.add(1, "a");
    queue.add(2, "a");
    BOOST_TEST(queue.next() == 1U);
    BOOST_TEST(queue.next() == 0U);
    queue.finish(1, 1ms);
    BOOST_TEST(queue.next() == 2U);
}

BOOST_AUTO_TEST_CASE(short_changes_and_paused_batches_of_one_account_take_turns)
{
    Queue queue{{.workers = 2, .processors = 1, .waiting = 512}};
    for (Id id = 1; id <= 2; ++id) queue.add(id, "a", 90, true);
    for (Id id = 11; id <= 12; ++id) queue.add(id, "a");
    Ids order;
    for (int i = 0; i < 4; ++i) {
        order.push_back(queue.next());
        queue.finish(order.back(), 20ms);
    }
    BOOST_TEST(order == (Ids{11, 1, 12, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_batch_pauses_only_where_somebody_comes_first)
{
    Queue queue{{.workers = 3, .processors = 1, .waiting = 512}};
    queue.add(1, "a", 100);
    BOOST_TEST(queue.next() == 1U);
    BOOST_TEST(!queue.all.is_pressed(queue.now));
    queue.add(2, "a", 100, true);  // another batch of the same account waits for its end
    BOOST_TEST(!queue.all.is_pressed(queue.now));
    queue.add(3, "b", 100, true);  // that of another account is due after a while
    BOOST_TEST(!queue.all.is_pressed(queue.now));
    queue.now += 200ms;
    BOOST_TEST(queue.all.is_pressed(queue.now));
    queue.all.remove(3);
    BOOST_TEST(!queue.all.is_pressed(queue.now));
    queue.add(4, "b");
    BOOST_TEST(queue.all.is_pressed(queue.now));
}

BOOST_AUTO_TEST_CASE(a_batch_pauses_for_a_delete_of_its_own_account_that_finds_no_worker)
{
    Queue queue{{.workers = 3, .processors = 2, .waiting = 512}};
    queue.add(1, "a", 100);
    queue.add(2, "a", 100);
    BOOST_TEST(queue.take().size() == 2U);
    queue.add(3, "a", 0);
    BOOST_TEST(queue.take().empty());
    BOOST_TEST(queue.all.is_pressed(queue.now));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_done_in_time_is_taken_out)
{
    Queue queue{{.workers = 2, .processors = 1, .waiting = 512}};
    for (int i = 0; i < 100; ++i) queue.all.note_hash_time(1s);
    queue.add(9, "b", 0);
    BOOST_TEST(queue.next() == 9U);
    queue.add(1, "a", 1);
    queue.add(2, "a", 29);
    queue.add(3, "a", 0);
    BOOST_TEST(queue.all.take_late(queue.now).empty());
    queue.now += 2s;
    BOOST_TEST(queue.all.take_late(queue.now) == (Ids{2}), boost::test_tools::per_element());
    queue.now += 27500ms;
    BOOST_TEST(queue.all.take_late(queue.now) == (Ids{1}), boost::test_tools::per_element());
    queue.now += 1s;
    BOOST_TEST(queue.all.take_late(queue.now) == (Ids{3}), boost::test_tools::per_element());
    BOOST_TEST(queue.all.waiting() == 0U);
}

// Hashes may take longer than the deadline, for example on a suspended machine. Later changes must
// still be tried.
BOOST_AUTO_TEST_CASE(a_wrong_estimate_is_corrected)
{
    Queue queue{{.workers = 2, .processors = 1, .waiting = 512}};
    for (int i = 0; i < 100; ++i) queue.all.note_hash_time(60s);
    BOOST_TEST((queue.all.expected("a", 1) == Clock::duration{}));
    queue.add(1, "a", 1);
    BOOST_TEST(queue.all.take_late(queue.now).empty());
    BOOST_TEST(queue.next() == 1U);
    for (int i = 0; i < 100; ++i) queue.all.note_hash_time(20ms);
    BOOST_TEST((queue.all.expected("a", 1) < 1s));
}

BOOST_AUTO_TEST_CASE(how_long_a_change_would_take_counts_the_share_of_the_others)
{
    Queue queue{{.workers = 3, .processors = 2, .waiting = 512}};
    for (int i = 0; i < 200; ++i) queue.all.note_hash_time(100ms);
    const auto seconds = [&](const std::string& lane, std::size_t hashes) {
        return std::chrono::duration<double>(queue.all.expected(lane, hashes)).count();
    };
    queue.add(200, "b", 0);
    BOOST_TEST(queue.next() == 200U);
    BOOST_TEST(seconds("a", 1) == 0.1, boost::test_tools::tolerance(0.01));
    BOOST_TEST(seconds("a", 100) == 10.0,
               boost::test_tools::tolerance(0.01));  // one worker makes them all
    for (Id id = 1; id <= 100; ++id) queue.add(id, "flood");
    queue.finish(200, 1ms);
    BOOST_TEST(seconds("flood", 1) == 5.05, boost::test_tools::tolerance(0.01));
    BOOST_TEST(seconds("a", 1) == 0.1, boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(where_too_many_wait_the_longest_lane_loses_its_newest)
{
    Queue queue{{.workers = 2, .processors = 1, .waiting = 3}};
    queue.add(1, "batches", 100, true);
    queue.add(2, "many");
    queue.add(3, "many");
    BOOST_TEST(!queue.all.take_surplus().has_value());
    queue.add(4, "other");
    BOOST_TEST(queue.all.take_surplus().value() == 1U);  // mailboxes count, not requests
    queue.add(5, "other");
    queue.add(6, "other");
    BOOST_TEST(queue.all.take_surplus().value() == 6U);
}

BOOST_AUTO_TEST_CASE(a_client_that_is_recognised_moves_to_its_account)
{
    Queue queue{{.workers = 2, .processors = 1, .waiting = 512}};
    queue.add(1, "client");
    queue.add(2, "client");
    BOOST_TEST(queue.next() == 1U);
    queue.all.move(1, "account", queue.now);
    queue.all.move(2, "account", queue.now);
    queue.add(3, "client");
    queue.finish(1, 1s);
    BOOST_TEST(queue.next() == 3U);  // the account has used the second
    BOOST_TEST(queue.all.finish(3, queue.now)->lane == "client");
}

BOOST_AUTO_TEST_CASE(what_is_removed_is_never_served)
{
    Queue queue;
    queue.add(1, "a");
    BOOST_TEST(queue.all.remove(1));
    BOOST_TEST(!queue.all.remove(1));
    BOOST_TEST(queue.next() == 0U);
    BOOST_TEST(!queue.all.finish(1, queue.now).has_value());
}

BOOST_AUTO_TEST_CASE(what_waits_in_each_lane)
{
    Queue queue;
    BOOST_TEST(queue.all.queues().empty());
    queue.add(1, "small", 2);
    queue.add(2, "large", 100);
    queue.add(3, "large", 7, true);
    queue.add(4, "no hash", 0);
    const auto queues = queue.all.queues();
    BOOST_TEST_REQUIRE(queues.size() == 3U);
    BOOST_TEST(queues[0].lane == "large");
    BOOST_TEST(queues[0].changes == 2U);
    BOOST_TEST(queues[0].hashes == 107U);
    BOOST_TEST(queues[1].lane == "small");
    BOOST_TEST(queues[2].hashes == 0U);
    queue.take();
    BOOST_TEST(queue.all.queues().size() < 3U);
}

BOOST_AUTO_TEST_SUITE_END()
