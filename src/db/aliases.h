// aliases.h - addresses whose mail goes to other mailboxes or other servers, and catch-alls. The
// API calls an alias a route.
//
// An alias leads to mailboxes and other aliases themselves, not to their addresses: if one of them
// is deleted and its address is given to another, the new one gets nothing until the alias is set
// again. 0009-aliases.sql has the tables, and the functions by which Postfix follows them. A target
// that is not in the account is an address outside: whoever has it gets the mail. The domain of the
// alias needs the operator's permission for that (forward_outside).
//
// Every change and its row in audit_log are one transaction. Throws admin::Refused if the change is
// refused; nothing was changed then. Throws db::Error if the database could not be asked.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/accounts.h"
#include "db/audited_transactions.h"
#include "db/connection.h"
#include "db/domain_list.h"
#include "db/list.h"
#include "mail/address.h"
#include "mail/alias_rule.h"

namespace alias {

// How many aliases mail passes at most on its way to a mailbox. A longer chain is refused. If one
// comes about later, for example by a restored mailbox, it is not followed.
inline constexpr int kLongestChain = 3;
// How many recipients an alias leads to at most. Postfix defers a message that leads to more than
// 1000 (virtual_alias_expansion_limit).
inline constexpr std::int64_t kMostRecipients = 500;

struct Alias {
    std::int64_t number = 0;  // in the tables; never given twice
    std::string id;           // that the API shows
    std::int64_t account_id = 0;
    std::int64_t domain_id = 0;  // 0: all domains of the account
    std::string domain;          // empty: likewise
    std::string local_part;      // empty: a catch-all
    std::int64_t priority = 0;
    std::string description;
    std::string expression;            // as the client wrote it
    std::vector<std::string> actions;  // likewise
    std::int64_t created_at = 0;       // seconds since 1970
};

struct Page {
    std::int64_t total = 0;
    std::vector<Alias> items;
};

// Returns a page of the aliases that a caller may see, in the order of their creation; those of
// all accounts account by account.
Page page(db::Connection& connection, const store::Whose& whose, const store::Page& page);
// Returns the alias with this id. Empty if there is none, or if its domain was removed.
std::optional<Alias> find(db::Connection& connection, std::string_view id);
// Returns the alias of exactly this address, or the catch-all with an empty local part.
std::optional<Alias> find(db::Connection& connection, const std::string& domain,
                          const std::string& local_part);
// Returns the alias whose expression matches the address: its own, or the catch-all of its domain
// or of the account. Empty if there is none.
std::optional<Alias> match(db::Connection& connection, const store::Whose& whose,
                           std::string_view local_part, const mailbox::Domain& domain);

// A target, as it is now.
struct Followed {
    std::string address;      // that it had when the alias was set
    bool is_there = false;    // false: it was deleted, or mail may not be sent outside
    bool is_outside = false;  // an address outside
};
// Returns the targets of the alias, in the order of its actions.
std::vector<Followed> targets(db::Connection& connection, std::int64_t number);
// Returns the addresses of the mailboxes that get the mail of the alias now, and those outside,
// sorted. Empty: mail is refused.
std::vector<std::string> recipients(db::Connection& connection, std::int64_t number);
// Returns the aliases that have no recipient, at most `limit`, as addresses.
std::vector<std::string> leading_nowhere(db::Connection& connection, std::int64_t limit);

// What an alias is created with, or changed to. What is not given stays, or has its default.
struct Settings {
    admin::Given<std::int64_t> priority;
    admin::Given<std::string> description;
    admin::Given<std::string> expression;
    admin::Given<std::vector<std::string>> actions;
};

// The caller of a change. `whose`: the account whose aliases it may change. With a domain, the
// alias and its targets must be in that one. Only the operator changes aliases of a suspended
// domain.
struct Caller {
    store::Whose whose{};
    bool is_operator = false;
};

// The code of a refusal because a domain or a name is suspended.
inline constexpr std::string_view kSuspended = "suspended";

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
            std::function<void(db::Connection&)> first = {})
        : transactions_{how, id, actor, std::move(first)}
    {
    }

    // Returns the new alias. `last` runs within the transaction, as its last step.
    using Last = std::function<void(db::Connection&, const Alias&)>;
    Alias add(const Caller& caller, const Settings& settings, const Last& last = {});
    // Binds the alias to its targets anew if actions are given; otherwise they stay.
    Alias change(const Caller& caller, const Alias& alias, const Settings& settings);
    void remove(const Caller& caller, const Alias& alias);

private:
    db::Connection& connection() { return transactions_.connection(); }
    struct Place;
    Place place_of(const store::Whose& whose, const Pattern& pattern);
    void lock(const Caller& caller, std::int64_t account_id, std::int64_t domain_id);
    void check_allowances(std::int64_t account_id, std::int64_t domain_id);
    void set_own(const Alias& alias, bool has_stop);
    void set_targets(const store::Whose& whose, const Alias& alias,
                     const std::vector<Target>& targets);
    void check_outside(const Alias& alias);
    void check_name(const Caller& caller, const Alias& alias);
    void check_chain(const Alias& alias);
    void write(std::string_view action, const Alias& alias);

    audit::Transactions transactions_;
};

}  // namespace alias
