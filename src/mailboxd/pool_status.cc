#include "mailboxd/pool_status.h"

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/version.h"

namespace pool_status {
namespace {

std::int64_t milliseconds_since(std::int64_t steady_nanoseconds)
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const auto passed = now - std::chrono::nanoseconds{steady_nanoseconds};
    return std::chrono::duration_cast<std::chrono::milliseconds>(passed).count();
}

json::Written worker_of(const pool_view::Worker& worker, pool_view::State state)
{
    const auto& status = *worker.status;
    const auto busy_since = status.busy_since.load();
    const auto doing = static_cast<std::size_t>(worker.counts->serving.load());
    json::Members members{
        {"pid", std::int64_t{status.pid}},
        {"pool", std::string{metrics::kPools.at(static_cast<std::size_t>(worker.pool))}},
        {"state", std::string{pool_view::kStates.at(static_cast<std::size_t>(state))}},
        {"age_ms", milliseconds_since(status.started_at)},
        {"requests", static_cast<std::int64_t>(status.requests.load())}};
    if (busy_since != 0) {
        members.emplace_back("operation", std::string{metrics::kOperations.at(doing)});
        members.emplace_back("busy_ms", milliseconds_since(busy_since));
    }
    return json::value_of(members);
}

std::vector<json::Written> workers_of(const pool_view::Sources& sources)
{
    std::vector<json::Written> workers;
    for (const auto& worker : sources.workers) {
        if (const auto state = pool_view::state_of(*worker.status))
            workers.push_back(worker_of(worker, *state));
    }
    return workers;
}

std::vector<json::Written> queues_of(const pool_view::Sources& sources)
{
    std::vector<json::Written> queues;
    for (const auto* const board : sources.boards) {
        for (const auto& queue : board->queues) {
            if (queue.changes == 0) break;
            queues.push_back(json::value_of({{"account", queue.account.load()},
                                             {"changes", std::int64_t{queue.changes}},
                                             {"hashes", std::int64_t{queue.hashes}}}));
        }
    }
    return queues;
}

// What one operation has counted since the master started.
json::Written operation_of(const metrics::Block& sum, std::size_t index)
{
    constexpr int kFirstServerError = 500;
    std::int64_t requests = 0;
    std::int64_t errors = 0;
    for (std::size_t i = 0; i < sum.requests.at(index).size(); ++i) {
        const auto count = static_cast<std::int64_t>(sum.requests.at(index).at(i).value());
        requests += count;
        if (i < metrics::kStatuses.size() && metrics::kStatuses.at(i) >= kFirstServerError)
            errors += count;
    }
    const auto& histogram = sum.request_duration.at(index);
    const auto buckets = json::array(histogram.buckets, [](const metrics::Counter& bucket) {
        return std::to_string(bucket.value());
    });
    return json::value_of({{"operation", std::string{metrics::kOperations.at(index)}},
                           {"requests", requests},
                           {"server_errors", errors},
                           {"buckets", buckets}});
}

json::Written array_of(const std::vector<json::Written>& elements)
{
    return json::array(elements, [](const json::Written& element) { return element.json; });
}

}  // namespace

std::string answer(const pool_view::Sources& sources)
{
    const auto sum = pool_view::sum_of(sources);
    std::vector<json::Written> operations;
    for (std::size_t i = 0; i < metrics::kOperations.size(); ++i)
        operations.push_back(operation_of(*sum, i));
    std::int64_t waiting = 0;
    for (const auto* const board : sources.boards) waiting += board->waiting;
    return json::object(
        {{"version", std::string{kVersion}},
         {"started_at", std::int64_t{std::chrono::system_clock::to_time_t(sources.started_at)}},
         {"database_up", pool_view::is_database_up(sources)},
         {"waiting", waiting},
         {"queues", array_of(queues_of(sources))},
         {"workers", array_of(workers_of(sources))},
         {"operations", array_of(operations)}});
}

}  // namespace pool_status
