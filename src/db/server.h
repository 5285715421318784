// server.h - checks settings of the database server that a session cannot set for itself.
//
// Throws db::Error if the server cannot be asked.
#pragma once

#include <vector>

#include "base/check_result.h"
#include "base/config.h"
#include "db/connection.h"

namespace server {

// Makes a change that matches no row, and rolls it back. Throws db::Error with advice if the server
// accepts no changes from the service's user: it is read_only, its binary log has the format
// STATEMENT, or a right or a definer is missing.
void try_change(db::Connection& connection);

// Returns what is too small on the server for these settings, the worst first. Empty if nothing is.
std::vector<check::Result> shortfalls(db::Connection& connection, const Config& config);

}  // namespace server
