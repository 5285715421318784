// send_limit.h - the command `postfix-policy`: limits how many recipients a mailbox may send to
// within an hour (setting send_limit), and how many messages the aliases of a domain may send to
// other servers (forward_limit).
//
// Postfix asks twice by its policy protocol (SMTPD_POLICY_README). Before it accepts a message, it
// asks whether all recipients are within the limit. At the end of the message it asks again, and
// the recipients are counted. A message that is aborted in between is not counted.
//
// Recipients are counted by address, by domain and by account, because these names stay when a
// mailbox is deleted and created again. All mailboxes of a domain together may send what their
// present number may send, and so may those of an account. So creating and deleting mailboxes does
// not raise the limit.
//
// Mail that an alias sends to another server reaches the service mailboxd-forward of Postfix, a
// recipient at a time. What exceeds the limit waits in Postfix's queue.
//
// Throws db::Error if the database cannot be asked; then nothing was counted.
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

// The attributes of one request, by name.
using Request = std::map<std::string, std::string>;

struct Limits {
    std::int64_t send = 0;     // recipients of a mailbox; 0: no limit
    std::int64_t forward = 0;  // messages that the aliases of a domain send; 0: no limit
};

// One of the counts that a request adds to, and how much of it is used.
struct Count {
    std::string kind;  // mailbox, domain or account; forwarded: what the aliases of a domain send
    std::string name;
    std::int64_t recipients = 0;  // within the hour
    std::int64_t limit = 0;
    std::int64_t until = 0;  // end of the hour, in seconds since 1970; 0 if nothing was sent

    std::int64_t room() const { return limit > recipients ? limit - recipients : 0; }
};

// Returns the three counts of a mailbox: account, domain, mailbox. Empty if there is no such
// mailbox.
std::vector<Count> counts(db::Connection& connection, std::string_view storage_id,
                          std::int64_t send_limit);

// Returns whether the request is about one of our mailboxes or aliases at a stage that matters. If
// not, the answer is DUNNO.
bool is_counted(const Request& request, const Limits& limits);

// Returns the action for Postfix: DUNNO, or a refusal with the limit and the time when sending is
// possible again. At END-OF-MESSAGE the recipients are counted unless they are refused; the count
// is exact for any number of parallel sessions. Other stages, users that are not ours, and a limit
// of 0 get DUNNO.
std::string decide(db::Connection& connection, const Request& request, const Limits& limits);

// Runs the statements of counting for a mailbox that does not exist, and rolls them back. Throws
// db::Error if one fails, for example because a right is missing.
void try_to_count(db::Connection& connection);

// Answers requests until `in` ends. While the database is away the answer is 451, and the reason
// goes to the mail log.
void serve(const Config& config, std::istream& in, std::ostream& out);

// Asks the policy service on this socket about a user that does not exist, and returns its answer.
// Throws std::runtime_error with the reason if there is none.
std::string ask(const std::string& socket);

}  // namespace send_limit
