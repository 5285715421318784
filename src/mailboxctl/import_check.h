// import_check.h - the checking pass: what each row of an import would change in the database.
//
// Changes nothing. A row is new, same, different or bad. The writing pass uses the same functions
// immediately before it writes, so a change that another program made meanwhile is seen.
//
// Throws db::Error if the database could not be asked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "db/aliases.h"
#include "db/bulk.h"
#include "db/connection.h"
#include "db/mailbox_settings.h"
#include "mailboxctl/import_row.h"
#include "mailboxctl/import_values.h"

namespace import_check {

enum class Verdict { is_new, same, different, bad };
std::string_view text(Verdict verdict);

// The names that good rows have, and their lines. Keeps a number of 64 bits for each name instead
// of its text, because an import may have millions. Two names with the same number would make the
// second one bad; for a million names the chance is one in 37 million.
//
// Needs at most 20 bytes for each name once there are some thousands: 12 for the name, and at least
// five eighths of the places are in use. The names are in 256 tables that grow one at a time, so
// there is never a copy of all of them.
class Seen {
public:
    // Notes the name, if it is not noted yet. Returns the line that it was noted for.
    std::int64_t note(std::string_view name, std::int64_t line);
    bool has(std::string_view name) const;
    // Returns how many bytes the tables have.
    std::size_t bytes() const;

private:
    struct Table {
        // Returns where the number is, or the empty place where it belongs. There is one.
        std::size_t place_of(std::uint64_t number) const;
        void grow();

        std::vector<std::uint64_t> numbers{};  // 0: an empty place
        std::vector<std::uint32_t> lines{};
        std::size_t count = 0;
    };
    static constexpr std::size_t kTables = 256;
    std::array<Table, kTables> tables_;
};

// A domain that rows name.
struct Place {
    std::string name;
    std::optional<bulk::Domain> found;  // empty: the import adds it
    std::string obstacle;               // why it cannot be used; empty: it can
    std::int64_t new_mailboxes = 0;     // that rows so far add
    std::int64_t new_aliases = 0;
};

// What can be said of a row of a mailbox without the database.
struct Parsed {
    import_row::Problem problem = {};                   // of a bad row
    std::optional<import_values::Mailbox> wanted = {};  // of any other
};

struct Mailbox {
    Verdict verdict = Verdict::bad;
    std::int64_t line = 0;
    import_row::Problem problem = {};                   // of a bad row
    std::optional<import_values::Mailbox> wanted = {};  // of any other
    Place* place = nullptr;
    std::optional<bulk::Existing> existing = {};
    std::vector<std::string> differences = {};  // such as "quota 0 instead of 1024"
    bool has_other_password = false;            // one of the differences is the password or hash
};

struct Alias {
    Verdict verdict = Verdict::bad;
    import_row::Problem problem = {};
    std::optional<import_values::Alias> wanted = {};
    Place* place = nullptr;  // null: all domains of the account
    std::optional<alias::Alias> existing = {};
    std::vector<std::string> differences = {};
};

struct AliasDomain {
    Verdict verdict = Verdict::bad;
    import_row::Problem problem = {};
    std::optional<import_values::AliasDomain> wanted = {};
    std::vector<std::string> differences = {};
};

class Checker {
public:
    // Throws admin::Refused if there is no such account.
    Checker(db::Connection& connection, std::string account, import_values::Hashes hashes,
            const Config& config);

    // Checks mailboxes, at most bulk::kInTransaction rows. Rows of other kinds get no answer, but
    // alias domains are noted, so call it for all rows before the functions below. `parsed`: of
    // each row, by parse(); empty: it is called here.
    std::vector<Mailbox> mailboxes(const std::vector<import_row::Read>& rows,
                                   std::vector<Parsed> parsed = {});
    // Any thread may call it, also while another one calls the other functions.
    Parsed parse(const import_row::Read& read) const;
    // Reads from the database what the functions below need for these rows, by a few statements
    // instead of a few for each alias. It holds until the next call. `first` runs before, with the
    // domains whose aliases the rows may add or change.
    using First = std::function<void(const std::set<std::int64_t>& domain_ids)>;
    void look_up(const std::vector<import_row::Read>& rows, const First& first = {});
    // Returns what bulk::add_aliases() adds for an alias that is new. Empty if the alias may be
    // part of a chain, or if look_up() did not find out whether it may.
    std::optional<bulk::NewAlias> unchained(const Alias& alias);
    // Notes that an address has an alias since the last look_up().
    void note_alias(const Alias& alias);
    // Checks the aliases that a row stands for: itself, or those in the column of a mailbox.
    std::vector<Alias> aliases(const import_row::Row& row);
    AliasDomain alias_domain(const import_row::Row& row);

    // Whether plain passwords are compared with stored hashes. Each comparison costs a hash.
    enum class Compares { everything, no_passwords };
    void set_compares(Compares compares) { compares_ = compares; }
    // Whether mailboxes that were new at the first look are looked up again at the next one. If
    // not, only the unique key of the table tells whether another program has added one meanwhile.
    enum class NextLook { asks_again, trusts };
    void set_next_look(NextLook next_look) { next_look_ = next_look; }

    // Forgets what was read of accounts and domains, and the allowances that rows so far use.
    void refresh();
    const std::map<std::string, Place>& places() const { return places_; }
    const bulk::Account& account() const { return account_; }
    const Config& config() const { return config_; }

private:
    Place& place_of(const std::string& domain);
    void announce(const import_row::Row& row, const Parsed& parsed);
    void take_allowance(Place& place);
    void take_alias_allowance(Place* place);
    void compare(std::vector<Mailbox>& all);
    void find_existing(std::vector<Mailbox>& all);
    std::string own_name(const std::string& domain) const;
    const bulk::Holders* holders_of(const Place& place, const std::string& local_part) const;
    std::optional<bulk::NewAlias::Target> unchained(const alias::Target& target,
                                                    const bulk::Domain& of_alias);
    bool has_name(const Place& place, const std::string& local_part);
    std::optional<alias::Alias> existing_alias(const Alias& alias);
    Mailbox placed(const import_row::Read& read, Parsed parsed);
    bool was_new(std::int64_t line) const;
    void note_new(std::int64_t line);
    Alias checked(import_values::Alias wanted, std::int64_t line, std::string_view column);
    void check_targets(const import_values::Alias& wanted, const Place* of_alias,
                       std::string_view column);
    static void check_outside(const alias::Target& target, const Place* of_alias,
                              std::string_view column);
    void compare(Alias& alias);

    db::Connection& connection_;
    std::string account_name_;
    import_values::Hashes hashes_;
    const Config& config_;
    bulk::Account account_;
    std::int64_t new_mailboxes_ = 0;
    std::int64_t new_aliases_ = 0;
    std::map<std::string, Place> places_;
    std::map<std::string, std::string> alias_domains_;  // that rows add, and what they stand for
    Seen seen_;
    Seen announced_;  // addresses of aliases that rows may add
    std::map<std::int64_t, std::map<std::string, bulk::Holders>> holders_;  // by domain
    Compares compares_ = Compares::everything;
    NextLook next_look_ = NextLook::asks_again;
    std::vector<bool> new_lines_;  // whose mailboxes were new
};

}  // namespace import_check
