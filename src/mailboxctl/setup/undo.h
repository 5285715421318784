// undo.h - the plan of `mailboxctl setup --undo`: takes out what setup has put in.
//
// Each file becomes what it was before the first run. Lines that the operator has changed since
// stay, in a file that was there before; where they are setup's own lines, the file is left as it
// is, with a note. The database, mail, secrets, certificates and packages stay.
#pragma once

#include "mailboxctl/setup/plan.h"

namespace setup {

Plan undo_plan(const Machine& machine, const Journal& journal);

// Returns what is still there afterwards, one sentence each.
std::vector<std::string> what_is_left(const Journal& journal, const Options& options);

}  // namespace setup
