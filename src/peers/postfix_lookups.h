// postfix_lookups.h - what Postfix finds in its tables: the queries of sql/postfix, compiled in,
// asked by another database user.
//
// Postfix itself is not asked: that takes root and its files. Throws db::Error.
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

// The first row's value. What is asked is an address, or a domain where the query wants `%s`. In
// lower case, as Postfix does it.
std::optional<std::string> find(db::Connection& connection, std::string_view table,
                                std::string_view asked);

}  // namespace postfix_lookups
