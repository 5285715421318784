// worker.h - one process of the pool: wait, accept, read, api::serve, write.
//
// The only module that includes <fcgiapp.h>. A worker serves one request at a time. TERM
// is open only while it waits, so no request is cut in half; one that takes longer than
// the deadline is ended by SIGALRM, and the master replaces the process.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "base/config.h"
#include "db/connection.h"
#include "mailboxd/gate.h"

namespace worker {

// From starting it goes on once: the worker has begun to wait for requests, or its master will not
// have it any more.
enum class Stage { starting, serving, dismissed };

// What a worker shows its master, in memory that both see.
struct Status {
    std::atomic<std::uint64_t> requests;  // answered
    std::atomic<Stage> stage;
};

// Where a worker's requests come from.
struct Source {
    int descriptor;                      // a listening socket, or the worker's end of a gate's jobs
    const gate::Board* board = nullptr;  // the gate's; nullptr: a listening socket
};

// Serves until TERM, max_requests or the master's death; returns the exit code.
int run(const Source& source, const Config& config, const std::string& db_password,
        db::Connection::Look look, db::Outage& outage, pid_t master, Status& status);

}  // namespace worker
