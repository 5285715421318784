#include "mailboxctl/janitor.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <optional>
#include <ostream>
#include <set>
#include <stdexcept>
#include <thread>

#include "base/log.h"
#include "base/notify.h"
#include "base/privileges.h"
#include "db/migrate.h"
#include "mailboxctl/recount.h"

namespace janitor {

using namespace std::chrono_literals;

// --- sessions -------------------------------------------------------------------------

namespace {

constexpr std::size_t kSingle = 100;  // with more rows than that all sessions are looked at
constexpr std::int64_t kFresh = 5;    // seconds that each look at the table is one at Dovecot, too
constexpr auto kBetweenLooks = 10s;   // later

// <storage_id>.<generation>@<domain>. Users of other kinds are not our business.
struct Login {
    std::string user;
    std::string storage_id;
    std::int64_t generation = 0;
};

std::optional<Login> login_of(const std::string& user)
{
    constexpr std::size_t kId = 32;
    const auto at = user.find('@');
    if (at == std::string::npos || at < kId + 2 || user[kId] != '.') return std::nullopt;
    Login login{user, user.substr(0, kId), 0};
    const auto* const end = user.data() + at;
    const auto parsed = std::from_chars(user.data() + kId + 1, end, login.generation);
    if (!storage::is_id(login.storage_id) || parsed.ptr != end || login.generation < 0)
        return std::nullopt;
    return login;
}

// The newest: they say how urgent it is.
constexpr char kWanted[] =
    "SELECT storage_id, since, UNIX_TIMESTAMP() FROM session_end ORDER BY id DESC LIMIT 101";

struct Wanted {
    bool is_everybody = false;
    std::set<std::string, std::less<>> storage_ids;
    std::int64_t youngest = 0;  // seconds since its change
    std::int64_t now = 0;       // the database's clock
};

// Nothing: there is nothing to do.
std::optional<Wanted> wanted(db::Connection& connection)
{
    auto rows = connection.query(kWanted);
    if (rows.count() == 0) return std::nullopt;
    Wanted wanted;
    wanted.is_everybody = rows.count() > kSingle;
    while (rows.next()) {
        if (wanted.storage_ids.empty()) {
            wanted.now = rows.integer(3);
            wanted.youngest = wanted.now - rows.integer(2);
        }
        const auto& id = *wanted.storage_ids.insert(rows.text(1)).first;
        if (id.empty()) wanted.is_everybody = true;
    }
    return wanted;
}

// Those who may be connected: their mailbox is there, nothing is suspended, and since they
// logged in there was no change that ends sessions.
const std::string& in_order_statement(std::size_t count)
{
    static const std::string text = [=] {
        std::string marks;
        for (std::size_t i = 0; i < count; ++i) marks += i == 0 ? "?" : ", ?";
        return "SELECT m.storage_id, m.generation FROM mailbox m JOIN domain d ON d.id = m.domain_id"
               " JOIN account a ON a.id = d.account_id"
               " WHERE m.state = 'active' AND d.state = 'active' AND a.state = 'active' AND m.storage_id IN ("
               + marks + ")";
    }();
    return text;
}

// Takes away those who are in order.
std::vector<std::string> out_of_order(db::Connection& connection, const std::vector<Login>& logins)
{
    std::vector<std::string> found;
    for (std::size_t begin = 0; begin < logins.size(); begin += kSingle) {
        std::vector<db::Value> ids(kSingle,
                                   std::string_view{});  // padded: the statement has its length
        const auto end = std::min(begin + kSingle, logins.size());
        for (auto i = begin; i < end; ++i) ids[i - begin] = logins[i].storage_id;
        auto rows = connection.query(in_order_statement(kSingle).c_str(), ids);
        std::map<std::string, std::int64_t> generations;
        while (rows.next()) generations.emplace(rows.text(1), rows.integer(2));
        for (auto i = begin; i < end; ++i) {
            const auto current = generations.find(logins[i].storage_id);
            if (current == generations.end() || current->second != logins[i].generation)
                found.push_back(logins[i].user);
        }
    }
    return found;
}

constexpr char kOld[] = "SELECT id FROM session_end WHERE since <= ? LIMIT 1000";
constexpr char kForget[] = "DELETE FROM session_end WHERE id = ?";

// One by one: a range would wait for the row behind it, which may be being written.
void forget(db::Connection& connection, std::int64_t until)
{
    for (;;) {
        auto old = connection.query(kOld, {until});
        if (old.count() == 0) return;
        while (old.next()) connection.execute(kForget, {old.integer(1)});
    }
}

}  // namespace

bool Sessions::is_due(std::int64_t age, Clock::time_point now) const
{
    return age <= kFresh || !told_.empty() || now - last_look_ >= kBetweenLooks;
}

// What counts is whom Dovecot says to be connected and what the tables say of them now; a
// row only says that there is a reason to look. So a look can be repeated, and never ends a
// session that began after the change.
Look Sessions::look()
{
    auto& connection = session_.connection();
    const auto reason = wanted(connection);
    const auto begin = Clock::now();
    if (!reason || !is_due(reason->youngest, begin)) return {};
    std::vector<Login> logins;
    std::set<std::string> seen;  // one may be connected many times
    for (const auto& session : doveadm_.sessions()) {
        if (!seen.insert(session.user).second) continue;
        auto login = login_of(session.user);
        if (login && (reason->is_everybody || reason->storage_ids.contains(login->storage_id)))
            logins.push_back(std::move(*login));
    }
    const auto to_end = out_of_order(connection, logins);
    doveadm_.kick(to_end);
    last_look_ = begin;
    Look look{.was_due = true,
              .ended = 0,
              .told = static_cast<std::int64_t>(to_end.size()),
              .stayed = {}};
    std::map<std::string, int> told;
    for (const auto& user : to_end) {
        const auto before = told_.find(user);
        const int times = before == told_.end() ? 1 : before->second + 1;
        look.ended += times == 1 ? 1 : 0;
        if (times == kPatience) look.stayed.push_back(user);
        told.emplace(user, times);
    }
    told_ = std::move(told);
    // Whoever was told to end is looked for once more before the reason is forgotten.
    if (to_end.empty()) forget(connection, reason->now - kWatched.count());
    return look;
}

Ended end_sessions(Sessions& sessions)
{
    constexpr int kLooks = 10;
    Ended ended;
    for (int i = 0; i < kLooks; ++i) {
        if (i > 0) std::this_thread::sleep_for(200ms);
        const auto look = sessions.look();
        ended.users += look.ended;
        ended.stayed = look.told;
        if (look.told == 0) break;
    }
    ended.users -= ended.stayed;
    return ended;
}

// --- what nobody can want back --------------------------------------------------------

namespace {

constexpr std::int64_t kHour = 3600;  // what was sent before that counts no more (sending.h)
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kLongestSpan =
    31 * kDay;  // of submission_rate, whatever the operator has chosen

// First those that an earlier call has begun with.
constexpr char kDue[] =
    "SELECT storage_id, size_bytes FROM deleted_mailbox WHERE purged_at IS NOT NULL AND storage_id > ?"
    " UNION SELECT storage_id, size_bytes FROM deleted_mailbox WHERE deleted_at <= UNIX_TIMESTAMP() - ? AND storage_id > ?"
    " ORDER BY storage_id LIMIT 100";
// From here on it cannot be restored, and that alone makes it safe to touch its mail. A mailbox
// with the same storage id cannot be, unless somebody changed the tables by hand.
constexpr char kBegin[] =
    "UPDATE deleted_mailbox d SET purged_at = COALESCE(purged_at, UNIX_TIMESTAMP())"
    " WHERE storage_id = ? AND (purged_at IS NOT NULL OR deleted_at <= UNIX_TIMESTAMP() - ?)"
    " AND NOT EXISTS (SELECT 1 FROM mailbox m WHERE m.storage_id = d.storage_id)";
// A delivery that was under way when it was deleted may have made the folder again: so not before
// it is over.
constexpr char kEnd[] =
    "DELETE FROM deleted_mailbox WHERE storage_id = ? AND purged_at IS NOT NULL AND deleted_at <= UNIX_TIMESTAMP() - ?";

void add(Purged& purged, const std::string& id, const storage::Removed& removed)
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
    bool is_mounted = false;  // once looked at
    std::string last;
    for (;;) {
        auto due = connection.query(kDue, {last, grace, last});
        if (due.count() == 0) return purged;
        while (due.next()) {
            last = due.text(1);
            try {
                if (due.integer(2) > 0 && !is_mounted) {
                    store_.expect_mail();
                    is_mounted = true;
                }
                if (connection.execute(kBegin, {last, grace}) == 0)
                    continue;  // it was restored meanwhile
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
constexpr char kOldRates[] =
    "SELECT storage_id FROM submission_rate WHERE since <= UNIX_TIMESTAMP() - ? LIMIT 1000";
constexpr char kDeleteRate[] =
    "DELETE FROM submission_rate WHERE storage_id = ? AND since <= UNIX_TIMESTAMP() - ?";
constexpr char kDeleteSendingRates[] =
    "DELETE FROM sending_rate WHERE since <= UNIX_TIMESTAMP() - ? ORDER BY since LIMIT 1000";
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
    "DELETE FROM deleted_domain WHERE id = ? AND deleted_at <= UNIX_TIMESTAMP() - ?";  // its keys
                                                                                       // go, too
// Of domains that are gone for good.
constexpr char kOldNames[] =
    "SELECT DISTINCT n.domain_id FROM suspended_name n LEFT JOIN domain d ON d.id = n.domain_id LEFT JOIN deleted_domain k ON k.id = n.domain_id"
    " WHERE d.id IS NULL AND k.id IS NULL LIMIT 1000";
constexpr char kDeleteNames[] = "DELETE FROM suspended_name WHERE domain_id = ?";
constexpr char kDeleteRange[] =
    "DELETE FROM mailbox_range WHERE domain_id = ? AND number = ? AND mailboxes = 0";

}  // namespace

// Looked for without locks and deleted one by one: nobody who writes such a row has to wait, or is
// waited for.
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
        [&](const db::Rows& old) { return connection.execute(kForget, {old.integer(1)}); });
    one_by_one(
        "submission_rate", [&] { return connection.query(kOldRates, {kLongestSpan}); },
        [&](const db::Rows& old) {
        return connection.execute(kDeleteRate, {old.text(1), kLongestSpan});
        });
    while (purged.is_complete) {
        const auto deleted = connection.execute(kDeleteSendingRates, {kHour});
        if (deleted == 0) break;
        purged.rows["sending_rate"] += static_cast<std::int64_t>(deleted);
        purged.is_complete = Clock::now() < end;
    }
    one_by_one(
        "api_key",
        [&] {
        return connection.query(kOldKeys, {audited, audited});
        },
        [&](const db::Rows& old) { return connection.execute(kDeleteKey, {old.text(1)}); });
    one_by_one(
        "deleted_domain", [&] { return connection.query(kOldDomains, {grace}); },
        [&](const db::Rows& old) {
        return connection.execute(kDeleteDomain, {old.integer(1), grace});
        });
    one_by_one(
        "suspended_name", [&] { return connection.query(kOldNames); },
        [&](const db::Rows& old) { return connection.execute(kDeleteNames, {old.integer(1)}); });
    one_by_one(
        "mailbox_range", [&] { return connection.query(kEmptyRanges); },
        [&](const db::Rows& old) {
        return connection.execute(kDeleteRange, {old.integer(1), old.integer(2)});
        });
    while (purged.is_complete) {
        const auto count = connection.execute(kOldAudit, {audited});
        if (count == 0) break;
        purged.rows["audit_log"] += static_cast<std::int64_t>(count);
        purged.is_complete = Clock::now() < end;
    }
    return purged;
}

Recounted recount_doubtful(db::Session& session, const Config& config,
                           const doveadm::Client& doveadm, Clock::time_point end)
{
    constexpr std::int64_t kAtOnce = 100;
    auto& connection = session.connection();
    Recounted done;
    std::string last;
    for (;;) {
        const auto doubtful = recount::doubtful(connection, last, kAtOnce);
        if (doubtful.empty()) return done;
        if (last.empty())
            storage::Store{config.store}
                .expect_mail();  // where it is not mounted, all would be counted as empty
        for (const auto& each : doubtful) {
            last = each.storage_id;
            try {
                const auto size =
                    recount::mailbox(connection, doveadm, each.storage_id, each.domain);
                ++done.mailboxes;
                if (size && size->bytes != size->before) ++done.mended;
            } catch (const doveadm::Unasked&) {
                throw;  // which is of no mailbox
            } catch (const doveadm::Failed& error) {
                done.failed.emplace_back(each.storage_id, error.what());
            }
            if (Clock::now() < end) continue;
            done.is_complete = false;
            return done;
        }
    }
}

// One statement, so that a mailbox that is deleted or restored meanwhile is in one of the two. A
// folder is made after its row, so the folders are read first.
constexpr char kKnown[] =
    "SELECT storage_id FROM mailbox WHERE storage_id LIKE CONCAT(?, '%')"
    " UNION ALL SELECT storage_id FROM deleted_mailbox WHERE storage_id LIKE CONCAT(?, '%')";

std::vector<std::string> Purge::unknown(std::string_view prefix)
{
    auto ids = store_.ids(prefix);
    if (ids.empty()) return ids;
    std::set<std::string> known;
    auto rows = session_.connection().query(kKnown, {prefix, prefix});
    while (rows.next()) known.insert(rows.text(1));
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

// --- the program ----------------------------------------------------------------------

std::string become_owner_of_store(const Config& config)
{
    if (config.store.empty())
        throw std::runtime_error("the setting store is missing: it names the mail store's folder");
    privileges::drop(config.store_user, "store_user");
    return config.store;
}

namespace {

struct Tools {
    explicit Tools(const Config& its_config)
        : config{its_config}, session{config.janitor_db, config.janitor_db.password(), config,
                                      migrate::expect_same},
          doveadm{config}
    {
        become_owner_of_store(config);
    }

    const Config& config;
    db::Session session;
    doveadm::Client doveadm;
    Sessions sessions{session, doveadm};
};

// Whoever made a file may have put a line end into its name.
std::string on_one_line(std::string path)
{
    std::replace_if(
        path.begin(), path.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, '?');
    return path;
}

}  // namespace

bool run_once(const Config& config, Orphans orphans, std::ostream& out)
{
    constexpr auto kNoEnd = Clock::time_point::max();
    Tools tools{config};
    tools.session.connection();  // without it there is nothing to do
    bool is_well = true;
    const auto attempt = [&](const auto& work) {
        try {
            work();
        } catch (const std::exception& error) {
            out << "FAILED: " << error.what() << '\n';
            is_well = false;
        }
    };
    attempt([&] {
        const auto ended = end_sessions(tools.sessions);
        out << "sessions ended: " << ended.users << '\n';
        if (ended.stayed > 0)
            throw std::runtime_error(
                std::to_string(ended.stayed)
                + " users have sessions that do not end; doveadm who shows their processes");
    });
    attempt([&] {
        const auto purged = Purge{tools.session, config}.stores(kNoEnd);
        for (const auto& [id, removed] : purged.removed) {
            out << "removed " << id << ": " << removed.files << " files of " << removed.bytes
                << " bytes\n";
        }
        out << "mailboxes removed: " << purged.stores << ", with " << purged.files << " files of "
            << purged.bytes << " bytes\n";
        for (const auto& [id, why] : purged.failed)
            out << "FAILED: " << id << " could not be removed: " << why << '\n';
        is_well = is_well && purged.failed.empty();
    });
    attempt([&] {
        const auto done = recount_doubtful(tools.session, config, tools.doveadm, kNoEnd);
        if (done.mailboxes > 0)
            out << "sizes in doubt counted anew: " << done.mailboxes << ", of which " << done.mended
                << " were wrong\n";
        for (const auto& [id, why] : done.failed)
            out << "FAILED: " << id << " could not be counted: " << why << '\n';
        is_well = is_well && done.failed.empty();
    });
    attempt([&] {
        const auto purged = purge_rows(tools.session, config, kNoEnd);
        for (const auto& [table, count] : purged.rows)
            out << "expired rows removed from " << table << ": " << count << '\n';
    });
    attempt([&] {
        Purge purge{tools.session, config};
        for (int number = 0; number < storage::kPrefixes; ++number) {
            const auto prefix = storage::prefix(number);
            for (const auto& id : purge.unknown(prefix)) {
                out << "no mailbox has the folder " << config.store << '/' << prefix << '/' << id;
                if (orphans == Orphans::remove) {
                    const auto purged = purge.remove_unknown(id, kNoEnd);
                    out << "; removed, with " << purged.files << " files of " << purged.bytes
                        << " bytes";
                }
                out << '\n';
            }
        }
        for (const auto& path : purge.strangers())
            out << "not a mailbox's folder, left alone: " << on_one_line(path) << '\n';
    });
    return is_well;
}

namespace {

// What goes wrong is logged when it begins, once a minute while it lasts, and when it is over.
class Trouble {
public:
    explicit Trouble(std::string_view part) : part_{part} {}
    template <typename Work>
    void guard(db::Session& session, Work work)
    {
        try {
            work();
            if (is_on_) logging::info("janitor-recovered")("part", part_);
            is_on_ = false;
        } catch (const std::exception& error) {
            if (dynamic_cast<const db::Error*>(&error) != nullptr) session.drop();
            const auto now = Clock::now();
            if (is_on_ && now < told_ + 1min) return;
            logging::error("janitor-failed")("part", part_)("error", error.what());
            is_on_ = true;
            told_ = now;
        }
    }

private:
    std::string_view part_;
    bool is_on_ = false;
    Clock::time_point told_{};
};

// What is done now and then, in slices, so that sessions never wait for it.
class Chore {
public:
    Chore(std::string_view name, Clock::duration interval) : trouble_{name}, interval_{interval} {}
    // `work` takes the slice's end and returns whether it is done for now.
    template <typename Work>
    void go_on(db::Session& session, Work work)
    {
        constexpr auto kSlice = 200ms;
        const auto now = Clock::now();
        if (now < next_) return;
        next_ = now + interval_;  // also where it fails
        trouble_.guard(session, [&] {
            if (!work(now + kSlice)) next_ = now;
        });
    }

private:
    Trouble trouble_;
    Clock::duration interval_;
    Clock::time_point next_{};
};

constexpr auto kInterval = 500ms;

class Watch {
public:
    explicit Watch(const Config& config) : tools_{config} {}

    void step()
    {
        session_trouble_.guard(tools_.session, [&] {
            const auto look = tools_.sessions.look();
            if (look.ended > 0) logging::info("sessions-ended")("users", look.ended);
            for (const auto& user : look.stayed) {
                logging::error("session-stays")("user", user)(
                    "advice", "its process does not end by itself; doveadm who shows it");
            }
        });
        stores_.go_on(tools_.session, [&](Clock::time_point end) {
            const auto purged = Purge{tools_.session, tools_.config}.stores(end);
            for (const auto& [id, why] : purged.failed) {
                if (unremoved_.insert(id).second)
                    logging::error("store-not-removed")("storage_id", id)("error", why);
            }
            for (const auto& [id, removed] : purged.removed) {
                logging::info("store-removed")("storage_id", id)("files", removed.files)(
                    "bytes", removed.bytes)("complete", removed.is_complete ? "yes" : "no");
            }
            if (purged.stores > 0) logging::info("mailboxes-purged")("count", purged.stores);
            return purged.is_complete;
        });
        sizes_.go_on(tools_.session, [&](Clock::time_point end) {
            const auto done = recount_doubtful(tools_.session, tools_.config, tools_.doveadm, end);
            if (done.mended > 0) logging::info("sizes-mended")("count", done.mended);
            if (!done.failed.empty())
                throw std::runtime_error("mailbox " + done.failed[0].first + ": "
                                         + done.failed[0].second);
            return done.is_complete;
        });
        rows_.go_on(tools_.session, [&](Clock::time_point end) {
            const auto purged = purge_rows(tools_.session, tools_.config, end);
            for (const auto& [table, count] : purged.rows)
                logging::info("rows-purged")("table", table)("count", count);
            return purged.is_complete;
        });
        orphans_.go_on(tools_.session, [&](Clock::time_point /*end*/) {
            for (const auto& id :
                 Purge{tools_.session, tools_.config}.unknown(storage::prefix(prefix_))) {
                logging::warning("unknown-folder")("storage_id", id)(
                    "advice", "mailboxctl janitor --orphans removes it");
            }
            prefix_ = (prefix_ + 1) % storage::kPrefixes;
            return prefix_ == 0;
        });
    }

private:
    Tools tools_;
    Trouble session_trouble_{"sessions"};
    Chore stores_{"stores", 1min};
    Chore sizes_{"sizes", 5s};
    Chore rows_{"rows", 1h};
    Chore orphans_{"orphans", 24h};
    int prefix_ = 0;
    std::set<std::string> unremoved_;  // told once
};

}  // namespace

void watch(const Config& config)
{
    sigset_t ends;
    ::sigemptyset(&ends);
    ::sigaddset(&ends, SIGTERM);
    ::sigaddset(&ends, SIGINT);
    ::sigprocmask(SIG_BLOCK, &ends, nullptr);
    Watch watch{config};
    notify::ready();
    logging::info("janitor-started")("store", config.store);
    notify::Pulse pulse;
    for (;;) {
        pulse.beat();
        watch.step();
        const timespec interval{.tv_sec = 0,
                                .tv_nsec = std::chrono::nanoseconds{kInterval}.count()};
        if (::sigtimedwait(&ends, nullptr, &interval) > 0) break;
    }
    notify::stopping();
    logging::info("janitor-stopped");
}

}  // namespace janitor
