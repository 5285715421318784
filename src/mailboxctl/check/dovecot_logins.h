// dovecot_logins.h - whether Dovecot finds our mailboxes.
#pragma once

#include "base/check_result.h"
#include "base/config.h"
#include "mailboxctl/check/database_user.h"

namespace check {

// Asks Dovecot about one mailbox, through doveadm's HTTP API. Unknown if the setting doveadm is
// missing or this process lacks the right to ask.
Result dovecot(const Config& config, DatabaseUser& ctl);

}  // namespace check
