// recount.h - the real size of a mailbox: Dovecot counts its mail, and the result is stored in
// mailbox_usage.
//
// Normally Dovecot reports each size itself when it changes something. That does not cover mail
// that came by another way, such as a restored Maildir, or two processes that report at the same
// moment.
//
// Throws dovecot::Failed if Dovecot cannot count, db::Error if the database cannot be asked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/config.h"
#include "db/connection.h"
#include "db/session.h"
#include "peers/dovecot.h"
#include "peers/maildir.h"

namespace recount {

struct Size {
    std::int64_t before = 0;  // bytes that the tables had
    std::int64_t bytes = 0;
    std::int64_t messages = 0;
};

// Counts the mailbox with this storage id in this domain. Empty if it does not exist or was deleted
// in the meantime. A size that Dovecot reports during the count is not overwritten; the mailbox is
// then counted again.
std::optional<Size> mailbox(db::Connection& connection, const dovecot::Client& doveadm,
                            const std::string& storage_id, const std::string& domain);

// Returns whether any mailbox has mail according to the tables.
bool has_mail(db::Connection& connection);

// A mailbox whose stored size is in doubt, and which has not changed for some seconds.
struct Doubtful {
    std::string storage_id;
    std::string domain;
};
// Returns up to `limit` of them in the order of their storage ids, beginning after `after`.
std::vector<Doubtful> doubtful(db::Connection& connection, const std::string& after,
                               std::int64_t limit);

struct Recounted {
    bool is_complete = true;  // false: the time was over; the next call continues
    std::int64_t mailboxes = 0;
    std::int64_t mended = 0;                                  // mailboxes whose size was wrong
    std::vector<std::pair<std::string, std::string>> failed;  // storage id and reason
};

// Counts the mailboxes whose stored size is in doubt, because Dovecot reported two sizes within
// seconds.
Recounted all_doubtful(db::Session& session, const Config& config, const dovecot::Client& doveadm,
                       maildir::Clock::time_point end);

}  // namespace recount
