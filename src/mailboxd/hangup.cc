#include "mailboxd/hangup.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "base/descriptor.h"
#include "base/strings.h"

namespace hangup {
namespace {

struct Query {
    nlmsghdr header{};
    inet_diag_req_v2 request{};
};

bool set_end(const std::string& address, const std::string& port, int family, __be32* to_address,
             __be16& to_port)
{
    const auto number = strings::whole_number(port, std::numeric_limits<std::uint16_t>::max());
    if (!number || ::inet_pton(family, address.c_str(), to_address) != 1) return false;
    to_port = htons(static_cast<std::uint16_t>(*number));
    return true;
}

// Returns the kernel's query for the connection; empty if the text names none. nginx's end is the
// query's source.
std::optional<Query> query_for(std::string_view connection)
{
    const auto words = strings::words(connection);
    if (words.size() < 4) return std::nullopt;
    const auto &client = words[0], &client_port = words[1], &server = words[2],
               &server_port = words[3];
    const int family = client.find(':') == std::string::npos ? AF_INET : AF_INET6;
    Query query;
    auto& id = query.request.id;
    if (!set_end(server, server_port, family, static_cast<__be32*>(id.idiag_src), id.idiag_sport))
        return std::nullopt;
    if (!set_end(client, client_port, family, static_cast<__be32*>(id.idiag_dst), id.idiag_dport))
        return std::nullopt;
    id.idiag_cookie[0] = id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    query.request.sdiag_family = static_cast<__u8>(family);
    query.request.sdiag_protocol = IPPROTO_TCP;
    query.request.idiag_states = ~0U;
    query.header.nlmsg_len = sizeof query;
    query.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    query.header.nlmsg_flags = NLM_F_REQUEST;
    return query;
}

}  // namespace

bool is_closed_by_client(std::string_view connection)
{
    const auto query = query_for(connection);
    if (!query) return false;
    const Descriptor kernel{::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
    if (!kernel.is_open()) return false;
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(kernel.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::send(kernel.number(), &*query, sizeof *query, 0) < 0) return false;
    alignas(nlmsghdr) std::array<char, 4096> answer{};
    const auto size = ::recv(kernel.number(), answer.data(), answer.size(), 0);
    if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg)))) return false;
    nlmsghdr header{};
    std::memcpy(&header, answer.data(), sizeof header);
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return false;
    inet_diag_msg found{};
    std::memcpy(&found, answer.data() + NLMSG_HDRLEN, sizeof found);
    return found.idiag_state != TCP_ESTABLISHED && found.idiag_state != TCP_SYN_RECV;
}

}  // namespace hangup
