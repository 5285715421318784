// mailbox_commands.h - the operator's commands on mailboxes, and what they have done.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace mailboxes {

std::vector<command::Command> commands();

}  // namespace mailboxes
