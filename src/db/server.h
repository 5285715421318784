// server.h - whether the database server lets our programs do what they have to, beyond what a
// session sets for itself.
//
// Throws db::Error if the server cannot be asked.
#pragma once

#include <vector>

#include "base/check_result.h"
#include "base/config.h"
#include "db/connection.h"

namespace server {

// Makes a change that matches no row and rolls it back. Throws db::Error, with what to do about it,
// where the server takes no changes from the service's user: it is read_only, its binary log has
// the format STATEMENT, a right or a definer is missing.
void try_change(db::Connection& connection);

// What the server lacks for these settings, the worst first: too few connections. Empty if nothing.
std::vector<check::Result> shortfalls(db::Connection& connection, const Config& config);

}  // namespace server
