// transaction.h - transactions, and when they are repeated.
//
// The server may roll a transaction back for the sake of another one (a deadlock), and a connection
// may be lost. What is repeated then is the whole transaction. A COMMIT that got no answer is the
// difficult case: the change was made, or was not, or is still to be made.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/metrics.h"
#include "db/connection.h"

namespace db {

// A COMMIT got no answer, and it is unknown whether the change was made.
struct InDoubt : Error {
    explicit InDoubt(const std::string& sentence) : Error{Remedy::give_up, sentence} {}
};

// Returns whether this error of a COMMIT says that the change was not made. Others leave that open:
// a node of a cluster that loses the others during a COMMIT answers 1180, and the others may have
// the change.
bool was_rolled_back(const Error& error);

// Begins a transaction, and rolls it back unless commit() was reached. COMMIT is a statement here
// because sql::Connection::commit() drops errors.
class Transaction {
public:
    explicit Transaction(Connection& connection);
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit();

private:
    Connection& connection_;
    bool is_open_ = true;
};

// Within a transaction: undoes the changes since this object was made, unless keep() was reached.
class Savepoint {
public:
    explicit Savepoint(Connection& connection);
    ~Savepoint();
    Savepoint(const Savepoint&) = delete;
    Savepoint& operator=(const Savepoint&) = delete;
    void keep() { is_kept_ = true; }

private:
    Connection& connection_;
    bool is_kept_ = false;
};

// What transaction() asks and reports while it runs: what differs between the callers.
class Repetition {
public:
    // Returns the connection for the next attempt.
    virtual Connection& connection() = 0;
    // COMMIT got no answer, or one that leaves the outcome open. Returns if the change was made all
    // the same. Throws Error if it was not and never will be, and InDoubt if that cannot be found
    // out. So nothing is repeated while the outcome is open.
    virtual void commit_was_lost(const Error& error) = 0;
    virtual void was_committed() {}
    // An attempt failed. Returns whether another one may succeed.
    virtual bool may_succeed_after(const Error& error) = 0;
    virtual void begins_again(int /*failed_attempts*/, const Error& /*error*/) {}

protected:
    ~Repetition() = default;
};

// Runs `work` in a transaction, and commits if `is_done` says so of its outcome; otherwise rolls
// back. Returns the outcome. After an Error the transaction is repeated: at most kAttempts times in
// all, and none begins after `last_begin`. Throws the last Error; nothing was changed then, unless
// it is InDoubt.
inline constexpr int kAttempts = 5;

template <typename Work, typename IsDone>
auto transaction(Repetition& repetition, std::chrono::steady_clock::time_point last_begin,
                 Work work, IsDone is_done)
{
    for (int attempt = 1;; ++attempt) {
        try {
            auto& connection = repetition.connection();
            Transaction open{connection};
            auto outcome = work(connection);
            if (!is_done(outcome)) return outcome;
            try {
                open.commit();
            } catch (const Error& error) {
                if (was_rolled_back(error)) throw;
                metrics::count(metrics::Event::commit_lost);
                repetition.commit_was_lost(error);
            }
            repetition.was_committed();
            return outcome;
        } catch (const Error& error) {
            if (!repetition.may_succeed_after(error) || attempt == kAttempts
                || std::chrono::steady_clock::now() > last_begin)
                throw;
            metrics::count(metrics::Event::transaction_repeated);
            repetition.begins_again(attempt, error);
        }
    }
}

// Transactions on one connection: repeated if the server rolled back, not if the connection is
// lost. A COMMIT without an answer stays in doubt.
class OnConnection final : public Repetition {
public:
    explicit OnConnection(Connection& connection) : connection_{connection} {}
    Connection& connection() override { return connection_; }
    void commit_was_lost(const Error& error) override { throw InDoubt{error.what()}; }
    bool may_succeed_after(const Error& error) override { return error.remedy == Remedy::retry; }

private:
    Connection& connection_;
};

// Runs `work` as one transaction on the connection, as above.
template <typename Work>
void in_transaction(Connection& connection, Work work)
{
    OnConnection repetition{connection};
    transaction(
        repetition, std::chrono::steady_clock::time_point::max(),
        [&](Connection&) {
        work();
        return true;
        },
        [](bool) { return true; });
}

}  // namespace db
