#include "db/session.h"

#include <algorithm>

#include "base/log.h"
#include "base/metrics.h"

namespace db {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// If an attempt to connect took longer than kSlowAttempt, none is made for kPause: otherwise each
// request would wait for its own timeout. A server that refuses at once is tried for every request.
constexpr auto kSlowAttempt = 100ms;
constexpr auto kPause = 500ms;

[[noreturn]] void refuse_to_wait()
{
    throw Error{Remedy::give_up, "the database did not answer a moment ago"};
}

}  // namespace

bool Outage::begin()
{
    std::int64_t none = 0;
    if (!try_at_.compare_exchange_strong(none, (Clock::now() + kPause).time_since_epoch().count()))
        return false;
    ++count_;
    return true;
}

void Outage::change_was_made()
{
    if (refuses_changes_ && refuses_changes_.exchange(false)) ++count_;
}

bool Outage::takes_turn(std::chrono::nanoseconds longest, std::chrono::nanoseconds delay)
{
    auto try_at = try_at_.load();
    const auto now = Clock::now().time_since_epoch();
    if (try_at == 0 || now < Clock::duration{try_at} + delay) return false;
    return try_at_.compare_exchange_strong(try_at, (now + longest + kPause).count());
}

Connection& Session::connection()
{
    const auto now = Clock::now();
    // Idle workers try first. A request tries only if kPause passed without that, because no worker
    // is idle.
    if (is_given_up() && !outage_->takes_turn(config_.db_connect_timeout, kPause)) refuse_to_wait();
    // A connection from before an outage may lead to a server that was replaced and never says so.
    if (outage_ != nullptr && outage_->count() != outages_) connection_.reset();
    used_at_ = now;
    if (connection_) return *connection_;
    if (now < not_before_) refuse_to_wait();
    return connect();
}

Connection& Session::connect()
{
    const auto begin = Clock::now();
    try {
        ++connections_;
        metrics::count(metrics::Event::database_connect);
        auto& made = connection_.emplace(database_, password_, config_, check_);
        note(Server::answers);
        outages_ = outage_ == nullptr ? 0 : outage_->count();
        return made;
    } catch (const Error& error) {
        metrics::count(metrics::Event::database_connect_failure);
        const auto end = Clock::now();
        not_before_ = end - begin > kSlowAttempt ? end + kPause : end;
        const bool has_hung =
            error.remedy == Remedy::reconnect
            && end - begin >= std::min(config_.db_connect_timeout, config_.db_timeout);
        note(has_hung ? Server::hangs : Server::answers);  // a refusal is an answer, too
        throw;
    }
}

void Session::note(Server server)
{
    if (outage_ == nullptr) return;
    outage_->note_connect(connection_.has_value());
    if (server == Server::hangs && outage_->begin())
        logging::warning("database-hangs")("advice",
                                           "all requests get 503 until it lets somebody in");
    if (server == Server::answers && outage_->end()) logging::info("database-back");
}

void Session::connect_if_possible()
{
    try {
        connect();
    } catch (const Error&) {
        // The next request reports it.
    }
}

void Session::drop()
{
    const bool has_waited = connection_ && Clock::now() - used_at_ >= config_.db_timeout;
    connection_.reset();
    if (has_waited && outage_ != nullptr && !is_given_up()) connect_if_possible();
}

void Session::note_change()
{
    if (outage_ != nullptr) outage_->change_was_made();
}

void Session::note_failure(const Error& error)
{
    if (outage_ != nullptr && is_read_only(error)) outage_->change_was_refused();
    // A server that became read_only keeps its connections. The next change makes a new one, which
    // may lead to another server.
    if (error.remedy != Remedy::retry) drop();
}

void Session::try_again()
{
    if (outage_ != nullptr && outage_->takes_turn(config_.db_connect_timeout))
        connect_if_possible();
}

}  // namespace db
