#include "db/accounts.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <tuple>

#include "base/strings.h"
#include "db/audit.h"
#include "db/mailbox_settings.h"
#include "db/mailboxes.h"
#include "db/transaction.h"

namespace admin {

namespace {

// The name appears in commands and logs, so it has no characters that are special there.
void check_letters(const std::string& name)
{
    constexpr std::string_view kAllowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (name.empty() || name.size() > 64 || name.find_first_not_of(kAllowed) != std::string::npos
        || name[0] == '-') {
        throw Refused(
            "bad_name",
            "an account's name has 1 to 64 letters, digits, dots, hyphens or underscores");
    }
}

}  // namespace

void check_account_name(const std::string& name)
{
    check_letters(name);
    const auto is_name = [&](std::string_view actor) {
        return strings::equals_ignoring_case(name, actor);
    };
    // The audit log shows changes to an account and changes by an actor under the same name.
    if (std::any_of(audit::kActors.begin(), audit::kActors.end(), is_name)) {
        throw Refused(
            "bad_name",
            "an account cannot be called " + name
                + ": the audit log uses that name for who made a change; choose another name");
    }
}

namespace {

// An account's name appears in the audit log beside the ids of keys.
void check_no_key(db::Connection& connection, const std::string& name)
{
    static constexpr char kKey[] = "SELECT 1 FROM api_key WHERE id = ?";
    if (connection.query(kKey, {name}).next()) {
        throw Refused(
            "bad_name",
            "an account cannot be called " + name
                + ": a key has that id, and the audit log would show both; choose another name");
    }
}

void check_new_name(db::Connection& connection, const std::string& name)
{
    check_account_name(name);
    check_no_key(connection, name);
}

[[noreturn]] void refuse_existing(const std::string& name)
{
    throw Refused("account_exists", "there is an account " + name + " already");
}

[[noreturn]] void refuse_unknown_account()
{
    throw Refused("account_not_found", "there is no such account",
                  "mailboxctl account list shows what there is");
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

std::int64_t parse_size(const std::string& text)
{
    if (const auto size = Config::size(text)) return *size;
    throw Refused("bad_parameter",
                  "'" + text + "' is not a size; use 500M, 2G or a number of bytes, at most 1024T");
}

Limit limit_of(const std::string& setting, const std::string& value)
{
    if (value == "none") return {};
    const auto number = strings::whole_number(value, std::numeric_limits<std::uint32_t>::max());
    if (!number)
        throw Refused("bad_parameter",
                      setting + " is a whole number from 0 to 4294967295, or none");
    return static_cast<std::int64_t>(*number);
}

Limit quota_of(const std::string& value)
{
    if (value == "none") return {};
    return parse_size(value);
}

store::Quota quota_of_mailbox(const std::string& value)
{
    if (value == "default") return {};
    if (value == "none") return store::kNoQuota;
    return parse_size(value);
}

// --- accounts ---------------------------------------------------------------------------

constexpr char kAccountId[] = "SELECT id FROM account WHERE name = ?";

std::int64_t Admin::account_id(const std::string& name)
{
    check_letters(name);
    if (const auto id = connection().query(kAccountId, {name}).first<std::int64_t>()) return *id;
    throw Refused("account_not_found", "there is no account " + name,
                  "mailboxctl account list shows what there is");
}

namespace {

// The sums come from the domains' rows, so they cost as much as the account has domains.
constexpr db::Text kAccountColumns{
    "SELECT a.id, a.name, a.state, a.max_mailboxes, a.max_domains, a.aliases, a.max_aliases, a.created_at, a.updated_at, COUNT(d.id),"
    " CAST(COALESCE(SUM(d.mailboxes), 0) AS SIGNED), CAST(COALESCE(SUM(d.size_bytes), 0) AS SIGNED)"};
constexpr char kWithDomains[] = " LEFT JOIN domain d ON d.account_id = a.id";
constexpr char kOneRowEach[] =
    " GROUP BY a.id, a.name, a.state, a.max_mailboxes, a.max_domains, a.aliases, a.max_aliases, a.created_at, a.updated_at";

constexpr auto kAccount =
    kAccountColumns + " FROM account a" + kWithDomains + " WHERE a.id = ?" + kOneRowEach;

Account account_of(const db::Rows& rows)
{
    Account account;
    std::string state;
    std::tie(account.id, account.name, state, account.max_mailboxes, account.max_domains,
             account.aliases, account.max_aliases, account.created_at, account.updated_at,
             account.domains, account.mailboxes, account.size_bytes) =
        rows.read<std::int64_t, std::string, std::string, Limit, std::int64_t, std::int64_t, Limit,
                  std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>();
    account.state = mailbox::state_of(state);
    return account;
}

}  // namespace

std::optional<Account> Admin::find_account(std::int64_t id)
{
    auto rows = connection().query(kAccount, {id});
    if (!rows.next()) return std::nullopt;
    return account_of(rows);
}

namespace {

// The page is chosen before the sums are made, so only its accounts are summed up. A prefix has no
// wildcard, because a name has neither % nor \\; the service escapes _.
constexpr db::Text kSelectedAccounts{
    " FROM account WHERE name LIKE ? AND (? < 0 OR (state = 'active') = ?)"};
constexpr auto kCountAccounts = db::Text{"SELECT COUNT(*)"} + kSelectedAccounts;
template <std::size_t size>
constexpr auto accounts_statement(const char (&order)[size])
{
    return kAccountColumns + " FROM (SELECT *" + kSelectedAccounts + " ORDER BY " + order
           + " LIMIT ? OFFSET ?) a" + kWithDomains + kOneRowEach + " ORDER BY a." + order;
}
constexpr auto kByName = accounts_statement("name");
constexpr auto kByNameDescending = accounts_statement("name DESC");

// Returns the pattern for LIKE that matches what begins with the text.
std::string pattern_of_prefix(std::string_view text)
{
    std::string pattern;
    for (const char c : text) {
        if (c == '%' || c == '_' || c == '\\') pattern += '\\';
        pattern += c;
    }
    return pattern + "%";
}

}  // namespace

AccountPage Admin::accounts(const AccountSelection& selection)
{
    const auto pattern = pattern_of_prefix(selection.prefix);
    const std::int64_t wanted = selection.is_active ? std::int64_t{*selection.is_active} : -1;
    AccountPage page;
    page.total = connection().query(kCountAccounts, {pattern, wanted, wanted}).only<std::int64_t>();
    const auto values = {db::Value{pattern}, db::Value{wanted}, db::Value{wanted},
                         db::Value{selection.limit}, db::Value{selection.skip}};
    const bool is_descending = selection.order == AccountSelection::Order::by_name_descending;
    auto rows = is_descending ? connection().query(kByNameDescending, values)
                              : connection().query(kByName, values);
    while (rows.next()) page.items.push_back(account_of(rows));
    return page;
}

constexpr char kInsertAccount[] =
    "INSERT INTO account (name, max_mailboxes, max_domains, max_aliases, created_at, updated_at)"
    " VALUES (?, ?, ?, ?, UNIX_TIMESTAMP(), UNIX_TIMESTAMP())";

Account Admin::add_account(const AccountSettings& settings, const Last<Account>& last)
{
    const auto name = settings.name.value_or("");
    check_new_name(connection(), name);
    std::optional<Account> made;
    try {
        transaction([&] {
            connection().execute(kInsertAccount,
                                 {name, store::value_of(settings.max_mailboxes.value_or(Limit{})),
                                  settings.max_domains.value_or(0),
                                  store::value_of(settings.max_aliases.value_or(Limit{}))});
            audit("account-add", "", name);
            made = find_account(account_id(name));
            if (last) last(connection(), made.value());
        });
    } catch (const db::DuplicateKey&) {
        refuse_existing(name);
    }
    return made.value();
}

std::int64_t Admin::add_account(const std::string& name)
{
    AccountSettings settings;
    settings.name = name;
    return add_account(settings).id;
}

constexpr char kLockAccount[] = "SELECT name FROM account WHERE id = ? FOR UPDATE";
constexpr char kSetAccount[] =
    "UPDATE account SET name = ?, max_mailboxes = ?, max_domains = ?, max_aliases = ?, updated_at = UNIX_TIMESTAMP() WHERE id = ?";

Account Admin::change_account(std::int64_t id, const AccountSettings& settings)
{
    if (settings.name) check_new_name(connection(), *settings.name);
    std::optional<Account> changed;
    try {
        transaction([&] {
            if (connection().query(kLockAccount, {id}).count() == 0) refuse_unknown_account();
            const auto before = find_account(id).value();
            connection().execute(
                kSetAccount,
                {settings.name.value_or(before.name),
                 store::value_of(settings.max_mailboxes.value_or(before.max_mailboxes)),
                 settings.max_domains.value_or(before.max_domains),
                 store::value_of(settings.max_aliases.value_or(before.max_aliases)), id});
            audit("account-set", "", settings.name.value_or(before.name));
            changed = find_account(id);
        });
    } catch (const db::DuplicateKey&) {
        refuse_existing(*settings.name);
    }
    return changed.value();
}

constexpr char kAccounts[] =
    "SELECT a.name, a.state, (SELECT COUNT(*) FROM domain d WHERE d.account_id = a.id),"
    " (SELECT COALESCE(SUM(d.mailboxes), 0) FROM domain d WHERE d.account_id = a.id), COALESCE(a.max_mailboxes, '-'), a.created_at"
    " FROM account a ORDER BY a.name";

Table Admin::accounts()
{
    Table table{{"ACCOUNT", "STATE", "DOMAINS", "MAILBOXES", "ALLOWANCE", "CREATED"}};
    auto rows = connection().query(kAccounts);
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
    " (SELECT COUNT(*) FROM api_key WHERE domain_id IS NOT NULL AND ((account_id = ? AND ? = 0) OR domain_id = ?)),"
    " (SELECT aliases FROM domain WHERE id = ? UNION SELECT aliases FROM account WHERE id = ?)";

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
        auto settings = connection().query(kAccountSettings, {account});
        if (!settings.next()) return found;
        const auto [name, state, max_mailboxes] =
            settings.read<std::string, std::string, Setting>();
        found.account = name;
        add_common(state, max_mailboxes);
        auto names = connection().query(kDomainNames, {account});
        while (names.next()) found.domains.push_back(names.read<std::string>());
    } else {
        auto settings = connection().query(kDomainSettings, {domain});
        if (!settings.next()) return found;
        const auto [name, state, max_mailboxes, on_duplicate, allows_delete_all, quota_bytes] =
            settings.read<std::string, std::string, Setting, std::string, bool, Setting>();
        found.account = name;
        add_common(state, max_mailboxes);
        if (on_duplicate != "reject") add("on_duplicate", on_duplicate);
        if (allows_delete_all) add("allow_delete_all", "yes");
        if (quota_bytes) add("quota_bytes", *quota_bytes);
    }
    std::tie(found.mailboxes, found.bytes, found.keys, found.domain_keys, found.aliases) =
        connection()
            .query(kMailAndKeys, {account, domain, domain, account, domain, domain, account, domain,
                                  account, domain, domain, domain, account})
            .only<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>();
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
constexpr char kDeleteCatchAll[] = "DELETE FROM alias WHERE account_id = ? AND domain_id = 0";
constexpr char kDeleteAccount[] = "DELETE FROM account WHERE id = ?";
// A domain has a postmaster from its beginning. One that never got mail is nothing to ask about.
constexpr char kUsedMailboxesOfAccount[] =
    "SELECT COUNT(*) FROM domain d JOIN mailbox m ON m.domain_id = d.id"
    " WHERE d.account_id = ? AND NOT (m.local_part = 'postmaster' AND m.size_bytes = 0)";

void Admin::refuse_if_any(std::int64_t mailboxes, const std::string& of)
{
    if (mailboxes == 0) return;
    throw Refused(
        "has_mailboxes",
        of + " has " + std::to_string(mailboxes) + (mailboxes == 1 ? " mailbox" : " mailboxes")
            + ", which would be deleted, too; nothing was changed. Add with_mailboxes=yes to delete all of it",
        "", Refused::Outcome::said);
}

Admin::Contents Admin::remove_account(std::int64_t id, Mailboxes mailboxes)
{
    Contents removed;
    transaction([&] {
        const auto name = connection().query(kLockAccount, {id}).first<std::string>();
        if (!name) refuse_unknown_account();
        removed = contents(id, 0);
        if (mailboxes == Mailboxes::must_not_exist)
            refuse_if_any(connection().query(kUsedMailboxesOfAccount, {id}).only<std::int64_t>(),
                          "the account " + *name);
        auto domains = connection().query(kDomainsOfAccount, {id});
        while (domains.next()) {
            const auto [domain_id, domain] = domains.read<std::int64_t, std::string>();
            empty_and_delete_domain(domain_id, domain);
        }
        connection().execute(kDeleteKeysOfAccount, {id});
        connection().execute(kDeleteCatchAll, {id});
        connection().execute(kDeleteAccount, {id});
        audit("account-remove", "", *name);
        store::end_all_sessions(connection());
    });
    return removed;
}

Admin::Contents Admin::remove_account(const std::string& name)
{
    return remove_account(account_id(name), Mailboxes::may_be_removed);
}

void Admin::set_account(const std::string& name, const std::string& setting,
                        const std::string& value)
{
    AccountSettings settings;
    if (setting == "max_mailboxes") {
        settings.max_mailboxes = limit_of(setting, value);
    } else if (setting == "max_aliases") {
        settings.max_aliases = limit_of(setting, value);
    } else if (setting == "max_domains") {
        settings.max_domains = limit_of(setting, value);
        if (!*settings.max_domains)
            throw Refused("max_domains is a whole number; 0: the account's keys can add none");
    } else {
        throw Refused("an account has no setting " + setting
                      + "; mailboxctl account set --help lists them");
    }
    change_account(account_id(name), settings);
}

constexpr char kAccountState[] = "SELECT name, state FROM account WHERE id = ? FOR UPDATE";
constexpr char kSetAccountState[] =
    "UPDATE account SET state = ?, updated_at = UNIX_TIMESTAMP() WHERE id = ?";

mailbox::State Admin::set_account_state(std::int64_t id, mailbox::State wanted)
{
    auto state = wanted;
    transaction([&] {
        const auto before =
            connection().query(kAccountState, {id}).first<std::string, std::string>();
        if (!before) refuse_unknown_account();
        const auto& [name, state_before] = *before;
        state = mailbox::after(mailbox::state_of(state_before), wanted);
        if (state != mailbox::State::active) store::end_all_sessions(connection());
        if (state != wanted) return;
        connection().execute(kSetAccountState, {mailbox::text(state), id});
        audit("account-" + std::string{action_of(state)}, "", name);
    });
    return state;
}

mailbox::State Admin::set_account_state(const std::string& name, mailbox::State wanted)
{
    return set_account_state(account_id(name), wanted);
}

}  // namespace admin
