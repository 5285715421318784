// command_list.h - all commands of mailboxctl.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace command {

// Returns all commands in the order in which the help lists them.
const std::vector<Command>& all();

}  // namespace command
