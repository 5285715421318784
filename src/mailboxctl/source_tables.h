// source_tables.h - the tables of another mail system, as far as an import needs them.
//
// The readers fill them: dump_tables from a dump, live_tables from a database that runs or from a
// SQLite file. The columns that were asked for are kept in memory, about 1 KB for each mailbox. Of
// every other table only the name and the number of rows are kept, so that the report can name what
// is not imported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace source_tables {

using Cell = std::optional<std::string>;  // empty: NULL

// A table that an import reads. Without a required column it is not a table of that system.
struct Wanted {
    std::string_view table;
    std::vector<std::string_view> required;
    std::vector<std::string_view> optional = {};  // only some releases have them
    // Whether an installation may lack the table, for example because it is older.
    enum class Presence { must_be, may_be } presence = Presence::must_be;
};

class Table;

// One row of a table. The table must outlive it.
class Row {
public:
    Row(const Table& table, std::size_t number) : table_{&table}, number_{number} {}
    // Returns an empty text for NULL and for a column that the table does not have.
    const std::string& operator[](std::string_view column) const;
    // Returns whether the column holds a number other than 0, or y or Y. Returns `otherwise` if it
    // is NULL or the table does not have it.
    bool is_set(std::string_view column, bool otherwise) const;

private:
    const Table* table_;
    std::size_t number_;
};

class Table {
public:
    Table() = default;
    explicit Table(std::vector<std::string> columns);

    std::size_t size() const { return columns_.empty() ? 0 : cells_.size() / columns_.size(); }
    const std::vector<std::string>& columns() const { return columns_; }
    bool has(std::string_view column) const;
    Row row(std::size_t number) const { return {*this, number}; }
    std::vector<Row> rows() const;
    // `cells`: of all columns of the constructor, in their order.
    void add(std::vector<Cell>& cells);
    const Cell& cell(std::size_t row, std::string_view column) const;

private:
    std::vector<std::string> columns_;
    std::map<std::string, std::size_t, std::less<>> places_;
    std::vector<Cell> cells_;
};

struct Tables {
    // Returns a table without rows if the source does not have it.
    const Table& operator[](std::string_view name) const;

    std::map<std::string, Table, std::less<>> loaded;
    std::map<std::string, std::int64_t> others;  // their numbers of rows
};

// Which of a table's columns are kept.
class Selection {
public:
    // Throws admin::Refused, which names the source, if a required column is missing.
    Selection(const std::string& source, const Wanted& wanted,
              const std::vector<std::string>& columns);
    const std::vector<std::string>& names() const { return names_; }

private:
    std::vector<std::string> names_;
};

// Returns the wanted table of this name, in any case; null if it is not wanted.
const Wanted* find(const std::vector<Wanted>& all, std::string_view table);
// Throws admin::Refused if a table is missing that must be there.
void expect_all(const std::string& source, const std::vector<Wanted>& all, const Tables& tables);
// Returns the text as UTF-8: unchanged if it is that, otherwise read as MySQL's latin1, which is
// Windows-1252. Old tables have both, whatever their character set is said to be.
std::string as_utf8(std::string text);

}  // namespace source_tables
