// verify_command.h - the command `verify-import`.
#pragma once

#include "mailboxctl/command.h"

namespace verify_command {

command::Command command();

}  // namespace verify_command
