// domain_commands.h - the commands `domain ...`.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace domain_commands {

std::vector<command::Command> commands();

}  // namespace domain_commands
