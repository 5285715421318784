// upkeep.h - the operator's commands that keep the system in order.
#pragma once

#include <vector>

#include "command.h"

namespace upkeep {

std::vector<command::Command> commands();

}  // namespace upkeep
