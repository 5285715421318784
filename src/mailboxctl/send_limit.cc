#include "mailboxctl/send_limit.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <tuple>

#include "base/strings.h"
#include "db/accounts.h"
#include "db/session.h"
#include "db/transaction.h"
#include "mail/login_name.h"

namespace send_limit {
namespace {

constexpr std::size_t kIdLength = 32;
constexpr char kEnd[] = "END-OF-MESSAGE";

// Returns the storage id in a login name, <storage_id>.<generation>@<domain>. Empty for other users
// of this Postfix.
std::string storage_id_of(std::string_view login)
{
    const auto name = login_name::parse(login);
    return name ? name->storage_id : "";
}

// Returns the number of the alias in an address such as bob=elsewhere.example@17.forward.invalid
// (0010-forwarding.sql). 0 for any other address.
std::int64_t forwarding_alias(std::string_view recipient)
{
    constexpr std::string_view kDomain = ".forward.invalid";
    const auto at = recipient.rfind('@');
    if (at == std::string_view::npos) return 0;
    recipient.remove_prefix(at + 1);
    if (recipient.size() < kDomain.size()) return 0;
    const auto number = recipient.size() - kDomain.size();
    if (!strings::equals_ignoring_case(recipient.substr(number), kDomain)) return 0;
    recipient = recipient.substr(0, number);
    constexpr auto kGreatest = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(strings::whole_number(recipient, kGreatest).value_or(0));
}

std::string value(const Request& request, const std::string& name)
{
    const auto found = request.find(name);
    return found == request.end() ? "" : found->second;
}

std::int64_t number(const std::string& text)
{
    constexpr auto kGreatest = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(strings::whole_number(text, kGreatest).value_or(0));
}

// The names by which a mailbox is counted, and how many mailboxes share each.
constexpr char kNames[] =
    "SELECT a.name, CAST((SELECT SUM(o.mailboxes) FROM domain o WHERE o.account_id = a.id) AS SIGNED), d.name, d.mailboxes,"
    " CONCAT(m.local_part, '@', d.name) FROM mailbox m JOIN domain d ON d.id = m.domain_id JOIN account a ON a.id = d.account_id"
    " WHERE m.storage_id = ?";
constexpr char kForwardingDomain[] =
    "SELECT d.name FROM alias a JOIN domain d ON d.id = a.domain_id WHERE a.id = ?";
constexpr char kCount[] =
    "SELECT recipients, since + ? FROM sending_rate WHERE kind = ? AND name = ? AND since + ? > UNIX_TIMESTAMP()";
// Locks the row, or the place where it will be. Begins a new hour if the old one is over.
constexpr char kBegin[] =
    "INSERT INTO sending_rate (kind, name, since, recipients) VALUES (?, ?, UNIX_TIMESTAMP(), 0) ON DUPLICATE KEY UPDATE"
    " recipients = IF(since + ? <= UNIX_TIMESTAMP(), 0, recipients), since = IF(since + ? <= UNIX_TIMESTAMP(), UNIX_TIMESTAMP(), since)";
constexpr char kAdd[] =
    "UPDATE sending_rate SET recipients = recipients + ? WHERE kind = ? AND name = ?";

std::string refusal(const Count& count, std::int64_t recipients)
{
    if (count.kind == "forwarded") {
        return "450 4.7.1 The aliases of " + count.name + " may send " + std::to_string(count.limit)
               + " messages an hour to other servers: try again at "
               + admin::time_text(count.until);
    }
    const bool is_mailbox = count.kind == "mailbox";
    const auto who = is_mailbox ? std::string{"This mailbox"}
                     : count.kind == "domain"
                         ? "The mailboxes of " + count.name + " together"
                         : std::string{"The mailboxes of this account together"};
    const auto may = who + " may send to " + std::to_string(count.limit) + " recipients an hour";
    const auto has = "; this message has " + std::to_string(recipients);
    if (recipients > count.limit)
        return "550 5.5.3 " + may + has + ": send it in parts, an hour apart";
    return "450 4.7.1 " + may + " and " + (is_mailbox ? "has" : "have") + " sent to "
           + std::to_string(count.recipients) + has + ": try again at "
           + admin::time_text(count.until);
}

// Reads how much of each count is used.
void read_used(db::Connection& connection, std::vector<Count>& counts)
{
    for (auto& each : counts) {
        auto rows = connection.query(kCount, {kSpan, each.kind, each.name, kSpan});
        if (!rows.next()) continue;
        std::tie(each.recipients, each.until) = rows.read<std::int64_t, std::int64_t>();
    }
}

// Returns DUNNO if no count exceeds its limit, otherwise the refusal.
std::string verdict(const std::vector<Count>& counts, std::int64_t recipients)
{
    // The mailbox's own limit comes first, because it is the one that its user can do something
    // about.
    for (auto count = counts.rbegin(); count != counts.rend(); ++count) {
        if (recipients > count->room()) return refusal(*count, recipients);
    }
    return "DUNNO";
}

}  // namespace

std::vector<Count> counts(db::Connection& connection, std::string_view storage_id,
                          std::int64_t send_limit)
{
    auto names = connection.query(kNames, {storage_id});
    if (!names.next()) return {};
    const auto [account, of_account, domain, of_domain, mailbox] =
        names.read<std::string, std::int64_t, std::string, std::int64_t, std::string>();
    std::vector<Count> all{{"account", account, 0, of_account * send_limit, 0},
                           {"domain", domain, 0, of_domain * send_limit, 0},
                           {"mailbox", mailbox, 0, send_limit, 0}};
    read_used(connection, all);
    return all;
}

bool is_counted(const Request& request, const Limits& limits)
{
    const auto stage = value(request, "protocol_state");
    if (stage != kEnd && stage != "DATA") return false;
    if (!storage_id_of(value(request, "sasl_username")).empty()) return limits.send > 0;
    return limits.forward > 0 && forwarding_alias(value(request, "recipient")) != 0;
}

namespace {

std::vector<Count> counts_of(db::Connection& connection, const Request& request,
                             const Limits& limits)
{
    const auto id = storage_id_of(value(request, "sasl_username"));
    if (!id.empty()) return counts(connection, id, limits.send);
    const auto alias = forwarding_alias(value(request, "recipient"));
    const auto domain = connection.query(kForwardingDomain, {alias}).first<std::string>();
    if (!domain) return {};
    std::vector<Count> only{{"forwarded", *domain, 0, limits.forward, 0}};
    read_used(connection, only);
    return only;
}

}  // namespace

std::string decide(db::Connection& connection, const Request& request, const Limits& limits)
{
    if (!is_counted(request, limits)) return "DUNNO";
    const bool is_end = value(request, "protocol_state") == kEnd;
    const auto recipients = std::max(number(value(request, "recipient_count")), std::int64_t{1});
    if (!is_end) return verdict(counts_of(connection, request, limits), recipients);
    std::string answer;
    struct Full {};
    try {
        db::in_transaction(connection, [&] {
            // Every session locks the row of the account first, so there is no deadlock.
            const auto names = counts_of(connection, request, limits);
            for (const auto& each : names)
                connection.execute(kBegin, {each.kind, each.name, kSpan, kSpan});
            answer = verdict(counts_of(connection, request, limits), recipients);
            if (answer != "DUNNO") throw Full{};
            for (const auto& each : names)
                connection.execute(kAdd, {recipients, each.kind, each.name});
        });
    } catch (const Full&) {
        // Rolled back.
    }
    return answer;
}

void try_to_count(db::Connection& connection)
{
    const db::Transaction transaction{connection};
    counts(connection, "", 1);
    connection.execute(kBegin, {"mailbox", "", kSpan, kSpan});
    connection.query(kCount, {kSpan, "mailbox", "", kSpan});
    connection.execute(kAdd, {std::int64_t{1}, "mailbox", ""});
    connection.query(kForwardingDomain, {std::int64_t{0}});
}

namespace {

// Reads one request, which ends with an empty line. Returns an empty one at the end of the input.
Request read(std::istream& in)
{
    Request request;
    for (std::string line; std::getline(in, line) && !line.empty();) {
        const auto equals = line.find('=');
        if (equals != std::string::npos) request[line.substr(0, equals)] = line.substr(equals + 1);
    }
    return request;
}

}  // namespace

// Writes nothing to standard error, because that is Postfix's socket, too.
void serve(const Config& config, std::istream& in, std::ostream& out)
{
    ::openlog("mailboxctl/postfix-policy", LOG_PID, LOG_MAIL);
    const Limits limits{.send = config.send_limit, .forward = config.forward_limit};
    std::optional<db::Session> session;  // opened for the first request that is counted
    const auto log_outage = [](const std::exception& error) {
        ::syslog(LOG_ERR, "%s", error.what());
        return "451 4.3.0 Sending cannot be counted at present; try again later";
    };
    for (auto request = read(in); !request.empty(); request = read(in)) {
        // Requests of other users of this Postfix never wait for the database.
        std::string action = is_counted(request, limits) ? "" : "DUNNO";
        // One retry, because the server may have closed an idle connection.
        for (int attempt = 1; action.empty(); ++attempt) {
            try {
                if (!session)
                    session.emplace(config.postfix_db, config.postfix_db.password(), config);
                action = decide(session->connection(), request, limits);
            } catch (const db::Error& error) {
                session->drop();
                if (error.remedy == db::Remedy::reconnect && attempt == 1
                    && dynamic_cast<const db::Unreached*>(&error) == nullptr)
                    continue;
                action = log_outage(error);
            } catch (const Config::Problems& problems) {
                action = log_outage(problems);  // the password cannot be read
            }
        }
        out << "action=" << action << "\n\n" << std::flush;
    }
}

std::string ask(const std::string& socket)
{
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (socket.size() >= sizeof address.sun_path)
        throw std::runtime_error(socket + ": the path is too long for a socket");
    std::memcpy(address.sun_path, socket.data(), socket.size());
    const struct Connection {
        int number = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ~Connection() { ::close(number); }
    } connection;
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(connection.number, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(connection.number, reinterpret_cast<const sockaddr*>(&address), sizeof address)
        != 0) {
        throw std::runtime_error(socket + ": " + std::generic_category().message(errno));
    }
    const std::string request =
        "request=smtpd_access_policy\nprotocol_state=DATA\nrecipient_count=1\nsasl_username="
        + std::string(kIdLength, '0') + ".1@invalid\n\n";
    if (::send(connection.number, request.data(), request.size(), MSG_NOSIGNAL)
        != static_cast<ssize_t>(request.size())) {
        throw std::runtime_error(socket + ": " + std::generic_category().message(errno));
    }
    std::string answer;
    std::array<char, 1024> piece{};
    while (answer.find("\n\n") == std::string::npos) {
        const auto size = ::recv(connection.number, piece.data(), piece.size(), 0);
        if (size <= 0)
            throw std::runtime_error(socket + ": no answer"
                                     + (answer.empty() ? "" : " but " + answer));
        answer.append(piece.data(), static_cast<std::size_t>(size));
    }
    return answer.substr(0, answer.find('\n'));
}

}  // namespace send_limit
