// lifecycle.h - what becomes of a mailbox after it was created, by mailboxctl or over HTTP: show,
// suspend and restore it, set its quota.
//
// Every change and its rows in audit_log are one transaction. Throws admin::Refused if the change
// is refused; nothing was changed then. Throws db::Error if the database could not be asked.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/accounts.h"
#include "db/audited_transactions.h"
#include "db/connection.h"
#include "db/list.h"
#include "db/mailbox_settings.h"
#include "mail/address.h"

namespace life {

// Times are seconds since 1970; 0 is never.
struct Mailbox {
    std::int64_t id = 0;  // its place in the domain's order
    std::string local_part;
    std::string state;
    std::int64_t size_bytes = 0;
    store::Quota quota_bytes;
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

// The deleted mailboxes that can still be restored into a domain. Those of a removed domain that
// had the same name are not among them.
struct Restorable {
    std::int64_t domain_id = 0;
    std::string domain;
    std::string prefix;            // of the local part; empty: any
    std::chrono::seconds grace{};  // how long a deleted mailbox can be restored
};
struct DeletedPage {
    std::int64_t total = 0;
    std::vector<Deleted> items;
};
// Returns a page, the last deleted first.
DeletedPage deleted(db::Connection& connection, const Restorable& which, const store::Page& page);
// Returns the one with this storage_id, whatever `prefix` is. Empty if there is none.
std::optional<Deleted> find_deleted(db::Connection& connection, const Restorable& which,
                                    const std::string& storage_id);

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

struct Restoring {
    mailbox::Address address;     // before the deletion
    std::string storage_id = {};  // which of the mailboxes with it; empty: the last deleted
    std::optional<mailbox::Address> name =
        {};  // its new name in the same domain; empty: the old one
    // A domain that was removed and added again may belong to another customer. The mailbox is
    // restored into such a domain only if this is true.
    bool is_of_removed_domain = false;
};

// The code of a refusal because there is no such mailbox, or no such deleted one.
inline constexpr std::string_view kNotFound = "mailbox_not_found";

class Changes {
public:
    // For mailboxctl: the operator acts on this connection.
    explicit Changes(db::Connection& connection,
                     audit::Within within = audit::Within::own_transactions)
        : transactions_{connection, within}
    {
    }
    // For the service: `actor` makes one change; see audit::Transactions.
    Changes(db::Repetition& how, const audit::Id& id, const audit::Actor& actor,
            std::function<void(db::Connection&)> first = {},
            std::function<void(db::Connection&)> last = {})
        : transactions_{how, id, actor, std::move(first), std::move(last)}
    {
    }

    // Sets everything that is given, in one transaction. A state may be given to a suspended name
    // that has no mailbox, if nothing else is given; store::set_state() says how. A request that
    // would weaken the state leaves it as it is, and writes no row for it. Throws Refused
    // kNotFound if there is no such mailbox. Returns the state that is in force
    // afterwards, if one was given.
    std::optional<store::StateSet> change(std::int64_t domain_id, const mailbox::Address& address,
                                          const store::MailboxSettings& settings);
    // The same for a single setting. These find the domain by its name.
    store::StateSet set_state(const mailbox::Address& address, mailbox::State wanted);
    void set_quota(const mailbox::Address& address, const store::Quota& quota);

    // Restores a deleted mailbox with its mail and settings. The audit log gets `restore` with the
    // new name and, if the old one is different, `restore-as` with the old one. Logins from before
    // the deletion stay ended. Returns the deleted mailbox with the state that it has now: the
    // stricter of its own and its name's.
    Deleted restore(const Restoring& wanted, std::chrono::seconds grace);

private:
    db::Connection& connection() { return transactions_.connection(); }
    void write(std::string_view action, const mailbox::Address& address);

    audit::Transactions transactions_;
};

}  // namespace life
