// janitor.h - what the service leaves for later: ends sessions that are not in order any
// more, removes what nobody can want back.
//
// Works as the mail store's user and with a database user of its own, beside the service,
// which never waits for it. It may be away: what is to be done stands in the tables, and
// each step can be repeated from its beginning.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/config.h"
#include "db/connection.h"
#include "peers/dovecot.h"
#include "peers/maildir.h"

namespace janitor {

using Clock = std::chrono::steady_clock;

// --- sessions -------------------------------------------------------------------------

// How long after a change sessions are looked for that it ends. A login that was verified
// before it may take its time to get from one of Dovecot's processes to the next: 60 s for
// the answer of a worker, then less than a second unless a queue is in its way.
inline constexpr std::chrono::seconds kWatched{120};

struct Look {
    bool was_due = false;    // otherwise nothing was asked but the table
    std::int64_t ended = 0;  // users whose sessions were told to end, now for the first time
    std::int64_t told = 0;   // all of them, who were told before and are still there, too
    std::vector<std::string> stayed;  // those who were told kPatience times in vain, once
};

// A session that was told this often, half a second after each other, does not end by itself.
inline constexpr int kPatience = 10;

class Sessions {
public:
    Sessions(db::Session& session, const doveadm::Client& doveadm)
        : session_{session}, doveadm_{doveadm}
    {
    }

    // One statement where nothing is to be done. Throws db::Error, doveadm::Failed.
    Look look();

private:
    bool is_due(std::int64_t age, Clock::time_point now) const;

    db::Session& session_;
    const doveadm::Client& doveadm_;
    Clock::time_point last_look_{};
    std::map<std::string, int> told_;  // how often, who was there at the last look
};

// Looks until nobody is left to be ended, but not for long.
struct Ended {
    std::int64_t users = 0;
    std::int64_t stayed = 0;
};
Ended end_sessions(Sessions& sessions);

// --- what nobody can want back --------------------------------------------------------

struct Purged {
    bool is_complete = true;  // otherwise the time was over; the next call goes on
    std::int64_t stores = 0;
    std::int64_t files = 0;
    std::int64_t bytes = 0;
    std::vector<std::pair<std::string, storage::Removed>>
        removed;  // of which mailbox, as far as this call
    std::vector<std::pair<std::string, std::string>> failed;  // of which it could not be, and why
    std::map<std::string, std::int64_t> rows;                 // by table
};

class Purge {
public:
    // Opens the store for a work of its own: it may have been mounted since the last one, or not be
    // any more.
    Purge(db::Session& session, const Config& config)
        : session_{session}, config_{config}, store_{config.store}
    {
    }

    // The mail of those that were deleted longer ago than they can be restored, and of those that
    // are to be erased. What cannot be removed does not keep the rest from it; the next call tries
    // again.
    Purged stores(Clock::time_point end);

    // Folders below the store's folder `prefix` that no row knows.
    std::vector<std::string> unknown(std::string_view prefix);
    Purged remove_unknown(std::string_view id, Clock::time_point end);
    std::vector<std::string> strangers() const { return store_.strangers(); }

private:
    db::Session& session_;
    const Config& config_;
    storage::Store store_;
};

// Expired rows of every table.
Purged purge_rows(db::Session& session, const Config& config, Clock::time_point end);

// --- sizes that are in doubt ----------------------------------------------------------

struct Recounted {
    bool is_complete = true;  // otherwise the time was over; the next call goes on
    std::int64_t mailboxes = 0;
    std::int64_t mended = 0;                                  // of which the size was another one
    std::vector<std::pair<std::string, std::string>> failed;  // of which it could not be, and why
};

// Counts the mailboxes anew of which Dovecot told two sizes within seconds, once they are at rest.
Recounted recount_doubtful(db::Session& session, const Config& config,
                           const doveadm::Client& doveadm, Clock::time_point end);

// --- the program ----------------------------------------------------------------------

// Takes on the identity of the mail store's owner, for good: what root removes might be anything.
// Returns its folder.
std::string become_owner_of_store(const Config& config);

enum class Orphans { report, remove };

// All of it once; tells what was done. Returns whether all could be done.
bool run_once(const Config& config, Orphans orphans, std::ostream& out);

// Until TERM or INT.
void watch(const Config& config);

}  // namespace janitor
