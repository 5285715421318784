// migrate.h - brings the database's schema to the version that this program needs.
//
// Migrations are numbered files under sql/migrations, which are compiled in. Each is applied once
// and entered in schema_version. MySQL commits with every statement that changes a table. So a
// migration's statements can be repeated, and a migration that was interrupted is run again.
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

// Returns a migration's statements. Each ends with a semicolon at the end of a line. Comment lines
// are left out, because they may end with a semicolon, too.
std::vector<std::string> statements(std::string_view script);

std::int64_t newest_version();

// Returns why this program cannot use a database with this version, and what to do about it. Empty
// if it can.
std::string mismatch(std::int64_t version);

// Both are a db::Connection::Check. The service uses expect_no_older(), because it runs on the next
// release's tables during an upgrade.
void expect_no_older(db::Connection& connection);
void expect_same(db::Connection& connection);

// Applies the missing migrations, prints each on `progress`, and returns their number. Also enters
// the Unicode form of internationalised domain names that the tables do not have yet. Throws
// db::Error, and std::runtime_error if the schema is newer than this program or another migrate is
// running.
std::size_t apply(db::Connection& connection, std::ostream& progress);

}  // namespace migrate
