// verification.h - compares two stores of mail as multisets of messages: nothing is missing,
// nothing is there twice.
//
// A message is known by its folder, Message-ID, size and flags. Messages without a Message-ID are
// known by the others.
#pragma once

#include <compare>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "peers/foreign_maildir.h"

namespace verification {

struct Item {
    std::string folder{};  // in UTF-8, levels separated by slashes
    std::string id{};
    std::int64_t bytes = 0;  // as IMAP counts
    std::string flags{};     // sorted, separated by blanks: "\Flagged \Seen work"
    auto operator<=>(const Item&) const = default;
};

struct Contents {
    std::set<std::string> folders;
    std::vector<Item> items;
};

// Reads each message of a Maildir.
Contents contents(const foreign::Maildir& maildir);

enum class Kind {
    missing,      // only the source has it
    extra,        // only the target has it
    other_flags,  // both have the message, with different flags
    other_size,
    missing_folder,  // only the source has the folder
};
const char* text_of(Kind kind);

struct Difference {
    Kind kind = Kind::missing;
    Item item{};          // of the source; of the target if it is extra
    std::string there{};  // the target's flags or size, if they differ
};

struct Report {
    std::int64_t source = 0;  // messages
    std::int64_t target = 0;
    std::int64_t same = 0;
    std::vector<Difference> differences{};
    std::int64_t count(Kind kind) const;
    // True if the source has nothing that the target lacks or has differently.
    bool is_complete() const;
};

Report compared(Contents source, Contents target);

}  // namespace verification
