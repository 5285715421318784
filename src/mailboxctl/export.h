// export.h - mailboxes, aliases and alias domains as the rows that an import reads.
//
// Throws db::Error if the database could not be asked.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "db/connection.h"

namespace exporting {

struct What {
    std::string domain = {};   // empty: all domains of the account
    std::string account = {};  // empty: of all accounts
    bool has_hashes = false;
    bool as_json = false;  // otherwise CSV
};

// Calls `write` with each line of the export, with its line end. The mailboxes of a domain are in
// the order of their creation. Returns the number of rows.
std::int64_t write(db::Connection& connection, const What& what,
                   const std::function<void(const std::string&)>& write);

}  // namespace exporting
