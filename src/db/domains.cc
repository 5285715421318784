// domains.cc - what admin::Admin does to domains; accounts.h declares it.

#include <algorithm>
#include <limits>
#include <tuple>

#include "db/accounts.h"
#include "db/audit.h"
#include "db/mailbox_settings.h"
#include "db/mailboxes.h"
#include "db/skip_index.h"
#include "db/transaction.h"
#include "mail/api_key.h"
#include "mail/unicode.h"

namespace admin {
namespace {

constexpr char kDetails[] =
    "SELECT d.id, d.account_id, a.name, d.name, d.state, d.on_duplicate = 'update', d.allow_delete_all, d.max_mailboxes,"
    " d.quota_bytes, d.aliases, d.max_aliases, d.system_addresses, d.forward_outside, d.mailboxes, d.size_bytes, d.created_at"
    " FROM domain d JOIN account a ON a.id = d.account_id WHERE d.id = ?";

[[noreturn]] void refuse_unknown_domain(const std::string& name)
{
    throw Refused("domain_not_found", "there is no domain " + name,
                  "mailboxctl domain list shows what there is");
}

std::string_view text_of_duplicates(bool are_updated)
{
    return are_updated ? "update" : "reject";
}

}  // namespace

constexpr char kDomain[] =
    "SELECT d.id, a.name FROM domain d JOIN account a ON a.id = d.account_id WHERE d.name = ?";

std::optional<Admin::Domain> Admin::find_domain(const std::string& name)
{
    auto rows = connection().query(kDomain, {name});
    if (!rows.next()) return std::nullopt;
    auto [id, account] = rows.read<std::int64_t, std::string>();
    return Domain{id, std::move(account)};
}

constexpr char kStates[] =
    "SELECT a.name, a.state, d.state FROM domain d JOIN account a ON a.id = d.account_id WHERE d.name = ?";

std::vector<Admin::Suspended> Admin::suspended_above_mailbox(const std::string& domain)
{
    const auto active = mailbox::text(mailbox::State::active);
    std::vector<Suspended> found;
    auto rows = connection().query(kStates, {domain});
    if (!rows.next()) return found;
    const auto [account, of_account, of_domain] =
        rows.read<std::string, std::string, std::string>();
    if (of_account != active) found.push_back({"account", account, of_account});
    if (of_domain != active) found.push_back({"domain", domain, of_domain});
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
    refuse_unknown_domain(name);
}

std::optional<DomainDetails> Admin::domain_details(std::int64_t id)
{
    auto rows = connection().query(kDetails, {id});
    if (!rows.next()) return std::nullopt;
    DomainDetails found;
    std::string state;
    std::tie(found.id, found.account_id, found.account, found.name, state, found.updates_duplicates,
             found.allows_delete_all, found.max_mailboxes, found.quota_bytes, found.aliases,
             found.max_aliases, found.has_system_addresses, found.forwards_outside, found.mailboxes,
             found.size_bytes, found.created_at) =
        rows.read<std::int64_t, std::int64_t, std::string, std::string, std::string, bool, bool,
                  Limit, Limit, std::int64_t, Limit, bool, bool, std::int64_t, std::int64_t,
                  std::int64_t>();
    found.state = mailbox::state_of(state);
    return found;
}

constexpr char kInsertDomain[] =
    "INSERT INTO domain (account_id, name, unicode_name, state, on_duplicate, allow_delete_all, max_mailboxes, quota_bytes, max_aliases,"
    " system_addresses, forward_outside, created_at)"
    " SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, UNIX_TIMESTAMP() FROM account WHERE id = ?";
constexpr char kMaxDomains[] = "SELECT max_domains FROM account WHERE id = ? FOR UPDATE";
constexpr char kCountDomains[] = "SELECT COUNT(*) FROM domain WHERE account_id = ?";
constexpr char kInsertPostmaster[] =
    "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password)"
    " VALUES (?, ?, ?, UNIX_TIMESTAMP(), ?, ?)";

// The account's row is locked until the transaction ends, so two requests cannot both take the last
// place.
void Admin::check_max_domains(std::int64_t account_id)
{
    const auto most = connection().query(kMaxDomains, {account_id}).first<std::int64_t>();
    if (most && connection().query(kCountDomains, {account_id}).only<std::int64_t>() < *most)
        return;
    throw Refused("allowance_used_up",
                  "the account's allowance of domains is used up: max_domains is "
                      + std::to_string(most.value_or(0)));
}

constexpr char kFormer[] =
    "SELECT id, state, max_mailboxes, quota_bytes, max_aliases FROM deleted_domain WHERE name = ? AND account_id = ?"
    " ORDER BY deleted_at DESC, id DESC LIMIT 1";
constexpr char kKeepNames[] =
    "INSERT INTO suspended_name (domain_id, local_part, state) SELECT ?, local_part, state FROM suspended_name WHERE domain_id = ?";

// An account that removes its domain and adds it again must not get rid of what the operator has
// decided about it: state, limits and suspended names. They are known as long as the removed domain
// can be restored. Returns the id that the domain had; 0: the account had none of that name.
std::int64_t Admin::keep_decisions(const mailbox::Domain& domain, std::int64_t account_id,
                                   DomainSettings& settings)
{
    const auto former = connection()
                            .query(kFormer, {domain.name(), account_id})
                            .first<std::int64_t, std::string, Limit, Limit, Limit>();
    if (!former) return 0;
    const auto& [id, state, max_mailboxes, quota_bytes, max_aliases] = *former;
    settings.state = mailbox::state_of(state);
    settings.max_mailboxes = max_mailboxes;
    settings.quota_bytes = quota_bytes;
    settings.max_aliases = max_aliases;
    return id;
}

void Admin::add_postmaster(std::int64_t domain_id, const mailbox::Domain& domain,
                           const std::string& password_hash)
{
    const auto postmaster = mailbox::Address::parse("postmaster", domain);
    std::int64_t id = 0;
    const auto place = store::take_place(connection(), domain_id, id);
    if (place.outcome != store::Created::Outcome::yes)
        throw Refused("allowance_used_up", store::sentence(place));
    connection().execute(kInsertPostmaster, {domain_id, id, postmaster.local_part(),
                                             api_key::random_hex(16), password_hash});
    audit("create", domain.name(), postmaster.local_part());
}

DomainDetails Admin::add_domain(const mailbox::Domain& domain, std::int64_t account_id,
                                const DomainSettings& settings, const std::string& postmaster,
                                MaxDomains max_domains, const Last<DomainDetails>& last)
{
    if (const auto why = mailbox::obstacle_to_hosting(domain); !why.empty()) {
        throw Refused(
            "bad_name",
            domain.text() + " cannot be added: " + std::string{why}
                + "; nothing was changed. Give the part of its mail addresses after the @",
            "", Refused::Outcome::said);
    }
    const auto unicode_name = unicode::u_labels(domain.name());
    std::optional<DomainDetails> made;
    try {
        transaction([&] {
            auto kept = settings;
            std::int64_t former = 0;
            if (max_domains == MaxDomains::asked) {
                check_max_domains(account_id);
                former = keep_decisions(domain, account_id, kept);
            }
            const auto added = connection().execute(
                kInsertDomain,
                {domain.name(), unicode_name ? db::Value{*unicode_name} : db::Value{},
                 mailbox::text(kept.state.value_or(mailbox::State::active)),
                 text_of_duplicates(kept.updates_duplicates.value_or(false)),
                 std::int64_t{kept.allows_delete_all.value_or(false)},
                 store::value_of(kept.max_mailboxes.value_or(Limit{})),
                 store::value_of(kept.quota_bytes.value_or(Limit{})),
                 store::value_of(kept.max_aliases.value_or(Limit{})),
                 std::int64_t{kept.has_system_addresses.value_or(true)},
                 std::int64_t{kept.forwards_outside.value_or(false)}, account_id});
            if (added == 0) throw Refused("account_not_found", "there is no such account");
            audit("domain-add", domain.name(), "");
            const auto id = domain_id(domain.name());
            if (former != 0) connection().execute(kKeepNames, {id, former});
            if (!postmaster.empty()) add_postmaster(id, domain, postmaster);
            made = domain_details(id);
            if (last) last(connection(), made.value());
        });
    } catch (const db::DuplicateKey&) {
        throw Refused("domain_exists", "there is a domain " + domain.text() + " already");
    }
    return made.value();
}

std::int64_t Admin::add_domain(const mailbox::Domain& domain, const std::string& account,
                               std::int64_t quota_bytes)
{
    DomainSettings settings;
    if (quota_bytes != 0) settings.quota_bytes = quota_bytes;
    return add_domain(domain, account_id(account), settings).id;
}

void Admin::set_postmaster(std::int64_t domain_id, const std::string& domain,
                           const std::string& password_hash)
{
    const auto postmaster =
        mailbox::Address::parse("postmaster", mailbox::Domain::parse(domain).value());
    if (!store::set_password(connection(), domain_id, postmaster, password_hash))
        throw Refused("mailbox_not_found", "there is no mailbox " + postmaster.text());
    audit("password", domain, postmaster.local_part());
}

constexpr char kLockDomainRow[] = "SELECT name FROM domain WHERE id = ? FOR UPDATE";
constexpr char kSetDomain[] =
    "UPDATE domain SET state = ?, on_duplicate = ?, allow_delete_all = ?, max_mailboxes = ?, quota_bytes = ?, max_aliases = ?,"
    " system_addresses = ?, forward_outside = ? WHERE id = ?";

// A change of the state has its own word in the audit log, as with mailboxctl domain suspend.
DomainDetails Admin::change_domain(std::int64_t id, const DomainSettings& settings,
                                   const std::string& postmaster)
{
    std::optional<DomainDetails> changed;
    transaction([&] {
        if (connection().query(kLockDomainRow, {id}).count() == 0)
            throw Refused("domain_not_found", "there is no such domain");
        const auto before = domain_details(id).value();
        const auto state =
            settings.state ? mailbox::after(before.state, *settings.state) : before.state;
        connection().execute(
            kSetDomain,
            {mailbox::text(state),
             text_of_duplicates(settings.updates_duplicates.value_or(before.updates_duplicates)),
             std::int64_t{settings.allows_delete_all.value_or(before.allows_delete_all)},
             store::value_of(settings.max_mailboxes.value_or(before.max_mailboxes)),
             store::value_of(settings.quota_bytes.value_or(before.quota_bytes)),
             store::value_of(settings.max_aliases.value_or(before.max_aliases)),
             std::int64_t{settings.has_system_addresses.value_or(before.has_system_addresses)},
             std::int64_t{settings.forwards_outside.value_or(before.forwards_outside)}, id});
        if (settings.max_mailboxes || settings.quota_bytes || settings.updates_duplicates
            || settings.allows_delete_all || settings.max_aliases || settings.has_system_addresses
            || settings.forwards_outside)
            audit("domain-set", before.name, "");
        if (settings.state && state != before.state)
            audit("domain-" + std::string{action_of(state)}, before.name, "");
        if (!postmaster.empty()) set_postmaster(id, before.name, postmaster);
        changed = domain_details(id);
        if (settings.state && state != mailbox::State::active)
            store::end_all_sessions(connection());
    });
    return changed.value();
}

constexpr char kDomains[] =
    "SELECT d.name, a.name, d.state, d.mailboxes, COALESCE(d.max_mailboxes, '-'), COALESCE(d.quota_bytes, '-'), d.created_at"
    " FROM domain d JOIN account a ON a.id = d.account_id ORDER BY d.name";

Table Admin::domains()
{
    Table table{{"DOMAIN", "ACCOUNT", "STATE", "MAILBOXES", "ALLOWANCE", "QUOTA", "CREATED"}};
    auto rows = connection().query(kDomains);
    while (rows.next()) {
        const auto [name, account, state, mailboxes, allowance, quota, created_at] =
            rows.read<std::string, std::string, std::string, std::string, std::string, std::string,
                      std::int64_t>();
        table.push_back({name, account, state, mailboxes, allowance, quota, time_text(created_at)});
    }
    return table;
}

constexpr char kAllNames[] = "SELECT name FROM domain ORDER BY name";

std::vector<std::string> Admin::domain_names()
{
    auto rows = connection().query(kAllNames);
    std::vector<std::string> names;
    while (rows.next()) names.push_back(rows.read<std::string>());
    return names;
}

void Admin::set_domain(const mailbox::Domain& domain, const std::string& setting,
                       const std::string& value)
{
    change_domain(domain_id(domain.name()), setting_of_domain(setting, value));
}

namespace {

bool yes_or_no(const std::string& setting, const std::string& value)
{
    if (value != "yes" && value != "no") throw Refused("bad_parameter", setting + " is yes or no");
    return value == "yes";
}

}  // namespace

DomainSettings setting_of_domain(const std::string& setting, const std::string& value)
{
    DomainSettings settings;
    if (setting == "on_duplicate") {
        if (value != "reject" && value != "update")
            throw Refused("bad_parameter", "on_duplicate is reject or update");
        settings.updates_duplicates = value == "update";
    } else if (setting == "allow_delete_all") {
        settings.allows_delete_all = yes_or_no(setting, value);
    } else if (setting == "max_mailboxes") {
        settings.max_mailboxes = limit_of(setting, value);
    } else if (setting == "quota_bytes") {
        settings.quota_bytes = quota_of(value);
    } else if (setting == "max_aliases") {
        settings.max_aliases = limit_of(setting, value);
    } else if (setting == "system_addresses") {
        settings.has_system_addresses = yes_or_no(setting, value);
    } else if (setting == "forward_outside") {
        settings.forwards_outside = yes_or_no(setting, value);
    } else {
        throw Refused("a domain has no setting " + setting
                      + "; mailboxctl domain set --help lists them");
    }
    return settings;
}

constexpr char kDomainState[] = "SELECT state FROM domain WHERE id = ? FOR UPDATE";
constexpr char kSetDomainState[] = "UPDATE domain SET state = ? WHERE id = ?";

mailbox::State Admin::set_domain_state(const mailbox::Domain& domain, mailbox::State wanted)
{
    const auto id = domain_id(domain.name());
    auto state = wanted;
    transaction([&] {
        const auto before = connection().query(kDomainState, {id}).first<std::string>();
        if (!before) throw Refused("the domain " + domain.name() + " was removed just now");
        state = mailbox::after(mailbox::state_of(*before), wanted);
        if (state != mailbox::State::active) store::end_all_sessions(connection());
        if (state != wanted) return;
        connection().execute(kSetDomainState, {mailbox::text(state), id});
        audit("domain-" + std::string{action_of(state)}, domain.name(), "");
    });
    return state;
}

constexpr char kMailboxesOfDomain[] = "SELECT mailboxes FROM domain WHERE id = ?";

std::int64_t Admin::mailboxes_of_domain(const mailbox::Domain& domain)
{
    return connection().query(kMailboxesOfDomain, {domain_id(domain.name())}).only<std::int64_t>();
}

// Locks the index entry of the name and then the row, in the order of the triggers that run with a
// delivery. In the other order the two could wait for each other.
constexpr char kLockDomain[] = "UPDATE domain SET mailboxes = 0 WHERE name = ?";
constexpr char kKeepDomain[] =
    "INSERT INTO deleted_domain (id, account_id, account, name, unicode_name, state, on_duplicate, allow_delete_all, max_mailboxes, quota_bytes,"
    " last_id, max_aliases, system_addresses, forward_outside, created_at, deleted_at)"
    " SELECT d.id, a.id, a.name, d.name, d.unicode_name, d.state, d.on_duplicate, d.allow_delete_all, d.max_mailboxes, d.quota_bytes, d.last_id,"
    " d.max_aliases, d.system_addresses, d.forward_outside, d.created_at, UNIX_TIMESTAMP() FROM domain d JOIN account a ON a.id = d.account_id WHERE d.id = ?";
constexpr char kKeepKeys[] =
    "INSERT INTO deleted_key (id, hash, domain_id, read_only, addresses, label, kind, user_name, created_at, expires_at, revoked_at)"
    " SELECT id, hash, domain_id, read_only, addresses, label, kind, user_name, created_at, expires_at, revoked_at FROM api_key WHERE domain_id = ?";
constexpr char kKeepAliasDomains[] =
    "INSERT INTO deleted_domain_name (domain_id, name, unicode_name, created_at)"
    " SELECT domain_id, name, unicode_name, created_at FROM domain_name WHERE domain_id = ? AND is_alias";
constexpr char kDeleteMailboxes[] = "DELETE FROM mailbox WHERE domain_id = ?";
constexpr char kDeleteDomain[] = "DELETE FROM domain WHERE id = ?";

void Admin::empty_and_delete_domain(std::int64_t id, const std::string& name)
{
    connection().execute(kLockDomain, {name});  // from here on no mailbox is added
    connection().execute(kKeepDomain, {id});
    connection().execute(kKeepKeys, {id});
    connection().execute(kKeepAliasDomains, {id});
    store::keep_deleted(connection(), name, id, 0, std::numeric_limits<std::int64_t>::max(),
                        transactions_.actor().key_id, store::Goes::with_domain);
    connection().execute(kDeleteMailboxes, {id});
    connection().execute(kDeleteDomain, {id});
    audit("domain-remove", name, "");
}

constexpr char kUsedMailboxes[] =
    "SELECT COUNT(*) FROM mailbox WHERE domain_id = ? AND NOT (local_part = 'postmaster' AND size_bytes = 0)";

Admin::Contents Admin::remove_domain(const mailbox::Domain& domain, Mailboxes mailboxes,
                                     std::int64_t meant)
{
    Contents removed;
    transaction([&] {
        if (connection().execute(kLockDomain, {domain.name()}) == 0)
            refuse_unknown_domain(domain.name());
        const auto id = domain_id(domain.name());
        if (meant != 0 && id != meant) refuse_unknown_domain(domain.name());
        if (mailboxes == Mailboxes::must_not_exist)
            refuse_if_any(connection().query(kUsedMailboxes, {id}).only<std::int64_t>(),
                          "the domain " + domain.name());
        removed = contents(0, id);
        empty_and_delete_domain(id, domain.name());
        store::end_all_sessions(connection());
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
    auto rows = connection().query(kRemoved, {name});
    std::vector<Removed> found;
    while (rows.next()) {
        Removed each;
        std::tie(each.id, each.account_id, each.account, each.name, each.state, each.deleted_at,
                 each.age, each.mailboxes, each.bytes, each.keys) =
            rows.read<std::int64_t, std::int64_t, std::string, std::string, std::string,
                      std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>();
        found.push_back(std::move(each));
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
                      + " is there already, and no removed one is kept; mailboxctl domain list shows it"
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
// The domain gets its old id, which no other domain has got. Its last id is a new one, so that a
// page or range that was read before the removal is not taken for a current one.
constexpr char kBringDomain[] =
    "INSERT INTO domain (id, account_id, name, unicode_name, state, on_duplicate, allow_delete_all, max_mailboxes, quota_bytes, max_aliases,"
    " system_addresses, forward_outside, mailboxes, last_id, created_at)"
    " SELECT id, ?, name, unicode_name, state, on_duplicate, allow_delete_all, max_mailboxes, quota_bytes, max_aliases, system_addresses,"
    " forward_outside, 0, last_id + 1, created_at"
    " FROM deleted_domain WHERE id = ?";
constexpr char kLockMailboxes[] =
    "SELECT storage_id FROM deleted_mailbox WHERE domain = ? AND domain_id = ? AND with_domain AND purged_at IS NULL FOR UPDATE";
// Keeps the order of the mailboxes. The new generation keeps sessions from before the removal
// ended.
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
    "INSERT INTO api_key (id, hash, account_id, account_state, domain_id, read_only, addresses, label, kind, user_name, created_at,"
    " expires_at, revoked_at)"
    " SELECT k.id, k.hash, a.id, a.state, k.domain_id, k.read_only, k.addresses, k.label, k.kind, k.user_name, k.created_at,"
    " k.expires_at, k.revoked_at"
    " FROM deleted_key k JOIN account a ON a.id = ? WHERE k.domain_id = ?";
// An alias domain whose name was given away meanwhile stays away.
constexpr char kBringAliasDomains[] =
    "INSERT INTO domain_name (name, unicode_name, domain_id, is_alias, created_at)"
    " SELECT k.name, k.unicode_name, k.domain_id, 1, k.created_at FROM deleted_domain_name k"
    " WHERE k.domain_id = ? AND NOT EXISTS (SELECT 1 FROM domain_name n WHERE n.name = k.name)";
constexpr char kForgetDomain[] = "DELETE FROM deleted_domain WHERE id = ?";  // and its keys

void Admin::restore_mailboxes(const Removed& removed)
{
    const auto count = static_cast<std::int64_t>(
        connection().query(kLockMailboxes, {removed.name, removed.id}).count());
    connection().execute(kBringMailboxes, {removed.name, removed.id});
    connection().execute(kForgetMailboxes, {removed.name, removed.id});
    skip_index::fill(connection(), removed.id, count);
    connection().execute(kSetCount, {count, count, removed.id});
}

constexpr char kTakeTurn[] =
    "UPDATE account SET creations = creations + 1 WHERE id = ? AND max_mailboxes IS NOT NULL";
constexpr char kAllowance[] =
    "SELECT a.max_mailboxes, CAST(SUM(d.mailboxes) AS SIGNED) FROM account a JOIN domain d ON d.account_id = a.id WHERE a.id = ?"
    " GROUP BY a.id, a.max_mailboxes";

// If an account has a limit, creations in all its domains wait for each other.
void Admin::take_allowance(std::int64_t account, const std::string& name, const std::string& domain)
{
    if (connection().execute(kTakeTurn, {account}) == 0) return;
    auto rows = connection().query(kAllowance, {account});
    if (!rows.next()) return;
    const auto [allowed, mailboxes] = rows.read<std::int64_t, std::int64_t>();
    if (mailboxes <= allowed) return;
    throw Refused("the account " + name + " may have " + std::to_string(allowed)
                      + " mailboxes (max_mailboxes), and would have " + std::to_string(mailboxes)
                      + " with the domain " + domain
                      + "; nothing was restored. mailboxctl account set " + name
                      + " max_mailboxes=" + std::to_string(mailboxes) + " makes room",
                  Refused::Outcome::said);
}

constexpr char kAccountName[] = "SELECT name FROM account WHERE id = ? FOR UPDATE";

constexpr char kAliasesOfAccount[] =
    "SELECT aliases, COALESCE(max_aliases, aliases) FROM account WHERE id = ?";

// The domain has brought its aliases, and the account counts them.
void Admin::check_max_aliases(std::int64_t account, const std::string& name,
                              const std::string& domain)
{
    const auto [aliases, allowed] =
        connection().query(kAliasesOfAccount, {account}).only<std::int64_t, std::int64_t>();
    if (aliases <= allowed) return;
    throw Refused("the account " + name + " may have " + std::to_string(allowed)
                      + " aliases (max_aliases), and would have " + std::to_string(aliases)
                      + " with the domain " + domain
                      + "; nothing was restored. mailboxctl account set " + name
                      + " max_aliases=" + std::to_string(aliases) + " makes room",
                  Refused::Outcome::said);
}

Admin::Removed Admin::restore_domain(const mailbox::Domain& domain, std::chrono::seconds grace,
                                     std::int64_t id, const std::string& account)
{
    auto removed = restorable(domain.name(), id, grace);
    const auto other = account.empty() ? 0 : account_id(account);
    try {
        transaction([&] {
            const auto own =
                connection().query(kAccountName, {removed.account_id}).first<std::string>();
            if (own && other != 0 && other != removed.account_id) {
                throw Refused("the domain " + domain.name() + " belongs to the account " + *own
                              + ", which is there; it comes back to that one only");
            }
            if (!own && other == 0) {
                throw Refused(
                    "the account " + removed.account + " that the domain " + domain.name()
                    + " belonged to was removed, too; --account NAME"
                      " brings the domain back into another one (mailboxctl account add NAME makes one)");
            }
            if (connection().query(kLockRemoved, {removed.id}).count() == 0) {
                throw Refused("the domain " + domain.name()
                              + " cannot be restored any more: just now it was restored or erased");
            }
            const auto to = own ? removed.account_id : other;
            removed.account = own.value_or(account);
            connection().execute(kBringDomain, {to, removed.id});
            restore_mailboxes(removed);
            connection().execute(kBringKeys, {to, removed.id});
            connection().execute(kBringAliasDomains, {removed.id});
            connection().execute(kForgetDomain, {removed.id});
            take_allowance(to, removed.account, domain.name());
            check_max_aliases(to, removed.account, domain.name());
            audit("domain-restore", domain.name(), "");
        });
    } catch (const db::DuplicateKey&) {
        throw Refused(
            "the name " + domain.name()
            + " is taken: it was added again just now, or is an alias domain; mailboxctl domain list and"
              " mailboxctl domain alias list show it");
    }
    return removed;
}

}  // namespace admin
