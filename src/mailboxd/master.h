// master.h - keeps the pools alive: fork, reap, back off, stop, reload.
//
// Knows no HTTP, JSON or SQL. Its signals are blocked and received by sigtimedwait(2),
// whose time-out is the next deadline: no handlers, so no handler's rules.
//
//   CHLD       reap, log cause, age and requests served; respawn
//   TERM, INT  stop: ask every worker, again each second, KILL after the grace
//   HUP        read the configuration; good: new workers, the old ones retire; else keep on
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/config.h"
#include "db/connection.h"

namespace master {

// One listening socket and the processes that serve it.
struct Pool {
    std::string name;  // "read" or "write", for the log
    int listener;
    unsigned Config::*size;
    bool has_gate;              // whether it serves changes, so that hashing is shared (gate.h)
    bool is_inherited = false;  // from a service manager, whose setting of the backlog counts
};

// What a new generation of workers is started with.
struct Settings {
    Config config;
    std::string db_password;
    db::Connection::Look look;  // at the database, with each connection
};

// Returns the exit code once every worker has gone. `reload` reads the settings again;
// it throws Config::Problems.
int run(Settings settings, const std::vector<Pool>& pools, const std::function<Settings()>& reload);

}  // namespace master
