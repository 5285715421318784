// send_limit.h - how much a mailbox may send: so many recipients within an hour (the setting
// send_limit).
//
// Postfix asks over its policy protocol (SMTPD_POLICY_README): before it takes a message, whether
// there is room for all of its recipients, and once more when it has all of it, which counts them.
// What is aborted in between is not counted.
//
// It is counted by address, by domain and by account, whose names stay when a mailbox is deleted
// and created again. The mailboxes of a domain, and those of an account, may together send what
// their present number may send. Nobody sends more by creating mailboxes, sending from them and
// deleting them.
//
// Throws db::Error where the database cannot be asked; nothing was counted then.
#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "db/connection.h"

namespace send_limit {

inline constexpr std::int64_t kSpan = 3600;  // seconds

// Attributes of one request, by name.
using Request = std::map<std::string, std::string>;

// What is counted together, and how much of it is used.
struct Count {
    std::string kind;  // mailbox, domain or account
    std::string name;
    std::int64_t recipients = 0;  // within the hour
    std::int64_t limit = 0;
    std::int64_t until = 0;  // the hour's end, seconds since 1970; 0: nothing was sent

    std::int64_t room() const { return limit > recipients ? limit - recipients : 0; }
};

// The three counts of a mailbox, the account's first. Empty if there is no such mailbox.
std::vector<Count> counts(db::Connection& connection, std::string_view storage_id,
                          std::int64_t send_limit);

// Whether the request is about one of our mailboxes, at a stage that matters. Otherwise the answer
// is DUNNO.
bool is_counted(const Request& request, std::int64_t send_limit);

// Postfix's action: DUNNO, or a refusal with the limit and the time from which on there is room. At
// END-OF-MESSAGE the recipients are counted if they are not refused, exactly, however many sessions
// do so at the same time. DUNNO for other stages, for users who are none of ours, and where
// send_limit is 0.
std::string decide(db::Connection& connection, const Request& request, std::int64_t send_limit);

// Does what counting does, for a mailbox that nobody has, and rolls it back. Throws db::Error where
// it is not possible, for want of a right for instance.
void try_to_count(db::Connection& connection);

// Answers requests until `in` ends: 451 while the database is away, which goes to the mail log with
// its reason.
void serve(const Config& config, std::istream& in, std::ostream& out);

// Asks who listens on this socket about a user whom nobody knows. Returns its answer; throws
// std::runtime_error with what was wrong where there is none.
std::string ask(const std::string& socket);

}  // namespace send_limit
