// session.h - a worker's connection to the database, and what the workers know together of an
// outage.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/config.h"
#include "db/connection.h"

namespace db {

// Shared by all workers: that the database hangs or refuses changes, as one of them has found.
//
// While the database hangs, the other workers answer 503 at once instead of each waiting for a
// timeout of its own. This ends when a new connection succeeds; "refuses changes" ends when a
// change succeeds. After either, every worker must reconnect, because its old connection may lead
// to a server that has been replaced. Lives in memory that the processes share; all members are
// lock-free atomics.
class Outage {
public:
    // The database hangs. Returns whether that is new.
    bool begin();
    // The database answers. Returns whether it hung before.
    bool end() { return try_at_.exchange(0) != 0; }
    bool is_on() const { return try_at_ != 0; }
    // Returns whether the caller is to try now whether the server is back. The others get no turn
    // for `longest`, the time that trying takes. `delay`: how much later than the first it may be
    // the caller's turn.
    bool takes_turn(std::chrono::nanoseconds longest, std::chrono::nanoseconds delay = {});
    void change_was_refused() { refuses_changes_ = true; }
    void change_was_made();
    // Notes whether the last attempt to connect succeeded, of whichever worker.
    void note_connect(bool has_succeeded) { is_reachable_ = has_succeeded; }
    bool is_reachable() const { return is_reachable_; }
    // Returns how many times every worker had to reconnect.
    std::int64_t count() const { return count_; }

private:
    // When to try again, in nanoseconds of the steady clock, which all processes share. 0: no
    // outage.
    std::atomic<std::int64_t> try_at_{0};
    std::atomic<bool> refuses_changes_{false};
    std::atomic<bool> is_reachable_{true};
    std::atomic<std::int64_t> count_{0};
    // An atomic with a lock would work between the threads of one process only.
    static_assert(std::atomic<std::int64_t>::is_always_lock_free);
};

// A worker's one connection: made when it is first needed, and replaced after it was lost.
class Session {
public:
    // `check` runs on each new connection. `outage`: shared with the other workers; null: not
    // shared.
    Session(const Config::Database& database, std::string password, const Config& config,
            Connection::Check check = nullptr, Outage* outage = nullptr)
        : database_{database}, password_{std::move(password)}, config_{config}, check_{check},
          outage_{outage}
    {
    }
    // Returns the connection. Throws Error if there is none: at once, without trying, while the
    // database hangs.
    Connection& connection();
    // Returns how many connections it has tried to make. While the number stays the same, so does
    // the connection; another connection may lead to another server.
    std::int64_t connections() const { return connections_; }
    // Gives up a connection that was lost. If the loss took as long as a timeout, tries a new one
    // at once: one statement may wait for a lock, but a server that hangs accepts no connection
    // either.
    void drop();
    bool is_given_up() const { return outage_ != nullptr && outage_->is_on(); }
    // Notes that a transaction was committed. Call it before the request is answered.
    void note_change();
    void note_failure(const Error& error);
    // For a worker that is idle: if the database hangs and it is this worker's turn, tries to
    // connect, so that no request has to.
    void try_again();

private:
    enum class Server { answers, hangs };
    Connection& connect();
    void connect_if_possible();
    void note(Server server);

    const Config::Database& database_;
    std::string password_;
    const Config& config_;
    Connection::Check check_;
    Outage* outage_;
    std::optional<Connection> connection_;
    std::chrono::steady_clock::time_point used_at_{};
    std::int64_t connections_ = 0;
    std::int64_t outages_ = 0;  // Outage::count() when the connection was made
    std::chrono::steady_clock::time_point not_before_{};
};

inline constexpr int kReads = 3;

// Reads, and reads again, at most kReads times in all, if the connection turns out to be lost: the
// server may have closed it because it was idle. Also if the new connection is lost: a proxy that
// finds its server down ends those, too, that it was just making to it. Does not repeat a read that
// waited for a server that hangs.
template <typename Read>
auto reading(Session& session, Read read)
{
    for (int attempt = 1;; ++attempt) {
        try {
            return read(session.connection());
        } catch (const Error& error) {
            if (error.remedy != Remedy::give_up) session.drop();
            if (error.remedy == Remedy::give_up || attempt == kReads || session.is_given_up())
                throw;
        }
    }
}

}  // namespace db
