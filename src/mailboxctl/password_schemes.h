// password_schemes.h - `mailboxctl password-schemes`: how many mailboxes have a password hash of
// which scheme.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/connection.h"
#include "mail/password_scheme.h"
#include "mailboxctl/command.h"

namespace password_schemes {

struct Count {
    std::string group;  // the domain or account; empty: all together
    std::string scheme;
    std::int64_t mailboxes = 0;
    std::int64_t never = 0;  // how many of them have not been logged in to yet
};

enum class By { all, domain, account };
// Returns the counts by group and scheme, the most mailboxes of a group first. Reads every mailbox.
std::vector<Count> counts(db::Connection& connection, By by);

command::Command command();

}  // namespace password_schemes
