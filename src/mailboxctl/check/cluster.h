// cluster.h - whether the database server, if it is a node of a Galera cluster, is set up safely.
#pragma once

#include <map>
#include <string>

#include "base/check_result.h"
#include "mailboxctl/check/database_user.h"

namespace check {

// What a node says about itself: status and settings by their names in lower case.
using NodeStatus = std::map<std::string, std::string>;

// Returns the worst that the status shows. Settings that it lacks are taken as in order.
Result cluster(const NodeStatus& node);

// Asks the node that `ctl` is connected to. A server that is no node is in order. Throws db::Error.
Result cluster(DatabaseUser& ctl);

}  // namespace check
