// key_commands.h - the commands `key ...`.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace key_commands {

std::vector<command::Command> commands();

}  // namespace key_commands
