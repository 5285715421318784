// mailbox_search_test.cc - a search by prefix finds what it should, and reads only the matches.

#include "db/mailbox_search.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "db/lifecycle.h"
#include "support/database.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;
using Strings = std::vector<std::string>;

namespace {

// A domain of 20,000 mailboxes, `m1` to `m20000`, and as many deleted ones.
struct Large : database::Tenant {
    Large()
    {
        const auto id = std::to_string(domain_id);
        const std::string numbers =
            " WITH RECURSIVE d (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < 199),"
            " n (i) AS (SELECT a.i * 100 + b.i + 1 FROM d a JOIN d b WHERE b.i < 100)";
        database.run(
            "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password)"
            + numbers + " SELECT " + id + ", i, CONCAT('m', i), 0, LEFT(SHA2(CONCAT(i, '-', " + id
            + "), 256), 32), 'x' FROM n");
        database.run(
            "INSERT INTO deleted_mailbox (storage_id, domain_id, domain, local_part, created_at, size_bytes, state, password,"
            " generation, deleted_at, deleted_by)"
            + numbers + " SELECT LEFT(SHA2(CONCAT(i, '-deleted-', " + id + "), 256), 32), " + id
            + ", '" + domain.name()
            + "', CONCAT('m', i), 0, 0, 'active', 'x', 1, UNIX_TIMESTAMP() - i, 'test' FROM n");
        database.run("UPDATE domain SET last_id = 20000, mailboxes = 20000 WHERE id = " + id);
    }

    // Returns how many rows the connection has read by an index, plus how many the server has
    // sorted for it.
    std::int64_t work()
    {
        auto rows = connection.query(
            "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_first', 'Handler_read_key', 'Handler_read_last',"
            " 'Handler_read_next', 'Handler_read_prev', 'Handler_read_rnd', 'Sort_rows')");
        std::int64_t sum = 0;
        while (rows.next()) sum += std::get<1>(rows.read<std::string, std::int64_t>());
        return sum;
    }
    template <typename Read>
    std::int64_t cost(Read read)
    {
        const auto begin = work();
        read();
        return work() - begin;
    }

    db::Connection connection = database.connect();
};

struct Begin : support::Row {
    std::string prefix;
    std::string first;
    std::string end;
};

const std::string kNothing{"\x7F"};

const Begin kBegins[] = {
    {"a letter", "a", "a", "a\x7F"},
    {"a wildcard of LIKE", "a_", "a_", "a_\x7F"},
    {"the greatest character", "~", "~", "~\x7F"},
    {"as long as a local part can be", std::string(64, 'a'), std::string(64, 'a'),
     std::string(64, 'a') + "\x7F"},
    {"longer", std::string(65, 'a'), kNothing, kNothing},
    {"a space", "a ", kNothing, kNothing},
    {"not ASCII", "\xC3\xB6", kNothing, kNothing},
    {"DEL", "\x7F", kNothing, kNothing},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(store_search)

BOOST_DATA_TEST_CASE(a_prefix_is_a_range, data::make(kBegins), row)
{
    const auto range = store::range_of_prefix(row.prefix);
    BOOST_TEST(range.first == row.first);
    BOOST_TEST(range.end == row.end);
}

// The matches of `m1234` are itself and m12340 to m12349, those of `m123` are 111. Each is counted
// once; a page's own are read two or three times more, and sorted once more.
BOOST_FIXTURE_TEST_CASE(a_search_reads_only_the_matches, Large)
{
    for (const auto* state : {"as inserted", "analyzed"}) {
        for (const auto& [prefix, matches, limit, most] :
             {std::tuple{"m1234", 11, 100, 100}, std::tuple{"m123", 111, 10, 250},
              std::tuple{"m123", 111, 0, 150}, std::tuple{"none", 0, 100, 20},
              std::tuple{"\xC3\xB6", 0, 100, 20}}) {
            BOOST_TEST_CONTEXT(prefix << ", " << limit << ", " << state)
            {
                const store::Page page{.limit = limit, .skip = 0};
                store::Matches found;
                const auto plain =
                    cost([&] { found = store::search(connection, domain_id, prefix, page); });
                BOOST_TEST(plain < most);
                BOOST_TEST(found.listing.total == matches);
                BOOST_TEST(std::ssize(found.listing.items) == std::min(matches, limit));
                store::DetailedListing details;
                const auto detailed = cost(
                    [&] { details = store::search_details(connection, domain_id, prefix, page); });
                BOOST_TEST(detailed < most);
                BOOST_TEST(details.total == matches);
                BOOST_TEST(std::ssize(details.items) == std::min(matches, limit));
            }
        }
        database.connect().query("ANALYZE TABLE domain, mailbox, mailbox_usage, mailbox_activity");
    }
}

BOOST_FIXTURE_TEST_CASE(matches_are_sorted_by_local_part, Large)
{
    const auto found = store::search(connection, domain_id, "m1234", {.limit = 3, .skip = 1});
    Strings names;
    for (const auto& item : found.listing.items) names.push_back(item.local_part);
    BOOST_TEST(names == (Strings{"m12340", "m12341", "m12342"}), per_element());
    BOOST_TEST(found.version.domain_id == domain_id);
    BOOST_TEST(found.version.number
               == database.number("SELECT version FROM domain WHERE id = ?", {domain_id}));
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_is_found_by_its_key, Large)
{
    std::optional<store::Details> found;
    BOOST_TEST(cost([&] { found = store::find_details(connection, domain_id, "m777"); }) < 10);
    BOOST_TEST(found.value().local_part == "m777");
    BOOST_TEST(!store::find_details(connection, domain_id, "m0").has_value());
}

// A page with details costs its own rows, too, and those that are stepped over.
BOOST_FIXTURE_TEST_CASE(a_page_with_details_costs_its_own_rows, Large)
{
    for (const auto* state : {"as inserted", "analyzed"}) {
        const auto begin = cost([] {});
        BOOST_TEST(begin < 5);
        store::Lists lists;
        store::DetailedListing page;
        const auto rows = cost([&] {
            page = lists.details(connection, 1, domain_id, domain, {100, 20});
        });
        BOOST_TEST(rows < 600, state << ": " << rows);
        BOOST_TEST(page.total == 20'000);
        BOOST_TEST(page.items.size() == 100U);
        BOOST_TEST(page.items[0].local_part == "m21");
        database.connect().query("ANALYZE TABLE domain, mailbox, mailbox_usage, mailbox_activity");
    }
}

// A page of the deleted ones reads itself, and the total from the index alone. With a prefix, the
// matches are read.
BOOST_FIXTURE_TEST_CASE(deleted_ones_are_read_by_an_index, Large)
{
    const life::Restorable all{.domain_id = domain_id,
                               .domain = domain.name(),
                               .prefix = {},
                               .grace = std::chrono::days{7}};
    for (const auto* state : {"as inserted", "analyzed"}) {
        BOOST_TEST_CONTEXT(state)
        {
            life::DeletedPage page;
            const auto counted = cost([&] { page = life::deleted(connection, all, {0, 0}); });
            BOOST_TEST(page.total == 20'000);
            const auto read = cost([&] { page = life::deleted(connection, all, {100, 0}); });
            BOOST_TEST(page.items.size() == 100U);
            BOOST_TEST(page.items[0].local_part == "m1");
            BOOST_TEST(page.items[99].local_part == "m100");
            BOOST_TEST(read - counted < 500);
            auto some = all;
            some.prefix = "m123";
            BOOST_TEST(cost([&] { page = life::deleted(connection, some, {100, 0}); }) < 800);
            BOOST_TEST(page.total == 111);
            BOOST_TEST(page.items.size() == 100U);
            BOOST_TEST(cost(
                           [&] {
                BOOST_TEST(!life::find_deleted(connection, all, std::string(32, 'a')).has_value());
            }) < 5);
        }
        database.connect().query("ANALYZE TABLE deleted_mailbox");
    }
}

BOOST_AUTO_TEST_SUITE_END()
