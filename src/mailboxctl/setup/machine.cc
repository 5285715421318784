#include "mailboxctl/setup/machine.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "base/strings.h"

namespace setup {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kPermissions = 07777;
// The folders of the system's programs, which the PATH of a user may lack.
constexpr const char* kSystemPath = ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";

[[noreturn]] void fail(const std::string& path)
{
    throw std::runtime_error(path + ": " + std::strerror(errno));
}

std::string user_name(uid_t id)
{
    const auto* const entry = ::getpwuid(id);
    return entry == nullptr ? std::to_string(id) : entry->pw_name;
}

std::string group_name(gid_t id)
{
    const auto* const entry = ::getgrgid(id);
    return entry == nullptr ? std::to_string(id) : entry->gr_name;
}

uid_t user_id(const std::string& name)
{
    if (const auto number = strings::whole_number(name, 0xffffffff))
        return static_cast<uid_t>(*number);
    const auto* const entry = ::getpwnam(name.c_str());
    if (entry == nullptr) throw std::runtime_error("there is no user " + name);
    return entry->pw_uid;
}

gid_t group_id(const std::string& name)
{
    if (const auto number = strings::whole_number(name, 0xffffffff))
        return static_cast<gid_t>(*number);
    const auto* const entry = ::getgrnam(name.c_str());
    if (entry == nullptr) throw std::runtime_error("there is no group " + name);
    return entry->gr_gid;
}

gid_t group_of(uid_t user)
{
    const auto* const entry = ::getpwuid(user);
    if (entry == nullptr) throw std::runtime_error("there is no user " + std::to_string(user));
    return entry->pw_gid;
}

void give(int file, const std::string& path, const Access& access, bool is_test)
{
    // In a test, the users of the daemons need not exist.
    if (!is_test) {
        const auto owner = user_id(access.owner);
        const auto group = access.group.empty() ? group_of(owner) : group_id(access.group);
        if (::fchown(file, owner, group) != 0) fail(path);
    }
    if (::fchmod(file, access.mode) != 0) fail(path);
}

}  // namespace

std::string Ended::said() const
{
    auto text = out + err;
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
        text.pop_back();
    return text;
}

// --- files ----------------------------------------------------------------------------

bool Machine::exists(const std::string& path) const
{
    struct stat found {};
    return ::lstat(real(path).c_str(), &found) == 0;
}

std::optional<std::string> Machine::contents(const std::string& path) const
{
    const Descriptor file{::open(real(path).c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file.is_open()) {
        if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
        fail(path);
    }
    struct stat found {};
    if (::fstat(file.number(), &found) == 0 && S_ISDIR(found.st_mode)) return std::nullopt;
    std::string text;
    std::array<char, 65536> piece{};
    for (;;) {
        const auto count = ::read(file.number(), piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(path);
        if (count == 0) return text;
        text.append(piece.data(), static_cast<std::size_t>(count));
    }
}

std::optional<Access> Machine::access(const std::string& path) const
{
    struct stat found {};
    if (::lstat(real(path).c_str(), &found) != 0) return std::nullopt;
    return Access{found.st_mode & kPermissions, user_name(found.st_uid), group_name(found.st_gid)};
}

std::vector<std::string> Machine::names(const std::string& folder) const
{
    std::vector<std::string> all;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator{real(folder), none})
        all.push_back(entry.path().filename());
    std::sort(all.begin(), all.end());
    return all;
}

std::string Machine::link(const std::string& path) const
{
    std::error_code none;
    return fs::read_symlink(real(path), none).string();
}

std::string Machine::resolved(const std::string& path) const
{
    std::error_code error;
    const auto target = fs::canonical(real(path), error).string();
    if (error || !target.starts_with(root_)) return path;
    return target.substr(root_.size());
}

std::int64_t Machine::free_bytes(const std::string& folder) const
{
    fs::path path{real(folder)};
    while (!fs::exists(path) && path.has_relative_path()) path = path.parent_path();
    struct statvfs found {};
    if (::statvfs(path.c_str(), &found) != 0) fail(path);
    return static_cast<std::int64_t>(found.f_bavail) * static_cast<std::int64_t>(found.f_frsize);
}

void Machine::write(const std::string& path, const std::string& text, const Access& access) const
{
    const auto folder = fs::path{path}.parent_path().string();
    if (!exists(folder)) make_folder(folder, {0755, "root", "root"});
    const auto new_name = real(path) + ".mailboxd-new";
    ::unlink(new_name.c_str());
    Descriptor file{
        ::open(new_name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file.is_open()) fail(path);
    try {
        for (std::size_t at = 0; at < text.size();) {
            const auto count = ::write(file.number(), text.data() + at, text.size() - at);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) fail(path);
            at += static_cast<std::size_t>(count);
        }
        give(file.number(), path, access, is_test());
        if (::fsync(file.number()) != 0) fail(path);
        if (::rename(new_name.c_str(), real(path).c_str()) != 0) fail(path);
    } catch (...) {
        ::unlink(new_name.c_str());
        throw;
    }
}

void Machine::set_access(const std::string& path, const Access& access) const
{
    const Descriptor file{::open(real(path).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!file.is_open()) fail(path);
    give(file.number(), path, access, is_test());
}

void Machine::make_folder(const std::string& path, const Access& access) const
{
    const auto above = fs::path{path}.parent_path().string();
    if (!above.empty() && above != path && !exists(above))
        make_folder(above, {0755, "root", "root"});
    if (::mkdir(real(path).c_str(), 0700) != 0 && errno != EEXIST) fail(path);
    set_access(path, access);
}

void Machine::make_link(const std::string& path, const std::string& target) const
{
    const auto new_name = real(path) + ".mailboxd-new";
    ::unlink(new_name.c_str());
    if (::symlink(target.c_str(), new_name.c_str()) != 0
        || ::rename(new_name.c_str(), real(path).c_str()) != 0)
        fail(path);
}

void Machine::remove(const std::string& path) const
{
    if (::remove(real(path).c_str()) != 0 && errno != ENOENT) fail(path);
    // The folders that setup itself makes go with their last file.
    static const std::set<std::string> ours{"mailboxd",          "rehash",
                                            "mailboxd.socket.d", "mailboxd-metrics.socket.d",
                                            "mariadb.service.d", "mysql.service.d"};
    const auto folder = fs::path{path}.parent_path();
    if (!ours.contains(folder.filename()) || folder == "/etc/mailboxd" || !names(folder).empty())
        return;
    if (::rmdir(real(folder).c_str()) == 0) remove(folder.parent_path() / "(none)");
}

// --- programs -------------------------------------------------------------------------

namespace {

struct Pipe {
    Pipe()
    {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("a pipe");
        out = Descriptor{ends[0]};
        in = Descriptor{ends[1]};
    }
    Descriptor out, in;
};

std::string search_path()
{
    const auto* const path = std::getenv("PATH");
    return (path == nullptr ? std::string{} : std::string{path}) + kSystemPath;
}

[[noreturn]] void become(const std::vector<std::string>& words, int in, int out, int err)
{
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    std::signal(SIGPIPE, SIG_DFL);
    ::setenv("PATH", search_path().c_str(), 1);
    ::setenv("LC_ALL", "C.UTF-8", 1);
    ::setenv("DEBIAN_FRONTEND", "noninteractive", 1);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
}

// Feeds the input and collects both outputs until the program has closed them.
void exchange(Pipe& in, const Pipe& out, const Pipe& err, const std::string& input, Ended& ended)
{
    std::size_t sent = 0;
    if (input.empty()) in.in.reset();
    std::array<pollfd, 3> all{{{in.in.number(), POLLOUT, 0},
                               {out.out.number(), POLLIN, 0},
                               {err.out.number(), POLLIN, 0}}};
    std::vector<char> piece(1 << 16);
    while (all[1].fd >= 0 || all[2].fd >= 0) {
        if (::poll(all.data(), all.size(), -1) < 0 && errno != EINTR) fail("a program");
        if (all[0].fd >= 0 && all[0].revents != 0) {
            const auto count = ::write(all[0].fd, input.data() + sent, input.size() - sent);
            if (count > 0) sent += static_cast<std::size_t>(count);
            if (sent == input.size() || (count < 0 && errno != EINTR && errno != EAGAIN)) {
                all[0].fd = -1;
                in.in.reset();
            }
        }
        for (std::size_t i = 1; i < all.size(); ++i) {
            if (all[i].fd < 0 || all[i].revents == 0) continue;
            const auto count = ::read(all[i].fd, piece.data(), piece.size());
            if (count > 0)
                (i == 1 ? ended.out : ended.err)
                    .append(piece.data(), static_cast<std::size_t>(count));
            else if (count == 0 || errno != EINTR) all[i].fd = -1;
        }
    }
}

}  // namespace

Ended Machine::run(const std::vector<std::string>& words, const std::string& input) const
{
    Pipe in, out, err;
    const auto child = ::fork();
    if (child < 0) fail(words[0]);
    if (child == 0) become(words, in.out.number(), out.in.number(), err.in.number());
    in.out.reset();
    out.in.reset();
    err.in.reset();
    // A program may end without having read its input.
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    Ended ended;
    exchange(in, out, err, input, ended);
    std::signal(SIGPIPE, before);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) fail(words[0]);
    }
    constexpr int kSignal = 128;
    ended.exit = WIFEXITED(status) ? WEXITSTATUS(status) : kSignal + WTERMSIG(status);
    return ended;
}

bool Machine::has_program(const std::string& name) const
{
    for (const auto& folder : strings::words(search_path(), ":")) {
        if (::access((folder + "/" + name).c_str(), X_OK) == 0) return true;
    }
    return false;
}

Descriptor Machine::lock(const std::string& path) const
{
    make_folder(fs::path{path}.parent_path(), {0755, "root", "root"});
    Descriptor file{::open(real(path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file.is_open()) fail(path);
    if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
        auto process = contents(path).value_or("");
        process = process.substr(0, process.find('\n'));
        throw std::runtime_error("setup is running already (process " + process + ")");
    }
    const auto process = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file.number(), 0) != 0
        || ::pwrite(file.number(), process.data(), process.size(), 0) < 0)
        fail(path);
    return file;
}

// --- ports ----------------------------------------------------------------------------

namespace {

struct Socket {
    std::uint16_t port = 0;
    std::string inode;
};

// Reads the listening sockets of /proc/net/tcp, proc(5).
void add_sockets(std::vector<Socket>& sockets, const std::string& table)
{
    constexpr std::size_t kAddress = 1, kState = 3, kInode = 9;
    for (const auto& line : strings::words(table, "\n")) {
        const auto fields = strings::words(line);
        if (fields.size() <= kInode || fields[kState] != "0A") continue;
        const auto colon = fields[kAddress].rfind(':');
        constexpr int kHexadecimal = 16;
        const auto port = std::strtoul(fields[kAddress].c_str() + colon + 1, nullptr, kHexadecimal);
        sockets.push_back({static_cast<std::uint16_t>(port), fields[kInode]});
    }
}

}  // namespace

std::vector<Listener> Machine::listeners() const
{
    std::vector<Socket> sockets;
    for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"})
        add_sockets(sockets, contents(table).value_or(""));
    std::vector<Listener> all;
    for (const auto& socket : sockets) all.push_back({socket.port, {}});
    for (const auto& process : names("/proc")) {
        if (!strings::whole_number(process)) continue;
        const auto folder = "/proc/" + process;
        const auto name = contents(folder + "/comm").value_or("");
        for (const auto& file : names(folder + "/fd")) {
            const auto target = link(folder + "/fd/" + file);
            for (std::size_t i = 0; i < sockets.size(); ++i) {
                if (target == "socket:[" + sockets[i].inode + "]")
                    all[i].programs.emplace(name.substr(0, name.find('\n')));
            }
        }
    }
    return all;
}

}  // namespace setup
