// recount.h - the size of a mailbox as its mail is now: Dovecot counts it, and mailbox_usage gets
// what it counted.
//
// Dovecot tells each size by itself when it changes something. That is not enough for mail that
// came by another way, such as a restored Maildir, or where two processes told in the same moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "db/connection.h"
#include "peers/dovecot.h"

namespace recount {

struct Size {
    std::int64_t before = 0;  // bytes that the tables had
    std::int64_t bytes = 0;
    std::int64_t messages = 0;
};

// Counts the mailbox with this storage id, which is in this domain. Empty: there is none, or it was
// deleted meanwhile. What Dovecot tells meanwhile is not written over: then it is counted again.
// Throws doveadm::Failed where Dovecot cannot say, db::Error where the database cannot be asked.
std::optional<Size> mailbox(db::Connection& connection, const doveadm::Client& doveadm,
                            const std::string& storage_id, const std::string& domain);

// Whether the tables know of any mail.
bool is_there_mail(db::Connection& connection);

// A mailbox whose size is in doubt, and at rest for some seconds.
struct Doubtful {
    std::string storage_id;
    std::string domain;
};
// In the order of their storage ids, from behind one.
std::vector<Doubtful> doubtful(db::Connection& connection, const std::string& after,
                               std::int64_t limit);

}  // namespace recount
