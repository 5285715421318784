// adoption.h - takes the mail of another server's Maildir over into a mailbox's home.
//
// Messages come by hard links or copies. Folders, flags, keywords, subscriptions, UIDs and UIDLs
// stay. Deliveries may go on in both places. A run that ends in the middle, by SIGKILL also, leaves
// what the next run continues.
//
// Throws admin::Refused before anything is changed; later std::system_error and std::runtime_error,
// after which the command can be repeated.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "mailboxctl/folder_adoption.h"
#include "peers/foreign_maildir.h"

namespace adoption {

struct Done {
    std::vector<Folder> folders;
    std::vector<foreign::Left> left;
    std::int64_t messages = 0;
    std::int64_t bytes = 0;
    std::int64_t added = 0;
};

// Reads the source, and refuses what cannot be taken over. Changes nothing.
Done check(const Wanted& wanted, const std::string& store);
// The mail store has no space left, or its user's quota is used up. What was copied stays.
struct NoSpace : std::runtime_error {
    using std::runtime_error::runtime_error;
};
// Checks, and then takes the mail over into the home of the mailbox with this storage id. Throws
// NoSpace, too.
Done adopt(const Wanted& wanted, const std::string& store, const std::string& storage_id);

}  // namespace adoption
