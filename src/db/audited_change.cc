#include "db/audited_change.h"

#include <string>
#include <thread>

#include "base/log.h"

namespace store {

using namespace std::chrono_literals;

constexpr auto kDoubtInterval = 50ms;

constexpr char kLost[] = "commit-lost";
constexpr char kAction[] = "SELECT action FROM audit_log WHERE at = ? AND id = ?";

AuditedChange::Outcome AuditedChange::settled()
{
    const auto give_up = std::chrono::steady_clock::now() + longest_doubt_;
    std::string reason = "the change is not visible yet";
    for (;;) {
        try {
            try {
                // Without a transaction of its own. If the server is still at work on the lost
                // one, this waits for its end.
                audit::write(session_.connection(), id_, 0, actor_, kLost, "", "");
                return Outcome::not_made;
            } catch (const db::DuplicateKey&) {
                // This row is the change's, or ours: its answer was lost, too.
                const auto action =
                    session_.connection().query(kAction, {id_.at, id_.id}).first<std::string>();
                if (action) return *action == kLost ? Outcome::not_made : Outcome::made;
            }
        } catch (const db::Error& error) {
            if (error.remedy != db::Remedy::retry) session_.drop();
            reason = error.what();
        }
        if (std::chrono::steady_clock::now() >= give_up)
            throw db::InDoubt{"outcome of a COMMIT unknown: " + reason};
        std::this_thread::sleep_for(kDoubtInterval);
    }
}

void AuditedChange::commit_was_lost(const db::Error& error)
{
    logging::warning("commit-lost")("error", error.what());
    // Also if the connection is still there: within the old transaction our row would not be
    // committed.
    session_.drop();
    if (settled() == Outcome::made) return;
    id_ = {};
    throw db::Error{db::Remedy::reconnect, "a COMMIT was lost before the server had it"};
}

bool AuditedChange::may_succeed_after(const db::Error& error)
{
    session_.note_failure(error);
    return error.remedy != db::Remedy::give_up;
}

void AuditedChange::begins_again(int failed_attempts, const db::Error& error)
{
    logging::info("transaction-repeated")("attempt", failed_attempts)("error", error.what());
}

}  // namespace store
