// triggers.h - whether the tables still have their triggers.
#pragma once

#include "base/check_result.h"
#include "base/config.h"
#include "mailboxctl/check/database_user.h"

namespace check {

// Makes changes that set off each trigger, looks at their effect, and rolls them back: only an
// administrator can see triggers themselves. The triggers of sizes are tried as Dovecot's database
// user; the result is unknown if its password is not available here. An installation without a
// domain or mailbox has nothing to try them on and is in order. Throws db::Error.
Result triggers(const Config& config, DatabaseUser& ctl);

}  // namespace check
