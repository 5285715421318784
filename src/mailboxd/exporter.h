// exporter.h - the process that answers /metrics in Prometheus' text format (version 0.0.4).
//
// It has no database connection and shares nothing with requests but memory, so it answers while
// all workers are busy and while the database hangs. The master forks a new one at each reload,
// because an exporter sees only the places that existed when it was forked.
//
// The only module that includes <microhttpd.h>. docs/metrics.md lists the metrics.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "db/session.h"
#include "mailboxd/worker.h"

namespace exporter {

struct Pool {
    metrics::Pool label;
    int listener;
    unsigned max_workers;
};

struct Worker {
    metrics::Pool pool;
    const worker::Status* status;
};

// Where the numbers are. All pointers lead to memory that the processes of the service share.
struct Sources {
    std::chrono::system_clock::time_point started_at;  // of the master
    const db::Outage& outage;
    // Odd while counts move from one block to another, and different afterwards.
    const std::atomic<std::uint64_t>& version;
    std::vector<const metrics::Block*> blocks;
    std::vector<Pool> pools{};
    std::vector<Worker> workers{};
};

// Returns the whole answer to GET /metrics.
std::string text(const Sources& sources);

// Serves until TERM or the master's death. Returns the exit code.
int run(int listener, const Sources& sources, const std::string& log_file, pid_t master);

}  // namespace exporter
