// worker.h - one process of the pool: wait, accept, read, Api::serve(), write.
//
// The only module that includes <fcgiapp.h>. A worker serves one request at a time. TERM is
// unblocked only while the worker waits, so it never interrupts a request. SIGALRM ends a request
// that takes longer than its deadline, and the worker with it; the master then replaces the
// process.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "base/config.h"
#include "base/metrics.h"
#include "db/connection.h"
#include "db/session.h"
#include "mailboxd/gate.h"

namespace worker {

// Leaves `starting` once: to `serving`, or to `dismissed` if the master retires the worker first.
// The master sets `ended`.
enum class Stage { starting, serving, dismissed, ended };

// What a worker reports to its master, in shared memory.
struct Status {
    std::atomic<pid_t> pid;
    std::atomic<std::int64_t> started_at;  // by the steady clock, in nanoseconds
    std::atomic<std::uint64_t> requests;   // how many were answered
    std::atomic<Stage> stage;
    // When its present request began, in nanoseconds of the steady clock; 0: it serves none.
    std::atomic<std::int64_t> busy_since;
};

// Where a worker's requests come from.
struct Source {
    int descriptor;  // a listening socket, or the end of a gate::Jobs that workers read
    const gate::Board* board = nullptr;  // the board of that gate; nullptr: there is no gate
    metrics::Pool pool = metrics::Pool::read;
};

// Serves until TERM, max_requests or the master's death. Returns the exit code.
int run(const Source& source, const Config& config, const std::string& db_password,
        db::Connection::Check look, db::Outage& outage, pid_t master, Status& status);

}  // namespace worker
