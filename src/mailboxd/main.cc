// main.cc - the service's program: reads options and configuration, opens the listening sockets,
// drops privileges, and runs the master.

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/program_options.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "base/config.h"
#include "base/crypto.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "base/privileges.h"
#include "base/version.h"
#include "db/connection.h"
#include "db/mailboxes.h"
#include "db/migrate.h"
#include "db/server.h"
#include "db/session.h"
#include "mailboxd/master.h"

namespace {

namespace po = boost::program_options;

constexpr int kUsage = 2;

[[noreturn]] void fail(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

// Deletes a socket file that no process listens on: a master that was killed has left it. Throws if
// a process answers on it.
void remove_stale(const std::string& path, const sockaddr_un& address)
{
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) fail("socket");
    const int connected =
        ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int error = errno;
    ::close(probe);
    if (connected == 0 || error == EAGAIN)
        throw std::runtime_error(
            "socket " + path
            + " is in use: another mailboxd runs on it; stop that one, or name another path");
    if (error == ECONNREFUSED && ::unlink(path.c_str()) != 0) fail("unlink(" + path + ")");
}

gid_t group_id(const std::string& name)
{
    const group* const found = ::getgrnam(name.c_str());
    if (found == nullptr)
        throw std::runtime_error("socket_group: there is no group " + name
                                 + "; make it, or name another");
    return found->gr_gid;
}

int open_socket(const std::string& path, const Config& config)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());  // config.cc checks its length
    remove_stale(path, address);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket < 0) fail("socket");
    const auto old_mask = ::umask(0777);  // no one may connect before owner and mode are set
    const int bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::umask(old_mask);
    if (bound != 0)
        fail(
            "the socket's folder must exist and be writable for the user who starts mailboxd: bind("
            + path + ")");
    if (!config.socket_group.empty()
        && ::chown(path.c_str(), static_cast<uid_t>(-1), group_id(config.socket_group)) != 0) {
        fail("chown(" + path + ", " + config.socket_group + ")");
    }
    if (::chmod(path.c_str(), 0660) != 0) fail("chmod(" + path + ")");
    if (::listen(socket, config.backlog) != 0) fail("listen(" + path + ")");
    return socket;
}

// Forbids core dumps, whatever the system's core pattern, because this process handles passwords.
void forbid_core()
{
    const rlimit none{.rlim_cur = 0, .rlim_max = 0};
    if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0)
        fail("forbid core");
}

master::Settings read_settings(const std::string& path)
{
    auto config = Config::read(path);
    auto password = config.db.password();
    return {std::move(config), std::move(password), migrate::expect_no_older};
}

// Checks the folder that a setting's file is created in. A folder that the units create when they
// start may be missing before; then a note is printed. Throws if another one is missing.
void check_folder(const std::string& setting, const std::string& file)
{
    const auto folder = std::filesystem::path{file}.parent_path().string();
    if (file.empty() || ::access(folder.c_str(), X_OK) == 0) return;
    const auto says = setting + ": " + folder + ": " + std::strerror(errno);
    if (!file.starts_with("/run/") && !file.starts_with("/var/log/mailboxd/"))
        throw std::runtime_error(says + "; make it, or name another");
    std::cout << "note: " << says << "; mailboxd.socket and mailboxd.service make theirs\n";
}

// Prints notes about the database server. A server that refuses changes at present can still answer
// lists. Throws if its settings make it refuse them for good.
void check_server(db::Connection& connection, const Config& config)
{
    try {
        server::try_change(connection);
    } catch (const db::Error& error) {
        if (!db::is_read_only(error)) throw;
        std::cout
            << "note: until the server takes changes, the service answers lists and refuses changes with 503: "
            << error.what() << '\n';
    }
    for (const auto& each : server::shortfalls(connection, config))
        std::cout << "note: " << each.message << '\n';
}

// Runs -t, after the configuration was read. Checks what else a start needs: groups, folders,
// files, the database and its schema. Files are read as the user who will run the service, because
// that user reads them again on HUP.
int test(const std::string& path, const Config& config)
{
    if (::geteuid() == 0 && !config.socket_group.empty()) group_id(config.socket_group);
    check_folder("socket", config.socket);
    check_folder("write_socket", config.write_socket);
    check_folder("metrics_socket", config.metrics_socket);
    privileges::drop(config.user, "user");
    check_folder("log_file", config.log_file);
    const auto settings = read_settings(path);
    db::Session session{settings.config.db, settings.db_password, settings.config};
    const auto version = store::Store{session}.schema_version();
    const auto problem = migrate::mismatch(version);
    if (version < migrate::newest_version()) throw std::runtime_error(problem);
    if (!problem.empty()) std::cout << "note: " << problem << "; until then this release serves\n";
    else
        check_server(session.connection(),
                     settings.config);  // a newer release may have other tables
    std::cout << path << " is valid; the database answers and has schema version " << version
              << ".\n";
    return 0;
}

// The sockets that a service manager handed over.
struct Inherited {
    std::vector<int> of_pools;
    std::optional<int> of_metrics;
};

Inherited inherited_sockets()
{
    constexpr int kFirst = 3;  // sd_listen_fds(3)
    Inherited inherited;
    int socket = kFirst;
    for (const auto& name : notify::inherited_socket_names()) {
        if (::fcntl(socket, F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(socket, F_SETFL, O_NONBLOCK) != 0)
            fail("fcntl on inherited socket");
        if (name == "metrics") inherited.of_metrics = socket;
        else inherited.of_pools.push_back(socket);
        ++socket;
    }
    return inherited;
}

void take_inherited(std::vector<master::Pool>& pools, const std::vector<int>& sockets)
{
    if (sockets.size() != pools.size()) {
        throw std::runtime_error(
            "the service manager handed over " + std::to_string(sockets.size())
            + " sockets, the configuration names " + std::to_string(pools.size())
            + ": make mailboxd.socket match (systemctl edit mailboxd.socket), then restart both units");
    }
    for (std::size_t i = 0; i < pools.size(); ++i) {
        pools[i].listener = sockets[i];
        pools[i].is_inherited = true;
    }
}

master::Sockets open_sockets(const Config& config)
{
    using Pool = master::Pool;
    const bool is_one = config.write_socket.empty();
    std::vector<Pool> pools{{.label = metrics::Pool::read,
                             .listener = -1,
                             .size = &Config::workers,
                             .has_gate = is_one}};
    if (!is_one)
        pools.push_back({.label = metrics::Pool::write,
                         .listener = -1,
                         .size = &Config::write_workers,
                         .has_gate = true});
    if (const auto inherited = inherited_sockets();
        inherited.of_metrics || !inherited.of_pools.empty()) {
        take_inherited(pools, inherited.of_pools);
        return {std::move(pools), inherited.of_metrics};
    }
    pools[0].listener = open_socket(config.socket, config);
    if (!is_one) pools[1].listener = open_socket(config.write_socket, config);
    if (config.metrics_socket.empty()) return {std::move(pools), std::nullopt};
    return {std::move(pools), open_socket(config.metrics_socket, config)};
}

int run(int argc, char** argv)
{
    std::string path;
    po::options_description options{"Options"};
    options.add_options()(
        "config,c",
        po::value(&path)->value_name("FILE")->default_value("/etc/mailboxd/mailboxd.conf"),
        "configuration")("test,t", "check configuration, database and schema version, then exit")(
        "help,h", "print this help and exit")("version,V", "print the version and exit");
    po::variables_map given;
    try {
        po::store(po::command_line_parser(argc, argv).options(options).positional({}).run(), given);
        po::notify(given);
    } catch (const po::error& error) {
        std::cerr << "mailboxd: " << error.what()
                  << "; nothing was started. mailboxd --help lists the options\n";
        return kUsage;
    }
    if (given.count("help") != 0) {
        std::cout
            << "Usage: mailboxd [OPTION]...\n"
               "Serves the Mailboxes API over FastCGI behind nginx. Stays in the foreground and logs to\n"
               "standard error or log_file. TERM stops it after the running requests are answered, HUP\n"
               "rereads the configuration, USR1 reopens log_file.\n\n"
            << options;
        return 0;
    }
    if (given.count("version") != 0) {
        std::cout << "mailboxd " << kVersion << '\n';
        return 0;
    }
    auto settings = read_settings(path);
    if (given.count("test") != 0) return test(path, settings.config);
    // From here on the configuration is valid.
    const auto sockets = open_sockets(settings.config);
    privileges::drop(settings.config.user, "user");
    forbid_core();
    crypto::initialize();
    // From here on the process has no privileges, and nothing that a fork must not inherit.
    return master::run(std::move(settings), sockets, [&] { return read_settings(path); });
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        return run(argc, argv);
    } catch (const Config::Problems& problems) {
        std::cerr << "mailboxd: " << problems.what()
                  << "\nNothing was started; mailboxd.conf(5) has the settings.\n";
        return kUsage;
    } catch (const std::exception& error) {
        std::cerr << "mailboxd: " << error.what() << "; nothing was started\n";
        return 1;
    }
}
