// uid_merge.h - which UIDs the messages of a folder get that come from another server.
//
// Mail programs remember messages by UIDVALIDITY and UID, and POP3 programs by UIDL: a message with
// other values is downloaded again.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "peers/uidlist.h"

namespace uid_merge {

struct Wanted {
    std::optional<uidlist::List> source;  // empty: the old server had no UIDs
    std::optional<uidlist::List> target;  // empty: Dovecot does not know the folder
    std::set<std::string> present{};      // base names of the messages that the folder has
    std::set<std::string> added{};        // base names of those that it is about to get
    bool was_used = false;                // somebody may have seen the target's UIDs
    // Returns the UIDL that the old server showed for a message of the source's list.
    std::function<std::string(const uidlist::Record&)> uidl{};
};

enum class Uids {
    kept,      // every message that had a UID has it still
    appended,  // the folder had UIDs already; messages got new ones, but kept their UIDLs
    made,      // the source had none
};

struct Merged {
    std::optional<uidlist::List> list;  // empty: Dovecot makes it
    Uids uids = Uids::kept;
    // A UID means another message now, or one that Dovecot took for deleted: Dovecot must not find
    // its index.
    bool is_index_stale = false;
};

Merged merged(const Wanted& wanted);

}  // namespace uid_merge
