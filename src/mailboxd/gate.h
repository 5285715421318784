// gate.h - the process in front of the workers that change something: accepts every request at
// once, keeps those that wait in fair lanes by account, and hands each to a worker when it is its
// turn.
//
// nginx never sees a full queue: what cannot be answered in time is refused with 503 by the gate,
// before any work. A worker may give a request back between two hashes; the gate keeps the
// request's bytes and connection for that. It does not know SQL, keys or passwords: a worker tells
// it which account a request belongs to.
//
// If the gate dies, requests that wait are lost (nginx answers 502), and workers finish what they
// have.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/descriptor.h"

namespace gate {

using Clock = std::chrono::steady_clock;  // the same for all processes

// In memory that a gate shares with its workers.
struct Board {
    std::atomic<bool> is_pressed{false};  // a worker that hashes should pause after this hash
};

// The two ends of the queue of jobs from a gate to its workers, a socket pair. A job goes to
// exactly one worker.
struct Jobs {
    Descriptor gate_end;
    Descriptor worker_end;
};
// Throws std::system_error.
Jobs open_jobs();

// A request in a worker's hands.
struct Job {
    Descriptor connection;  // nginx's, for the answer
    Descriptor request;     // a file in memory with the request's bytes, at its beginning
    Descriptor reports;     // to the gate, which takes its end for the end of the job
    Clock::time_point arrived;
    Clock::time_point deadline;
    std::string progress;  // of the report that paused it; empty: it is new
};

// The next job; nothing where another worker was faster. is_over: the gate has gone, and no job
// comes any more.
struct Received {
    std::optional<Job> job;
    bool is_over = false;
};
Received receive(int worker_end);

// What a worker reports of its job.
struct Report {
    enum class Kind : std::uint8_t {
        hashed,  // it makes no more hashes
        paused,  // it waits for its next turn: `progress` comes back with it
        ended,
    };
    Kind kind;
    std::int64_t account = 0;              // 0: not known
    std::uint64_t left = 0;                // hashes that are still to be made
    std::chrono::nanoseconds hash_time{};  // of one, on average; 0: none was made
};
// Returns false where the gate has gone.
bool send(int reports, const Report& report, std::string_view progress = {});

// How many workers belong to a gate: as many as are configured, and one for accounts that have no
// other. So no account can occupy all of them.
unsigned workers_of(const Config& config);

// How long ago nginx had the whole request, by its $msec; 0 where that is not told, or the clock
// was set meanwhile.
std::chrono::milliseconds age(std::string_view msec);

// Serves until TERM or the master's death, and then what waits; returns the exit code.
int run(int listener, int gate_end, const Config& config, Board& board, pid_t master);

}  // namespace gate
