#include "mailboxd/gate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <system_error>
#include <unordered_map>
#include <vector>

#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/strings.h"
#include "mailboxd/answers.h"
#include "mailboxd/fastcgi_records.h"
#include "mailboxd/http.h"
#include "mailboxd/lanes.h"
#include "mailboxd/signals.h"

namespace gate {
namespace {

using namespace std::chrono_literals;

[[noreturn]] void fail(const char* what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

// --- Messages between gate and workers ----------------------------------------------------

constexpr std::size_t kMostProgress = 64 * 1024;
constexpr std::size_t kJobDescriptors = 3;

struct JobHeader {
    Clock::time_point arrived;
    Clock::time_point deadline;
};

union DescriptorSpace {
    std::array<char, CMSG_SPACE(kJobDescriptors * sizeof(int))> bytes;
    cmsghdr alignment;
};

// A message of a header and its payload, with room for descriptors if `space` is given.
msghdr message_of(std::array<iovec, 2>& parts, DescriptorSpace* space = nullptr)
{
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    if (space != nullptr) {
        message.msg_control = space->bytes.data();
        message.msg_controllen = space->bytes.size();
    }
    return message;
}

// Progress may contain a generated password.
void wipe(std::string& progress)
{
    crypto::wipe(progress);
    progress.clear();
}

enum class Sent { yes, queue_is_full, no_receiver };

Sent send_job(int gate_end, const JobHeader& header, std::string_view progress,
              const std::array<int, kJobDescriptors>& descriptors)
{
    std::array<iovec, 2> parts{{{const_cast<JobHeader*>(&header), sizeof header},
                                {const_cast<char*>(progress.data()), progress.size()}}};
    DescriptorSpace space{};
    auto message = message_of(parts, &space);
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof descriptors);
    std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof descriptors);
    if (::sendmsg(gate_end, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return Sent::yes;
    return errno == EAGAIN || errno == ENOBUFS ? Sent::queue_is_full : Sent::no_receiver;
}

// A memory file that libfcgi reads the request from. It is opened for appending, because libfcgi
// answers FCGI_GET_VALUES on the descriptor that it reads from. That answer must not overwrite
// bytes that are still to be read.
Descriptor file_of(std::string_view bytes)
{
    Descriptor file{::memfd_create("request", MFD_CLOEXEC)};
    if (!file.is_open()) fail("memfd_create");
    while (!bytes.empty()) {
        const auto written = ::write(file.number(), bytes.data(), bytes.size());
        if (written <= 0) fail("write to memory");
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::lseek(file.number(), 0, SEEK_SET) != 0 || ::fcntl(file.number(), F_SETFL, O_APPEND) != 0)
        fail("fcntl");
    return file;
}

// --- Lanes of clients and accounts --------------------------------------------------------

// The lane of a client whose account is not known yet. IPv6 customers get whole networks, so a /64
// counts as one client.
std::string lane_of_client(const std::string& address)
{
    std::array<char, 16> bytes{};
    if (::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return "client " + address;
    return "network " + std::string{bytes.data(), 8};
}

std::string lane_of_account(std::int64_t account)
{
    return "account " + std::to_string(account);
}

// Returns the account that a lane belongs to; 0 if it is the lane of a client.
std::int64_t account_in(std::string_view lane)
{
    constexpr std::string_view kPrefix = "account ";
    if (!lane.starts_with(kPrefix)) return 0;
    return static_cast<std::int64_t>(
        strings::whole_number(lane.substr(kPrefix.size())).value_or(0));
}

// --- The gate -------------------------------------------------------------------------------

// A request, from its acceptance to its end.
struct Visit {
    Descriptor connection;
    records::Incoming incoming;
    Clock::time_point arrived{};
    bool is_whole = false;
    std::uint64_t caller = 0;  // hash of the Authorization header; 0: it has none
    std::string progress{};
    Descriptor reports{};  // open while a worker serves it
};

// The processors that this process may use.
unsigned processors()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
}

lanes::Limits limits_of(const Config& config)
{
    const auto hashing = config.write_socket.empty() ? config.workers : config.write_workers;
    return {.workers = workers_of(config),
            .processors = std::min(hashing, processors()),
            .waiting = config.waiting_changes};
}

class Gate {
public:
    Gate(int listener, int gate_end, const Config& config, Board& board)
        : listener_{listener}, gate_end_{gate_end}, config_{config}, board_{board}, lanes_{
                                                                                        limits_of(
                                                                                            config)}
    {
        raise_descriptor_limit();
        if (!events_.is_open()) fail("epoll_create1");
        set_events(EPOLL_CTL_ADD, listener_.number(), EPOLLIN, kListener);
    }

    int serve_until_told(const sigset_t& waiting)
    {
        while (!is_over()) {
            std::array<epoll_event, 64> events{};
            const int count =
                ::epoll_pwait(events_.number(), events.data(), static_cast<int>(events.size()),
                              poll_timeout(), &waiting);
            signals::reopen_log_if_told(config_.log_file);
            if (signals::is_told_to_stop()) stop_listening();
            for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)]);
            admit_silent();
            refuse_late();
            hand_out();
            show_queues();
        }
        return 0;
    }

private:
    static constexpr std::uint64_t kListener = 0;
    // Added to a visit's id, marks the events of its reports.
    static constexpr std::uint64_t kReports = std::uint64_t{1} << 63U;

    // A visit needs three descriptors: the connection, and while a worker serves it, its reports
    // and the request's file.
    void raise_descriptor_limit()
    {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
        const auto most = std::min<rlim_t>(limit.rlim_cur, 100'000);
        max_visits_ = std::max<std::size_t>((most - std::min<rlim_t>(most, 32)) / 3, 1);
    }

    void set_events(int operation, int descriptor, std::uint32_t what, std::uint64_t id)
    {
        epoll_event event{.events = what, .data = {.u64 = id}};
        if (::epoll_ctl(events_.number(), operation, descriptor, &event) != 0
            && operation != EPOLL_CTL_DEL)
            fail("epoll_ctl");
    }

    // Workers finish their requests without the gate.
    bool is_over() const { return !listener_.is_open() && reading_ == 0 && lanes_.waiting() == 0; }

    void stop_listening()
    {
        if (listener_.is_open()) set_events(EPOLL_CTL_DEL, listener_.number(), 0, kListener);
        listener_.reset();
    }

    // Milliseconds to wait for events. While requests wait, one may become late, or a worker may
    // have to be asked to pause, without any event.
    int poll_timeout() const { return lanes_.waiting() > 0 || reading_ > 0 ? 50 : -1; }

    void handle(const epoll_event& event)
    {
        const auto id = event.data.u64;
        if (id == kListener) return accept_all();
        const auto found = visits_.find(id & ~kReports);
        if (found == visits_.end()) return;
        if ((id & kReports) != 0) return take_reports(found->first, found->second);
        if (!found->second.is_whole) return read_more(found->first, found->second);
        // The only event of a connection whose request waits is that nginx has closed it.
        if ((event.events & (EPOLLHUP | EPOLLERR)) != 0) abandon(found->first, found->second);
    }

    void accept_all()
    {
        while (listener_.is_open() && visits_.size() < max_visits_) {
            Descriptor connection{::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC)};
            if (!connection.is_open()) return;
            const auto id = ++last_id_;
            set_events(EPOLL_CTL_ADD, connection.number(), EPOLLIN, id);
            const auto most = std::max<std::size_t>(config_.max_body, 64 * 1024) + 128 * 1024;
            auto& visit = visits_
                              .try_emplace(id, Visit{std::move(connection), records::Incoming{most},
                                                     Clock::now()})
                              .first->second;
            ++reading_;
            read_more(id, visit);
        }
        // At this limit the kernel queues further connections. Listening resumes when a visit ends.
        if (listener_.is_open() && visits_.size() >= max_visits_ && !is_full_) {
            set_events(EPOLL_CTL_MOD, listener_.number(), 0, kListener);
            is_full_ = true;
        }
    }

    void read_more(std::uint64_t id, Visit& visit)
    {
        for (;;) {
            const auto count =
                ::recv(visit.connection.number(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
            if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
            if (count > 0) {
                const auto size = static_cast<std::size_t>(count);
                visit.incoming.add({buffer_.data(), size});
                crypto::wipe(buffer_.data(), size);
            }
            // A request that its sender ends early is judged by a worker.
            if (count <= 0 || visit.incoming.is_complete()) return admit(id, visit);
        }
    }

    // Admits requests that are still incomplete after io_timeout. A worker judges them.
    void admit_silent()
    {
        if (reading_ == 0) return;
        const auto since = Clock::now() - config_.io_timeout;
        std::vector<std::uint64_t> silent;
        for (const auto& [id, visit] : visits_) {
            if (!visit.is_whole && visit.arrived < since) silent.push_back(id);
        }
        for (const auto id : silent) admit(id, visits_.at(id));
    }

    // Queues a request that has arrived completely, or refuses it.
    void admit(std::uint64_t id, Visit& visit)
    {
        --reading_;
        visit.is_whole = true;
        set_events(EPOLL_CTL_MOD, visit.connection.number(), 0, id);
        const auto now = Clock::now();
        visit.arrived = now - age(visit.incoming.parameter("REQUEST_TIME_FLOAT").value_or(""));
        const auto method = visit.incoming.parameter("REQUEST_METHOD").value_or("");
        const bool needs_hash = method == "POST" || method == "PUT";
        const auto authorization = visit.incoming.parameter("HTTP_AUTHORIZATION").value_or("");
        if (!authorization.empty()) visit.caller = caller_of(authorization);
        const auto known = accounts_.find(visit.caller);
        const auto lane =
            known != accounts_.end()
                ? lane_of_account(known->second)
                : lane_of_client(visit.incoming.parameter("REMOTE_ADDR").value_or(""));
        enter(id, visit,
              {.id = id,
               .lane = lane,
               .needs_hash = needs_hash,
               .deadline = visit.arrived + config_.request_deadline},
              now);
    }

    // Only a keyed hash of a caller's credentials is stored.
    std::uint64_t caller_of(std::string_view authorization) const
    {
        return hash_of_caller_(authorization);
    }

    void enter(std::uint64_t id, Visit& visit, lanes::Change change, Clock::time_point now)
    {
        const auto expected = change.needs_hash ? lanes_.expected(change.lane, change.hashes) : 0ms;
        if (now + expected > change.deadline) return refuse(id, visit, expected);
        lanes_.add(std::move(change));
        if (const auto surplus = lanes_.take_surplus()) refuse(*surplus, visits_.at(*surplus), 1s);
    }

    void refuse_late()
    {
        for (const auto id : lanes_.take_late(Clock::now())) refuse(id, visits_.at(id), 1s);
    }

    void refuse(std::uint64_t id, Visit& visit, Clock::duration expected)
    {
        const auto seconds = std::clamp<std::int64_t>(
            std::chrono::ceil<std::chrono::seconds>(expected).count(), 1, 30);
        const auto retry = "Retry-After: " + std::to_string(seconds);
        const http::Response response{
            .status = 503,
            .body =
                answers::error("Too many changes are waiting; nothing was changed: try again later",
                               "unavailable"),
            .extra_header = retry};
        const auto header = http::cgi_header(response);
        records::Outgoing outgoing{visit.incoming.request_id()};
        outgoing.add(header);
        outgoing.add(response.body);
        outgoing.send(visit.connection.number());
        note(visit, 503, "overload");
        end(id);
    }

    void abandon(std::uint64_t id, Visit& visit)
    {
        lanes_.remove(id);
        note(visit, 499, "client-gone");
        end(id);
    }

    // Counts and logs a request that no worker has served to its end.
    static void note(const Visit& visit, int status, std::string_view detail)
    {
        const auto waited_for = Clock::now() - visit.arrived;
        auto& counters = metrics::own();
        counters.count_request(metrics::Operation::none, status);
        counters.duration_of(metrics::Operation::none).observe(waited_for);
        auto line = logging::info("request");
        const auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(waited_for);
        line("id", visit.incoming.parameter("REQUEST_ID").value_or(""))(
            "client", visit.incoming.parameter("REMOTE_ADDR").value_or(""));
        line("key", "-")("method", visit.incoming.parameter("REQUEST_METHOD").value_or(""))(
            "route", "-")("status", status);
        line("ms", "0.0")("db_ms", "0.0")("waited_ms", waited.count())("detail", detail);
    }

    void end(std::uint64_t id)
    {
        visits_.erase(id);
        if (!is_full_ || !listener_.is_open()) return;
        set_events(EPOLL_CTL_MOD, listener_.number(), EPOLLIN, kListener);
        is_full_ = false;
    }

    void hand_out()
    {
        while (const auto change = lanes_.take_next(Clock::now())) {
            auto& visit = visits_.at(change->id);
            const auto sent = hand_over(change->id, visit, *change);
            if (sent == Sent::yes) continue;
            // Happens only if no worker is there: the queue has room for more jobs than workers.
            lanes_.finish(change->id, Clock::now());
            refuse(change->id, visit, 1s);
            if (sent == Sent::no_receiver) stop_listening();
        }
        board_.is_pressed.store(lanes_.is_pressed(Clock::now()), std::memory_order_relaxed);
    }

    // Shows what waits, at most ten times a second, and always that nothing waits any more.
    void show_queues()
    {
        const auto waiting = static_cast<std::uint32_t>(lanes_.waiting());
        const auto now = Clock::now();
        if (waiting == board_.waiting && waiting == 0) return;
        if (waiting > 0 && now < show_at_) return;
        show_at_ = now + 100ms;
        board_.waiting = waiting;
        const auto queues = lanes_.queues();
        for (std::size_t i = 0; i < board_.queues.size(); ++i) {
            const auto queue = i < queues.size() ? queues[i] : lanes::Lanes::Queue{};
            board_.queues[i].account = account_in(queue.lane);
            board_.queues[i].changes = static_cast<std::uint32_t>(queue.changes);
            board_.queues[i].hashes = static_cast<std::uint32_t>(queue.hashes);
        }
    }

    Sent hand_over(std::uint64_t id, Visit& visit, const lanes::Change& change)
    {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
            return Sent::queue_is_full;
        visit.reports = Descriptor{ends[0]};
        const Descriptor workers_end{ends[1]};
        const auto request = file_of(visit.incoming.bytes());
        const auto sent =
            send_job(gate_end_, {visit.arrived, change.deadline}, visit.progress,
                     {visit.connection.number(), request.number(), workers_end.number()});
        if (sent != Sent::yes) return sent;
        wipe(visit.progress);
        set_events(EPOLL_CTL_ADD, visit.reports.number(), EPOLLIN, id | kReports);
        set_events(EPOLL_CTL_DEL, visit.connection.number(), 0, id);  // the worker polls it now
        return sent;
    }

    void take_reports(std::uint64_t id, Visit& visit)
    {
        for (;;) {
            Report report{};
            progress_.resize(kMostProgress);
            std::array<iovec, 2> parts{
                {{&report, sizeof report}, {progress_.data(), progress_.size()}}};
            auto message = message_of(parts);
            const auto count = ::recvmsg(visit.reports.number(), &message, MSG_DONTWAIT);
            if (count < 0 && errno == EAGAIN) return;
            const auto now = Clock::now();
            if (count >= static_cast<ssize_t>(sizeof report)) {
                note_report(id, visit, report, now);
                if (report.kind == Report::Kind::hashed) {
                    lanes_.stop_hashing(id);
                    continue;
                }
                if (report.kind == Report::Kind::paused) {
                    progress_.resize(static_cast<std::size_t>(count) - sizeof report);
                    return take_back(id, visit, report, now);
                }
            }
            // The job has ended, or its worker died.
            lanes_.finish(id, now);
            return end(id);
        }
    }

    void note_report(std::uint64_t id, const Visit& visit, const Report& report,
                     Clock::time_point now)
    {
        constexpr std::size_t kMostKnown = 10'000;
        if (report.hash_time > 0ns) lanes_.note_hash_time(report.hash_time);
        if (report.account == 0 || visit.caller == 0) return;
        if (accounts_.size() >= kMostKnown) accounts_.clear();
        if (!accounts_.insert_or_assign(visit.caller, report.account).second) return;
        const auto lane = lane_of_account(report.account);
        lanes_.move(id, lane, now);
        for (const auto& [other_id, other] : visits_) {
            if (other.is_whole && other.caller == visit.caller) lanes_.move(other_id, lane, now);
        }
    }

    void take_back(std::uint64_t id, Visit& visit, const Report& report, Clock::time_point now)
    {
        visit.reports.reset();
        visit.progress = progress_;
        wipe(progress_);
        set_events(EPOLL_CTL_ADD, visit.connection.number(), 0, id);
        auto change = lanes_.finish(id, now);
        if (!change) return end(id);
        change->hashes = report.left;
        change->is_begun = true;
        enter(id, visit, *std::move(change), now);
    }

    Descriptor listener_;
    int gate_end_;
    const Config& config_;
    Board& board_;
    lanes::Lanes lanes_;
    Descriptor events_{::epoll_create1(EPOLL_CLOEXEC)};
    std::map<std::uint64_t, Visit> visits_;
    std::unordered_map<std::uint64_t, std::int64_t> accounts_;  // by caller
    crypto::KeyedHash hash_of_caller_;
    std::array<char, 64 * 1024> buffer_{};
    std::string progress_;
    Clock::time_point show_at_{};
    std::uint64_t last_id_ = 0;
    std::size_t reading_ = 0;  // visits whose request is still incomplete
    std::size_t max_visits_ = 0;
    bool is_full_ = false;
};

}  // namespace

Jobs open_jobs()
{
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
        fail("socketpair");
    return {Descriptor{ends[0]}, Descriptor{ends[1]}};
}

Received receive(int worker_end)
{
    JobHeader header{};
    std::string progress(kMostProgress, '\0');
    std::array<iovec, 2> parts{{{&header, sizeof header}, {progress.data(), progress.size()}}};
    DescriptorSpace space{};
    auto message = message_of(parts, &space);
    const auto count = ::recvmsg(worker_end, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count <= 0) return {.job = {}, .is_over = count == 0};
    std::array<int, kJobDescriptors> descriptors{};
    const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    if (rights == nullptr || rights->cmsg_len != CMSG_LEN(sizeof descriptors)) return {};
    std::memcpy(descriptors.data(), CMSG_DATA(rights), sizeof descriptors);
    progress.resize(static_cast<std::size_t>(count) - sizeof header);
    return {.job = Job{.connection = Descriptor{descriptors[0]},
                       .request = Descriptor{descriptors[1]},
                       .reports = Descriptor{descriptors[2]},
                       .arrived = header.arrived,
                       .deadline = header.deadline,
                       .progress = std::move(progress)},
            .is_over = false};
}

bool send(int reports, const Report& report, std::string_view progress)
{
    std::array<iovec, 2> parts{{{const_cast<Report*>(&report), sizeof report},
                                {const_cast<char*>(progress.data()), progress.size()}}};
    const auto message = message_of(parts);
    return ::sendmsg(reports, &message, MSG_NOSIGNAL) >= 0;
}

unsigned workers_of(const Config& config)
{
    return (config.write_socket.empty() ? config.workers : config.write_workers) + 1;
}

std::chrono::milliseconds age(std::string_view msec)
{
    double seconds = 0;
    const auto [end, error] = std::from_chars(msec.data(), msec.data() + msec.size(), seconds);
    if (error != std::errc{}) return 0ms;
    const auto now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto age = now - seconds;
    return age > 0 && age < 3600 ? std::chrono::milliseconds{static_cast<std::int64_t>(age * 1000)}
                                 : 0ms;
}

int run(int listener, int gate_end, const Config& config, Board& board, pid_t master)
{
    const auto waiting = signals::prepare();
    ::prctl(PR_SET_NAME, "mailboxd-gate");
    if (::getppid() != master) return 0;  // it died before PR_SET_PDEATHSIG was set
    return Gate{listener, gate_end, config, board}.serve_until_told(waiting);
}

}  // namespace gate
