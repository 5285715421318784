// account_commands.h - the operator's commands on accounts, domains and keys.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace tenants {

std::vector<command::Command> commands();

}  // namespace tenants
