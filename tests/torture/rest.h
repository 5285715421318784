// rest.h - after a round: until all parts answer again and nothing is under way, and then whether
// everything is as it was answered, in the API's lists, in the tables, in the audit log, and for
// who logs in.

#pragma once

#include "torture/world.h"

#include <string>

namespace torture {

// What was in doubt when the round ended.
struct Doubts {
    std::size_t all = 0;
    std::size_t carried_out = 0;
};

void come_to_rest(World& world, const std::string& label);
Doubts compare(World& world, const std::string& label, plan::Random& random);
// Once, at the end: what mailboxctl check says.
void check(World& world);

}  // namespace torture
