// service.h - runs mailboxd for a measurement, and measures the resources of processes.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace service {

// The master and its workers; the destructor stops them.
class Service {
public:
    // Starts the service and returns when it listens.
    Service(const std::filesystem::path& program, const std::filesystem::path& configuration,
            const std::filesystem::path& log);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    pid_t master() const { return master_; }
    std::vector<pid_t> workers() const;  // readers first
    // Returns the lines of the service's log since the last call.
    std::vector<std::string> new_lines();

private:
    pid_t master_ = -1;
    std::filesystem::path log_;
    std::streamoff read_ = 0;
};

// Returns the CPU time of these processes and their children, including ended ones.
double cpu_seconds(const std::vector<pid_t>& processes);

// Returns the proportional set size in MiB. Uses sudo if the process is not ours.
double pss(pid_t process);

}  // namespace service
