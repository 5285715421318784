// erasure.h - takes away for good what is known of an address, or of a domain with all in it: mail,
// rows, names.
//
// In steps, each of which can be repeated. From lock_out() on nobody can log in or restore
// anything, and the janitor removes the mail where this program does not come to it; what is left
// of the names is found by running it again. Throws db::Error when MySQL could not be asked.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/config.h"
#include "db/connection.h"
#include "peers/maildir.h"

namespace erasure {

// What the audit log says instead of a name. No address has parentheses.
inline constexpr char kErased[] = "(erased)";

struct What {
    std::string domain;
    std::string local_part = {};  // empty: the domain itself
    bool is_deleted_only =
        false;  // the mail of those that were deleted; who lives stays, and so does the audit log
    std::string text() const { return local_part.empty() ? domain : local_part + "@" + domain; }
};

// A regular expression (grep -iE) that finds the lines of logs that name it: an address with or
// without an extension, the paths of the API, and any character of them percent-encoded.
std::string pattern(const What& what);

class Erasure {
public:
    Erasure(db::Session& session, What what) : session_{session}, what_{std::move(what)} {}

    // How many rows there are of it, by table. What a table that is not named has goes with these.
    using Rows = std::vector<std::pair<const char*, std::int64_t>>;
    Rows rows();
    // Whose the living ones are; empty: there is no such domain.
    std::string account();

    // It is deleted, and what was deleted cannot be restored.
    void lock_out();
    // Of those that were locked out.
    std::vector<std::string> storage_ids();
    // And with each one's mail its name. What cannot be removed keeps it, and does not keep the
    // rest from being removed.
    struct Mail {
        std::int64_t files = 0;
        std::int64_t bytes = 0;
        std::vector<std::string> failed;  // why
    };
    Mail remove_mail(maildir::Store& store);
    // The names in the audit log, and with them the addresses of clients.
    void forget();

private:
    db::Session& session_;
    What what_;
};

struct Done {
    std::int64_t sessions_ended = 0;
    Erasure::Mail mail;
    std::vector<std::string> storage_ids;
    std::string left;  // what the janitor has to do instead, and why; empty: nothing
};

// All of it, as the mail store's user from then on.
Done erase(Erasure& erasure, db::Session& session, const Config& config);

}  // namespace erasure
