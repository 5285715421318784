// audit.h - who changed what: the rows of audit_log. Each is written in the transaction of its
// change.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/connection.h"
#include "mail/address.h"

namespace audit {

struct Actor {
    std::string key_id;            // the API key's id, or kOperator
    std::string_view client = {};  // the address that the request came from
};

inline constexpr std::string_view kOperator = "operator";

// The names of actors that are not keys. No account may have one of them, because `mailboxctl audit
// NAME` would show both. The janitor does not write to the log yet.
inline constexpr std::array<std::string_view, 2> kActors{kOperator, "janitor"};

// The primary key of a transaction's rows. It is chosen before the transaction begins, so that the
// rows can be looked for if COMMIT got no answer.
struct Id {
    Id();
    std::int64_t at;  // microseconds since 1970
    std::int64_t id;  // a transaction's rows count up from here; below 2^62, so that they have room
};

// Returns the log's word for a change to this state.
std::string_view action_of(mailbox::State state);

// Writes one row. `number`: its number within the transaction, from 0. `what` is a local part, or
// what was changed if that is not an address.
void write(db::Connection& connection, const Id& id, std::size_t number, const Actor& actor,
           std::string_view action, std::string_view domain, std::string_view what);

struct Entry {
    std::int64_t at;  // microseconds since 1970
    std::string actor;
    std::string client;
    std::string action;
    std::string domain;
    std::string what;
};

// The entries that a caller of the API asks for, limited to those that it may see.
struct Selection {
    std::int64_t account_id = 0;  // only what concerns this account; 0: everything
    std::int64_t domain_id = 0;   // only what concerns this domain of the account; 0: all of it
    std::string domain;           // empty: any
    std::string what;             // a local part; empty: any
    std::string actor;            // a key's id; empty: any
    std::int64_t since = 0;       // microseconds since 1970
    std::int64_t limit = 100;
};
// Returns the newest entries, the newest first. An account sees the changes to its domains, by its
// own keys and the operator, from the time when they became its domains. It sees what its keys did.
// It does not see the addresses of other callers.
std::vector<Entry> selected(db::Connection& connection, const Selection& selection);

// These return the newest entries, at most `limit`, in the order in which they were written.
// of_name: `name` is a domain, a key or an account. Returns the changes to it, in it and by it.
std::vector<Entry> all(db::Connection& connection, std::int64_t limit);
std::vector<Entry> of_address(db::Connection& connection, std::string_view local_part,
                              std::string_view domain, std::int64_t limit);
std::vector<Entry> of_name(db::Connection& connection, std::string_view name, std::int64_t limit);

// Returns the newest entry with one of these actions. Empty if there is none.
using Actions = std::array<std::string_view, 3>;
std::optional<Entry> latest(db::Connection& connection, const Actions& actions,
                            std::string_view domain, std::string_view what);

}  // namespace audit
