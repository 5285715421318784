// usage.h - how much accounts and domains have, from the sums that the tables keep.
//
// A domain's row has its mailboxes and their bytes (kept by triggers), so no mailbox is counted.
// Throws db::Error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/connection.h"
#include "db/domain_list.h"

namespace usage {

struct Row {
    std::string account;
    std::optional<std::string> domain;  // empty: the row is of a whole account
    std::int64_t domains = 0;
    std::int64_t mailboxes = 0;
    std::int64_t size_bytes = 0;
    std::optional<std::int64_t> max_mailboxes;  // empty: no limit
};

struct Page {
    std::int64_t total = 0;
    std::vector<Row> rows;
};

// Return a row for each account, or for each domain, sorted by name.
Page by_account(db::Connection& connection, const store::Whose& whose, const store::Page& page);
Page by_domain(db::Connection& connection, const store::Whose& whose, const store::Page& page);

}  // namespace usage
