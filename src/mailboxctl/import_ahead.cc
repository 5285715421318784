#include "mailboxctl/import_ahead.h"

#include <utility>

namespace import_ahead {

Reader::Reader(import_row::Source& source, std::size_t size, std::size_t most_passwords,
               Parse parse)
    : source_{source}, size_{size}, most_passwords_{most_passwords}, parse_{std::move(parse)}
{
    source_.rewind();
    if (source_.may_be_read_ahead())
        thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

Reader::~Reader() = default;

bool Reader::read(Batch& batch)
{
    batch.rows.resize(size_);
    batch.parsed.clear();
    std::size_t filled = 0, passwords = 0;
    while (filled < size_ && passwords < most_passwords_) {
        is_end_ = is_end_ || !source_.next(batch.rows[filled]);
        if (is_end_) break;
        if (!batch.rows[filled].row.password.empty()) ++passwords;
        ++filled;
    }
    batch.rows.resize(filled);
    if (parse_) {
        batch.parsed.reserve(filled);
        for (const auto& each : batch.rows) batch.parsed.push_back(parse_(each));
    }
    batch.progress = source_.progress();
    return filled > 0;
}

void Reader::run(const std::stop_token& stop)
{
    // One batch is read while the caller works on the one before it. More would only need memory.
    const auto has_room = [&] { return ready_.empty(); };
    std::exception_ptr failure;
    try {
        for (;;) {
            {
                std::unique_lock lock{mutex_};
                if (!changed_.wait(lock, stop, has_room)) break;
            }
            Batch batch;
            if (stop.stop_requested() || !read(batch)) break;
            const std::lock_guard lock{mutex_};
            ready_.push_back(std::move(batch));
            changed_.notify_all();
        }
    } catch (...) {
        failure = std::current_exception();
    }
    const std::lock_guard lock{mutex_};
    failure_ = failure;
    is_done_ = true;
    changed_.notify_all();
}

bool Reader::next(Batch& batch)
{
    if (!thread_.joinable()) return read(batch);
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return is_done_ || !ready_.empty(); });
    if (!ready_.empty()) {
        batch = std::move(ready_.front());
        ready_.pop_front();
        changed_.notify_all();
        return true;
    }
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    return false;
}

}  // namespace import_ahead
