// adopt_command.h - the command `mailbox adopt`.
#pragma once

#include <string>

#include "db/connection.h"
#include "mailboxctl/adoption.h"
#include "mailboxctl/command.h"

namespace adopt_command {

command::Command command();

// Returns one sentence on what was done, for example "12 messages in 3 folders, 12 of them new;
// UIDs are kept."
std::string sentence(const adoption::Done& done);

}  // namespace adopt_command
