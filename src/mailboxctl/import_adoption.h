// import_adoption.h - takes over the Maildirs that the rows of an import name (--adopt).
//
// The mail of a mailbox follows when the mailbox is committed, so a run that ends in the middle
// leaves whole mailboxes, and the next run takes over what is missing. What cannot be taken over is
// reported, and the import goes on with the next mailbox.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "db/connection.h"
#include "mailboxctl/adoption.h"
#include "mailboxctl/command.h"
#include "mailboxctl/import_write.h"
#include "peers/dovecot.h"

namespace import_adoption {

// Reads the option --adopt. Empty: no mail is taken over. Throws command::WrongUsage.
std::optional<adoption::How> how_of(const command::Call& call);

class Adopter {
public:
    Adopter(const command::Call& call, db::Connection& connection, adoption::How how);

    // Returns why the Maildir cannot be taken over. Empty if it can.
    std::string obstacle(const std::string& maildir) const;
    void adopt(const import_write::Adoptable& mailbox);

    bool has_failed() const { return !failed_.empty(); }
    // Returns the outcome as a sentence, and as members of a JSON object.
    std::string sentence() const;
    json::Members members() const;

private:
    adoption::Wanted wanted(const std::string& maildir) const;

    const command::Call& call_;
    db::Connection& connection_;
    adoption::How how_;
    std::optional<dovecot::Client> doveadm_;
    std::int64_t mailboxes_ = 0;
    std::int64_t messages_ = 0;
    std::int64_t added_ = 0;
    std::int64_t left_ = 0;            // files that are no messages
    std::vector<std::string> failed_;  // addresses
    bool is_full_ = false;             // the mail store
};

}  // namespace import_adoption
