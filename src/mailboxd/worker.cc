#include "mailboxd/worker.h"

#include <fcgiapp.h>
#include <malloc.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <system_error>
#include <vector>

#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"
#include "db/session.h"
#include "mailboxd/answers.h"
#include "mailboxd/api.h"
#include "mailboxd/fastcgi_records.h"
#include "mailboxd/gate.h"
#include "mailboxd/hangup.h"
#include "mailboxd/http.h"
#include "mailboxd/signals.h"

namespace worker {
namespace {

// Makes malloc keep memory that was freed. A list of 1000 needs about a megabyte for a moment.
// Returning it to the kernel each time, and getting it back page by page, took as long as the rest
// of the answer.
void keep_memory()
{
    ::mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
    ::mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);
}

// Returns an epoll descriptor for the listener. It is exclusive, so a connection wakes one of the
// waiting workers and not all of them.
int open_events(int listener)
{
    epoll_event event{.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {}};
    const int events = ::epoll_create1(EPOLL_CLOEXEC);
    if (events < 0 || ::epoll_ctl(events, EPOLL_CTL_ADD, listener, &event) != 0) {
        throw std::system_error(errno, std::generic_category(), "epoll");
    }
    return events;
}

// Lets SIGALRM end the process after that time; 0: never.
void arm(std::chrono::seconds deadline)
{
    itimerval timer{};
    timer.it_value.tv_sec = deadline.count();
    ::setitimer(ITIMER_REAL, &timer, nullptr);
}

void limit_io(int connection, std::chrono::seconds seconds)
{
    const timeval timeout{.tv_sec = seconds.count(), .tv_usec = 0};
    ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    ::setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

std::string_view parameter(const FCGX_Request& request, const char* name)
{
    const char* value = FCGX_GetParam(name, request.envp);
    return value == nullptr ? std::string_view{} : std::string_view{value};
}

// True if the request's parameters are complete. FCGX_Accept_r returns 0 even if their stream was
// cut short.
bool is_whole(const FCGX_Request& request)
{
    return FCGX_GetError(request.in) == 0 && parameter(request, "FCGI_ROLE") == "RESPONDER"
           && !parameter(request, "REQUEST_METHOD").empty();
}

// The body, or the answer that refuses it. Both are empty if the connection ended within the body:
// nginx had read all of it before, so no one is left to answer.
struct Body {
    std::optional<Secret> bytes;
    std::optional<http::Response> refusal;
};

Body refused(int status, const std::string& sentence, std::string_view code)
{
    return {.bytes = {},
            .refusal = http::Response{.status = status, .body = answers::error(sentence, code)}};
}

Body read_body(const FCGX_Request& request, std::size_t most)
{
    const auto announced = parameter(request, "CONTENT_LENGTH");
    std::size_t length = 0;
    const auto* const last = announced.data() + announced.size();
    const auto [end, error] = std::from_chars(announced.data(), last, length);
    if (!announced.empty() && (error == std::errc::invalid_argument || end != last)) {
        return refused(400, "Content-Length is not a number", "bad_length");
    }
    if (error == std::errc::result_out_of_range || length > most) {
        return refused(413, "The body is larger than " + std::to_string(most) + " bytes",
                       "body_too_large");
    }
    Secret bytes{length};
    const auto size = static_cast<int>(length);
    const auto taken = FCGX_GetStr(bytes.data(), size, request.in);
    if (FCGX_GetError(request.in) != 0) return {};
    if (taken != size)
        return refused(400, "The body is shorter than its Content-Length", "bad_length");
    return {.bytes = std::move(bytes), .refusal = {}};
}

// The status that nginx's access log has for a request whose client has gone.
constexpr int kClientClosedRequest = 499;
constexpr char kClientGone[] = "client-gone";

// A request that came through a gate is checked against its deadline between two hashes. SIGALRM
// ends it only this much later, if it hangs. nginx waits 5 s longer than the deadline.
constexpr std::chrono::seconds kGrace{3};

// How often an idle worker checks whether to retry a database that hangs.
constexpr std::chrono::milliseconds kTryInterval{100};

bool has_hung_up(int connection)
{
    pollfd poll{.fd = connection, .events = 0, .revents = 0};
    return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLHUP | POLLERR)) != 0;
}

// Splits a text into its lines. Hashes contain no newline.
std::vector<std::string> lines(std::string_view text)
{
    std::vector<std::string> all;
    for (; !text.empty(); text.remove_prefix(all.back().size() + 1))
        all.emplace_back(text.substr(0, text.find('\n')));
    return all;
}

std::string joined(const std::vector<std::string>& lines)
{
    std::string text;
    for (const auto& line : lines) text += line + '\n';
    return text;
}

// The turn of the request that this worker serves, which may have come through a gate.
class OwnTurn final : public turn::Turn {
public:
    // `job` and `board` are nullptr if there is no gate.
    OwnTurn(int connection, std::string_view client, std::chrono::steady_clock::time_point deadline,
            const gate::Job* job, const gate::Board* board)
        : connection_{connection}, client_{client}, deadline_{deadline}, job_{job}, board_{board}
    {
        if (job_ != nullptr) hashes_ = lines(job_->progress);
    }
    // The hashes may contain generated passwords.
    ~OwnTurn() override
    {
        for (auto& hash : hashes_) crypto::wipe(hash);
    }

    void set_account(std::int64_t account_id) override { account_ = account_id; }
    const std::vector<std::string>& hashes() const override { return hashes_; }

    void wait_for_hash(std::size_t left) override
    {
        if (has_hung_up(connection_)) throw turn::Abandoned{};
        const auto now = std::chrono::steady_clock::now();
        // A short request that is served at once is not checked, because its client may have closed
        // only its own direction.
        const bool is_long =
            left > 1 || made_ > 0 || (job_ != nullptr && now - job_->arrived > kShort);
        if (is_long && hangup::is_closed_by_client(client_)) {
            is_abandoned_ = true;
            throw http::Error(503, "unavailable",
                              "The client closed its end of the connection; nothing was changed");
        }
        if (now + static_cast<int>(left) * hash_time() > deadline_) {
            throw http::Error(
                503, "unavailable",
                "There is not enough time left for this request; nothing was changed: try again later");
        }
        // At least one hash is made in each turn, so that every request makes progress.
        const bool is_asked_to_pause =
            board_ != nullptr && made_ > 0 && board_->is_pressed.load(std::memory_order_relaxed);
        if (is_asked_to_pause && report(gate::Report::Kind::paused, left, joined(hashes_)))
            throw turn::Paused{};
        hash_begin_ = now;
    }

    void add(std::string hash) override
    {
        hashes_.push_back(std::move(hash));
        ++made_;
        spent_ += std::chrono::steady_clock::now() - hash_begin_;
    }

    void end_hashing() override { report(gate::Report::Kind::hashed, 0); }
    bool is_abandoned() const { return is_abandoned_; }
    void end() { report(gate::Report::Kind::ended, 0); }

private:
    static constexpr std::chrono::seconds kShort{1};

    std::chrono::nanoseconds hash_time() const
    {
        return made_ == 0 ? std::chrono::nanoseconds{0} : spent_ / made_;
    }

    // Reports to the gate. Returns false if there is no gate or it has ended.
    bool report(gate::Report::Kind kind, std::size_t left, std::string_view progress = {}) const
    {
        return job_ != nullptr
               && gate::send(job_->reports.number(), {kind, account_, left, hash_time()}, progress);
    }

    int connection_;
    std::string_view client_;  // the client's connection to nginx, see hangup.h
    std::chrono::steady_clock::time_point deadline_;
    const gate::Job* job_;
    const gate::Board* board_;
    std::vector<std::string> hashes_;
    std::int64_t account_ = 0;
    int made_ = 0;  // in this turn
    bool is_abandoned_ = false;
    std::chrono::nanoseconds spent_{};
    std::chrono::steady_clock::time_point hash_begin_{};
};

class Worker {
public:
    Worker(const Source& source, const Config& config, const std::string& db_password,
           db::Connection::Check look, db::Outage& outage, pid_t master, Status& status)
        : source_{source}, config_{config}, session_{config.db, db_password, config, look, &outage},
          api_{config, session_}, master_{master}, status_{status}
    {
    }

    int serve_until_told()
    {
        FCGX_Init();  // installs signal handlers, which ours then replace
        const auto waiting = signals::prepare();
        keep_memory();
        if (::getppid() != master_) return 0;  // it died before PR_SET_PDEATHSIG was set
        connect_early();
        const int events = open_events(source_.descriptor);
        if (auto stage = Stage::starting;
            !status_.stage.compare_exchange_strong(stage, Stage::serving))
            return 0;
        logging::info("worker-serving")("pid", ::getpid());
        while (!signals::is_told_to_stop() && may_serve()) {
            epoll_event event{};
            const int count = ::epoll_pwait(
                events, &event, 1,
                session_.is_given_up() ? static_cast<int>(kTryInterval.count()) : -1, &waiting);
            signals::reopen_log_if_told(config_.log_file);
            if (count == 0) session_.try_again();
            if (count > 0) take();
        }
        // Only this pool's workers can serve the jobs that its gate has handed out.
        while (source_.board != nullptr && may_serve() && take()) {}
        return is_sound_ ? 0 : 1;
    }

private:
    bool may_serve() const
    {
        return is_sound_ && !is_over_
               && (config_.max_requests == 0 || status_.requests < config_.max_requests);
    }

    // Connects to the database before the first request, so that the request need not wait. If it
    // fails, that request reports the error.
    void connect_early()
    {
        try {
            session_.connection();
        } catch (const db::Error& error) {
            logging::warning("database-absent")("error", error.what());
        }
    }

    // Serves one request. Returns false if another worker took it.
    bool take()
    {
        if (source_.board != nullptr) {
            auto received = gate::receive(source_.descriptor);
            is_over_ = received.is_over;
            if (!received.job) return false;
            serve(std::move(received.job->request), received.job->connection.number(),
                  &*received.job);
            return true;
        }
        Descriptor connection{::accept4(source_.descriptor, nullptr, nullptr, SOCK_CLOEXEC)};
        if (!connection.is_open()) return false;
        const int number = connection.number();
        serve(std::move(connection), number, nullptr);
        return true;
    }

    // `from`: the descriptor that libfcgi reads the request from.
    void serve(Descriptor from, int connection, const gate::Job* job)
    {
        const auto now = std::chrono::steady_clock::now();
        const auto deadline = job != nullptr ? job->deadline : now + config_.request_deadline;
        const auto left = std::max(std::chrono::ceil<std::chrono::seconds>(deadline - now),
                                   std::chrono::seconds{1});
        arm(left + (job != nullptr ? kGrace : std::chrono::seconds{0}));
        limit_io(connection, config_.io_timeout);
        status_.busy_since.store(now.time_since_epoch().count(), std::memory_order_relaxed);
        read(std::move(from), connection, deadline, job);
        status_.busy_since.store(0, std::memory_order_relaxed);
        arm(std::chrono::seconds{0});
    }

    // keepConnection makes FCGX_Accept_r read from the given descriptor and return errors. Without
    // it, FCGX_Accept_r would close the descriptor and block in an accept of its own. After an
    // error libfcgi has closed the descriptor.
    void read(Descriptor from, int connection, std::chrono::steady_clock::time_point deadline,
              const gate::Job* job)
    {
        FCGX_Request request;
        FCGX_InitRequest(&request, -1, 0);
        request.ipcFd = from.release();
        request.keepConnection = 1;
        if (FCGX_Accept_r(&request) == 0 && is_whole(request)) {
            exchange(request, connection, deadline, job);
        } else {
            logging::warning("bad-fastcgi")(
                "advice", "something other than nginx talks to the socket, or nginx hung up");
        }
        const int still_open = request.ipcFd;
        FCGX_Free(&request, 0);
        if (still_open >= 0) ::close(still_open);
    }

    // Reads the rest of the request, because closing a connection with unread bytes resets it.
    static void read_rest(const FCGX_Request& request)
    {
        std::array<char, 4096> ignored{};
        while (FCGX_GetStr(ignored.data(), ignored.size(), request.in) > 0) {}
    }

    void exchange(FCGX_Request& request, int connection,
                  std::chrono::steady_clock::time_point deadline, const gate::Job* job)
    {
        const auto begin = std::chrono::steady_clock::now();
        metrics::own().serving.store(metrics::Operation::none, std::memory_order_relaxed);
        db::take_time_spent();
        auto body = read_body(request, config_.max_body);
        if (!body.bytes && !body.refusal) {
            logging::warning("body-cut")("id", parameter(request, "REQUEST_ID"));
            return;
        }
        OwnTurn turn{connection, parameter(request, "CLIENT_CONNECTION"), deadline, job,
                     source_.board};
        api::Trace trace;
        try {
            const auto response = body.refusal
                                      ? *std::move(body.refusal)
                                      : serve(request, *std::move(body.bytes), turn, trace);
            const auto header = http::cgi_header(response);
            records::Outgoing outgoing{request.requestId};
            outgoing.add(header);
            outgoing.add(response.body);
            outgoing.send(connection);
            read_rest(request);
            turn.end();
            is_sound_ = response.worker_is_sound;
            ++status_.requests;
            if (turn.is_abandoned()) trace.detail = kClientGone;
            note_request(request, response.status, trace, begin, job);
        } catch (const turn::Abandoned&) {
            trace.detail = kClientGone;
            note_request(request, kClientClosedRequest, trace, begin, job);
        } catch (const turn::Paused&) {
            // The gate hands it to a free worker again later.
        }
    }

    http::Response serve(const FCGX_Request& request, Secret body, turn::Turn& turn,
                         api::Trace& trace)
    {
        // nginx has answered the client by now, or will before our answer is ready.
        if (gate::age(parameter(request, "REQUEST_TIME_FLOAT")) > config_.request_deadline) {
            trace.detail = "late";
            return {.status = 503,
                    .body = answers::error("Temporarily unavailable", "unavailable"),
                    .extra_header = "Retry-After: 1"};
        }
        return api_.serve({.method = parameter(request, "REQUEST_METHOD"),
                           .target = parameter(request, "REQUEST_URI"),
                           .authorization = parameter(request, "HTTP_AUTHORIZATION"),
                           .content_type = parameter(request, "CONTENT_TYPE"),
                           .content_encoding = parameter(request, "HTTP_CONTENT_ENCODING"),
                           .client = parameter(request, "REMOTE_ADDR"),
                           .body = std::move(body),
                           .on_behalf_of = parameter(request, "HTTP_X_MAILGUN_ON_BEHALF_OF"),
                           .idempotency_key = parameter(request, "HTTP_IDEMPOTENCY_KEY")},
                          trace, turn);
    }

    // Counts a request whose answer was written, or whose client has gone, and logs it.
    void note_request(const FCGX_Request& request, int status, const api::Trace& trace,
                      std::chrono::steady_clock::time_point begin, const gate::Job* job) const
    {
        const auto end = std::chrono::steady_clock::now();
        const auto database_time = db::take_time_spent();
        count_request(status, end - (job != nullptr ? job->arrived : begin), database_time);
        const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(end - begin);
        const auto milliseconds = [](std::chrono::microseconds time) {
            const auto tenths = time.count() / 100;
            return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
        };
        auto line = logging::info("request");
        line("id", parameter(request, "REQUEST_ID"))("client", parameter(request, "REMOTE_ADDR"));
        line("key", trace.key_id.empty() ? "-" : trace.key_id)(
            "method", parameter(request, "REQUEST_METHOD"));
        line("route", trace.route)("status", status);
        line("ms", milliseconds(spent))("db_ms", milliseconds(database_time));
        if (job != nullptr)
            line("waited_ms",
                 std::chrono::duration_cast<std::chrono::milliseconds>(begin - job->arrived)
                     .count());
        if (!trace.detail.empty()) line("detail", trace.detail);
        if (const auto id = http::trace_id(parameter(request, "HTTP_TRACEPARENT")); !id.empty())
            line("trace_id", id);
    }

    void count_request(int status, std::chrono::nanoseconds duration,
                       std::chrono::nanoseconds database_time) const
    {
        auto& counters = metrics::own();
        const auto operation = counters.serving.load(std::memory_order_relaxed);
        counters.count_request(operation, status);
        counters.duration_of(operation).observe(duration);
        counters.database_wait_of(source_.pool).observe(database_time);
    }

    const Source& source_;
    const Config& config_;
    db::Session session_;
    api::Api api_;
    pid_t master_;
    Status& status_;
    bool is_sound_ = true;
    bool is_over_ = false;  // its gate has ended
};

}  // namespace

int run(const Source& source, const Config& config, const std::string& db_password,
        db::Connection::Check look, db::Outage& outage, pid_t master, Status& status)
{
    return Worker{source, config, db_password, look, outage, master, status}.serve_until_told();
}

}  // namespace worker
