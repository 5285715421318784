// pull_command.h - the command `pull`: takes mail over from another server by IMAP.
#pragma once

#include "mailboxctl/command.h"

namespace pull_command {

command::Command command();

}  // namespace pull_command
