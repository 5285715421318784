// setup.h - `mailboxctl setup`: from the packages to the first mail in one command.
//
// In this order: look (look.cc and the parts), plan (plan.h), ask, carry out (run.h, journal.h),
// and tell what is left to do (closing.h). A part (…_part.cc) is one program or one thing that is
// set up. It looks, adds what is in the way as obstacles, and adds its steps.
#pragma once

#include <iosfwd>

#include "mailboxctl/command.h"
#include "mailboxctl/setup/machine.h"
#include "mailboxctl/setup/options.h"

namespace setup {

command::Command command();

// Asks a question; false means no. A run without a terminal has nobody to ask.
using Ask = bool (*)(std::ostream& out);

// Returns the exit status: 0 if everything is as it shall be (or was planned, with --dry-run), 1 if
// something is in the way or failed. `ask`: nullptr if there is no terminal.
int set_up(const Machine& machine, Options options, Ask ask, std::ostream& out);
int undo(const Machine& machine, Options options, Ask ask, std::ostream& out);

}  // namespace setup
