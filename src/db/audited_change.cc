#include "db/audited_change.h"

#include <string>
#include <thread>

#include "base/log.h"

namespace store {

using namespace std::chrono_literals;

constexpr auto kDoubtInterval = 50ms;

// The read locks the row. If the server is still at work on the lost transaction, the read waits
// for its end instead of finding no row.
constexpr char kWasCommitted[] =
    "SELECT 1 FROM audit_log WHERE at = ? AND id = ? LOCK IN SHARE MODE";

bool AuditedChange::is_in_audit_log()
{
    const auto give_up = std::chrono::steady_clock::now() + longest_doubt_;
    for (;;) {
        try {
            return session_.connection().query(kWasCommitted, {id_.at, id_.id}).count() > 0;
        } catch (const db::Error& error) {
            session_.drop();
            if (std::chrono::steady_clock::now() >= give_up)
                throw db::InDoubt{std::string{"outcome of a COMMIT unknown: "} + error.what()};
        }
        std::this_thread::sleep_for(kDoubtInterval);
    }
}

void AuditedChange::commit_was_lost(const db::Error& error)
{
    logging::warning("commit-lost")("error", error.what());
    session_.drop();
    if (!is_in_audit_log())
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
