// janitor.h - the command `janitor`: does what the service leaves for later. It ends sessions that
// are no longer allowed, removes what can no longer be restored, and recounts mailboxes
// whose size is in doubt.
//
// Runs as the mail store's owner and with a database user of its own. The service never waits for
// it. It may be stopped at any time: the tables hold what is to be done, and every step can be
// repeated.
#pragma once

#include <iosfwd>

#include "base/config.h"

namespace janitor {

enum class Orphans { report, remove };

// Does everything once and reports it on `out`. Returns whether all of it succeeded.
bool run_once(const Config& config, Orphans orphans, std::ostream& out);

// Does everything again and again, until TERM or INT.
void run_until_stopped(const Config& config);

}  // namespace janitor
