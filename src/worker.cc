#include "worker.h"

#include <fastcgi.h>
#include <fcgiapp.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <optional>
#include <system_error>
#include <vector>

#include "api.h"
#include "http.h"
#include "json.h"
#include "log.h"

namespace worker {
namespace {

volatile std::sig_atomic_t is_told_to_stop = 0;
volatile std::sig_atomic_t is_told_to_reopen = 0;

void note_stop(int)
{
    is_told_to_stop = 1;
}

void note_reopen(int)
{
    is_told_to_reopen = 1;
}

void handle(int signal, void (*handler)(int))
{
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(signal, &action, nullptr);
}

// TERM and USR1 stay blocked but for the wait, which the returned mask opens for them (a
// terminal's INT and HUP reach the whole group, and the master passes on what they mean).
sigset_t prepare_signals()
{
    handle(SIGTERM, note_stop);
    handle(SIGINT, SIG_IGN);
    handle(SIGHUP, SIG_IGN);
    handle(SIGUSR1, note_reopen);
    handle(SIGPIPE, SIG_IGN);
    handle(SIGALRM, SIG_DFL);
    handle(SIGCHLD, SIG_DFL);
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::sigaddset(&blocked, SIGUSR1);
    ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
    sigset_t waiting;
    ::sigemptyset(&waiting);
    return waiting;
}

// A page of 1000 takes about a megabyte for a moment. To give that back to the kernel each
// time, and to get it again page by page, took as long as the rest of the answer.
void keep_memory()
{
    ::mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
    ::mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);
}

// What a worker waits on. Exclusive: a connection wakes one of those that wait, not all
// of them for one to find it and the others to have been woken for nothing.
int watch(int listener)
{
    epoll_event event{.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {}};
    const int events = ::epoll_create1(EPOLL_CLOEXEC);
    if (events < 0 || ::epoll_ctl(events, EPOLL_CTL_ADD, listener, &event) != 0) {
        throw std::system_error(errno, std::generic_category(), "epoll");
    }
    return events;
}

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

// Whether what FCGX_Accept_r returned may be believed: it returns 0 for a stream of
// parameters that was cut short, too.
bool is_whole(const FCGX_Request& request)
{
    return FCGX_GetError(request.in) == 0 && parameter(request, "FCGI_ROLE") == "RESPONDER"
           && !parameter(request, "REQUEST_METHOD").empty();
}

// The body, or the answer that refuses it. Nothing where the connection ended in it: nginx
// has read it whole before, so there is nobody left to answer.
struct Body {
    std::optional<Secret> bytes;
    std::optional<http::Response> refusal;
};

Body refused(int status, const std::string& sentence, std::string_view code)
{
    return {.bytes = {}, .refusal = http::Response{.status = status, .body = json::error(sentence, code)}};
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
        return refused(413, "The body is larger than " + std::to_string(most) + " bytes", "body_too_large");
    }
    Secret bytes{length};
    const auto size = static_cast<int>(length);
    const auto taken = FCGX_GetStr(bytes.data(), size, request.in);
    if (FCGX_GetError(request.in) != 0) return {};
    if (taken != size) return refused(400, "The body is shorter than its Content-Length", "bad_length");
    return {.bytes = std::move(bytes), .refusal = {}};
}

// An answer as FastCGI records (FastCGI 1.0, 3.3 and 5.5), so that it leaves by one
// write: the library's own stream takes one for each 8 KiB. The socket blocks, so only a
// time-out ends that early. An error needs no report: who has hung up gets no answer.
class Answer {
public:
    explicit Answer(int request_id) : request_id_{request_id} {}

    // The bytes are not copied.
    void add(std::string_view text)
    {
        for (; !text.empty(); text.remove_prefix(std::min<std::size_t>(text.size(), FCGI_MAX_LENGTH))) {
            const auto piece = text.substr(0, FCGI_MAX_LENGTH);
            add_record(FCGI_STDOUT, piece.data(), piece.size());
        }
    }
    void send(int connection)
    {
        add_record(FCGI_STDOUT, nullptr, 0);
        FCGI_EndRequestBody end{};
        end.protocolStatus = FCGI_REQUEST_COMPLETE;
        add_record(FCGI_END_REQUEST, &end, sizeof end);
        [[maybe_unused]] const auto written = ::writev(connection, parts_.data(), static_cast<int>(parts_.size()));
    }

private:
    void add_record(unsigned char type, const void* content, std::size_t length)
    {
        headers_.push_back({.version = FCGI_VERSION_1,
                            .type = type,
                            .requestIdB1 = static_cast<unsigned char>(request_id_ >> 8),
                            .requestIdB0 = static_cast<unsigned char>(request_id_),
                            .contentLengthB1 = static_cast<unsigned char>(length >> 8),
                            .contentLengthB0 = static_cast<unsigned char>(length),
                            .paddingLength = 0,
                            .reserved = 0});
        parts_.push_back({&headers_.back(), sizeof(FCGI_Header)});
        parts_.push_back({const_cast<void*>(content), length});
    }

    int request_id_;
    std::deque<FCGI_Header> headers_;  // they stay where they are
    std::vector<iovec> parts_;
};

// How often who waits sees whether it is time to try a database that hangs.
constexpr std::chrono::milliseconds kTryInterval{100};

class Worker {
public:
    Worker(int listener, const Config& config, const std::string& db_password, db::Connection::Look look, db::Outage& outage,
           pid_t master, Status& status)
        : listener_{listener}, config_{config}, session_{config.db, db_password, config, look, &outage}, api_{config, session_},
          master_{master}, status_{status}
    {
    }

    int serve_until_told()
    {
        FCGX_Init();  // installs handlers of its own; ours follow
        const auto waiting = prepare_signals();
        keep_memory();
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (::getppid() != master_) return 0;  // it died before we asked to be told
        connect_early();
        const int events = watch(listener_);
        if (auto stage = Stage::starting; !status_.stage.compare_exchange_strong(stage, Stage::serving)) return 0;
        logging::info("worker-serving")("pid", ::getpid());
        while (is_told_to_stop == 0 && is_sound_ && (config_.max_requests == 0 || status_.requests < config_.max_requests)) {
            epoll_event event{};
            const int count = ::epoll_pwait(events, &event, 1, session_.is_given_up() ? static_cast<int>(kTryInterval.count()) : -1, &waiting);
            if (is_told_to_reopen != 0) {
                is_told_to_reopen = 0;
                logging::reopen(config_.log_file);
            }
            if (count == 0) session_.try_again();
            if (count <= 0) continue;
            const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection < 0) continue;  // a colleague was faster
            arm(config_.request_deadline);
            answer(connection);
            arm(std::chrono::seconds{0});
        }
        return is_sound_ ? 0 : 1;
    }

private:
    // So that the first request need not wait; where it fails, that request says so.
    void connect_early()
    {
        try {
            session_.connection();
        } catch (const db::Error& error) {
            logging::warning("database-absent")("error", error.what());
        }
    }

    // keepConnection makes FCGX_Accept_r read from our connection and return an error
    // where it would otherwise close it and block in an accept of its own. After an error
    // it is closed.
    void answer(int connection)
    {
        limit_io(connection, config_.io_timeout);
        FCGX_Request request;
        FCGX_InitRequest(&request, -1, 0);
        request.ipcFd = connection;
        request.keepConnection = 1;
        if (FCGX_Accept_r(&request) == 0 && is_whole(request)) {
            exchange(request);
        } else {
            logging::warning("bad-fastcgi")("advice", "something other than nginx talks to the socket, or nginx hung up");
        }
        const int still_open = request.ipcFd;
        FCGX_Free(&request, 0);
        if (still_open >= 0) ::close(still_open);
    }

    // What has not been read yet would make our end of the connection a reset.
    static void read_rest(const FCGX_Request& request)
    {
        std::array<char, 4096> ignored{};
        while (FCGX_GetStr(ignored.data(), ignored.size(), request.in) > 0) {}
    }

    void exchange(FCGX_Request& request)
    {
        const auto begin = std::chrono::steady_clock::now();
        db::take_time_spent();
        auto body = read_body(request, config_.max_body);
        if (!body.bytes && !body.refusal) {
            logging::warning("body-cut")("id", parameter(request, "REQUEST_ID"));
            return;
        }
        api::Trace trace;
        const auto response = body.refusal ? *body.refusal
                                           : api_.serve({.method = parameter(request, "REQUEST_METHOD"),
                                                         .target = parameter(request, "REQUEST_URI"),
                                                         .authorization = parameter(request, "HTTP_AUTHORIZATION"),
                                                         .content_type = parameter(request, "CONTENT_TYPE"),
                                                         .content_encoding = parameter(request, "HTTP_CONTENT_ENCODING"),
                                                         .client = parameter(request, "REMOTE_ADDR"),
                                                         .body = std::move(*body.bytes)},
                                                        trace);
        const auto header = http::cgi_header(response);
        Answer answer{request.requestId};
        answer.add(header);
        answer.add(response.body);
        answer.send(request.ipcFd);
        read_rest(request);
        is_sound_ = response.worker_is_sound;
        ++status_.requests;
        const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
        log_request(request, response, trace, spent);
    }

    static void log_request(const FCGX_Request& request, const http::Response& response, const api::Trace& trace,
                            std::chrono::microseconds spent)
    {
        const auto milliseconds = [](std::chrono::microseconds time) {
            const auto tenths = time.count() / 100;
            return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
        };
        auto line = logging::info("request");
        line("id", parameter(request, "REQUEST_ID"))("client", parameter(request, "REMOTE_ADDR"));
        line("key", trace.key_id.empty() ? "-" : trace.key_id)("method", parameter(request, "REQUEST_METHOD"));
        line("route", trace.route)("status", response.status);
        line("ms", milliseconds(spent))("db_ms", milliseconds(db::take_time_spent()));
        if (!trace.detail.empty()) line("detail", trace.detail);
    }

    int listener_;
    const Config& config_;
    db::Session session_;
    api::Api api_;
    pid_t master_;
    Status& status_;
    bool is_sound_ = true;
};

}  // namespace

int run(int listener, const Config& config, const std::string& db_password, db::Connection::Look look, db::Outage& outage,
        pid_t master, Status& status)
{
    return Worker{listener, config, db_password, look, outage, master, status}.serve_until_told();
}

}  // namespace worker
