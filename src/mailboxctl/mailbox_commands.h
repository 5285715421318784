// mailbox_commands.h - the commands `mailbox ...`.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace mailbox_commands {

std::vector<command::Command> commands();

}  // namespace mailbox_commands
