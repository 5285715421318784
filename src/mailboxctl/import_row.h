// import_row.h - one row of an import, as its source wrote it, before anything is checked.
//
// Every source makes these rows: a CSV file, JSON, or another system's database. The texts are in
// the form that the man page describes for the CSV columns, so units, dates and states of another
// system are translated by its reader. import_check.h makes checked values of a row and finds what
// is wrong with it.
//
// An empty text means that the source says nothing about it: a new mailbox gets the default, and
// one that exists keeps what it has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace import_row {

// What a row is about.
// mailbox: `address` is name@domain. It has a `password` or a `hash`, and may have `aliases`.
// alias: `address` is name@domain, @domain for a catch-all, or @* for the catch-all of the whole
// account. `targets` says where its mail goes. A mailbox of the same address needs a row of its
// own, and gets its own mail, too, unless `stop` is yes.
// alias_domain: `address` is its name, without @. `targets` is the domain that it stands for.
enum class Kind { mailbox, alias, alias_domain };

struct Row {
    Kind kind = Kind::mailbox;
    std::int64_t line = 0;  // where it begins in the source; for a database the row's number
    std::string address = {};
    std::string password = {};  // plain text. It is hashed and never stored
    std::string hash = {};      // {SCHEME}hash, or a hash whose form says its scheme
    std::string quota = {};  // bytes, or a size such as 500M; none: no limit; default: its domain's
    std::string state = {};  // active, no_login or disabled
    std::string created_at = {};  // seconds since 1970, or a date such as 2011-09-27T20:24:22Z
    std::string aliases =
        {};  // of a mailbox: addresses whose mail it gets; spaces or commas between
    std::string maildir = {};      // of a mailbox: the absolute path of a Maildir to adopt
    std::string targets = {};      // of an alias or alias domain; spaces or commas between
    std::string stop = {};         // of an alias: yes or no
    std::string description = {};  // of an alias: a note
};

// Something that is wrong with a row. It becomes a line of the report.
struct Problem {
    std::int64_t line = 0;
    std::string_view column;  // the name of the member above that is wrong; empty: the whole row
    std::string reason;       // a sentence with the value, without line and column
};

// A row, or the problem for which none could be read.
struct Read {
    Row row;
    std::optional<Problem> problem = {};
    std::string record = {};  // the row as it stands in the source, for bad_record()
};

// Where rows come from. The import reads a source from its beginning more than once: first to check
// it, then to write it. Each time the rows must be the same, in the same order, because mailboxes
// are created in that order.
class Source {
public:
    virtual ~Source() = default;
    // Starts again from the first row.
    virtual void rewind() = 0;
    // Reads the next row. Returns false after the last one. Throws admin::Refused if the source
    // cannot be read at all.
    virtual bool next(Read& read) = 0;
    // How much of the source has been read, between 0 and 1, for the remaining time.
    virtual double progress() const = 0;
    // Whether a thread may call next() while another one calls the functions below.
    virtual bool may_be_read_ahead() const { return false; }

    // Returns the names of columns that were seen so far and are not imported.
    virtual std::vector<std::string> not_imported() const { return {}; }

    // Returns where a row is, for messages.
    virtual std::string place_of(const Read& /*read*/, const Problem& problem) const
    {
        return "line " + std::to_string(problem.line);
    }

    // The file of bad rows is in the format of the source. Return its first lines, and a row with
    // the reason added. Both end with a line end or are empty.
    virtual std::string bad_heading() const = 0;
    virtual std::string bad_record(const Read& read, const Problem& problem) const = 0;
};

}  // namespace import_row
