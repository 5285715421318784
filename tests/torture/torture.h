// torture.h - clients create, change, delete and list while the parts of the stack are killed,
// stopped and mended; after each round everything has to be as it was answered. What was
// acknowledged is there, what was not is absent or whole, and a stranger learns nothing.

#pragma once

#include "torture/faults.h"
#include "torture/plan.h"

#include "system/harness/stack.h"

#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace torture {

struct Options {
    std::uint64_t seed = 0;
    std::size_t rounds = 10;
    std::string only{};     // this kind of fault; empty: all that the stack can have
    plan::Extent extent{};  // but for the kinds of faults, which the stack decides
};

struct Outcome {
    std::map<std::string, std::size_t> requests{};  // by what came of them
    std::map<std::string, std::size_t> faults{};    // by their kind
    std::size_t in_doubt = 0;                       // changes that were not answered,
    std::size_t carried_out = 0;                    // and those of them that were made
    std::vector<std::string> breaches{};            // each with seed, round, client and step
};

// A line for each round is written to `progress`. After the first round with a breach it ends.
Outcome run(stack::Stack& stack, const faults::Disk* disk, const Options& options,
            std::ostream& progress);

std::string text(const std::map<std::string, std::size_t>& counts);

}  // namespace torture
