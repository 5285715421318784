// tenants.h - the operator's commands on accounts, domains and keys.
#pragma once

#include <vector>

#include "command.h"

namespace tenants {

std::vector<command::Command> commands();

}  // namespace tenants
