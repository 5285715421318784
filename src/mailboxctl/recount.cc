#include "mailboxctl/recount.h"

#include "db/session.h"
#include "peers/maildir.h"

namespace recount {
namespace {

constexpr char kUsage[] = "SELECT bytes, messages FROM mailbox_usage WHERE storage_id = ?";
constexpr char kInsert[] = "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (?, ?, ?)";
// Overwrites only the values that were read before. told_at = 0: this size is not in doubt
// (0007-doubtful-sizes.sql).
constexpr char kUpdate[] =
    "UPDATE mailbox_usage SET bytes = ?, messages = ?, told_at = 0 WHERE storage_id = ? AND bytes = ? AND messages = ?";

struct Stored {
    std::int64_t bytes = 0;
    std::int64_t messages = 0;
    bool operator==(const Stored&) const = default;
};

std::optional<Stored> stored(db::Connection& connection, const std::string& storage_id)
{
    auto rows = connection.query(kUsage, {storage_id});
    if (!rows.next()) return std::nullopt;
    const auto [bytes, messages] = rows.read<std::int64_t, std::int64_t>();
    return Stored{bytes, messages};
}

// Returns false if the stored size changed in the meantime.
bool write(db::Connection& connection, const std::string& user, const std::string& storage_id,
           const std::optional<Stored>& before, const Stored& now)
{
    if (before)
        return connection.execute(
                   kUpdate, {now.bytes, now.messages, storage_id, before->bytes, before->messages})
               > 0;
    try {
        connection.execute(kInsert, {user, now.bytes, now.messages});
        return true;
    } catch (const db::DuplicateKey&) {
        return false;
    }
}

}  // namespace

std::optional<Size> mailbox(db::Connection& connection, const dovecot::Client& doveadm,
                            const std::string& storage_id, const std::string& domain)
{
    constexpr int kTries = 5;
    constexpr int kNoReferencedRow = 1452;
    const auto user = storage_id + "@" + domain;
    std::optional<std::int64_t> first;
    for (int i = 0;; ++i) {
        const auto before = stored(connection, storage_id);
        if (!first) first = before ? before->bytes : 0;
        const auto counted = doveadm.count(user);
        if (!counted) return std::nullopt;
        const Stored now{counted->bytes, counted->messages};
        try {
            if (write(connection, user, storage_id, before, now)) {
                const auto again = doveadm.count(user);
                if (!again) return std::nullopt;
                if ((again->bytes == now.bytes && again->messages == now.messages) || i == kTries)
                    return Size{*first, now.bytes, now.messages};
            }
        } catch (const db::Error& error) {
            if (error.number == kNoReferencedRow) return std::nullopt;  // deleted in the meantime
            throw;
        }
        if (i == kTries)
            throw dovecot::Failed(
                "the mailbox " + user
                + " keeps changing; Dovecot reports its size with the next change");
    }
}

constexpr char kMail[] = "SELECT 1 FROM mailbox WHERE size_bytes > 0 LIMIT 1";

bool has_mail(db::Connection& connection)
{
    return connection.query(kMail).count() > 0;
}

constexpr char kDoubtful[] =
    "SELECT storage_id, SUBSTRING_INDEX(username, '@', -1) FROM mailbox_usage"
    " WHERE doubtful_at > 0 AND doubtful_at < UNIX_TIMESTAMP() - 10 AND storage_id > ? ORDER BY storage_id LIMIT ?";

std::vector<Doubtful> doubtful(db::Connection& connection, const std::string& after,
                               std::int64_t limit)
{
    auto rows = connection.query(kDoubtful, {after, limit});
    std::vector<Doubtful> found;
    while (rows.next()) {
        auto [storage_id, domain] = rows.read<std::string, std::string>();
        found.push_back({std::move(storage_id), std::move(domain)});
    }
    return found;
}

Recounted all_doubtful(db::Session& session, const Config& config, const dovecot::Client& doveadm,
                       maildir::Clock::time_point end)
{
    constexpr std::int64_t kAtOnce = 100;
    auto& connection = session.connection();
    Recounted done;
    std::string last;
    for (;;) {
        const auto found = doubtful(connection, last, kAtOnce);
        if (found.empty()) return done;
        if (last.empty())
            maildir::Store{config.store}
                .expect_mail();  // an unmounted store would be counted as empty
        for (const auto& each : found) {
            last = each.storage_id;
            try {
                const auto size = mailbox(connection, doveadm, each.storage_id, each.domain);
                ++done.mailboxes;
                if (size && size->bytes != size->before) ++done.mended;
            } catch (const dovecot::Unasked&) {
                throw;  // not a failure of this mailbox
            } catch (const dovecot::Failed& error) {
                done.failed.emplace_back(each.storage_id, error.what());
            }
            if (maildir::Clock::now() < end) continue;
            done.is_complete = false;
            return done;
        }
    }
}

}  // namespace recount
