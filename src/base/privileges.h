// privileges.h - changes from root to another user.
#pragma once

#include <string>

namespace privileges {

// Becomes the user for good, with its groups. Does nothing if `user` is empty or the program was
// not started as root. Throws std::runtime_error, with the name of the `setting`, if there is no
// such user, and std::system_error if the change fails.
void drop(const std::string& user, const std::string& setting);

}  // namespace privileges
