// fill_in_command.h - the command `fill-in`: prints a template with its values.
#pragma once

#include "mailboxctl/command.h"

namespace fill_in_command {

command::Command command();

}  // namespace fill_in_command
