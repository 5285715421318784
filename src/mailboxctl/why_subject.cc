#include "mailboxctl/why_subject.h"

#include <tuple>

#include "db/accounts.h"

namespace why {
namespace {

constexpr char kOwner[] =
    "SELECT a.name, a.state, a.max_mailboxes,"
    " (SELECT CAST(SUM(o.mailboxes) AS SIGNED) FROM domain o WHERE o.account_id = a.id),"
    " d.state, d.max_mailboxes, d.mailboxes, d.quota_bytes,"
    " (SELECT COUNT(*) FROM api_key k WHERE k.account_id = a.id AND COALESCE(k.domain_id, d.id) = d.id"
    " AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > UNIX_TIMESTAMP())), UNIX_TIMESTAMP(), d.id"
    " FROM domain d JOIN account a ON a.id = d.account_id WHERE d.name = ?";

}  // namespace

std::optional<Owner> find_owner(db::Connection& connection, const std::string& domain)
{
    auto rows = connection.query(kOwner, {domain});
    if (!rows.next()) return std::nullopt;
    using Limit = std::optional<std::int64_t>;
    Owner owner;
    std::tie(owner.account, owner.account_state, owner.account_allowance, owner.account_mailboxes,
             owner.domain_state, owner.domain_allowance, owner.domain_mailboxes, owner.quota_bytes,
             owner.keys, owner.now, owner.domain_id) =
        rows.read<std::string, std::string, Limit, std::int64_t, std::string, Limit, std::int64_t,
                  Limit, std::int64_t, std::int64_t, std::int64_t>();
    return owner;
}

std::string by(const std::string& actor)
{
    return actor == audit::kOperator ? "by the operator" : "by key " + actor;
}

std::string when_and_who(const std::optional<audit::Entry>& entry)
{
    constexpr std::int64_t kMicroseconds = 1'000'000;
    if (!entry) return "(no audit entry says since when)";
    return admin::time_text(entry->at / kMicroseconds) + ", " + by(entry->actor)
           + (entry->client.empty() ? "" : " from " + entry->client);
}

std::string share(std::int64_t count, std::optional<std::int64_t> limit)
{
    return std::to_string(count) + (limit ? " of " + std::to_string(*limit) : ", no limit");
}

}  // namespace why
