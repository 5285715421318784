#include "admin.h"

#include <sodium.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <limits>

#include "audit.h"
#include "http.h"
#include "store.h"
#include "unicode.h"

namespace admin {
namespace {

// An account's name stands in commands and logs: letters, digits, dot, hyphen, underscore.
void check_account_name(const std::string& name)
{
    constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name.empty() || name.size() > 64 || name.find_first_not_of(kAllowed) != std::string::npos || name[0] == '-') {
        throw Refused("an account's name has 1 to 64 letters, digits, dots, hyphens or underscores");
    }
}

// The audit log shows what was done to an account and what an actor did under one name.
void check_no_actor(db::Connection& connection, const std::string& name)
{
    constexpr char kKey[] = "SELECT 1 FROM api_key WHERE id = ?";
    const auto is_name = [&](std::string_view actor) { return http::equals_ignoring_case(name, actor); };
    if (std::any_of(audit::kActors.begin(), audit::kActors.end(), is_name)) {
        throw Refused("an account cannot be called " + name + ": the audit log uses that name for who made a change; choose another name");
    }
    if (connection.query(kKey, {name}).next()) {
        throw Refused("an account cannot be called " + name + ": a key has that id, and the audit log would show both; choose another name");
    }
}

// As long as its column, and one line of a listing.
void check_label(const std::string& label)
{
    constexpr std::size_t kLongest = 100;
    if (!http::is_utf8(label) || http::has_control_character(label) || http::characters(label) > kLongest) {
        throw Refused("a key's label has at most 100 characters, in UTF-8, and no line end or other control character");
    }
}

// What a column that may be NULL takes.
db::Value number_or_none(const std::string& setting, const std::string& value)
{
    if (value == "none") return db::Null{};
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size()) throw Refused(setting + " is a whole number from 0 to 4294967295, or none");
    return std::int64_t{number};
}

std::string or_dash(std::string text)
{
    return text.empty() ? "-" : std::move(text);
}

}  // namespace

std::string time_text(std::int64_t seconds)
{
    if (seconds == 0) return "-";
    const std::time_t time = seconds;
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::string_view action_of(mailbox::State state)
{
    switch (state) {
    case mailbox::State::active: return "resume";
    case mailbox::State::no_login: return "suspend";
    case mailbox::State::disabled: return "disable";
    }
    throw std::logic_error("no state");
}

std::int64_t parse_size(const std::string& text)
{
    if (const auto size = Config::size(text)) return *size;
    throw Refused(text + " is no size; it reads 500M, 2G or a number of bytes, at most 1024T");
}

// `what` is a local part, or what the action was done to where that is no address.
void Admin::audit(std::string_view action, std::string_view domain, std::string_view what)
{
    audit::write(connection_, {}, 0, {std::string{audit::kOperator}}, action, domain, what);
}

constexpr char kAccountId[] = "SELECT id FROM account WHERE name = ?";

std::int64_t Admin::account_id(const std::string& name)
{
    check_account_name(name);
    auto rows = connection_.query(kAccountId, {name});
    if (!rows.next()) throw Refused("there is no account " + name + "; mailboxctl account list shows what there is");
    return rows.integer(1);
}

constexpr char kDomain[] = "SELECT d.id, a.name FROM domain d JOIN account a ON a.id = d.account_id WHERE d.name = ?";

std::optional<Admin::Domain> Admin::find_domain(const std::string& name)
{
    auto rows = connection_.query(kDomain, {name});
    if (!rows.next()) return std::nullopt;
    return Domain{rows.integer(1), rows.text(2)};
}

std::int64_t Admin::domain_id(const std::string& name)
{
    if (const auto found = find_domain(name)) return found->id;
    throw Refused("there is no domain " + name + "; mailboxctl domain list shows what there is");
}

constexpr char kInsertAccount[] = "INSERT INTO account (name, created_at) VALUES (?, UNIX_TIMESTAMP())";

void Admin::add_account(const std::string& name)
{
    check_account_name(name);
    check_no_actor(connection_, name);
    try {
        db::in_transaction(connection_, [&] {
            connection_.execute(kInsertAccount, {name});
            audit("account-add", "", name);
        });
    } catch (const db::DuplicateKey&) {
        throw Refused("there is an account " + name + " already; nothing was changed");
    }
}

constexpr char kAccounts[] =
    "SELECT a.name, a.state, (SELECT COUNT(*) FROM domain d WHERE d.account_id = a.id),"
    " (SELECT COALESCE(SUM(d.mailboxes), 0) FROM domain d WHERE d.account_id = a.id), COALESCE(a.max_mailboxes, '-'), a.created_at"
    " FROM account a ORDER BY a.name";

Table Admin::accounts()
{
    Table table{{"ACCOUNT", "STATE", "DOMAINS", "MAILBOXES", "ALLOWANCE", "CREATED"}};
    auto rows = connection_.query(kAccounts);
    while (rows.next()) {
        table.push_back({rows.text(1), rows.text(2), rows.text(3), rows.text(4), rows.text(5), time_text(rows.integer(6))});
    }
    return table;
}

constexpr char kMailboxesOfAccount[] = "SELECT CAST(COALESCE(SUM(mailboxes), 0) AS SIGNED) FROM domain WHERE account_id = ?";

std::int64_t Admin::mailboxes_of_account(const std::string& name)
{
    auto rows = connection_.query(kMailboxesOfAccount, {account_id(name)});
    rows.next();
    return rows.integer(1);
}

constexpr char kDomainsOfAccount[] = "SELECT id, name FROM domain WHERE account_id = ?";
constexpr char kDeleteKeysOfAccount[] = "DELETE FROM api_key WHERE account_id = ?";
constexpr char kDeleteAccount[] = "DELETE FROM account WHERE id = ?";

void Admin::remove_account(const std::string& name)
{
    const auto id = account_id(name);
    db::in_transaction(connection_, [&] {
        auto domains = connection_.query(kDomainsOfAccount, {id});
        while (domains.next()) empty_and_delete_domain(domains.integer(1), domains.text(2));
        connection_.execute(kDeleteKeysOfAccount, {id});
        connection_.execute(kDeleteAccount, {id});
        audit("account-remove", "", name);
        store::end_all_sessions(connection_);
    });
}

constexpr char kSetMaxOfAccount[] = "UPDATE account SET max_mailboxes = ? WHERE id = ?";

void Admin::set_account(const std::string& name, const std::string& setting, const std::string& value)
{
    const auto id = account_id(name);
    if (setting != "max_mailboxes") throw Refused("an account has no setting " + setting + "; mailboxctl account set --help lists them");
    db::in_transaction(connection_, [&] {
        connection_.execute(kSetMaxOfAccount, {number_or_none(setting, value), id});
        audit("account-set", "", name);
    });
}

constexpr char kSetAccountState[] = "UPDATE account SET state = ? WHERE id = ?";

void Admin::set_account_state(const std::string& name, mailbox::State state)
{
    const auto id = account_id(name);
    db::in_transaction(connection_, [&] {
        connection_.execute(kSetAccountState, {mailbox::text(state), id});
        if (state != mailbox::State::active) store::end_all_sessions(connection_);
        audit("account-" + std::string{action_of(state)}, "", name);
    });
}

constexpr char kInsertDomain[] = 
    "INSERT INTO domain (account_id, name, unicode_name, quota_bytes, created_at) VALUES (?, ?, ?, NULLIF(?, 0), UNIX_TIMESTAMP())";

std::int64_t Admin::add_domain(const mailbox::Domain& domain, const std::string& account, std::int64_t quota_bytes)
{
    if (const auto why = mailbox::obstacle_to_hosting(domain); !why.empty()) {
        throw Refused(domain.text() + " cannot be added: " + std::string{why} + "; nothing was changed. Give the domain that stands behind the @ of its addresses");
    }
    const auto account_number = account_id(account);
    try {
        db::in_transaction(connection_, [&] {
            const auto unicode_name = unicode::u_labels(domain.name());
            connection_.execute(kInsertDomain, {account_number, domain.name(), unicode_name ? db::Value{*unicode_name} : db::Value{}, quota_bytes});
            audit("domain-add", domain.name(), "");
        });
    } catch (const db::DuplicateKey&) {
        throw Refused("there is a domain " + domain.text() + " already; nothing was changed");
    }
    return domain_id(domain.name());
}

constexpr char kDomains[] =
    "SELECT d.name, a.name, d.state, d.mailboxes, COALESCE(d.max_mailboxes, '-'), COALESCE(d.quota_bytes, '-'), d.created_at"
    " FROM domain d JOIN account a ON a.id = d.account_id ORDER BY d.name";

Table Admin::domains()
{
    Table table{{"DOMAIN", "ACCOUNT", "STATE", "MAILBOXES", "ALLOWANCE", "QUOTA", "CREATED"}};
    auto rows = connection_.query(kDomains);
    while (rows.next()) {
        table.push_back({rows.text(1), rows.text(2), rows.text(3), rows.text(4), rows.text(5), rows.text(6), time_text(rows.integer(7))});
    }
    return table;
}

constexpr char kSetOnDuplicate[] = "UPDATE domain SET on_duplicate = ? WHERE id = ?";
constexpr char kSetAllowDeleteAll[] = "UPDATE domain SET allow_delete_all = ? WHERE id = ?";
constexpr char kSetMaxMailboxes[] = "UPDATE domain SET max_mailboxes = ? WHERE id = ?";
constexpr char kSetQuota[] = "UPDATE domain SET quota_bytes = ? WHERE id = ?";

void Admin::set_domain(const mailbox::Domain& domain, const std::string& setting, const std::string& value)
{
    const auto id = domain_id(domain.name());
    db::in_transaction(connection_, [&] {
        if (setting == "on_duplicate") {
            if (value != "reject" && value != "update") throw Refused("on_duplicate is reject or update");
            connection_.execute(kSetOnDuplicate, {value, id});
        } else if (setting == "allow_delete_all") {
            if (value != "yes" && value != "no") throw Refused("allow_delete_all is yes or no");
            connection_.execute(kSetAllowDeleteAll, {std::int64_t{value == "yes"}, id});
        } else if (setting == "max_mailboxes") {
            connection_.execute(kSetMaxMailboxes, {number_or_none(setting, value), id});
        } else if (setting == "quota_bytes") {
            connection_.execute(kSetQuota, {value == "none" ? db::Value{} : db::Value{parse_size(value)}, id});
        } else {
            throw Refused("a domain has no setting " + setting + "; mailboxctl domain set --help lists them");
        }
        audit("domain-set", domain.name(), "");
    });
}

constexpr char kSetDomainState[] = "UPDATE domain SET state = ? WHERE id = ?";

void Admin::set_domain_state(const mailbox::Domain& domain, mailbox::State state)
{
    const auto id = domain_id(domain.name());
    db::in_transaction(connection_, [&] {
        connection_.execute(kSetDomainState, {mailbox::text(state), id});
        if (state != mailbox::State::active) store::end_all_sessions(connection_);
        audit("domain-" + std::string{action_of(state)}, domain.name(), "");
    });
}

constexpr char kMailboxesOfDomain[] = "SELECT mailboxes FROM domain WHERE id = ?";

std::int64_t Admin::mailboxes_of_domain(const mailbox::Domain& domain)
{
    auto rows = connection_.query(kMailboxesOfDomain, {domain_id(domain.name())});
    rows.next();
    return rows.integer(1);
}

// By the name and then the row, as the triggers come to it that a delivery starts: in the other order the two could wait
// for each other.
constexpr char kLockDomain[] = "UPDATE domain SET mailboxes = 0 WHERE name = ?";
constexpr char kDeleteMailboxes[] = "DELETE FROM mailbox WHERE domain_id = ?";
constexpr char kDeleteDomain[] = "DELETE FROM domain WHERE id = ?";

void Admin::empty_and_delete_domain(std::int64_t id, const std::string& name)
{
    connection_.execute(kLockDomain, {name});  // from here on nobody adds a mailbox
    store::keep_deleted(connection_, name, id, 0, std::numeric_limits<std::int64_t>::max(), audit::kOperator);
    connection_.execute(kDeleteMailboxes, {id});
    connection_.execute(kDeleteDomain, {id});
    audit("domain-remove", name, "");
}

void Admin::remove_domain(const mailbox::Domain& domain)
{
    const auto id = domain_id(domain.name());
    db::in_transaction(connection_, [&] {
        empty_and_delete_domain(id, domain.name());
        store::end_all_sessions(connection_);
    });
}

constexpr char kDomainOfAccount[] = "SELECT id FROM domain WHERE name = ? AND account_id = ?";
constexpr char kInsertKey[] =
    "INSERT INTO api_key (id, hash, account_id, account_state, domain_id, read_only, addresses, label, created_at, expires_at)"
    " SELECT ?, UNHEX(?), id, state, ?, ?, ?, ?, UNIX_TIMESTAMP(), ? FROM account WHERE id = ?";

auth::Key Admin::add_key(const NewKey& wanted)
{
    check_label(wanted.label);
    const auto account = account_id(wanted.account);
    db::Value domain;
    if (wanted.domain) {
        auto rows = connection_.query(kDomainOfAccount, {wanted.domain->name(), account});
        if (!rows.next()) throw Refused("account " + wanted.account + " has no domain " + wanted.domain->name());
        domain = rows.integer(1);
    }
    std::string ranges;
    for (const auto& range : wanted.addresses) {
        if (!auth::is_range(range)) throw Refused(range + " is no address or range such as 192.0.2.0/24 or 2001:db8::/32");
        ranges += (ranges.empty() ? "" : " ") + range;
    }
    constexpr std::size_t kLongestRanges = 1000;
    if (ranges.size() > kLongestRanges) throw Refused("the addresses of a key have at most 1000 characters together, with a space between; add a second key, or a wider range");
    auto key = auth::Key::generate();
    const auto hash = key.sha256();
    std::string hex(2 * hash.size() + 1, '\0');
    sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(hash.data()), hash.size());
    hex.pop_back();
    const auto id = key.id();
    db::in_transaction(connection_, [&] {
        connection_.execute(kInsertKey, {id, hex, domain, std::int64_t{wanted.is_read_only},
                                         ranges.empty() ? db::Value{} : db::Value{ranges}, wanted.label,
                                         wanted.expires_at == 0 ? db::Value{} : db::Value{wanted.expires_at}, account});
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
    Table table{{"KEY", "ACCOUNT", "DOMAIN", "MAY", "FROM", "CREATED", "EXPIRES", "REVOKED", "LABEL"}};
    auto rows = connection_.query(kKeys, {account});
    while (rows.next()) {
        table.push_back({rows.text(1), rows.text(2), rows.is_null(3) ? "all" : rows.text(3), rows.text(4),
                         rows.is_null(5) ? "anywhere" : rows.text(5), time_text(rows.integer(6)), time_text(rows.integer(7)),
                         time_text(rows.integer(8)), or_dash(rows.text(9))});
    }
    return table;
}

constexpr char kRevokeKey[] = "UPDATE api_key SET revoked_at = UNIX_TIMESTAMP() WHERE id = ? AND revoked_at IS NULL";

void Admin::revoke_key(const std::string& id)
{
    db::in_transaction(connection_, [&] {
        if (connection_.execute(kRevokeKey, {id}) == 0) {
            throw Refused("there is no key " + id + " that is in force; mailboxctl key list shows them by their first column");
        }
        audit("key-revoke", "", id);
    });
}

}  // namespace admin
