// postfix_tables.h - whether Postfix finds our mailboxes, and may count what they send.
#pragma once

#include "base/check_result.h"
#include "base/config.h"
#include "mailboxctl/check/database_user.h"

namespace check {

// Asks Postfix's own programs about one mailbox, in each of our tables that main.cf and master.cf
// name, and compares their answers with the database. Also tries the policy service that counts
// what a mailbox sends; nothing is counted. Unknown if the setting postfix is missing or this
// process lacks the right to ask.
Result postfix(const Config& config, DatabaseUser& ctl);
// Judges the settings of Postfix; see postfix_settings.h. Skipped if Postfix does not tell its
// settings: Item::postfix reports that.
Result postfix_settings(const Config& config, DatabaseUser& ctl);

}  // namespace check
