#include "peers/maildir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/descriptor.h"

namespace maildir {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kRemoved = ".removed";  // suffix of a folder that is being removed
constexpr int kDeepest = 100;                      // folders within folders; Maildir has none

[[noreturn]] void fail(const std::string& path)
{
    throw std::system_error(errno, std::generic_category(), path);
}

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// Empty if there is no such folder.
std::optional<Descriptor> open_folder(int parent, const std::string& name, const std::string& path)
{
    const int number = ::openat(parent, name.c_str(), kFolder);
    if (number >= 0) return Descriptor{number};
    if (errno == ENOENT) return std::nullopt;
    fail(path);
}

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

// Iterates over a folder's entries, so that the first can be removed before the last is read.
class Entries {
public:
    Entries(Descriptor folder, const std::string& path)
        : path_{path}, entries_{::fdopendir(folder.number())}
    {
        if (!entries_) fail(path);
        folder.release();  // closedir() closes it
    }
    std::optional<std::string> next()
    {
        for (;;) {
            errno = 0;
            const dirent* const entry = ::readdir(entries_.get());
            if (entry == nullptr && errno != 0) fail(path_);
            if (entry == nullptr) return std::nullopt;
            const std::string_view name{entry->d_name};
            if (name != "." && name != "..") return std::string{name};
        }
    }
    void rewind() { ::rewinddir(entries_.get()); }
    int folder() const { return ::dirfd(entries_.get()); }

private:
    std::string path_;
    std::unique_ptr<DIR, CloseFolder> entries_;
};

std::vector<std::string> names_in(Descriptor folder, const std::string& path)
{
    std::vector<std::string> names;
    Entries entries{std::move(folder), path};
    while (const auto name = entries.next()) names.push_back(*name);
    return names;
}

struct Removal {
    dev_t device = 0;  // other file systems mounted below are left alone
    Clock::time_point end{};
    Removed removed{};

    // Removes a folder with all in it, a file, or a link itself. Entries that another process
    // removes meanwhile are no error.
    void remove(int parent, const std::string& name, const std::string& path, int depth)
    {
        struct stat status {};
        if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return ignore_absence(path);
        if (S_ISDIR(status.st_mode)) return remove_folder(parent, name, path, status.st_dev, depth);
        if (::unlinkat(parent, name.c_str(), 0) != 0) return ignore_absence(path);
        ++removed.files;
        removed.bytes += status.st_size;
        removed.is_complete =
            Clock::now() < end;  // checked after removing, so each call removes at least one file
    }

private:
    void remove_folder(int parent, const std::string& name, const std::string& path,
                       dev_t its_device, int depth)
    {
        if (its_device != device || depth > kDeepest)
            throw std::system_error(EXDEV, std::generic_category(), path);
        auto folder = open_folder(parent, name, path);
        if (!folder) return;
        Entries entries{std::move(*folder), path};
        while (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0) {
            if (errno != ENOTEMPTY && errno != EEXIST) return ignore_absence(path);
            entries.rewind();
            for (auto each = entries.next(); each && removed.is_complete; each = entries.next()) {
                remove(entries.folder(), *each, path + "/" + *each, depth + 1);
            }
            if (!removed.is_complete) return;
        }
    }
    static void ignore_absence(const std::string& path)
    {
        if (errno != ENOENT) fail(path);
    }
};

bool is_folder(int parent, const std::string& name)
{
    struct stat status {};
    return ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0
           && S_ISDIR(status.st_mode);
}

std::string prefix_of(std::string_view id)
{
    return std::string{id.substr(0, 2)};
}

}  // namespace

bool is_id(std::string_view name)
{
    return name.size() == 32 && name.find_first_not_of(kDigits) == std::string_view::npos;
}

std::string prefix(int number)
{
    return {kDigits[static_cast<std::size_t>(number) / 16],
            kDigits[static_cast<std::size_t>(number) % 16]};
}

Store::Store(const std::string& path)
    : path_{path}, folder_{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}
{
    if (folder_ < 0) fail(path);
}

Store::~Store()
{
    ::close(folder_);
}

Removed Store::remove(std::string_view id, Clock::time_point end)
{
    if (!is_id(id)) throw std::logic_error("no storage id");
    const std::string name{id};
    const auto away = name + std::string{kRemoved};
    const auto parent_path = path_ + "/" + prefix_of(id);
    const auto parent = open_folder(folder_, prefix_of(id), parent_path);
    if (!parent) return {};
    struct stat status {};
    if (::fstat(parent->number(), &status) != 0) fail(parent_path);
    Removal removal{.device = status.st_dev, .end = end};
    // First the rest of a call that was stopped, then the folder in its place, which may be new.
    removal.remove(parent->number(), away, parent_path + "/" + away, 0);
    if (!removal.removed.is_complete) return removal.removed;
    if (::renameat(parent->number(), name.c_str(), parent->number(), away.c_str()) == 0) {
        removal.remove(parent->number(), away, parent_path + "/" + away, 0);
    } else if (errno != ENOENT) {
        fail(parent_path + "/" + name);
    }
    return removal.removed;
}

std::vector<std::string> Store::ids(std::string_view prefix) const
{
    const auto path = path_ + "/" + std::string{prefix};
    auto folder = open_folder(folder_, std::string{prefix}, path);
    if (!folder) return {};
    Entries entries{std::move(*folder), path};
    std::vector<std::string> names;
    while (const auto name = entries.next()) {
        if (is_id(*name) && name->starts_with(prefix) && is_folder(entries.folder(), *name))
            names.push_back(*name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::string> Store::misfits(std::string_view prefix) const
{
    const auto path = path_ + "/" + std::string{prefix};
    struct stat status {};
    if (::fstat(folder_, &status) != 0) fail(path_);
    const auto owner = ::geteuid() == 0 ? status.st_uid : ::geteuid();
    const auto fits = [&](int parent, const std::string& name) {
        if (::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT;
        return S_ISDIR(status.st_mode) && status.st_uid == owner;
    };
    if (!fits(folder_, std::string{prefix})) return {path};
    auto folder = open_folder(folder_, std::string{prefix}, path);
    if (!folder) return {};
    Entries entries{std::move(*folder), path};
    std::vector<std::string> found;
    while (const auto name = entries.next()) {
        if (is_id(*name) && !fits(entries.folder(), *name)) found.push_back(path + "/" + *name);
    }
    return found;
}

namespace {

// True for a folder with a name from "00" to "ff".
bool is_prefix(int store, const std::string& name)
{
    return name.size() == 2 && name.find_first_not_of(kDigits) == std::string::npos
           && is_folder(store, name);
}

}  // namespace

void Store::expect_mail() const
{
    const auto names = names_in(Descriptor{::openat(folder_, ".", kFolder)}, path_);
    if (std::any_of(names.begin(), names.end(),
                    [&](const std::string& name) { return is_prefix(folder_, name); }))
        return;
    throw std::runtime_error(
        path_
        + " has no mailbox's folder at all, though there was mail: is the store mounted there?");
}

std::vector<std::string> Store::strangers() const
{
    std::vector<std::string> found;
    for (const auto& prefix : names_in(Descriptor{::openat(folder_, ".", kFolder)}, path_)) {
        const auto path = path_ + "/" + prefix;
        if (!is_prefix(folder_, prefix)) {
            found.push_back(path);
            continue;
        }
        auto folder = open_folder(folder_, prefix, path);
        if (!folder) continue;
        Entries entries{std::move(*folder), path};
        while (const auto name = entries.next()) {
            const std::string_view id = std::string_view{*name}.substr(0, name->find('.'));
            const bool is_ours =
                is_id(id) && id.starts_with(prefix)
                && (id == *name ? is_folder(entries.folder(), *name)
                                : *name == std::string{id} + std::string{kRemoved});
            if (!is_ours) found.push_back(path + "/" + *name);
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace maildir
