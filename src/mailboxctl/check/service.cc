#include "mailboxctl/check/service.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <system_error>

#include "db/connection.h"
#include "mailboxctl/janitor_sessions.h"

namespace check {
namespace {

// FastCGI 1.0, sections 3.3 and 3.4. Content is shorter than 256 bytes, names and values than 128.
std::string record(char type, const std::string& content)
{
    return std::string{'\1', type, '\0', '\1', '\0', static_cast<char>(content.size()), '\0', '\0'}
           + content;
}
std::string parameter(const std::string& name, const std::string& value)
{
    return std::string{static_cast<char>(name.size()), static_cast<char>(value.size())} + name
           + value;
}

// A connection alone proves little: systemd accepts it, too, and the service logs a complaint about
// it.
Result answer(const std::string& path)
{
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    const std::string request =
        record(1, {'\0', '\1', '\0', '\0', '\0', '\0', '\0', '\0'})
        + record(4, parameter("REQUEST_METHOD", "GET") + parameter("REQUEST_URI", "/healthz")
                        + parameter("REQUEST_ID", "check"))
        + record(4, {}) + record(5, {});
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
    const struct Connection {
        int number = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ~Connection() { ::close(number); }
    } connection;
    ::setsockopt(connection.number, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(connection.number, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(connection.number, reinterpret_cast<const sockaddr*>(&address), sizeof address)
        != 0) {
        const auto says = path + ": " + std::generic_category().message(errno);
        if (errno == EACCES) return unknown(says + ": run this as root");
        if (errno != EAGAIN)
            return wrong(
                says
                + ": mailboxd is not running: systemctl start mailboxd.socket; its log says why it ended");
    }
    std::string reply(4096, '\0');
    const auto sent = ::send(connection.number, request.data(), request.size(), MSG_NOSIGNAL);
    const auto size = sent < 0 ? sent : ::recv(connection.number, reply.data(), reply.size(), 0);
    if (size > 0 && reply.find("Alive") != std::string::npos) return ok();
    return wrong(
        path
        + " does not answer within 5 s: check whether mailboxd runs and how long its requests take, and read its log");
}

// Rows stay for as long as a login may take after the change. A running janitor then removes them.
constexpr char kOldestEnd[] = "SELECT COALESCE(UNIX_TIMESTAMP() - MIN(since), 0) FROM session_end";

}  // namespace

Result service(const Config& config)
{
    const auto found = answer(config.socket);
    return found.verdict == Verdict::ok && !config.write_socket.empty()
               ? answer(config.write_socket)
               : found;
}

Result janitor(DatabaseUser& ctl)
{
    const auto age = ctl.connection().query(kOldestEnd).only<std::int64_t>();
    if (age <= std::chrono::seconds{::janitor::kWatched + std::chrono::minutes{1}}.count())
        return ok();
    return wrong("sessions should have ended " + std::to_string(age)
                 + " seconds ago, but the janitor is not running or fails:"
                   " systemctl restart mailboxd-janitor; its log says why");
}

}  // namespace check
