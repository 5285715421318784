#include "mailboxctl/janitor_sessions.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <thread>

#include "mail/login_name.h"

namespace janitor {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSingle = 100;     // with more rows than that, every session is checked
constexpr std::int64_t kFresh = 5;       // seconds after a change in which every sweep asks Dovecot
constexpr auto kQuestionInterval = 10s;  // between questions to Dovecot after that

// The user name of a session: <storage_id>.<generation>@<domain>.
struct Login {
    std::string user;
    std::string storage_id;
    std::int64_t generation = 0;
};

// Empty for users of this Dovecot that are not ours.
std::optional<Login> login_of(const std::string& user)
{
    const auto name = login_name::parse(user);
    if (!name) return std::nullopt;
    return Login{user, name->storage_id, name->generation};
}

// The newest rows first: their age says how urgent the sweep is.
constexpr char kWanted[] =
    "SELECT storage_id, since, UNIX_TIMESTAMP() FROM session_end ORDER BY id DESC LIMIT 101";

struct Wanted {
    bool is_everybody = false;
    std::set<std::string, std::less<>> storage_ids;
    std::int64_t youngest = 0;  // seconds since its change
    std::int64_t now = 0;       // the database's clock
};

// Returns whose sessions have to be checked. Empty if there is nothing to do.
std::optional<Wanted> wanted(db::Connection& connection)
{
    auto rows = connection.query(kWanted);
    if (rows.count() == 0) return std::nullopt;
    Wanted wanted;
    wanted.is_everybody = rows.count() > kSingle;
    while (rows.next()) {
        const auto [id, since, now] = rows.read<std::string, std::int64_t, std::int64_t>();
        if (wanted.storage_ids.empty()) {
            wanted.now = now;
            wanted.youngest = now - since;
        }
        wanted.storage_ids.insert(id);
        if (id.empty()) wanted.is_everybody = true;
    }
    return wanted;
}

// Returns the statement that finds the users who may be connected: the mailbox exists, nothing is
// suspended, and no change since the login ends its sessions.
constexpr auto kInOrder =
    db::Text{
        "SELECT m.storage_id, m.generation FROM mailbox m JOIN domain d ON d.id = m.domain_id"
        " JOIN account a ON a.id = d.account_id"
        " WHERE m.state = 'active' AND d.state = 'active' AND a.state = 'active' AND m.storage_id IN ("}
    + db::places<kSingle>() + ")";

// Returns the users among `logins` who may no longer be connected.
std::vector<std::string> out_of_order(db::Connection& connection, const std::vector<Login>& logins)
{
    std::vector<std::string> found;
    for (std::size_t begin = 0; begin < logins.size(); begin += kSingle) {
        std::vector<db::Value> ids(kSingle,
                                   std::string_view{});  // padded to the statement's fixed length
        const auto end = std::min(begin + kSingle, logins.size());
        for (auto i = begin; i < end; ++i) ids[i - begin] = logins[i].storage_id;
        auto rows = connection.query(kInOrder, ids);
        std::map<std::string, std::int64_t> generations;
        while (rows.next()) {
            const auto [id, generation] = rows.read<std::string, std::int64_t>();
            generations.emplace(id, generation);
        }
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

// Deletes one row at a time, because a range would wait for the next row, which another connection
// may be writing.
void forget(db::Connection& connection, std::int64_t until)
{
    for (;;) {
        auto old = connection.query(kOld, {until});
        if (old.count() == 0) return;
        while (old.next()) connection.execute(kForget, {old.read<std::int64_t>()});
    }
}

}  // namespace

bool Sessions::is_due(std::int64_t age, Clock::time_point now) const
{
    return age <= kFresh || !kicks_.empty() || now - last_sweep_ >= kQuestionInterval;
}

// A row of session_end is only a reason to check. What decides is who is connected, according to
// Dovecot, and what the tables say of them now. So a sweep can be repeated, and it never ends a
// session that began after the change.
Sweep Sessions::sweep()
{
    auto& connection = session_.connection();
    const auto reason = wanted(connection);
    const auto begin = Clock::now();
    if (!reason || !is_due(reason->youngest, begin)) return {};
    std::vector<Login> logins;
    std::set<std::string> seen;  // a user may have several sessions
    for (const auto& session : doveadm_.sessions()) {
        if (!seen.insert(session.user).second) continue;
        auto login = login_of(session.user);
        if (login && (reason->is_everybody || reason->storage_ids.contains(login->storage_id)))
            logins.push_back(std::move(*login));
    }
    const auto to_end = out_of_order(connection, logins);
    doveadm_.kick(to_end);
    last_sweep_ = begin;
    Sweep sweep{.was_due = true,
                .ended = 0,
                .kicked = static_cast<std::int64_t>(to_end.size()),
                .stayed = {}};
    std::map<std::string, int> kicks;
    for (const auto& user : to_end) {
        const auto before = kicks_.find(user);
        const int times = before == kicks_.end() ? 1 : before->second + 1;
        sweep.ended += times == 1 ? 1 : 0;
        if (times == kPatience) sweep.stayed.push_back(user);
        kicks.emplace(user, times);
    }
    kicks_ = std::move(kicks);
    // A user who was disconnected is checked once more before the reason is deleted.
    if (to_end.empty()) forget(connection, reason->now - kWatched.count());
    return sweep;
}

Ended end_sessions(Sessions& sessions)
{
    constexpr int kSweeps = 10;
    Ended ended;
    for (int i = 0; i < kSweeps; ++i) {
        if (i > 0) std::this_thread::sleep_for(200ms);
        const auto sweep = sessions.sweep();
        ended.users += sweep.ended;
        ended.stayed = sweep.kicked;
        if (sweep.kicked == 0) break;
    }
    ended.users -= ended.stayed;
    return ended;
}

}  // namespace janitor
