#include "support/support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <system_error>

#include "mail/api_key.h"

namespace support {
namespace {

constexpr unsigned kPatience = 60;  // seconds
constexpr int kThrew = 100;
constexpr int kKilled = 200;

[[noreturn]] void fail(const char* what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

std::string unique(std::string_view prefix)
{
    return std::string{prefix} + api_key::random_hex(6);
}

Directory::Directory()
{
    const char* const parent = std::getenv("TEST_DIR");
    path_ = std::string{parent == nullptr ? "/tmp" : parent} + "/XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) fail("mkdtemp");
}

Directory::~Directory()
{
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string Directory::write(const std::string& name, std::string_view text) const
{
    auto file = path(name);
    std::ofstream{file} << text;
    return file;
}

// A datagram socket keeps separate writes separate.
Stderr::Stderr()
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("socketpair");
    saved_ = ::dup(STDERR_FILENO);
    ::dup2(ends[0], STDERR_FILENO);
    ::close(ends[0]);
    reader_ = ends[1];
}

Stderr::~Stderr()
{
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    ::close(reader_);
}

std::vector<std::string> Stderr::take()
{
    std::vector<std::string> writes;
    std::vector<char> buffer(65'536);
    for (;;) {
        const auto size = ::recv(reader_, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (size < 0) return writes;
        writes.emplace_back(buffer.data(), static_cast<std::size_t>(size));
    }
}

Variable::Variable(const char* name, const char* value) : name_{name}
{
    const char* const before = std::getenv(name);
    was_set_ = before != nullptr;
    if (was_set_) before_ = before;
    if (value == nullptr) ::unsetenv(name);
    else ::setenv(name, value, 1);
}

Variable::~Variable()
{
    if (was_set_) ::setenv(name_.c_str(), before_.c_str(), 1);
    else ::unsetenv(name_.c_str());
}

Signal::Signal()
{
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) fail("pipe2");
}

Signal::~Signal()
{
    ::close(ends_[0]);
    ::close(ends_[1]);
}

void Signal::give() const
{
    if (::write(ends_[1], "x", 1) != 1) fail("write");
}

void Signal::await() const
{
    char byte = 0;
    if (::read(ends_[0], &byte, 1) != 1) fail("read");
}

Process::Process(const std::function<int()>& work)
{
    std::cout << std::flush;
    id_ = ::fork();
    if (id_ < 0) fail("fork");
    if (id_ > 0) return;
    // The child ends here in every case, because what it inherited is the parent's to destroy.
    ::signal(SIGALRM, SIG_DFL);
    ::alarm(kPatience);
    int result = kThrew;
    try {
        result = work();
    } catch (const std::exception& error) {
        std::cerr << "in a process of its own: " << error.what() << '\n';
    }
    // Not _exit(2) where the sanitizers look for leaks: they would wait for the parent's threads,
    // which a child does not have.
    ::_Exit(result);
}

Process::~Process()
{
    wait();
}

int Process::wait()
{
    if (result_ >= 0) return result_;
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {}
    result_ = WIFEXITED(status) ? WEXITSTATUS(status) : kKilled;
    return result_;
}

std::vector<int> in_processes(int count, const std::function<int(int)>& work)
{
    std::vector<std::unique_ptr<Process>> processes;
    for (int i = 0; i < count; ++i) {
        processes.push_back(std::make_unique<Process>([&, i] { return work(i); }));
    }
    std::vector<int> results;
    for (auto& process : processes) results.push_back(process->wait());
    return results;
}

}  // namespace support
