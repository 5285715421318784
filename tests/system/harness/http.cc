#include "system/harness/http.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <latch>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace http {
namespace {

constexpr std::string_view kBoundary = "----stories-8f14e45fceea167a";

bool is_same_name(std::string_view left, std::string_view right)
{
    const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [lower](char a, char b) { return lower(a) == lower(b); });
}

// True if the kernel holds no unread bytes that were sent from these ends of connections. The
// kernel's table has a row for each end of every connection of the machine, so it is read once for
// all of them. Column 4 is "bytes to send:bytes to be read".
bool are_empty(const std::set<std::string>& ends)
{
    std::ifstream table{"/proc/net/tcp"};
    for (std::string line; std::getline(table, line);) {
        std::istringstream columns{line};
        std::string number;
        std::string local;
        std::string remote;
        std::string state;
        std::string queues;
        columns >> number >> local >> remote >> state >> queues;
        if (ends.contains(remote) && !queues.ends_with(":00000000")) return false;
        if (ends.contains(local) && !queues.starts_with("00000000:")) return false;
    }
    return true;
}

std::runtime_error broken(const std::string& why, const std::string& received)
{
    return std::runtime_error{"not an HTTP answer (" + why + "): " + received};
}

std::size_t number(std::string_view text, const std::string& received)
{
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw broken("'" + std::string{text} + "' is not a number", received);
    }
    return value;
}

// Parses the head up to its empty line; empty if that has not arrived yet.
std::optional<Answer> parse_head(const std::string& received, std::size_t& head_size)
{
    head_size = received.find("\r\n\r\n");
    if (head_size == std::string::npos) {
        return std::nullopt;
    }
    head_size += 4;
    Answer answer;
    std::size_t line_begin = 0;
    while (line_begin + 2 < head_size) {
        const auto line_end = received.find("\r\n", line_begin);
        const std::string line = received.substr(line_begin, line_end - line_begin);
        if (line_begin == 0) {
            if (line.size() < 12 || !line.starts_with("HTTP/1.1 ")) {
                throw broken("status line", received);
            }
            answer.status = static_cast<int>(number(line.substr(9, 3), received));
            answer.reason = line.size() > 13 ? line.substr(13) : "";
        } else {
            const auto colon = line.find(": ");
            if (colon == std::string::npos) {
                throw broken("header line '" + line + "'", received);
            }
            answer.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
        }
        line_begin = line_end + 2;
    }
    return answer;
}

std::string chunked_body(std::string_view rest, const std::string& received)
{
    std::string body;
    while (true) {
        const auto line_end = rest.find("\r\n");
        if (line_end == std::string_view::npos) {
            throw broken("chunk", received);
        }
        std::size_t size = 0;
        std::from_chars(rest.data(), rest.data() + line_end, size, 16);
        rest.remove_prefix(line_end + 2);
        if (size == 0) {
            return body;
        }
        if (rest.size() < size + 2) {
            throw broken("chunk cut short", received);
        }
        body += rest.substr(0, size);
        rest.remove_prefix(size + 2);
    }
}

std::string as_json(std::string_view text)
{
    std::string quoted = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7F) {
            char escape[8] = "";
            std::snprintf(escape, sizeof escape, "\\u%04x", byte);
            quoted += escape;
        } else {
            quoted += c;
        }
    }
    return quoted + "\"";
}

// Requests without a request line or a path are left out, because the OpenAPI document cannot
// describe them.
void write_down(std::string_view request, const Answer& answer)
{
    static const char* const file = std::getenv("TEST_EXCHANGES");
    const auto target = request.find(' ') + 1;
    const auto end = request.find(' ', target);
    if (file == nullptr || target == 0 || end == std::string_view::npos || request[target] != '/') {
        return;
    }
    std::string headers;
    for (const auto& [name, value] : answer.headers) {
        std::string lower = name;
        std::transform(lower.begin(), lower.end(), lower.begin(),
                       [](unsigned char c) { return std::tolower(c); });
        headers += (headers.empty() ? "" : ",") + as_json(lower) + ":" + as_json(value);
    }
    const auto line = "{\"method\":" + as_json(request.substr(0, target - 1))
                      + ",\"target\":" + as_json(request.substr(target, end - target))
                      + ",\"status\":" + std::to_string(answer.status) + ",\"headers\":{" + headers
                      + "},\"body\":" + as_json(answer.body) + "}\n";
    static std::mutex one_at_a_time;
    const std::lock_guard lock{one_at_a_time};
    std::ofstream{file, std::ios::app} << line;
}

}  // namespace

std::vector<std::string> Answer::all(std::string_view name) const
{
    std::vector<std::string> values;
    for (const auto& [field, value] : headers) {
        if (is_same_name(field, name)) {
            values.push_back(value);
        }
    }
    return values;
}

std::string Answer::header(std::string_view name) const
{
    const auto values = all(name);
    return values.empty() ? "" : values.front();
}

std::string percent_encoded(std::string_view text)
{
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
            encoded += c;
        } else {
            encoded += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
        }
    }
    return encoded;
}

std::string base64(std::string_view bytes)
{
    constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string encoded;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const auto group = bytes.substr(at, 3);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            bits = bits << 8U | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            encoded += i <= group.size() ? kLetters[bits >> (18U - 6U * i) & 63U] : '=';
        }
    }
    return encoded;
}

std::string basic(std::string_view key)
{
    return "Basic " + base64("api:" + std::string{key});
}

Body form(const Fields& fields)
{
    std::string bytes;
    for (const auto& [name, value] : fields) {
        bytes += (bytes.empty() ? "" : "&") + percent_encoded(name) + "=" + percent_encoded(value);
    }
    return {"application/x-www-form-urlencoded", bytes};
}

Body multipart(const Fields& fields)
{
    const std::string delimiter = "--" + std::string{kBoundary};
    std::string bytes;
    for (const auto& [name, value] : fields) {
        bytes += delimiter + "\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n"
                 + value + "\r\n";
    }
    return {"multipart/form-data; boundary=" + std::string{kBoundary},
            bytes + delimiter + "--\r\n"};
}

Body json(std::string text)
{
    return {"application/json", std::move(text)};
}

Body untyped(std::string bytes)
{
    return {"", std::move(bytes)};
}

std::string Request::bytes() const
{
    std::string text =
        method + " " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n";
    for (const auto& [name, value] : headers) {
        text += name + ": " + value + "\r\n";
    }
    if (!body.type.empty()) {
        text += "Content-Type: " + body.type + "\r\n";
    }
    if (!body.bytes.empty() || method == "POST" || method == "PUT") {
        text += "Content-Length: " + std::to_string(body.bytes.size()) + "\r\n";
    }
    return text + "\r\n" + body.bytes;
}

Connection::Connection(std::uint16_t port, const std::string& source)
    : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}
{
    // The segment size of Ethernet. Loopback has segments of 64 KiB, with which the kernel buffers
    // megabytes that the peer has not read.
    const int segment = 1460;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (!source.empty()) {
        ::inet_pton(AF_INET, source.c_str(), &address.sin_addr);
        if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            throw std::system_error{errno, std::generic_category(), "bind to " + source};
        }
    }
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(reinterpret_cast<const sockaddr&>(address), sizeof address,
            "port " + std::to_string(port));
}

Connection::Connection(const std::string& path)
    : socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connect(reinterpret_cast<const sockaddr&>(address), sizeof address, path);
}

void Connection::connect(const sockaddr& address, socklen_t size, const std::string& name)
{
    if (socket_ < 0 || ::connect(socket_, &address, size) != 0) {
        const int error = errno;
        ::close(socket_);
        throw std::system_error{error, std::generic_category(), "connect to " + name};
    }
    ::fcntl(socket_, F_SETFL, O_NONBLOCK);
}

Connection::~Connection()
{
    ::close(socket_);
}

Connections open_many(std::uint16_t port, std::size_t count, const std::string& bytes)
{
    Connections all;
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(std::make_unique<Connection>(port, "127.0.1." + std::to_string(1 + i % 10)));
        all.back()->send(bytes);
    }
    return all;
}

bool Connection::read_some(std::chrono::milliseconds wait)
{
    pollfd waiting{socket_, POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(wait.count())) <= 0) {
        return false;
    }
    std::array<char, 65536> buffer{};
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (count > 0) {
        received_.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        ended_ = true;  // closed or reset: no more bytes will come
    }
    return true;
}

void Connection::send(std::string_view bytes, std::chrono::milliseconds deadline)
{
    if (sent_.find('\n') == std::string::npos) {
        sent_ += bytes.substr(0, bytes.find('\n') + 1);
    }
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!bytes.empty()) {
        const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            pollfd waiting{socket_, POLLIN | POLLOUT, 0};
            ::poll(&waiting, 1, 1000);
            if ((waiting.revents & POLLIN) != 0) {
                read_some(std::chrono::milliseconds{0});
            }
            if (ended_ || std::chrono::steady_clock::now() > end) {
                return;
            }
        } else if (errno != EINTR) {
            return;
        }
    }
}

// Returns the local address as the kernel's table writes it, for example `0101007F:A2C4`.
std::string Connection::own_end() const
{
    sockaddr_in own{};
    socklen_t size = sizeof own;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&own), &size);
    std::array<char, 16> end{};
    std::snprintf(end.data(), end.size(), "%08X:%04X", own.sin_addr.s_addr, ntohs(own.sin_port));
    return end.data();
}

bool Connection::is_taken() const
{
    return are_empty({own_end()});
}

bool are_taken(const Connections& connections)
{
    std::set<std::string> ends;
    for (const auto& connection : connections) {
        ends.insert(connection->own_end());
    }
    return are_empty(ends);
}

void Connection::finish()
{
    ::shutdown(socket_, SHUT_WR);
}

Answer Connection::receive(Expect expect, std::chrono::milliseconds deadline)
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    std::size_t head_size = 0;
    std::optional<Answer> answer;
    const auto is_complete = [&] {
        if (!answer) {
            answer = parse_head(received_, head_size);
            while (answer && answer->status / 100 == 1) {
                received_.erase(0, head_size);
                answer = parse_head(received_, head_size);
            }
        }
        if (!answer) {
            return false;
        }
        const auto length = answer->header("Content-Length");
        return expect == Expect::no_body
               || (!length.empty() && received_.size() >= head_size + number(length, received_));
    };
    while (!is_complete() && !ended_) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            throw std::runtime_error{"no complete answer in time; so far: " + received_};
        }
        read_some(left);
    }
    if (!answer) {
        if (!received_.empty()) {
            throw broken("it ends in its head", received_);
        }
        return {};
    }
    answer->body = received_.substr(head_size);
    const auto lengths = answer->all("Content-Length");
    if (!lengths.empty() && expect == Expect::body) {
        if (answer->body.size() != number(lengths.front(), received_)) {
            throw broken("its body is not as long as announced", received_);
        }
    } else if (answer->header("Transfer-Encoding") == "chunked") {
        answer->body = chunked_body(answer->body, received_);
    }
    write_down(sent_, *answer);
    return *answer;
}

std::string Connection::receive_line(std::chrono::milliseconds deadline)
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    std::size_t newline = 0;
    while ((newline = received_.find('\n')) == std::string::npos) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (ended_ || left.count() <= 0) {
            throw std::runtime_error{
                (ended_ ? "the connection ended; so far: " : "no line in time; so far: ")
                + received_};
        }
        read_some(left);
    }
    std::string line = received_.substr(0, newline);
    received_.erase(0, newline + 1);
    return line;
}

std::string Connection::receive_all(std::chrono::milliseconds deadline)
{
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!ended_) {
        if (std::chrono::steady_clock::now() >= end) {
            throw std::runtime_error{"the connection did not end in time; so far: " + received_};
        }
        read_some(std::chrono::milliseconds{100});
    }
    return received_;
}

Answer Server::send(const Request& request) const
{
    return send_bytes(request.bytes(), request.method == "HEAD" ? Expect::no_body : Expect::body);
}

Answer Server::send_bytes(std::string_view bytes, Expect expect) const
{
    Connection connection{port_};
    connection.send(bytes);
    return connection.receive(expect);
}

std::vector<Answer> send_all(const Server& server, const std::vector<Request>& requests)
{
    std::vector<Answer> answers(requests.size());
    std::vector<std::exception_ptr> errors(requests.size());
    std::latch all_ready{static_cast<std::ptrdiff_t>(requests.size())};
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < requests.size(); ++i) {
            threads.emplace_back([&, i] {
                all_ready.arrive_and_wait();
                try {
                    answers[i] = server.send(requests[i]);
                } catch (...) {
                    errors[i] = std::current_exception();
                }
            });
        }
    }
    for (const auto& error : errors) {
        if (error) {
            std::rethrow_exception(error);
        }
    }
    return answers;
}

std::vector<Answer> send_all_patiently(const Server& server, const std::vector<Request>& requests)
{
    const auto last_begin = std::chrono::steady_clock::now() + std::chrono::minutes{2};
    auto answers = send_all(server, requests);
    while (std::chrono::steady_clock::now() < last_begin) {
        std::vector<std::size_t> places;
        std::vector<Request> again;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            if (answers[i].status != 503
                || answers[i].body.find("Too many changes are waiting") == std::string::npos)
                continue;
            places.push_back(i);
            again.push_back(requests[i]);
        }
        if (again.empty()) break;
        const auto answered = send_all(server, again);
        for (std::size_t i = 0; i < places.size(); ++i) answers[places[i]] = answered[i];
    }
    return answers;
}

}  // namespace http
