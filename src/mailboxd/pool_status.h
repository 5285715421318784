// pool_status.h - the answer to /status: what each worker does, what waits, and the counts that
// `mailboxctl status` (mailboxctl/status_command.cc) makes rates of. Only that command reads it, so
// its form may change with each release.
#pragma once

#include <string>

#include "mailboxd/pool_view.h"

namespace pool_status {

// Returns a JSON object.
std::string answer(const pool_view::Sources& sources);

}  // namespace pool_status
