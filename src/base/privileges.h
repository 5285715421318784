// privileges.h - from root to the user that the work is for.
#pragma once

#include <string>

namespace privileges {

// Takes on the user's identity for good, its groups too. Does nothing where that is not
// given or the program was not started as root. `setting` named it, for the complaint.
// Throws std::runtime_error, std::system_error.
void drop(const std::string& user, const std::string& setting);

}  // namespace privileges
