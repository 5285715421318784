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

constexpr char kInsertRange[] =
    "INSERT INTO mailbox_range (domain_id, number, mailboxes, counts) VALUES (?, ?, ?, UNHEX(?))";

void fill(db::Connection& connection, std::int64_t domain_id, std::int64_t last)
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
