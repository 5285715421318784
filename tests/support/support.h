// support.h - what several twins need: rows of tables, complaints, files, processes.
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

// A row of a table begins with why it is there; a failure is reported with that.
struct Row {
    const char* why;
};
inline std::ostream& operator<<(std::ostream& out, const Row& row)
{
    return out << row.why;
}

// How a call complained, as `400 bad_path`, or `accepted`.
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

// Bytes that may have a NUL in their midst.
template <std::size_t Size>
std::string bytes(const char (&literal)[Size])
{
    return {literal, Size - 1};
}

// A new name, of lower-case letters and digits.
std::string unique(std::string_view prefix);

// A directory of its own in TEST_DIR, or in /tmp; deleted with everything in it.
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

// Has standard error for itself while it exists, and keeps what every write(2) wrote.
class Stderr {
public:
    Stderr();
    ~Stderr();
    Stderr(const Stderr&) = delete;
    Stderr& operator=(const Stderr&) = delete;
    std::vector<std::string> take();  // one entry a write, since the last call

private:
    int saved_;
    int reader_;
};

// An environment variable, set or (nullptr) unset while it exists.
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

// From one process to another, made before they part.
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

// Runs `work` in so many processes at once; what each returned (0 to 99). One that threw
// or took longer than a minute has returned 100 or more.
std::vector<int> in_processes(int count, const std::function<int(int)>& work);

// The same for one, which goes on while the caller does something else.
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
