// gate.h - the process between nginx and the workers that make changes. It accepts every request at
// once, queues them in fair lanes by account, and hands each to a worker when it is its turn.
//
// nginx never meets a full queue. The gate refuses a request that cannot be answered in time with
// 503, before any work is done. A worker may give a request back between two hashes, so the gate
// keeps the request's bytes and connection. The gate does not know SQL, keys or passwords: a worker
// reports which account a request belongs to.
//
// If the gate dies, waiting requests are lost (nginx answers 502). Workers finish the requests that
// they have.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/descriptor.h"

namespace gate {

using Clock = std::chrono::steady_clock;  // all processes read the same time

// The changes of one account that wait for a worker.
struct Queue {
    std::atomic<std::int64_t> account{0};  // 0: callers whose account is not known yet
    std::atomic<std::uint32_t> changes{0};
    std::atomic<std::uint32_t> hashes{0};  // that these changes still need
};

// What a gate tells its workers and the exporter, in shared memory.
struct Board {
    std::atomic<bool> is_pressed{false};  // a worker that hashes should pause after this hash
    std::atomic<std::uint32_t> waiting{0};
    std::array<Queue, 8> queues{};  // the longest ones; a queue without changes ends the list
};

// The two ends of the queue of jobs from a gate to its workers: a socket pair. Exactly one worker
// receives each job.
struct Jobs {
    Descriptor gate_end;
    Descriptor worker_end;
};
// Throws std::system_error.
Jobs open_jobs();

// A request that a worker serves.
struct Job {
    Descriptor connection;  // to nginx, for the answer
    Descriptor request;     // a memory file with the request's bytes, positioned at its start
    Descriptor reports;     // to the gate; closing it ends the job
    Clock::time_point arrived;
    Clock::time_point deadline;
    std::string progress;  // what the report that paused the job contained; empty: a new job
};

// The next job; empty if another worker was faster. `is_over` means that the gate has ended and no
// more jobs will come.
struct Received {
    std::optional<Job> job;
    bool is_over = false;
};
Received receive(int worker_end);

// What a worker reports about its job.
struct Report {
    enum class Kind : std::uint8_t {
        hashed,  // all hashes are made
        paused,  // the job waits for its next turn; Job::progress is then what was reported
        ended,
    };
    Kind kind;
    std::int64_t account = 0;              // 0: unknown
    std::uint64_t left = 0;                // hashes still to be made
    std::chrono::nanoseconds hash_time{};  // average for one hash; 0: none was made
};
// Returns false if the gate has ended.
bool send(int reports, const Report& report, std::string_view progress = {});

// Returns how many workers belong to a gate: as many as are configured, plus one. The last idle
// worker serves only an account that no other worker is serving, so no account can occupy them all.
unsigned workers_of(const Config& config);

// Returns how long ago nginx had received the whole request, according to its $msec; 0 if `msec` is
// not a number or the clock was set since then.
std::chrono::milliseconds age(std::string_view msec);

// Serves until TERM or the master's death, then serves what is still waiting. Returns the exit
// code.
int run(int listener, int gate_end, const Config& config, Board& board, pid_t master);

}  // namespace gate
