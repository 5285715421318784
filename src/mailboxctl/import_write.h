// import_write.h - the writing pass: it adds the rows that the checking pass found to be new, and
// with --update changes those that are different.
//
// Up to bulk::kInTransaction mailboxes are one transaction, so an import that is interrupted at any
// moment leaves whole mailboxes, and the next run goes on where it ended. Each is checked again in
// the moment before it is written. Every change is in audit_log.
//
// Throws db::Error if the database could not be asked. Transactions that were committed before
// stay.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "db/bulk.h"
#include "db/connection.h"
#include "mail/address.h"
#include "mailboxctl/import_check.h"
#include "mailboxctl/import_passwords.h"
#include "mailboxctl/import_report.h"
#include "mailboxctl/import_row.h"

namespace import_write {

// A mailbox whose row names a Maildir, after it was committed. A step that takes the mail over gets
// it: the home in the mail store is made from storage_id.
struct Adoptable {
    std::string address;
    std::string storage_id;
    std::string maildir;
};

struct Options {
    bool updates = false;                                    // rows that are different, too
    audit::Within within = audit::Within::own_transactions;  // or all in one of the caller
    import_passwords::File* passwords = nullptr;  // for mailboxes without one; null: none is made
    std::function<void(const Adoptable&)> adopt = {};  // empty: nothing is adopted
};

class Writer {
public:
    Writer(db::Connection& connection, import_check::Checker& checker,
           import_report::Report& report, Options options)
        : connection_{connection}, checker_{checker}, report_{report}, options_{std::move(options)}
    {
    }

    // Writes the mailboxes among at most bulk::kInTransaction rows. `parsed`: of each row; may be
    // empty.
    void mailboxes(const std::vector<import_row::Read>& rows,
                   std::vector<import_check::Parsed> parsed = {});
    // Writes the aliases and alias domains among the rows. Call it after all mailboxes are written.
    // Returns how many aliases were added or changed, and counts in `waiting` those whose targets
    // are aliases that are not there yet. `is_last`: such an alias is bad.
    struct Aliases {
        std::int64_t written = 0;
        std::int64_t waiting = 0;
        std::set<std::int64_t> lines = {};  // of those that wait
    };
    enum class Round { may_wait, last };
    Aliases aliases(const std::vector<import_row::Read>& rows, Round round);

    // How many mailboxes, aliases and alias domains were added or changed, and committed unless the
    // transaction is the caller's.
    std::int64_t written() const { return written_; }

private:
    struct Chunk;
    void look_again(Chunk& chunk);
    void hash_passwords(Chunk& chunk);
    void write(Chunk& chunk);
    void add(Chunk& chunk);
    void update(Chunk& chunk);
    void add_domain(const std::string& name);
    void in_transaction(const std::function<void()>& work);
    void write_alias_domain(const import_row::Read& read, Aliases& done);
    struct Groups;
    void write_aliases(const std::vector<import_row::Read>& rows, Round round, Aliases& done);
    void write_groups(Groups& groups, Round round, Aliases& done);
    bool write_group(const bulk::Domain& domain, const std::vector<bulk::NewAlias>& aliases);
    void write_alias(const import_row::Read& read, const import_check::Alias& alias, Round round,
                     Aliases& done);
    bool is_done(const import_row::Read& read) const;
    void note_done(const std::vector<import_row::Read>& rows, const Aliases& done);
    void report_bad(const std::vector<import_row::Read>& rows, const Chunk& chunk);

    db::Connection& connection_;
    import_check::Checker& checker_;
    import_report::Report& report_;
    Options options_;
    std::vector<bool> done_lines_;  // whose aliases need no other round
    std::int64_t written_ = 0;
};

}  // namespace import_write
