// notify.h - messages to the service manager (sd_notify(3)), and the sockets that it hands over
// (sd_listen_fds(3)).
//
// Both protocols are a datagram and an environment variable, so no library is linked
// for them. Without a service manager every call does nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace notify {

void ready();      // the sockets listen and every worker was started
void reloading();  // until ready() is called again
void stopping();
void alive();

// Returns how often to call alive(): half the time after which the service manager takes us for
// hung (sd_watchdog_enabled(3)). Empty if it does not watch.
std::optional<std::chrono::microseconds> alive_interval();

// Calls alive() as often as the service manager expects.
class Pulse {
public:
    using Clock = std::chrono::steady_clock;
    void beat();  // calls alive() if it is due
    // Returns when the next call is due. Empty if the service manager does not watch.
    std::optional<Clock::time_point> due() const;

private:
    std::optional<std::chrono::microseconds> interval_ = alive_interval();
    Clock::time_point due_{};
};

// Returns how many listening sockets were handed over, from descriptor 3 on.
int inherited_sockets();

// Returns the names of these sockets (FileDescriptorName= in systemd.socket(5)), in their order. A
// socket whose name was not handed over has an empty one.
std::vector<std::string> inherited_socket_names();

}  // namespace notify
