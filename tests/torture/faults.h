// faults.h - breaks parts of a stack while clients use it, and repairs them.
//
// A killed part is started again by `scripts/stack up`, on the same data, as a service manager
// would. Throws std::runtime_error if a part cannot be repaired.

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

// A small file system for the database's files, which can be filled up. Only root may mount it.
// Only this process and its children see the mount, and it ends with them.
class Disk {
public:
    // why there can be no such disk; empty if there can. Ask before the stack is started.
    static std::string obstacle();

    explicit Disk(stack::Stack& stack);  // moves the files there and restarts the stack
    ~Disk();                             // stops the stack
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;

    void fill() const;
    void empty() const;

private:
    void resize(std::size_t bytes) const;

    stack::Stack& stack_;
    std::filesystem::path place_;
};

// A network of this program's own, with a namespace for each node of a cluster, so that a node can
// be cut off from the others. Only root may make it. It ends with this program and its children.
class Network {
public:
    // Why there can be no such network; empty if there can. Ask before the stack is started.
    static std::string obstacle();

    Network();  // moves this program into it; a stack that is started afterwards uses it
};

class Faults {
public:
    Faults(stack::Stack& stack, const Disk* disk);

    // The kinds of faults that are possible on this stack.
    std::vector<std::string> kinds() const;
    void strike(const plan::Fault& fault);  // returns when the fault's time is over
    void mend();
    void replace_workers() const;  // each worker first finishes its request

    // The port that the stack answers on. 0 while it answers nowhere; another program may have the
    // port then. Other threads may ask.
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
    void kill_node(const plan::Fault& fault);
    void kill_all_nodes(const plan::Fault& fault);
    void stop_node(const plan::Fault& fault);
    void end_node(const plan::Fault& fault);
    void replace_node(const plan::Fault& fault);
    void cut_off_node(const plan::Fault& fault);

    bool is_cluster() const { return stack_.has_setting("GALERA_DIR"); }
    // Twice out of three times the writer, so that the others take over.
    std::string chosen_node(const plan::Fault& fault) const;
    void tell_node(const std::string& command, const std::string& node) const;
    void await_node(const std::string& node) const;
    bool has_part(const std::string& name) const;
    bool is_up(const std::string& part) const;
    std::vector<pid_t> workers() const;
    pid_t gate() const;
    // the service, until the next start of the stack
    void configure(const std::string& text) const;
    void fill_audit_log() const;
    void read_ports();

    stack::Stack& stack_;
    const Disk* disk_;
    std::string part_;         // the part that the current fault breaks
    bool is_suspect_ = false;  // a running part may not work
    std::atomic<std::uint16_t> http_port_{0};
    std::atomic<std::uint16_t> smtp_port_{0};
};

}  // namespace faults
