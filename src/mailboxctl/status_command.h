// status_command.h - `mailboxctl status`: what the service's workers do, and how fast they answer.
//
// It asks the process that serves /metrics and not the database, so it works while the database is
// away and while all workers are busy.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mailboxctl/command.h"

namespace status_command {

// What /status answers (mailboxd/pool_status.h).
struct Status {
    struct Worker {
        std::int64_t pid = 0;
        std::string pool;
        std::string state;
        std::int64_t age_ms = 0;
        std::int64_t requests = 0;
        std::string operation = {};  // empty: it serves no request
        std::int64_t busy_ms = 0;
    };
    struct Queue {
        std::int64_t account = 0;  // 0: not known yet
        std::int64_t changes = 0;
        std::int64_t hashes = 0;
    };
    // Sums since the master started.
    struct Operation {
        std::string name;
        std::int64_t requests = 0;
        std::int64_t server_errors = 0;
        std::vector<std::int64_t> buckets;  // of metrics::kBounds, not cumulative
    };
    std::string version;
    std::int64_t started_at = 0;
    bool database_is_up = true;
    std::int64_t waiting = 0;
    std::vector<Queue> queues;
    std::vector<Worker> workers;
    std::vector<Operation> operations;
};

// Returns empty if the text is something else.
std::optional<Status> parse(const std::string& text);

// What happened between two answers, or since the master started.
struct Rate {
    std::string operation;  // "all" for their sum
    double per_second = 0;
    double server_errors_per_second = 0;
    std::optional<double> p50;  // seconds; empty: no request, or above the last bound
    std::optional<double> p99;
};

// Returns the sum first, and then each operation that had requests. `before` is empty for the time
// since the start. The counts of `before` are ignored if the service was restarted meanwhile.
std::vector<Rate> rates(const Status* before, const Status& now,
                        std::chrono::duration<double> time);

// Returns the screen: at most 80 columns.
std::string screen(const Status& status, const std::vector<Rate>& rates, std::int64_t now);

command::Command command();

}  // namespace status_command
