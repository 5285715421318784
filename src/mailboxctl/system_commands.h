// system_commands.h - the operator's commands that keep the system in order.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace upkeep {

std::vector<command::Command> commands();

}  // namespace upkeep
