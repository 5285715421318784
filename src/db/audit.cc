#include "db/audit.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "base/crypto.h"

namespace audit {

Id::Id()
    : at{std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
             .count()},
      id{static_cast<std::int64_t>(crypto::random_number() >> 2)}
{
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

constexpr char kInsert[] =
    "INSERT INTO audit_log (at, id, actor, client, action, domain, local_part) VALUES (?, ?, ?, ?, ?, ?, ?)";

void write(db::Connection& connection, const Id& id, std::size_t number, const Actor& actor,
           std::string_view action, std::string_view domain, std::string_view what)
{
    connection.execute(kInsert, {id.at, id.id + static_cast<std::int64_t>(number), actor.key_id,
                                 actor.client, action, domain, what});
}

namespace {

// A UNION can be ordered only by columns that it returns, so each statement returns the id, too.
std::vector<Entry> oldest_first(db::Rows rows)
{
    std::vector<Entry> entries;
    while (rows.next()) {
        auto [at, actor, client, action, domain, what, id] =
            rows.read<std::int64_t, std::string, std::string, std::string, std::string, std::string,
                      std::int64_t>();
        entries.push_back({at, std::move(actor), std::move(client), std::move(action),
                           std::move(domain), std::move(what)});
    }
    std::reverse(entries.begin(), entries.end());
    return entries;
}

}  // namespace

constexpr char kAll[] =
    "SELECT at, actor, client, action, domain, local_part, id FROM audit_log ORDER BY at DESC, id DESC LIMIT ?";

std::vector<Entry> all(db::Connection& connection, std::int64_t limit)
{
    return oldest_first(connection.query(kAll, {limit}));
}

constexpr char kOfAddress[] =
    "SELECT at, actor, client, action, domain, local_part, id FROM audit_log WHERE domain = ? AND local_part = ?"
    " ORDER BY at DESC, id DESC LIMIT ?";

std::vector<Entry> of_address(db::Connection& connection, std::string_view local_part,
                              std::string_view domain, std::int64_t limit)
{
    return oldest_first(connection.query(kOfAddress, {domain, local_part, limit}));
}

// Reads three ranges of two indexes, each from its end. With OR instead of UNION the server would
// read the whole log.
constexpr char kOfName[] =
    "(SELECT at, actor, client, action, domain, local_part, id FROM audit_log WHERE actor = ? ORDER BY at DESC, id DESC LIMIT ?)"
    " UNION (SELECT at, actor, client, action, domain, local_part, id FROM audit_log WHERE domain = ? ORDER BY at DESC, id DESC LIMIT ?)"
    " UNION (SELECT at, actor, client, action, domain, local_part, id FROM audit_log WHERE domain = '' AND local_part = ?"
    " ORDER BY at DESC, id DESC LIMIT ?) ORDER BY at DESC, id DESC LIMIT ?";

std::vector<Entry> of_name(db::Connection& connection, std::string_view name, std::int64_t limit)
{
    return oldest_first(connection.query(kOfName, {name, limit, name, limit, name, limit, limit}));
}

namespace {

constexpr char kSelected[] =
    "SELECT at, actor, client, action, domain, local_part, id FROM audit_log"
    " WHERE at >= ? AND (? = '' OR domain = ?) AND (? = '' OR local_part = ?) AND (? = '' OR actor = ?)"
    " ORDER BY at DESC, id DESC LIMIT ?";

// What an account may see of one of its domains, or of one of its keys: an index has the order, so
// only the newest are read, however many there are. What the keys of another account did is not
// shown: the domain may have belonged to that account.
constexpr db::Text kColumns{
    "SELECT at, actor, IF(EXISTS(SELECT 1 FROM api_key o WHERE o.id = actor AND o.account_id = ?), client, ''), action, domain,"
    " local_part, id FROM audit_log FORCE INDEX ("};
constexpr char kFilters[] =
    " AND at >= ? AND (? = '' OR local_part = ?) AND (? = '' OR actor = ?) AND (? = '' OR domain = ?)"
    " AND (actor = 'operator' OR EXISTS (SELECT 1 FROM api_key k WHERE k.id = actor AND COALESCE(k.account_id, ?) = ?))"
    " ORDER BY at DESC, id DESC LIMIT ?";
constexpr auto kOfDomain = kColumns + "audit_log_domain) WHERE domain = ?" + kFilters;
constexpr auto kOfKey = kColumns + "audit_log_key) WHERE actor = ?" + kFilters;

constexpr char kOwnDomains[] =
    "SELECT name, created_at * 1000000 FROM domain WHERE account_id = ? AND ? IN (0, id)";
constexpr char kOwnKeys[] = "SELECT id FROM api_key WHERE account_id = ?";

// The newest entries of several sources, each at most once.
class Newest {
public:
    explicit Newest(std::int64_t limit) : limit_{static_cast<std::size_t>(limit)} {}
    void add(db::Rows rows)
    {
        while (rows.next()) {
            auto [at, actor, client, action, domain, what, id] =
                rows.read<std::int64_t, std::string, std::string, std::string, std::string,
                          std::string, std::int64_t>();
            entries_[{at, id}] = {at,
                                  std::move(actor),
                                  std::move(client),
                                  std::move(action),
                                  std::move(domain),
                                  std::move(what)};
            if (entries_.size() > limit_) entries_.erase(entries_.begin());
        }
    }
    // Returns the time before which no further entry is among them.
    std::int64_t least() const
    {
        return entries_.size() < limit_ || entries_.empty() ? 0 : entries_.begin()->first.first;
    }
    std::vector<Entry> oldest_first() const
    {
        std::vector<Entry> all;
        for (const auto& [place, entry] : entries_) all.push_back(entry);
        return all;
    }

private:
    std::size_t limit_;
    std::map<std::pair<std::int64_t, std::int64_t>, Entry> entries_;
};

std::vector<Entry> of_account(db::Connection& connection, const Selection& selection)
{
    const auto& [account, domain_id, domain, what, actor, since, limit] = selection;
    Newest newest{limit};
    const auto values = [&](std::string_view source, std::int64_t least) {
        return std::vector<db::Value>{account, source, least,  what,    what,    actor,
                                      actor,   domain, domain, account, account, limit};
    };
    if (limit == 0) return {};
    for (auto domains = connection.query(kOwnDomains, {account, domain_id}); domains.next();) {
        const auto [name, begin] = domains.read<std::string, std::int64_t>();
        if (!domain.empty() && name != domain) continue;
        newest.add(
            connection.query(kOfDomain, values(name, std::max({since, begin, newest.least()}))));
    }
    if (domain_id != 0) return newest.oldest_first();
    for (auto keys = connection.query(kOwnKeys, {account}); keys.next();) {
        const auto id = keys.read<std::string>();
        if (!actor.empty() && id != actor) continue;
        newest.add(connection.query(kOfKey, values(id, std::max(since, newest.least()))));
    }
    return newest.oldest_first();
}

}  // namespace

std::vector<Entry> selected(db::Connection& connection, const Selection& selection)
{
    const auto& [account, domain_id, domain, what, actor, since, limit] = selection;
    auto entries = account == 0 ? oldest_first(connection.query(
                       kSelected, {since, domain, domain, what, what, actor, actor, limit}))
                                : of_account(connection, selection);
    std::reverse(entries.begin(), entries.end());
    return entries;
}

constexpr char kLatest[] =
    "SELECT at, actor, client, action, domain, local_part, id FROM audit_log WHERE domain = ? AND local_part = ? AND action IN (?, ?, ?)"
    " ORDER BY at DESC, id DESC LIMIT 1";

std::optional<Entry> latest(db::Connection& connection, const Actions& actions,
                            std::string_view domain, std::string_view what)
{
    const auto found =
        oldest_first(connection.query(kLatest, {domain, what, actions[0], actions[1], actions[2]}));
    return found.empty() ? std::nullopt : std::optional{found.front()};
}

}  // namespace audit
