// import_csv.h - rows of an import from CSV (RFC 4180), with the names of the columns in the first
// line.
//
// The separator is the one of the first line: a comma, a semicolon or a tab. A row is a line: a
// value in quotes may hold separators and doubled quotes, but no line end, so a quote that is not
// closed spoils one row and not the rest of the file.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mailboxctl/import_file.h"
#include "mailboxctl/import_row.h"

namespace import_csv {

// The columns of an import, and the member of a row that each one is.
struct Column {
    std::string_view name;
    std::string import_row::Row::*member;
};
const std::vector<Column>& columns();
// The column that the file of bad rows has in addition. A column of this name is not read.
inline constexpr std::string_view kReason = "reason";

// Sets the kind that a row of a file has by its values, because no column says it: without an @ the
// address is an alias domain; with targets it is an alias.
void set_kind(import_row::Row& row);

// Returns the values as one line of CSV, without a line end.
std::string line_of(const std::vector<std::string>& values, char separator = ',');

class Source final : public import_row::Source {
public:
    // Reads the first line. Throws admin::Refused if there is none, or no column `address` in it.
    explicit Source(import_file::File& file);

    void rewind() override;
    bool next(import_row::Read& read) override;
    double progress() const override { return file_.progress(); }
    bool may_be_read_ahead() const override { return true; }
    std::vector<std::string> not_imported() const override { return unknown_; }
    std::string bad_heading() const override;
    std::string bad_record(const import_row::Read& read,
                           const import_row::Problem& problem) const override;

private:
    void read_heading();

    import_file::File& file_;
    char separator_ = ',';
    std::vector<std::string> heading_;
    std::vector<std::string import_row::Row::*> members_;  // by column; null: not read
    std::vector<std::string> unknown_;
    std::vector<std::string> values_;
    std::string line_;
    std::int64_t lines_ = 0;
};

}  // namespace import_csv
