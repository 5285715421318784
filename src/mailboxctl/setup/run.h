// run.h - carries a plan out: all steps, or none of the files.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "mailboxctl/setup/plan.h"

namespace setup {

struct Outcome {
    bool is_done = false;
    std::string error;                  // what failed; empty if nothing did
    std::vector<std::string> put_back;  // the files that are again what they were
};

// Carries the steps out, which are in order. If one fails before the last phase, every file
// of this run is put back and the daemons are reloaded with them. Prints a line for each step.
Outcome carry_out(Plan& plan, Work& work, std::ostream& progress);

}  // namespace setup
