#include "db/idempotency.h"

#include <cstdint>
#include <utility>

namespace idempotency {

constexpr std::int64_t kDay = 86'400;

constexpr char kFind[] =
    "SELECT request, answer FROM idempotent_request WHERE key_id = ? AND name = ? AND created_at > UNIX_TIMESTAMP() - ?";

std::optional<Kept> find(db::Connection& connection, const Claim& claim)
{
    auto rows = connection.query(kFind, {claim.key_id, claim.name, kDay});
    if (!rows.next()) return std::nullopt;
    auto [request, answer] = rows.read<std::string, std::string>();
    return Kept{std::move(request), std::move(answer)};
}

constexpr char kForget[] =
    "DELETE FROM idempotent_request WHERE key_id = ? AND name = ? AND created_at <= UNIX_TIMESTAMP() - ?";
constexpr char kClaim[] =
    "INSERT INTO idempotent_request (key_id, name, request, created_at) VALUES (?, ?, ?, UNIX_TIMESTAMP())";

void claim(db::Connection& connection, const Claim& claim)
{
    connection.execute(kForget, {claim.key_id, claim.name, kDay});
    try {
        connection.execute(kClaim, {claim.key_id, claim.name, claim.request});
    } catch (const db::DuplicateKey&) {
        throw Claimed{};
    }
}

constexpr char kKeep[] = "UPDATE idempotent_request SET answer = ? WHERE key_id = ? AND name = ?";

void keep(db::Connection& connection, const Claim& claim, std::string_view answer)
{
    connection.execute(kKeep, {answer, claim.key_id, claim.name});
}

}  // namespace idempotency
