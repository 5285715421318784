// rest.h - the end of a round: waits until all parts answer and no change is under way, and then
// compares the answers of the round with lists, tables, the audit log and logins.

#pragma once

#include "torture/world.h"

#include <string>

namespace torture {

// The changes that were in doubt when the round ended.
struct Doubts {
    std::size_t all = 0;
    std::size_t carried_out = 0;
};

void come_to_rest(World& world, const std::string& label);
Doubts compare(World& world, const std::string& label, plan::Random& random);
// Runs mailboxctl check, once at the end of the run.
void check(World& world);

}  // namespace torture
