// paging_story.cc - lists of a domain, page by page.

#include "system/harness/story.h"

#include <algorithm>
#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using story::shows;

namespace {

// Not in alphabetical order, because a list has the order of creation.
const std::vector<std::string> kInOrder{"mallory", "alice", "zoe", "bob", "eve"};

struct Query {
    const char* why;
    std::string query;
    std::size_t first;
    std::size_t count;
};

std::ostream& operator<<(std::ostream& out, const Query& row)
{
    return out << row.why;
}

const Query kPages[] = {
    {"everything", "", 0, 5},
    {"an empty query", "?", 0, 5},
    {"the first two", "?limit=2", 0, 2},
    {"the next two", "?limit=2&skip=2", 2, 2},
    {"the last, short page", "?limit=2&skip=4", 4, 1},
    {"exactly up to the end", "?limit=3&skip=2", 2, 3},
    {"after the end", "?limit=2&skip=5", 5, 0},
    {"far after the end", "?skip=1000000", 5, 0},
    {"as far after the end as can be", "?skip=9223372036854775807", 5, 0},
    {"only the number", "?limit=0", 0, 0},
    {"only the number, with skip", "?limit=0&skip=2", 2, 0},
    {"the largest page", "?limit=1000", 0, 5},
    {"skip in front", "?skip=1&limit=1", 1, 1},
    {"leading zeros", "?limit=0002&skip=00", 0, 2},
    {"encoded digits", "?limit=%32", 0, 2},
    {"an encoded name", "?li%6Dit=2", 0, 2},
    {"an unknown parameter", "?page=7&limit=2", 0, 2},
};

struct FiveMailboxes : story::Story {
    FiveMailboxes() : who{tenant()}
    {
        for (const auto& name : kInOrder) {
            create(who, name);
        }
    }

    story::Tenant who;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(paging)

BOOST_TEST_DECORATOR(*shows("parameters: limit") * shows("parameters: skip")
                     * shows("answers: items in the order of creation")
                     * shows("answers: total_count is the domain's total")
                     * shows("paths: a trailing ?"))
BOOST_DATA_TEST_CASE_F(FiveMailboxes, a_page, data::make(kPages), row)
{
    const auto page = answers::page(list(who, row.query));
    std::vector<std::string> expected;
    for (std::size_t i = row.first; i < row.first + row.count; ++i) {
        expected.push_back(who.address(kInOrder[i]));
    }
    BOOST_TEST(page.total_count == 5);
    BOOST_TEST(page.names() == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_created_again_is_listed_last, FiveMailboxes,
                        *shows("answers: items in the order of creation"))
{
    remove(who, "alice");
    BOOST_TEST(answers::page(list(who)).total_count == 4);
    create(who, "alice");
    change(who, "mallory", "Looking-Glass");  // does not change the order
    const std::vector expected{who.address("mallory"), who.address("zoe"), who.address("bob"),
                               who.address("eve"), who.address("alice")};
    BOOST_TEST(answers::page(list(who)).names() == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(an_empty_domain, story::Story, *shows("answers: GET"))
{
    const auto who = tenant();
    BOOST_TEST(answers::text(list(who)) == "200 {\"total_count\":0,\"items\":[]}\n");
    BOOST_TEST(answers::text(list(who, "?skip=1")) == "200 {\"total_count\":0,\"items\":[]}\n");
}

namespace {

// The rows are inserted directly, because hashing 1000 passwords would take long.
struct Thousand : story::Story {
    static constexpr std::size_t kCount = 1001;

    Thousand() : who{tenant()}
    {
        create(who, "m0");
        const auto hash = stack::quote(stored_password(who, "m0"));
        std::string rows;
        for (std::size_t i = 1; i < kCount; ++i) {
            const auto number = std::to_string(i);
            rows += (rows.empty() ? "" : ",")
                    + ("(@domain," + std::to_string(i + 1) + ",'m" + number + "',LEFT(SHA2('"
                       + who.domain + number + "', 256), 32)," + hash + ","
                       + std::to_string(1700000000 + i) + ")");
        }
        stack.sql(
            "SET @domain = (SELECT id FROM domain WHERE name = " + stack::quote(who.domain)
            + ");"
              " START TRANSACTION;"
              " INSERT INTO mailbox (domain_id, id, local_part, storage_id, password, created_at) VALUES "
            + rows
            + "; UPDATE domain SET mailboxes = 1001, last_id = 1001 WHERE id = @domain;"
              " DELETE FROM mailbox_range WHERE domain_id = @domain;"
              // The ids are 1 to 1001, so the counts of the ranges are exact.
              " INSERT INTO mailbox_range SELECT @domain, 0, SUM(c),"
              " UNHEX(GROUP_CONCAT(LPAD(HEX(c), 2, '0') ORDER BY n SEPARATOR '')) FROM (SELECT id DIV 128 AS n,"
              " COUNT(*) AS c FROM mailbox WHERE domain_id = @domain GROUP BY id DIV 128) m; COMMIT");
    }

    std::vector<std::string> names(std::size_t limit, std::size_t skip) const
    {
        const auto page = answers::page(
            list(who, "?limit=" + std::to_string(limit) + "&skip=" + std::to_string(skip)));
        return page.names();
    }

    story::Tenant who;
};

}  // namespace

// The domain has more mailboxes than the default page and exactly as many as the largest page.
BOOST_FIXTURE_TEST_CASE(a_domain_of_a_thousand, Thousand,
                        *shows("parameters: limit") * shows("parameters: skip"))
{
    const auto by_default = answers::page(list(who));
    BOOST_TEST(by_default.total_count == 1001);
    BOOST_TEST(by_default.items.size() == 100U);
    BOOST_TEST(names(1000, 0).size() == 1000U);

    // A client that pages until a short page comes has seen every mailbox once, in order.
    std::vector<std::string> seen;
    for (std::size_t skip = 0;; skip += 300) {
        const auto part = names(300, skip);
        seen.insert(seen.end(), part.begin(), part.end());
        if (part.size() < 300) {
            break;
        }
    }
    BOOST_TEST_REQUIRE(seen.size() == kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
        BOOST_TEST(seen[i] == who.address("m" + std::to_string(i)));
    }
}

// A large skip finds its place although mailboxes before it were deleted and others were added.
BOOST_FIXTURE_TEST_CASE(a_deep_skip_with_gaps_before_it, Thousand,
                        *shows("parameters: skip")
                            * shows("answers: items in the order of creation"))
{
    std::vector<std::string> left;
    for (std::size_t i = 0; i < kCount; ++i) {
        const auto name = "m" + std::to_string(i);
        // Deletes single rows, and one whole range of 128 ids with its edges.
        if (i % 17 == 0 || (i > 250 && i < 390)) {
            BOOST_TEST_REQUIRE(remove(who, name).status == 200);
        } else {
            left.push_back(who.address(name));
        }
    }
    for (const char* name : {"late", "later"}) {
        create(who, name);
        left.push_back(who.address(name));
    }
    for (std::size_t skip = 0; skip < left.size() + 3; ++skip) {
        const auto first = std::min(skip, left.size());
        const auto count = std::min<std::size_t>(3, left.size() - first);
        const std::vector expected(left.begin() + static_cast<std::ptrdiff_t>(first),
                                   left.begin() + static_cast<std::ptrdiff_t>(first + count));
        BOOST_TEST(names(3, skip) == expected, "skip " << skip);
    }
}

BOOST_AUTO_TEST_SUITE_END()
