// lifecycle.h - what an operator does in the life of a mailbox, beyond what the API does: look at
// it, suspend it, set its quota, bring it back.
//
// Every change and its row in audit_log are one transaction. Complains with admin::Refused; throws
// db::Error when MySQL could not be asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/accounts.h"
#include "db/connection.h"
#include "mail/address.h"

namespace life {

// Times are seconds since 1970; 0: never.
struct Mailbox {
    std::int64_t id = 0;  // its place in the domain's order
    std::string local_part;
    std::string state;
    std::int64_t size_bytes = 0;
    std::optional<std::int64_t> quota_bytes;  // its own; 0: no limit; nothing: as the domain says
    std::int64_t created_at = 0;
    std::string storage_id;
    std::int64_t last_login = 0;
    std::int64_t last_delivery = 0;
};

struct Deleted {
    std::string storage_id;
    std::string local_part;
    std::int64_t size_bytes = 0;
    std::int64_t created_at = 0;
    std::int64_t deleted_at = 0;
    std::string deleted_by;  // key id, or operator
    bool is_purged = false;  // its mail is being removed
    std::int64_t age = 0;    // seconds since its deletion
    std::int64_t domain_id = 0;
    std::string state;  // that it had
};

// In the order of creation, from behind an id.
std::vector<Mailbox> mailboxes(db::Connection& connection, std::int64_t domain_id,
                               std::int64_t after, std::int64_t limit);
std::optional<Mailbox> find(db::Connection& connection, const mailbox::Address& address);

// The last deleted first.
std::vector<Deleted> deleted(db::Connection& connection, const mailbox::Domain& domain);
std::vector<Deleted> deleted(db::Connection& connection, const mailbox::Address& address);

// A suspension belongs to the name within its domain: it stays when the mailbox is deleted, and a
// mailbox that gets the name later is suspended, too (the triggers of 0005-suspended-names.sql).
struct Suspended {
    std::string local_part;
    std::string state;
    bool has_mailbox = false;
};
// All suspended names of a domain, in their order.
std::vector<Suspended> suspended(db::Connection& connection, std::int64_t domain_id);
// How many of them have no mailbox.
std::int64_t suspended_without_mailbox(db::Connection& connection, std::int64_t domain_id);
// The state of a suspended name that has no mailbox. Empty where it has one or is not suspended.
std::optional<std::string> suspended_without_mailbox(db::Connection& connection,
                                                     const mailbox::Address& address);

// Sets the state of a mailbox, or of a suspended name that has none. Returns the state that is in
// force afterwards, as mailbox::after() has it. Ends the open sessions unless that is active.
// `active` ends the suspension of the name's deleted mailboxes, too. A request that would weaken
// the state changes nothing and is not audited.
struct Set {
    mailbox::State state = mailbox::State::active;
    bool has_mailbox = true;
};
Set set_state(db::Connection& connection, const mailbox::Address& address, mailbox::State wanted);
// As in Mailbox.
void set_quota(db::Connection& connection, const mailbox::Address& address,
               std::optional<std::int64_t> bytes);

struct Restoring {
    mailbox::Address address;     // that it had
    std::string storage_id = {};  // which of those that had it; empty: the last deleted
    std::optional<mailbox::Address> name =
        {};  // that it gets, in the same domain; nothing: the one that it had
    // A domain that was removed and added again is another one, and may be another customer's. Its
    // mailboxes get no mail of the former one's, unless this says so.
    bool is_of_removed_domain = false;
};

// Brings a deleted mailbox back with all that it had. In the audit log `restore` has the name that
// it has from then on, and `restore-as` the one that it had, should that be another. Logins from
// before its deletion stay ended. Returns what it was, with the state that it has now: the stricter
// of its own and that of its name.
Deleted restore(db::Connection& connection, const Restoring& wanted, std::chrono::seconds grace);

}  // namespace life
