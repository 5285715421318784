// disk.h - files and folders that another user may change at any moment: each is opened below a
// folder that is open already, and no symbolic link is followed.
//
// Throws std::system_error with the path.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"

namespace disk {

// Throws the error of errno.
[[noreturn]] void fail(const std::string& path);

// Opens a folder by an absolute or relative path. The last component must not be a link. A link
// before it is followed only if nobody but root and this process's user can change it, so that
// users cannot lead a program of root elsewhere; otherwise throws std::runtime_error with a
// sentence.
Descriptor open_path(const std::string& path);

// Opens a folder; empty if there is none. A link or a file in its place is an error (ENOTDIR,
// ELOOP).
std::optional<Descriptor> open_folder(int parent, const std::string& name, const std::string& path);
// Returns the entries except "." and "..", in no order. Each call starts anew.
std::vector<std::string> entries(int folder, const std::string& path);
// Does not follow a link. Empty if there is no such entry.
std::optional<struct stat> status(int parent, const std::string& name, const std::string& path);
struct stat status(int file, const std::string& path);

// Returns a regular file's contents; empty if there is none. Any other kind of entry is an error.
std::optional<std::string> contents(int parent, const std::string& name, const std::string& path);
// Calls `take` with the pieces of a regular file until it returns false.
void read(int file, const std::string& path, const std::function<bool(std::string_view)>& take);
// Opens a regular file for reading; empty if there is none. Throws EINVAL for any other kind.
std::optional<Descriptor> open_file(int parent, const std::string& name, const std::string& path);
void write(int file, std::string_view text, const std::string& path);

// The user and group that new files and folders get.
struct Owner {
    uid_t user = 0;
    gid_t group = 0;
};
// Opens a folder, and makes it before if necessary, for the owner alone.
Descriptor make_folder(int parent, const std::string& name, const Owner& owner,
                       const std::string& path);
// Replaces a file in one step, or makes it. `durable`: it is on the disk before the old one goes.
enum class Writing { fast, durable };
void replace(int parent, const std::string& name, std::string_view text, const Owner& owner,
             const std::string& path, Writing writing = Writing::fast);
void remove(int parent, const std::string& name, const std::string& path);  // absence is no error
void rename(int from, const std::string& old_name, int to, const std::string& new_name,
            const std::string& path);

// A lock as Dovecot makes it: a file whose name ends with ".lock", which has the number of a
// process and the name of the machine. A lock of a process that has ended is replaced, by Dovecot
// also. Throws std::runtime_error if another process keeps it for a minute.
class Lock {
public:
    Lock(int folder, const std::string& name, const Owner& owner, const std::string& path);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

private:
    bool try_it();
    void remove_stale();

    int folder_;
    std::string name_;
    std::string path_;
    Owner owner_;
    std::string text_;
};

}  // namespace disk
