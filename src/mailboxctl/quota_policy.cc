#include "mailboxctl/quota_policy.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace quota_policy {
namespace {

constexpr char kNoObjection[] = "DUNNO";
constexpr std::string_view kUnix = "unix:";

// Reads one request. Returns false at the end of the input.
bool read(std::istream& in, Attributes& request)
{
    request.clear();
    for (std::string line; std::getline(in, line);) {
        if (line.empty()) return true;
        const auto at = line.find('=');
        if (at != std::string::npos) request[line.substr(0, at)] = line.substr(at + 1);
    }
    return false;
}

std::string value(const Attributes& request, const std::string& name)
{
    const auto found = request.find(name);
    return found == request.end() ? std::string{} : found->second;
}

// The message that Postfix is receiving, with the recipients that Dovecot has accepted so far.
struct Message {
    std::string instance;
    std::vector<std::string> recipients;
};

std::string answer_to(const Attributes& request, Message& message, const Ask& ask)
{
    const auto state = value(request, "protocol_state");
    const auto instance = value(request, "instance");
    if (instance != message.instance) message = {instance, {}};
    if (state == "RCPT") {
        const auto answer = ask(request);
        if (answer == kNoObjection) message.recipients.push_back(value(request, "recipient"));
        return answer;
    }
    if (state != "END-OF-MESSAGE") return kNoObjection;
    for (const auto& recipient : message.recipients) {
        auto again = request;
        again["protocol_state"] = "RCPT";
        again["recipient"] = recipient;
        const auto answer = ask(again);
        // The refusal is for all recipients of the message, so it names the one that is full.
        if (answer != kNoObjection) return answer + ": " + recipient;
    }
    return kNoObjection;
}

// Each question has its own connection, because an old one would be lost with the answer when
// Dovecot restarts.
class Connection {
public:
    explicit Connection(const std::string& path)
        : number_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}
    {
        constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
        ::setsockopt(number_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
        ::setsockopt(number_, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
        sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
        std::memcpy(address.sun_path, path.c_str(),
                    std::min(path.size(), sizeof address.sun_path - 1));
        if (number_ < 0
            || ::connect(number_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
            fail(path);
    }
    ~Connection() { ::close(number_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    std::string exchange(const std::string& text) const
    {
        std::string answer;
        for (std::size_t sent = 0; sent < text.size();) {
            const auto size = ::send(number_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
            if (size <= 0) fail("quota-status");
            sent += static_cast<std::size_t>(size);
        }
        while (answer.find("\n\n") == std::string::npos) {
            char piece[512];
            const auto size = ::recv(number_, piece, sizeof piece, 0);
            if (size <= 0) fail("quota-status");
            answer.append(piece, static_cast<std::size_t>(size));
        }
        return answer;
    }

private:
    [[noreturn]] static void fail(const std::string& what)
    {
        throw std::system_error{errno, std::generic_category(), what};
    }

    int number_;
};

std::string ask_dovecot(const std::string& path, const Attributes& request)
{
    constexpr std::string_view kAction = "action=";
    std::string text;
    for (const auto& [name, word] : request) text += name + "=" + word + "\n";
    const auto answer = Connection{path}.exchange(text + "\n");
    if (!answer.starts_with(kAction)) throw std::runtime_error("quota-status answers " + answer);
    return answer.substr(kAction.size(), answer.find('\n') - kAction.size());
}

int run(const command::Call& call)
{
    auto path = call.arguments[0];
    if (path.starts_with(kUnix)) path.erase(0, kUnix.size());
    if (!path.starts_with('/'))
        throw command::WrongUsage("the socket " + call.arguments[0] + " must be an absolute path");
    serve(std::cin, std::cout,
          [&](const Attributes& request) { return ask_dovecot(path, request); });
    return 0;
}

}  // namespace

void serve(std::istream& in, std::ostream& out, const Ask& ask)
{
    Message message;
    for (Attributes request; read(in, request);) {
        std::string answer = kNoObjection;
        try {
            answer = answer_to(request, message, ask);
        } catch (const std::exception& error) {
            // Not standard error: spawn(8) sends that to Postfix, like the answers.
            ::syslog(
                LOG_MAIL | LOG_WARNING,
                "mailboxctl quota-policy: cannot ask whether a message fits, so it is accepted: %s",
                error.what());
        }
        out << "action=" << answer << "\n\n" << std::flush;
    }
}

command::Command command()
{
    return {
        "quota-policy",
        {"SOCKET"},
        "tell Postfix whether a message fits into its mailboxes",
        "Postfix starts it (spawn(8), see mailboxd-master.cf). It reads requests of Postfix's policy protocol from standard\n"
        "input and asks Dovecot on the socket of its service quota-status: about each recipient, and about all of them again\n"
        "when the size of the message is known. If Dovecot does not answer, the message is accepted.",
        command::no_options,
        run,
        command::Prints::outcome,
        command::Changes::at_once,
        false};
}

}  // namespace quota_policy
