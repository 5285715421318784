// signals.h - the master's signals to its child processes: TERM stops a process, USR1 makes it
// reopen its log.
//
// Both are blocked except while a process waits for work, so they never interrupt a request.
#pragma once

#include <csignal>
#include <string>

namespace signals {

// Installs the handlers and asks the kernel for TERM if the master dies. Returns the signal mask to
// wait for work with.
sigset_t prepare();

bool is_told_to_stop();

// Reopens the log file if USR1 came since the last call.
void reopen_log_if_told(const std::string& log_file);

}  // namespace signals
