// signals.h - what the master tells its child processes: TERM stops one, USR1 makes it open its log
// again.
//
// Both stay blocked except while a process waits for work, so nothing is ever cut in half.
#pragma once

#include <csignal>
#include <string>

namespace signals {

// Installs the handlers, and asks for TERM if the master dies. Returns the mask to wait with.
sigset_t prepare();

bool is_told_to_stop();

// Opens the log file again if that was asked for since the last call.
void reopen_log_if_told(const std::string& log_file);

}  // namespace signals
