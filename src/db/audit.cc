#include "db/audit.h"

#include <algorithm>
#include <chrono>

#include "base/crypto.h"

namespace audit {

Id::Id()
    : at{std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
             .count()},
      id{static_cast<std::int64_t>(crypto::random_number() >> 2)}
{
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
