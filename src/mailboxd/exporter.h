// exporter.h - the process that answers /metrics in Prometheus' text format (version 0.0.4), and
// /status for `mailboxctl status` (pool_status.h).
//
// It has no database connection and shares nothing with requests but memory, so it answers while
// all workers are busy and while the database hangs. The master forks a new one at each reload,
// because an exporter sees only the places that existed when it was forked.
//
// The only module that includes <microhttpd.h>. docs/metrics.md lists the metrics.
#pragma once

#include <sys/types.h>

#include <string>

#include "mailboxd/pool_view.h"

namespace exporter {

using pool_view::Sources;

// Returns the whole answer to GET /metrics.
std::string text(const Sources& sources);

// Serves until TERM or the master's death. Returns the exit code.
int run(int listener, const Sources& sources, const std::string& log_file, pid_t master);

}  // namespace exporter
