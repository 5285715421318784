// erasure.h - erases everything known about an address, or about a domain and all in it: mail,
// rows, names.
//
// Works in steps that can be repeated. After lock_out() nobody can log in or restore anything, and
// the janitor removes the mail that this program cannot reach. A second run finds the names that
// are left. Throws db::Error if MySQL cannot be asked.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/config.h"
#include "db/connection.h"
#include "db/session.h"
#include "peers/maildir.h"

namespace erasure {

// Stands in the audit log in place of a name. No address contains parentheses.
inline constexpr char kErased[] = "(erased)";

// The address or the domain that is erased.
struct Target {
    std::string domain;
    std::string local_part = {};  // empty: the domain itself
    // Only what is deleted already. The present mailbox or domain stays, and so does the audit log.
    bool is_deleted_only = false;
    std::string text() const { return local_part.empty() ? domain : local_part + "@" + domain; }
};

// Returns a regular expression (grep -iE) that finds the lines of logs that name the target: its
// address with or without an extension, its paths in the API, and both with any character
// percent-encoded.
std::string pattern(const Target& target);

class Erasure {
public:
    Erasure(db::Session& session, Target target) : session_{session}, target_{std::move(target)} {}

    // Returns how many rows each table has of the target. Rows of tables that are not named are
    // deleted together with these.
    using Rows = std::vector<std::pair<const char*, std::int64_t>>;
    Rows rows();
    // Returns the account that owns the domain; empty if there is no such domain.
    std::string account();

    // Deletes the target, and makes everything deleted of it impossible to restore.
    void lock_out();
    // Returns the storage ids of the mailboxes that lock_out() locked out.
    std::vector<std::string> storage_ids();
    // Removes the mail of these mailboxes, and with each one's mail its name. A mailbox that cannot
    // be removed keeps its name and does not stop the others.
    struct Mail {
        std::int64_t files = 0;
        std::int64_t bytes = 0;
        std::vector<std::string> failed;  // the reasons
    };
    Mail remove_mail(maildir::Store& store);
    // Replaces the names in the audit log and removes the IP addresses of clients.
    void forget();

private:
    db::Session& session_;
    Target target_;
};

struct Done {
    std::int64_t sessions_ended = 0;
    Erasure::Mail mail;
    std::vector<std::string> storage_ids;
    std::string left;  // what is left to the janitor, and why; empty if nothing is
};

// Does all steps. Switches this process to the owner of the mail store for good.
Done erase(Erasure& erasure, db::Session& session, const Config& config);

}  // namespace erasure
