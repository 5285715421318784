// audited_change.h - the service's transactions, on a worker's session.
//
// A transaction is repeated on a new connection if the old one is lost. If its COMMIT got no
// answer, the outcome is settled first. AuditedChange writes a row to audit_log with the key that
// the transaction's own row has. The key is unique, so exactly one of the two can be there:
// - It is there already: the change was made.
// - The row was written: the change was not made and never will be, wherever the COMMIT may still
//   be on its way. The row stays in the log as `commit-lost`.
//
// A read could not tell these apart. It may reach a server that has not got the change yet, as a
// node of a cluster that lags behind the one that was lost.
#pragma once

#include <chrono>

#include "db/audit.h"
#include "db/session.h"
#include "db/transaction.h"

namespace store {

class AuditedChange final : public db::Repetition {
public:
    // `id`: of the transaction's rows. It changes before a transaction is repeated whose COMMIT was
    // lost. `longest_doubt`: for how long it tries to settle a lost COMMIT before it throws
    // InDoubt. All but that must outlive this object.
    AuditedChange(db::Session& session, audit::Id& id, const audit::Actor& actor,
                  std::chrono::milliseconds longest_doubt)
        : session_{session}, id_{id}, actor_{actor}, longest_doubt_{longest_doubt}
    {
    }
    db::Connection& connection() override { return session_.connection(); }
    void commit_was_lost(const db::Error& error) override;
    void was_committed() override { session_.note_change(); }
    bool may_succeed_after(const db::Error& error) override;
    void begins_again(int failed_attempts, const db::Error& error) override;

private:
    enum class Outcome { made, not_made };
    Outcome settled();

    db::Session& session_;
    audit::Id& id_;
    const audit::Actor& actor_;
    std::chrono::milliseconds longest_doubt_;
};

}  // namespace store
