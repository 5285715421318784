// rights.h - what a program of ours may do in the database, beside what sql/grants.sql gives it.
//
// Statements are prepared for this, and none is executed. Throws db::Error where that tells nothing
// of rights.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db/connection.h"

namespace rights {

extern const std::string_view kGrants;  // sql/grants.sql, by the Makefile

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
