// process.h - other programs: run to their end, or talked with while they live.
//
// Arguments are passed exactly, never through a shell. Everything that is
// waited for has a deadline, so a story that hangs fails instead. Throws
// std::runtime_error when a program cannot be started or misses its deadline.

#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <poll.h>
#include <sys/resource.h>
#include <sys/types.h>

namespace process {

using Arguments = std::vector<std::string>;

// What another process does shows after a moment: the question is asked again
// until it is answered with yes, or the deadline has passed.
template <typename Question>
bool eventually(Question&& question, std::chrono::milliseconds deadline = std::chrono::seconds{60},
                std::chrono::milliseconds interval = std::chrono::milliseconds{10})
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!question()) {
        if (std::chrono::steady_clock::now() >= end) {
            return false;
        }
        ::poll(nullptr, 0, static_cast<int>(interval.count()));
    }
    return true;
}

// How a program ended. The exit code of one that died of a signal is 128 more
// than the signal, as in a shell.
struct Ended {
    int exit = 0;
    std::string out;
    std::string err;
};

struct Options {
    std::string input{};
    std::vector<std::string> environment{};  // "NAME=value", on top of our own
    std::chrono::seconds deadline{120};
};

Ended run(const Arguments& arguments, const Options& options = {});

// A program that we write lines to and read lines from. It is killed by the
// destructor, unless end() has waited for it.
class Child {
public:
    explicit Child(const Arguments& arguments);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    void write(std::string_view text);
    std::string read_line(std::chrono::milliseconds deadline = std::chrono::seconds{60});
    int end();  // closes its input and waits for its exit code
    pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
    int input_ = -1;
    int output_ = -1;
    std::string read_;
};

// Processes that do nothing while this exists. Left so, they would fail every story after this one.
class Stopped {
public:
    explicit Stopped(std::vector<pid_t> pids);  // returns when every thread of theirs has stopped
    ~Stopped();
    Stopped(const Stopped&) = delete;
    Stopped& operator=(const Stopped&) = delete;

private:
    std::vector<pid_t> pids_;
};

// As many open files as this program may have, while this exists.
class OpenFiles {
public:
    OpenFiles();
    ~OpenFiles();
    OpenFiles(const OpenFiles&) = delete;
    OpenFiles& operator=(const OpenFiles&) = delete;
    // At most so many connections, which leaves some for the rest.
    std::size_t at_most(std::size_t wanted) const;

private:
    rlimit before_{};
};

bool is_alive(pid_t pid);
std::vector<pid_t> children(pid_t parent);

// As /proc/PID/comm has it; empty where the process has gone.
std::string name(pid_t pid);
std::vector<std::string> open_files(pid_t pid);  // names of whatever its descriptors refer to
std::string quoted(const Arguments& arguments);  // for messages

}  // namespace process
