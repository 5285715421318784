// janitor_purge.h - removes for good what can no longer be restored: mail, expired rows, and
// folders of the mail store that belong to no mailbox.
//
// Works in slices: each function stops at the given time and continues with the next call. Throws
// db::Error, and std::system_error if the mail store cannot be read.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.h"
#include "db/connection.h"
#include "db/session.h"
#include "mailboxctl/janitor_sessions.h"
#include "peers/maildir.h"

namespace janitor {

struct Purged {
    bool is_complete = true;  // false: the time was over; the next call continues
    std::int64_t stores = 0;  // mailboxes whose mail is completely removed
    std::int64_t files = 0;
    std::int64_t bytes = 0;
    std::vector<std::pair<std::string, maildir::Removed>> removed;  // by storage id
    std::vector<std::pair<std::string, std::string>> failed;        // storage id and reason
    std::map<std::string, std::int64_t> rows;                       // by table
};

class Purge {
public:
    // Opens the mail store. Use one object for each round of work, because the store may be mounted
    // or unmounted in between.
    Purge(db::Session& session, const Config& config)
        : session_{session}, config_{config}, store_{config.store}
    {
    }

    // Removes the mail of mailboxes that can no longer be restored or are to be erased. A mailbox
    // that cannot be removed does not stop the others; the next call tries it again.
    Purged stores(Clock::time_point end);

    // Returns the mailbox folders below the store's folder `prefix` that no row knows.
    std::vector<std::string> unknown(std::string_view prefix);
    // Removes such a folder, unless a row knows it by now.
    Purged remove_unknown(std::string_view id, Clock::time_point end);
    // Returns the paths in the store that are not folders of mailboxes.
    std::vector<std::string> strangers() const { return store_.strangers(); }

private:
    db::Session& session_;
    const Config& config_;
    maildir::Store store_;
};

// Deletes the expired rows of every table.
Purged purge_rows(db::Session& session, const Config& config, Clock::time_point end);

// Switches this process to the mail store's owner for good, because root could remove anything.
// Returns the store's folder.
std::string become_owner_of_store(const Config& config);

}  // namespace janitor
