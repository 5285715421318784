// recount_command.h - the command `mailbox recount`.
#pragma once

#include "mailboxctl/command.h"

namespace recount_command {

command::Command command();

}  // namespace recount_command
