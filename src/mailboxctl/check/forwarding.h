// forwarding.h - whether mail that aliases send to other servers gets a sender of this server
// (SRS), and whether its bounces find the original sender.
#pragma once

#include "base/check_result.h"
#include "base/config.h"
#include "mailboxctl/check/database_user.h"

namespace check {

// Nothing is asked if no domain has forward_outside.
Result forwarding(const Config& config, DatabaseUser& ctl);

}  // namespace check
