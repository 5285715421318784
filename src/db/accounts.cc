#include "db/accounts.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <tuple>

#include "base/strings.h"
#include "db/audit.h"
#include "db/mailboxes.h"
#include "db/transaction.h"

namespace admin {
namespace {

// An account's name appears in commands and logs, so it has no characters that are special there.
void check_account_name(const std::string& name)
{
    constexpr std::string_view kAllowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name.empty() || name.size() > 64 || name.find_first_not_of(kAllowed) != std::string::npos
        || name[0] == '-') {
        throw Refused(
            "an account's name has 1 to 64 letters, digits, dots, hyphens or underscores");
    }
}

// The audit log shows changes to an account and changes by an actor under the same name.
void check_no_actor(db::Connection& connection, const std::string& name)
{
    static constexpr char kKey[] = "SELECT 1 FROM api_key WHERE id = ?";
    const auto is_name = [&](std::string_view actor) {
        return strings::equals_ignoring_case(name, actor);
    };
    if (std::any_of(audit::kActors.begin(), audit::kActors.end(), is_name)) {
        throw Refused(
            "an account cannot be called " + name
            + ": the audit log uses that name for who made a change; choose another name");
    }
    if (connection.query(kKey, {name}).next()) {
        throw Refused(
            "an account cannot be called " + name
            + ": a key has that id, and the audit log would show both; choose another name");
    }
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

std::string last_moment(std::int64_t expires_at)
{
    return time_text(expires_at == 0 ? 0 : expires_at - 1);
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
    throw Refused("'" + text + "' is not a size; use 500M, 2G or a number of bytes, at most 1024T");
}

db::Value number_or_none(const std::string& setting, const std::string& value)
{
    if (value == "none") return db::Null{};
    const auto number = strings::whole_number(value, std::numeric_limits<std::uint32_t>::max());
    if (!number) throw Refused(setting + " is a whole number from 0 to 4294967295, or none");
    return static_cast<std::int64_t>(*number);
}

void Admin::audit(std::string_view action, std::string_view domain, std::string_view what)
{
    audit::write(connection_, {}, 0, {std::string{audit::kOperator}}, action, domain, what);
}

constexpr char kAccountId[] = "SELECT id FROM account WHERE name = ?";

std::int64_t Admin::account_id(const std::string& name)
{
    check_account_name(name);
    if (const auto id = connection_.query(kAccountId, {name}).first<std::int64_t>()) return *id;
    throw Refused("there is no account " + name + "; mailboxctl account list shows what there is");
}

constexpr char kInsertAccount[] =
    "INSERT INTO account (name, created_at) VALUES (?, UNIX_TIMESTAMP())";

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
        throw Refused("there is an account " + name + " already");
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
        const auto [name, state, domains, mailboxes, allowance, created_at] =
            rows.read<std::string, std::string, std::string, std::string, std::string,
                      std::int64_t>();
        table.push_back({name, state, domains, mailboxes, allowance, time_text(created_at)});
    }
    return table;
}

// --- what there is --------------------------------------------------------------------

constexpr char kAccountSettings[] = "SELECT name, state, max_mailboxes FROM account WHERE id = ?";
constexpr char kDomainSettings[] =
    "SELECT a.name, d.state, d.max_mailboxes, d.on_duplicate, d.allow_delete_all, d.quota_bytes"
    " FROM domain d JOIN account a ON a.id = d.account_id WHERE d.id = ?";
constexpr char kDomainNames[] = "SELECT name FROM domain WHERE account_id = ? ORDER BY name";
constexpr char kMailAndKeys[] =
    "SELECT (SELECT COUNT(*) FROM domain d JOIN mailbox m ON m.domain_id = d.id WHERE (d.account_id = ? AND ? = 0) OR d.id = ?),"
    " (SELECT CAST(COALESCE(SUM(m.size_bytes), 0) AS SIGNED) FROM domain d JOIN mailbox m ON m.domain_id = d.id"
    " WHERE (d.account_id = ? AND ? = 0) OR d.id = ?),"
    " (SELECT COUNT(*) FROM api_key WHERE account_id = ? AND domain_id IS NULL AND ? = 0),"
    " (SELECT COUNT(*) FROM api_key WHERE domain_id IS NOT NULL AND ((account_id = ? AND ? = 0) OR domain_id = ?))";

Admin::Contents Admin::contents(std::int64_t account, std::int64_t domain)
{
    Contents found;
    const auto add = [&](const char* name, const std::string& value) {
        found.settings.push_back(std::string{name} + " " + value);
    };
    using Setting = std::optional<std::string>;
    const auto add_common = [&](const std::string& state, const Setting& max_mailboxes) {
        if (state != mailbox::text(mailbox::State::active)) add("state", state);
        if (max_mailboxes) add("max_mailboxes", *max_mailboxes);
    };
    if (domain == 0) {
        auto settings = connection_.query(kAccountSettings, {account});
        if (!settings.next()) return found;
        const auto [name, state, max_mailboxes] =
            settings.read<std::string, std::string, Setting>();
        found.account = name;
        add_common(state, max_mailboxes);
        auto names = connection_.query(kDomainNames, {account});
        while (names.next()) found.domains.push_back(names.read<std::string>());
    } else {
        auto settings = connection_.query(kDomainSettings, {domain});
        if (!settings.next()) return found;
        const auto [name, state, max_mailboxes, on_duplicate, allows_delete_all, quota_bytes] =
            settings.read<std::string, std::string, Setting, std::string, bool, Setting>();
        found.account = name;
        add_common(state, max_mailboxes);
        if (on_duplicate != "reject") add("on_duplicate", on_duplicate);
        if (allows_delete_all) add("allow_delete_all", "yes");
        if (quota_bytes) add("quota_bytes", *quota_bytes);
    }
    std::tie(found.mailboxes, found.bytes, found.keys, found.domain_keys) =
        connection_
            .query(kMailAndKeys, {account, domain, domain, account, domain, domain, account, domain,
                                  account, domain, domain})
            .only<std::int64_t, std::int64_t, std::int64_t, std::int64_t>();
    return found;
}

Admin::Contents Admin::contents_of_account(const std::string& name)
{
    return contents(account_id(name), 0);
}

Admin::Contents Admin::contents_of_domain(const mailbox::Domain& domain)
{
    return contents(0, domain_id(domain.name()));
}

constexpr char kDomainsOfAccount[] = "SELECT id, name FROM domain WHERE account_id = ?";
constexpr char kDeleteKeysOfAccount[] = "DELETE FROM api_key WHERE account_id = ?";
constexpr char kDeleteAccount[] = "DELETE FROM account WHERE id = ?";

Admin::Contents Admin::remove_account(const std::string& name)
{
    const auto id = account_id(name);
    Contents removed;
    db::in_transaction(connection_, [&] {
        removed = contents(id, 0);
        auto domains = connection_.query(kDomainsOfAccount, {id});
        while (domains.next()) {
            const auto [domain_id, domain] = domains.read<std::int64_t, std::string>();
            empty_and_delete_domain(domain_id, domain);
        }
        connection_.execute(kDeleteKeysOfAccount, {id});
        connection_.execute(kDeleteAccount, {id});
        audit("account-remove", "", name);
        store::end_all_sessions(connection_);
    });
    return removed;
}

constexpr char kSetMaxOfAccount[] = "UPDATE account SET max_mailboxes = ? WHERE id = ?";

void Admin::set_account(const std::string& name, const std::string& setting,
                        const std::string& value)
{
    const auto id = account_id(name);
    if (setting != "max_mailboxes")
        throw Refused("an account has no setting " + setting
                      + "; mailboxctl account set --help lists them");
    db::in_transaction(connection_, [&] {
        connection_.execute(kSetMaxOfAccount, {number_or_none(setting, value), id});
        audit("account-set", "", name);
    });
}

constexpr char kAccountState[] = "SELECT state FROM account WHERE id = ? FOR UPDATE";
constexpr char kSetAccountState[] = "UPDATE account SET state = ? WHERE id = ?";

mailbox::State Admin::set_account_state(const std::string& name, mailbox::State wanted)
{
    const auto id = account_id(name);
    auto state = wanted;
    db::in_transaction(connection_, [&] {
        auto rows = connection_.query(kAccountState, {id});
        if (!rows.next()) throw Refused("the account " + name + " was removed just now");
        state = mailbox::after(mailbox::state_of(rows.read<std::string>()), wanted);
        if (state != mailbox::State::active) store::end_all_sessions(connection_);
        if (state != wanted) return;
        connection_.execute(kSetAccountState, {mailbox::text(state), id});
        audit("account-" + std::string{action_of(state)}, "", name);
    });
    return state;
}

}  // namespace admin
