// rights.h - compares a database user's rights with those that sql/grants.sql gives it.
//
// Prepares statements to see whether the server refuses them, and executes none. Throws db::Error
// if the server fails for another reason than a missing right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db/connection.h"

namespace rights {

extern const std::string_view kGrants;  // sql/grants.sql, compiled in by the Makefile

struct Difference {
    std::string
        refused;  // the server's words about the first right that is missing; empty: none is
    std::vector<std::string>
        excess;  // rights that it has and does not need, such as "DELETE on audit_log"
};

// On a connection of that program; `user` is the one that grants.sql means, whatever its name is
// here.
Difference difference(db::Connection& connection, std::string_view user);

}  // namespace rights
