// triggers.h - whether the tables still have their triggers.
#pragma once

#include "base/check_result.h"
#include "mailboxctl/check/database_user.h"

namespace check {

// Makes changes that set off each trigger, looks at their effect, and rolls them back: only an
// administrator can see triggers themselves. An installation without a domain or mailbox has
// nothing to try them on and is in order. Throws db::Error.
Result triggers(DatabaseUser& ctl);

}  // namespace check
