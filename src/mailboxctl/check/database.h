// database.h - the database server, its tables and the rights of our database users.
//
// The functions throw db::Error if the server cannot be asked.
#pragma once

#include "base/check_result.h"
#include "base/config.h"
#include "mailboxctl/check/database_user.h"
#include <string_view>

namespace check {

// Connects.
Result connection(DatabaseUser& user);
// Compares the tables' version with this program's.
Result schema(DatabaseUser& service);
// Tries a change that it rolls back, and looks at the number of connections that the server allows.
Result server(DatabaseUser& service, const Config& config);

// Compares the user's rights with those that sql/grants.sql gives to `role`, such as mailboxd_api.
Result rights(DatabaseUser& user, std::string_view role);
// Likewise for the database users of Dovecot and Postfix. Unknown if their password is not
// available here.
Result dovecot_rights(const Config& config);
Result postfix_rights(const Config& config);

// Examines engines and unique keys.
Result tables(DatabaseUser& ctl);
// Whether acknowledged changes survive a crash of the machine.
Result durability(DatabaseUser& ctl);

}  // namespace check
