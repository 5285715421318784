// lanes.h - the order in which waiting changes are served, so that each account gets its share.
//
// This is start-time fair queueing. A lane is an account, or a client whose account is not known
// yet. Each lane counts the worker time that it has used, and the lane that has used least comes
// next. Knows no sockets and no processes; time is passed in.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lanes {

using Clock = std::chrono::steady_clock;
using Id = std::uint64_t;

struct Change {
    Id id = 0;
    std::string lane;
    bool needs_hash = false;  // POST and PUT
    std::size_t hashes = 1;   // still to be made, as far as is known
    bool is_begun = false;    // a worker has begun it and paused it
    Clock::time_point deadline{};
};

struct Limits {
    unsigned workers = 1;     // how many changes can be served at once
    unsigned processors = 1;  // how many of these may hash at once
    std::size_t waiting = 1;  // how many changes may wait
};

class Lanes {
public:
    explicit Lanes(const Limits& limits) : limits_{limits} {}

    void add(Change change);

    // Takes out the change that is to be served next and counts it as running. Returns empty if no
    // change waits, or none may run now. The last idle worker takes only a change of a lane that no
    // other worker is serving.
    std::optional<Change> take_next(Clock::time_point now);
    // Notes that the running change makes no more hashes.
    void stop_hashing(Id id);
    // Notes that a running change has ended or was paused. Returns it; empty if it was not running.
    std::optional<Change> finish(Id id, Clock::time_point now);

    // Takes out a waiting change. Returns false if no such change waits.
    bool remove(Id id);
    // Takes out the waiting changes that can no longer be done before their deadlines. If no change
    // is running, takes out only those whose deadline has passed.
    std::vector<Id> take_late(Clock::time_point now);
    // If more changes wait than Limits::waiting, takes out the newest change of the lane that waits
    // for most hashes. Returns empty otherwise.
    std::optional<Id> take_surplus();
    // Moves a waiting or running change to another lane.
    void move(Id id, const std::string& lane, Clock::time_point now);

    // Returns an estimate of how long a change of this lane with so many hashes would wait and
    // work; 0 if nothing runs or waits.
    Clock::duration expected(const std::string& lane, std::size_t hashes) const;
    // Returns whether workers that hash should pause after their current hash, because another
    // change comes first. Only valid after take_next() has returned empty.
    bool is_pressed(Clock::time_point now) const;

    void note_hash_time(Clock::duration time);
    std::size_t waiting() const;

    // What waits in one lane.
    struct Queue {
        std::string lane;
        std::size_t changes = 0;
        std::size_t hashes = 0;
    };
    // Returns the lanes in which changes wait, those with most hashes first.
    std::vector<Queue> queues() const;

private:
    struct Lane {
        std::deque<Change> fresh;
        std::deque<Change> begun;
        Clock::duration used{};  // worker time of its changes that have ended
        std::size_t running = 0;
        bool is_begun_next = false;  // the two queues alternate
    };
    struct Running {
        Change change;
        Clock::time_point since;
        bool is_hashing;
    };
    using Named = std::map<std::string, Lane>;

    Lane& active(const std::string& name);
    void forget_idle();
    Clock::duration used_by(const Named::value_type& lane, Clock::time_point now) const;
    bool is_processor_free() const;
    std::optional<Change> take_from(Lane& lane);
    template <typename Condition>
    std::vector<Change> take_if(Condition condition);

    Limits limits_;
    Named lanes_;
    std::map<Id, Running> running_;
    Clock::duration floor_{};  // the used time of the lane that was served last
    Clock::duration hash_time_ = std::chrono::milliseconds{30};
};

}  // namespace lanes
