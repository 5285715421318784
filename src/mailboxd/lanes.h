// lanes.h - in which order waiting changes are served, so that each account gets its share.
//
// Start-time fair queueing: each lane (an account, or a client that is not known yet) has a clock
// of the worker time that it has used, and the lane that has used least comes next. Knows no
// sockets and no processes; time is passed in.
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
    std::size_t hashes = 1;   // that are still to be made, as far as is known
    bool is_begun = false;    // a worker had it before and paused it
    Clock::time_point deadline{};
};

struct Limits {
    unsigned workers = 1;     // changes that can be served at once
    unsigned processors = 1;  // of these, how many may hash at once
    std::size_t waiting = 1;  // changes that may wait
};

class Lanes {
public:
    explicit Lanes(const Limits& limits) : limits_{limits} {}

    void add(Change change);

    // Takes out the change that is to be served next, which is running from then on. Nothing where
    // none waits, or none may run now. The last idle worker goes only to a lane that has no other.
    std::optional<Change> take_next(Clock::time_point now);
    // The running change makes no more hashes.
    void stop_hashing(Id id);
    // The running change has ended or was paused. Returns it.
    std::optional<Change> finish(Id id, Clock::time_point now);

    // Takes out a change that waits; false where it does not.
    bool remove(Id id);
    // Takes out what waits and can no longer be done before its deadline; while nothing runs, only
    // what is past it.
    std::vector<Id> take_late(Clock::time_point now);
    // Where more wait than may: takes out the newest of the lane that waits for most hashes.
    std::optional<Id> take_surplus();
    // Moves a change, waiting or running, to another lane.
    void move(Id id, const std::string& lane, Clock::time_point now);

    // How long a change of this lane with so many hashes would wait and work, as things are; 0
    // where nothing runs or waits.
    Clock::duration expected(const std::string& lane, std::size_t hashes) const;
    // Whether a worker that hashes should pause after this hash, because somebody else comes first.
    // To be asked when take_next() has nothing more.
    bool is_pressed(Clock::time_point now) const;

    void note_hash_time(Clock::duration time);
    std::size_t waiting() const;

private:
    struct Lane {
        std::deque<Change> fresh;
        std::deque<Change> begun;
        Clock::duration used{};  // worker time, without that of running changes
        std::size_t running = 0;
        bool is_begun_next = false;  // the two queues take turns
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
    Clock::duration floor_{};  // what the lane that was served last had used
    Clock::duration hash_time_ = std::chrono::milliseconds{30};
};

}  // namespace lanes
