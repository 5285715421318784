// mailbox_settings.h - a mailbox's password, quota and state, and how each is changed.
//
// All functions run within the caller's transaction. Throws db::Error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "db/connection.h"
#include "mail/address.h"

namespace store {

// A mailbox's own quota in bytes; 0: no limit; empty: its domain's quota applies.
using Quota = std::optional<std::int64_t>;
inline constexpr std::int64_t kNoQuota = 0;

// What a request changes, or gives to a new mailbox; empty: nothing.
struct MailboxSettings {
    std::optional<std::string> password_hash = {};
    std::optional<Quota> quota_bytes = {};
    std::optional<mailbox::State> state = {};
};

// Returns the value for a column `quota_bytes`.
db::Value value_of(const Quota& quota);

// Asks the janitor to end the mailbox's open sessions. For a mailbox that gets a new password, is
// suspended or is deleted.
void end_sessions(db::Connection& connection, std::int64_t domain_id,
                  const mailbox::Address& address);

// Return false if there is no such mailbox. A new password ends the open sessions.
bool set_password(db::Connection& connection, std::int64_t domain_id,
                  const mailbox::Address& address, std::string_view hash);
bool set_quota(db::Connection& connection, std::int64_t domain_id, const mailbox::Address& address,
               const Quota& quota);

// Locks the domain's row. A transaction that sets a state, adds or deletes mailboxes does this
// first, because two transactions that lock in the same order cannot deadlock.
void lock_domain(db::Connection& connection, std::int64_t domain_id);

// The state that is in force after set_state().
struct StateSet {
    mailbox::State state = mailbox::State::active;
    bool has_mailbox = true;   // false: the name is suspended, and has no mailbox now
    bool is_as_wanted = true;  // false: a stricter state stays
};

// Sets the state of a mailbox, or of a suspended name that has no mailbox, by the rules of
// mailbox::after(). Ends the open sessions unless the mailbox is active afterwards. `active` ends
// the suspension of the name's deleted mailboxes, too. Empty if there is neither mailbox nor
// suspended name. The caller has locked the domain.
std::optional<StateSet> set_state(db::Connection& connection, std::int64_t domain_id,
                                  const mailbox::Address& address, mailbox::State wanted);

}  // namespace store
