// live_tables.h - the tables of another mail system, from its MySQL or MariaDB server or from a
// SQLite file.
//
// Reads everything in one transaction and changes nothing; a database user with SELECT is enough.
// Throws admin::Refused, or db::Error if the server could not be asked.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "mailboxctl/source_tables.h"

namespace live_tables {

// Returns the database that mysql://USER@HOST[:PORT]/DATABASE or
// mysql://USER@/DATABASE?socket=PATH names. The user may be left out. Throws admin::Refused if the
// text is neither, or has a password.
Config::Database database_of(std::string_view url);

source_tables::Tables of_mysql(const Config::Database& database, const Config& config,
                               const std::vector<source_tables::Wanted>& wanted);
source_tables::Tables of_sqlite(const std::string& path,
                                const std::vector<source_tables::Wanted>& wanted);

}  // namespace live_tables
