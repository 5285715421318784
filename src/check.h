// check.h - looks over an installation and says, point by point, what is wrong and what
// to do about it. Reads only.
#pragma once

#include <ostream>

#include "config.h"

namespace check {

// One line a point on `out`; returns whether all of them are well. Never throws for
// what it looks at: a point that cannot be looked at is one that is not well.
bool run(const Config& config, std::ostream& out);

}  // namespace check
