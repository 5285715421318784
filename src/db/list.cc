#include "db/list.h"

#include <string>
#include <tuple>
#include <utility>

namespace store {

using skip_index::kAfterEverything;
using skip_index::Position;
using skip_index::Ranges;

namespace {

// The key and the domain that it may read. What is read of the domain is joined to these two, so
// the server reads nothing of a domain for a key that may not read it. Each table is bound to the
// one index that serves, so the server compares no others; these two rows are read as constants.
constexpr db::Text kReader{
    " FROM api_key k FORCE INDEX (PRIMARY) JOIN domain d FORCE INDEX (domain_name) ON d.account_id = k.account_id"};
constexpr db::Text kMayRead{
    " WHERE k.id = ? AND k.hash = ? AND k.good_until > UNIX_TIMESTAMP() AND k.account_state = 'active'"
    " AND d.name = ? AND d.id = COALESCE(k.domain_id, d.id)"};

constexpr db::Text kRangeColumns{
    "SELECT r.number, r.mailboxes, r.counts, d.mailboxes, d.last_id, d.id"};
constexpr db::Text kJoinRanges{" JOIN mailbox_range r FORCE INDEX (PRIMARY) ON r.domain_id = d.id"};
constexpr db::Text kRangesInOrder{" ORDER BY r.domain_id, r.number"};
constexpr auto kRanges = kRangeColumns + " FROM domain d FORCE INDEX (domain_name)" + kJoinRanges
                         + " WHERE d.name = ?" + kRangesInOrder;
constexpr auto kRangesForReader = kRangeColumns + kReader + kJoinRanges + kMayRead + kRangesInOrder;

Ranges ranges_of(db::Rows rows, const mailbox::Domain& domain)
{
    Ranges ranges{.domain = domain.name()};
    ranges.all.reserve(rows.count());
    while (rows.next()) {
        Ranges::Range range{};
        std::tie(range.number, range.mailboxes, range.counts, ranges.total, ranges.last_id,
                 ranges.domain_id) = rows.read<std::int64_t, std::int64_t, std::string,
                                               std::int64_t, std::int64_t, std::int64_t>();
        ranges.all.push_back(std::move(range));
    }
    return ranges;
}

// Reads key, domain and page in one round trip. Returns no row if the key may not read the domain
// or if the page is empty; the caller then finds out which.
//
// The page is one range of the primary key. ORDER BY names both key columns, because ORDER BY m.id
// alone makes MySQL sort the whole domain. The domain's columns repeat in every row: 16 bytes per
// row are cheaper than a second round trip.
constexpr auto kListed =
    db::Text{"SELECT m.local_part, m.created_at, m.size_bytes, d.mailboxes, d.id, d.version"}
    + kReader + " JOIN mailbox m FORCE INDEX (PRIMARY) ON m.domain_id = d.id" + kMayRead;
constexpr db::Text kInOrder{" ORDER BY m.domain_id, m.id LIMIT ? OFFSET ?"};
constexpr auto kList = kListed + kInOrder;
// The same from a position on. Returns no row if the domain has changed since the position was
// found.
constexpr auto kListFrom =
    kListed + " AND m.id >= ? AND d.id = ? AND d.mailboxes = ? AND d.last_id = ?" + kInOrder;

// Returns all rows, from the one on that the rows stand at.
GrantedListing listed_all(db::Rows& rows)
{
    GrantedListing found;
    found.listing.items.reserve(rows.count());
    do {
        mailbox::Mailbox item;
        std::tie(item.local_part, item.created_at, item.size_bytes, found.listing.total,
                 found.version.domain_id, found.version.number) =
            rows.read<std::string, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                      std::int64_t>();
        found.listing.items.push_back(std::move(item));
    } while (rows.next());
    return found;
}

// Reads total and page in one statement, so from one view. An empty page is a row with the total
// alone.
constexpr char kPage[] =
    "SELECT m.local_part, m.created_at, m.size_bytes, d.mailboxes, d.last_id"
    " FROM domain d LEFT JOIN (SELECT domain_id, id, local_part, created_at, size_bytes FROM mailbox FORCE INDEX (PRIMARY)"
    " WHERE domain_id = ? AND id >= ? ORDER BY domain_id, id LIMIT ? OFFSET ?) m ON m.domain_id = d.id"
    " WHERE d.id = ? ORDER BY m.id";

// The same with the details of each mailbox. The two tables that Dovecot writes are read by their
// unique keys, for the mailboxes of the page only.
constexpr char kDetailedPage[] =
    "SELECT m.local_part, m.created_at, m.size_bytes, u.messages, m.quota_bytes, m.state, a.last_login, a.last_delivery,"
    " d.mailboxes, d.last_id"
    " FROM domain d LEFT JOIN (SELECT domain_id, id, local_part, created_at, size_bytes, quota_bytes, state, storage_id"
    " FROM mailbox FORCE INDEX (PRIMARY)"
    " WHERE domain_id = ? AND id >= ? ORDER BY domain_id, id LIMIT ? OFFSET ?) m ON m.domain_id = d.id"
    " LEFT JOIN mailbox_usage u FORCE INDEX (mailbox_usage_storage) ON u.storage_id = m.storage_id"
    " LEFT JOIN mailbox_activity a FORCE INDEX (PRIMARY) ON a.storage_id = m.storage_id"
    " WHERE d.id = ? ORDER BY m.id";

bool is_current(const Position& position, std::int64_t domain_id, std::int64_t total,
                std::int64_t last_id)
{
    return position.first_id == 0
           || (position.domain_id == domain_id && position.total == total
               && position.last_id == last_id);
}

// These add the row's mailbox, if it has one, and set the total. They return the domain's last id.
std::int64_t take_row(const db::Rows& rows, Listing& listing)
{
    auto [local_part, created_at, size_bytes, total, last_id] =
        rows.read<std::optional<std::string>, std::int64_t, std::int64_t, std::int64_t,
                  std::int64_t>();
    listing.total = total;
    if (local_part) listing.items.push_back({std::move(*local_part), created_at, size_bytes});
    return last_id;
}

std::int64_t take_row(const db::Rows& rows, DetailedListing& listing)
{
    Details item;
    std::int64_t last_id = 0;
    std::tie(item.local_part, item.created_at, item.size_bytes, item.messages, item.quota_bytes,
             item.state, item.last_login, item.last_delivery, listing.total, last_id) =
        rows.read<std::string, std::int64_t, std::int64_t, std::int64_t, Quota, std::string,
                  std::int64_t, std::int64_t, std::int64_t, std::int64_t>();
    if (!item.local_part.empty()) listing.items.push_back(std::move(item));
    return last_id;
}

constexpr db::Statement statement_for(const Listing&)
{
    return kPage;
}
constexpr db::Statement statement_for(const DetailedListing&)
{
    return kDetailedPage;
}

// Empty if the position is from before the domain's last change.
template <typename Found>
std::optional<Found> page_from(db::Connection& connection, std::int64_t domain_id, const Page& page,
                               const Position& position)
{
    Found listing;
    auto rows = connection.query(statement_for(listing), {domain_id, position.first_id, page.limit,
                                                          position.offset, domain_id});
    while (rows.next()) {
        const auto last_id = take_row(rows, listing);
        // A position after everything stays one unless the domain has grown that far.
        const bool is_after_all =
            position.first_id == kAfterEverything && listing.total <= page.skip;
        if (!is_after_all && !is_current(position, domain_id, listing.total, last_id))
            return std::nullopt;
    }
    return listing;
}

}  // namespace

// The ranges are cached, so paging through an unchanged domain costs one statement per page.
template <typename ReadRanges>
Position Lists::position_of(std::int64_t connections, const mailbox::Domain& domain,
                            std::int64_t skip, ReadRanges read_ranges)
{
    constexpr std::size_t kMostKept = 1000;  // of half a kilobyte
    if (skip < skip_index::kFineWidth)
        return {.offset = skip};  // stepping over that many costs less than a look-up
    if (ranges_.domain == domain.name() && ranges_.connection == connections) {
        auto position = position_in(ranges_, skip);
        position.is_from_earlier = true;
        return position;
    }
    auto read = ranges_of(read_ranges(), domain);
    read.connection = connections;
    const auto position = position_in(read, skip);
    // There are none if the domain is empty, or if the key may not read it.
    if (!read.all.empty() && read.all.size() <= kMostKept) ranges_ = std::move(read);
    return position;
}

std::optional<GrantedListing> Lists::list(db::Connection& connection, std::int64_t connections,
                                          const api_key::Key& key, const mailbox::Domain& domain,
                                          const Page& page)
{
    const auto id = key.id();
    const auto& hash = key.sha256();
    const auto position = position_of(connections, domain, page.skip, [&] {
        return connection.query(kRangesForReader, {id, hash, domain.name()});
    });
    // A key that may not read the domain costs one statement, whether the ranges were cached or
    // read just now, so the time does not tell.
    if (position.first_id == kAfterEverything && !position.is_from_earlier) return std::nullopt;
    auto rows =
        position.first_id == 0
            ? connection.query(kList, {id, hash, domain.name(), page.limit, position.offset})
            : connection.query(kListFrom,
                               {id, hash, domain.name(), position.first_id, position.domain_id,
                                position.total, position.last_id, page.limit, position.offset});
    if (rows.next()) return listed_all(rows);
    if (position.is_from_earlier) ranges_ = {};
    return std::nullopt;
}

// Position and page are read by two statements. If the domain changed between them, both are read
// again. After a few times the page is read by stepping over all that is skipped, in one statement.
template <typename Found>
Found Lists::current_page(db::Connection& connection, std::int64_t connections,
                          std::int64_t domain_id, const mailbox::Domain& domain, const Page& page)
{
    constexpr int kTries = 3;
    for (int i = 0; i < kTries; ++i) {
        const auto position = position_of(connections, domain, page.skip, [&] {
            return connection.query(kRanges, {domain.name()});
        });
        if (auto found = page_from<Found>(connection, domain_id, page, position))
            return *std::move(found);
        ranges_ = {};
    }
    return page_from<Found>(connection, domain_id, page, Position{.offset = page.skip}).value();
}

Listing Lists::page(db::Connection& connection, std::int64_t connections, std::int64_t domain_id,
                    const mailbox::Domain& domain, const Page& page)
{
    return current_page<Listing>(connection, connections, domain_id, domain, page);
}

DetailedListing Lists::details(db::Connection& connection, std::int64_t connections,
                               std::int64_t domain_id, const mailbox::Domain& domain,
                               const Page& page)
{
    return current_page<DetailedListing>(connection, connections, domain_id, domain, page);
}

// The server finds both rows by their primary keys before it plans anything: this costs a fraction
// of a list.
constexpr char kConfirm[] =
    "SELECT 1 FROM api_key k FORCE INDEX (PRIMARY) JOIN domain d FORCE INDEX (PRIMARY) ON d.account_id = k.account_id"
    " WHERE k.id = ? AND k.hash = ? AND k.good_until > UNIX_TIMESTAMP() AND k.account_state = 'active'"
    " AND d.id = ? AND d.version = ? AND d.id = COALESCE(k.domain_id, d.id)";

bool confirm(db::Connection& connection, const api_key::Key& key, const Version& version)
{
    const auto id = key.id();
    return connection.query(kConfirm, {id, key.sha256(), version.domain_id, version.number}).count()
           > 0;
}

}  // namespace store
