#include "mailboxctl/status_command.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <thread>

#include "base/json.h"
#include "base/metrics.h"
#include "peers/unix_http.h"

namespace status_command {
namespace {

namespace po = boost::program_options;
using command::Call;

constexpr char kDefaultSocket[] = "/run/mailboxd/metrics.sock";
constexpr std::chrono::seconds kInterval{2};

// --- The answer ---------------------------------------------------------------------------

const json::Node* member(const json::Node& node, std::string_view name)
{
    for (const auto& each : node.members)
        if (each.name == name) return &each.value;
    return nullptr;
}

std::string text_of(const json::Node& node, std::string_view name)
{
    const auto* const found = member(node, name);
    return found == nullptr ? std::string{} : found->text;
}

std::int64_t number_of(const json::Node& node, std::string_view name)
{
    return std::atoll(text_of(node, name).c_str());
}

template <typename Take>
void each_of(const json::Node& node, std::string_view name, Take take)
{
    const auto* const found = member(node, name);
    if (found == nullptr) return;
    for (const auto& each : found->members) take(each.value);
}

Status::Operation operation_of(const json::Node& node)
{
    Status::Operation operation{.name = text_of(node, "operation"),
                                .requests = number_of(node, "requests"),
                                .server_errors = number_of(node, "server_errors"),
                                .buckets = {}};
    each_of(node, "buckets", [&](const json::Node& bucket) {
        operation.buckets.push_back(std::atoll(bucket.text.c_str()));
    });
    return operation;
}

// --- Rates --------------------------------------------------------------------------------

// Returns the time that this share of the requests did not exceed, interpolated within a bucket.
std::optional<double> quantile(const std::vector<std::int64_t>& buckets, double share)
{
    const auto total = std::accumulate(buckets.begin(), buckets.end(), std::int64_t{0});
    if (total == 0) return std::nullopt;
    const double wanted = share * static_cast<double>(total);
    double below = 0;
    double lower = 0;
    for (std::size_t i = 0; i < metrics::kBounds.size() && i < buckets.size(); ++i) {
        const double upper = std::chrono::duration<double>(metrics::kBounds[i].value).count();
        const auto count = static_cast<double>(buckets[i]);
        if (count > 0 && below + count >= wanted)
            return lower + (upper - lower) * (wanted - below) / count;
        below += count;
        lower = upper;
    }
    return std::nullopt;
}

Status::Operation difference(const Status::Operation& now, const Status::Operation* before)
{
    auto change = now;
    if (before == nullptr) return change;
    change.requests -= before->requests;
    change.server_errors -= before->server_errors;
    for (std::size_t i = 0; i < std::min(change.buckets.size(), before->buckets.size()); ++i)
        change.buckets[i] -= before->buckets[i];
    return change;
}

void add(Status::Operation& sum, const Status::Operation& one)
{
    sum.requests += one.requests;
    sum.server_errors += one.server_errors;
    sum.buckets.resize(std::max(sum.buckets.size(), one.buckets.size()));
    for (std::size_t i = 0; i < one.buckets.size(); ++i) sum.buckets[i] += one.buckets[i];
}

Rate rate_of(const Status::Operation& change, std::chrono::duration<double> time)
{
    const double seconds = std::max(time.count(), 0.001);
    return {.operation = change.name,
            .per_second = static_cast<double>(change.requests) / seconds,
            .server_errors_per_second = static_cast<double>(change.server_errors) / seconds,
            .p50 = quantile(change.buckets, 0.5),
            .p99 = quantile(change.buckets, 0.99)};
}

// --- The screen -----------------------------------------------------------------------------

template <typename... Values>
std::string formatted(const char* format, Values... values)
{
    std::array<char, 200> text{};
    std::snprintf(text.data(), text.size(), format, values...);
    return text.data();
}

std::string duration_text(std::int64_t seconds)
{
    constexpr std::int64_t kMinute = 60;
    constexpr std::int64_t kHour = 60 * kMinute;
    constexpr std::int64_t kDay = 24 * kHour;
    if (seconds >= kDay)
        return std::to_string(seconds / kDay) + "d" + std::to_string(seconds % kDay / kHour) + "h";
    if (seconds >= kHour)
        return std::to_string(seconds / kHour) + "h" + std::to_string(seconds % kHour / kMinute)
               + "m";
    if (seconds >= kMinute)
        return std::to_string(seconds / kMinute) + "m" + std::to_string(seconds % kMinute) + "s";
    return std::to_string(seconds) + "s";
}

std::string milliseconds_text(const std::optional<double>& seconds, double per_second)
{
    if (seconds) return formatted("%.1f", *seconds * 1000);
    return per_second > 0 ? ">10000" : "-";
}

// Names as many of the longest queues as fit into a line.
std::string queue_text(const Status& status)
{
    constexpr std::size_t kColumns = 78;
    if (status.waiting == 0) return "No change waits.\n";
    auto text =
        std::to_string(status.waiting) + (status.waiting == 1 ? " change waits" : " changes wait");
    const char* separator = ": ";
    for (const auto& queue : status.queues) {
        const auto whose =
            queue.account == 0 ? "unknown" : "account " + std::to_string(queue.account);
        const auto part = separator + whose
                          + formatted(" %lld (%lld hashes)", static_cast<long long>(queue.changes),
                                      static_cast<long long>(queue.hashes));
        if (text.size() + part.size() > kColumns) break;
        text += part;
        separator = ", ";
    }
    return text + ".\n";
}

std::string worker_text(const Status::Worker& worker)
{
    auto doing = worker.operation;
    if (!doing.empty()) doing += formatted(" %.1f s", static_cast<double>(worker.busy_ms) / 1000);
    return formatted("%9lld %-6s %-9s %8s %10lld  %s\n", static_cast<long long>(worker.pid),
                     worker.pool.c_str(), worker.state.c_str(),
                     duration_text(worker.age_ms / 1000).c_str(),
                     static_cast<long long>(worker.requests), doing.c_str());
}

// --- The command ------------------------------------------------------------------------------

std::string socket_of(const Config& config)
{
    return config.metrics_socket.empty() ? kDefaultSocket : config.metrics_socket;
}

std::string ask(const Config& config)
{
    constexpr std::chrono::seconds kDeadline{5};
    try {
        return unix_http::get(socket_of(config), "/status", kDeadline);
    } catch (const unix_http::Failed& failed) {
        throw std::runtime_error(
            std::string{failed.what()}
            + "; is mailboxd running, and does it have this socket (metrics_socket, or mailboxd-metrics.socket)?");
    }
}

Status status_in(const std::string& text)
{
    auto status = parse(text);
    if (!status)
        throw std::runtime_error(
            "the answer of mailboxd is not understood; restart it after an upgrade");
    return *std::move(status);
}

// Waits, or returns false if the reader of standard output has gone.
bool wait()
{
    pollfd output{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
    const auto milliseconds =
        static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(kInterval).count());
    ::poll(&output, 1, milliseconds);
    return (output.revents & (POLLERR | POLLHUP)) == 0;
}

po::options_description options()
{
    auto options = command::json_option();
    options.add_options()("once", "print the state once, with the rates since the start");
    return options;
}

std::chrono::duration<double> since_start(const Status& status)
{
    return std::chrono::seconds{std::time(nullptr) - status.started_at};
}

int run_once(const Call& call)
{
    const auto text = ask(call.config);
    if (call.has("json")) {
        std::cout << text;
    } else {
        const auto status = status_in(text);
        std::cout << screen(status, rates(nullptr, status, since_start(status)),
                            std::time(nullptr));
    }
    if (!std::cout.flush()) throw command::OutputLost{};
    return 0;
}

int run(const Call& call)
{
    constexpr char kClear[] = "\033[H\033[J";
    if (call.has("once") || call.has("json") || ::isatty(STDOUT_FILENO) == 0) return run_once(call);
    std::optional<Status> before;
    auto asked_at = std::chrono::steady_clock::now();
    do {
        auto status = status_in(ask(call.config));
        const auto now = std::chrono::steady_clock::now();
        const auto time = before ? now - asked_at : since_start(status);
        std::cout << kClear
                  << screen(status, rates(before ? &*before : nullptr, status, time),
                            std::time(nullptr));
        if (!std::cout.flush()) throw command::OutputLost{};
        before = std::move(status);
        asked_at = now;
    } while (wait());
    return 0;
}

}  // namespace

std::optional<Status> parse(const std::string& text)
{
    const auto root = json::parse(text);
    if (!root || member(*root, "workers") == nullptr || member(*root, "operations") == nullptr)
        return std::nullopt;
    Status status{.version = text_of(*root, "version"),
                  .started_at = number_of(*root, "started_at"),
                  .database_is_up = text_of(*root, "database_up") == "true",
                  .waiting = number_of(*root, "waiting"),
                  .queues = {},
                  .workers = {},
                  .operations = {}};
    each_of(*root, "queues", [&](const json::Node& node) {
        status.queues.push_back({.account = number_of(node, "account"),
                                 .changes = number_of(node, "changes"),
                                 .hashes = number_of(node, "hashes")});
    });
    each_of(*root, "workers", [&](const json::Node& node) {
        status.workers.push_back({.pid = number_of(node, "pid"),
                                  .pool = text_of(node, "pool"),
                                  .state = text_of(node, "state"),
                                  .age_ms = number_of(node, "age_ms"),
                                  .requests = number_of(node, "requests"),
                                  .operation = text_of(node, "operation"),
                                  .busy_ms = number_of(node, "busy_ms")});
    });
    each_of(*root, "operations",
            [&](const json::Node& node) { status.operations.push_back(operation_of(node)); });
    return status;
}

std::vector<Rate> rates(const Status* before, const Status& now, std::chrono::duration<double> time)
{
    const bool is_same = before != nullptr && before->started_at == now.started_at
                         && before->operations.size() == now.operations.size();
    Status::Operation sum{.name = "all", .buckets = {}};
    std::vector<Rate> rates;
    for (std::size_t i = 0; i < now.operations.size(); ++i) {
        const auto change =
            difference(now.operations[i], is_same ? &before->operations[i] : nullptr);
        add(sum, change);
        if (change.requests > 0) rates.push_back(rate_of(change, time));
    }
    rates.insert(rates.begin(), rate_of(sum, time));
    return rates;
}

std::string screen(const Status& status, const std::vector<Rate>& rates, std::int64_t now)
{
    auto text = "mailboxd " + status.version + ", up "
                + duration_text(std::max<std::int64_t>(now - status.started_at, 0))
                + (status.database_is_up ? ", database up\n" : ", DATABASE AWAY\n");
    text += queue_text(status);
    text += "\nOPERATION  REQUESTS/S   P50 ms   P99 ms   5XX/S\n";
    for (const auto& rate : rates)
        text += formatted("%-9s %11.1f %8s %8s %7.1f\n", rate.operation.c_str(), rate.per_second,
                          milliseconds_text(rate.p50, rate.per_second).c_str(),
                          milliseconds_text(rate.p99, rate.per_second).c_str(),
                          rate.server_errors_per_second);
    text += "\n      PID POOL   STATE          AGE   REQUESTS  DOING\n";
    for (const auto& worker : status.workers) text += worker_text(worker);
    return text;
}

command::Command command()
{
    return {
        .name = "status",
        .arguments = {},
        .summary = "show what the service's workers do, and how fast they answer",
        .details =
            "On a terminal the view is repeated every two seconds, with the rates since the last one, until Ctrl-C. Elsewhere, and with\n"
            "--once or --json, it is printed once, with the rates since the start. It needs no database.",
        .options = options,
        .run = run,
        .prints = command::Prints::listing};
}

}  // namespace status_command
