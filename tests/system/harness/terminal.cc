#include "system/harness/terminal.h"

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <vector>

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

namespace process {

Terminal::Terminal(const Arguments& arguments)
{
    std::vector<char*> argv;
    for (const auto& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));  // execv does not change it
    }
    argv.push_back(nullptr);
    pid_ = ::forkpty(&descriptor_, nullptr, nullptr, nullptr);
    if (pid_ < 0) {
        throw std::runtime_error{"no terminal for " + quoted(arguments)};
    }
    if (pid_ == 0) {
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
}

Terminal::~Terminal()
{
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    ::close(descriptor_);
}

bool Terminal::read()
{
    pollfd waiting{descriptor_, POLLIN, 0};
    if (::poll(&waiting, 1, 30'000) <= 0) {
        throw std::runtime_error{"nothing more came after: " + shown_};
    }
    char buffer[1024];
    const ssize_t count = ::read(descriptor_, buffer, sizeof buffer);
    if (count > 0) {
        shown_.append(buffer, static_cast<std::size_t>(count));
    }
    return count > 0 || (count < 0 && errno == EINTR);
}

void Terminal::await(const std::string& text)
{
    while (!shown_.ends_with(text)) {
        if (!read()) {
            throw std::runtime_error{"it ended after: " + shown_};
        }
    }
}

void Terminal::type(const std::string& keys)
{
    if (::write(descriptor_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) {
        throw std::runtime_error{"the terminal does not take: " + keys};
    }
}

int Terminal::end()
{
    while (read()) {}
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace process
