// adoption.h - takes the mail of another server's Maildir over into a mailbox's home.
//
// Messages come by hard links or copies. Folders, flags, keywords, subscriptions, UIDs and UIDLs
// stay. Deliveries may go on in both places. A run that ends in the middle, by SIGKILL also, leaves
// what the next run continues:
//
//   home/.adoption/FOLDER/      messages that Dovecot does not see yet
//   home/Maildir/               with Dovecot's lock, dovecot-uidlist is replaced; then the messages
//                               are moved there
//
// A message that is still in .adoption was never shown to anybody. So it may get the UID of the old
// server later, even if Dovecot dropped that UID meanwhile.
//
// Throws admin::Refused before anything is changed; later std::system_error and std::runtime_error,
// after which the command can be repeated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "peers/foreign_maildir.h"
#include "peers/uid_merge.h"

namespace adoption {

enum class How { link, copy };

struct Wanted {
    std::string source{};  // a path
    foreign::Layout layout = foreign::Layout::found;
    How how = How::link;
    // For links: the messages' owner becomes the store's, and the old server loses its access.
    bool may_take_ownership = false;
    // Somebody has logged in to the mailbox. Then UIDs of messages that it has are not changed, and
    // messages that were deleted here do not come again.
    bool was_used = false;
    std::string uidl_format = uidlist::kUidlFormat;  // pop3_uidl_format of the old server
};

struct Folder {
    std::string name;           // as in IMAP, in UTF-8
    std::int64_t messages = 0;  // of the source
    std::int64_t added = 0;
    std::int64_t changed = 0;       // got other flags
    std::int64_t deleted_here = 0;  // not taken over again
    uid_merge::Uids uids = uid_merge::Uids::kept;
};

struct Done {
    std::vector<Folder> folders;
    std::vector<foreign::Left> left;
    std::int64_t messages = 0;
    std::int64_t bytes = 0;
    std::int64_t added = 0;
    std::int64_t lost_keywords = 0;  // keywords for which the folder has no letter any more
};

// Reads the source, and refuses what cannot be taken over. Changes nothing.
Done check(const Wanted& wanted, const std::string& store);
// Checks, and then takes the mail over into the home of the mailbox with this storage id.
Done adopt(const Wanted& wanted, const std::string& store, const std::string& storage_id);

}  // namespace adoption
