#include "support/dovecot.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <regex>
#include <stdexcept>

namespace dovecot {
namespace {

std::string received(int connection)
{
    std::string all;
    for (;;) {
        char buffer[4096];
        const auto count = ::recv(connection, buffer, sizeof buffer, 0);
        if (count <= 0) return all;
        all.append(buffer, static_cast<std::size_t>(count));
        std::smatch length;
        const auto end = all.find("\r\n\r\n");
        if (end == std::string::npos
            || !std::regex_search(all, length, std::regex{"Content-Length: ([0-9]+)"}))
            continue;
        if (all.size() >= end + 4 + std::stoul(length[1])) return all;
    }
}

}  // namespace

Server::Server(Reply reply)
    : reply_{std::move(reply)}, listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}
{
    config_.doveadm = directory_.path("http");
    config_.doveadm_key_file = directory_.write("key", "Aladdin's\n");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, config_.doveadm.c_str(), sizeof address.sun_path - 1);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0
        || ::listen(listener_, 10) != 0) {
        throw std::runtime_error("no socket at " + config_.doveadm);
    }
    thread_ = std::thread{[this] { serve(); }};
}

Server::~Server()
{
    is_over_ = true;
    thread_.join();
    ::close(listener_);
}

void Server::serve()
{
    while (!is_over_) {
        pollfd waiting{listener_, POLLIN, 0};
        if (::poll(&waiting, 1, 10) <= 0) continue;
        const int connection = ::accept(listener_, nullptr, nullptr);
        const auto request = received(connection);
        const auto end = request.find("\r\n\r\n");
        std::string reply;
        {
            const std::lock_guard lock{mutex_};
            requests_.push_back(request);
            reply = reply_(end == std::string::npos ? "" : request.substr(end + 4));
        }
        while (reply == "wait" && !is_over_) ::poll(nullptr, 0, 10);
        static_cast<void>(::send(connection, reply.data(), reply.size(),
                                 MSG_NOSIGNAL));  // a peer that has closed gets nothing
        ::close(connection);
    }
}

std::vector<std::string> Server::requests() const
{
    const std::lock_guard lock{mutex_};
    return requests_;
}

std::string answer(const std::string& body)
{
    return "HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 23:00:58 GMT\r\nContent-Length: "
           + std::to_string(body.size())
           + "\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n\r\n"
           + body;
}

std::string Users::reply(const std::string& body)
{
    std::string rows;
    if (body.find("\"who\"") != std::string::npos) {
        for (const auto& user : connected) {
            rows += (rows.empty() ? "" : ",") + std::string{"{\"username\":\""} + user
                    + "\",\"service\":\"imap\",\"pid\":\"1\",\"ip\":\"192.0.2.1\"}";
        }
        return answer("[[\"doveadmResponse\",[" + rows + "],\"who\"]]");
    }
    const std::regex mask{"\"mask\":\\[\"([^\"]*)\"\\]"};
    for (std::sregex_iterator match{body.begin(), body.end(), mask}, end; match != end; ++match) {
        const auto user = match->str(1);
        kicked.push_back(user);
        const auto count = std::erase(connected, user);
        rows += std::string{rows.empty() ? "" : ","}
                + (count > 0 ? "[\"doveadmResponse\",[{\"result\":\"" + user + "\"}],\"kick\"]"
                             : "[\"error\",{\"type\":\"exitCode\", \"exitCode\":68},\"kick\"]");
    }
    return answer("[" + rows + "]");
}

}  // namespace dovecot
