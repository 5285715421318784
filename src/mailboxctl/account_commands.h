// account_commands.h - the commands `account ...`.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace account_commands {

std::vector<command::Command> commands();

}  // namespace account_commands
