#include "bench/service.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "system/harness/process.h"

namespace service {
namespace {

using namespace std::chrono_literals;

}  // namespace

Service::Service(const std::filesystem::path& program, const std::filesystem::path& configuration,
                 const std::filesystem::path& log)
    : log_{log}
{
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (out < 0) throw std::runtime_error("cannot write " + log.string());
    read_ = static_cast<std::streamoff>(std::filesystem::file_size(log));
    master_ = ::fork();
    if (master_ == 0) {
        ::dup2(out, STDERR_FILENO);
        ::execl(program.c_str(), program.c_str(), "--config", configuration.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(out);
    const auto is_ready = [&] {
        const auto lines = new_lines();
        return std::any_of(lines.begin(), lines.end(),
                           [](const auto& line) { return line.starts_with("info ready "); });
    };
    if (!process::eventually(is_ready, 15s, 1ms)) {
        ::kill(master_, SIGKILL);
        throw std::runtime_error("mailboxd does not start; " + log.string() + " tells why");
    }
}

Service::~Service()
{
    ::kill(master_, SIGTERM);
    ::waitpid(master_, nullptr, 0);
}

std::vector<pid_t> Service::workers() const
{
    auto pids = process::children(master_);
    std::sort(pids.begin(), pids.end());
    return pids;
}

std::vector<std::string> Service::new_lines()
{
    std::ifstream file{log_};
    file.seekg(read_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line) && !file.eof();) {
        read_ += static_cast<std::streamoff>(line.size()) + 1;
        lines.push_back(std::move(line));
    }
    return lines;
}

double cpu_seconds(const std::vector<pid_t>& processes)
{
    auto all = processes;
    for (const auto process : processes) {
        const auto children = process::children(process);
        all.insert(all.end(), children.begin(), children.end());
    }
    long ticks = 0;
    for (const auto process : all) {
        std::ifstream file{"/proc/" + std::to_string(process) + "/stat"};
        std::string text;
        std::getline(file, text);
        const auto end_of_name = text.rfind(") ");
        if (end_of_name == std::string::npos) continue;  // ended meanwhile; its parent has its time
        std::istringstream fields{text.substr(end_of_name + 2)};
        std::string skipped;
        for (int i = 0; i < 11; ++i) fields >> skipped;
        long user = 0, system = 0, children_user = 0, children_system = 0;
        fields >> user >> system >> children_user >> children_system;
        ticks += user + system + children_user + children_system;
    }
    return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double pss(pid_t process)
{
    const auto path = "/proc/" + std::to_string(process) + "/smaps_rollup";
    const auto text =
        ::geteuid() == 0 ? process::run({"cat", path}) : process::run({"sudo", "-n", "cat", path});
    std::istringstream lines{text.out};
    for (std::string word; lines >> word;) {
        double kib = 0;
        if (word == "Pss:" && lines >> kib) return kib / 1024;
    }
    throw std::runtime_error("cannot read " + path + ": " + text.err);
}

}  // namespace service
