// alias_commands.h - the commands `alias` and `domain alias`.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace alias_commands {

std::vector<command::Command> commands();

}  // namespace alias_commands
