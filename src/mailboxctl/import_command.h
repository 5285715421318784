// import_command.h - the commands `import` and `export`: mailboxes, aliases and alias domains from
// a file, and to one.
#pragma once

#include <vector>

#include "mailboxctl/command.h"

namespace import_command {

std::vector<command::Command> commands();

}  // namespace import_command
