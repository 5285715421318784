#include "db/mailboxes.h"

#include <algorithm>
#include <tuple>

#include "base/log.h"
#include "db/audited_change.h"
#include "db/grants.h"
#include "db/skip_index.h"
#include "mail/api_key.h"

namespace store {

using namespace std::chrono_literals;

namespace {

// No attempt begins later than this, because the waiting for locks would add up.
constexpr auto kPatience = 6s;

bool is_done(Changed changed)
{
    return changed == Changed::yes;
}
bool is_done(const Created& created)
{
    return created.outcome == Created::Outcome::yes;
}
bool is_done(std::int64_t removed)
{
    return removed > 0;
}

void write_audit(db::Connection& connection, const audit::Id& audit, std::size_t number,
                 const Actor& actor, std::string_view action, const mailbox::Address& address)
{
    audit::write(connection, audit, number, actor, action, address.domain(), address.local_part());
}

}  // namespace

constexpr char kEndAllSessions[] =
    "INSERT INTO session_end (storage_id, since) VALUES ('', UNIX_TIMESTAMP())";

void end_all_sessions(db::Connection& connection)
{
    connection.execute(kEndAllSessions);
}

constexpr char kKeepDeleted[] =
    "INSERT INTO deleted_mailbox (storage_id, domain_id, domain, local_part, created_at, size_bytes, state, password,"
    " generation, quota_bytes, deleted_at, deleted_by, with_domain, place)"
    " SELECT storage_id, domain_id, ?, local_part, created_at, size_bytes, state, password, generation, quota_bytes, UNIX_TIMESTAMP(), ?,"
    " ?, id"
    " FROM mailbox WHERE domain_id = ? AND id > ? AND id <= ? FOR UPDATE";

void keep_deleted(db::Connection& connection, const std::string& domain, std::int64_t domain_id,
                  std::int64_t after, std::int64_t last, std::string_view by, Goes goes)
{
    connection.execute(kKeepDeleted, {domain, by, std::int64_t{goes == Goes::with_domain},
                                      domain_id, after, last});
}

constexpr char kSchemaVersion[] = "SELECT COALESCE(MAX(version), 0) FROM schema_version";

std::int64_t schema_version(db::Connection& connection)
{
    return connection.query(kSchemaVersion).only<std::int64_t>();
}

template <typename Work>
auto Store::transaction(audit::Id& audit, const Actor& actor, Work work)
{
    AuditedChange change{session_, audit, actor, longest_doubt_};
    return db::transaction(change, std::chrono::steady_clock::now() + kPatience, work,
                           [](const auto& outcome) { return is_done(outcome); });
}

// Finds key and domain by unique keys, in one row. Does not find a domain of another account, or
// one that the key is not for. A key of the operator has no account and finds every domain.
constexpr char kGrant[] =
    "SELECT k.addresses, UNIX_TIMESTAMP(), k.expires_at, k.revoked_at IS NOT NULL, k.read_only,"
    " k.account_state = 'active', d.id, d.state = 'active', d.on_duplicate = 'update',"
    " d.allow_delete_all, COALESCE(k.account_id, d.account_id), k.account_id IS NULL, k.domain_id"
    " FROM api_key k FORCE INDEX (PRIMARY) LEFT JOIN domain d FORCE INDEX (domain_name)"
    " ON d.account_id = COALESCE(k.account_id, d.account_id) AND d.name = ? AND d.id = COALESCE(k.domain_id, d.id)"
    " AND ? IN (0, d.account_id)"
    " WHERE k.id = ? AND k.hash = ?";

std::optional<grants::Grant> Store::grant(const api_key::Key& key, std::string_view domain,
                                          std::int64_t on_behalf_of)
{
    const auto id = key.id();
    return db::reading(session_, [&](db::Connection& connection) -> std::optional<grants::Grant> {
        auto rows = connection.query(kGrant, {domain, on_behalf_of, id, key.sha256()});
        if (!rows.next()) return std::nullopt;
        grants::Grant grant;
        std::tie(grant.key_addresses, grant.now, grant.key_expires_at, grant.key_is_revoked,
                 grant.key_is_read_only, grant.account_is_active, grant.domain_id,
                 grant.domain_is_active, grant.domain_updates_duplicates,
                 grant.domain_may_be_emptied, grant.account_id, grant.key_is_of_operator,
                 grant.key_domain_id) =
            rows.read<std::string, std::int64_t, std::int64_t, bool, bool, bool, std::int64_t, bool,
                      bool, bool, std::int64_t, bool, std::int64_t>();
        return grant;
    });
}

Domains Store::domains(const Whose& whose, const Page& page, const Selection& selection)
{
    return db::reading(session_, [&](db::Connection& connection) {
        return store::domains(connection, whose, page, selection);
    });
}

constexpr char kHasAccount[] = "SELECT 1 FROM account WHERE id = ?";

bool Store::has_account(std::int64_t id)
{
    return db::reading(session_, [&](db::Connection& connection) {
        return connection.query(kHasAccount, {id}).count() > 0;
    });
}

constexpr char kHasDomain[] = "SELECT 1 FROM domain WHERE name = ?";

bool Store::has_domain(std::string_view domain)
{
    return db::reading(session_, [&](db::Connection& connection) {
        return connection.query(kHasDomain, {domain}).count() > 0;
    });
}

std::optional<GrantedListing> Store::list(const api_key::Key& key, const mailbox::Domain& domain,
                                          const Page& page)
{
    return db::reading(session_, [&](db::Connection& connection) {
        return lists_.list(connection, session_.connections(), key, domain, page);
    });
}

bool Store::confirm(const api_key::Key& key, const Version& version)
{
    return db::reading(session_, [&](db::Connection& connection) {
        return store::confirm(connection, key, version);
    });
}

Listing Store::page(std::int64_t domain_id, const mailbox::Domain& domain, const Page& page)
{
    return db::reading(session_, [&](db::Connection& connection) {
        return lists_.page(connection, session_.connections(), domain_id, domain, page);
    });
}

DetailedListing Store::details(std::int64_t domain_id, const mailbox::Domain& domain,
                               const Page& page)
{
    return db::reading(session_, [&](db::Connection& connection) {
        return lists_.details(connection, session_.connections(), domain_id, domain, page);
    });
}

constexpr char kInsertMailbox[] =
    "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password, quota_bytes, state)"
    " VALUES (?, ?, ?, UNIX_TIMESTAMP(), ?, ?, ?, ?)";
constexpr char kGiveBack[] = "UPDATE domain SET mailboxes = mailboxes - ? WHERE id = ?";

// A mailbox that is suspended from the beginning has that in the audit log, too: mailboxctl why
// reads there since when it is.
Created Store::create(const grants::Grant& grant, const std::vector<NewMailbox>& mailboxes,
                      const Actor& actor, const Steps& steps, SuspendedNames suspended_names)
{
    audit::Id audit;
    return transaction(audit, actor, [&](db::Connection& connection) -> Created {
        if (steps.first) steps.first(connection);
        const auto domain_id = grant.domain_id;
        const auto count = static_cast<std::int64_t>(mailboxes.size());
        const auto reserved = reserve(connection, domain_id, count);
        if (!reserved) return {Created::Outcome::no_such_domain};
        if (reserved->has_suspended_names && suspended_names == SuspendedNames::refused) {
            std::vector<mailbox::Address> addresses;
            for (const auto& each : mailboxes) addresses.push_back(each.address);
            if (auto name = first_suspended(connection, domain_id, addresses))
                return {.outcome = Created::Outcome::name_is_suspended, .address = name};
        }
        auto id = reserved->last_id - count;

        Created done;
        std::size_t audited = 0;
        for (const auto& [address, password_hash, quota, state] : mailboxes) {
            const auto write = [&, &about = address](std::string_view action) {
                write_audit(connection, audit, audited++, actor, action, about);
            };
            const auto first_state = state.value_or(mailbox::State::active);
            try {
                connection.execute(kInsertMailbox,
                                   {domain_id, ++id, address.local_part(), api_key::random_hex(16),
                                    password_hash, value_of(quota.value_or(Quota{})),
                                    mailbox::text(first_state)});
                ++done.created;
                skip_index::add(connection, domain_id, id);
                write("create");
                if (quota) write("quota");
                if (first_state != mailbox::State::active) write(audit::action_of(first_state));
            } catch (const db::DuplicateKey&) {
                if (!grant.domain_updates_duplicates)
                    return {.outcome = Created::Outcome::already_exists, .address = address};
                set_password(connection, domain_id, address, password_hash);
                ++done.updated;
                write("password");
                if (quota && set_quota(connection, domain_id, address, *quota)) write("quota");
                if (!state) continue;
                const auto set = set_state(connection, domain_id, address, *state);
                if (set && set->is_as_wanted) write(audit::action_of(*state));
            }
        }
        const auto updated = static_cast<std::int64_t>(done.updated);
        if (updated > 0) connection.execute(kGiveBack, {updated, domain_id});
        if (done.created > 0) {
            const auto allowed =
                check_allowances(connection, domain_id, *reserved, reserved->mailboxes - updated);
            if (!is_done(allowed)) return allowed;
        }
        if (steps.last) steps.last(connection);
        return done;
    });
}

Created Store::foresee(const grants::Grant& grant, const std::vector<mailbox::Address>& addresses)
{
    return db::reading(session_, [&](db::Connection& connection) {
        return store::foresee(connection, grant, addresses);
    });
}

constexpr char kHasMailbox[] = "SELECT 1 FROM mailbox WHERE domain_id = ? AND local_part = ?";

bool Store::has_mailbox(const grants::Grant& grant, const mailbox::Address& address)
{
    return db::reading(session_, [&](db::Connection& connection) {
        return connection.query(kHasMailbox, {grant.domain_id, address.local_part()}).count() > 0;
    });
}

Changed Store::change_password(const grants::Grant& grant, const mailbox::Address& address,
                               std::string_view password_hash, const Actor& actor)
{
    audit::Id audit;
    return transaction(audit, actor, [&](db::Connection& connection) {
        if (!set_password(connection, grant.domain_id, address, password_hash))
            return Changed::no_such_mailbox;
        write_audit(connection, audit, 0, actor, "password", address);
        return Changed::yes;
    });
}

// Matches no row if the domain has no mailbox.
constexpr char kTakeOne[] =
    "UPDATE domain SET mailboxes = mailboxes - 1 WHERE id = ? AND mailboxes > 0";
// Changes nothing, but locks the row as DELETE will. So the row that is copied is the row that is
// deleted.
constexpr char kLockMailbox[] =
    "UPDATE mailbox SET password = password WHERE domain_id = ? AND local_part = ?";
constexpr char kMailboxId[] = "SELECT id FROM mailbox WHERE domain_id = ? AND local_part = ?";
constexpr char kDeleteMailbox[] = "DELETE FROM mailbox WHERE domain_id = ? AND local_part = ?";

Changed Store::remove(const grants::Grant& grant, const mailbox::Address& address,
                      const Actor& actor)
{
    audit::Id audit;
    return transaction(audit, actor, [&](db::Connection& connection) {
        // Locks the domain first, as create() does: two transactions that lock in the same order
        // cannot deadlock.
        if (connection.execute(kTakeOne, {grant.domain_id}) == 0) return Changed::no_such_mailbox;
        if (connection.execute(kLockMailbox, {grant.domain_id, address.local_part()}) == 0)
            return Changed::no_such_mailbox;
        const auto id = connection.query(kMailboxId, {grant.domain_id, address.local_part()})
                            .only<std::int64_t>();
        skip_index::remove(connection, grant.domain_id, id);
        keep_deleted(connection, address.domain(), grant.domain_id, id - 1, id, actor.key_id);
        end_sessions(connection, grant.domain_id, address);
        connection.execute(kDeleteMailbox, {grant.domain_id, address.local_part()});
        write_audit(connection, audit, 0, actor, "delete", address);
        return Changed::yes;
    });
}

namespace {

constexpr std::int64_t kMailboxesATransaction = 500;

// Locks the domain first, here too. Its counter follows when the mailboxes are locked, because only
// then their number is known.
constexpr char kLockDomain[] = "UPDATE domain SET last_id = last_id WHERE id = ?";
constexpr char kLastId[] = "SELECT last_id FROM domain WHERE id = ?";
constexpr char kLockOldest[] =
    "SELECT id FROM mailbox FORCE INDEX (PRIMARY) WHERE domain_id = ? AND id > ? AND id <= ? ORDER BY domain_id, id LIMIT ? FOR UPDATE";
constexpr char kAuditAll[] =
    "INSERT INTO audit_log (at, id, actor, client, action, domain, local_part)"
    " SELECT ?, CAST(? AS SIGNED) + id, ?, ?, 'delete', ?, local_part FROM mailbox WHERE domain_id = ? AND id > ? AND id <= ?";
constexpr char kDeleteAll[] = "DELETE FROM mailbox WHERE domain_id = ? AND id > ? AND id <= ?";
constexpr char kTakeAll[] = "UPDATE domain SET mailboxes = mailboxes - ? WHERE id = ?";

std::vector<std::int64_t> lock_oldest(db::Connection& connection, std::int64_t domain_id,
                                      std::int64_t after, std::int64_t last_id)
{
    std::vector<std::int64_t> ids;
    auto rows = connection.query(kLockOldest, {domain_id, after, last_id, kMailboxesATransaction});
    while (rows.next()) ids.push_back(rows.read<std::int64_t>());
    return ids;
}

}  // namespace

Emptied Store::remove_all(const grants::Grant& grant, const mailbox::Domain& domain,
                          const Actor& actor, std::chrono::steady_clock::time_point last_begin)
{
    const auto id = grant.domain_id;
    const auto last_id = db::reading(session_, [&](db::Connection& connection) {
        return connection.query(kLastId, {id}).first<std::int64_t>().value_or(0);
    });
    Emptied emptied;
    // Each part begins where the one before ended. From the start, the server would step over all
    // deleted rows that it has not purged yet.
    std::int64_t after = 0;
    const auto remove_part = [&] {
        audit::Id audit;
        std::vector<std::int64_t> ids;
        emptied.removed +=
            transaction(audit, actor, [&](db::Connection& connection) -> std::int64_t {
                if (connection.execute(kLockDomain, {id}) == 0) return 0;
                ids = lock_oldest(connection, id, after, last_id);
                if (ids.empty()) return 0;
                const auto count = static_cast<std::int64_t>(ids.size());
                skip_index::remove_oldest(connection, id, ids);
                keep_deleted(connection, domain.name(), id, after, ids.back(), actor.key_id);
                connection.execute(kAuditAll, {audit.at, audit.id - ids.front(), actor.key_id,
                                               actor.client, domain.name(), id, after, ids.back()});
                connection.execute(kDeleteAll, {id, after, ids.back()});
                connection.execute(kTakeAll, {count, id});
                end_all_sessions(connection);
                return count;
            });
        emptied.is_all = std::ssize(ids) < kMailboxesATransaction;
        if (!emptied.is_all) after = ids.back();
    };
    try {
        while (!emptied.is_all && std::chrono::steady_clock::now() < last_begin) remove_part();
    } catch (const InDoubt&) {
        throw;
    } catch (const db::Error& error) {
        // The parts before are committed, so the caller must not be told that nothing was done.
        if (emptied.removed == 0) throw;
        logging::error("database")("error", error.what());
    }
    return emptied;
}

std::int64_t Store::schema_version()
{
    return db::reading(session_, store::schema_version);
}

}  // namespace store
