// service.h - mailboxd while it is measured, and what processes cost.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace service {

// The master with its workers; stopped by the destructor.
class Service {
public:
    // Returns when it listens.
    Service(const std::filesystem::path& program, const std::filesystem::path& configuration,
            const std::filesystem::path& log);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    pid_t master() const { return master_; }
    std::vector<pid_t> workers() const;  // those for reading first
    // The lines of its log since the last call.
    std::vector<std::string> new_lines();

private:
    pid_t master_ = -1;
    std::filesystem::path log_;
    std::streamoff read_ = 0;
};

// CPU time of these processes and their children, ended ones included.
double cpu_seconds(const std::vector<pid_t>& processes);

// Proportional set size, in MiB. Asks sudo where it is not ours to see.
double pss(pid_t process);

}  // namespace service
