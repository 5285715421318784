#include "mailboxd/master.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <list>
#include <memory>
#include <new>
#include <optional>
#include <system_error>

#include "base/log.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "db/session.h"
#include "mailboxd/exporter.h"
#include "mailboxd/gate.h"
#include "mailboxd/worker.h"

namespace master {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kAskAgain = 1s;
constexpr auto kFirstBackOff = 100ms;
constexpr auto kLongestBackOff = 10s;

enum class Phase { working, waiting_for_gate, asked_to_stop };

// Unmaps shared memory in the master. A worker keeps the memory that it was forked with.
struct Unshare {
    template <typename Value>
    void operator()(Value* value) const
    {
        ::munmap(value, sizeof(Value));
    }
};
template <typename Value>
using Shared = std::unique_ptr<Value, Unshare>;

template <typename Value>
Shared<Value> shared()
{
    void* memory =
        ::mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
    return Shared<Value>{new (memory) Value{}};
}

// What the gate and the workers of one pool and generation share. It lives as long as one of them.
struct Channel {
    gate::Jobs jobs = gate::open_jobs();
    Shared<gate::Board> board = shared<gate::Board>();
};

// The counts of places that no longer exist. `version` is odd while counts move there.
struct Retired {
    std::atomic<std::uint64_t> version{0};
    metrics::Block counts;
};

enum class Role { worker, gate, exporter };

// The place of a child process, which may be running or waiting to be started.
struct Slot {
    const Pool* pool;  // nullptr: the exporter, which has none
    Role role;
    unsigned generation;
    std::shared_ptr<Channel> channel;                          // nullptr: the pool has no gate
    Shared<worker::Status> status = shared<worker::Status>();  // shared with the process
    Shared<metrics::Block> counts = shared<metrics::Block>();  // of all processes that were here
    pid_t pid = 0;                                             // 0: to be started at start_at
    Clock::time_point start_at{};
    Clock::time_point started{};
    Clock::duration back_off{};  // by how much the next start was delayed
    Phase phase = Phase::working;
    Clock::time_point ask_at{};
    Clock::time_point kill_at{};
};

std::string cause_of(int wait_status)
{
    if (WIFEXITED(wait_status)) return "exit-" + std::to_string(WEXITSTATUS(wait_status));
    return std::string{"SIG"} + ::sigabbrev_np(WTERMSIG(wait_status));
}

class Master {
public:
    Master(Settings settings, const Sockets& sockets, std::function<Settings()> reload)
        : settings_{std::make_unique<Settings>(std::move(settings))}, sockets_{sockets},
          pools_{sockets_.pools}, reload_{std::move(reload)}
    {
        metrics::use(*counts_);
        ::sigemptyset(&signals_);
        for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1})
            ::sigaddset(&signals_, signal);
        ::sigprocmask(SIG_BLOCK, &signals_, nullptr);
    }

    int work()
    {
        logging::open(settings_->config.log_file, settings_->config.log_format);
        add_all_slots();
        start_due_slots();
        logging::info("ready")("pid", ::getpid())("workers", slots_.size());
        notify::ready();
        while (!slots_.empty()) {
            pulse_.beat();
            receive(until_next_deadline());
            reap();
            handle_deadlines();
        }
        logging::info("stopped")("pid", ::getpid());
        return 0;
    }

private:
    // The exporter comes last, because it sees the places that exist when it is forked.
    void add_all_slots()
    {
        for (const auto& pool : pools_) add_slots(pool);
        if (sockets_.metrics)
            slots_.push_back(
                Slot{.pool = nullptr, .role = Role::exporter, .generation = generation_});
    }

    void add_slots(const Pool& pool)
    {
        const auto size =
            pool.has_gate ? gate::workers_of(settings_->config) : settings_->config.*pool.size;
        const auto channel = pool.has_gate ? std::make_shared<Channel>() : nullptr;
        if (channel)
            slots_.push_back(Slot{
                .pool = &pool, .role = Role::gate, .generation = generation_, .channel = channel});
        for (unsigned i = 0; i < size; ++i) {
            slots_.push_back(Slot{.pool = &pool,
                                  .role = Role::worker,
                                  .generation = generation_,
                                  .channel = channel});
        }
    }

    int run_child(const Slot& slot, pid_t master_pid) const
    {
        metrics::use(*slot.counts);
        if (slot.role == Role::exporter) {
            slot.status->stage = worker::Stage::serving;
            return run_exporter(master_pid);
        }
        close_descriptors_of_others(slot);
        const auto& config = settings_->config;
        if (slot.role == Role::gate) {
            slot.status->stage = worker::Stage::serving;
            return gate::run(slot.pool->listener, slot.channel->jobs.gate_end.number(), config,
                             *slot.channel->board, master_pid);
        }
        const auto source = slot.channel
                                ? worker::Source{slot.channel->jobs.worker_end.number(),
                                                 slot.channel->board.get(), slot.pool->label}
                                : worker::Source{slot.pool->listener, nullptr, slot.pool->label};
        return worker::run(source, config, settings_->db_password, settings_->look, *outage_,
                           master_pid, *slot.status);
    }

    int run_exporter(pid_t master_pid) const
    {
        pool_view::Sources sources{.started_at = started_at_,
                                   .outage = *outage_,
                                   .version = retired_->version,
                                   .blocks = {counts_.get(), &retired_->counts}};
        for (const auto& pool : pools_)
            sources.pools.push_back({pool.label, pool.listener,
                                     pool.has_gate ? gate::workers_of(settings_->config)
                                                   : settings_->config.*pool.size});
        for (const auto& slot : slots_) {
            sources.blocks.push_back(slot.counts.get());
            if (slot.role == Role::worker)
                sources.workers.push_back({slot.pool->label, slot.status.get(), slot.counts.get()});
            if (slot.role == Role::gate) sources.boards.push_back(slot.channel->board.get());
        }
        const int listener = *sockets_.metrics;
        return exporter::run(listener, sources, settings_->config.log_file, master_pid);
    }

    // Forks a child. The child runs and exits in here and never returns to the master's loop.
    void start(Slot& slot)
    {
        new (slot.status.get()) worker::Status{};
        const auto master_pid = ::getpid();
        slot.started = Clock::now();
        slot.status->started_at = slot.started.time_since_epoch().count();
        slot.pid = ::fork();
        if (slot.pid == 0) {
            slot.status->pid = ::getpid();
            int code = 1;
            try {
                code = run_child(slot, master_pid);
            } catch (const std::exception& fault) {
                logging::error("worker-fault")("pid", ::getpid())("error", fault.what());
            }
            ::_exit(code);
        }
        if (slot.pid < 0) {
            logging::error("fork")("error", std::strerror(errno));
            slot.pid = 0;
            delay_start(slot);
        }
    }

    // Closes the descriptors of other children, so that a socket or a queue of jobs is closed when
    // those that serve it have ended.
    void close_descriptors_of_others(const Slot& own) const
    {
        for (const auto& pool : pools_) {
            const bool serves = &pool == own.pool && (!pool.has_gate || own.role == Role::gate);
            if (!serves) ::close(pool.listener);
        }
        if (sockets_.metrics) ::close(*sockets_.metrics);
        for (const auto& slot : slots_) {
            if (!slot.channel) continue;
            if (slot.channel != own.channel || own.role != Role::gate)
                slot.channel->jobs.gate_end.reset();
            if (slot.channel != own.channel || own.role != Role::worker)
                slot.channel->jobs.worker_end.reset();
        }
    }

    void start_due_slots()
    {
        for (auto& slot : slots_) {
            if (slot.pid == 0 && slot.start_at <= Clock::now()) start(slot);
        }
    }

    static void delay_start(Slot& slot)
    {
        slot.back_off =
            std::clamp<Clock::duration>(slot.back_off * 2, kFirstBackOff, kLongestBackOff);
        slot.start_at = Clock::now() + slot.back_off;
    }

    void receive(Clock::duration patience)
    {
        const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::max<Clock::duration>(patience, 0s))
                                     .count();
        const timespec timeout{.tv_sec = nanoseconds / 1'000'000'000,
                               .tv_nsec = nanoseconds % 1'000'000'000};
        switch (::sigtimedwait(&signals_, nullptr, &timeout)) {
        case SIGTERM:
        case SIGINT:
            if (!is_stopping_) logging::info("stopping")("pid", ::getpid());
            is_stopping_ = true;  // final: later signals do not change it
            notify::stopping();
            retire_before(generation_ + 1);
            break;
        case SIGHUP:
            if (!is_stopping_) {
                notify::reloading();
                reload();
                notify::ready();
            }
            break;
        case SIGUSR1: reopen_log(); break;
        default:  // CHLD or a deadline: the loop handles both
            break;
        }
    }

    // Reopens the log and tells the children to. A worker that is serving a request reopens it
    // afterwards; until then it writes to the old file.
    void reopen_log() const
    {
        if (!logging::reopen(settings_->config.log_file)) return;
        for (const auto& slot : slots_) {
            if (slot.pid != 0) ::kill(slot.pid, SIGUSR1);
        }
        logging::info("log-reopened")("pid", ::getpid());
    }

    void reload()
    {
        try {
            auto settings = std::make_unique<Settings>(reload_());
            auto outage = shared<db::Outage>();  // the new settings may name another server
            logging::open(settings->config.log_file, settings->config.log_format);
            settings_ = std::move(settings);
            outage_ = std::move(outage);
        } catch (const std::exception& problem) {
            metrics::count(metrics::Event::config_reload_failure);
            logging::error("reload-refused")("problem", problem.what())(
                "advice", "the old configuration stays in force");
            return;
        }
        // Listens on the same sockets again, because the backlog may have changed.
        for (const auto& pool : pools_) {
            if (!pool.is_inherited) ::listen(pool.listener, settings_->config.backlog);
        }
        ++generation_;
        metrics::count(metrics::Event::config_reload);
        logging::info("reloading")("generation", generation_);
        add_all_slots();
        start_due_slots();
        retire_before(generation_);
    }

    // Asks the children of older generations to stop, and drops the slots that do not run.
    void retire_before(unsigned generation)
    {
        const auto now = Clock::now();
        for (auto& slot : slots_) {
            if (slot.generation >= generation || slot.phase != Phase::working) continue;
            // Its gate may still have jobs for it.
            if (slot.role == Role::worker && has_gate_running(slot)) {
                slot.phase = Phase::waiting_for_gate;
            } else {
                ask_to_stop(slot, now);
            }
        }
        drop_retired_slots();
        handle_deadlines();
    }

    void ask_to_stop(Slot& slot, Clock::time_point now) const
    {
        slot.phase = Phase::asked_to_stop;
        slot.ask_at = now;
        // A worker that is still connecting to its database has no request. Dismissed, it takes
        // none.
        auto stage = worker::Stage::starting;
        const bool is_dismissed =
            slot.status->stage.compare_exchange_strong(stage, worker::Stage::dismissed);
        if (is_dismissed && slot.pid != 0) ::kill(slot.pid, SIGKILL);
        slot.kill_at = now + settings_->config.stop_grace;
    }

    bool has_gate_running(const Slot& worker) const
    {
        return std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
            return slot.role == Role::gate && slot.pid != 0 && slot.channel == worker.channel;
        });
    }

    void stop_workers_without_gate()
    {
        const auto now = Clock::now();
        for (auto& slot : slots_) {
            if (slot.phase == Phase::waiting_for_gate && !has_gate_running(slot))
                ask_to_stop(slot, now);
        }
    }

    void drop_retired_slots()
    {
        slots_.remove_if([&](const Slot& slot) {
            const bool is_over = slot.pid == 0 && slot.phase == Phase::asked_to_stop;
            if (is_over) retire_counts(*slot.counts);
            return is_over;
        });
    }

    // Moves counts of a place that goes away. An exporter that reads meanwhile reads again.
    void retire_counts(metrics::Block& counts) const
    {
        ++retired_->version;
        retired_->counts.add(counts);
        counts.clear();
        ++retired_->version;
    }

    void reap()
    {
        int wait_status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0;) {
            const auto slot =
                std::find_if(slots_.begin(), slots_.end(),
                             [&](const Slot& candidate) { return candidate.pid == pid; });
            if (slot != slots_.end()) note_exit(*slot, wait_status);
        }
        stop_workers_without_gate();
        drop_retired_slots();
        start_due_slots();
    }

    void note_exit(Slot& slot, int wait_status)
    {
        const bool is_dismissed = slot.status->stage == worker::Stage::dismissed;
        const bool has_ended_well =
            is_dismissed || (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0);
        const bool is_useless =
            slot.status->stage == worker::Stage::starting
            || (slot.status->requests <= 1 && !has_ended_well && !WIFSIGNALED(wait_status));
        const auto age =
            std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - slot.started).count();
        auto line = has_ended_well ? logging::info("worker-exit") : logging::warning("worker-exit");
        line("pid", slot.pid)("pool", name_of(slot))("cause", cause_of(wait_status));
        line("age", std::to_string(age) + "s")("requests", slot.status->requests.load());
        count_exit(slot, wait_status);
        slot.pid = 0;
        slot.status->stage = worker::Stage::ended;
        if (slot.phase == Phase::asked_to_stop) return;
        if (is_useless) {
            delay_start(slot);
        } else {
            slot.back_off = {};
            slot.start_at = {};
        }
        line("respawn",
             std::to_string(
                 std::chrono::duration_cast<std::chrono::milliseconds>(slot.back_off).count())
                 + "ms");
    }

    static std::string_view name_of(const Slot& slot)
    {
        switch (slot.role) {
        case Role::gate: return "gate";
        case Role::exporter: return "metrics";
        case Role::worker: break;
        }
        return slot.pool->name();
    }

    // Counts the exit of a worker, and the request that ended with it: nginx answers that one 502.
    void count_exit(const Slot& slot, int wait_status) const
    {
        if (slot.role != Role::worker) return;
        counts_->exits_of(slot.pool->label, metrics_cause_of(slot, wait_status)).add();
        if (slot.status->busy_since == 0) return;
        constexpr int kBadGateway = 502;
        counts_->count_request(slot.counts->serving, kBadGateway);
        counts_->duration_of(slot.counts->serving)
            .observe(Clock::now().time_since_epoch()
                     - std::chrono::nanoseconds{slot.status->busy_since});
    }

    static metrics::Cause metrics_cause_of(const Slot& slot, int wait_status)
    {
        using metrics::Cause;
        if (slot.phase == Phase::asked_to_stop) return Cause::reload;
        if (WIFEXITED(wait_status))
            return WEXITSTATUS(wait_status) == 0 ? Cause::max_requests : Cause::fault;
        return WTERMSIG(wait_status) == SIGALRM ? Cause::deadline : Cause::signal;
    }

    void handle_deadlines()
    {
        start_due_slots();
        const auto now = Clock::now();
        for (auto& slot : slots_) {
            if (slot.phase != Phase::asked_to_stop || slot.pid == 0 || now < slot.ask_at) continue;
            const bool is_over = now >= slot.kill_at;
            if (is_over)
                logging::warning("worker-killed")("pid", slot.pid)(
                    "advice", "it did not stop within stop_grace");
            ::kill(slot.pid, is_over ? SIGKILL : SIGTERM);
            slot.ask_at = now + kAskAgain;
        }
    }

    Clock::duration until_next_deadline() const
    {
        Clock::duration shortest = 1h;
        if (const auto due = pulse_.due()) shortest = std::min(shortest, *due - Clock::now());
        for (const auto& slot : slots_) {
            if (slot.pid == 0) shortest = std::min(shortest, slot.start_at - Clock::now());
            if (slot.phase == Phase::asked_to_stop)
                shortest = std::min(shortest, slot.ask_at - Clock::now());
        }
        return shortest;
    }

    const std::chrono::system_clock::time_point started_at_ = std::chrono::system_clock::now();
    std::unique_ptr<Settings> settings_;
    Shared<db::Outage> outage_ = shared<db::Outage>();  // of the workers with these settings
    Shared<metrics::Block> counts_ = shared<metrics::Block>();  // what the master itself counts
    Shared<Retired> retired_ = shared<Retired>();
    const Sockets& sockets_;
    const std::vector<Pool>& pools_;
    std::function<Settings()> reload_;
    std::list<Slot> slots_;
    sigset_t signals_{};
    notify::Pulse pulse_;
    unsigned generation_ = 1;
    bool is_stopping_ = false;
};

}  // namespace

int run(Settings settings, const Sockets& sockets, const std::function<Settings()>& reload)
{
    return Master{std::move(settings), sockets, reload}.work();
}

}  // namespace master
