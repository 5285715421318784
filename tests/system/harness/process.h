// process.h - runs other programs to their end, or exchanges lines with them while they run.
//
// Arguments are passed exactly, never through a shell. Every wait has a deadline, so a story that
// hangs fails instead. Throws std::runtime_error if a program cannot be started or misses its
// deadline.

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

// Asks the question repeatedly until the answer is yes. Returns false if the deadline passes first.
// For effects of other processes, which take a moment to show.
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

// How a program ended. After a signal, the exit code is 128 plus the signal's number, as in a
// shell.
struct Ended {
    int exit = 0;
    std::string out;
    std::string err;
};

struct Options {
    std::string input{};
    std::vector<std::string> environment{};  // "NAME=value", added to our environment
    std::chrono::seconds deadline{120};
};

Ended run(const Arguments& arguments, const Options& options = {});

// A running program that we write lines to and read lines from. The destructor kills it unless
// end() has waited for it.
class Child {
public:
    explicit Child(const Arguments& arguments);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    void write(std::string_view text);
    std::string read_line(std::chrono::milliseconds deadline = std::chrono::seconds{60});
    int end();  // closes its input, waits, and returns the exit code
    pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
    int input_ = -1;
    int output_ = -1;
    std::string read_;
};

// Suspends processes (SIGSTOP) while it exists. If they stayed suspended, every later story would
// fail.
class Stopped {
public:
    explicit Stopped(std::vector<pid_t> pids);  // returns when all their threads have stopped
    ~Stopped();
    Stopped(const Stopped&) = delete;
    Stopped& operator=(const Stopped&) = delete;

private:
    std::vector<pid_t> pids_;
};

// Raises the limit of open files to its maximum while it exists.
class OpenFiles {
public:
    OpenFiles();
    ~OpenFiles();
    OpenFiles(const OpenFiles&) = delete;
    OpenFiles& operator=(const OpenFiles&) = delete;
    // Returns `wanted`, or fewer if the limit leaves room for fewer connections only.
    std::size_t at_most(std::size_t wanted) const;

private:
    rlimit before_{};
};

bool is_alive(pid_t pid);
std::vector<pid_t> children(pid_t parent);

// Returns the name in /proc/PID/comm; empty if the process has ended.
std::string name(pid_t pid);
std::vector<std::string> open_files(pid_t pid);  // what each of its descriptors refers to
std::string quoted(const Arguments& arguments);  // for messages

}  // namespace process
