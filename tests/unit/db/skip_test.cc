// skip_test.cc - `skip` finds the place that stepping over the rows would find, wherever the ids
// have gaps.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <tuple>
#include <vector>

#include "support/database.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;

namespace {

// A domain with gaps between its ids, as in an old domain: 40,000 mailboxes with a gap of more than
// a range between the halves. Only those remain that `remains` keeps.
struct LongLived : database::Tenant {
    explicit LongLived(const std::string& remains)
    {
        const auto id = std::to_string(domain_id);
        database.run(
            "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password)"
            " WITH RECURSIVE d (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < 199),"
            " n (i) AS (SELECT a.i * 200 + b.i + 1 FROM d a JOIN d b)"
            " SELECT "
            + id
            + ", IF(i <= 20000, i, i + 120000), CONCAT('u', i), 0,"
              " LEFT(SHA2(CONCAT(i, '-', "
            + id + "), 256), 32), 'x' FROM n WHERE " + remains);
        for (const auto* range : {"0", "1", "2"}) {
            database.run(
                "INSERT INTO mailbox_range (domain_id, number, mailboxes, counts)"
                " WITH RECURSIVE f (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM f WHERE n < 511)"
                " SELECT "
                + id + ", " + range
                + ", SUM(COALESCE(c, 0)),"
                  " UNHEX(GROUP_CONCAT(LPAD(HEX(COALESCE(c, 0)), 2, '0') ORDER BY f.n SEPARATOR ''))"
                  " FROM f LEFT JOIN (SELECT id DIV 128 AS number, COUNT(*) AS c FROM mailbox"
                  " WHERE domain_id = "
                + id + " GROUP BY id DIV 128) m ON m.number = f.n + 512 * " + range
                + " HAVING SUM(c) > 0");
        }
        database.run("UPDATE domain SET last_id = 160000, mailboxes ="
                     " (SELECT COUNT(*) FROM mailbox WHERE domain_id = "
                     + id + ") WHERE id = " + id);
    }

    std::vector<std::string> stepping_over(std::int64_t limit, std::int64_t skip)
    {
        return database.column(
            "SELECT local_part FROM mailbox WHERE domain_id = ? ORDER BY id LIMIT ? OFFSET ?",
            {domain_id, limit, skip});
    }
    std::vector<std::string> by_list(std::int64_t limit, std::int64_t skip)
    {
        const auto found = store.list(key, domain, {limit, skip});
        return found ? names_of(found->listing) : std::vector<std::string>{};
    }
    std::vector<std::string> by_page(std::int64_t limit, std::int64_t skip)
    {
        const auto listing = store.page(domain_id, domain, {limit, skip});
        BOOST_TEST(listing.total == rows());
        return names_of(listing);
    }
    // Asks as the API does: if the domain has changed, list() returns nothing and page() is asked.
    std::vector<std::string> by_either(std::int64_t limit, std::int64_t skip)
    {
        const auto found = store.list(key, domain, {limit, skip});
        return found ? names_of(found->listing) : by_page(limit, skip);
    }
    static std::vector<std::string> names_of(const store::Listing& listing)
    {
        std::vector<std::string> names;
        for (const auto& item : listing.items) names.push_back(item.local_part);
        return names;
    }
    void check(std::int64_t skip)
    {
        BOOST_TEST_CONTEXT("skip=" << skip)
        {
            const auto expected = stepping_over(5, skip);
            BOOST_TEST(by_list(5, skip) == expected, per_element());
            BOOST_TEST(by_page(5, skip) == expected, per_element());
        }
    }
};

// Returns how many rows the tenant's connection has read by an index, plus how many the server has
// sorted for it. Reads of whole tables are left out, because asking for these numbers is one. (A
// page that was read from a whole table would have to be sorted.)
std::int64_t work(database::Tenant& tenant)
{
    auto rows = tenant.session.connection().query(
        "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_first', 'Handler_read_key', 'Handler_read_last',"
        " 'Handler_read_next', 'Handler_read_prev', 'Handler_read_rnd', 'Sort_rows')");
    std::int64_t sum = 0;
    while (rows.next()) sum += std::get<1>(rows.read<std::string, std::int64_t>());
    return sum;
}

// Returns what the ranges count for this domain, to be compared with its rows.
std::int64_t counted(database::Tenant& tenant)
{
    return tenant.database.number(
        "SELECT CAST(COALESCE(SUM(mailboxes), 0) AS SIGNED) FROM mailbox_range WHERE domain_id = ?",
        {tenant.domain_id});
}
std::int64_t counted_in_bytes(database::Tenant& tenant)
{
    std::int64_t sum = 0;
    for (const auto& counts : tenant.database.column(
             "SELECT HEX(counts) FROM mailbox_range WHERE domain_id = ?", {tenant.domain_id})) {
        for (std::size_t i = 0; i < counts.size(); i += 2)
            sum += std::stoi(counts.substr(i, 2), nullptr, 16);
    }
    return sum;
}

struct Domain : support::Row {
    std::string remains;
};
const Domain kDomains[] = {
    {{"every id"}, "1"},
    {{"every seventh"}, "i % 7 = 3"},
    {{"holes of whole ranges"}, "i DIV 128 % 5 = 1"},
    {{"a hole of many ranges"}, "i < 300 OR i > 33000"},
    {{"only the last"}, "i = 40000"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(store_skip)

// A server that takes over may give out the same counter and the same last id again, over other
// mailboxes.
BOOST_AUTO_TEST_CASE(what_is_kept_of_one_connection_does_not_count_for_the_next)
{
    LongLived domain{"i % 7 = 3"};
    domain.check(1000);
    database::Database& database = domain.database;
    database.execute("UPDATE mailbox SET id = 158000 WHERE domain_id = ? AND id = 3",
                     {domain.domain_id});
    database.execute(
        "UPDATE mailbox_range SET mailboxes = mailboxes - 1, counts = INSERT(counts, 1, 1, CHAR(ASCII(counts) - 1))"
        " WHERE domain_id = ? AND number = 0",
        {domain.domain_id});
    database.execute(
        "UPDATE mailbox_range SET mailboxes = mailboxes + 1, counts = INSERT(counts, 211, 1, CHAR(ASCII(SUBSTR(counts, 211, 1)) + 1))"
        " WHERE domain_id = ? AND number = 2",
        {domain.domain_id});
    domain.session.drop();
    domain.check(1000);
}

BOOST_DATA_TEST_CASE(finds_the_same_place, data::make(kDomains), row)
{
    LongLived domain{row.remains};
    const auto total = domain.rows();
    for (const auto skip :
         {0, 1, 127, 128, 129, 255, 256, 1000, 16'383, 16'384, 16'385, 20'000, 39'999})
        domain.check(skip);
    for (const auto from_end : {0, 1, 2, 5, 6, 127, 128}) {
        if (total >= from_end) domain.check(total - from_end);
    }
    domain.check(total + 1000);
}

// The ranges that were read for one list serve the next, while the domain does not change.
BOOST_AUTO_TEST_CASE(the_next_page_costs_no_look_up)
{
    LongLived domain{"1"};
    const auto cost = [&](std::int64_t skip) {
        const auto begin = work(domain);
        BOOST_TEST(domain.by_either(5, skip) == domain.stepping_over(5, skip), per_element());
        return work(domain) - begin;
    };
    const auto first = cost(25'600);
    const auto next = cost(30'720);
    BOOST_TEST(next < first);
    BOOST_TEST(!domain.store.list(domain.key, mailbox::Domain::parse("absent.example").value(), {})
                    .has_value());
    BOOST_TEST(cost(20'480) == next);
    domain.store.remove(domain.grant(), domain.address("u7"), domain.actor);
    BOOST_TEST(cost(25'599) > next);
    BOOST_TEST(cost(30'719) == next);
    // page() without list() does not step over the rows either.
    domain.store.remove(domain.grant(), domain.address("u8"), domain.actor);
    const auto begin = work(domain);
    BOOST_TEST(domain.by_page(5, 30'718) == domain.stepping_over(5, 30'718), per_element());
    BOOST_TEST(work(domain) - begin < 1000);
}

// Otherwise the time of an answer would tell a stranger which domains exist, how large they are,
// and which of them was just listed.
BOOST_AUTO_TEST_CASE(who_has_another_secret_makes_the_server_look_at_no_domain)
{
    LongLived domain{"1"};
    const auto absent = mailbox::Domain::parse("absent.example").value();
    domain.by_either(5, 25'600);
    domain.database.execute("UPDATE api_key SET hash = REVERSE(hash) WHERE id = ?",
                            {domain.key.id()});
    const auto cost = [&](const mailbox::Domain& asked, std::int64_t skip) {
        const auto begin = work(domain);
        BOOST_TEST(!domain.store.list(domain.key, asked, {5, skip}).has_value());
        BOOST_TEST(!domain.store.grant(domain.key, asked.name()).has_value());
        return work(domain) - begin;
    };
    const auto least = cost(absent, 0);
    for (const std::int64_t skip : {25'600, 30'720, 200, 1'000'000, 0}) {
        BOOST_TEST_CONTEXT("skip=" << skip)
        {
            BOOST_TEST(cost(domain.domain, skip) == least);
            BOOST_TEST(cost(absent, skip) == least);
        }
    }
}

BOOST_DATA_TEST_CASE(what_was_looked_up_is_not_of_a_domain_that_took_its_name,
                     data::make({false, true}), is_page)
{
    LongLived old{"i > 1000"};
    BOOST_TEST(old.by_list(5, 200) == old.stepping_over(5, 200), per_element());
    auto& database = old.database;
    const auto account =
        database.number("SELECT account_id FROM domain WHERE id = ?", {old.domain_id});
    LongLived heir{"i <= 39000"};
    // It has as many mailboxes and the same last id, but they are other mailboxes.
    BOOST_TEST(heir.rows() == old.rows());
    database.execute("UPDATE domain SET name = CONCAT('former-', name) WHERE id = ?",
                     {old.domain_id});
    database.execute("UPDATE domain SET name = ?, account_id = ? WHERE id = ?",
                     {old.domain.name(), account, heir.domain_id});
    old.domain_id = heir.domain_id;
    BOOST_TEST((is_page ? old.by_page(5, 200) : old.by_either(5, 200)) == old.stepping_over(5, 200),
               per_element());
}

// A page is one range of the primary key in its order, whatever the server's optimizer knows of the
// table. It costs its own rows, at most 128 that are stepped over, and the counts of ranges.
BOOST_AUTO_TEST_CASE(a_page_costs_its_own_rows)
{
    LongLived domain{"1"};
    for (const auto* state : {"as inserted", "analyzed"}) {
        for (const auto skip : {0, 127, 20'000, 39'950}) {
            const auto begin = work(domain);
            BOOST_TEST(domain.by_list(100, skip).size() == (skip < 39'900 ? 100U : 50U));
            const auto by_list = work(domain) - begin;
            BOOST_TEST((by_list > 0 && by_list < 500),
                       state << ", list from " << skip << ": " << by_list);
            domain.by_page(100, skip);
            const auto by_page = work(domain) - begin - by_list;
            BOOST_TEST((by_page > 0 && by_page < 500),
                       state << ", page from " << skip << ": " << by_page);
        }
        domain.database.connect().query("ANALYZE TABLE domain, mailbox, mailbox_range");
    }
}

BOOST_AUTO_TEST_CASE(ranges_are_counted_with_every_change)
{
    database::Tenant tenant;
    std::vector<store::NewMailbox> mailboxes;
    for (int i = 0; i < 300; ++i) mailboxes.push_back(tenant.mailbox("u" + std::to_string(i)));
    tenant.store.create(tenant.grant(), mailboxes, tenant.actor);
    const auto both_count = [&](std::int64_t expected) {
        BOOST_TEST(counted(tenant) == expected);
        BOOST_TEST(counted_in_bytes(tenant) == expected);
        BOOST_TEST(tenant.rows() == expected);
    };
    both_count(300);
    for (int i = 0; i < 300; i += 3)
        tenant.store.remove(tenant.grant(), tenant.address("u" + std::to_string(i)), tenant.actor);
    both_count(200);
    tenant.store.create(tenant.grant(), {tenant.mailbox("u1")},
                        tenant.actor);  // exists: nothing may be counted
    both_count(200);
    BOOST_TEST(
        tenant.database.number(
            "SELECT COUNT(*) FROM (SELECT id DIV 128 AS number, COUNT(*) AS mailboxes FROM mailbox"
            " WHERE domain_id = ? GROUP BY id DIV 128) m JOIN mailbox_range r ON r.domain_id = ? AND r.number = 0"
            " WHERE ASCII(SUBSTR(r.counts, m.number + 1, 1)) = m.mailboxes",
            {tenant.domain_id, tenant.domain_id})
        == 3);
}

// Text handling is most likely to lose or change these bytes: 0 at the end, space, and the
// greatest.
BOOST_AUTO_TEST_CASE(every_count_of_a_fine_range)
{
    database::Tenant tenant;
    std::vector<store::NewMailbox> mailboxes;
    for (int i = 1; i <= 255; ++i)
        mailboxes.push_back(
            tenant.mailbox("u" + std::to_string(i)));  // ids 1 to 127, and 128 to 255
    for (const auto& mailbox : mailboxes) {
        tenant.store.create(tenant.grant(), {mailbox}, tenant.actor);
        BOOST_TEST(counted_in_bytes(tenant) == counted(tenant));
    }
    BOOST_TEST(tenant.database.text("SELECT HEX(counts) FROM mailbox_range WHERE domain_id = ?",
                                    {tenant.domain_id})
               == "7F80");
    for (const auto& mailbox : mailboxes) {
        tenant.store.remove(tenant.grant(), mailbox.address, tenant.actor);
        BOOST_TEST(counted_in_bytes(tenant) == counted(tenant));
    }
    BOOST_TEST(counted(tenant) == 0);
}

// Removes some at a time: whole ranges, parts of ranges, and up to an id that does not exist any
// more.
BOOST_AUTO_TEST_CASE(ranges_are_counted_when_all_are_removed)
{
    database::Tenant tenant;
    tenant.database.execute("UPDATE domain SET last_id = 65000 WHERE id = ?",
                            {tenant.domain_id});  // into the second range
    std::vector<store::NewMailbox> mailboxes;
    for (int i = 0; i < 1'203; ++i) mailboxes.push_back(tenant.mailbox("u" + std::to_string(i)));
    tenant.store.create(tenant.grant(), mailboxes, tenant.actor);
    for (int i = 0; i < 1'203; i += 7)
        tenant.store.remove(tenant.grant(), tenant.address("u" + std::to_string(i)), tenant.actor);
    const auto there = tenant.rows();
    // Each time, the time is up after the first part.
    std::int64_t removed = 0;
    while (removed < there) {
        store::Emptied emptied;
        do
            emptied = tenant.store.remove_all(tenant.grant(), tenant.domain, tenant.actor,
                                              std::chrono::steady_clock::now()
                                                  + std::chrono::milliseconds{2});
        while (emptied.removed == 0 && !emptied.is_all);
        removed += emptied.removed;
        BOOST_TEST(tenant.rows() == there - removed);
        BOOST_TEST(tenant.counter() == there - removed);
        BOOST_TEST(counted(tenant) == there - removed);
        BOOST_TEST(counted_in_bytes(tenant) == there - removed);
    }
    tenant.store.create(tenant.grant(), {tenant.mailbox("new")}, tenant.actor);
    BOOST_TEST(counted_in_bytes(tenant) == 1);
}

// The ids lie in the last fine range of one range and the first fine range of the next.
BOOST_AUTO_TEST_CASE(at_the_ends_of_a_range)
{
    database::Tenant tenant;
    tenant.database.execute("UPDATE domain SET last_id = 65534 WHERE id = ?", {tenant.domain_id});
    for (const auto* name : {"a", "b", "c"})
        tenant.store.create(tenant.grant(), {tenant.mailbox(name)},
                            tenant.actor);  // 65,535 to 65,537
    const std::vector<std::string> expected{"0 1 511", "1 2 0"};
    BOOST_TEST(
        tenant.database.column(
            "SELECT CONCAT(number, ' ', mailboxes, ' ', LOCATE(CHAR(mailboxes), counts) - 1) FROM mailbox_range"
            " WHERE domain_id = ? ORDER BY number",
            {tenant.domain_id})
            == expected,
        per_element());
}

BOOST_AUTO_TEST_SUITE_END()
