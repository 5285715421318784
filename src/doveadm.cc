#include "doveadm.h"

#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "http.h"
#include "json.h"

namespace doveadm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestAnswer = 256 << 20;  // a session takes about 130 bytes
constexpr std::string_view kNobody = "68";         // exit code of kick where nobody was connected

std::string base64(std::string_view text)
{
    std::string encoded(sodium_base64_ENCODED_LEN(text.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(encoded.data(), encoded.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    encoded.pop_back();  // its NUL
    return encoded;
}

[[noreturn]] void fail(const std::string& where, const std::string& what)
{
    throw Failed("doveadm at " + where + ": " + what);
}

class Connection {
public:
    Connection(const std::string& where, Clock::time_point end) : where_{where}, end_{end}
    {
        sockaddr_un path{};
        sockaddr_in loopback{};
        const sockaddr* address = nullptr;
        socklen_t size = 0;
        if (where.starts_with('/')) {
            path.sun_family = AF_UNIX;
            std::memcpy(path.sun_path, where.c_str(), where.size());  // config.cc has checked its length
            address = reinterpret_cast<const sockaddr*>(&path);
            size = sizeof path;
        } else {
            std::uint16_t port = 0;
            std::from_chars(where.data(), where.data() + where.size(), port);
            loopback.sin_family = AF_INET;
            loopback.sin_port = htons(port);
            loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            address = reinterpret_cast<const sockaddr*>(&loopback);
            size = sizeof loopback;
        }
        socket_ = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (socket_ < 0) fail(where, std::strerror(errno));
        if (::connect(socket_, address, size) == 0) return;
        const int error = errno == EINPROGRESS ? finish_connecting() : errno;
        if (error == 0) return;
        ::close(socket_);
        fail(where, error == EAGAIN ? "it has too much to do" : std::strerror(error));
    }
    ~Connection() { ::close(socket_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void send(std::string_view bytes)
    {
        while (!bytes.empty()) {
            await(POLLOUT);
            const auto count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count >= 0) bytes.remove_prefix(static_cast<std::size_t>(count));
            else if (errno != EAGAIN && errno != EINTR) fail(where_, std::strerror(errno));
        }
    }
    // All until it closes the connection.
    std::string receive()
    {
        std::string all;
        for (;;) {
            await(POLLIN);
            char buffer[65'536];
            const auto count = ::recv(socket_, buffer, sizeof buffer, 0);
            if (count == 0) return all;
            if (count < 0 && errno != EAGAIN && errno != EINTR) fail(where_, std::strerror(errno));
            if (count > 0) all.append(buffer, static_cast<std::size_t>(count));
            if (all.size() > kLongestAnswer) fail(where_, "its answer does not end");
        }
    }

private:
    int finish_connecting()
    {
        await(POLLOUT);
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size);
        return error;
    }
    void await(short events)
    {
        pollfd waiting{socket_, events, 0};
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()).count();
        if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) == 0) fail(where_, "it does not answer");
    }

    const std::string& where_;
    Clock::time_point end_;
    int socket_ = -1;
};

// One answer of several: [type, payload, tag].
struct Answer {
    bool is_error = false;
    json::Node payload;
};

std::vector<Answer> answers_of(const std::string& text, const std::string& where)
{
    const auto root = json::parse(text);
    std::vector<Answer> answers;
    if (root) {
        for (const auto& [name, each] : root->members) {
            if (each.members.size() != 3) break;
            answers.push_back({each.members[0].second.text != "doveadmResponse", each.members[1].second});
        }
    }
    if (answers.empty()) fail(where, "its answer is not understood");
    return answers;
}

std::string member(const json::Node& node, std::string_view name)
{
    for (const auto& [its_name, value] : node.members) {
        if (its_name == name) return value.text;
    }
    return {};
}

[[noreturn]] void refuse(const Answer& answer, const std::string& where)
{
    fail(where, "it refused: " + member(answer.payload, "type") + " " + member(answer.payload, "exitCode"));
}

}  // namespace

Client::Client(const Config& config, std::chrono::seconds deadline) : where_{config.doveadm}, deadline_{deadline}
{
    if (where_.empty()) throw Failed("the setting doveadm is missing: it says where Dovecot's doveadm listens for HTTP");
    credentials_ = base64(config.doveadm_key());
}

// HTTP/1.0, so that the answer comes in one piece and ends with the connection.
std::string Client::ask(const std::string& commands) const
{
    Connection connection{where_, Clock::now() + deadline_};
    connection.send("POST /doveadm/v1 HTTP/1.0\r\nHost: localhost\r\nAuthorization: X-Dovecot-API " + credentials_
                    + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(commands.size()) + "\r\n\r\n" + commands);
    const auto answer = connection.receive();
    const auto head_end = answer.find("\r\n\r\n");
    if (head_end == std::string::npos || !answer.starts_with("HTTP/1.")) fail(where_, "it answers, but not by HTTP");
    const auto status = answer.substr(9, 3);
    if (status == "401") fail(where_, "401: its doveadm_api_key is not what doveadm_key_file says");
    if (status != "200") fail(where_, "its answer is " + answer.substr(0, answer.find('\r')));
    return answer.substr(head_end + 4);
}

// Each connection by itself: in a list by users Dovecot 2.3.19 closes the array behind the first one.
std::vector<Session> Client::sessions() const
{
    const auto answers = answers_of(ask(R"([["who",{"separateConnections":true},"who"]])"), where_);
    if (answers[0].is_error) refuse(answers[0], where_);
    std::vector<Session> sessions;
    for (const auto& [name, row] : answers[0].payload.members) {
        sessions.push_back({member(row, "username"), member(row, "service"), member(row, "ip")});
    }
    return sessions;
}

void Client::kick(const std::vector<std::string>& users) const
{
    constexpr std::size_t kAtOnce = 100;
    for (std::size_t begin = 0; begin < users.size(); begin += kAtOnce) {
        std::string commands;
        for (std::size_t i = begin; i < std::min(begin + kAtOnce, users.size()); ++i) {
            commands += std::string{commands.empty() ? "[" : ","} + R"(["kick",{"mask":[)" + json::quoted(users[i]) + R"(]},"kick"])";
        }
        for (const auto& answer : answers_of(ask(commands + "]"), where_)) {
            if (answer.is_error && member(answer.payload, "exitCode") != kNobody) refuse(answer, where_);
        }
    }
}

std::optional<std::map<std::string, std::string>> Client::user(const std::string& address) const
{
    const auto answers = answers_of(ask(R"([["user",{"userMask":[)" + json::quoted(address) + R"(]},"user"]])"), where_);
    if (answers[0].is_error) return std::nullopt;
    std::map<std::string, std::string> settings;
    for (const auto& [name, user] : answers[0].payload.members) {
        for (const auto& [setting, value] : user.members) settings.emplace(setting, value.text);
    }
    if (settings.empty()) return std::nullopt;
    return settings;
}

}  // namespace doveadm
