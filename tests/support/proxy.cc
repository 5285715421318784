#include "support/proxy.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <system_error>

namespace proxy {
namespace {

using namespace std::chrono_literals;

constexpr auto kAWhile = 300ms;
constexpr int kLook = 20;  // milliseconds between two checks whether the proxy shall end
constexpr std::size_t kHeader = 4;

[[noreturn]] void fail(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_un address_of(const std::string& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        throw std::length_error("a socket's path is too long: " + path);
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

class Socket {
public:
    explicit Socket(int descriptor) : descriptor_{descriptor} {}
    ~Socket() { close(); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    int number() const { return descriptor_; }
    void close()
    {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = -1;
    }
    bool send(std::string_view bytes) const
    {
        while (!bytes.empty()) {
            const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // Appends what has arrived; false at the end of the connection.
    bool receive(std::string& bytes) const
    {
        std::array<char, 65'536> buffer{};
        const auto size = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
        if (size <= 0) return false;
        bytes.append(buffer.data(), static_cast<std::size_t>(size));
        return true;
    }

private:
    int descriptor_;
};

// Returns a connected socket, or -1 if nobody listens.
int connected(const Config::Database& server)
{
    if (!server.socket.empty()) {
        const auto address = address_of(server.socket);
        const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
            return made;
        ::close(made);
        return -1;
    }
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* first = nullptr;
    if (::getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &wanted, &first)
        != 0)
        return -1;
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses{first, &::freeaddrinfo};
    for (const auto* address = first; address != nullptr; address = address->ai_next) {
        const int made = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(made, address->ai_addr, address->ai_addrlen) == 0) return made;
        ::close(made);
    }
    return -1;
}

// True for packets that the server answers. Packets within a command, for example of the log-in,
// have a higher sequence number; COM_QUIT, COM_STMT_SEND_LONG_DATA and COM_STMT_CLOSE have no
// answer.
bool is_answered(std::string_view packet)
{
    return packet[3] == 0 && packet.size() > kHeader
           && std::string_view{"\x01\x18\x19"}.find(packet[kHeader]) == std::string_view::npos;
}

// Removes a whole packet from the front (three bytes of length, one byte of sequence number) and
// returns it; empty if there is none yet.
std::string take_packet(std::string& bytes)
{
    if (bytes.size() < kHeader) return {};
    const auto byte = [&](std::size_t i) {
        return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
    };
    const auto size = kHeader + (byte(0) | byte(1) << 8 | byte(2) << 16);
    if (bytes.size() < size) return {};
    auto packet = bytes.substr(0, size);
    bytes.erase(0, size);
    return packet;
}

// Returns a packet with sequence number 0.
std::string packet_of(std::string_view command)
{
    std::string packet{static_cast<char>(command.size() & 0xFF),
                       static_cast<char>(command.size() >> 8 & 0xFF),
                       static_cast<char>(command.size() >> 16 & 0xFF), 0};
    return packet.append(command);
}

// Returns a COM_QUERY packet.
std::string query(std::string_view statement)
{
    return packet_of("\x03" + std::string{statement});
}

}  // namespace

std::ostream& operator<<(std::ostream& out, Fate fate)
{
    constexpr std::array kNames{"passes",      "lost",         "unanswered", "answer lost",
                                "lost slowly", "arrives late", "refused"};
    return out << kNames.at(static_cast<std::size_t>(fate));
}

Proxy::Proxy(Config::Database server, const std::string& socket)
    : server_{std::move(server)}, listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}
{
    const auto address = address_of(socket);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail("bind " + socket);
    if (::listen(listener_, 100) != 0) fail("listen " + socket);
    acceptor_ = std::thread{[this] { accept_clients(); }};
}

Proxy::~Proxy()
{
    is_stopping_ = true;
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
    ::close(listener_);
}

void Proxy::set_judge(Judge judge)
{
    const std::lock_guard lock{mutex_};
    judge_ = std::move(judge);
}

Fate Proxy::judge(std::string_view command)
{
    const std::lock_guard lock{mutex_};
    return judge_ ? judge_(command) : Fate::passes;
}

void Proxy::set_rewrite(Rewrite rewrite)
{
    const std::lock_guard lock{mutex_};
    rewrite_ = std::move(rewrite);
}

std::string Proxy::rewritten(const std::string& packet)
{
    const std::lock_guard lock{mutex_};
    return rewrite_ && is_answered(packet)
               ? packet_of(rewrite_(std::string_view{packet}.substr(kHeader)))
               : packet;
}

void Proxy::accept_clients()
{
    while (!is_stopping_) {
        pollfd waiting{listener_, POLLIN, 0};
        if (::poll(&waiting, 1, kLook) <= 0) continue;
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) continue;
        ++connections_;
        threads_.emplace_back([this, client] { serve(client); });
    }
}

void Proxy::serve(int accepted)
{
    Socket client{accepted};
    const Socket server{connected(server_)};
    if (server.number() < 0) return;
    std::string commands;
    std::string answers;
    while (!is_stopping_) {
        std::array<pollfd, 2> waiting{pollfd{client.number(), POLLIN, 0},
                                      pollfd{server.number(), POLLIN, 0}};
        if (::poll(waiting.data(), waiting.size(), kLook) <= 0) continue;
        if (waiting[1].revents != 0) {
            answers.clear();
            if (!server.receive(answers) || !client.send(answers)) return;
        }
        if (waiting[0].revents == 0) continue;
        if (!client.receive(commands)) return;
        for (auto packet = take_packet(commands); !packet.empty(); packet = take_packet(commands)) {
            const auto fate = is_answered(packet) ? judge(std::string_view{packet}.substr(kHeader))
                                                  : Fate::passes;
            if (fate == Fate::lost_slowly || fate == Fate::arrives_late) {
                client.close();
                std::this_thread::sleep_for(kAWhile);
            }
            if (fate == Fate::lost || fate == Fate::lost_slowly) return;
            if (fate == Fate::refused) {
                if (!server.send(query("ROLLBACK")) || !server.receive(answers)) return;
                packet = query("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213");
            }
            if (!server.send(rewritten(packet))) return;
            if (fate == Fate::answer_lost || fate == Fate::arrives_late) server.receive(answers);
            if (fate != Fate::passes && fate != Fate::refused) return;
        }
    }
}

}  // namespace proxy
