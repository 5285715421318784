// mailbox_search.h - a domain's mailboxes by the beginning of their local part, and one mailbox
// with its details.
//
// A search reads the matches alone, from the unique key of the addresses. It steps over those that
// are skipped. Throws db::Error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "db/connection.h"
#include "db/list.h"

namespace store {

// The local parts that begin with a text are those from `first` on, and before `end`.
struct PrefixRange {
    std::string first;
    std::string end;
};
// Returns the range for a text. Both ends are the same if no local part can begin with it. (A range
// needs no wildcards: `_` and `%` are characters like all others in it.)
PrefixRange range_of_prefix(std::string_view prefix);

// What a search found, and the version of the domain then.
struct Matches {
    Version version;
    Listing listing;  // its total counts the matches
};

// Return a page of the matches, sorted by local part. `prefix` is not empty.
Matches search(db::Connection& connection, std::int64_t domain_id, const std::string& prefix,
               const Page& page);
DetailedListing search_details(db::Connection& connection, std::int64_t domain_id,
                               const std::string& prefix, const Page& page);

// Empty if there is no such mailbox.
std::optional<Details> find_details(db::Connection& connection, std::int64_t domain_id,
                                    const std::string& local_part);

}  // namespace store
