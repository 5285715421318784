#include "base/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <sstream>
#include <string>
#include <string_view>

namespace notify {
namespace {

void send(std::string_view state)
{
    const char* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path == nullptr || std::strlen(path) >= sizeof address.sun_path) return;
    const auto length = std::strlen(path);
    std::memcpy(address.sun_path, path, length);
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return;
    ::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address),
             static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
    ::close(socket);
}

}  // namespace

void ready()
{
    send("READY=1");
}
void stopping()
{
    send("STOPPING=1");
}
void alive()
{
    send("WATCHDOG=1");
}

// The time is CLOCK_MONOTONIC's, as Type=notify-reload requires.
void reloading()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    send("RELOADING=1\nMONOTONIC_USEC="
         + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1000));
}

std::optional<std::chrono::microseconds> alive_interval()
{
    const char* limit = std::getenv("WATCHDOG_USEC");
    const char* pid = std::getenv("WATCHDOG_PID");
    if (limit == nullptr || (pid != nullptr && std::atoi(pid) != ::getpid())) return std::nullopt;
    const std::chrono::microseconds half{std::atoll(limit) / 2};
    return half.count() > 0 ? std::optional{half} : std::nullopt;
}

void Pulse::beat()
{
    const auto now = Clock::now();
    if (!interval_ || now < due_) return;
    alive();
    due_ = now + *interval_;
}

std::optional<Pulse::Clock::time_point> Pulse::due() const
{
    return interval_ ? std::optional{due_} : std::nullopt;
}

int inherited_sockets()
{
    const char* pid = std::getenv("LISTEN_PID");
    const char* count = std::getenv("LISTEN_FDS");
    if (pid == nullptr || count == nullptr || std::atoi(pid) != ::getpid()) return 0;
    return std::max(std::atoi(count), 0);
}

std::vector<std::string> inherited_socket_names()
{
    std::vector<std::string> names(static_cast<std::size_t>(inherited_sockets()));
    const char* const list = std::getenv("LISTEN_FDNAMES");
    std::istringstream text{list == nullptr ? "" : list};
    for (auto& name : names) std::getline(text, name, ':');
    return names;
}

}  // namespace notify
