#include "db/lifecycle.h"

#include <algorithm>
#include <tuple>

#include "db/allowances.h"
#include "db/audit.h"
#include "db/mailbox_search.h"

namespace life {
namespace {

[[noreturn]] void refuse_absent(const mailbox::Address& address)
{
    throw admin::Refused(kNotFound, "there is no mailbox " + address.text(),
                         "mailboxctl mailbox list " + address.domain()
                             + " shows what there is, and with --deleted what there was");
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

constexpr db::Text kAllDeleted{
    "SELECT storage_id, local_part, size_bytes, created_at, deleted_at, deleted_by, purged_at IS NOT NULL,"
    " UNIX_TIMESTAMP() - deleted_at, domain_id, state FROM deleted_mailbox"};
constexpr auto kDeleted = kAllDeleted + " WHERE domain = ?";
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

namespace {

// A page and its total are read in one statement, so from one view. An empty page is a row with the
// total alone.
//
// A page of all deleted mailboxes is one range of an index in its order, and the total is counted
// in the index. A page of those with a prefix reads and sorts what the prefix matches.
constexpr db::Text kOfDomain{
    " FROM deleted_mailbox FORCE INDEX (deleted_mailbox_domain)"
    " WHERE domain_id = ? AND purged_at IS NULL AND deleted_at > UNIX_TIMESTAMP() - ?"};
constexpr db::Text kOfPrefix{
    " FROM deleted_mailbox FORCE INDEX (deleted_mailbox_address)"
    " WHERE domain_id = ? AND purged_at IS NULL AND deleted_at > UNIX_TIMESTAMP() - ?"
    " AND domain = ? AND local_part >= ? AND local_part < ?"};
template <std::size_t length>
constexpr auto page_statement(const db::Text<length>& which)
{
    return db::Text{
               "SELECT total.count, p.storage_id, p.local_part, p.size_bytes, p.created_at, p.deleted_at, p.deleted_by,"
               " UNIX_TIMESTAMP() - p.deleted_at, p.domain_id, p.state FROM (SELECT COUNT(*) AS count"}
           + which
           + ") total LEFT JOIN ("
             "SELECT storage_id, local_part, size_bytes, created_at, deleted_at, deleted_by, domain_id, state"
           + which
           + " ORDER BY deleted_at DESC, storage_id DESC LIMIT ? OFFSET ?) p ON TRUE"
             " ORDER BY p.deleted_at DESC, p.storage_id DESC";
}
constexpr auto kPageOfDomain = page_statement(kOfDomain);
constexpr auto kPageOfPrefix = page_statement(kOfPrefix);

db::Rows page_rows(db::Connection& connection, const Restorable& which, const store::Page& page)
{
    const std::int64_t grace = which.grace.count();
    const auto id = which.domain_id;
    if (which.prefix.empty())
        return connection.query(kPageOfDomain, {id, grace, id, grace, page.limit, page.skip});
    const auto range = store::range_of_prefix(which.prefix);
    return connection.query(kPageOfPrefix,
                            {id, grace, which.domain, range.first, range.end, id, grace,
                             which.domain, range.first, range.end, page.limit, page.skip});
}

}  // namespace

DeletedPage deleted(db::Connection& connection, const Restorable& which, const store::Page& page)
{
    DeletedPage found;
    auto rows = page_rows(connection, which, page);
    while (rows.next()) {
        Deleted each;
        std::tie(found.total, each.storage_id, each.local_part, each.size_bytes, each.created_at,
                 each.deleted_at, each.deleted_by, each.age, each.domain_id, each.state) =
            rows.read<std::int64_t, std::string, std::string, std::int64_t, std::int64_t,
                      std::int64_t, std::string, std::int64_t, std::int64_t, std::string>();
        if (!each.storage_id.empty()) found.items.push_back(std::move(each));
    }
    return found;
}

constexpr auto kDeletedById =
    kAllDeleted
    + " WHERE storage_id = ? AND domain_id = ? AND purged_at IS NULL AND deleted_at > UNIX_TIMESTAMP() - ?";

std::optional<Deleted> find_deleted(db::Connection& connection, const Restorable& which,
                                    const std::string& storage_id)
{
    const std::int64_t grace = which.grace.count();
    auto found = deleted_of(connection.query(kDeletedById, {storage_id, which.domain_id, grace}));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
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

// --- changing -------------------------------------------------------------------------

void Changes::write(std::string_view action, const mailbox::Address& address)
{
    transactions_.write(action, address.domain(), address.local_part());
}

std::optional<store::StateSet> Changes::change(std::int64_t domain_id,
                                               const mailbox::Address& address,
                                               const store::MailboxSettings& settings)
{
    std::optional<store::StateSet> set;
    transactions_.run([&] {
        // So the mailbox is neither added nor deleted meanwhile.
        if (settings.state) store::lock_domain(connection(), domain_id);
        if (settings.password_hash) {
            if (!store::set_password(connection(), domain_id, address, *settings.password_hash))
                refuse_absent(address);
            write("password", address);
        }
        if (settings.quota_bytes) {
            if (!store::set_quota(connection(), domain_id, address, *settings.quota_bytes))
                refuse_absent(address);
            write("quota", address);
        }
        if (settings.state) {
            set = store::set_state(connection(), domain_id, address, *settings.state);
            if (!set) refuse_absent(address);
            if (set->is_as_wanted) write(audit::action_of(set->state), address);
        }
    });
    return set;
}

store::StateSet Changes::set_state(const mailbox::Address& address, mailbox::State wanted)
{
    const auto domain_id = admin::Admin{connection()}.domain_id(address.domain());
    return change(domain_id, address, {.state = wanted}).value();
}

void Changes::set_quota(const mailbox::Address& address, const store::Quota& quota)
{
    const auto domain_id = admin::Admin{connection()}.domain_id(address.domain());
    change(domain_id, address, {.quota_bytes = quota});
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
            kNotFound,
            text
                + " is there already: it was restored or created meanwhile, and no deleted one is kept");
    }
    if (all.empty()) {
        throw admin::Refused(
            kNotFound,
            text
                + " cannot be restored, because nothing is kept of it: it never was there, or its mail is removed already",
            "mailboxctl audit ADDRESS shows which; only a backup of the mail store can have its mail");
    }
    const auto found = std::find_if(all.begin(), all.end(), [&](const Deleted& each) {
        return wanted.storage_id.empty() ? !each.is_purged : each.storage_id == wanted.storage_id;
    });
    if (found == all.end() && !wanted.storage_id.empty()) {
        throw admin::Refused(
            kNotFound, "no deleted mailbox " + text + " has the storage_id " + wanted.storage_id,
            "mailboxctl mailbox list " + wanted.address.domain()
                + " --deleted shows those that there are");
    }
    const auto& chosen = found == all.end() ? all.front() : *found;
    const auto of_then = text + ", deleted at " + admin::time_text(chosen.deleted_at) + ", ";
    if (chosen.is_purged) {
        throw admin::Refused(
            kNotFound,
            of_then
                + "cannot be restored: its mail is being removed; only a backup of the mail store can have it");
    }
    if (chosen.age >= grace.count()) {
        throw admin::Refused(
            kNotFound,
            of_then + "cannot be restored: that was possible for "
                + std::to_string(std::chrono::duration_cast<std::chrono::days>(grace).count())
                + " days (deleted_for), and the janitor removes its mail",
            "a longer deleted_for keeps what it has not removed yet");
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
            "domain_not_found", "the domain " + name + " was removed",
            "mailboxctl domain restore " + name
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

Deleted Changes::restore(const Restoring& wanted, std::chrono::seconds grace)
{
    const auto name = wanted.name.value_or(wanted.address);
    std::optional<Deleted> restored;
    transactions_.run([&] {
        auto chosen = restorable(connection(), wanted, grace);
        const auto domain_id = domain_for(connection(), wanted, chosen);
        std::int64_t id = 0;
        const auto place = store::take_place(connection(), domain_id, id);
        if (place.outcome == store::Created::Outcome::no_such_domain)
            throw admin::Refused("domain_not_found", store::sentence(place));
        if (place.outcome != store::Created::Outcome::yes) {
            throw admin::Refused("allowance_used_up",
                                 store::sentence(place) + " Nothing was restored",
                                 "mailboxctl domain list and account list show the allowances",
                                 admin::Refused::Outcome::said);
        }
        try {
            if (connection().execute(kRestore,
                                     {domain_id, id, name.local_part(), chosen.storage_id})
                == 0) {
                throw admin::Refused(
                    kNotFound,
                    wanted.address.text()
                        + " cannot be restored any more: just now the removal of its mail began, or it was restored");
            }
        } catch (const db::DuplicateKey&) {
            throw admin::Refused("mailbox_exists", "there is a mailbox " + name.text() + " already",
                                 "restored beside it, with --as NAME, it gets another name");
        }
        connection().execute(kForgetDeleted, {chosen.storage_id});
        const auto now = connection().query(kStateNow, {chosen.storage_id}).first<std::string>();
        if (now) chosen.state = *now;
        if (name.local_part() != wanted.address.local_part()) write("restore-as", wanted.address);
        write("restore", name);
        restored = std::move(chosen);
    });
    return restored.value();
}

}  // namespace life
