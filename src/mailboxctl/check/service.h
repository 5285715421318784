// service.h - whether mailboxd and the janitor run.
#pragma once

#include "base/check_result.h"
#include "base/config.h"
#include "mailboxctl/check/database_user.h"

namespace check {

// Asks for /healthz at the service's sockets, as nginx does.
Result service(const Config& config);
// Looks for sessions that the janitor should have ended by now. Throws db::Error.
Result janitor(DatabaseUser& ctl);

}  // namespace check
