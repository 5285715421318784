// why_subject.h - the mailbox that `mailboxctl why` was asked about, what is known of it, and how
// its checks say times and names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/strings.h"
#include "db/audit.h"
#include "db/connection.h"
#include "mail/address.h"
#include "mailboxctl/command.h"
#include "mailboxctl/why_report.h"

namespace why {

// The domain of the mailbox and the account that owns it, as the tables have them.
struct Owner {
    std::string account;
    std::string account_state;
    std::optional<std::int64_t> account_allowance;
    std::int64_t account_mailboxes = 0;
    std::string domain_state;
    std::optional<std::int64_t> domain_allowance;
    std::int64_t domain_mailboxes = 0;
    std::optional<std::int64_t> quota_bytes;
    std::int64_t domain_id = 0;
    std::int64_t keys = 0;  // that may use the domain now
    std::int64_t now = 0;   // the database's clock
};

// Empty if the domain does not exist.
std::optional<Owner> find_owner(db::Connection& connection, const std::string& domain);

struct Subject {
    const command::Call& call;
    db::Connection& connection;
    std::string asked;         // the address as the operator typed it
    mailbox::Address address;  // the mailbox that it leads to
    Owner owner{};
    bool is_active = true;     // mailbox, domain and account
    std::string login_name{};  // the user name under which Dovecot knows the mailbox now
    Report report{};

    bool has_domain() const { return owner.domain_id != 0; }
    // Returns a command for this mailbox: "mailboxctl mailbox resume alice@example.org".
    std::string advised(const char* words) const
    {
        return "mailboxctl " + std::string{words} + " " + strings::for_shell(address.text());
    }
};

// Returns the time and who made the change: "2026-01-31T12:00:00Z, by the operator".
std::string when_and_who(const std::optional<audit::Entry>& entry);
// "by the operator" or "by key ID".
std::string by(const std::string& actor);
// "3 of 10", or "3, no limit".
std::string share(std::int64_t count, std::optional<std::int64_t> limit);

}  // namespace why
