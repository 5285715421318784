#include "db/audited_transactions.h"

#include <chrono>
#include <string>
#include <utility>

namespace audit {

Transactions::Transactions(db::Connection& connection, Within within)
    : own_{connection}, how_{*own_}, actor_{std::string{kOperator}}, within_{within}
{
}

Transactions::Transactions(db::Repetition& how, const Id& id, const Actor& actor,
                           std::function<void(db::Connection&)> first,
                           std::function<void(db::Connection&)> last)
    : how_{how}, actor_{actor}, id_{id}, first_{std::move(first)}, last_{std::move(last)}
{
}

void Transactions::run(const std::function<void()>& work)
{
    // The rows of the caller's transaction count on, so that none gets the key of another.
    if (within_ == Within::transaction_of_caller) return work();
    // The service answers within its deadline; mailboxctl has time.
    constexpr std::chrono::seconds kPatience{6};
    using Clock = std::chrono::steady_clock;
    db::transaction(
        how_, own_ ? Clock::time_point::max() : Clock::now() + kPatience,
        [&](db::Connection& connection) {
        rows_ = 0;
        if (own_) own_id_ = {};  // each of mailboxctl's transactions has rows of its own
        if (first_) first_(connection);
        work();
        if (last_) last_(connection);
        return true;
        },
        [](bool) { return true; });
}

void Transactions::write(std::string_view action, std::string_view domain, std::string_view what)
{
    audit::write(connection(), id_, rows_++, actor_, action, domain, what);
}

}  // namespace audit
