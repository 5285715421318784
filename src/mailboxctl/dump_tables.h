// dump_tables.h - the tables in a dump of mysqldump, mariadb-dump, phpMyAdmin or `sqlite3 .dump`.
//
// Reads the dump itself, because an operator's database user may usually not create a scratch
// database. It understands CREATE TABLE (the names of the columns) and INSERT or REPLACE with
// literal values, skips other statements, and refuses what it does not understand: a value that is
// guessed could be somebody's password.
//
// Throws admin::Refused with the line: for a dump that is cut off, of another kind (PostgreSQL), in
// a character set that is not read, with an expression instead of a value, or with the tables of
// two databases.
#pragma once

#include <vector>

#include "mailboxctl/import_file.h"
#include "mailboxctl/source_tables.h"

namespace dump_tables {

source_tables::Tables read(import_file::File& file,
                           const std::vector<source_tables::Wanted>& wanted);

}  // namespace dump_tables
