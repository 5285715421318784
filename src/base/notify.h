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

// Says so as often as it wants to hear it.
class Pulse {
public:
    using Clock = std::chrono::steady_clock;
    void beat();  // where it is due
    // When the next one is; nothing: it does not want to hear any.
    std::optional<Clock::time_point> due() const;

private:
    std::optional<std::chrono::microseconds> interval_ = alive_interval();
    Clock::time_point due_{};
};

// How many listening sockets were handed over, from descriptor 3 on; 0 for none.
int inherited_sockets();

}  // namespace notify
