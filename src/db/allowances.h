// allowances.h - places for new mailboxes: ids, counters, and the limits of domain and account
// (max_mailboxes).
//
// The functions that change something run within the caller's transaction. They throw db::Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/connection.h"
#include "db/grants.h"
#include "mail/address.h"

namespace store {

struct Created {
    enum class Outcome {
        yes,
        already_exists,
        name_is_suspended,
        domain_is_full,
        account_is_full,
        no_such_domain
    };
    Outcome outcome = Outcome::yes;
    std::size_t created = 0;                       // new ones
    std::size_t updated = 0;                       // that existed, where the domain allows that
    std::optional<mailbox::Address> address = {};  // for already_exists, name_is_suspended
    std::int64_t allowance = 0;                    // for domain_is_full, account_is_full
};

// Returns why nothing was created.
std::string sentence(const Created& refused);

// Whether a new mailbox may get a name that the operator has suspended. If it may, it is suspended,
// too.
enum class SuspendedNames { refused, accepted };

// A domain after mailboxes were added to its counter.
struct Reserved {
    std::int64_t mailboxes = 0;
    std::int64_t last_id = 0;          // the ids up to this one are theirs
    bool has_suspended_names = false;  // that have no mailbox
    std::optional<std::int64_t> max_of_domain;
    std::optional<std::int64_t> max_of_account;
};

// Adds `count` mailboxes to the domain's counter and gives out their ids. Other transactions that
// change the domain's mailboxes wait from then on. Returns empty if there is no such domain.
std::optional<Reserved> reserve(db::Connection& connection, std::int64_t domain_id,
                                std::int64_t count);

// Returns whether the allowances have room for what was reserved: Outcome::yes, domain_is_full or
// account_is_full. `total`: how many mailboxes the domain has with it.
Created check_allowances(db::Connection& connection, std::int64_t domain_id,
                         const Reserved& reserved, std::int64_t total);

// Reserves a place for one mailbox, counts it everywhere and sets `id` to its id. Returns
// Outcome::yes, or why there is no place.
Created take_place(db::Connection& connection, std::int64_t domain_id, std::int64_t& id);

// Returns the first of at most 100 addresses whose name is suspended and has no mailbox. Empty if
// there is none.
std::optional<mailbox::Address> first_suspended(db::Connection& connection, std::int64_t domain_id,
                                                const std::vector<mailbox::Address>& addresses);

// Returns what Store::create() would say now, without changing anything.
Created foresee(db::Connection& connection, const grants::Grant& grant,
                const std::vector<mailbox::Address>& addresses);

}  // namespace store
