#include "db/accounts.h"

#include <algorithm>
#include <ctime>
#include <limits>

#include "base/crypto.h"
#include "base/ip_range.h"
#include "base/strings.h"
#include "db/audit.h"
#include "db/mailboxes.h"
#include "mail/api_key.h"
#include "mail/unicode.h"

namespace admin {
namespace {

// An account's name stands in commands and logs: letters, digits, dot, hyphen, underscore.
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

// The audit log shows what was done to an account and what an actor did under one name.
void check_no_actor(db::Connection& connection, const std::string& name)
{
    constexpr char kKey[] = "SELECT 1 FROM api_key WHERE id = ?";
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

// As long as its column, and one line of a listing.
void check_label(const std::string& label)
{
    constexpr std::size_t kLongest = 100;
    if (!strings::is_utf8(label) || strings::has_control_character(label)
        || strings::characters(label) > kLongest) {
        throw Refused(
            "a key's label has at most 100 characters, in UTF-8, and no line end or other control character");
    }
}

// What a column that may be NULL takes.
db::Value number_or_none(const std::string& setting, const std::string& value)
{
    if (value == "none") return db::Null{};
    const auto number = strings::whole_number(value, std::numeric_limits<std::uint32_t>::max());
    if (!number) throw Refused(setting + " is a whole number from 0 to 4294967295, or none");
    return static_cast<std::int64_t>(*number);
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
    if (!rows.next())
        throw Refused("there is no account " + name
                      + "; mailboxctl account list shows what there is");
    return rows.integer(1);
}

constexpr char kDomain[] =
    "SELECT d.id, a.name FROM domain d JOIN account a ON a.id = d.account_id WHERE d.name = ?";

std::optional<Admin::Domain> Admin::find_domain(const std::string& name)
{
    auto rows = connection_.query(kDomain, {name});
    if (!rows.next()) return std::nullopt;
    return Domain{rows.integer(1), rows.text(2)};
}

constexpr char kStates[] =
    "SELECT a.name, a.state, d.state FROM domain d JOIN account a ON a.id = d.account_id WHERE d.name = ?";

std::vector<Admin::Suspended> Admin::suspended_above_mailbox(const std::string& domain)
{
    const auto active = mailbox::text(mailbox::State::active);
    std::vector<Suspended> found;
    auto rows = connection_.query(kStates, {domain});
    if (!rows.next()) return found;
    if (rows.text(2) != active) found.push_back({"account", rows.text(1), rows.text(2)});
    if (rows.text(3) != active) found.push_back({"domain", domain, rows.text(3)});
    return found;
}

std::vector<Admin::Suspended> Admin::suspended_above_domain(const std::string& domain)
{
    auto found = suspended_above_mailbox(domain);
    std::erase_if(found, [](const Suspended& each) { return each.level == "domain"; });
    return found;
}

std::int64_t Admin::domain_id(const std::string& name)
{
    if (const auto found = find_domain(name)) return found->id;
    throw Refused("there is no domain " + name + "; mailboxctl domain list shows what there is");
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
        table.push_back({rows.text(1), rows.text(2), rows.text(3), rows.text(4), rows.text(5),
                         time_text(rows.integer(6))});
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
    auto settings = domain == 0 ? connection_.query(kAccountSettings, {account})
                                : connection_.query(kDomainSettings, {domain});
    if (!settings.next()) return found;
    found.account = settings.text(1);
    if (settings.text(2) != mailbox::text(mailbox::State::active)) add("state", settings.text(2));
    if (!settings.is_null(3)) add("max_mailboxes", settings.text(3));
    if (domain != 0) {
        if (settings.text(4) != "reject") add("on_duplicate", settings.text(4));
        if (settings.integer(5) != 0) add("allow_delete_all", "yes");
        if (!settings.is_null(6)) add("quota_bytes", settings.text(6));
    }
    if (domain == 0) {
        auto names = connection_.query(kDomainNames, {account});
        while (names.next()) found.domains.push_back(names.text(1));
    }
    auto counts = connection_.query(kMailAndKeys, {account, domain, domain, account, domain, domain,
                                                   account, domain, account, domain, domain});
    counts.next();
    found.mailboxes = counts.integer(1);
    found.bytes = counts.integer(2);
    found.keys = counts.integer(3);
    found.domain_keys = counts.integer(4);
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
        while (domains.next()) empty_and_delete_domain(domains.integer(1), domains.text(2));
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
        state = mailbox::after(mailbox::state_of(rows.text(1)), wanted);
        if (state != mailbox::State::active) store::end_all_sessions(connection_);
        if (state != wanted) return;
        connection_.execute(kSetAccountState, {mailbox::text(state), id});
        audit("account-" + std::string{action_of(state)}, "", name);
    });
    return state;
}

constexpr char kInsertDomain[] =
    "INSERT INTO domain (account_id, name, unicode_name, quota_bytes, created_at) VALUES (?, ?, ?, NULLIF(?, 0), UNIX_TIMESTAMP())";

std::int64_t Admin::add_domain(const mailbox::Domain& domain, const std::string& account,
                               std::int64_t quota_bytes)
{
    if (const auto why = mailbox::obstacle_to_hosting(domain); !why.empty()) {
        throw Refused(
            domain.text() + " cannot be added: " + std::string{why}
                + "; nothing was changed. Give the part of its mail addresses after the @",
            Refused::Outcome::said);
    }
    const auto account_number = account_id(account);
    try {
        db::in_transaction(connection_, [&] {
            const auto unicode_name = unicode::u_labels(domain.name());
            connection_.execute(kInsertDomain,
                                {account_number, domain.name(),
                                 unicode_name ? db::Value{*unicode_name} : db::Value{},
                                 quota_bytes});
            audit("domain-add", domain.name(), "");
        });
    } catch (const db::DuplicateKey&) {
        throw Refused("there is a domain " + domain.text() + " already");
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
        table.push_back({rows.text(1), rows.text(2), rows.text(3), rows.text(4), rows.text(5),
                         rows.text(6), time_text(rows.integer(7))});
    }
    return table;
}

constexpr char kAllNames[] = "SELECT name FROM domain ORDER BY name";

std::vector<std::string> Admin::domain_names()
{
    auto rows = connection_.query(kAllNames);
    std::vector<std::string> names;
    while (rows.next()) names.push_back(rows.text(1));
    return names;
}

constexpr char kSetOnDuplicate[] = "UPDATE domain SET on_duplicate = ? WHERE id = ?";
constexpr char kSetAllowDeleteAll[] = "UPDATE domain SET allow_delete_all = ? WHERE id = ?";
constexpr char kSetMaxMailboxes[] = "UPDATE domain SET max_mailboxes = ? WHERE id = ?";
constexpr char kSetQuota[] = "UPDATE domain SET quota_bytes = ? WHERE id = ?";

void Admin::set_domain(const mailbox::Domain& domain, const std::string& setting,
                       const std::string& value)
{
    const auto id = domain_id(domain.name());
    db::in_transaction(connection_, [&] {
        if (setting == "on_duplicate") {
            if (value != "reject" && value != "update")
                throw Refused("on_duplicate is reject or update");
            connection_.execute(kSetOnDuplicate, {value, id});
        } else if (setting == "allow_delete_all") {
            if (value != "yes" && value != "no") throw Refused("allow_delete_all is yes or no");
            connection_.execute(kSetAllowDeleteAll, {std::int64_t{value == "yes"}, id});
        } else if (setting == "max_mailboxes") {
            connection_.execute(kSetMaxMailboxes, {number_or_none(setting, value), id});
        } else if (setting == "quota_bytes") {
            connection_.execute(kSetQuota,
                                {value == "none" ? db::Value{} : db::Value{parse_size(value)}, id});
        } else {
            throw Refused("a domain has no setting " + setting
                          + "; mailboxctl domain set --help lists them");
        }
        audit("domain-set", domain.name(), "");
    });
}

constexpr char kDomainState[] = "SELECT state FROM domain WHERE id = ? FOR UPDATE";
constexpr char kSetDomainState[] = "UPDATE domain SET state = ? WHERE id = ?";

mailbox::State Admin::set_domain_state(const mailbox::Domain& domain, mailbox::State wanted)
{
    const auto id = domain_id(domain.name());
    auto state = wanted;
    db::in_transaction(connection_, [&] {
        auto rows = connection_.query(kDomainState, {id});
        if (!rows.next()) throw Refused("the domain " + domain.name() + " was removed just now");
        state = mailbox::after(mailbox::state_of(rows.text(1)), wanted);
        if (state != mailbox::State::active) store::end_all_sessions(connection_);
        if (state != wanted) return;
        connection_.execute(kSetDomainState, {mailbox::text(state), id});
        audit("domain-" + std::string{action_of(state)}, domain.name(), "");
    });
    return state;
}

constexpr char kMailboxesOfDomain[] = "SELECT mailboxes FROM domain WHERE id = ?";

std::int64_t Admin::mailboxes_of_domain(const mailbox::Domain& domain)
{
    auto rows = connection_.query(kMailboxesOfDomain, {domain_id(domain.name())});
    rows.next();
    return rows.integer(1);
}

// By the name and then the row, as the triggers come to it that a delivery starts: in the other
// order the two could wait for each other.
constexpr char kLockDomain[] = "UPDATE domain SET mailboxes = 0 WHERE name = ?";
constexpr char kKeepDomain[] =
    "INSERT INTO deleted_domain (id, account_id, account, name, unicode_name, state, on_duplicate, allow_delete_all, max_mailboxes, quota_bytes,"
    " last_id, created_at, deleted_at)"
    " SELECT d.id, a.id, a.name, d.name, d.unicode_name, d.state, d.on_duplicate, d.allow_delete_all, d.max_mailboxes, d.quota_bytes, d.last_id,"
    " d.created_at, UNIX_TIMESTAMP() FROM domain d JOIN account a ON a.id = d.account_id WHERE d.id = ?";
constexpr char kKeepKeys[] =
    "INSERT INTO deleted_key (id, hash, domain_id, read_only, addresses, label, created_at, expires_at, revoked_at)"
    " SELECT id, hash, domain_id, read_only, addresses, label, created_at, expires_at, revoked_at FROM api_key WHERE domain_id = ?";
constexpr char kDeleteMailboxes[] = "DELETE FROM mailbox WHERE domain_id = ?";
constexpr char kDeleteDomain[] = "DELETE FROM domain WHERE id = ?";

void Admin::empty_and_delete_domain(std::int64_t id, const std::string& name)
{
    connection_.execute(kLockDomain, {name});  // from here on nobody adds a mailbox
    connection_.execute(kKeepDomain, {id});
    connection_.execute(kKeepKeys, {id});
    store::keep_deleted(connection_, name, id, 0, std::numeric_limits<std::int64_t>::max(),
                        audit::kOperator, store::Goes::with_domain);
    connection_.execute(kDeleteMailboxes, {id});
    connection_.execute(kDeleteDomain, {id});
    audit("domain-remove", name, "");
}

Admin::Contents Admin::remove_domain(const mailbox::Domain& domain)
{
    const auto id = domain_id(domain.name());
    Contents removed;
    db::in_transaction(connection_, [&] {
        connection_.execute(kLockDomain, {domain.name()});
        removed = contents(0, id);
        empty_and_delete_domain(id, domain.name());
        store::end_all_sessions(connection_);
    });
    return removed;
}

// --- a domain comes back --------------------------------------------------------------

constexpr char kRemoved[] =
    "SELECT d.id, d.account_id, d.account, d.name, d.state, d.deleted_at, UNIX_TIMESTAMP() - d.deleted_at,"
    " (SELECT COUNT(*) FROM deleted_mailbox m WHERE m.domain = d.name AND m.domain_id = d.id AND m.with_domain AND m.purged_at IS NULL),"
    " (SELECT CAST(COALESCE(SUM(m.size_bytes), 0) AS SIGNED) FROM deleted_mailbox m WHERE m.domain = d.name AND m.domain_id = d.id"
    " AND m.with_domain AND m.purged_at IS NULL),"
    " (SELECT COUNT(*) FROM deleted_key k WHERE k.domain_id = d.id)"
    " FROM deleted_domain d WHERE ? IN ('', d.name) ORDER BY d.deleted_at DESC, d.id DESC";

std::vector<Admin::Removed> Admin::removed_domains(const std::string& name)
{
    auto rows = connection_.query(kRemoved, {name});
    std::vector<Removed> found;
    while (rows.next()) {
        found.push_back({rows.integer(1), rows.integer(2), rows.text(3), rows.text(4), rows.text(5),
                         rows.integer(6), rows.integer(7), rows.integer(8), rows.integer(9),
                         rows.integer(10)});
    }
    return found;
}

Admin::Removed Admin::restorable(const std::string& name, std::int64_t id,
                                 std::chrono::seconds grace)
{
    const auto all = removed_domains(name);
    const auto living = find_domain(name);
    if (all.empty()) {
        throw Refused(
            living
                ? "the domain " + name
                      + " is there already, and nothing is kept of a removed one; mailboxctl domain list shows it"
                : "nothing is kept of a removed domain " + name
                      + ": there was none, or it was removed longer ago than deleted_for, or"
                        " it was erased; mailboxctl domain list --deleted shows those that can be restored");
    }
    const auto chosen = std::find_if(all.begin(), all.end(),
                                     [&](const Removed& each) { return id == 0 || each.id == id; });
    if (chosen == all.end()) {
        throw Refused("no removed domain " + name + " has the id " + std::to_string(id)
                      + "; mailboxctl domain list --deleted shows those that there are");
    }
    if (chosen->age >= grace.count()) {
        throw Refused("the domain " + name + ", removed at " + time_text(chosen->deleted_at)
                      + ", cannot be restored any more: that was possible for "
                      + std::to_string(std::chrono::duration_cast<std::chrono::days>(grace).count())
                      + " days (deleted_for), and the janitor removes its mail");
    }
    if (living) {
        throw Refused(
            "the name " + name + " is taken: the domain was added again after it was removed at "
            + time_text(chosen->deleted_at) + ", and belongs to the account " + living->account
            + " now. To bring the removed one back, remove the present one first"
            + " (mailboxctl domain remove " + name + "), then mailboxctl domain restore " + name
            + " --id " + std::to_string(chosen->id));
    }
    return *chosen;
}

constexpr char kLockRemoved[] = "SELECT id FROM deleted_domain WHERE id = ? FOR UPDATE";
// With the id that it had, which no other domain gets. The last id is another one than before, so
// that nobody takes a page or a range that was read before the removal for a present one.
constexpr char kBringDomain[] =
    "INSERT INTO domain (id, account_id, name, unicode_name, state, on_duplicate, allow_delete_all, max_mailboxes, quota_bytes, mailboxes, last_id, created_at)"
    " SELECT id, ?, name, unicode_name, state, on_duplicate, allow_delete_all, max_mailboxes, quota_bytes, 0, last_id + 1, created_at"
    " FROM deleted_domain WHERE id = ?";
constexpr char kLockMailboxes[] =
    "SELECT storage_id FROM deleted_mailbox WHERE domain = ? AND domain_id = ? AND with_domain AND purged_at IS NULL FOR UPDATE";
// In the order that they had. Sessions from before the removal have names that are not in force any
// more.
constexpr char kBringMailboxes[] =
    "INSERT INTO mailbox (domain_id, id, local_part, created_at, size_bytes, state, storage_id, password, generation, quota_bytes)"
    " SELECT domain_id, ROW_NUMBER() OVER (ORDER BY place, created_at, storage_id), local_part, created_at, size_bytes, state, storage_id,"
    " password, generation + 1, quota_bytes"
    " FROM deleted_mailbox WHERE domain = ? AND domain_id = ? AND with_domain AND purged_at IS NULL";
constexpr char kForgetMailboxes[] =
    "DELETE FROM deleted_mailbox WHERE domain = ? AND domain_id = ? AND with_domain AND purged_at IS NULL";
constexpr char kSetCount[] =
    "UPDATE domain SET mailboxes = ?, last_id = GREATEST(last_id, ?) WHERE id = ?";
constexpr char kBringKeys[] =
    "INSERT INTO api_key (id, hash, account_id, account_state, domain_id, read_only, addresses, label, created_at, expires_at, revoked_at)"
    " SELECT k.id, k.hash, a.id, a.state, k.domain_id, k.read_only, k.addresses, k.label, k.created_at, k.expires_at, k.revoked_at"
    " FROM deleted_key k JOIN account a ON a.id = ? WHERE k.domain_id = ?";
constexpr char kForgetDomain[] = "DELETE FROM deleted_domain WHERE id = ?";  // and its keys

void Admin::restore_mailboxes(const Removed& removed)
{
    const auto count = static_cast<std::int64_t>(
        connection_.query(kLockMailboxes, {removed.name, removed.id}).count());
    connection_.execute(kBringMailboxes, {removed.name, removed.id});
    connection_.execute(kForgetMailboxes, {removed.name, removed.id});
    store::count_ranges(connection_, removed.id, count);
    connection_.execute(kSetCount, {count, count, removed.id});
}

constexpr char kTakeTurn[] =
    "UPDATE account SET creations = creations + 1 WHERE id = ? AND max_mailboxes IS NOT NULL";
constexpr char kAllowance[] =
    "SELECT a.max_mailboxes, CAST(SUM(d.mailboxes) AS SIGNED) FROM account a JOIN domain d ON d.account_id = a.id WHERE a.id = ?"
    " GROUP BY a.id, a.max_mailboxes";

// Where an account has a limit, creations in all its domains wait for each other.
void Admin::take_allowance(std::int64_t account, const std::string& name, const std::string& domain)
{
    if (connection_.execute(kTakeTurn, {account}) == 0) return;
    auto rows = connection_.query(kAllowance, {account});
    if (!rows.next() || rows.integer(2) <= rows.integer(1)) return;
    throw Refused("the account " + name + " may have " + rows.text(1)
                      + " mailboxes (max_mailboxes), and would have " + rows.text(2)
                      + " with the domain " + domain
                      + "; nothing was restored. mailboxctl account set " + name
                      + " max_mailboxes=" + rows.text(2) + " makes room",
                  Refused::Outcome::said);
}

constexpr char kAccountName[] = "SELECT name FROM account WHERE id = ? FOR UPDATE";

Admin::Removed Admin::restore_domain(const mailbox::Domain& domain, std::chrono::seconds grace,
                                     std::int64_t id, const std::string& account)
{
    auto removed = restorable(domain.name(), id, grace);
    const auto other = account.empty() ? 0 : account_id(account);
    try {
        db::in_transaction(connection_, [&] {
            auto own = connection_.query(kAccountName, {removed.account_id});
            const bool has_own = own.next();
            if (has_own && other != 0 && other != removed.account_id) {
                throw Refused("the domain " + domain.name() + " belongs to the account "
                              + own.text(1) + ", which is there; it comes back to that one only");
            }
            if (!has_own && other == 0) {
                throw Refused(
                    "the account " + removed.account + " that the domain " + domain.name()
                    + " belonged to was removed, too; --account NAME"
                      " brings the domain back into another one (mailboxctl account add NAME makes one)");
            }
            if (connection_.query(kLockRemoved, {removed.id}).count() == 0) {
                throw Refused("the domain " + domain.name()
                              + " cannot be restored any more: just now it was restored or erased");
            }
            const auto to = has_own ? removed.account_id : other;
            removed.account = has_own ? own.text(1) : account;
            connection_.execute(kBringDomain, {to, removed.id});
            restore_mailboxes(removed);
            connection_.execute(kBringKeys, {to, removed.id});
            connection_.execute(kForgetDomain, {removed.id});
            take_allowance(to, removed.account, domain.name());
            audit("domain-restore", domain.name(), "");
        });
    } catch (const db::DuplicateKey&) {
        throw Refused("the name " + domain.name()
                      + " is taken: it was added again just now; mailboxctl domain list shows it");
    }
    return removed;
}

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
        domain = rows.integer(1);
    }
    for (const auto& range : wanted.addresses) {
        if (!ip_range::is_range(range))
            throw Refused(range + " is no address or range such as 192.0.2.0/24 or 2001:db8::/32");
    }
    const auto ranges = strings::joined(wanted.addresses, " ");
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
        table.push_back({rows.text(1), rows.text(2), rows.is_null(3) ? "all" : rows.text(3),
                         rows.text(4), rows.is_null(5) ? "anywhere" : rows.text(5),
                         time_text(rows.integer(6)), last_moment(rows.integer(7)),
                         time_text(rows.integer(8)), or_dash(rows.text(9))});
    }
    return table;
}

constexpr char kRevokeKey[] =
    "UPDATE api_key SET revoked_at = UNIX_TIMESTAMP() WHERE id = ? AND revoked_at IS NULL";

// Of a removed domain: it comes back with the domain, revoked.
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
