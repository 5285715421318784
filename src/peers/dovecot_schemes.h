// dovecot_schemes.h - which password schemes the installed Dovecot verifies, as its own programs
// say.
#pragma once

#include <set>
#include <string>

namespace dovecot {

// Returns the names in capital letters that `doveadm pw -l` prints. Empty if there is no doveadm
// here, for example because Dovecot runs on another machine.
std::set<std::string> schemes();

}  // namespace dovecot
