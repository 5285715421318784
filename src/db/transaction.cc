#include "db/transaction.h"

#include <exception>

namespace db {

bool was_rolled_back(const Error& error)
{
    return error.remedy == Remedy::retry || is_read_only(error);
}

Transaction::Transaction(Connection& connection) : connection_{connection}
{
    connection_.run("START TRANSACTION");
}

Transaction::~Transaction()
{
    if (!is_open_) return;
    try {
        connection_.run("ROLLBACK");
    } catch (const std::exception&) {
        // The connection is gone, and the transaction with it.
    }
}

void Transaction::commit()
{
    is_open_ = false;
    connection_.run("COMMIT");
}

Savepoint::Savepoint(Connection& connection) : connection_{connection}
{
    connection_.run("SAVEPOINT mailboxd_change");
}

// A deadlock or a lost connection has undone the whole transaction, and the savepoint with it.
Savepoint::~Savepoint()
{
    if (is_kept_) return;
    try {
        connection_.run("ROLLBACK TO SAVEPOINT mailboxd_change");
    } catch (const std::exception&) {
        // The caller gets the error that is on its way.
    }
}

}  // namespace db
