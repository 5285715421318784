#include "base/metrics.h"

#include <algorithm>

namespace metrics {
namespace {

Block unread;
Block* block_of_this_process = &unread;

// Calls `change` with each counter of `block` and its counterpart in `other`.
template <typename Change>
void each(Block& block, const Block& other, Change change)
{
    const auto of_histogram = [&](Histogram& histogram, const Histogram& its) {
        for (std::size_t i = 0; i < histogram.buckets.size(); ++i)
            change(histogram.buckets[i], its.buckets[i]);
        change(histogram.nanoseconds, its.nanoseconds);
    };
    for (std::size_t i = 0; i < block.requests.size(); ++i) {
        for (std::size_t j = 0; j < block.requests[i].size(); ++j)
            change(block.requests[i][j], other.requests[i][j]);
        of_histogram(block.request_duration[i], other.request_duration[i]);
    }
    for (std::size_t i = 0; i < block.database_wait.size(); ++i) {
        of_histogram(block.database_wait[i], other.database_wait[i]);
        for (std::size_t j = 0; j < block.worker_exits[i].size(); ++j)
            change(block.worker_exits[i][j], other.worker_exits[i][j]);
    }
    of_histogram(block.password_hash, other.password_hash);
    for (std::size_t i = 0; i < block.events.size(); ++i) change(block.events[i], other.events[i]);
}

}  // namespace

void Histogram::observe(std::chrono::nanoseconds time)
{
    const auto bucket = std::find_if(kBounds.begin(), kBounds.end(),
                                     [&](const Bound& bound) { return time <= bound.value; });
    buckets[static_cast<std::size_t>(bucket - kBounds.begin())].add();
    nanoseconds.add(static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0)));
}

void Block::count_request(Operation operation, int status)
{
    const auto place = std::find(kStatuses.begin(), kStatuses.end(), status) - kStatuses.begin();
    requests[static_cast<std::size_t>(operation)][static_cast<std::size_t>(place)].add();
}

void Block::add(const Block& other)
{
    each(*this, other, [](Counter& sum, const Counter& one) { sum.add(one.value()); });
}

void Block::clear()
{
    each(*this, *this, [](Counter& counter, const Counter&) { counter.clear(); });
}

Block& own()
{
    return *block_of_this_process;
}

void use(Block& block)
{
    block_of_this_process = &block;
}

}  // namespace metrics
