// routines.h - the triggers and functions that the tables need, as the migrations define them.
//
// A dump without --triggers or --routines loses them, and a restore by another user gives them a
// definer that may not exist.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "db/connection.h"

namespace routines {

enum class Kind { trigger, function };

struct Routine {
    Kind kind{};
    std::string name;
    std::string head;  // of a trigger: "BEFORE UPDATE ON domain"; of a function: from its
                       // parameters to its body
    std::string body;
};

// Returns the last definition of each, in the order of the migrations.
std::vector<Routine> all();

// Recreates each trigger and function that is missing, that has another body, table, moment or
// sql_mode, or whose definer is not the connection's user. Prints a line for each on `progress`,
// and returns their number. If a trigger was recreated, corrects the copied sizes and gives every
// domain a new version.
//
// If the user may not see any of them, changes nothing and says on `progress` that they were not
// checked. Throws db::Error.
std::size_t restore(db::Connection& connection, std::ostream& progress);

}  // namespace routines
