// bulk.h - what an import and an export need of the database for many mailboxes at a time: what is
// there, and mailboxes by the hundred in one statement.
//
// The functions that add something run within the caller's transaction. They leave every count,
// suspension and alias as if each mailbox had been added alone, so the service and the mail servers
// can go on meanwhile. All throw db::Error.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "db/accounts.h"
#include "db/aliases.h"
#include "db/allowances.h"
#include "db/audit.h"
#include "db/connection.h"
#include "db/mailbox_settings.h"
#include "mail/address.h"

namespace bulk {

// How many names or mailboxes one statement takes at most.
inline constexpr std::size_t kAtOnce = 1000;
// How many mailboxes one transaction adds at most. Their domain stays locked for less than a
// tenth of a second. Each commit waits for the disk, so with smaller transactions an import is
// slower. With larger ones it needs more memory.
inline constexpr std::size_t kInTransaction = 2500;

struct Account {
    std::int64_t id = 0;
    std::int64_t mailboxes = 0;
    admin::Limit max_mailboxes;
    std::int64_t aliases = 0;
    admin::Limit max_aliases;
};
// Empty if there is no account of this name.
std::optional<Account> find_account(db::Connection& connection, const std::string& name);

// A domain by one of its names.
struct Domain {
    std::int64_t id = 0;
    std::string name;  // its own, also if it was found by an alias domain
    std::string account;
    std::int64_t mailboxes = 0;
    admin::Limit max_mailboxes;
    std::int64_t aliases = 0;
    admin::Limit max_aliases;
    bool forwards_outside = false;  // its aliases may send to other servers
};
std::optional<Domain> find_domain(db::Connection& connection, const std::string& name);

// Returns whether a removed domain of this name can still be restored: until another one has it.
bool is_removed_domain(db::Connection& connection, const std::string& name);

struct Existing {
    std::string local_part;
    std::string hash;
    store::Quota quota_bytes;
    mailbox::State state = mailbox::State::active;
    std::string storage_id;
};
// Returns those of at most kInTransaction names that the domain has.
std::vector<Existing> existing(db::Connection& connection, std::int64_t domain_id,
                               const std::vector<std::string>& local_parts);

// Returns whether a domain has a mailbox or an alias of this name.
bool has_name(db::Connection& connection, std::int64_t domain_id, const std::string& local_part);

// What has a name of a domain.
struct Holders {
    std::string storage_id = {};  // of the mailbox; empty: there is none
    bool has_alias = false;
};
// Returns them for each of at most kAtOnce names.
std::map<std::string, Holders> holders(db::Connection& connection, std::int64_t domain_id,
                                       const std::vector<std::string>& local_parts);

// Returns the catch-all for all domains of an account. Empty if it has none.
std::optional<alias::Alias> catch_all_of_account(db::Connection& connection,
                                                 std::int64_t account_id);

struct NewMailbox {
    std::string local_part;
    std::string hash;
    store::Quota quota_bytes;
    mailbox::State state = mailbox::State::active;
    std::int64_t created_at = 0;  // seconds since 1970; 0: now
    std::string storage_id;       // random, chosen by the caller
};

// Adds at most kInTransaction mailboxes to a domain. The names are new there; a name that is
// suspended gives its mailbox the stricter of the two states. `number` counts the rows of the
// transaction in audit_log. Returns Outcome::yes, domain_is_full, account_is_full or
// no_such_domain; the caller rolls back after the last three. Throws db::DuplicateKey if one of the
// names is not new.
store::Created add(db::Connection& connection, std::int64_t domain_id, const std::string& domain,
                   std::vector<NewMailbox> mailboxes, const audit::Id& audit, std::size_t& number);

// An alias that cannot be part of a chain: its targets are mailboxes without an alias of their own
// address, or addresses outside, and no mailbox has its address. So it needs none of the checks of
// chains that alias::Changes makes.
struct NewAlias {
    std::string local_part;  // empty: a catch-all
    std::string description;
    std::string expression;  // as alias::Alias has it
    std::string actions;     // one in each line
    bool has_stop = false;
    struct Target {
        std::string storage_id;  // empty: an address outside
        std::string address;
    };
    std::vector<Target> targets;
};

// Keeps all other changes of the account's aliases, and of mailboxes in these domains, waiting
// until the end of the transaction, as alias::Changes does.
void lock_aliases(db::Connection& connection, const std::set<std::int64_t>& domain_ids,
                  std::int64_t account_id);
// Adds aliases to a domain, after lock_aliases(). The addresses have no alias. Returns false, and
// adds none, if an allowance or the permission to send outside is missing. The rows in audit_log
// count up from `audit` by the numbers of the aliases, so it must be new for each call.
bool add_aliases(db::Connection& connection, const Domain& domain, std::int64_t account_id,
                 const std::vector<NewAlias>& aliases, const audit::Id& audit);

// A mailbox as it is exported.
struct Exported {
    std::int64_t id = 0;  // its place in the domain's order
    std::string local_part;
    std::int64_t created_at = 0;
    mailbox::State state = mailbox::State::active;
    store::Quota quota_bytes;
    std::string hash;
};
// Returns a domain's mailboxes in their order: those with ids above `after`, at most kAtOnce.
std::vector<Exported> exported(db::Connection& connection, std::int64_t domain_id,
                               std::int64_t after);
// Returns the names of an account's domains, sorted; of all accounts if the name is empty.
std::vector<std::string> domains(db::Connection& connection, const std::string& account);

}  // namespace bulk
