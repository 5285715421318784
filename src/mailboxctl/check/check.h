// check.h - looks over an installation and says, point by point, what is wrong and what
// to do about it. Changes nothing.
#pragma once

#include <ostream>

#include "base/config.h"

namespace check {

// One line a point on `out`; returns whether nothing is wrong. Never throws for what it
// looks at: a point that cannot be looked at for want of a server or a file is wrong,
// for want of a setting or of rights unknown. Started as root, it is the mail store's
// owner afterwards (store_user).
bool run(const Config& config, std::ostream& out);

}  // namespace check
