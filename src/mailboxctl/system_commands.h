// system_commands.h - the commands that set up, check and maintain an installation.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace system_commands {

std::vector<command::Command> commands();

}  // namespace system_commands
