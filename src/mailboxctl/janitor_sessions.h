// janitor_sessions.h - ends sessions that are no longer allowed: of mailboxes that were deleted or
// suspended, or whose password was changed.
//
// Dovecot says who is connected, the tables say who may be. Every step can be repeated, and a
// session that began after the change is never ended. Throws db::Error and dovecot::Failed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "db/connection.h"
#include "db/session.h"
#include "peers/dovecot.h"

namespace janitor {

using Clock = std::chrono::steady_clock;

// How long after a change the janitor looks for sessions that it ends. A login that was verified
// before the change may need that long to get from one of Dovecot's processes to the next: 60 s for
// the answer of a worker, then less than a second unless a queue is in its way.
inline constexpr std::chrono::seconds kWatched{120};

// A user who was disconnected this often, half a second apart, does not leave without help.
inline constexpr int kPatience = 10;

// What one call of Sessions::sweep() did.
struct Sweep {
    bool was_due = false;     // false: only the table was read, Dovecot was not asked
    std::int64_t ended = 0;   // users that were disconnected for the first time
    std::int64_t kicked = 0;  // all users that were disconnected, also repeatedly
    std::vector<std::string>
        stayed;  // users that are connected after kPatience attempts; named once
};

class Sessions {
public:
    Sessions(db::Session& session, const dovecot::Client& doveadm)
        : session_{session}, doveadm_{doveadm}
    {
    }

    // Ends the sessions that are no longer allowed. Costs one statement if there is nothing to do.
    Sweep sweep();

private:
    bool is_due(std::int64_t age, Clock::time_point now) const;

    db::Session& session_;
    const dovecot::Client& doveadm_;
    Clock::time_point last_sweep_{};
    std::map<std::string, int> kicks_;  // by user who was still connected at the last sweep
};

struct Ended {
    std::int64_t users = 0;
    std::int64_t stayed = 0;  // users that are still connected
};

// Sweeps until no session is left to end, at most ten times within two seconds.
Ended end_sessions(Sessions& sessions);

}  // namespace janitor
