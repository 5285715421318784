// master.h - keeps the pools running: fork, reap, back off, stop, reload.
//
// Knows no HTTP, JSON or SQL. Its signals are blocked and received by sigtimedwait(2), whose
// timeout is the next deadline. So there are no signal handlers, and the restrictions on handlers
// do not apply.
//
//   CHLD       reaps the child; logs cause, age and requests served; starts another
//   TERM, INT  stops: sends TERM to every child each second, and KILL after stop_grace
//   HUP        reads the configuration; if it is valid, starts new workers and retires the old ones
//   USR1       reopens the log file, and tells the children to do so
//
// A child is a worker, the gate of a pool (gate.h), or the exporter that serves /metrics
// (exporter.h). Each counts in a block of its own, which outlives the process.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/metrics.h"
#include "db/connection.h"

namespace master {

// One listening socket and the processes that serve it.
struct Pool {
    metrics::Pool label;
    int listener;
    unsigned Config::*size;
    bool has_gate;              // true if it serves changes: they come through a gate (gate.h)
    bool is_inherited = false;  // true if a service manager opened it; its own backlog applies
    std::string_view name() const { return metrics::kPools[static_cast<std::size_t>(label)]; }
};

struct Sockets {
    std::vector<Pool> pools;
    std::optional<int> metrics;  // the listening socket of /metrics; empty: it is not served
};

// What a generation of workers is started with.
struct Settings {
    Config config;
    std::string db_password;
    db::Connection::Check look;  // runs on each new database connection
};

// Returns the exit code after every worker has ended. `reload` reads the settings again; it throws
// Config::Problems.
int run(Settings settings, const Sockets& sockets, const std::function<Settings()>& reload);

}  // namespace master
