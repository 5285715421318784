// metrics.h - what the processes of the service count, in memory that they share.
//
// Each process has a Block of its own and is the only one that changes it, so counting needs no
// lock. The process that serves /metrics (mailboxd/exporter.h) adds the blocks up. Names, labels
// and bucket bounds are those of docs/metrics.md. Renaming one breaks dashboards.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace metrics {

// A number that only grows, changed by one process and read by others.
class Counter {
public:
    void add(std::uint64_t count = 1) { value_.store(value() + count, std::memory_order_relaxed); }
    void clear() { value_.store(0, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
    // An atomic with a lock would work between the threads of one process only.
    static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
};

// The upper bounds of the buckets of all histograms, in seconds, as text and as a duration.
struct Bound {
    std::string_view text;
    std::chrono::microseconds value;
};
inline constexpr std::array<Bound, 15> kBounds{{
    {"0.00025", std::chrono::microseconds{250}},
    {"0.0005", std::chrono::microseconds{500}},
    {"0.001", std::chrono::microseconds{1000}},
    {"0.002", std::chrono::microseconds{2000}},
    {"0.003", std::chrono::microseconds{3000}},
    {"0.005", std::chrono::microseconds{5000}},
    {"0.01", std::chrono::microseconds{10'000}},
    {"0.025", std::chrono::microseconds{25'000}},
    {"0.05", std::chrono::microseconds{50'000}},
    {"0.1", std::chrono::microseconds{100'000}},
    {"0.25", std::chrono::microseconds{250'000}},
    {"0.5", std::chrono::microseconds{500'000}},
    {"1", std::chrono::microseconds{1'000'000}},
    {"2.5", std::chrono::microseconds{2'500'000}},
    {"10", std::chrono::microseconds{10'000'000}},
}};

struct Histogram {
    // Not cumulative: each observation is in the first bucket whose bound is not below it. The last
    // bucket has no bound.
    std::array<Counter, kBounds.size() + 1> buckets;
    Counter nanoseconds;  // the sum of all observations

    void observe(std::chrono::nanoseconds time);
};

// What a request asks for. The label "operation" has these names.
enum class Operation : std::uint8_t {
    list,
    show,
    create,
    change,
    remove,
    empty,
    restore,
    domains,
    accounts,
    keys,
    routes,
    usage,
    audit,
    probe,
    none,  // not known: refused before it was looked at, or no such path
};
inline constexpr std::array<std::string_view, 15> kOperations{
    "list",     "show", "create", "change", "delete", "empty", "restore", "domains",
    "accounts", "keys", "routes", "usage",  "audit",  "probe", "none"};

// The statuses that have a label "code" of their own. Any other one is counted as "other".
inline constexpr std::array<int, 17> kStatuses{200, 400, 401, 403, 404, 405, 409, 412, 413,
                                               415, 422, 499, 500, 501, 502, 503, 504};

enum class Event : std::uint8_t {
    page_lookup,  // of the cached pages of a list
    page_hit,
    database_connect,
    database_connect_failure,
    database_retry,  // errors by their remedy, see db::Remedy
    database_reconnect,
    database_give_up,
    transaction_repeated,
    commit_lost,  // COMMIT got no answer
    log_info,
    log_warning,
    log_error,
    key_unknown,  // the reasons why a key was refused
    key_expired,
    key_revoked,
    key_address,
    key_scope,
    config_reload,
    config_reload_failure,
    number  // of the events before
};

// Why a worker ended. The label "cause" has these names.
enum class Cause : std::uint8_t { max_requests, reload, deadline, fault, signal };
inline constexpr std::array<std::string_view, 5> kCauses{"max_requests", "reload", "deadline",
                                                         "fault", "signal"};

// The pools of workers. The label "pool" has these names.
enum class Pool : std::uint8_t { read, write };
inline constexpr std::array<std::string_view, 2> kPools{"read", "write"};

// Everything that one process counts. Zero at first.
struct Block {
    std::atomic<Operation> serving{Operation::none};  // the request that it serves now
    std::array<std::array<Counter, kStatuses.size() + 1>, kOperations.size()> requests;
    std::array<Histogram, kOperations.size()> request_duration;
    std::array<Histogram, kPools.size()> database_wait;
    Histogram password_hash;
    std::array<Counter, static_cast<std::size_t>(Event::number)> events;
    std::array<std::array<Counter, kCauses.size()>, kPools.size()> worker_exits;

    Counter& of(Event event) { return events[static_cast<std::size_t>(event)]; }
    // Counts a request that was answered with this status.
    void count_request(Operation operation, int status);
    Histogram& duration_of(Operation operation)
    {
        return request_duration[static_cast<std::size_t>(operation)];
    }
    Histogram& database_wait_of(Pool pool) { return database_wait[static_cast<std::size_t>(pool)]; }
    Counter& exits_of(Pool pool, Cause cause)
    {
        return worker_exits[static_cast<std::size_t>(pool)][static_cast<std::size_t>(cause)];
    }

    void add(const Block& other);
    void clear();
};

// Returns the block of this process. A program without a master has one that nobody reads.
Block& own();
// Makes this process count in the block, which must outlive it.
void use(Block& block);

inline void count(Event event)
{
    own().of(event).add();
}

}  // namespace metrics
