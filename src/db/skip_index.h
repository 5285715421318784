// skip_index.h - finds the first mailbox of a page after a large `skip`, by the table
// mailbox_range.
//
// Stepping over a million rows takes long. So the table counts the mailboxes of each domain by
// ranges of their ids, in two levels. For a domain whose mailbox 300 was deleted:
//
//   ids         0 … 65,535             65,536 … 131,071
//   number      0                      1                    one row for each range
//   mailboxes   65,534                 17                   how many the whole range has
//   counts      127 128 127 128 …      17                   a byte for each fine range of 128 ids
//
// (There is no id 0.) To skip 65,540 mailboxes, the search passes the first range, which has
// 65,534, and then steps over 6 rows of the first fine range of the second one. No search steps
// over more than 127 rows, and a domain of a million mailboxes has 16 rows of half a kilobyte here.
//
// All functions run within the caller's transaction, which has locked the domain's row. They throw
// db::Error.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "db/connection.h"

namespace skip_index {

inline constexpr std::int64_t kFineWidth = 128;   // ids in a fine range; its count fits into a byte
inline constexpr std::int64_t kFineRanges = 512;  // fine ranges in a range
inline constexpr std::int64_t kWidth = kFineWidth * kFineRanges;

// A mailbox with this id was added, or is to be removed.
void add(db::Connection& connection, std::int64_t domain_id, std::int64_t id);
void remove(db::Connection& connection, std::int64_t domain_id, std::int64_t id);
// Mailboxes with all ids from `first` to `last` were added, which are the domain's highest so far.
void add_newest(db::Connection& connection, std::int64_t domain_id, std::int64_t first,
                std::int64_t last);
// The domain's oldest mailboxes, which have these ids, are to be removed.
void remove_oldest(db::Connection& connection, std::int64_t domain_id,
                   const std::vector<std::int64_t>& ids);
// Writes the counts of a domain that has mailboxes with all ids from 1 to `last`, and no counts
// yet.
void fill(db::Connection& connection, std::int64_t domain_id, std::int64_t last);

// The counts of one domain, as they were at some moment.
struct Ranges {
    struct Range {
        std::int64_t number = 0;
        std::int64_t mailboxes = 0;
        std::string counts;
    };
    std::string domain;           // its name; empty: of no domain
    std::int64_t connection = 0;  // db::Session::connections(); another server may reach the same
                                  // counter and id with other mailboxes
    std::int64_t domain_id = 0;   // a domain that is removed and added again gets another one
    std::int64_t total = 0;       // the domain's counter and last id at that moment
    std::int64_t last_id = 0;
    std::vector<Range> all = {};
};

// Where a page begins: `offset` mailboxes after the first id that is at least `first_id`.
struct Position {
    std::int64_t first_id = 0;
    std::int64_t offset = 0;
    // The domain, its counter and its last id when the ranges were read; 0 if none were. Any
    // change to the domain's mailboxes changes the counter or the last id.
    std::int64_t domain_id = 0;
    std::int64_t total = 0;
    std::int64_t last_id = 0;
    bool is_from_earlier = false;  // found by ranges that were read for an earlier list
};

// The first_id of a position after all mailboxes. No mailbox has this id.
inline constexpr std::int64_t kAfterEverything = std::numeric_limits<std::uint32_t>::max();

// Returns the position after the first `skip` mailboxes. If the counts contradict each other, it is
// {.offset = skip}, which needs no counts; mailboxctl check reports such counts.
Position position_in(const Ranges& ranges, std::int64_t skip);

}  // namespace skip_index
