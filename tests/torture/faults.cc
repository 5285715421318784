#include "torture/faults.h"

#include "support/proxy.h"
#include "system/harness/mail.h"
#include "system/harness/process.h"
#include "system/harness/story.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace faults {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLarge = 1UL << 30U;  // bytes of the database's disk, except while it is full

void last(std::chrono::milliseconds time)
{
    ::poll(nullptr, 0, static_cast<int>(time.count()));
}

// Postfix's processes belong to root even if nothing else does.
void send(const std::vector<pid_t>& processes, int signal)
{
    for (const auto pid : processes) {
        if (::kill(pid, signal) == 0 || errno != EPERM) continue;
        process::run(mail::as_root(
            {"sh", "-c", "kill -$0 $1", std::to_string(signal), std::to_string(pid)}));
    }
}

void kill(const std::vector<pid_t>& processes)
{
    send(processes, SIGKILL);
    const auto is_gone = [](pid_t pid) { return !process::is_alive(pid); };
    if (!process::eventually(
            [&] { return std::all_of(processes.begin(), processes.end(), is_gone); })) {
        throw std::runtime_error{"a process that was killed is still there"};
    }
}

[[noreturn]] void fail(const std::string& what)
{
    throw std::runtime_error{what + ": " + std::strerror(errno)};
}

}  // namespace

// --- The disk -----------------------------------------------------------------------------------

std::string Disk::obstacle()
{
    if (::unshare(CLONE_NEWNS) != 0)
        return std::string{"no mounts of its own: "} + std::strerror(errno);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return std::string{"its mounts would be seen: "} + std::strerror(errno);
    return "";
}

Disk::Disk(stack::Stack& stack) : stack_{stack}, place_{stack.directory() / "mariadb"}
{
    const auto before = place_.string() + ".before";
    stack_.down();
    fs::rename(place_, before);
    fs::create_directory(place_);
    if (::mount("tmpfs", place_.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0)
        fail("mount " + place_.string());
    resize(kLarge);
    process::run({"cp", "-a", before + "/.", place_});
    fs::remove_all(before);
    stack_.up();
}

// Moves the files back, for those who keep the directory.
Disk::~Disk()
{
    try {
        stack_.down();
        const auto after = place_.string() + ".after";
        process::run({"cp", "-a", place_, after});
        if (::umount2(place_.c_str(), MNT_DETACH) != 0) return;
        fs::remove(place_);
        fs::rename(after, place_);
    } catch (const std::exception&) {
        // The directory stays, with the remaining files.
    }
}

void Disk::resize(std::size_t bytes) const
{
    const auto option = "size=" + std::to_string(bytes);
    if (::mount(nullptr, place_.c_str(), nullptr, MS_REMOUNT | MS_NOSUID | MS_NODEV, option.c_str())
        != 0)
        fail("resize " + place_.string());
}

// Shrinks the disk to the size of its files, and then uses up the rest, because the files change
// meanwhile.
void Disk::fill() const
{
    constexpr std::size_t kSpare = 1UL << 20U;
    struct statvfs room {};
    ::statvfs(place_.c_str(), &room);
    resize((room.f_blocks - room.f_bfree) * room.f_frsize + kSpare);
    const int file = ::open((place_ / "filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (std::size_t size = kSpare; size > 0; size /= 2) {
        const std::string bytes(size, 'x');
        while (::write(file, bytes.data(), bytes.size()) > 0) {}
    }
    ::close(file);
}

void Disk::empty() const
{
    resize(kLarge);
    fs::remove(place_ / "filler");
}

// --- The network --------------------------------------------------------------------------------

namespace {

constexpr char kNetwork[] = "10.77.0";

// Everything is in this program's own namespaces, so nothing is left of it afterwards.
constexpr char kMakeNetwork[] = R"(set -e
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
ip link set lo up
ip link add br0 type bridge
ip address add $1.254/24 dev br0
ip link set br0 up
for n in 1 2 3; do
    ip netns add n$n
    ip link add v$n type veth peer name eth0 netns n$n
    ip link set v$n master br0 up
    ip -n n$n link set lo up
    ip -n n$n address add $1.$n/24 dev eth0
    ip -n n$n link set eth0 up
done)";

}  // namespace

std::string Network::obstacle()
{
    if (::geteuid() != 0) return "only root may make one";
    const auto ended =
        process::run({"unshare", "--net", "--mount", "ip", "link", "set", "lo", "up"});
    return ended.exit == 0 ? "" : "no network of its own: " + ended.err;
}

Network::Network()
{
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) fail("a network of its own");
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        fail("mounts of its own");
    const auto made = process::run({"sh", "-c", kMakeNetwork, "sh", kNetwork});
    if (made.exit != 0) throw std::runtime_error{"no network for the nodes: " + made.err};
    ::setenv("GALERA_NAMESPACES", kNetwork, 1);
}

// --- Faults -------------------------------------------------------------------------------------

struct Faults::Kind {
    const char* name;
    const char* part;  // which must run for this fault
    void (Faults::*strike)(const plan::Fault&);
};

const std::vector<Faults::Kind>& Faults::all_kinds()
{
    static const std::vector<Kind> all{
        {"worker-killed", "mailboxd", &Faults::kill_worker},
        {"all-workers-killed", "mailboxd", &Faults::kill_all_workers},
        {"gate-killed", "mailboxd", &Faults::kill_gate},
        {"gate-stopped", "mailboxd", &Faults::stop_gate},
        {"worker-stopped", "mailboxd", &Faults::stop_worker},
        {"master-killed", "mailboxd", &Faults::kill_master},
        {"master-stopped", "mailboxd", &Faults::stop_master},
        {"master-reloaded", "mailboxd", &Faults::reload_master},
        {"nginx-killed", "nginx", &Faults::kill_part},
        {"nginx-worker-killed", "nginx", &Faults::kill_one_of_part},
        {"nginx-stopped", "nginx", &Faults::stop_part},
        {"nginx-reloaded", "nginx", &Faults::reload_part},
        {"database-killed", "mariadb", &Faults::kill_part},
        {"database-stopped", "mariadb", &Faults::stop_part},
        {"database-ended", "mariadb", &Faults::end_part},
        {"connections-killed", "mariadb", &Faults::kill_connections},
        {"row-held", "mariadb", &Faults::hold_row},
        {"backup-taken", "mariadb", &Faults::take_backup},
        {"commits-lost", "mailboxd", &Faults::lose_commits},
        {"disk-full", "mariadb", &Faults::fill_disk},
        {"node-killed", "haproxy", &Faults::kill_node},
        {"all-nodes-killed", "haproxy", &Faults::kill_all_nodes},
        {"node-stopped", "haproxy", &Faults::stop_node},
        {"node-ended", "haproxy", &Faults::end_node},
        {"node-replaced", "haproxy", &Faults::replace_node},
        {"node-cut-off", "haproxy", &Faults::cut_off_node},
        {"haproxy-killed", "haproxy", &Faults::kill_part},
        {"janitor-killed", "janitor", &Faults::kill_part},
        {"janitor-stopped", "janitor", &Faults::stop_part},
        {"dovecot-killed", "dovecot", &Faults::kill_part},
        {"dovecot-process-killed", "dovecot", &Faults::kill_one_of_part},
        {"dovecot-stopped", "dovecot", &Faults::stop_part},
        {"postfix-killed", "postfix", &Faults::kill_part},
        {"postfix-process-killed", "postfix", &Faults::kill_one_of_part},
    };
    return all;
}

Faults::Faults(stack::Stack& stack, const Disk* disk) : stack_{stack}, disk_{disk}
{
    read_ports();
}

void Faults::read_ports()
{
    http_port_ = stack_.server().port();
    if (stack_.has_setting("SMTP_PORT")) smtp_port_ = stack_.port("SMTP_PORT");
}

bool Faults::has_part(const std::string& name) const
{
    if (name == "postfix") return stack_.has_setting("SMTP_PORT");
    if (name == "mariadb") return !is_cluster();
    if (name == "haproxy" || name.starts_with("galera")) return is_cluster();
    return (name != "dovecot" && name != "janitor") || stack_.has_setting("IMAP_PORT");
}

std::vector<std::string> Faults::kinds() const
{
    const bool has_network = std::getenv("GALERA_NAMESPACES") != nullptr;
    std::vector<std::string> names;
    for (const auto& kind : all_kinds()) {
        if (!has_part(kind.part)) continue;
        if (disk_ == nullptr && kind.strike == &Faults::fill_disk) continue;
        if (!has_network && kind.strike == &Faults::cut_off_node) continue;
        names.emplace_back(kind.name);
    }
    return names;
}

bool Faults::is_up(const std::string& part) const
{
    return process::is_alive(stack_.part(part));
}

void Faults::strike(const plan::Fault& fault)
{
    const auto kind = std::find_if(all_kinds().begin(), all_kinds().end(),
                                   [&](const Kind& each) { return each.name == fault.kind; });
    if (kind == all_kinds().end()) throw std::runtime_error{"there is no fault " + fault.kind};
    part_ = kind->part;
    if (!is_up(part_) || is_suspect_) mend();
    last(fault.victim % 40 * 1ms);  // so that requests are at different stages
    (this->*kind->strike)(fault);
    if (fault.is_mended_at_once) mend();
}

void Faults::mend()
{
    const std::vector<std::string> parts{"mariadb",  "galera1", "galera2", "galera3", "haproxy",
                                         "mailboxd", "nginx",   "dovecot", "janitor", "postfix"};
    const auto is_well = [&](const auto& part) { return !has_part(part) || is_up(part); };
    if (!is_suspect_ && std::all_of(parts.begin(), parts.end(), is_well)) return;
    stack_.up();
    is_suspect_ = false;
    read_ports();
}

std::vector<pid_t> Faults::workers() const
{
    std::vector<pid_t> found;
    process::eventually([&] { return !(found = stack_.workers()).empty(); });
    if (found.empty()) throw std::runtime_error{"there are no workers"};
    return found;
}

void Faults::kill_worker(const plan::Fault& fault)
{
    const auto all = workers();
    send({all[fault.victim % all.size()]}, SIGKILL);
    last(fault.hold / 4);
}

void Faults::kill_all_workers(const plan::Fault& fault)
{
    send(workers(), SIGKILL);
    last(fault.hold / 4);
}

pid_t Faults::gate() const
{
    pid_t found = 0;
    const bool is_there = process::eventually([&] {
        try {
            found = stack_.gate();
            return true;
        } catch (const std::runtime_error&) {
            return false;
        }
    });
    if (!is_there) throw std::runtime_error{"there is no gate"};
    return found;
}

void Faults::kill_gate(const plan::Fault& fault)
{
    send({gate()}, SIGKILL);
    last(fault.hold / 4);
}

void Faults::stop_gate(const plan::Fault& fault)
{
    const process::Stopped stopped{{gate()}};
    last(fault.hold);
}

void Faults::stop_worker(const plan::Fault& fault)
{
    const auto all = workers();
    const process::Stopped stopped{{all[fault.victim % all.size()]}};
    last(fault.hold);
}

void Faults::kill_master(const plan::Fault& fault)
{
    kill({stack_.master()});
    last(fault.hold);
}

// A worker that ends meanwhile is replaced only after the master continues.
void Faults::stop_master(const plan::Fault& fault)
{
    const process::Stopped stopped{{stack_.master()}};
    kill_worker(fault);
    last(fault.hold);
}

void Faults::reload_master(const plan::Fault& fault)
{
    send({stack_.master()}, SIGHUP);
    last(fault.hold / 4);
}

// Kills the first process and all its children, so that none continues.
void Faults::kill_part(const plan::Fault& fault)
{
    if (part_ == "nginx") http_port_ = 0;
    if (part_ == "postfix") smtp_port_ = 0;
    const auto first = stack_.part(part_);
    const auto children = process::children(first);
    kill({first});
    send(children, SIGKILL);
    last(fault.hold);
}

void Faults::kill_one_of_part(const plan::Fault& fault)
{
    const auto children = process::children(stack_.part(part_));
    if (!children.empty()) send({children[fault.victim % children.size()]}, SIGKILL);
    last(fault.hold / 4);
}

void Faults::stop_part(const plan::Fault& fault)
{
    auto processes = process::children(stack_.part(part_));
    processes.push_back(stack_.part(part_));
    const process::Stopped stopped{processes};
    last(fault.hold);
}

void Faults::end_part(const plan::Fault& fault)
{
    const auto first = stack_.part(part_);
    send({first}, SIGTERM);
    if (!process::eventually([&] { return !process::is_alive(first); }, 60s))
        throw std::runtime_error{part_ + " does not end"};
    last(fault.hold);
}

void Faults::reload_part(const plan::Fault& fault)
{
    send({stack_.part(part_)}, SIGHUP);
    last(fault.hold / 4);
}

// Several times, so that some connections are in the middle of a statement.
void Faults::kill_connections(const plan::Fault& fault)
{
    constexpr int kTimes = 8;
    for (int i = 0; i < kTimes; ++i) {
        for (
            const auto& row : stack_.sql(
                "SELECT id FROM information_schema.processlist WHERE user = 'mailboxd_api' AND command <> 'Sleep'")) {
            // The connection may have ended meanwhile.
            process::run({stack::client_program(), "--no-defaults", "--socket",
                          stack_.setting("DB_SOCKET"), "--user", stack_.setting("DB_ADMIN_USER"),
                          "--execute", "KILL " + row.at(0)});
        }
        last(fault.hold / kTimes);
    }
}

// A long change holds a row of the busiest domain, sometimes for longer than the service waits.
void Faults::hold_row(const plan::Fault& fault)
{
    auto database = stack_.connect_to_database();
    database.execute(
        "START TRANSACTION; UPDATE domain SET state = state ORDER BY last_id DESC LIMIT 1");
    last(fault.hold * 5);
    database.execute("ROLLBACK");
}

// As backup programs do: no COMMIT proceeds meanwhile.
void Faults::take_backup(const plan::Fault& fault)
{
    auto database = stack_.connect_to_database();
    database.execute("FLUSH TABLES WITH READ LOCK");
    last(fault.hold * 5);
    database.execute("UNLOCK TABLES");
}

// For a while the service reaches its database through a proxy, which ends most connections at
// their COMMIT: before the server receives it, after that, after its answer, or so late that the
// service has already asked about it.
void Faults::lose_commits(const plan::Fault& fault)
{
    using proxy::Fate;
    constexpr std::array kFates{Fate::lost,       Fate::answer_lost,  Fate::passes,
                                Fate::unanswered, Fate::arrives_late, Fate::lost_slowly,
                                Fate::answer_lost};
    constexpr std::size_t kEnough = 2 * kFates.size();
    const auto socket = stack_.directory() / "run" / "proxy.sock";
    fs::remove(socket);
    Config::Database server;
    server.socket = stack_.setting("DB_SOCKET");
    proxy::Proxy proxy{server, socket};
    fs::permissions(socket, fs::perms::all);
    std::atomic<std::size_t> commits{0};
    proxy.set_judge([&](std::string_view command) {
        return command == "\003COMMIT" ? kFates[(fault.victim + commits++) % kFates.size()]
                                       : Fate::passes;
    });
    const auto as_it_was = story::configuration(stack_, {});
    configure(story::configuration(stack_, {{"db_socket", socket}}));
    process::eventually([&] { return commits >= kEnough; }, fault.hold * 2 + 2s);
    proxy.set_judge([](std::string_view) { return Fate::passes; });
    configure(as_it_was);
}

void Faults::configure(const std::string& text) const
{
    std::ofstream{stack_.setting("MAILBOXD_CONF")} << text;
    replace_workers();
}

void Faults::replace_workers() const
{
    const auto old = workers();
    send({stack_.master()}, SIGHUP);
    if (!process::eventually(
            [&] { return std::none_of(old.begin(), old.end(), process::is_alive); }, 60s)) {
        throw std::runtime_error{"a worker that was to be replaced does not end"};
    }
}

// Tables have free space in their files for a while. Each change writes to the audit log, so that
// table is filled up, too.
void Faults::fill_disk(const plan::Fault& fault)
{
    is_suspect_ = true;
    disk_->fill();
    fill_audit_log();
    last(fault.hold * 4);
    disk_->empty();
    mend();
    stack_.sql("DELETE FROM audit_log WHERE domain = 'filler'");
}

std::string Faults::chosen_node(const plan::Fault& fault) const
{
    if (fault.victim % 3 == 0) return std::to_string(1 + fault.victim / 3 % 3);
    const auto name = stack_.value("SELECT @@wsrep_node_name");
    return name.substr(1);
}

void Faults::tell_node(const std::string& command, const std::string& node) const
{
    const auto told =
        process::run({stack_.setting("GALERA"), stack_.setting("GALERA_DIR"), command, node});
    if (told.exit != 0)
        throw std::runtime_error{command + " of n" + node + " failed: " + told.out + told.err};
}

// A node may also end itself, and is started again then.
void Faults::await_node(const std::string& node) const
{
    const auto status = [&] {
        return process::run({stack_.setting("GALERA"), stack_.setting("GALERA_DIR"), "status"}).out;
    };
    const bool is_back = process::eventually(
        [&] {
        return !is_up("galera" + node)
               || status().find("n" + node + ": 3 Primary Synced ON") != std::string::npos;
        },
        60s, 500ms);
    if (!is_back) throw std::runtime_error{"n" + node + " does not come back:\n" + status()};
}

// Killed nodes are started by mend(), with the changes that they lack (IST).
void Faults::kill_node(const plan::Fault& fault)
{
    is_suspect_ = true;
    tell_node("kill", chosen_node(fault));
    last(fault.hold * 3);
}

void Faults::kill_all_nodes(const plan::Fault& fault)
{
    is_suspect_ = true;
    for (const auto* node : {"1", "2", "3"}) tell_node("kill", node);
    last(fault.hold);
}

void Faults::end_node(const plan::Fault& fault)
{
    is_suspect_ = true;
    tell_node("term", chosen_node(fault));
    last(fault.hold * 3);
}

// Its data are lost, so it takes a whole copy from another node (SST).
void Faults::replace_node(const plan::Fault& fault)
{
    is_suspect_ = true;
    const auto node = chosen_node(fault);
    tell_node("kill", node);
    if (!process::eventually([&] { return !is_up("galera" + node); }))
        throw std::runtime_error{"n" + node + " does not end"};
    tell_node("forget", node);
}

// For less or more than the five seconds after which the others go on without it.
void Faults::stop_node(const plan::Fault& fault)
{
    is_suspect_ = true;
    const auto node = chosen_node(fault);
    tell_node("pause", node);
    last(fault.hold * 8);
    tell_node("resume", node);
    await_node(node);
}

void Faults::cut_off_node(const plan::Fault& fault)
{
    is_suspect_ = true;
    const auto node = chosen_node(fault);
    tell_node("cut", node);
    last(fault.hold * 8);
    tell_node("join", node);
    await_node(node);
}

void Faults::fill_audit_log() const
{
    constexpr std::size_t kAtOnce = 2048;
    constexpr std::size_t kMost = 200'000;
    const std::string insert =
        "INSERT INTO audit_log (at, id, actor, client, action, domain, local_part) ";
    std::string rows_to_add =
        "VALUES (0, 0, REPEAT('x', 64), '', 'filler', 'filler', REPEAT('x', 64))";
    std::size_t rows = 0;
    bool is_full = false;
    for (std::size_t count = 1; count > 0 && rows < kMost;) {
        try {
            stack_.sql(insert + rows_to_add);
            rows += count;
            count = is_full || rows == 1 ? count : std::min(count * 2, kAtOnce);
        } catch (const std::exception&) {
            is_full = true;
            count /= 4;
        }
        rows_to_add =
            "SELECT at, id + " + std::to_string(rows)
            + ", actor, client, action, domain, local_part FROM audit_log WHERE domain = 'filler' LIMIT "
            + std::to_string(count);
    }
}

}  // namespace faults
