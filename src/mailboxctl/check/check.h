// check.h - checks an installation, and says for each item what is wrong and what to do.
//
// Changes nothing in the installation.
#pragma once

#include <ostream>

#include "base/config.h"

namespace check {

// Checks each item and prints a line about it on `out`. Returns whether nothing is wrong.
//
// Does not throw if a check fails. An item is wrong if its server or file cannot be read. It is
// unknown if a setting or a right is missing.
//
// If the process was started as root, it has become the mail store's owner when this
// returns, unless store_user is empty.
bool run(const Config& config, std::ostream& out);

}  // namespace check
