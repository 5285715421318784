// erase_command.h - the command `erase`.
#pragma once

#include "mailboxctl/command.h"

namespace erase_command {

command::Command command();

}  // namespace erase_command
