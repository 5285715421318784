#include "peers/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "base/strings.h"

namespace disk {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr mode_t kFolderMode = 0700, kFileMode = 0600;

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

void give(int file, const Owner& owner, const std::string& path)
{
    const auto now = status(file, path);
    if (now.st_uid == owner.user && now.st_gid == owner.group) return;
    if (::fchown(file, owner.user, owner.group) != 0) fail(path);
}

// True if only root and this process's user can change the entry.
bool is_trusted(const struct stat& found)
{
    constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
    return (found.st_uid == 0 || found.st_uid == ::geteuid())
           && (S_ISLNK(found.st_mode) || (found.st_mode & kOthersWrite) == 0);
}

}  // namespace

void fail(const std::string& path)
{
    throw std::system_error(errno, std::generic_category(), path);
}

Descriptor open_path(const std::string& path)
{
    auto components = strings::words(path, "/");
    Descriptor folder{::open(path.starts_with('/') ? "/" : ".", kFolder)};
    if (!folder.is_open()) fail(path);
    for (std::size_t i = 0; i < components.size(); ++i) {
        const auto& name = components[i];
        const auto found = status(folder.number(), name, path);
        if (!found) throw std::system_error(ENOENT, std::generic_category(), path);
        const bool is_link = S_ISLNK(found->st_mode);
        if (is_link && i + 1 == components.size())
            throw std::runtime_error(path
                                     + " is a symbolic link; give the folder that it leads to");
        if (is_link && !(is_trusted(*found) && is_trusted(status(folder.number(), path))))
            throw std::runtime_error(
                path + ": its part " + name
                + " is a symbolic link that another user than root can change");
        Descriptor next{
            ::openat(folder.number(), name.c_str(), is_link ? kFolder & ~O_NOFOLLOW : kFolder)};
        if (!next.is_open()) fail(path);
        folder = std::move(next);
    }
    return folder;
}

std::optional<Descriptor> open_folder(int parent, const std::string& name, const std::string& path)
{
    Descriptor folder{::openat(parent, name.c_str(), kFolder)};
    if (folder.is_open()) return folder;
    if (errno == ENOENT) return std::nullopt;
    fail(path);
}

std::vector<std::string> entries(int folder, const std::string& path)
{
    Descriptor again{::openat(folder, ".", kFolder)};
    if (!again.is_open()) fail(path);
    const std::unique_ptr<DIR, CloseFolder> all{::fdopendir(again.number())};
    if (!all) fail(path);
    again.release();
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* const entry = ::readdir(all.get());
        if (entry == nullptr && errno != 0) fail(path);
        if (entry == nullptr) return names;
        const std::string_view name{entry->d_name};
        if (name != "." && name != "..") names.emplace_back(name);
    }
}

std::optional<struct stat> status(int parent, const std::string& name, const std::string& path)
{
    struct stat found {};
    if (::fstatat(parent, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0) return found;
    if (errno == ENOENT) return std::nullopt;
    fail(path);
}

struct stat status(int file, const std::string& path)
{
    struct stat found {};
    if (::fstat(file, &found) != 0) fail(path);
    return found;
}

// Without O_NONBLOCK, opening a FIFO waits for its writer.
std::optional<Descriptor> open_file(int parent, const std::string& name, const std::string& path)
{
    const auto found = status(parent, name, path);
    if (!found) return std::nullopt;
    if (!S_ISREG(found->st_mode)) throw std::system_error(EINVAL, std::generic_category(), path);
    Descriptor file{
        ::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
    if (!file.is_open() && errno == ENOENT) return std::nullopt;
    if (!file.is_open()) fail(path);
    if (!S_ISREG(status(file.number(), path).st_mode))
        throw std::system_error(EINVAL, std::generic_category(), path);
    return file;
}

void read(int file, const std::string& path, const std::function<bool(std::string_view)>& take)
{
    constexpr std::size_t kPiece = 1 << 16;
    std::array<char, kPiece> piece;
    for (;;) {
        const auto count = ::read(file, piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(path);
        if (count == 0 || !take({piece.data(), static_cast<std::size_t>(count)})) return;
    }
}

std::optional<std::string> contents(int parent, const std::string& name, const std::string& path)
{
    const auto file = open_file(parent, name, path);
    if (!file) return std::nullopt;
    std::string text;
    read(file->number(), path, [&](std::string_view piece) {
        text += piece;
        return true;
    });
    return text;
}

void write(int file, std::string_view text, const std::string& path)
{
    while (!text.empty()) {
        const auto count = ::write(file, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) fail(path);
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

Descriptor make_folder(int parent, const std::string& name, const Owner& owner,
                       const std::string& path)
{
    if (::mkdirat(parent, name.c_str(), kFolderMode) != 0 && errno != EEXIST) fail(path);
    auto folder = open_folder(parent, name, path);
    if (!folder) throw std::system_error(ENOENT, std::generic_category(), path);
    give(folder->number(), owner, path);
    return std::move(*folder);
}

void replace(int parent, const std::string& name, std::string_view text, const Owner& owner,
             const std::string& path, Writing writing)
{
    const auto temporary = name + ".adopted";
    remove(parent, temporary, path);
    const Descriptor file{::openat(parent, temporary.c_str(),
                                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                   kFileMode)};
    if (!file.is_open()) fail(path);
    try {
        write(file.number(), text, path);
        give(file.number(), owner, path);
        if (writing == Writing::durable && ::fsync(file.number()) != 0) fail(path);
        rename(parent, temporary, parent, name, path);
    } catch (...) {
        // On a disk that is full it would stay for ever, because a lock's name is not used again.
        ::unlinkat(parent, temporary.c_str(), 0);
        throw;
    }
}

void remove(int parent, const std::string& name, const std::string& path)
{
    if (::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT) fail(path);
}

void rename(int from, const std::string& old_name, int to, const std::string& new_name,
            const std::string& path)
{
    if (::renameat(from, old_name.c_str(), to, new_name.c_str()) != 0) fail(path);
}

// --- locks ----------------------------------------------------------------------------

namespace {

std::string host_name()
{
    constexpr std::size_t kLongest = 256;
    std::array<char, kLongest> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) fail("the machine's name");
    return name.data();
}

}  // namespace

Lock::Lock(int folder, const std::string& name, const Owner& owner, const std::string& path)
    : folder_{folder}, name_{name + ".lock"}, path_{path}, owner_{owner}, text_{std::to_string(
                                                                                    ::getpid())
                                                                                + ":" + host_name()}
{
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::seconds kLongest{60};
    constexpr std::chrono::milliseconds kPause{20};
    const auto end = Clock::now() + kLongest;
    while (!try_it()) {
        if (Clock::now() >= end)
            throw std::runtime_error(path_ + "/" + name_
                                     + ": another process has kept this lock for a minute");
        std::this_thread::sleep_for(kPause);
        remove_stale();
    }
}

// The lock appears with its text, because a reader of an empty one could think it is stale.
bool Lock::try_it()
{
    const auto own = name_ + "." + std::to_string(::getpid());
    replace(folder_, own, text_, owner_, path_);
    const bool is_ours = ::linkat(folder_, own.c_str(), folder_, name_.c_str(), 0) == 0;
    const int error = errno;
    remove(folder_, own, path_);
    errno = error;
    if (!is_ours && error != EEXIST) fail(path_);
    return is_ours;
}

void Lock::remove_stale()
{
    constexpr std::time_t kOld = 600;
    const auto found = status(folder_, name_, path_);
    const auto text = contents(folder_, name_, path_);
    if (!found || !text) return;
    const auto colon = text->find(':');
    const auto process = strings::whole_number(std::string_view{*text}.substr(0, colon), 1U << 30);
    const bool is_here = colon != std::string::npos && text->substr(colon + 1) == host_name();
    const bool has_ended = is_here && process && *process > 0
                           && ::kill(static_cast<pid_t>(*process), 0) != 0 && errno == ESRCH;
    if (!has_ended && std::time(nullptr) - found->st_mtime < kOld) return;
    const auto now = status(folder_, name_, path_);  // another process may have replaced it
    if (now && now->st_ino == found->st_ino) remove(folder_, name_, path_);
}

Lock::~Lock()
{
    ::unlinkat(folder_, name_.c_str(), 0);
}

}  // namespace disk
