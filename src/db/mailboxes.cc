#include "db/mailboxes.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <set>
#include <thread>
#include <tuple>

#include "base/log.h"
#include "db/grants.h"
#include "mail/api_key.h"

namespace store {

using namespace std::chrono_literals;

namespace {

constexpr int kAttempts = 5;
constexpr auto kPatience = 6s;  // no attempt begins after that: lock time-outs would add up
constexpr auto kDoubtInterval = 50ms;

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

// Adds to, or takes from, the counts of the range that an id lies in: of all of it, and of
// the fine range, which is one byte.
constexpr char kCountRange[] =
    "INSERT INTO mailbox_range (domain_id, number, mailboxes, counts) VALUES (?, ?, 1, CONCAT(REPEAT(CHAR(0), ?), CHAR(1)))"
    " ON DUPLICATE KEY UPDATE mailboxes = mailboxes + 1, counts = INSERT(RPAD(counts, GREATEST(LENGTH(counts), ? + 1), CHAR(0)),"
    " ? + 1, 1, CHAR(ASCII(SUBSTR(counts, ? + 1, 1)) + 1))";
constexpr char kUncountRange[] =
    "UPDATE mailbox_range SET mailboxes = mailboxes - 1,"
    " counts = INSERT(counts, ? + 1, 1, CHAR(ASCII(SUBSTR(counts, ? + 1, 1)) - 1)) WHERE domain_id = ? AND number = ?";

constexpr std::int64_t kFineWidth = 128;
constexpr std::int64_t kFineRanges = 512;
constexpr std::int64_t kWidth = kFineWidth * kFineRanges;

void count_in_range(db::Connection& connection, std::int64_t domain_id, std::int64_t id)
{
    const auto fine = id % kWidth / kFineWidth;
    connection.execute(kCountRange, {domain_id, id / kWidth, fine, fine, fine, fine});
}

void uncount_in_range(db::Connection& connection, std::int64_t domain_id, std::int64_t id)
{
    const auto fine = id % kWidth / kFineWidth;
    connection.execute(kUncountRange, {fine, fine, domain_id, id / kWidth});
}

constexpr char kUpdatePassword[] =
    "UPDATE mailbox SET password = ?, generation = generation + 1 WHERE domain_id = ? AND local_part = ?";

}  // namespace

constexpr char kEndSessions[] =
    "INSERT INTO session_end (storage_id, since)"
    " SELECT storage_id, UNIX_TIMESTAMP() FROM mailbox WHERE domain_id = ? AND local_part = ?";

void end_sessions(db::Connection& connection, std::int64_t domain_id,
                  const mailbox::Address& address)
{
    connection.execute(kEndSessions, {domain_id, address.local_part()});
}

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

constexpr char kInsertRange[] =
    "INSERT INTO mailbox_range (domain_id, number, mailboxes, counts) VALUES (?, ?, ?, UNHEX(?))";

void count_ranges(db::Connection& connection, std::int64_t domain_id, std::int64_t last)
{
    for (std::int64_t first = 0; first <= last && last > 0; first += kWidth) {
        std::int64_t all = 0;
        std::string counts;
        for (auto fine = first; fine < first + kWidth && fine <= last; fine += kFineWidth) {
            const auto count = std::min(fine + kFineWidth - 1, last)
                               - std::max(fine, std::int64_t{1}) + 1;  // there is no id 0
            constexpr std::string_view kDigits = "0123456789ABCDEF";
            counts += {kDigits[static_cast<std::size_t>(count / 16)],
                       kDigits[static_cast<std::size_t>(count % 16)]};
            all += count;
        }
        connection.execute(kInsertRange, {domain_id, first / kWidth, all, counts});
    }
}

constexpr char kSchemaVersion[] = "SELECT COALESCE(MAX(version), 0) FROM schema_version";

std::int64_t schema_version(db::Connection& connection)
{
    return connection.query(kSchemaVersion).only<std::int64_t>();
}

// A read may be repeated: once, when the connection turns out to be gone, as one that
// the server closed for idleness is. Not where it waited for a server that hangs.
template <typename Read>
auto Store::reading(Read read)
{
    for (int attempt = 1;; ++attempt) {
        try {
            return read(session_.connection());
        } catch (const db::Error& error) {
            if (error.remedy != db::Remedy::give_up) session_.drop();
            if (error.remedy == db::Remedy::give_up || attempt == 2 || session_.is_given_up())
                throw;
        }
    }
}

// Runs `work` in a transaction and commits where its outcome says that something was
// done. What is repeated after a deadlock or a lost connection is the transaction. A
// connection that is lost before COMMIT was sent has committed nothing.
template <typename Work>
auto Store::transaction(const audit::Id& audit, Work work)
{
    const auto last_begin = std::chrono::steady_clock::now() + kPatience;
    for (int attempt = 1;; ++attempt) {
        try {
            auto& connection = session_.connection();
            db::Transaction transaction{connection};
            auto outcome = work(connection);
            if (!is_done(outcome)) return outcome;
            try {
                transaction.commit();
            } catch (const db::Error& error) {
                if (error.remedy != db::Remedy::reconnect) throw;
                logging::warning("commit-lost")("error", error.what());
                session_.drop();
                if (!was_committed(audit))
                    throw db::Error{db::Remedy::reconnect,
                                    "a COMMIT was lost before the server had it"};
            }
            session_.note_change();
            return outcome;
        } catch (const db::Error& error) {
            session_.note_failure(error);
            const bool is_late =
                attempt == kAttempts || std::chrono::steady_clock::now() > last_begin;
            if (error.remedy == db::Remedy::give_up || is_late) throw;
            logging::info("transaction-repeated")("attempt", attempt)("error", error.what());
        }
    }
}

// The read locks the row: if the lost transaction is still under way in the server, it
// waits for its end instead of taking it for absent.
constexpr char kWasCommitted[] =
    "SELECT 1 FROM audit_log WHERE at = ? AND id = ? LOCK IN SHARE MODE";

bool Store::was_committed(const audit::Id& audit)
{
    const auto give_up = std::chrono::steady_clock::now() + longest_doubt_;
    for (;;) {
        try {
            return session_.connection().query(kWasCommitted, {audit.at, audit.id}).count() > 0;
        } catch (const db::Error& error) {
            session_.drop();
            if (std::chrono::steady_clock::now() >= give_up)
                throw InDoubt{std::string{"outcome of a COMMIT unknown: "} + error.what()};
        }
        std::this_thread::sleep_for(kDoubtInterval);
    }
}

// Key and domain are found by unique keys, in one row. A domain of another account, or one
// that the key is not for, is not found.
constexpr char kGrant[] =
    "SELECT k.addresses, UNIX_TIMESTAMP(), k.expires_at, k.revoked_at IS NOT NULL, k.read_only,"
    " k.account_state = 'active', d.id, d.state = 'active', d.on_duplicate = 'update',"
    " d.allow_delete_all, d.created_at, k.account_id"
    " FROM api_key k FORCE INDEX (PRIMARY) LEFT JOIN domain d FORCE INDEX (domain_name)"
    " ON d.account_id = k.account_id AND d.name = ? AND d.id = COALESCE(k.domain_id, d.id)"
    " WHERE k.id = ? AND k.hash = ?";

std::optional<grants::Grant> Store::grant(const api_key::Key& key, std::string_view domain)
{
    const auto id = key.id();
    return reading([&](db::Connection& connection) -> std::optional<grants::Grant> {
        auto rows = connection.query(kGrant, {domain, id, key.sha256()});
        if (!rows.next()) return std::nullopt;
        grants::Grant grant;
        std::tie(grant.key_addresses, grant.now, grant.key_expires_at, grant.key_is_revoked,
                 grant.key_is_read_only, grant.account_is_active, grant.domain_id,
                 grant.domain_is_active, grant.domain_updates_duplicates,
                 grant.domain_may_be_emptied, grant.domain_created_at, grant.account_id) =
            rows.read<std::string, std::int64_t, std::int64_t, bool, bool, bool, std::int64_t, bool,
                      bool, bool, std::int64_t, std::int64_t>();
        return grant;
    });
}

namespace {

// Total and page from one statement, so from one view; an empty page leaves a row with the total
// alone. LOCATE finds an empty text in every name; names are ASCII, and what is searched need not
// be.
template <std::size_t size>
constexpr auto domains_statement(const char (&order)[size])
{
    constexpr char kSelected[] =
        " FROM api_key k JOIN domain d ON d.account_id = k.account_id AND d.id = COALESCE(k.domain_id, d.id)"
        " WHERE k.id = ? AND LOCATE(?, CONVERT(d.name USING utf8mb4) COLLATE utf8mb4_bin) > 0"
        " AND ? IN ('', IF(d.state = 'active', 'active', 'disabled'))";
    return db::Text{
               "SELECT total.count, page.name, page.created_at, page.is_active FROM (SELECT COUNT(*) AS count"}
           + kSelected
           + ") total LEFT JOIN (SELECT d.id, d.name, d.created_at, d.state = 'active' AS is_active"
           + kSelected + " ORDER BY d." + order + " LIMIT ? OFFSET ?) page ON TRUE ORDER BY page."
           + order;
}

constexpr auto kAsAdded = domains_statement("id");
constexpr auto kByName = domains_statement("name");
constexpr auto kByNameDescending = domains_statement("name DESC");

db::Statement domains_statement(Selection::Order order)
{
    switch (order) {
    case Selection::Order::as_added: return kAsAdded;
    case Selection::Order::by_name: return kByName;
    case Selection::Order::by_name_descending: return kByNameDescending;
    }
    throw std::logic_error("no order");
}

}  // namespace

Domains Store::domains(std::string_view key_id, const Page& page, const Selection& selection)
{
    const auto& part = selection.part_of_name;
    const auto& state = selection.state;
    return reading([&](db::Connection& connection) {
        auto rows =
            connection.query(domains_statement(selection.order),
                             {key_id, part, state, key_id, part, state, page.limit, page.skip});
        Domains domains;
        while (rows.next()) {
            auto [total, name, created_at, is_active] =
                rows.read<std::int64_t, std::optional<std::string>, std::int64_t, bool>();
            domains.total = total;
            if (name) domains.items.push_back({std::move(*name), created_at, is_active});
        }
        return domains;
    });
}

constexpr char kHasDomain[] = "SELECT 1 FROM domain WHERE name = ?";

bool Store::has_domain(std::string_view domain)
{
    return reading([&](db::Connection& connection) {
        return connection.query(kHasDomain, {domain}).count() > 0;
    });
}

// Where a page begins: so many mailboxes behind the first id that is at least `first_id`.
struct Position {
    std::int64_t first_id = 0;
    std::int64_t offset = 0;
    // The domain, its counter and its last id when that was so; 0 where nothing was looked up.
    // Any change to the domain's mailboxes changes one of the latter two.
    std::int64_t domain_id = 0;
    std::int64_t total = 0;
    std::int64_t last_id = 0;
    bool is_from_earlier = false;  // looked up for a list before, and maybe not so any more
};

namespace {

constexpr std::int64_t kBehindEverything = std::numeric_limits<std::uint32_t>::max();

// The key that may read a domain, and the domain; then what is read of that one, which nobody else
// makes the server look at. Each table is bound to the one index that serves, so the server weighs
// no others; these two are read as constants.
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

Ranges ranges(db::Rows rows, const mailbox::Domain& domain)
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

Position position_in(const Ranges& ranges, std::int64_t skip)
{
    Position position{.offset = skip,
                      .domain_id = ranges.domain_id,
                      .total = ranges.total,
                      .last_id = ranges.last_id};
    auto range = ranges.all.begin();
    for (; range != ranges.all.end() && position.offset >= range->mailboxes; ++range)
        position.offset -= range->mailboxes;
    if (range == ranges.all.end()) return {.first_id = kBehindEverything};
    // It lies in this range. Which of the fine ones?
    position.first_id = range->number * kWidth;
    for (const unsigned char count : range->counts) {
        if (position.offset < count) return position;
        position.offset -= count;
        position.first_id += kFineWidth;
    }
    return {.offset = skip};  // the counts do not add up, as mailboxctl check would tell
}

}  // namespace

// By the ranges that were read for the list before, if it was of this domain: so who pages through
// a domain that rests pays for one statement a page.
template <typename ReadRanges>
Position Store::position_of(const mailbox::Domain& domain, std::int64_t skip,
                            ReadRanges read_ranges)
{
    constexpr std::size_t kMostKept = 1000;  // of half a kilobyte
    if (skip < kFineWidth)
        return {.offset = skip};  // that much stepping over costs less than a look-up
    if (ranges_.domain == domain.name() && ranges_.connection == session_.connections()) {
        auto position = position_in(ranges_, skip);
        position.is_from_earlier = true;
        return position;
    }
    auto read = ranges(read_ranges(), domain);
    read.connection = session_.connections();
    const auto position = position_in(read, skip);
    // None where the domain is empty, or who asks may not read it.
    if (!read.all.empty() && read.all.size() <= kMostKept) ranges_ = std::move(read);
    return position;
}

// Runs `look` from the position that `skip` means. Position and page are two looks: when
// the domain changed between them, both are taken again, and after a few times the page
// is found by stepping over what is skipped, in one.
template <typename Look>
auto Store::at_position(const mailbox::Domain& domain, std::int64_t skip, Look look)
{
    constexpr int kTries = 3;
    return reading([&](db::Connection& connection) {
        for (int i = 0; i < kTries; ++i) {
            const auto position = position_of(
                domain, skip, [&] { return connection.query(kRanges, {domain.name()}); });
            auto found = look(connection, position);
            if (found) return found;
            ranges_ = {};
        }
        return look(connection, Position{.offset = skip});
    });
}

// The common case in one round trip: a key that may, a page that is not empty. The page is
// one range of the primary key, in its order (ORDER BY m.id alone would make MySQL sort the
// domain). What is the same for all comes back with each row for want of a cheaper place:
// 16 bytes against a round trip.
constexpr auto kListed =
    db::Text{"SELECT m.local_part, m.created_at, m.size_bytes, d.mailboxes, d.id, d.version"}
    + kReader + " JOIN mailbox m FORCE INDEX (PRIMARY) ON m.domain_id = d.id" + kMayRead;
constexpr db::Text kInOrder{" ORDER BY m.domain_id, m.id LIMIT ? OFFSET ?"};
constexpr auto kList = kListed + kInOrder;
// From a position on, if that still means what it did.
constexpr auto kListFrom =
    kListed + " AND m.id >= ? AND d.id = ? AND d.mailboxes = ? AND d.last_id = ?" + kInOrder;

// Of rows that stand at the first.
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

std::optional<GrantedListing> Store::list(const api_key::Key& key, const mailbox::Domain& domain,
                                          const Page& page)
{
    const auto id = key.id();
    const auto& hash = key.sha256();
    return reading([&](db::Connection& connection) -> std::optional<GrantedListing> {
        const auto position = position_of(domain, page.skip, [&] {
            return connection.query(kRangesForReader, {id, hash, domain.name()});
        });
        // Whether the ranges were kept or read just now, who may not read has cost one statement.
        if (position.first_id == kBehindEverything && !position.is_from_earlier)
            return std::nullopt;
        auto rows =
            position.first_id == 0
                ? connection.query(kList, {id, hash, domain.name(), page.limit, position.offset})
                : connection.query(kListFrom,
                                   {id, hash, domain.name(), position.first_id, position.domain_id,
                                    position.total, position.last_id, page.limit, position.offset});
        if (rows.next()) return listed_all(rows);
        if (position.is_from_earlier) ranges_ = {};
        return std::nullopt;
    });
}

// Both rows are found by their primary keys before anything is planned: a fraction of a list.
constexpr char kConfirm[] =
    "SELECT 1 FROM api_key k FORCE INDEX (PRIMARY) JOIN domain d FORCE INDEX (PRIMARY) ON d.account_id = k.account_id"
    " WHERE k.id = ? AND k.hash = ? AND k.good_until > UNIX_TIMESTAMP() AND k.account_state = 'active'"
    " AND d.id = ? AND d.version = ? AND d.id = COALESCE(k.domain_id, d.id)";

bool Store::confirm(const api_key::Key& key, const Version& version)
{
    const auto id = key.id();
    return reading([&](db::Connection& connection) {
        return connection.query(kConfirm, {id, key.sha256(), version.domain_id, version.number})
                   .count()
               > 0;
    });
}

// Total and page from one statement, so from one view; the total alone is in the row
// that an empty page leaves.
constexpr char kPage[] =
    "SELECT m.local_part, m.created_at, m.size_bytes, d.mailboxes, d.last_id"
    " FROM domain d LEFT JOIN (SELECT domain_id, id, local_part, created_at, size_bytes FROM mailbox FORCE INDEX (PRIMARY)"
    " WHERE domain_id = ? AND id >= ? ORDER BY domain_id, id LIMIT ? OFFSET ?) m ON m.domain_id = d.id"
    " WHERE d.id = ? ORDER BY m.id";

bool is_current(const Position& position, std::int64_t domain_id, std::int64_t total,
                std::int64_t last_id)
{
    return position.first_id == 0
           || (position.domain_id == domain_id && position.total == total
               && position.last_id == last_id);
}

Listing Store::page(std::int64_t domain_id, const mailbox::Domain& domain, const Page& page)
{
    const auto look = [&](db::Connection& connection,
                          const Position& position) -> std::optional<Listing> {
        auto rows = connection.query(
            kPage, {domain_id, position.first_id, page.limit, position.offset, domain_id});
        Listing listing;
        while (rows.next()) {
            // Behind everything is behind everything still, unless the domain has grown that far.
            auto [local_part, created_at, size_bytes, total, last_id] =
                rows.read<std::optional<std::string>, std::int64_t, std::int64_t, std::int64_t,
                          std::int64_t>();
            const bool is_behind = position.first_id == kBehindEverything && total <= page.skip;
            if (!is_behind && !is_current(position, domain_id, total, last_id)) return std::nullopt;
            listing.total = total;
            if (local_part)
                listing.items.push_back({std::move(*local_part), created_at, size_bytes});
        }
        return listing;
    };
    return *at_position(domain, page.skip, look);
}

std::string sentence(const Created& refused)
{
    switch (refused.outcome) {
    case Created::Outcome::already_exists:
        return "Mailbox already exists: " + refused.existing->text();
    case Created::Outcome::domain_is_full:
        return "The domain's allowance is used up: max_mailboxes is "
               + std::to_string(refused.allowance) + ".";
    case Created::Outcome::account_is_full:
        return "The account's allowance is used up: max_mailboxes is "
               + std::to_string(refused.allowance) + ".";
    case Created::Outcome::no_such_domain: return "The domain is gone.";
    case Created::Outcome::yes: break;
    }
    throw std::logic_error("nothing was refused");
}

namespace {

// Makes other transactions that change this domain's mailboxes wait, and gives out ids.
constexpr char kReserve[] =
    "UPDATE domain SET mailboxes = mailboxes + ?, last_id = last_id + ? WHERE id = ?";
constexpr char kReserved[] = "SELECT d.mailboxes, d.last_id, d.max_mailboxes, a.max_mailboxes"
                             " FROM domain d JOIN account a ON a.id = d.account_id WHERE d.id = ?";
constexpr char kInsertMailbox[] =
    "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password)"
    " VALUES (?, ?, ?, UNIX_TIMESTAMP(), ?, ?)";
constexpr char kGiveBack[] = "UPDATE domain SET mailboxes = mailboxes - ? WHERE id = ?";
// Where an account has a limit, creations in all its domains wait for each other.
constexpr char kTakeTurn[] =
    "UPDATE account SET creations = creations + 1 WHERE id = (SELECT account_id FROM domain WHERE id = ?)";
// What other transactions have added and not committed does not count yet: they take their turn
// later.
constexpr char kOfAccount[] =
    "SELECT a.max_mailboxes, CAST(SUM(d.mailboxes) AS SIGNED) FROM domain own JOIN account a ON a.id = own.account_id"
    " JOIN domain d ON d.account_id = a.id WHERE own.id = ? GROUP BY a.id, a.max_mailboxes";

// A domain after mailboxes were added to its counter.
struct Reserved {
    std::int64_t mailboxes = 0;
    std::int64_t last_id = 0;
    std::optional<std::int64_t> max_of_domain;
    std::optional<std::int64_t> max_of_account;
};

// Counts the mailboxes and gives out their ids. Returns the domain as it is then. Empty if there is
// no such domain.
std::optional<Reserved> reserve(db::Connection& connection, std::int64_t domain_id,
                                std::int64_t count)
{
    if (connection.execute(kReserve, {count, count, domain_id}) == 0) return std::nullopt;
    Reserved reserved;
    std::tie(reserved.mailboxes, reserved.last_id, reserved.max_of_domain,
             reserved.max_of_account) =
        connection.query(kReserved, {domain_id})
            .only<std::int64_t, std::int64_t, std::optional<std::int64_t>,
                  std::optional<std::int64_t>>();
    return reserved;
}

// Whether the allowances have room for what was added, to a total of so many in the domain.
Created within_allowances(db::Connection& connection, std::int64_t domain_id,
                          const Reserved& reserved, std::int64_t total)
{
    if (reserved.max_of_domain && total > *reserved.max_of_domain)
        return {.outcome = Created::Outcome::domain_is_full, .allowance = *reserved.max_of_domain};
    if (!reserved.max_of_account) return {};
    connection.execute(kTakeTurn, {domain_id});
    const auto [allowed, mailboxes] =
        connection.query(kOfAccount, {domain_id}).only<std::optional<std::int64_t>, std::int64_t>();
    if (!allowed || mailboxes <= *allowed) return {};
    return {.outcome = Created::Outcome::account_is_full, .allowance = *allowed};
}

}  // namespace

Created take_place(db::Connection& connection, std::int64_t domain_id, std::int64_t& id)
{
    const auto reserved = reserve(connection, domain_id, 1);
    if (!reserved) return {Created::Outcome::no_such_domain};
    id = reserved->last_id;
    count_in_range(connection, domain_id, id);
    return within_allowances(connection, domain_id, *reserved, reserved->mailboxes);
}

Created Store::create(const grants::Grant& grant, const std::vector<NewMailbox>& mailboxes,
                      const Actor& actor)
{
    const audit::Id audit;
    return transaction(audit, [&](db::Connection& connection) -> Created {
        const auto count = static_cast<std::int64_t>(mailboxes.size());
        const auto reserved = reserve(connection, grant.domain_id, count);
        if (!reserved) return {Created::Outcome::no_such_domain};
        auto id = reserved->last_id - count;

        Created done;
        for (const auto& [address, password_hash] : mailboxes) {
            const auto number = done.created + done.updated;
            try {
                connection.execute(kInsertMailbox, {grant.domain_id, ++id, address.local_part(),
                                                    api_key::random_hex(16), password_hash});
                ++done.created;
                count_in_range(connection, grant.domain_id, id);
                write_audit(connection, audit, number, actor, "create", address);
            } catch (const db::DuplicateKey&) {
                if (!grant.domain_updates_duplicates)
                    return {.outcome = Created::Outcome::already_exists, .existing = address};
                connection.execute(kUpdatePassword,
                                   {password_hash, grant.domain_id, address.local_part()});
                end_sessions(connection, grant.domain_id, address);
                ++done.updated;
                write_audit(connection, audit, number, actor, "password", address);
            }
        }
        const auto updated = static_cast<std::int64_t>(done.updated);
        if (updated > 0) connection.execute(kGiveBack, {updated, grant.domain_id});
        if (done.created == 0) return done;
        const auto allowed = within_allowances(connection, grant.domain_id, *reserved,
                                               reserved->mailboxes - updated);
        return is_done(allowed) ? done : allowed;
    });
}

namespace {

// Each of the names that exists in a row, or one row without any: so the allowances come with them.
// The names are found one by one in the unique key, however many mailboxes the domain has.
template <std::size_t names>
constexpr auto kForeseeNames =
    db::Text{
        "SELECT d.mailboxes, d.max_mailboxes, a.max_mailboxes, m.local_part FROM domain d JOIN account a ON a.id = d.account_id"
        " LEFT JOIN mailbox m FORCE INDEX (mailbox_address) ON m.domain_id = ? AND m.local_part IN ("}
    + db::places<names>() + ") WHERE d.id = ?";

// The last name fills places that are left over.
struct Foreseen {
    std::size_t names;
    db::Statement statement;
};
constexpr std::array<Foreseen, 3> kForesee{
    {{1, kForeseeNames<1>}, {10, kForeseeNames<10>}, {100, kForeseeNames<100>}}};

}  // namespace

Created Store::foresee(const grants::Grant& grant, const std::vector<mailbox::Address>& addresses)
{
    const auto* const fitting =
        std::find_if(kForesee.begin(), std::prev(kForesee.end()),
                     [&](const auto& each) { return each.names >= addresses.size(); });
    std::vector<db::Value> values{grant.domain_id};
    for (std::size_t i = 0; i < fitting->names; ++i)
        values.emplace_back(addresses.at(std::min(i, addresses.size() - 1)).local_part());
    values.emplace_back(grant.domain_id);
    return reading([&](db::Connection& connection) -> Created {
        auto rows = connection.query(fitting->statement, values);
        if (rows.count() == 0) return {Created::Outcome::no_such_domain};
        std::int64_t mailboxes = 0;
        std::optional<std::int64_t> of_domain, of_account;
        std::set<std::string> existing;
        while (rows.next()) {
            std::string name;
            std::tie(mailboxes, of_domain, of_account, name) =
                rows.read<std::int64_t, std::optional<std::int64_t>, std::optional<std::int64_t>,
                          std::string>();
            existing.insert(std::move(name));
        }
        const auto exists = [&](const mailbox::Address& address) {
            return existing.contains(address.local_part());
        };
        const auto first = std::find_if(addresses.begin(), addresses.end(), exists);
        if (first != addresses.end() && !grant.domain_updates_duplicates)
            return {.outcome = Created::Outcome::already_exists, .existing = *first};
        const auto added = static_cast<std::int64_t>(addresses.size())
                           - std::count_if(addresses.begin(), addresses.end(), exists);
        if (added == 0) return {};
        if (of_domain && mailboxes + added > *of_domain)
            return {.outcome = Created::Outcome::domain_is_full, .allowance = *of_domain};
        if (!of_account) return {};
        const auto together = connection.query(kOfAccount, {grant.domain_id})
                                  .first<std::optional<std::int64_t>, std::int64_t>();
        if (!together || std::get<1>(*together) + added <= *of_account) return {};
        return {.outcome = Created::Outcome::account_is_full, .allowance = *of_account};
    });
}

constexpr char kHasMailbox[] = "SELECT 1 FROM mailbox WHERE domain_id = ? AND local_part = ?";

bool Store::has_mailbox(const grants::Grant& grant, const mailbox::Address& address)
{
    return reading([&](db::Connection& connection) {
        return connection.query(kHasMailbox, {grant.domain_id, address.local_part()}).count() > 0;
    });
}

Changed Store::change_password(const grants::Grant& grant, const mailbox::Address& address,
                               std::string_view password_hash, const Actor& actor)
{
    const audit::Id audit;
    return transaction(audit, [&](db::Connection& connection) {
        if (connection.execute(kUpdatePassword,
                               {password_hash, grant.domain_id, address.local_part()})
            == 0) {
            return Changed::no_such_mailbox;
        }
        end_sessions(connection, grant.domain_id, address);
        write_audit(connection, audit, 0, actor, "password", address);
        return Changed::yes;
    });
}

// A domain whose counter is 0 has no mailbox to delete.
constexpr char kTakeOne[] =
    "UPDATE domain SET mailboxes = mailboxes - 1 WHERE id = ? AND mailboxes > 0";
// Changes nothing, but locks the row as DELETE will: what is copied is what is deleted.
constexpr char kLockMailbox[] =
    "UPDATE mailbox SET password = password WHERE domain_id = ? AND local_part = ?";
constexpr char kMailboxId[] = "SELECT id FROM mailbox WHERE domain_id = ? AND local_part = ?";
constexpr char kDeleteMailbox[] = "DELETE FROM mailbox WHERE domain_id = ? AND local_part = ?";

Changed Store::remove(const grants::Grant& grant, const mailbox::Address& address,
                      const Actor& actor)
{
    const audit::Id audit;
    return transaction(audit, [&](db::Connection& connection) {
        // The domain first, as in create(): two transactions that lock in the same order cannot
        // deadlock.
        if (connection.execute(kTakeOne, {grant.domain_id}) == 0) return Changed::no_such_mailbox;
        if (connection.execute(kLockMailbox, {grant.domain_id, address.local_part()}) == 0)
            return Changed::no_such_mailbox;
        const auto id = connection.query(kMailboxId, {grant.domain_id, address.local_part()})
                            .only<std::int64_t>();
        uncount_in_range(connection, grant.domain_id, id);
        keep_deleted(connection, address.domain(), grant.domain_id, id - 1, id, actor.key_id);
        end_sessions(connection, grant.domain_id, address);
        connection.execute(kDeleteMailbox, {grant.domain_id, address.local_part()});
        write_audit(connection, audit, 0, actor, "delete", address);
        return Changed::yes;
    });
}

namespace {

constexpr std::int64_t kMailboxesATransaction = 500;

// The domain first, here too. Nothing is counted yet: how many there are is known when they are
// locked.
constexpr char kLockDomain[] = "UPDATE domain SET last_id = last_id WHERE id = ?";
constexpr char kLastId[] = "SELECT last_id FROM domain WHERE id = ?";
constexpr char kLockOldest[] =
    "SELECT id FROM mailbox FORCE INDEX (PRIMARY) WHERE domain_id = ? AND id > ? AND id <= ? ORDER BY domain_id, id LIMIT ? FOR UPDATE";
constexpr char kAuditAll[] =
    "INSERT INTO audit_log (at, id, actor, client, action, domain, local_part)"
    " SELECT ?, CAST(? AS SIGNED) + id, ?, ?, 'delete', ?, local_part FROM mailbox WHERE domain_id = ? AND id > ? AND id <= ?";
constexpr char kDeleteAll[] = "DELETE FROM mailbox WHERE domain_id = ? AND id > ? AND id <= ?";
constexpr char kTakeAll[] = "UPDATE domain SET mailboxes = mailboxes - ? WHERE id = ?";

// Of the ids up to the last one of these none is left. In the range of that one some behind it may
// be.
constexpr char kEmptyRangesBefore[] =
    "UPDATE mailbox_range SET mailboxes = 0, counts = '' WHERE domain_id = ? AND number < ? AND mailboxes > 0";
constexpr char kEmptyRangeUpTo[] =
    "UPDATE mailbox_range SET mailboxes = mailboxes - ?, counts = CONCAT(REPEAT(CHAR(0), ?),"
    " CHAR(ASCII(SUBSTR(counts, ? + 1, 1)) - ?), SUBSTR(counts, ? + 2)) WHERE domain_id = ? AND number = ?";

void uncount_oldest(db::Connection& connection, std::int64_t domain_id,
                    const std::vector<std::int64_t>& ids)
{
    const auto last = ids.back();
    const auto since = [&](std::int64_t first) {
        return std::count_if(ids.begin(), ids.end(), [&](auto id) { return id >= first; });
    };
    const auto in_range = since(last - last % kWidth);
    const auto in_fine = since(last - last % kFineWidth);
    const auto fine = last % kWidth / kFineWidth;
    connection.execute(kEmptyRangesBefore, {domain_id, last / kWidth});
    connection.execute(kEmptyRangeUpTo,
                       {in_range, fine, fine, in_fine, fine, domain_id, last / kWidth});
}

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
    const auto last_id = reading([&](db::Connection& connection) {
        return connection.query(kLastId, {id}).first<std::int64_t>().value_or(0);
    });
    Emptied emptied;
    // Each part begins where the one before ended: up to there the server would step over all that
    // it has not cleared away yet.
    std::int64_t after = 0;
    const auto remove_part = [&] {
        const audit::Id audit;
        std::vector<std::int64_t> ids;
        emptied.removed += transaction(audit, [&](db::Connection& connection) -> std::int64_t {
            if (connection.execute(kLockDomain, {id}) == 0) return 0;
            ids = lock_oldest(connection, id, after, last_id);
            if (ids.empty()) return 0;
            const auto count = static_cast<std::int64_t>(ids.size());
            uncount_oldest(connection, id, ids);
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
        // What is deleted stays so; to say that nothing was done would be wrong.
        if (emptied.removed == 0) throw;
        logging::error("database")("error", error.what());
    }
    return emptied;
}

std::int64_t Store::schema_version()
{
    return reading(store::schema_version);
}

}  // namespace store
