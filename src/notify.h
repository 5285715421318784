// notify.h - what a service manager is told (sd_notify(3)) and gives (sd_listen_fds(3)).
//
// Both protocols are a datagram and an environment variable, so no library is linked
// for them. Without a service manager every call does nothing.
#pragma once

#include <chrono>
#include <optional>

namespace notify {

void ready();      // the sockets listen and every worker was started
void reloading();  // until ready() is called again
void stopping();
void alive();

// How often it wants to hear that we are alive, twice as often as it takes us for hung
// otherwise (sd_watchdog_enabled(3)); nothing: it does not want to.
std::optional<std::chrono::microseconds> alive_interval();

// How many listening sockets were handed over, from descriptor 3 on; 0 for none.
int inherited_sockets();

}  // namespace notify
