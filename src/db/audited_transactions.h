// audited_transactions.h - the transactions of one caller, with their rows in audit_log: of
// mailboxctl on its connection, or of one change of the service.
//
// Throws db::Error if the database could not be asked, and db::InDoubt if no one can say whether
// the change was made.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>

#include "db/audit.h"
#include "db/connection.h"
#include "db/transaction.h"

namespace audit {

// Whether the changes of mailboxctl are transactions of their own, or part of one that the caller
// has begun and commits. In the second case the caller also undoes what a refused change left
// behind: db::Savepoint does.
enum class Within { own_transactions, transaction_of_caller };

class Transactions {
public:
    // For mailboxctl: the operator acts on this connection.
    explicit Transactions(db::Connection& connection, Within within = Within::own_transactions);
    // For the service: `actor` makes one change, in a transaction that `how` repeats. `id` is the
    // one by which `how` settles a lost COMMIT. All three must outlive this object. `first`
    // and `last` run at the beginning and at the end of each attempt; empty: nothing.
    Transactions(db::Repetition& how, const Id& id, const Actor& actor,
                 std::function<void(db::Connection&)> first = {},
                 std::function<void(db::Connection&)> last = {});
    Transactions(const Transactions&) = delete;
    Transactions& operator=(const Transactions&) = delete;

    // Runs `work` as one transaction. It is repeated if the server rolled it back.
    void run(const std::function<void()>& work);
    // Within run(): writes the next row of the transaction.
    void write(std::string_view action, std::string_view domain, std::string_view what);

    db::Connection& connection() { return how_.connection(); }
    const Actor& actor() const { return actor_; }

private:
    std::optional<db::OnConnection> own_;  // mailboxctl's
    db::Repetition& how_;
    Actor actor_;
    Within within_ = Within::own_transactions;
    Id own_id_;  // of mailboxctl's transaction
    const Id& id_ = own_id_;
    std::size_t rows_ = 0;  // of the transaction, in audit_log
    std::function<void(db::Connection&)> first_;
    std::function<void(db::Connection&)> last_;
};

}  // namespace audit
