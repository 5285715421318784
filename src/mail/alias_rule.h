// alias_rule.h - the texts of a route, as the API calls an alias: its expression → which addresses
// it is for, its actions → where their mail goes.
//
// Without I/O. Throws mailbox::Invalid, whose sentence names the parameter and what is supported.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mail/address.h"

namespace alias {

inline constexpr std::size_t kMaxExpression = 500;  // bytes
inline constexpr std::size_t kMaxActions = 4000;    // bytes of all actions together
inline constexpr std::size_t kMaxTargets = 100;

// Which addresses an alias is for.
struct Pattern {
    std::string local_part;                 // in lower case; empty: a catch-all
    std::optional<mailbox::Domain> domain;  // empty: all domains of the account, for a catch-all
};

// Reads match_recipient("name@domain"), match_recipient(".*@domain") or catch_all(). The name may
// be written as a regular expression that matches nothing else: ^ before it, $ after it, and a
// backslash before a dot.
Pattern pattern_of(std::string_view expression);
// Returns the expression for a pattern.
std::string expression_of(const Pattern& pattern);

// An address that an alias sends to. It is not an Address, because other servers permit more names.
struct Target {
    std::string local_part;
    mailbox::Domain domain;
    std::string text() const { return local_part + "@" + domain.text(); }
};

// Reads "name@domain". Empty if the text is no address.
std::optional<Target> target_of(std::string_view text);

struct Actions {
    std::vector<Target> targets;  // without repetition, at least one
    bool has_stop = false;
};

// Reads forward("address") and stop(), in any order. A forward() may have several addresses with
// commas between them.
Actions actions_of(const std::vector<std::string>& actions);
// True if stop() is among the actions, whatever the others are.
bool has_stop(const std::vector<std::string>& actions);
// Returns the action for a target.
std::string action_of(const Target& target);

}  // namespace alias
