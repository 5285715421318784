// accounts.h - what an operator does to the tables: accounts, domains, keys.
//
// For mailboxctl and its database user. Every change and its row in audit_log are one transaction.
// Throws Refused, whose sentence says what to do, and db::Error if the database could not be asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "db/connection.h"
#include "mail/address.h"
#include "mail/api_key.h"

namespace admin {

// A change that was refused, with a sentence that says why and what to do.
struct Refused : std::runtime_error {
    // Whether the sentence itself says that nothing was changed. If not, mailboxctl appends that.
    enum class Outcome { unsaid, said };

    explicit Refused(const std::string& sentence, Outcome its_outcome = Outcome::unsaid)
        : std::runtime_error{sentence}, outcome{its_outcome}
    {
    }

    Outcome outcome;
};

using Table = std::vector<std::vector<std::string>>;  // the first row is the heading

struct NewKey {
    std::string account;
    std::optional<mailbox::Domain> domain;
    bool is_read_only = false;
    std::int64_t expires_at = 0;         // seconds since 1970; 0: never
    std::vector<std::string> addresses;  // ranges it may call from; none: any
    std::string label;
};

// Returns the time as 2026-01-31T12:00:00Z, and "-" for 0.
std::string time_text(std::int64_t seconds);

// Returns the last second in which a key is valid, as time_text() does: a key that expires on a day
// is valid through that day.
std::string last_moment(std::int64_t expires_at);

// Returns the audit log's word for a change to this state.
std::string_view action_of(mailbox::State state);

// Returns the number of bytes that Config::size() reads. Throws Refused if the text is not a size.
std::int64_t parse_size(const std::string& text);

// Returns what a column for a limit holds: the number, or NULL for "none". Throws Refused, which
// names the setting, if the value is neither.
db::Value number_or_none(const std::string& setting, const std::string& value);

class Admin {
public:
    explicit Admin(db::Connection& connection) : connection_{connection} {}

    void add_account(const std::string& name);
    Table accounts();
    // What an account or a domain has, and what is removed with it.
    struct Contents {
        std::vector<std::string> domains;  // of an account, by name
        std::int64_t mailboxes = 0;
        std::int64_t bytes = 0;        // of mail
        std::int64_t keys = 0;         // for the whole account
        std::int64_t domain_keys = 0;  // for one domain alone
        std::vector<std::string>
            settings;         // that are not as they are without a word, such as "max_mailboxes 5"
        std::string account;  // of a domain: its account
        bool is_empty() const
        {
            return domains.empty() && mailboxes == 0 && keys + domain_keys == 0 && settings.empty();
        }
    };
    Contents contents_of_account(const std::string& name);
    Contents contents_of_domain(const mailbox::Domain& domain);
    // Removes the account with its domains, their mailboxes and its keys. Returns what was removed
    // with it. Its domains can be restored into another account; nothing else can be restored.
    Contents remove_account(const std::string& name);
    // Sets max_mailboxes=NUMBER|none.
    void set_account(const std::string& name, const std::string& setting, const std::string& value);
    // Sets the state. Returns the one that is in force afterwards, by the rules of
    // mailbox::after(). Ends the open sessions of all its mailboxes unless that is `active`. A
    // request that would weaken the state changes nothing and is not audited.
    mailbox::State set_account_state(const std::string& name, mailbox::State wanted);

    // Returns the new domain's id. `quota_bytes`: of each of its mailboxes; 0: no limit.
    std::int64_t add_domain(const mailbox::Domain& domain, const std::string& account,
                            std::int64_t quota_bytes = 0);
    Table domains();
    std::vector<std::string> domain_names();  // sorted
    struct Domain {
        std::int64_t id = 0;
        std::string account;
    };
    std::optional<Domain> find_domain(const std::string& name);
    // Returns what is suspended above a domain, or above a mailbox in it: the account, then the
    // domain itself. Empty if nothing is.
    struct Suspended {
        std::string level;  // "account" or "domain"
        std::string name;
        std::string state;
    };
    std::vector<Suspended> suspended_above_mailbox(const std::string& domain);
    std::vector<Suspended> suspended_above_domain(const std::string& domain);
    // Throws Refused if there is no such domain.
    std::int64_t domain_id(const std::string& name);
    // Sets on_duplicate=reject|update, allow_delete_all=yes|no, max_mailboxes=NUMBER|none or
    // quota_bytes=SIZE|none.
    void set_domain(const mailbox::Domain& domain, const std::string& setting,
                    const std::string& value);
    mailbox::State set_domain_state(const mailbox::Domain& domain,
                                    mailbox::State wanted);  // as of an account
    std::int64_t mailboxes_of_domain(const mailbox::Domain& domain);
    // Removes the domain. Its mailboxes become deleted mailboxes, whose mail stays until it is
    // purged. Returns what was removed with it.
    Contents remove_domain(const mailbox::Domain& domain);

    // A removed domain.
    struct Removed {
        std::int64_t id = 0;
        std::int64_t account_id = 0;
        std::string account;  // its name then
        std::string name;
        std::string state;
        std::int64_t deleted_at = 0;
        std::int64_t age = 0;        // seconds since then
        std::int64_t mailboxes = 0;  // that come back with it
        std::int64_t bytes = 0;
        std::int64_t keys = 0;
    };
    // Returns the removed domains that can be restored, the last removed first: those with that
    // name, or all.
    std::vector<Removed> removed_domains(const std::string& name = {});
    // Restores a removed domain: its settings and state, the mailboxes that were deleted with it,
    // its keys and suspended names. `id`: which of several; 0: the last removed. `account`: another
    // one, if its own was removed, too; empty: its own. Throws Refused if it cannot be restored;
    // nothing was changed then.
    Removed restore_domain(const mailbox::Domain& domain, std::chrono::seconds grace,
                           std::int64_t id = 0, const std::string& account = {});

    api_key::Key add_key(const NewKey& wanted);
    Table keys(const std::string& account);  // empty: of all accounts
    void revoke_key(const std::string& id);

private:
    std::int64_t account_id(const std::string& name);
    void empty_and_delete_domain(std::int64_t id, const std::string& name);
    Contents contents(std::int64_t account, std::int64_t domain);  // a domain, or 0 and the account
    Removed restorable(const std::string& name, std::int64_t id, std::chrono::seconds grace);
    void restore_mailboxes(const Removed& removed);
    void take_allowance(std::int64_t account, const std::string& name, const std::string& domain);
    void audit(std::string_view action, std::string_view domain, std::string_view what);

    db::Connection& connection_;
};

}  // namespace admin
