// lifecycle.h - the operator's operations on a mailbox, beyond those of the API: show, suspend and
// restore it, set its quota.
//
// Every change and its row in audit_log are one transaction. Throws admin::Refused if the operator
// has to do something else first, and db::Error if the database could not be asked.
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

// Times are seconds since 1970; 0 is never.
struct Mailbox {
    std::int64_t id = 0;  // its place in the domain's order
    std::string local_part;
    std::string state;
    std::int64_t size_bytes = 0;
    std::optional<std::int64_t> quota_bytes;  // its own; 0: no limit; empty: the domain's
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
    std::string state;  // before the deletion
};

// Returns mailboxes in the order of their creation: those with ids above `after`, at most `limit`.
std::vector<Mailbox> mailboxes(db::Connection& connection, std::int64_t domain_id,
                               std::int64_t after, std::int64_t limit);
std::optional<Mailbox> find(db::Connection& connection, const mailbox::Address& address);

// Return the deleted mailboxes of a domain or an address, the last deleted first.
std::vector<Deleted> deleted(db::Connection& connection, const mailbox::Domain& domain);
std::vector<Deleted> deleted(db::Connection& connection, const mailbox::Address& address);

// A suspended name. A suspension belongs to the name within its domain: it stays when the mailbox
// is deleted, and a mailbox that gets the name later is suspended, too (by the triggers of
// 0005-suspended-names.sql).
struct Suspended {
    std::string local_part;
    std::string state;
    bool has_mailbox = false;
};
// Returns all suspended names of a domain, sorted.
std::vector<Suspended> suspended(db::Connection& connection, std::int64_t domain_id);
// Returns how many of them have no mailbox.
std::int64_t suspended_without_mailbox(db::Connection& connection, std::int64_t domain_id);
// Returns the state of a suspended name that has no mailbox. Empty if it has one or is not
// suspended.
std::optional<std::string> suspended_without_mailbox(db::Connection& connection,
                                                     const mailbox::Address& address);

// Sets the state of a mailbox, or of a suspended name that has no mailbox. Returns the state that
// is in force afterwards, by the rules of mailbox::after(). Ends the open sessions unless that is
// `active`. `active` ends the suspension of the name's deleted mailboxes, too. A request that would
// weaken the state changes nothing and is not audited.
struct Set {
    mailbox::State state = mailbox::State::active;
    bool has_mailbox = true;
};
Set set_state(db::Connection& connection, const mailbox::Address& address, mailbox::State wanted);
// Sets the quota; for its values see Mailbox.
void set_quota(db::Connection& connection, const mailbox::Address& address,
               std::optional<std::int64_t> bytes);

struct Restoring {
    mailbox::Address address;     // before the deletion
    std::string storage_id = {};  // which of the mailboxes with it; empty: the last deleted
    std::optional<mailbox::Address> name =
        {};  // its new name in the same domain; empty: the old one
    // A domain that was removed and added again may belong to another customer. The mailbox is
    // restored into such a domain only if this is true.
    bool is_of_removed_domain = false;
};

// Restores a deleted mailbox with its mail and settings. The audit log gets `restore` with the new
// name and, if the old one is different, `restore-as` with the old one. Logins from before the
// deletion stay ended. Returns the deleted mailbox with the state that it has now: the stricter of
// its own and its name's.
Deleted restore(db::Connection& connection, const Restoring& wanted, std::chrono::seconds grace);

}  // namespace life
