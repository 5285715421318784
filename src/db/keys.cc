// keys.cc - what admin::Admin does to API keys; accounts.h declares it.

#include <stdexcept>
#include <tuple>
#include <utility>

#include "base/crypto.h"
#include "base/ip_range.h"
#include "base/strings.h"
#include "db/accounts.h"
#include "db/transaction.h"
#include "mail/api_key.h"

namespace admin {
namespace {

// A label fits its column and one line of a listing.
void check_label(const std::string& label, const std::string& name)
{
    constexpr std::size_t kLongest = 100;
    if (!strings::is_utf8(label) || strings::has_control_character(label)
        || strings::characters(label) > kLongest) {
        throw Refused(
            "bad_parameter",
            "a key's " + name
                + " has at most 100 characters, in UTF-8, and no line end or other control character");
    }
}

}  // namespace

constexpr char kDomainOfAccount[] = "SELECT id FROM domain WHERE name = ? AND account_id = ?";
constexpr char kInsertKey[] =
    "INSERT INTO api_key (id, hash, account_id, account_state, domain_id, read_only, addresses, label, kind, user_name, created_at, expires_at)"
    " SELECT ?, UNHEX(?), id, state, ?, ?, ?, ?, ?, ?, UNIX_TIMESTAMP(), ? FROM account WHERE id = ?";
constexpr char kInsertOperatorKey[] =
    "INSERT INTO api_key (id, hash, account_id, read_only, addresses, label, kind, user_name, created_at, expires_at)"
    " VALUES (?, UNHEX(?), NULL, ?, ?, ?, ?, ?, UNIX_TIMESTAMP(), ?)";

namespace {

// Returns the ranges as their column has them.
std::string checked_ranges(const std::vector<std::string>& addresses)
{
    for (const auto& range : addresses) {
        if (!ip_range::is_range(range))
            throw Refused(
                "bad_parameter",
                range + " is not an address or range such as 192.0.2.0/24 or 2001:db8::/32");
    }
    auto ranges = strings::joined(addresses, " ");
    constexpr std::size_t kLongestRanges = 1000;
    if (ranges.size() > kLongestRanges)
        throw Refused(
            "bad_parameter",
            "the addresses of a key have at most 1000 characters together, with a space between; add a second key, or a wider range");
    return ranges;
}

db::Value or_null(const std::string& text)
{
    return text.empty() ? db::Value{} : db::Value{text};
}

db::Value or_null(std::int64_t number)
{
    return number == 0 ? db::Value{} : db::Value{number};
}

}  // namespace

constexpr char kLockAccount[] = "SELECT id FROM account WHERE id = ? FOR UPDATE";
constexpr char kCountKeys[] =
    "SELECT COUNT(*) FROM api_key WHERE account_id = ? AND revoked_at IS NULL";

// A key may create keys, so their number needs an end.
void Admin::check_number_of_keys(std::int64_t account_id)
{
    constexpr std::int64_t kMostKeys = 1000;
    connection().query(kLockAccount, {account_id});
    if (connection().query(kCountKeys, {account_id}).only<std::int64_t>() < kMostKeys) return;
    throw Refused("allowance_used_up",
                  "an account has at most " + std::to_string(kMostKeys)
                      + " keys that are not revoked; delete those that nobody uses");
}

api_key::Key Admin::add_key(const NewKey& wanted, const Last<api_key::Key>& last)
{
    check_label(wanted.label, "label");
    check_label(wanted.user_name, "user_name");
    const auto ranges = checked_ranges(wanted.addresses);
    const bool is_of_operator = wanted.account_id == 0;
    if (is_of_operator && (ranges.empty() || wanted.domain))
        throw std::logic_error("a key of the operator has addresses and no domain");
    auto key = api_key::Key::generate();
    const auto hex = crypto::hex(key.sha256());
    const auto id = key.id();
    transaction([&] {
        if (!is_of_operator) check_number_of_keys(wanted.account_id);
        db::Value domain;
        if (wanted.domain) {
            const auto found =
                connection()
                    .query(kDomainOfAccount, {wanted.domain->name(), wanted.account_id})
                    .first<std::int64_t>();
            if (!found)
                throw Refused("domain_not_found",
                              "the account has no domain " + wanted.domain->name());
            domain = *found;
        }
        const std::int64_t is_read_only{wanted.is_read_only};
        const auto expires_at = or_null(wanted.expires_at);
        const auto added =
            is_of_operator
                ? connection().execute(kInsertOperatorKey,
                                       {id, hex, is_read_only, ranges, wanted.label, wanted.kind,
                                        wanted.user_name, expires_at})
                : connection().execute(kInsertKey, {id, hex, domain, is_read_only, or_null(ranges),
                                                    wanted.label, wanted.kind, wanted.user_name,
                                                    expires_at, wanted.account_id});
        if (added == 0) throw Refused("account_not_found", "there is no such account");
        audit("key-add", "", id);
        if (last) last(connection(), key);
    });
    return key;
}

namespace {

constexpr db::Text kKeyColumns{
    "SELECT k.id, k.account_id, a.name, d.name, k.read_only, k.addresses, k.label, k.kind, k.user_name, k.created_at, k.expires_at,"
    " k.revoked_at"
    " FROM api_key k LEFT JOIN account a ON a.id = k.account_id LEFT JOIN domain d ON d.id = k.domain_id"};
constexpr auto kKeys = kKeyColumns + " ORDER BY a.name, k.created_at, k.id";
constexpr auto kKeysOfAccount = kKeyColumns + " WHERE k.account_id = ? ORDER BY k.created_at, k.id";
constexpr auto kKey =
    kKeyColumns
    + " WHERE k.id = ? AND k.revoked_at IS NULL AND COALESCE(k.expires_at > UNIX_TIMESTAMP(), TRUE)";

KeyDetails key_of(const db::Rows& rows)
{
    KeyDetails key;
    std::tie(key.id, key.account_id, key.account, key.domain, key.is_read_only, key.addresses,
             key.label, key.kind, key.user_name, key.created_at, key.expires_at, key.revoked_at) =
        rows.read<std::string, std::int64_t, std::string, std::optional<std::string>, bool,
                  std::string, std::string, std::string, std::string, std::int64_t, std::int64_t,
                  std::int64_t>();
    return key;
}

}  // namespace

std::vector<KeyDetails> Admin::keys(std::int64_t account_id)
{
    auto rows = account_id == 0 ? connection().query(kKeys)
                                : connection().query(kKeysOfAccount, {account_id});
    std::vector<KeyDetails> found;
    while (rows.next()) found.push_back(key_of(rows));
    return found;
}

std::optional<KeyDetails> Admin::find_key(const std::string& id)
{
    auto rows = connection().query(kKey, {id});
    if (!rows.next()) return std::nullopt;
    return key_of(rows);
}

Table Admin::keys(const std::string& account)
{
    Table table{
        {"KEY", "ACCOUNT", "DOMAIN", "MAY", "FROM", "CREATED", "EXPIRES", "REVOKED", "LABEL"}};
    for (const auto& key : keys(account.empty() ? 0 : account_id(account))) {
        const bool is_of_operator = key.account_id == 0;
        const std::string what = is_of_operator ? "everything" : "read-write";
        table.push_back({key.id, is_of_operator ? "-" : key.account, key.domain.value_or("all"),
                         key.is_read_only ? "read" : what,
                         key.addresses.empty() ? "anywhere" : key.addresses,
                         time_text(key.created_at), last_moment(key.expires_at),
                         time_text(key.revoked_at), key.label.empty() ? "-" : key.label});
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
    transaction([&] {
        const auto revoked =
            connection().execute(kRevokeKey, {id}) + connection().execute(kRevokeDeletedKey, {id});
        if (revoked == 0) {
            throw Refused("key_not_found", "there is no key " + id + " that is in force",
                          "mailboxctl key list shows them by their first column");
        }
        audit("key-revoke", "", id);
    });
}

}  // namespace admin
