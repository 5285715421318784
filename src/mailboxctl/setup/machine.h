// machine.h - the machine that `mailboxctl setup` works on: its files, programs and listening
// ports.
//
// All paths are below one folder, which is / except in tests. Programs are found by PATH and in the
// folders of the system's programs. Throws std::runtime_error with the path if something cannot be
// read, written or run.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/descriptor.h"

namespace setup {

// Who may read a file. An empty group is the owner's own.
struct Access {
    mode_t mode = 0644;
    std::string owner = "root";
    std::string group = "root";
    bool operator==(const Access&) const = default;
};

struct Ended {
    int exit = 0;  // 127: the program could not be started
    std::string out, err;
    bool is_well() const { return exit == 0; }
    // Returns both outputs, without blank ends.
    std::string said() const;
};

// A port on which a program waits for connections.
struct Listener {
    std::uint16_t port = 0;
    std::set<std::string> programs;  // that have its socket open; none: they are not known
};

class Machine {
public:
    // `root`: without a slash at its end.
    explicit Machine(std::string root = {}) : root_{std::move(root)} {}
    // Returns where the path really is.
    std::string real(const std::string& path) const { return root_ + path; }
    bool is_test() const { return !root_.empty(); }

    bool exists(const std::string& path) const;
    // Empty if there is no such file.
    std::optional<std::string> contents(const std::string& path) const;
    std::optional<Access> access(const std::string& path) const;
    // Returns the names in a folder, sorted; none if there is no such folder.
    std::vector<std::string> names(const std::string& folder) const;
    // Returns where a link leads; empty if there is no link.
    std::string link(const std::string& path) const;
    // Returns the path with all links followed, so that a file behind a link is changed, not the
    // link.
    std::string resolved(const std::string& path) const;
    // Returns the bytes that are free for the folder, or for the nearest one above that exists.
    std::int64_t free_bytes(const std::string& folder) const;

    // Writes beside the file and renames. Makes the folder above if there is none.
    void write(const std::string& path, const std::string& text, const Access& access) const;
    void set_access(const std::string& path, const Access& access) const;
    void make_folder(const std::string& path, const Access& access) const;
    void make_link(const std::string& path, const std::string& target) const;
    void remove(const std::string& path) const;  // of a file, a link or an empty folder

    // Runs a program to its end, with the input, and returns what it printed.
    Ended run(const std::vector<std::string>& words, const std::string& input = {}) const;
    bool has_program(const std::string& name) const;
    bool has_systemd() const { return exists("/run/systemd/system"); }
    std::vector<Listener> listeners() const;

    // Takes a lock that ends with this process. Throws std::runtime_error with the process that has
    // it.
    Descriptor lock(const std::string& path) const;

private:
    std::string root_;
};

}  // namespace setup
