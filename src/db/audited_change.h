// audited_change.h - the service's transactions, on a worker's session.
//
// A transaction is repeated on a new connection if the old one is lost. If its COMMIT got no
// answer, the database is asked for the row that the transaction wrote to audit_log: the row is
// there exactly if the change was made.
#pragma once

#include <chrono>

#include "db/audit.h"
#include "db/session.h"
#include "db/transaction.h"

namespace store {

class AuditedChange final : public db::Repetition {
public:
    // `longest_doubt`: for how long it asks after a lost COMMIT before it throws InDoubt.
    AuditedChange(db::Session& session, const audit::Id& id,
                  std::chrono::milliseconds longest_doubt)
        : session_{session}, id_{id}, longest_doubt_{longest_doubt}
    {
    }
    db::Connection& connection() override { return session_.connection(); }
    void commit_was_lost(const db::Error& error) override;
    void was_committed() override { session_.note_change(); }
    bool may_succeed_after(const db::Error& error) override;
    void begins_again(int failed_attempts, const db::Error& error) override;

private:
    bool is_in_audit_log();

    db::Session& session_;
    const audit::Id& id_;
    std::chrono::milliseconds longest_doubt_;
};

}  // namespace store
