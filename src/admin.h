// admin.h - what an operator does to the tables: accounts, domains, keys.
//
// The operator's twin of store.h, for mailboxctl and its database user. Every change and
// its row in audit_log are one transaction. Complains with Refused, whose sentence says
// what to do; throws db::Error when MySQL could not be asked.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "auth.h"
#include "db.h"
#include "mailbox.h"

namespace admin {

struct Refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using Table = std::vector<std::vector<std::string>>;  // the first row is the heading

struct NewKey {
    std::string account;
    std::optional<mailbox::Domain> domain;
    bool is_read_only = false;
    std::int64_t expires_at = 0;             // seconds since 1970; 0: never
    std::vector<std::string> addresses;      // ranges it may call from; none: any
    std::string label;
};

std::string time_text(std::int64_t seconds);  // 2026-01-31T12:00:00Z; - for 0

// The audit log's word for a change to this state.
std::string_view action_of(mailbox::State state);

// Config::size; throws Refused for what is none.
std::int64_t parse_size(const std::string& text);

class Admin {
public:
    explicit Admin(db::Connection& connection) : connection_{connection} {}

    void add_account(const std::string& name);
    Table accounts();
    // How many mailboxes all domains of the account have.
    std::int64_t mailboxes_of_account(const std::string& name);
    // With its domains, their mailboxes and its keys.
    void remove_account(const std::string& name);
    // max_mailboxes=NUMBER|none.
    void set_account(const std::string& name, const std::string& setting, const std::string& value);
    // Ends the open sessions of all its mailboxes unless it is active afterwards.
    void set_account_state(const std::string& name, mailbox::State state);

    // Returns its id. quota_bytes: of its mailboxes; 0: none.
    std::int64_t add_domain(const mailbox::Domain& domain, const std::string& account, std::int64_t quota_bytes = 0);
    Table domains();
    struct Domain {
        std::int64_t id = 0;
        std::string account;
    };
    std::optional<Domain> find_domain(const std::string& name);
    // Throws Refused where there is none.
    std::int64_t domain_id(const std::string& name);
    // on_duplicate=reject|update, allow_delete_all=yes|no, max_mailboxes=NUMBER|none, quota_bytes=SIZE|none.
    void set_domain(const mailbox::Domain& domain, const std::string& setting, const std::string& value);
    void set_domain_state(const mailbox::Domain& domain, mailbox::State state);
    std::int64_t mailboxes_of_domain(const mailbox::Domain& domain);
    // Its mailboxes go where deleted ones go: their mail stays until it is purged.
    void remove_domain(const mailbox::Domain& domain);

    auth::Key add_key(const NewKey& wanted);
    Table keys(const std::string& account);  // empty: of all accounts
    void revoke_key(const std::string& id);

private:
    std::int64_t account_id(const std::string& name);
    void empty_and_delete_domain(std::int64_t id, const std::string& name);
    void audit(std::string_view action, std::string_view domain, std::string_view what);

    db::Connection& connection_;
};

}  // namespace admin
