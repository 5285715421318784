#include "mailboxctl/janitor_purge.h"

#include <chrono>
#include <set>
#include <stdexcept>
#include <system_error>

#include "base/privileges.h"
#include "db/session.h"

namespace janitor {

namespace {

constexpr std::int64_t kHour = 3600;  // after that, sent messages no longer count (send_limit.h)
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kLongestSpan = 31 * kDay;  // of submission_rate, for every configuration

// The ones that an earlier call began come first.
constexpr char kDue[] =
    "SELECT storage_id, size_bytes FROM deleted_mailbox WHERE purged_at IS NOT NULL AND storage_id > ?"
    " UNION SELECT storage_id, size_bytes FROM deleted_mailbox WHERE deleted_at <= UNIX_TIMESTAMP() - ? AND storage_id > ?"
    " ORDER BY storage_id LIMIT 100";
// After this statement the mailbox cannot be restored; only then is it safe to touch its mail. A
// living mailbox with the same storage id exists only if the tables were changed by hand.
constexpr char kBegin[] =
    "UPDATE deleted_mailbox d SET purged_at = COALESCE(purged_at, UNIX_TIMESTAMP())"
    " WHERE storage_id = ? AND (purged_at IS NOT NULL OR deleted_at <= UNIX_TIMESTAMP() - ?)"
    " AND NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.storage_id = d.storage_id)";
// The row stays until a delivery that was under way at the deletion is over, because such a
// delivery may create the folder again.
constexpr char kEnd[] =
    "DELETE FROM deleted_mailbox WHERE storage_id = ? AND purged_at IS NOT NULL AND deleted_at <= UNIX_TIMESTAMP() - ?";

void add(Purged& purged, const std::string& id, const maildir::Removed& removed)
{
    purged.is_complete = removed.is_complete;
    purged.files += removed.files;
    purged.bytes += removed.bytes;
    if (removed.files > 0) purged.removed.emplace_back(id, removed);
}

}  // namespace

Purged Purge::stores(Clock::time_point end)
{
    auto& connection = session_.connection();
    const std::int64_t grace = std::chrono::seconds{config_.deleted_for}.count();
    Purged purged;
    bool is_mounted = false;  // checked once
    std::string last;
    for (;;) {
        auto due = connection.query(kDue, {last, grace, last});
        if (due.count() == 0) return purged;
        while (due.next()) {
            const auto [storage_id, size_bytes] = due.read<std::string, std::int64_t>();
            last = storage_id;
            try {
                if (size_bytes > 0 && !is_mounted) {
                    store_.expect_mail();
                    is_mounted = true;
                }
                if (connection.execute(kBegin, {last, grace}) == 0)
                    continue;  // it was restored in the meantime
                add(purged, last, store_.remove(last, end));
                if (!purged.is_complete) return purged;
                purged.stores += connection.execute(kEnd, {last, kWatched.count()}) > 0 ? 1 : 0;
            } catch (const std::system_error& error) {
                purged.failed.emplace_back(last, error.what());
            }
            if (Clock::now() < end) continue;
            purged.is_complete = false;
            return purged;
        }
    }
}

namespace {

constexpr char kOldEnds[] =
    "SELECT id FROM session_end WHERE since <= UNIX_TIMESTAMP() - ? LIMIT 1000";
constexpr char kDeleteEnd[] = "DELETE FROM session_end WHERE id = ?";
constexpr char kOldRates[] =
    "SELECT storage_id FROM submission_rate WHERE since <= UNIX_TIMESTAMP() - ? LIMIT 1000";
constexpr char kDeleteRate[] =
    "DELETE FROM submission_rate WHERE storage_id = ? AND since <= UNIX_TIMESTAMP() - ?";
constexpr char kDeleteSendingRates[] =
    "DELETE FROM sending_rate WHERE since <= UNIX_TIMESTAMP() - ? ORDER BY since LIMIT 1000";
constexpr char kDeleteAnswers[] =
    "DELETE FROM idempotent_request WHERE created_at <= UNIX_TIMESTAMP() - ? ORDER BY created_at LIMIT 1000";
constexpr char kOldKeys[] =
    "SELECT id FROM api_key WHERE revoked_at <= UNIX_TIMESTAMP() - ? OR expires_at <= UNIX_TIMESTAMP() - ? LIMIT 1000";
constexpr char kDeleteKey[] = "DELETE FROM api_key WHERE id = ?";
constexpr char kOldAudit[] =
    "DELETE FROM audit_log WHERE at <= (UNIX_TIMESTAMP() - ?) * 1000000 ORDER BY at LIMIT 1000";
constexpr char kEmptyRanges[] =
    "SELECT domain_id, number FROM mailbox_range WHERE mailboxes = 0 LIMIT 1000";
constexpr char kOldDomains[] =
    "SELECT id FROM deleted_domain WHERE deleted_at <= UNIX_TIMESTAMP() - ? LIMIT 1000";
constexpr char kDeleteDomain[] =
    "DELETE FROM deleted_domain WHERE id = ? AND deleted_at <= UNIX_TIMESTAMP() - ?";  // with its
                                                                                       // keys
// Names of domains that no longer exist and cannot be restored.
constexpr char kOldNames[] =
    "SELECT DISTINCT n.domain_id FROM suspended_name n LEFT JOIN domain d ON d.id = n.domain_id LEFT JOIN deleted_domain k ON k.id = n.domain_id"
    " WHERE d.id IS NULL AND k.id IS NULL LIMIT 1000";
constexpr char kDeleteNames[] = "DELETE FROM suspended_name WHERE domain_id = ?";
// Likewise the aliases, and the catch-alls of accounts that an earlier release has removed.
constexpr char kOldAliases[] =
    "SELECT DISTINCT a.account_id, a.domain_id FROM alias a LEFT JOIN domain d ON d.id = a.domain_id"
    " LEFT JOIN deleted_domain k ON k.id = a.domain_id LEFT JOIN account c ON c.id = a.account_id"
    " WHERE d.id IS NULL AND k.id IS NULL AND (a.domain_id > 0 OR c.id IS NULL) LIMIT 1000";
constexpr char kDeleteAliases[] =
    "DELETE FROM alias WHERE account_id = ? AND domain_id = ? LIMIT 1000";
constexpr char kDeleteRange[] =
    "DELETE FROM mailbox_range WHERE domain_id = ? AND number = ? AND mailboxes = 0";

}  // namespace

// Finds rows without locks and deletes them one at a time, so that this and the writers of such
// rows never wait for each other.
Purged purge_rows(db::Session& session, const Config& config, Clock::time_point end)
{
    auto& connection = session.connection();
    const std::int64_t audited = std::chrono::seconds{config.audited_for}.count();
    const std::int64_t grace = std::chrono::seconds{config.deleted_for}.count();
    Purged purged;
    const auto one_by_one = [&](const char* table, const auto& find, const auto& remove) {
        for (;;) {
            auto old = find();
            if (old.count() == 0 || !purged.is_complete) return;
            while (old.next()) purged.rows[table] += static_cast<std::int64_t>(remove(old));
            purged.is_complete = Clock::now() < end;
        }
    };
    one_by_one(
        "session_end", [&] { return connection.query(kOldEnds, {kDay}); },
        [&](const db::Rows& old) {
        return connection.execute(kDeleteEnd, {old.read<std::int64_t>()});
        });
    one_by_one(
        "submission_rate", [&] { return connection.query(kOldRates, {kLongestSpan}); },
        [&](const db::Rows& old) {
        return connection.execute(kDeleteRate, {old.read<std::string>(), kLongestSpan});
        });
    const auto in_thousands = [&](const char* table, const auto& remove) {
        while (purged.is_complete) {
            const auto deleted = remove();
            if (deleted == 0) return;
            purged.rows[table] += static_cast<std::int64_t>(deleted);
            purged.is_complete = Clock::now() < end;
        }
    };
    in_thousands("sending_rate", [&] { return connection.execute(kDeleteSendingRates, {kHour}); });
    in_thousands("idempotent_request", [&] { return connection.execute(kDeleteAnswers, {kDay}); });
    one_by_one(
        "api_key",
        [&] {
        return connection.query(kOldKeys, {audited, audited});
        },
        [&](const db::Rows& old) {
        return connection.execute(kDeleteKey, {old.read<std::string>()});
    });
    one_by_one(
        "deleted_domain", [&] { return connection.query(kOldDomains, {grace}); },
        [&](const db::Rows& old) {
        return connection.execute(kDeleteDomain, {old.read<std::int64_t>(), grace});
        });
    one_by_one(
        "suspended_name", [&] { return connection.query(kOldNames); },
        [&](const db::Rows& old) {
        return connection.execute(kDeleteNames, {old.read<std::int64_t>()});
        });
    one_by_one(
        "alias", [&] { return connection.query(kOldAliases); },
        [&](const db::Rows& old) {
        const auto [account_id, domain_id] = old.read<std::int64_t, std::int64_t>();
        return connection.execute(kDeleteAliases, {account_id, domain_id});
        });
    one_by_one(
        "mailbox_range", [&] { return connection.query(kEmptyRanges); },
        [&](const db::Rows& old) {
        const auto [domain_id, number] = old.read<std::int64_t, std::int64_t>();
        return connection.execute(kDeleteRange, {domain_id, number});
        });
    while (purged.is_complete) {
        const auto count = connection.execute(kOldAudit, {audited});
        if (count == 0) break;
        purged.rows["audit_log"] += static_cast<std::int64_t>(count);
        purged.is_complete = Clock::now() < end;
    }
    return purged;
}

// This is one statement, so that a mailbox that is deleted or restored at the same time is in one
// of the two tables. A folder is created after its row, so the folders are read first.
constexpr char kKnown[] =
    "SELECT storage_id FROM mailbox WHERE storage_id LIKE CONCAT(?, '%')"
    " UNION ALL SELECT storage_id FROM deleted_mailbox WHERE storage_id LIKE CONCAT(?, '%')";

std::vector<std::string> Purge::unknown(std::string_view prefix)
{
    auto ids = store_.ids(prefix);
    if (ids.empty()) return ids;
    std::set<std::string> known;
    auto rows = session_.connection().query(kKnown, {prefix, prefix});
    while (rows.next()) known.insert(rows.read<std::string>());
    std::erase_if(ids, [&](const std::string& id) { return known.contains(id); });
    return ids;
}

Purged Purge::remove_unknown(std::string_view id, Clock::time_point end)
{
    Purged purged;
    if (session_.connection().query(kKnown, {id, id}).count() > 0) return purged;
    add(purged, std::string{id}, store_.remove(id, end));
    purged.stores = 1;
    return purged;
}

std::string become_owner_of_store(const Config& config)
{
    if (config.store.empty())
        throw std::runtime_error("the setting store is missing: it names the mail store's folder");
    privileges::drop(config.store_user, "store_user");
    return config.store;
}

}  // namespace janitor
