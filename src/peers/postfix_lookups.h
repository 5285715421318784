// postfix_lookups.h - what Postfix finds in its tables: the queries of sql/postfix, compiled in and
// run by another database user.
//
// Asking Postfix itself would require root and its files. Throws db::Error.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "db/connection.h"

namespace postfix_lookups {

extern const std::map<std::string_view, std::string_view>
    kQueries;  // by table; made from the files by the Makefile

// Returns the value of the first row; empty if there is none. `asked` is an address, or a domain if
// the query is about domains, in lower case, as Postfix asks.
std::optional<std::string> find(db::Connection& connection, std::string_view table,
                                std::string_view asked);

}  // namespace postfix_lookups
