// audit.h - who changed what: rows of audit_log, written in the transaction of the change that they
// tell of.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/connection.h"

namespace audit {

struct Actor {
    std::string key_id;            // or kOperator
    std::string_view client = {};  // the address that it called from
};

inline constexpr std::string_view kOperator = "operator";

// The names of actors that are no keys. No account may have one of them: `mailboxctl audit NAME`
// would show both. The janitor does not write to the log yet.
inline constexpr std::array<std::string_view, 2> kActors{kOperator, "janitor"};

// The primary key of a transaction's rows: chosen before it begins, so that it can be
// asked for when COMMIT got no answer.
struct Id {
    Id();
    std::int64_t at;  // microseconds since 1970
    std::int64_t id;  // a transaction's rows count up from here; below 2^62, so that they have room
};

// `what` is a local part, or what the action was done to where that is no address.
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

// The newest entries, in the order written: all; of an address; and of a name, which is a domain's,
// a key's or an account's: what was done to it, in it and by it.
std::vector<Entry> all(db::Connection& connection, std::int64_t limit);
std::vector<Entry> of_address(db::Connection& connection, std::string_view local_part,
                              std::string_view domain, std::int64_t limit);
std::vector<Entry> of_name(db::Connection& connection, std::string_view name, std::int64_t limit);

// The newest of these actions, written as write() has them.
using Actions = std::array<std::string_view, 3>;
std::optional<Entry> latest(db::Connection& connection, const Actions& actions,
                            std::string_view domain, std::string_view what);

}  // namespace audit
