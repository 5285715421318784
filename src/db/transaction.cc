#include "db/transaction.h"

#include <exception>

namespace db {

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

}  // namespace db
