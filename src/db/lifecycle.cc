#include "db/lifecycle.h"

#include <algorithm>
#include <tuple>

#include "db/audit.h"
#include "db/mailboxes.h"
#include "db/transaction.h"

namespace life {
namespace {

[[noreturn]] void refuse_absent(const mailbox::Address& address)
{
    throw admin::Refused("there is no mailbox " + address.text() + "; mailboxctl mailbox list "
                         + address.domain()
                         + " shows what there is, and with --deleted what there was");
}

void write_audit(db::Connection& connection, std::string_view action,
                 const mailbox::Address& address)
{
    audit::write(connection, {}, 0, {std::string{audit::kOperator}}, action, address.domain(),
                 address.local_part());
}

Mailbox mailbox_of(const db::Rows& rows)
{
    Mailbox found;
    std::tie(found.id, found.local_part, found.state, found.size_bytes, found.quota_bytes,
             found.created_at, found.storage_id, found.last_login, found.last_delivery) =
        rows.read<std::int64_t, std::string, std::string, std::int64_t, std::optional<std::int64_t>,
                  std::int64_t, std::string, std::int64_t, std::int64_t>();
    return found;
}

}  // namespace

constexpr char kMailboxes[] =
    "SELECT m.id, m.local_part, m.state, m.size_bytes, m.quota_bytes, m.created_at, m.storage_id, a.last_login, a.last_delivery"
    " FROM mailbox m LEFT JOIN mailbox_activity a ON a.storage_id = m.storage_id"
    " WHERE m.domain_id = ? AND m.id > ? ORDER BY m.domain_id, m.id LIMIT ?";

std::vector<Mailbox> mailboxes(db::Connection& connection, std::int64_t domain_id,
                               std::int64_t after, std::int64_t limit)
{
    auto rows = connection.query(kMailboxes, {domain_id, after, limit});
    std::vector<Mailbox> found;
    while (rows.next()) found.push_back(mailbox_of(rows));
    return found;
}

constexpr char kMailbox[] =
    "SELECT m.id, m.local_part, m.state, m.size_bytes, m.quota_bytes, m.created_at, m.storage_id, a.last_login, a.last_delivery"
    " FROM domain d JOIN mailbox m ON m.domain_id = d.id LEFT JOIN mailbox_activity a ON a.storage_id = m.storage_id"
    " WHERE d.name = ? AND m.local_part = ?";

std::optional<Mailbox> find(db::Connection& connection, const mailbox::Address& address)
{
    auto rows = connection.query(kMailbox, {address.domain(), address.local_part()});
    if (!rows.next()) return std::nullopt;
    return mailbox_of(rows);
}

namespace {

constexpr db::Text kDeleted{
    "SELECT storage_id, local_part, size_bytes, created_at, deleted_at, deleted_by, purged_at IS NOT NULL,"
    " UNIX_TIMESTAMP() - deleted_at, domain_id, state FROM deleted_mailbox WHERE domain = ?"};
constexpr db::Text kLastFirst{
    " ORDER BY deleted_at DESC, domain_id DESC, created_at DESC, storage_id"};
constexpr auto kDeletedOfDomain = kDeleted + kLastFirst;
constexpr auto kDeletedOfAddress = kDeleted + " AND local_part = ?" + kLastFirst;

std::vector<Deleted> deleted_of(db::Rows rows)
{
    std::vector<Deleted> found;
    while (rows.next()) {
        Deleted each;
        std::tie(each.storage_id, each.local_part, each.size_bytes, each.created_at,
                 each.deleted_at, each.deleted_by, each.is_purged, each.age, each.domain_id,
                 each.state) =
            rows.read<std::string, std::string, std::int64_t, std::int64_t, std::int64_t,
                      std::string, bool, std::int64_t, std::int64_t, std::string>();
        found.push_back(std::move(each));
    }
    return found;
}

}  // namespace

std::vector<Deleted> deleted(db::Connection& connection, const mailbox::Domain& domain)
{
    return deleted_of(connection.query(kDeletedOfDomain, {domain.name()}));
}

std::vector<Deleted> deleted(db::Connection& connection, const mailbox::Address& address)
{
    return deleted_of(
        connection.query(kDeletedOfAddress, {address.domain(), address.local_part()}));
}

// A new generation ends the open sessions of a suspended mailbox for good: after a resume their
// users must log in again. (If its domain or account is suspended instead, sessions that the
// janitor has not ended before the resume go on.)
constexpr char kState[] =
    "SELECT state FROM mailbox WHERE domain_id = ? AND local_part = ? FOR UPDATE";
constexpr char kSetState[] =
    "UPDATE mailbox SET state = ?, generation = generation + IF(? = 'active', 0, 1) WHERE domain_id = ? AND local_part = ?";

constexpr char kLockDomain[] = "UPDATE domain SET last_id = last_id WHERE id = ?";
constexpr char kNameState[] =
    "SELECT state FROM suspended_name WHERE domain_id = ? AND local_part = ? FOR UPDATE";
constexpr char kSetNameState[] =
    "UPDATE suspended_name SET state = ? WHERE domain_id = ? AND local_part = ?";
constexpr char kForgetName[] = "DELETE FROM suspended_name WHERE domain_id = ? AND local_part = ?";
constexpr char kResumeDeleted[] =
    "UPDATE deleted_mailbox SET state = 'active' WHERE domain = ? AND local_part = ? AND domain_id = ? AND purged_at IS NULL";

// Locks the domain first, as the service does, so that the mailbox is neither added nor deleted
// meanwhile.
Set set_state(db::Connection& connection, const mailbox::Address& address, mailbox::State wanted)
{
    const auto domain_id = admin::Admin{connection}.domain_id(address.domain());
    const auto& name = address.local_part();
    Set set;
    db::in_transaction(connection, [&] {
        connection.execute(kLockDomain, {domain_id});
        const auto of_mailbox = connection.query(kState, {domain_id, name}).first<std::string>();
        const auto of_name = connection.query(kNameState, {domain_id, name}).first<std::string>();
        set.has_mailbox = of_mailbox.has_value();
        if (!of_mailbox && !of_name) refuse_absent(address);
        set.state = mailbox::after(mailbox::state_of(of_mailbox ? *of_mailbox : *of_name), wanted);
        const auto text = mailbox::text(set.state);
        const bool is_active = set.state == mailbox::State::active;
        if (!is_active) store::end_sessions(connection, domain_id, address);
        if (set.state != wanted) return;
        connection.execute(kSetState, {text, text, domain_id, name});
        if (is_active) connection.execute(kForgetName, {domain_id, name});
        else connection.execute(kSetNameState, {text, domain_id, name});
        if (is_active) connection.execute(kResumeDeleted, {address.domain(), name, domain_id});
        write_audit(connection, admin::action_of(set.state), address);
    });
    return set;
}

constexpr char kSuspended[] =
    "SELECT local_part, state, 1 AS has_mailbox FROM mailbox WHERE domain_id = ? AND state <> 'active'"
    " UNION ALL SELECT local_part, state, 0 FROM suspended_name WHERE domain_id = ? ORDER BY local_part";

std::vector<Suspended> suspended(db::Connection& connection, std::int64_t domain_id)
{
    auto rows = connection.query(kSuspended, {domain_id, domain_id});
    std::vector<Suspended> found;
    while (rows.next()) {
        auto [local_part, state, has_mailbox] = rows.read<std::string, std::string, bool>();
        found.push_back({std::move(local_part), std::move(state), has_mailbox});
    }
    return found;
}

constexpr char kSuspendedNames[] = "SELECT COUNT(*) FROM suspended_name WHERE domain_id = ?";

std::int64_t suspended_without_mailbox(db::Connection& connection, std::int64_t domain_id)
{
    return connection.query(kSuspendedNames, {domain_id}).only<std::int64_t>();
}

constexpr char kSuspendedName[] =
    "SELECT n.state FROM domain d JOIN suspended_name n ON n.domain_id = d.id WHERE d.name = ? AND n.local_part = ?";

std::optional<std::string> suspended_without_mailbox(db::Connection& connection,
                                                     const mailbox::Address& address)
{
    return connection.query(kSuspendedName, {address.domain(), address.local_part()})
        .first<std::string>();
}

constexpr char kSetQuota[] =
    "UPDATE mailbox SET quota_bytes = ? WHERE domain_id = ? AND local_part = ?";

void set_quota(db::Connection& connection, const mailbox::Address& address,
               std::optional<std::int64_t> bytes)
{
    const auto domain_id = admin::Admin{connection}.domain_id(address.domain());
    const auto value = bytes ? db::Value{*bytes} : db::Value{};
    db::in_transaction(connection, [&] {
        if (connection.execute(kSetQuota, {value, domain_id, address.local_part()}) == 0)
            refuse_absent(address);
        write_audit(connection, "quota", address);
    });
}

// --- restoring ------------------------------------------------------------------------

namespace {

// Returns the deleted mailbox that is to be restored. Throws Refused if it cannot be restored.
Deleted restorable(db::Connection& connection, const Restoring& wanted, std::chrono::seconds grace)
{
    const auto text = wanted.address.text();
    auto all = deleted(connection, wanted.address);
    if (all.empty() && find(connection, wanted.address)) {
        throw admin::Refused(
            text
            + " is there already: it was restored or created meanwhile, and no deleted one is kept");
    }
    if (all.empty()) {
        throw admin::Refused(
            text
            + " cannot be restored, because nothing is kept of it: it never was there, or its mail is removed already (mailboxctl audit ADDRESS shows which); only a backup of the mail store can have its mail");
    }
    const auto found = std::find_if(all.begin(), all.end(), [&](const Deleted& each) {
        return wanted.storage_id.empty() ? !each.is_purged : each.storage_id == wanted.storage_id;
    });
    if (found == all.end() && !wanted.storage_id.empty()) {
        throw admin::Refused("no deleted mailbox " + text + " has the storage_id "
                             + wanted.storage_id + "; mailboxctl mailbox list "
                             + wanted.address.domain() + " --deleted shows those that there are");
    }
    const auto& chosen = found == all.end() ? all.front() : *found;
    const auto of_then = text + ", deleted at " + admin::time_text(chosen.deleted_at) + ", ";
    if (chosen.is_purged) {
        throw admin::Refused(
            of_then
            + "cannot be restored: its mail is being removed; only a backup of the mail store can have it");
    }
    if (chosen.age >= grace.count()) {
        throw admin::Refused(
            of_then + "cannot be restored: that was possible for "
            + std::to_string(std::chrono::duration_cast<std::chrono::days>(grace).count())
            + " days (deleted_for), and the janitor removes its mail; a longer deleted_for keeps what it has not removed yet");
    }
    return chosen;
}

// Returns the id of the domain that the mailbox is restored into. Throws Refused if there is none.
std::int64_t domain_for(db::Connection& connection, const Restoring& wanted, const Deleted& chosen)
{
    const auto& name = wanted.address.domain();
    const auto domain = admin::Admin{connection}.find_domain(name);
    if (!domain) {
        throw admin::Refused(
            "the domain " + name + " was removed; mailboxctl domain restore " + name
            + " brings all of it back for as"
              " long as deleted_for says. To bring back this mailbox alone: mailboxctl domain add "
            + name + " --account NAME, then restore it with --of-removed-domain");
    }
    if (domain->id != chosen.domain_id && !wanted.is_of_removed_domain) {
        throw admin::Refused(
            "the domain " + name
            + " was removed and added again since then, and belongs to the account "
            + domain->account + " now; if the mail of " + wanted.address.text()
            + " is theirs, say so with --of-removed-domain");
    }
    return domain->id;
}

// The new generation keeps sessions from before the deletion ended. The size is the last one that
// Dovecot reported, and Dovecot counts on from there. If the janitor begins to remove the mail at
// the same time, this waits for it and then inserts nothing.
constexpr char kRestore[] =
    "INSERT INTO mailbox (domain_id, id, local_part, created_at, size_bytes, state, storage_id, password, generation, quota_bytes)"
    " SELECT ?, ?, ?, created_at, size_bytes, state, storage_id, password, generation + 1, quota_bytes"
    " FROM deleted_mailbox WHERE storage_id = ? AND purged_at IS NULL FOR UPDATE";
constexpr char kStateNow[] = "SELECT state FROM mailbox WHERE storage_id = ?";
constexpr char kForgetDeleted[] = "DELETE FROM deleted_mailbox WHERE storage_id = ?";

}  // namespace

Deleted restore(db::Connection& connection, const Restoring& wanted, std::chrono::seconds grace)
{
    auto chosen = restorable(connection, wanted, grace);
    const auto domain_id = domain_for(connection, wanted, chosen);
    const auto name = wanted.name.value_or(wanted.address);
    db::in_transaction(connection, [&] {
        std::int64_t id = 0;
        const auto place = store::take_place(connection, domain_id, id);
        if (place.outcome != store::Created::Outcome::yes) {
            throw admin::Refused(
                store::sentence(place)
                    + " Nothing was restored; mailboxctl domain list and account list show the allowances",
                admin::Refused::Outcome::said);
        }
        try {
            if (connection.execute(kRestore, {domain_id, id, name.local_part(), chosen.storage_id})
                == 0) {
                throw admin::Refused(
                    wanted.address.text()
                    + " cannot be restored any more: just now the removal of its mail began, or it was restored");
            }
        } catch (const db::DuplicateKey&) {
            throw admin::Refused(
                "there is a mailbox " + name.text()
                + " already; restored beside it, with --as NAME, it gets another name");
        }
        connection.execute(kForgetDeleted, {chosen.storage_id});
        const auto now = connection.query(kStateNow, {chosen.storage_id}).first<std::string>();
        if (now) chosen.state = *now;
        if (name.local_part() != wanted.address.local_part())
            write_audit(connection, "restore-as", wanted.address);
        write_audit(connection, "restore", name);
    });
    return chosen;
}

}  // namespace life
