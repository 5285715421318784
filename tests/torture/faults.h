// faults.h - what breaks the parts of a stack while clients work with it, and mends them again.
//
// A part that was killed is started again by `scripts/stack up`, on the same data, as an operator's
// service manager would. Throws std::runtime_error where a part cannot be mended.

#pragma once

#include "torture/plan.h"

#include "system/harness/stack.h"

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace faults {

// A small file system for the database's files, so that it can be filled: only where root may
// mount. What is mounted is seen by this process and its children alone, and goes with them.
class Disk {
public:
    static std::string obstacle();  // to be asked before the stack is started; empty: there is none

    explicit Disk(stack::Stack& stack);  // moves the files there, and starts the stack again
    ~Disk();                             // stops it
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    void fill() const;
    void empty() const;

private:
    void resize(std::size_t bytes) const;

    stack::Stack& stack_;
    std::filesystem::path place_;
};

class Faults {
public:
    Faults(stack::Stack& stack, const Disk* disk);

    // Those that this stack can have.
    std::vector<std::string> kinds() const;
    void strike(const plan::Fault& fault);  // returns when it has lasted as long as it should
    void mend();
    void replace_workers() const;  // each ends what it does first

    // Where the stack answers; another thread may ask. 0: nowhere, and it may be somebody else's
    // port meanwhile.
    std::uint16_t http_port() const { return http_port_; }
    std::uint16_t smtp_port() const { return smtp_port_; }

private:
    struct Kind;
    static const std::vector<Kind>& all_kinds();

    void kill_worker(const plan::Fault& fault);
    void kill_all_workers(const plan::Fault& fault);
    void kill_gate(const plan::Fault& fault);
    void stop_gate(const plan::Fault& fault);
    void stop_worker(const plan::Fault& fault);
    void kill_master(const plan::Fault& fault);
    void stop_master(const plan::Fault& fault);
    void reload_master(const plan::Fault& fault);
    void kill_part(const plan::Fault& fault);
    void kill_one_of_part(const plan::Fault& fault);
    void stop_part(const plan::Fault& fault);
    void end_part(const plan::Fault& fault);
    void reload_part(const plan::Fault& fault);
    void kill_connections(const plan::Fault& fault);
    void hold_row(const plan::Fault& fault);
    void take_backup(const plan::Fault& fault);
    void lose_commits(const plan::Fault& fault);
    void fill_disk(const plan::Fault& fault);

    bool has_part(const std::string& name) const;
    bool is_up(const std::string& part) const;
    std::vector<pid_t> workers() const;
    pid_t gate() const;
    void configure(const std::string& text) const;  // the service, until the stack is started again
    void fill_audit_log() const;
    void read_ports();

    stack::Stack& stack_;
    const Disk* disk_;
    std::string part_;         // of the fault that strikes
    bool is_suspect_ = false;  // a part may be ill that is alive
    std::atomic<std::uint16_t> http_port_{0};
    std::atomic<std::uint16_t> smtp_port_{0};
};

}  // namespace faults
