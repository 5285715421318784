#include "mailboxd/exporter.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <microhttpd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "base/descriptor.h"
#include "base/log.h"
#include "base/version.h"
#include "mailboxd/pool_status.h"
#include "mailboxd/signals.h"

namespace exporter {
namespace {

using pool_view::kStates;
using pool_view::Pool;

// --- The queue of a listening socket (sock_diag(7)) ----------------------------------------

struct Queue {
    std::uint32_t waiting;
    std::uint32_t most;
};

struct Question {
    nlmsghdr header;
    unix_diag_req request;
};

// Returns the UNIX_DIAG_RQLEN attribute of an answer; empty if it has none.
std::optional<Queue> queue_in(nlmsghdr& header, std::size_t size)
{
    if (!NLMSG_OK(&header, size) || header.nlmsg_type != SOCK_DIAG_BY_FAMILY) return std::nullopt;
    auto* const message = static_cast<unix_diag_msg*>(NLMSG_DATA(&header));
    auto left = header.nlmsg_len - NLMSG_LENGTH(sizeof *message);
    for (auto* attribute = reinterpret_cast<rtattr*>(message + 1); RTA_OK(attribute, left);
         attribute = RTA_NEXT(attribute, left)) {
        if (attribute->rta_type != UNIX_DIAG_RQLEN) continue;
        unix_diag_rqlen lengths{};
        std::memcpy(&lengths, RTA_DATA(attribute), sizeof lengths);
        return Queue{lengths.udiag_rqueue, lengths.udiag_wqueue};
    }
    return std::nullopt;
}

// Returns the queue of a listening unix socket. Empty if the kernel does not tell, because it has
// no unix_diag.
std::optional<Queue> queue_of(int listener)
{
    struct stat status {};
    if (::fstat(listener, &status) != 0) return std::nullopt;
    const Descriptor netlink{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
    if (!netlink.is_open()) return std::nullopt;
    Question question{};
    question.header.nlmsg_len = sizeof question;
    question.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.request.sdiag_family = AF_UNIX;
    question.request.udiag_ino = static_cast<std::uint32_t>(status.st_ino);
    question.request.udiag_show = UDIAG_SHOW_RQLEN;
    question.request.udiag_cookie[0] = question.request.udiag_cookie[1] = UINT32_MAX;
    if (::send(netlink.number(), &question, sizeof question, 0) < 0) return std::nullopt;
    alignas(nlmsghdr) std::array<char, 8192> answer{};
    const auto size = ::recv(netlink.number(), answer.data(), answer.size(), MSG_DONTWAIT);
    if (size < static_cast<ssize_t>(sizeof(nlmsghdr))) return std::nullopt;
    return queue_in(*reinterpret_cast<nlmsghdr*>(answer.data()), static_cast<std::size_t>(size));
}

// --- The text format ------------------------------------------------------------------------

std::string labels(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs)
{
    std::string text;
    for (const auto& [name, value] : pairs) {
        text += text.empty() ? "{" : ",";
        text.append(name).append("=\"").append(value).append("\"");
    }
    return text.empty() ? "" : text + "}";
}

std::string seconds(std::uint64_t nanoseconds)
{
    constexpr std::uint64_t kBillion = 1'000'000'000;
    const auto fraction = std::to_string(nanoseconds % kBillion);
    return std::to_string(nanoseconds / kBillion) + "." + std::string(9 - fraction.size(), '0')
           + fraction;
}

class Text {
public:
    // Begins a metric: what follows are its samples.
    void begin(std::string_view name, std::string_view kind, std::string_view help)
    {
        name_ = std::string{"mailboxd_"}.append(name);
        text_.append("# HELP ").append(name_).append(" ").append(help).append("\n");
        text_.append("# TYPE ").append(name_).append(" ").append(kind).append("\n");
    }
    void sample(const std::string& labels, std::uint64_t value)
    {
        sample("", labels, std::to_string(value));
    }
    void sample(std::string_view suffix, const std::string& labels, std::string_view value)
    {
        text_.append(name_).append(suffix).append(labels).append(" ").append(value).append("\n");
    }
    // `label` and `value` precede le; without a label both are empty.
    void histogram(std::string_view label, std::string_view value,
                   const metrics::Histogram& histogram)
    {
        std::uint64_t count = 0;
        for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
            count += histogram.buckets[i].value();
            const auto bound = i < metrics::kBounds.size() ? metrics::kBounds[i].text : "+Inf";
            sample("_bucket",
                   label.empty() ? labels({{"le", bound}})
                                 : labels({{label, value}, {"le", bound}}),
                   std::to_string(count));
        }
        const auto own = label.empty() ? "" : labels({{label, value}});
        sample("_sum", own, seconds(histogram.nanoseconds.value()));
        sample("_count", own, std::to_string(count));
    }
    std::string take() { return std::move(text_); }

private:
    std::string name_;
    std::string text_;
};

// --- What is counted --------------------------------------------------------------------------

void add_requests(Text& text, const metrics::Block& sum)
{
    text.begin("requests_total", "counter",
               "Requests by operation and status of the answer; 502: the worker died.");
    for (std::size_t i = 0; i < metrics::kOperations.size(); ++i) {
        for (std::size_t j = 0; j < sum.requests[i].size(); ++j) {
            const auto code = j < metrics::kStatuses.size() ? std::to_string(metrics::kStatuses[j])
                                                            : std::string{"other"};
            text.sample(labels({{"operation", metrics::kOperations[i]}, {"code", code}}),
                        sum.requests[i][j].value());
        }
    }
    text.begin("request_duration_seconds", "histogram",
               "From the arrival of a whole request to its written answer, waiting included.");
    for (std::size_t i = 0; i < metrics::kOperations.size(); ++i)
        text.histogram("operation", metrics::kOperations[i], sum.request_duration[i]);
    text.begin("database_wait_seconds", "histogram",
               "Time that a request waited for the database.");
    for (std::size_t i = 0; i < metrics::kPools.size(); ++i)
        text.histogram("pool", metrics::kPools[i], sum.database_wait[i]);
    text.begin("password_hash_seconds", "histogram", "Time to hash one password.");
    text.histogram("", "", sum.password_hash);
}

// A counter of one event, or several events that differ in a label.
struct EventRow {
    std::string_view name;
    std::string_view help;
    std::string_view label;
    std::vector<std::pair<std::string_view, metrics::Event>> events;
};

const std::vector<EventRow>& event_rows()
{
    using metrics::Event;
    static const std::vector<EventRow> rows{
        {"page_lookups_total",
         "Lists that looked for a kept page.",
         "",
         {{"", Event::page_lookup}}},
        {"page_hits_total",
         "Lists that were answered with a kept page.",
         "",
         {{"", Event::page_hit}}},
        {"database_connects_total",
         "Attempts to connect to the database.",
         "",
         {{"", Event::database_connect}}},
        {"database_connect_failures_total",
         "Attempts to connect that failed.",
         "",
         {{"", Event::database_connect_failure}}},
        {"database_errors_total",
         "Errors of the database by what follows from them.",
         "kind",
         {{"retry", Event::database_retry},
          {"reconnect", Event::database_reconnect},
          {"give_up", Event::database_give_up}}},
        {"transactions_repeated_total",
         "Transactions that began again after an error.",
         "",
         {{"", Event::transaction_repeated}}},
        {"commits_lost_total", "Commits that got no answer.", "", {{"", Event::commit_lost}}},
        {"log_lines_total",
         "Lines of the log by severity.",
         "severity",
         {{"info", Event::log_info}, {"warning", Event::log_warning}, {"error", Event::log_error}}},
        {"key_rejections_total",
         "Requests whose API key was refused, by reason.",
         "reason",
         {{"unknown", Event::key_unknown},
          {"expired", Event::key_expired},
          {"revoked", Event::key_revoked},
          {"address", Event::key_address},
          {"scope", Event::key_scope}}},
        {"config_reloads_total", "Reloads of the configuration.", "", {{"", Event::config_reload}}},
        {"config_reload_failures_total",
         "Reloads that were refused; the old settings stay.",
         "",
         {{"", Event::config_reload_failure}}},
    };
    return rows;
}

void add_events(Text& text, const metrics::Block& sum)
{
    for (const auto& row : event_rows()) {
        text.begin(row.name, "counter", row.help);
        for (const auto& [value, event] : row.events)
            text.sample(row.label.empty() ? "" : labels({{row.label, value}}),
                        sum.events[static_cast<std::size_t>(event)].value());
    }
    text.begin("worker_exits_total", "counter", "Workers that ended, by pool and cause.");
    for (std::size_t i = 0; i < metrics::kPools.size(); ++i) {
        for (std::size_t j = 0; j < metrics::kCauses.size(); ++j)
            text.sample(labels({{"pool", metrics::kPools[i]}, {"cause", metrics::kCauses[j]}}),
                        sum.worker_exits[i][j].value());
    }
}

// --- What is so at this moment ----------------------------------------------------------------

void add_workers(Text& text, const Sources& sources)
{
    std::array<std::array<std::uint64_t, kStates.size()>, metrics::kPools.size()> counts{};
    for (const auto& worker : sources.workers) {
        if (const auto state = pool_view::state_of(*worker.status))
            ++counts.at(static_cast<std::size_t>(worker.pool)).at(static_cast<std::size_t>(*state));
    }
    text.begin("workers", "gauge", "Workers by pool and state.");
    for (std::size_t i = 0; i < counts.size(); ++i) {
        for (std::size_t j = 0; j < kStates.size(); ++j)
            text.sample(labels({{"pool", metrics::kPools.at(i)}, {"state", kStates.at(j)}}),
                        counts.at(i).at(j));
    }
}

void add_pools(Text& text, const Sources& sources)
{
    const auto label = [](const Pool& pool) {
        return labels({{"pool", metrics::kPools[static_cast<std::size_t>(pool.label)]}});
    };
    text.begin("workers_max", "gauge", "Workers that the configuration asks for.");
    for (const auto& pool : sources.pools) text.sample(label(pool), pool.max_workers);
    std::vector<std::optional<Queue>> queues;
    for (const auto& pool : sources.pools) queues.push_back(queue_of(pool.listener));
    text.begin("listen_queue", "gauge", "Requests that wait in the socket's queue.");
    for (std::size_t i = 0; i < queues.size(); ++i)
        if (queues[i]) text.sample(label(sources.pools[i]), queues[i]->waiting);
    text.begin("listen_backlog_max", "gauge", "Requests that may wait in the socket's queue.");
    for (std::size_t i = 0; i < queues.size(); ++i)
        if (queues[i]) text.sample(label(sources.pools[i]), queues[i]->most);
}

void add_state(Text& text, const Sources& sources)
{
    text.begin("build_info", "gauge", "The release that runs; always 1.");
    text.sample(labels({{"version", kVersion}}), 1);
    text.begin("start_timestamp_seconds", "gauge", "When the master started.");
    text.sample(
        "", static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(sources.started_at)));
    text.begin("database_up", "gauge",
               "0 if the database hangs, or if the last attempt to connect to it failed.");
    text.sample("", pool_view::is_database_up(sources) ? 1 : 0);
    add_workers(text, sources);
    add_pools(text, sources);
}

// --- HTTP -------------------------------------------------------------------------------------

MHD_Result answer(MHD_Connection* connection, unsigned status, const std::string& body,
                  const char* content_type)
{
    const std::unique_ptr<MHD_Response, void (*)(MHD_Response*)> response{
        MHD_create_response_from_buffer(body.size(), const_cast<char*>(body.data()),
                                        MHD_RESPMEM_MUST_COPY),
        MHD_destroy_response};
    if (response == nullptr) return MHD_NO;
    MHD_add_response_header(response.get(), MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response.get(), MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    return MHD_queue_response(connection, status, response.get());
}

MHD_Result handle(void* closure, MHD_Connection* connection, const char* url, const char* method,
                  const char* /*version*/, const char* /*upload*/, std::size_t* upload_size,
                  void** /*context*/)
{
    const auto& sources = *static_cast<const Sources*>(closure);
    *upload_size = 0;
    const std::string_view path{url};
    if (path != "/metrics" && path != "/status")
        return answer(connection, MHD_HTTP_NOT_FOUND, "Only /metrics and /status are here.\n",
                      "text/plain");
    if (method != std::string_view{"GET"} && method != std::string_view{"HEAD"})
        return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET and HEAD.\n",
                      "text/plain");
    if (path == "/status")
        return answer(connection, MHD_HTTP_OK, pool_status::answer(sources), "application/json");
    return answer(connection, MHD_HTTP_OK, text(sources),
                  "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace

std::string text(const Sources& sources)
{
    Text text;
    const auto sum = pool_view::sum_of(sources);
    add_state(text, sources);
    add_requests(text, *sum);
    add_events(text, *sum);
    return text.take();
}

int run(int listener, const Sources& sources, const std::string& log_file, pid_t master)
{
    constexpr unsigned kMostConnections = 64;
    constexpr unsigned kTimeout = 10;  // seconds without a byte
    const auto waiting = signals::prepare();
    if (::getppid() != master) return 0;  // it died before PR_SET_PDEATHSIG was set
    ::prctl(PR_SET_NAME, "mailboxd-export");
    const std::unique_ptr<MHD_Daemon, void (*)(MHD_Daemon*)> daemon{
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, nullptr, nullptr, handle,
                         const_cast<Sources*>(&sources), MHD_OPTION_LISTEN_SOCKET, listener,
                         MHD_OPTION_CONNECTION_LIMIT, kMostConnections,
                         MHD_OPTION_CONNECTION_TIMEOUT, kTimeout, MHD_OPTION_END),
        MHD_stop_daemon};
    if (daemon == nullptr) throw std::runtime_error{"the server for /metrics did not start"};
    while (!signals::is_told_to_stop()) {
        ::sigsuspend(&waiting);
        signals::reopen_log_if_told(log_file);
    }
    // Otherwise the library would shut the listening socket down, which the next exporter uses.
    MHD_quiesce_daemon(daemon.get());
    return 0;
}

}  // namespace exporter
