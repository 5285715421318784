// migrate.h - brings the database's schema to the version this program wants.
//
// Migrations are numbered files under sql/migrations, compiled in, each applied once and
// entered in schema_version. MySQL commits with every statement that changes a table, so
// a migration's statements can be repeated, and one that was interrupted is run again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "db/connection.h"

namespace migrations {

struct Migration {
    unsigned version;
    std::string_view name;
    std::string_view sql;
};
extern const Migration kAll[];  // in ascending order; made from the files by the Makefile
extern const std::size_t kCount;

}  // namespace migrations

namespace migrate {

// Returns a migration's statements: each ends with a semicolon at the end of a line. Lines that are
// comments are left out, because they may end with one too.
std::vector<std::string> statements(std::string_view script);

std::int64_t newest_version();

// Where a database with this version is not for this program: what it has, and what to do.
// Otherwise empty.
std::string mismatch(std::int64_t version);

// Each a db::Connection::Check. The service runs on the next release's tables, for as long as an
// upgrade takes.
void expect_no_older(db::Connection& connection);
void expect_same(db::Connection& connection);

// Applies what is missing, says each on `progress`, and returns how many there were. Also gives
// internationalised domains the name that people write, where the tables do not have it yet. Throws
// db::Error; std::runtime_error where the schema is newer than this program.
std::size_t apply(db::Connection& connection, std::ostream& progress);

}  // namespace migrate
