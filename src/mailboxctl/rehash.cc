#include "mailboxctl/rehash.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <system_error>

#include "base/descriptor.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/privileges.h"
#include "db/migrate.h"
#include "db/session.h"
#include "mail/password.h"
#include "mail/password_scheme.h"

namespace rehash {
namespace {

// A longer password is not replaced. Dovecot itself takes at most 1024 bytes by SASL.
constexpr std::size_t kMostBytes = 4096;
// How many logins may wait for their hash. Those beyond are dropped and come again.
constexpr std::size_t kMostWaiting = 1000;

constexpr char kStored[] = "SELECT password FROM mailbox WHERE storage_id = ? AND generation = ?";
// Compares with the hash that was read: another program may have stored another one meanwhile.
constexpr char kReplace[] =
    "UPDATE mailbox SET password = ? WHERE storage_id = ? AND generation = ? AND password = ?";

}  // namespace

std::optional<Login> parse(std::string_view datagram)
{
    const auto end = datagram.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    auto name = login_name::parse(datagram.substr(0, end));
    const auto password = datagram.substr(end + 1);
    if (!name || password.empty() || password.find('\0') != std::string_view::npos)
        return std::nullopt;
    return Login{std::move(*name), Secret{password}};
}

Replaced replace(db::Connection& connection, const Login& login, const Config& config,
                 void (*was_read)())
{
    const auto& [storage_id, generation] = login.name;
    const auto stored = connection.query(kStored, {storage_id, generation}).first<std::string>();
    if (!stored) return {Outcome::was_changed, {}};
    if (password::is_current(*stored)) return {Outcome::is_current, {}};
    was_read();
    const auto hash = password::hash_as_typed(login.password.text(), config);
    if (connection.execute(kReplace, {hash, storage_id, generation, *stored}) == 0)
        return {Outcome::was_changed, {}};
    return {Outcome::replaced, password_scheme::of(*stored)};
}

namespace {

[[noreturn]] void fail(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

// This process holds passwords, so it leaves no core dump and nobody may trace it.
void forbid_core()
{
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0)
        fail("forbid core");
}

// Returns the socket of mailboxd-rehash.socket. Without a service manager, creates rehash_socket
// for the present user.
Descriptor open_socket(const Config& config)
{
    constexpr int kFirstInherited = 3;
    if (const int count = notify::inherited_sockets(); count > 0) {
        if (count > 1) throw std::runtime_error("the service manager handed over several sockets");
        ::fcntl(kFirstInherited, F_SETFD, FD_CLOEXEC);
        return Descriptor{kFirstInherited};
    }
    Descriptor socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (!socket.is_open()) fail("socket");
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    const auto& path = config.rehash_socket;
    std::memcpy(address.sun_path, path.c_str(), path.size());  // config.cc checks its length
    const auto* const place = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(socket.number(), place, sizeof address) == 0)
        throw std::runtime_error("socket " + path + " is in use: another mailboxctl rehash runs");
    if (errno == ECONNREFUSED) ::unlink(path.c_str());
    const auto old_mask = ::umask(0177);
    const int bound = ::bind(socket.number(), place, sizeof address);
    ::umask(old_mask);
    if (bound != 0) fail("the socket's folder must exist and be writable: bind(" + path + ")");
    return socket;
}

// Logs when the database fails and when it is back, and not once for each login between.
class Outage {
public:
    void begin(const std::exception& error)
    {
        if (!is_on_) logging::error("rehash-failed")("error", error.what());
        is_on_ = true;
    }
    void end()
    {
        if (is_on_) logging::info("rehash-recovered");
        is_on_ = false;
    }

private:
    bool is_on_ = false;
};

class Service {
public:
    explicit Service(const Config& config)
        : config_{config}, session_{config.rehash_db, config.rehash_db.password(), config,
                                    migrate::expect_same}
    {
        privileges::drop(config.store_user, "store_user");
        socket_ = open_socket(config);
        sigset_t ends;
        ::sigemptyset(&ends);
        ::sigaddset(&ends, SIGTERM);
        ::sigaddset(&ends, SIGINT);
        ::sigprocmask(SIG_BLOCK, &ends, nullptr);
        signals_ = Descriptor{::signalfd(-1, &ends, SFD_CLOEXEC)};
        if (!signals_.is_open()) fail("signalfd");
        forbid_core();
    }

    // Waits for logins and replaces their hashes, one after the other. Between two hashes it takes
    // what has come in, because the kernel's queue is short (net.unix.max_dgram_qlen).
    void run()
    {
        for (notify::Pulse pulse;;) {
            pulse.beat();
            std::array<pollfd, 2> ready{pollfd{socket_.number(), POLLIN, 0},
                                        pollfd{signals_.number(), POLLIN, 0}};
            constexpr int kIdle = 1000;  // ms; less than any interval of the pulse
            if (::poll(ready.data(), ready.size(), waiting_.empty() ? kIdle : 0) < 0
                && errno != EINTR)
                fail("poll");
            if (ready[1].revents != 0) return;
            if (ready[0].revents != 0) receive();
            if (waiting_.empty()) continue;
            const auto login = std::move(waiting_.front());
            waiting_.pop_front();
            serve(login);
        }
    }

private:
    void receive()
    {
        Secret buffer{kMostBytes + 1};
        for (;;) {
            const auto size = ::recv(socket_.number(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (size < 0) return;
            const auto length = static_cast<std::size_t>(size);
            if (length > kMostBytes || waiting_.size() >= kMostWaiting) continue;
            if (auto login = parse(buffer.text().substr(0, length)))
                waiting_.push_back(std::move(*login));
            else logging::warning("rehash-unreadable")("bytes", length);
        }
    }

    // A connection that was idle may be lost, so the first failure is tried again.
    void serve(const Login& login)
    {
        try {
            const auto done = db::reading(session_, [&](db::Connection& connection) {
                return replace(connection, login, config_);
            });
            outage_.end();
            if (done.outcome == Outcome::replaced)
                logging::info("rehashed")("storage_id", login.name.storage_id)("from", done.scheme);
        } catch (const db::Error& error) {
            session_.drop();
            outage_.begin(error);
        } catch (const std::bad_alloc& error) {
            outage_.begin(error);
        }
    }

    const Config& config_;
    db::Session session_;
    Descriptor socket_;
    Descriptor signals_;
    std::deque<Login> waiting_;
    Outage outage_;
};

int run(const command::Call& call)
{
    Service service{call.config};
    notify::ready();
    logging::info("rehash-started");
    service.run();
    notify::stopping();
    logging::info("rehash-stopped");
    return 0;
}

}  // namespace

command::Command command()
{
    return {
        "rehash",
        {},
        "replace old password hashes when their users log in",
        "Runs until SIGTERM, beside Dovecot. Dovecot's script rehash.lua sends it the password of each login whose mailbox has\n"
        "a hash of another scheme than {ARGON2ID}, and it stores an {ARGON2ID} hash instead, unless the password was changed\n"
        "meanwhile. Sessions go on. Logins do not wait for it and do not need it. It listens on the socket that systemd hands\n"
        "over (mailboxd-rehash.socket), else on rehash_socket. If root starts it, it switches to store_user. Requires the\n"
        "setting rehash_db_password_file.",
        command::no_options,
        run,
        command::Prints::outcome,
        command::Changes::in_steps};
}

}  // namespace rehash
