// pool_view.h - what the exporter sees of the pools: memory that the processes of the service
// share.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "db/session.h"
#include "mailboxd/gate.h"
#include "mailboxd/worker.h"

namespace pool_view {

struct Pool {
    metrics::Pool label;
    int listener;
    unsigned max_workers;
};

struct Worker {
    metrics::Pool pool;
    const worker::Status* status;
    const metrics::Block* counts;
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
    std::vector<const gate::Board*> boards{};
};

// Returns the sum of all blocks. Reads again if counts were moved meanwhile. If that goes on, the
// sum may be wrong by one place's counts.
std::unique_ptr<metrics::Block> sum_of(const Sources& sources);
bool is_database_up(const Sources& sources);

enum class State { starting, idle, busy };
inline constexpr std::array<std::string_view, 3> kStates{"starting", "idle", "busy"};
// Returns empty if the worker has ended or is about to.
std::optional<State> state_of(const worker::Status& status);

}  // namespace pool_view
