#include "bench/load.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <random>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "system/harness/http.h"

namespace load {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

[[noreturn]] void fail(const char* what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

// A connection with at most one request under way.
class Connection {
public:
    explicit Connection(int port) : port_{port} { open(); }
    ~Connection() { ::close(socket_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    int socket() const { return socket_; }
    bool is_idle() const { return !request_; }
    Clock::time_point due() const { return due_; }

    void send(Request request, Clock::time_point due)
    {
        request_ = std::move(request);
        due_ = due;
        if (!sent_whole()) {  // closed meanwhile, as nginx does after a thousand requests
            reopen();
            if (!sent_whole()) fail("send");
        }
    }

    // Reads the available bytes. Returns the status once the answer is complete; 0 if the
    // connection ended before.
    std::optional<int> receive()
    {
        for (;;) {
            const auto got = ::recv(socket_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && errno == EAGAIN) return std::nullopt;
            if (got <= 0) {
                reopen();
                return is_idle() ? std::nullopt : finished(0);
            }
            if (is_idle()) continue;
            take({buffer_.data(), static_cast<std::size_t>(got)});
            if (left_ == 0 && !head_.empty()) {
                const int status = status_;
                const bool is_last = closes_;
                auto result = finished(status);
                if (is_last) reopen();
                return result;
            }
        }
    }

private:
    void open()
    {
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (socket_ < 0) fail("socket");
        const int yes = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port_));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            fail("connect");
    }

    // Keeps the descriptor's number, which must be added to epoll again.
    void reopen()
    {
        ::close(socket_);
        open();
        was_reopened_ = true;
    }

    bool sent_whole() const
    {
        std::string_view rest = request_->bytes;
        while (!rest.empty()) {
            const auto sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
            if (sent < 0) return false;
            rest.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    void take(std::string_view bytes)
    {
        if (!is_in_body_) {
            head_.append(bytes);
            const auto end = head_.find("\r\n\r\n");
            if (end == std::string::npos) return;
            is_in_body_ = true;
            bytes.remove_prefix(bytes.size() - (head_.size() - end - 4));
            head_.resize(end + 2);
            std::from_chars(head_.data() + 9, head_.data() + 12, status_);
            closes_ = head_.find("\r\nConnection: close\r\n") != std::string::npos;
            constexpr std::string_view kLength = "\r\nContent-Length: ";
            const auto length = head_.find(kLength);
            if (length == std::string::npos)
                throw std::runtime_error("an answer without Content-Length: " + head_);
            std::from_chars(head_.data() + length + kLength.size(), head_.data() + head_.size(),
                            left_);
        }
        left_ -= std::min(left_, bytes.size());
    }

    std::optional<int> finished(int status)
    {
        if (request_->answered) request_->answered(status);
        request_.reset();
        head_.clear();
        is_in_body_ = false;
        left_ = 0;
        return status;
    }

    friend class Loop;
    int port_;
    int socket_ = -1;
    bool was_reopened_ = true;  // epoll does not know the new socket yet
    std::optional<Request> request_;
    Clock::time_point due_{};
    std::array<char, 65536> buffer_{};
    std::string head_;
    bool is_in_body_ = false;
    bool closes_ = false;
    int status_ = 0;
    std::size_t left_ = 0;
};

// The connections, and the answers that have come over them.
class Loop {
public:
    Loop(int port, std::size_t connections) : port_{port}, epoll_{::epoll_create1(EPOLL_CLOEXEC)}
    {
        if (epoll_ < 0) fail("epoll_create1");
        while (connections_.size() < connections) add();
    }
    ~Loop() { ::close(epoll_); }
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    Connection& add()
    {
        connections_.push_back(std::make_unique<Connection>(port_));
        watch(*connections_.back());
        return *connections_.back();
    }

    const std::vector<std::unique_ptr<Connection>>& connections() const { return connections_; }

    void send(Connection& connection, Request request, Clock::time_point due)
    {
        connection.send(std::move(request), due);
        if (connection.was_reopened_) watch(connection);
        ++under_way_;
    }
    std::size_t under_way() const { return under_way_; }

    // Waits until an answer has come or `patience` is over. Returns the connections that are free
    // again.
    std::vector<Connection*> wait(Clock::duration patience)
    {
        const auto nanoseconds = std::max<std::int64_t>(
            0, std::chrono::duration_cast<std::chrono::nanoseconds>(patience).count());
        const timespec timeout{.tv_sec = nanoseconds / 1'000'000'000,
                               .tv_nsec = nanoseconds % 1'000'000'000};
        std::array<epoll_event, 64> events{};
        const int count = ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()),
                                         &timeout, nullptr);
        std::vector<Connection*> freed;
        for (int i = 0; i < count; ++i) {
            auto& connection =
                *static_cast<Connection*>(events.at(static_cast<std::size_t>(i)).data.ptr);
            const auto status = connection.receive();
            if (connection.was_reopened_) watch(connection);
            if (!status) continue;
            --under_way_;
            auto& times = *status == 200 ? result.milliseconds : result.others[*status];
            times.push_back(
                std::chrono::duration<double, std::milli>(Clock::now() - connection.due()).count());
            freed.push_back(&connection);
        }
        return freed;
    }

    Result result;

private:
    void watch(Connection& connection)
    {
        epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket(), &event) != 0 && errno != EEXIST)
            fail("epoll_ctl");
        connection.was_reopened_ = false;
    }

    int port_;
    int epoll_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::size_t under_way_ = 0;
};

}  // namespace

std::uint64_t Result::errors() const
{
    std::uint64_t sum = 0;
    for (const auto& [status, times] : others) sum += times.size();
    return sum;
}

std::string Result::described_errors() const
{
    std::string text;
    for (const auto& [status, times] : others) {
        if (!text.empty()) text += ", ";
        text += std::to_string(times.size())
                + (status == 0 ? std::string{" without an answer"}
                               : " times " + std::to_string(status));
    }
    return text;
}

std::string get(const std::string& target, const std::string& key)
{
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + http::basic(key)
           + "\r\n\r\n";
}

std::string with_form(const std::string& method, const std::string& target, const std::string& key,
                      const std::string& form)
{
    return method + " " + target
           + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + http::basic(key)
           + "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "
           + std::to_string(form.size()) + "\r\n\r\n" + form;
}

Result closed_loop(int port, int connections, std::chrono::duration<double> duration,
                   const Next& next)
{
    Loop loop{port, static_cast<std::size_t>(connections)};
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration_cast<Clock::duration>(duration);
    const auto send_next = [&](Connection& connection) {
        if (Clock::now() >= end) return;
        if (auto request = next()) loop.send(connection, std::move(*request), Clock::now());
    };
    for (const auto& connection : loop.connections()) send_next(*connection);
    while (loop.under_way() > 0) {
        for (auto* const connection : loop.wait(1s)) send_next(*connection);
    }
    loop.result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return std::move(loop.result);
}

namespace {

void schedule(int policy, int priority)
{
    const sched_param wanted{.sched_priority = priority};
    ::sched_setscheduler(0, policy, &wanted);
}

}  // namespace

AheadOfAll::AheadOfAll()
{
    schedule(SCHED_FIFO | SCHED_RESET_ON_FORK, 1);  // not for the threads that it starts
}

AheadOfAll::~AheadOfAll()
{
    schedule(SCHED_OTHER, 0);
}

Result open_loop(int port, double rate, std::chrono::duration<double> duration, const Next& next)
{
    constexpr std::size_t kMostConnections = 400;
    Loop loop{port, 8};
    std::mt19937_64 random{20110927};
    std::exponential_distribution<double> gap{rate};
    const auto begin = Clock::now();
    const auto end = begin + std::chrono::duration_cast<Clock::duration>(duration);
    auto due = begin;
    std::deque<std::pair<Request, Clock::time_point>> waiting;
    while (due < end || !waiting.empty() || loop.under_way() > 0) {
        while (due < end && due <= Clock::now()) {
            auto request = next();
            if (!request) break;
            waiting.emplace_back(std::move(*request), due);
            due += std::chrono::duration_cast<Clock::duration>(
                std::chrono::duration<double>{gap(random)});
        }
        for (const auto& connection : loop.connections()) {
            if (waiting.empty()) break;
            if (!connection->is_idle()) continue;
            loop.send(*connection, std::move(waiting.front().first), waiting.front().second);
            waiting.pop_front();
        }
        if (!waiting.empty() && loop.connections().size() < kMostConnections) {
            loop.send(loop.add(), std::move(waiting.front().first), waiting.front().second);
            waiting.pop_front();
            continue;
        }
        loop.wait(due < end ? std::min<Clock::duration>(due - Clock::now(), 1s)
                            : Clock::duration{100ms});
    }
    loop.result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return std::move(loop.result);
}

Result one_by_one(int port, const std::vector<std::string>& requests)
{
    std::size_t i = 0;
    return closed_loop(port, 1, 1h, [&]() -> std::optional<Request> {
        if (i == requests.size()) return std::nullopt;
        return Request{requests[i++]};
    });
}

}  // namespace load
