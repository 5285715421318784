#include "db/mailbox_search.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace store {
namespace {

constexpr std::size_t kLongestLocalPart = 64;
// After all characters of a local part.
constexpr char kAfterAll = '\x7F';

}  // namespace

// The column is ASCII. With another text the server would convert the column, and read all of it.
PrefixRange range_of_prefix(std::string_view prefix)
{
    const bool is_ascii =
        std::all_of(prefix.begin(), prefix.end(), [](char c) { return c > ' ' && c < kAfterAll; });
    if (!is_ascii || prefix.size() > kLongestLocalPart) return {{kAfterAll}, {kAfterAll}};
    return {std::string{prefix}, std::string{prefix} + kAfterAll};
}

namespace {

// Reads total and page in one statement, so from one view. An empty page is a row with the total
// alone. The matches are counted and chosen in the unique key; the rows of the page alone are read,
// and sorted once more after the joins.
constexpr db::Text kMatching{
    " FROM mailbox FORCE INDEX (mailbox_address) WHERE domain_id = ? AND local_part >= ? AND local_part < ?"};
constexpr auto kFrom =
    db::Text{" FROM domain d JOIN (SELECT COUNT(*) AS count"} + kMatching
    + ") total LEFT JOIN (SELECT domain_id, id, local_part" + kMatching
    + " ORDER BY domain_id, local_part LIMIT ? OFFSET ?) p ON p.domain_id = d.id"
      " LEFT JOIN mailbox m FORCE INDEX (PRIMARY) ON m.domain_id = p.domain_id AND m.id = p.id";
constexpr db::Text kDetails{
    "SELECT m.local_part, m.created_at, m.size_bytes, u.messages, m.quota_bytes, m.state, a.last_login, a.last_delivery"};
constexpr db::Text kDetailTables{
    " LEFT JOIN mailbox_usage u FORCE INDEX (mailbox_usage_storage) ON u.storage_id = m.storage_id"
    " LEFT JOIN mailbox_activity a FORCE INDEX (PRIMARY) ON a.storage_id = m.storage_id"};
constexpr db::Text kOfDomainInOrder{" WHERE d.id = ? ORDER BY p.local_part"};

constexpr auto kSearch =
    db::Text{"SELECT m.local_part, m.created_at, m.size_bytes, total.count, d.version"} + kFrom
    + kOfDomainInOrder;
constexpr auto kSearchDetails =
    kDetails + ", total.count" + kFrom + kDetailTables + kOfDomainInOrder;

db::Rows ask(db::Connection& connection, db::Statement statement, std::int64_t domain_id,
             const std::string& prefix, const Page& page)
{
    const auto range = range_of_prefix(prefix);
    return connection.query(statement, {domain_id, range.first, range.end, domain_id, range.first,
                                        range.end, page.limit, page.skip, domain_id});
}

}  // namespace

Matches search(db::Connection& connection, std::int64_t domain_id, const std::string& prefix,
               const Page& page)
{
    Matches found{.version = {.domain_id = domain_id}, .listing = {}};
    auto rows = ask(connection, kSearch, domain_id, prefix, page);
    while (rows.next()) {
        mailbox::Mailbox item;
        std::tie(item.local_part, item.created_at, item.size_bytes, found.listing.total,
                 found.version.number) =
            rows.read<std::string, std::int64_t, std::int64_t, std::int64_t, std::int64_t>();
        if (!item.local_part.empty()) found.listing.items.push_back(std::move(item));
    }
    return found;
}

DetailedListing search_details(db::Connection& connection, std::int64_t domain_id,
                               const std::string& prefix, const Page& page)
{
    DetailedListing found;
    auto rows = ask(connection, kSearchDetails, domain_id, prefix, page);
    while (rows.next()) {
        Details item;
        std::tie(item.local_part, item.created_at, item.size_bytes, item.messages, item.quota_bytes,
                 item.state, item.last_login, item.last_delivery, found.total) =
            rows.read<std::string, std::int64_t, std::int64_t, std::int64_t, Quota, std::string,
                      std::int64_t, std::int64_t, std::int64_t>();
        if (!item.local_part.empty()) found.items.push_back(std::move(item));
    }
    return found;
}

constexpr auto kFind = kDetails + " FROM mailbox m FORCE INDEX (mailbox_address)" + kDetailTables
                       + " WHERE m.domain_id = ? AND m.local_part = ?";

std::optional<Details> find_details(db::Connection& connection, std::int64_t domain_id,
                                    const std::string& local_part)
{
    auto rows = connection.query(kFind, {domain_id, local_part});
    if (!rows.next()) return std::nullopt;
    Details found;
    std::tie(found.local_part, found.created_at, found.size_bytes, found.messages,
             found.quota_bytes, found.state, found.last_login, found.last_delivery) =
        rows.read<std::string, std::int64_t, std::int64_t, std::int64_t, Quota, std::string,
                  std::int64_t, std::int64_t>();
    return found;
}

}  // namespace store
