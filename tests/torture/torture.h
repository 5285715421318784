// torture.h - clients create, change, delete and list mailboxes while parts of the stack are
// killed, stopped and repaired. After each round the state must agree with the answers:
// acknowledged changes are there, others are absent or complete, and a stranger has learned
// nothing.

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
    std::string only{};     // this kind of fault only; empty: all kinds that the stack can have
    plan::Extent extent{};  // without the kinds of faults, which depend on the stack
};

struct Outcome {
    std::map<std::string, std::size_t> requests{};  // by outcome
    std::map<std::string, std::size_t> faults{};    // by kind
    std::size_t in_doubt = 0;                       // changes without an answer
    std::size_t carried_out = 0;                    // and how many of those were made
    std::vector<std::string> breaches{};  // violations, each with seed, round, client and step
};

// Writes a line for each round to `progress`. Ends after the first round with a violation.
Outcome run(stack::Stack& stack, const faults::Disk* disk, const Options& options,
            std::ostream& progress);

std::string text(const std::map<std::string, std::size_t>& counts);

}  // namespace torture
