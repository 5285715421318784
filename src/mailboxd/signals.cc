#include "mailboxd/signals.h"

#include <sys/prctl.h>

#include "base/log.h"

namespace signals {
namespace {

volatile std::sig_atomic_t stop_was_asked_for = 0;
volatile std::sig_atomic_t reopening_was_asked_for = 0;

void note_stop(int)
{
    stop_was_asked_for = 1;
}

void note_reopen(int)
{
    reopening_was_asked_for = 1;
}

void handle(int signal, void (*handler)(int))
{
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(signal, &action, nullptr);
}

}  // namespace

// INT and HUP from a terminal reach the whole process group. Children ignore them, because the
// master acts on them.
sigset_t prepare()
{
    handle(SIGTERM, note_stop);
    handle(SIGINT, SIG_IGN);
    handle(SIGHUP, SIG_IGN);
    handle(SIGUSR1, note_reopen);
    handle(SIGPIPE, SIG_IGN);
    handle(SIGALRM, SIG_DFL);
    handle(SIGCHLD, SIG_DFL);
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::sigaddset(&blocked, SIGUSR1);
    ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigset_t waiting;
    ::sigemptyset(&waiting);
    return waiting;
}

bool is_told_to_stop()
{
    return stop_was_asked_for != 0;
}

void reopen_log_if_told(const std::string& log_file)
{
    if (reopening_was_asked_for == 0) return;
    reopening_was_asked_for = 0;
    logging::reopen(log_file);
}

}  // namespace signals
