// support.h - helpers of several unit tests: rows of tables, complaints, files, processes.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "mailboxd/http.h"

namespace support {

// The base of a table's row. It begins with the reason for the row, which a failure prints.
struct Row {
    const char* why;
};
inline std::ostream& operator<<(std::ostream& out, const Row& row)
{
    return out << row.why;
}

// Returns `accepted`, or the complaint, for example `400 bad_path`.
template <typename Call>
std::string complaint(Call&& call)
{
    try {
        call();
        return "accepted";
    } catch (const http::Error& error) {
        return std::to_string(error.status) + " " + std::string{error.code};
    }
}

// Returns a literal's bytes; it may contain NUL.
template <std::size_t Size>
std::string bytes(const char (&literal)[Size])
{
    return {literal, Size - 1};
}

// Returns a new name of lower-case letters and digits.
std::string unique(std::string_view prefix);

// A new directory in TEST_DIR, or in /tmp; deleted with its contents.
class Directory {
public:
    Directory();
    ~Directory();
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string path(const std::string& name) const { return path_ + "/" + name; }
    // Writes a file and returns its path.
    std::string write(const std::string& name, std::string_view text) const;

private:
    std::string path_;
};

// Redirects standard error while it exists, and keeps what each write(2) wrote.
class Stderr {
public:
    Stderr();
    ~Stderr();
    Stderr(const Stderr&) = delete;
    Stderr& operator=(const Stderr&) = delete;
    std::vector<std::string> take();  // one entry for each write since the last call

private:
    int saved_;
    int reader_;
};

// Sets an environment variable while it exists, or unsets it (nullptr).
class Variable {
public:
    Variable(const char* name, const char* value);
    ~Variable();
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    std::string name_;
    std::string before_;
    bool was_set_;
};

// A signal from one process to another; create it before the fork.
class Signal {
public:
    Signal();
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;
    void give() const;
    void await() const;

private:
    std::array<int, 2> ends_{};
};

// Runs `work` in that many processes at once and returns their results (0 to 99). A process that
// threw, or took longer than a minute, has returned 100 or more.
std::vector<int> in_processes(int count, const std::function<int(int)>& work);

// The same for one process, while the caller continues.
class Process {
public:
    explicit Process(const std::function<int()>& work);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    int wait();

private:
    int id_;
    int result_ = -1;
};

}  // namespace support
