// audit_command.h - the command `audit`.
#pragma once

#include "mailboxctl/command.h"

namespace audit_command {

command::Command command();

}  // namespace audit_command
