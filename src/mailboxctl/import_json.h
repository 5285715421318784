// import_json.h - rows of an import from JSON: one object for each row, one after the other, in an
// array, or in the `items` of a list of mailboxes as the API and Mailgun answered it.
//
// The members have the names of the CSV columns. `aliases` and `targets` may be arrays. In a list
// of mailboxes, `mailbox` is the address and nothing has a password.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "mailboxctl/import_file.h"
#include "mailboxctl/import_row.h"

namespace import_json {

class Source final : public import_row::Source {
public:
    explicit Source(import_file::File& file) : file_{file} {}

    void rewind() override;
    bool next(import_row::Read& read) override;
    double progress() const override { return file_.progress(); }
    std::vector<std::string> not_imported() const override
    {
        return {unknown_.begin(), unknown_.end()};
    }
    std::string bad_heading() const override { return {}; }
    std::string bad_record(const import_row::Read& read,
                           const import_row::Problem& problem) const override;

private:
    bool find_object();
    std::string take_object();
    bool is_list_of_mailboxes() const;

    import_file::File& file_;
    std::int64_t lines_ = 1;
    std::int64_t begin_ = 1;  // the line in which the object begins
    std::int64_t open_ = 0;   // lists and objects around the rows that are not closed yet
    bool is_broken_ = false;  // an object was: what is open is not known then
    std::string object_;
    std::set<std::string> unknown_;  // names of members that are not read
};

// Returns a row as one line of JSON, with a line end.
std::string line_of(const import_row::Row& row);

}  // namespace import_json
