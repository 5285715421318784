// keys.cc - what admin::Admin does to API keys; accounts.h declares it.

#include "base/crypto.h"
#include "base/ip_range.h"
#include "base/strings.h"
#include "db/accounts.h"
#include "db/transaction.h"
#include "mail/api_key.h"

namespace admin {
namespace {

// A label fits its column and one line of a listing.
void check_label(const std::string& label)
{
    constexpr std::size_t kLongest = 100;
    if (!strings::is_utf8(label) || strings::has_control_character(label)
        || strings::characters(label) > kLongest) {
        throw Refused(
            "a key's label has at most 100 characters, in UTF-8, and no line end or other control character");
    }
}

std::string or_dash(std::string text)
{
    return text.empty() ? "-" : std::move(text);
}

}  // namespace

constexpr char kDomainOfAccount[] = "SELECT id FROM domain WHERE name = ? AND account_id = ?";
constexpr char kInsertKey[] =
    "INSERT INTO api_key (id, hash, account_id, account_state, domain_id, read_only, addresses, label, created_at, expires_at)"
    " SELECT ?, UNHEX(?), id, state, ?, ?, ?, ?, UNIX_TIMESTAMP(), ? FROM account WHERE id = ?";

api_key::Key Admin::add_key(const NewKey& wanted)
{
    check_label(wanted.label);
    const auto account = account_id(wanted.account);
    db::Value domain;
    if (wanted.domain) {
        auto rows = connection_.query(kDomainOfAccount, {wanted.domain->name(), account});
        if (!rows.next())
            throw Refused("account " + wanted.account + " has no domain " + wanted.domain->name());
        domain = rows.read<std::int64_t>();
    }
    std::string ranges;
    for (const auto& range : wanted.addresses) {
        if (!ip_range::is_range(range))
            throw Refused(range
                          + " is not an address or range such as 192.0.2.0/24 or 2001:db8::/32");
        ranges += (ranges.empty() ? "" : " ") + range;
    }
    constexpr std::size_t kLongestRanges = 1000;
    if (ranges.size() > kLongestRanges)
        throw Refused(
            "the addresses of a key have at most 1000 characters together, with a space between; add a second key, or a wider range");
    auto key = api_key::Key::generate();
    const auto hex = crypto::hex(key.sha256());
    const auto id = key.id();
    db::in_transaction(connection_, [&] {
        connection_.execute(kInsertKey,
                            {id, hex, domain, std::int64_t{wanted.is_read_only},
                             ranges.empty() ? db::Value{} : db::Value{ranges}, wanted.label,
                             wanted.expires_at == 0 ? db::Value{} : db::Value{wanted.expires_at},
                             account});
        audit("key-add", "", id);
    });
    return key;
}

constexpr char kKeys[] =
    "SELECT k.id, a.name, d.name, IF(k.read_only, 'read', 'read-write'), k.addresses, k.created_at, k.expires_at,"
    " k.revoked_at, k.label"
    " FROM api_key k JOIN account a ON a.id = k.account_id LEFT JOIN domain d ON d.id = k.domain_id"
    " WHERE ? IN ('', a.name) ORDER BY a.name, k.created_at, k.id";

Table Admin::keys(const std::string& account)
{
    if (!account.empty()) account_id(account);
    Table table{
        {"KEY", "ACCOUNT", "DOMAIN", "MAY", "FROM", "CREATED", "EXPIRES", "REVOKED", "LABEL"}};
    auto rows = connection_.query(kKeys, {account});
    while (rows.next()) {
        const auto [id, name, domain, rights, addresses, created_at, expires_at, revoked_at,
                    label] = rows.read<std::string, std::string, std::optional<std::string>,
                                       std::string, std::optional<std::string>, std::int64_t,
                                       std::int64_t, std::int64_t, std::string>();
        table.push_back({id, name, domain.value_or("all"), rights, addresses.value_or("anywhere"),
                         time_text(created_at), last_moment(expires_at), time_text(revoked_at),
                         or_dash(label)});
    }
    return table;
}

constexpr char kRevokeKey[] =
    "UPDATE api_key SET revoked_at = UNIX_TIMESTAMP() WHERE id = ? AND revoked_at IS NULL";

// A key of a removed domain: when the domain is restored, the key is still revoked.
constexpr char kRevokeDeletedKey[] =
    "UPDATE deleted_key SET revoked_at = UNIX_TIMESTAMP() WHERE id = ? AND revoked_at IS NULL";

void Admin::revoke_key(const std::string& id)
{
    db::in_transaction(connection_, [&] {
        const auto revoked =
            connection_.execute(kRevokeKey, {id}) + connection_.execute(kRevokeDeletedKey, {id});
        if (revoked == 0) {
            throw Refused(
                "there is no key " + id
                + " that is in force; mailboxctl key list shows them by their first column");
        }
        audit("key-revoke", "", id);
    });
}

}  // namespace admin
