#include "db/skip_index.h"

#include <algorithm>
#include <string_view>

namespace skip_index {

// Both change the count of the range and the byte of the fine range that an id lies in.
constexpr char kCountRange[] =
    "INSERT INTO mailbox_range (domain_id, number, mailboxes, counts) VALUES (?, ?, 1, CONCAT(REPEAT(CHAR(0), ?), CHAR(1)))"
    " ON DUPLICATE KEY UPDATE mailboxes = mailboxes + 1, counts = INSERT(RPAD(counts, GREATEST(LENGTH(counts), ? + 1), CHAR(0)),"
    " ? + 1, 1, CHAR(ASCII(SUBSTR(counts, ? + 1, 1)) + 1))";
constexpr char kUncountRange[] =
    "UPDATE mailbox_range SET mailboxes = mailboxes - 1,"
    " counts = INSERT(counts, ? + 1, 1, CHAR(ASCII(SUBSTR(counts, ? + 1, 1)) - 1)) WHERE domain_id = ? AND number = ?";

void add(db::Connection& connection, std::int64_t domain_id, std::int64_t id)
{
    const auto fine = id % kWidth / kFineWidth;
    connection.execute(kCountRange, {domain_id, id / kWidth, fine, fine, fine, fine});
}

void remove(db::Connection& connection, std::int64_t domain_id, std::int64_t id)
{
    const auto fine = id % kWidth / kFineWidth;
    connection.execute(kUncountRange, {fine, fine, domain_id, id / kWidth});
}

// No mailbox is left up to the last of the ids. The range of that id may have some after it.
constexpr char kEmptyRangesBefore[] =
    "UPDATE mailbox_range SET mailboxes = 0, counts = '' WHERE domain_id = ? AND number < ? AND mailboxes > 0";
constexpr char kEmptyRangeUpTo[] =
    "UPDATE mailbox_range SET mailboxes = mailboxes - ?, counts = CONCAT(REPEAT(CHAR(0), ?),"
    " CHAR(ASCII(SUBSTR(counts, ? + 1, 1)) - ?), SUBSTR(counts, ? + 2)) WHERE domain_id = ? AND number = ?";

void remove_oldest(db::Connection& connection, std::int64_t domain_id,
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

namespace {

// The counts of one range for all ids from `first` to `last`, which are in it.
struct Counted {
    std::int64_t mailboxes = 0;
    std::string first_count;  // of the fine range that `first` is in; in hexadecimal
    std::string more_counts;  // of the fine ranges after it
};

Counted counted(std::int64_t first, std::int64_t last)
{
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    Counted all;
    for (auto fine = first - first % kFineWidth; fine <= last; fine += kFineWidth) {
        const auto count = std::min(fine + kFineWidth - 1, last) - std::max(fine, first) + 1;
        auto& counts = fine <= first ? all.first_count : all.more_counts;
        counts += {kDigits[static_cast<std::size_t>(count / 16)],
                   kDigits[static_cast<std::size_t>(count % 16)]};
        all.mailboxes += count;
    }
    return all;
}

}  // namespace

constexpr char kAddRange[] =
    "INSERT INTO mailbox_range (domain_id, number, mailboxes, counts) VALUES (?, ?, ?, CONCAT(REPEAT(CHAR(0), ?), UNHEX(?), UNHEX(?)))"
    " ON DUPLICATE KEY UPDATE mailboxes = mailboxes + VALUES(mailboxes), counts = CONCAT(RPAD(counts, ?, CHAR(0)),"
    " CHAR(ASCII(SUBSTR(counts, ? + 1, 1)) + ASCII(UNHEX(?))), UNHEX(?))";

void add_newest(db::Connection& connection, std::int64_t domain_id, std::int64_t first,
                std::int64_t last)
{
    while (first <= last) {
        const auto end = std::min(last, first - first % kWidth + kWidth - 1);
        const auto fine = first % kWidth / kFineWidth;
        const auto [mailboxes, count, more] = counted(first, end);
        connection.execute(kAddRange, {domain_id, first / kWidth, mailboxes, fine, count, more,
                                       fine, fine, count, more});
        first = end + 1;
    }
}

void fill(db::Connection& connection, std::int64_t domain_id, std::int64_t last)
{
    add_newest(connection, domain_id, 1, last);
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
    if (range == ranges.all.end()) return {.first_id = kAfterEverything};
    position.first_id = range->number * kWidth;
    for (const unsigned char count : range->counts) {
        if (position.offset < count) return position;
        position.offset -= count;
        position.first_id += kFineWidth;
    }
    return {.offset = skip};
}

}  // namespace skip_index
