#include "system/harness/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace process {
namespace {

using Clock = std::chrono::steady_clock;

class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_{number} {}
    Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() { close(); }

    int number() const { return number_; }
    int release() { return std::exchange(number_, -1); }
    void close()
    {
        if (number_ >= 0) {
            ::close(std::exchange(number_, -1));
        }
    }

private:
    int number_;
};

struct Pipe {
    Descriptor reading;
    Descriptor writing;
};

Pipe make_pipe()
{
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::system_error{errno, std::generic_category(), "pipe2"};
    }
    return {Descriptor{ends[0]}, Descriptor{ends[1]}};
}

// For each of the three descriptors, a negative number leaves ours to the program.
pid_t spawn(const Arguments& arguments, const std::vector<std::string>& environment, int input,
            int output, int error)
{
    std::vector<char*> argv;
    for (const auto& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);

    std::vector<char*> variables;
    for (const auto& variable : environment) {
        variables.push_back(const_cast<char*>(variable.c_str()));
    }
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view name{*variable, std::strcspn(*variable, "=") + 1};
        const auto is_replaced = [name](const std::string& ours) { return ours.starts_with(name); };
        if (std::none_of(environment.begin(), environment.end(), is_replaced)) {
            variables.push_back(*variable);
        }
    }
    variables.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const std::array<int, 3> given{input, output, error};
    for (int number = 0; number < 3; ++number) {
        if (given[static_cast<std::size_t>(number)] >= 0) {
            ::posix_spawn_file_actions_adddup2(&actions, given[static_cast<std::size_t>(number)],
                                               number);
        }
    }
    // Boost.Test and a shell's background jobs leave signals blocked or ignored, and the program
    // would inherit that.
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGHUP}) {
        ::sigaddset(&defaults, signal);
    }
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

    pid_t pid = -1;
    const int failed =
        ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), variables.data());
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        throw std::system_error{failed, std::generic_category(), quoted(arguments)};
    }
    return pid;
}

int wait_for(pid_t pid)
{
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int milliseconds_until(Clock::time_point end)
{
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(0, left.count()));
}

// Reads what is available; closes the descriptor at the end of the data.
void drain(Descriptor& from, std::string& into)
{
    std::array<char, 16384> buffer{};
    const ssize_t count = ::read(from.number(), buffer.data(), buffer.size());
    if (count > 0) {
        into.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
        from.close();
    }
}

}  // namespace

std::string quoted(const Arguments& arguments)
{
    std::string text;
    for (const auto& argument : arguments) {
        text += (text.empty() ? "" : " ") + argument;
    }
    return text;
}

Ended run(const Arguments& arguments, const Options& options)
{
    auto input = make_pipe();
    auto output = make_pipe();
    auto error = make_pipe();
    const pid_t pid = spawn(arguments, options.environment, input.reading.number(),
                            output.writing.number(), error.writing.number());
    input.reading.close();
    output.writing.close();
    error.writing.close();
    ::fcntl(input.writing.number(), F_SETFL, O_NONBLOCK);

    Ended ended;
    std::string_view unwritten = options.input;
    const auto end = Clock::now() + options.deadline;
    while (output.reading.number() >= 0 || error.reading.number() >= 0) {
        if (unwritten.empty()) {
            input.writing.close();
        }
        std::array<pollfd, 3> waiting{pollfd{output.reading.number(), POLLIN, 0},
                                      pollfd{error.reading.number(), POLLIN, 0},
                                      pollfd{input.writing.number(), POLLOUT, 0}};
        if (::poll(waiting.data(), waiting.size(), milliseconds_until(end)) == 0) {
            ::kill(pid, SIGKILL);
            wait_for(pid);
            throw std::runtime_error{
                quoted(arguments) + ": not done, or its outputs not closed, after "
                + std::to_string(options.deadline.count()) + " s: " + ended.out + ended.err};
        }
        if (waiting[0].revents != 0) {
            drain(output.reading, ended.out);
        }
        if (waiting[1].revents != 0) {
            drain(error.reading, ended.err);
        }
        if (waiting[2].revents != 0) {
            const ssize_t count =
                ::write(input.writing.number(), unwritten.data(), unwritten.size());
            if (count > 0) {
                unwritten.remove_prefix(static_cast<std::size_t>(count));
            } else if (errno != EINTR && errno != EAGAIN) {
                unwritten = {};  // the program does not read its input, which is allowed
            }
        }
    }
    input.writing.close();
    ended.exit = wait_for(pid);
    return ended;
}

Child::Child(const Arguments& arguments)
{
    auto input = make_pipe();
    auto output = make_pipe();
    pid_ = spawn(arguments, {}, input.reading.number(), output.writing.number(),
                 output.writing.number());
    input_ = input.writing.release();
    output_ = output.reading.release();
}

Child::~Child()
{
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        end();
    }
}

int Child::end()
{
    ::close(input_);
    const int exit = wait_for(std::exchange(pid_, -1));
    ::close(output_);
    return exit;
}

void Child::write(std::string_view text)
{
    while (!text.empty()) {
        const ssize_t count = ::write(input_, text.data(), text.size());
        if (count < 0 && errno != EINTR) {
            throw std::system_error{errno, std::generic_category(), "write"};
        }
        text.remove_prefix(count < 0 ? 0 : static_cast<std::size_t>(count));
    }
}

std::string Child::read_line(std::chrono::milliseconds deadline)
{
    const auto end = Clock::now() + deadline;
    while (true) {
        if (const auto newline = read_.find('\n'); newline != std::string::npos) {
            const std::string line = read_.substr(0, newline);
            read_.erase(0, newline + 1);
            return line;
        }
        pollfd waiting{output_, POLLIN, 0};
        if (::poll(&waiting, 1, milliseconds_until(end)) == 0) {
            throw std::runtime_error{"no line came from the program in time; so far: " + read_};
        }
        std::array<char, 4096> buffer{};
        const ssize_t count = ::read(output_, buffer.data(), buffer.size());
        if (count == 0) {
            throw std::runtime_error{"the program ended; its last words: " + read_};
        }
        if (count > 0) {
            read_.append(buffer.data(), static_cast<std::size_t>(count));
        }
    }
}

namespace {

// State and parent, from the fields after the last parenthesis, because a program's name may
// contain anything. A zombie does not count as alive.
struct Stat {
    char state = 'X';
    pid_t parent = 0;
};

Stat stat_of(pid_t pid)
{
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    std::string text;
    std::getline(file, text, '\0');  // empty if the process has ended meanwhile
    const auto behind_name = text.rfind(") ");
    if (behind_name == std::string::npos) {
        return {};
    }
    Stat stat{text[behind_name + 2], 0};
    std::from_chars(text.data() + behind_name + 4, text.data() + text.size(), stat.parent);
    return stat;
}

}  // namespace

Stopped::Stopped(std::vector<pid_t> pids) : pids_{std::move(pids)}
{
    for (const auto pid : pids_) {
        ::kill(pid, SIGSTOP);
        eventually([pid] {
            std::error_code gone;
            for (const auto& thread : std::filesystem::directory_iterator{
                     "/proc/" + std::to_string(pid) + "/task", gone}) {
                std::string stat;
                std::getline(std::ifstream{thread.path() / "stat"}, stat);
                if (stat.find(") T ") == std::string::npos) {
                    return false;
                }
            }
            return true;
        });
    }
}

Stopped::~Stopped()
{
    for (const auto pid : pids_) {
        ::kill(pid, SIGCONT);
    }
}

OpenFiles::OpenFiles()
{
    ::getrlimit(RLIMIT_NOFILE, &before_);
    auto most = before_;
    most.rlim_cur = most.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &most);
}

OpenFiles::~OpenFiles()
{
    ::setrlimit(RLIMIT_NOFILE, &before_);
}

std::size_t OpenFiles::at_most(std::size_t wanted) const
{
    constexpr rlim_t kOurOwn = 500;
    return static_cast<std::size_t>(std::min<rlim_t>(wanted, before_.rlim_max - kOurOwn));
}

bool is_alive(pid_t pid)
{
    const char state = stat_of(pid).state;
    return state != 'X' && state != 'Z';
}

std::vector<std::string> open_files(pid_t pid)
{
    std::vector<std::string> names;
    for (const auto& entry :
         std::filesystem::directory_iterator{"/proc/" + std::to_string(pid) + "/fd"}) {
        std::error_code gone;
        names.push_back(std::filesystem::read_symlink(entry.path(), gone));
    }
    return names;
}

std::vector<pid_t> children(pid_t parent)
{
    std::vector<pid_t> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        const std::string name = entry.path().filename();
        pid_t pid = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (error == std::errc{} && *end == '\0') {
            const Stat stat = stat_of(pid);
            if (stat.parent == parent && stat.state != 'Z') {
                found.push_back(pid);
            }
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::string name(pid_t pid)
{
    std::ifstream file{"/proc/" + std::to_string(pid) + "/comm"};
    std::string line;
    std::getline(file, line);
    return line;
}

}  // namespace process
