// life_test.cc - what an operator sees of a mailbox, living or deleted, and what becomes of it.

#include "life.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "database.h"
#include "support.h"

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;
using mailbox::State;
using Strings = std::vector<std::string>;

namespace {

struct House : database::Tenant {
    House() { store.create(grant(), {mailbox("alice"), mailbox("bob")}, actor); }

    // Her state, generation and quota.
    std::string of_alice()
    {
        return database.text("SELECT CONCAT_WS(' ', state, generation, COALESCE(quota_bytes, '-')) FROM mailbox"
                             " WHERE domain_id = ? AND local_part = 'alice'", {domain_id});
    }
    // By the operator, on what this domain has.
    Strings changes()
    {
        return database.column("SELECT CONCAT(action, ' ', local_part) FROM audit_log WHERE domain = ? AND actor = 'operator'"
                               " AND local_part <> '' ORDER BY at, id", {domain.name()});
    }
    db::Connection connection = database.connect();
};

}  // namespace

BOOST_AUTO_TEST_SUITE(lives)

// --- looking --------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_mailbox_with_everything, House)
{
    const auto storage = storage_id("alice");
    database.execute("UPDATE mailbox SET state = 'no_login', quota_bytes = 7, size_bytes = 5, created_at = 11 WHERE storage_id = ?", {storage});
    database.execute("INSERT INTO mailbox_activity (storage_id, last_login, last_delivery) VALUES (?, 21, 22)", {storage});
    const auto found = life::find(connection, address("alice"));
    BOOST_TEST_REQUIRE(found.has_value());
    BOOST_TEST(found->id == 1);
    BOOST_TEST(found->local_part == "alice");
    BOOST_TEST(found->state == "no_login");
    BOOST_TEST(found->quota_bytes.value() == 7);
    BOOST_TEST(found->size_bytes == 5);
    BOOST_TEST(found->created_at == 11);
    BOOST_TEST(found->storage_id == storage);
    BOOST_TEST(found->last_login == 21);
    BOOST_TEST(found->last_delivery == 22);
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_nobody_used, House)
{
    const auto found = life::find(connection, address("bob")).value();
    BOOST_TEST(found.state == "active");
    BOOST_TEST(!found.quota_bytes.has_value());
    BOOST_TEST(found.last_login == 0);
    BOOST_TEST(found.last_delivery == 0);
    BOOST_TEST(!life::find(connection, address("carol")).has_value());
    BOOST_TEST(!life::find(connection, House{}.address("nobody")).has_value());
}

BOOST_FIXTURE_TEST_CASE(pages_in_the_order_of_creation, House)
{
    store.create(grant(), {mailbox("aaron")}, actor);
    const auto names_from = [&](std::int64_t after, std::int64_t limit) {
        Strings found;
        for (const auto& each : life::mailboxes(connection, domain_id, after, limit)) found.push_back(each.local_part);
        return found;
    };
    BOOST_TEST(names_from(0, 10) == (Strings{"alice", "bob", "aaron"}), per_element());
    BOOST_TEST(names_from(0, 2) == (Strings{"alice", "bob"}), per_element());
    BOOST_TEST(names_from(2, 2) == (Strings{"aaron"}), per_element());
    BOOST_TEST(names_from(3, 2).empty());
}

BOOST_FIXTURE_TEST_CASE(deleted_ones_the_last_first, House)
{
    const auto first = storage_id("alice");
    database.execute("UPDATE mailbox SET size_bytes = 5, created_at = 11 WHERE storage_id = ?", {first});
    store.remove(grant(), address("alice"), actor);
    store.create(grant(), {mailbox("alice")}, actor);
    const auto second = storage_id("alice");
    store.remove(grant(), address("alice"), actor);
    store.remove(grant(), address("bob"), actor);
    database.execute("UPDATE deleted_mailbox SET deleted_at = IF(storage_id = ?, 100, 200), purged_at = IF(storage_id = ?, 300, NULL)"
                     " WHERE domain_id = ? AND local_part = 'alice'", {first, first, domain_id});

    const auto found = life::deleted(connection, address("alice"));
    BOOST_TEST_REQUIRE(found.size() == 2U);
    BOOST_TEST(found[0].storage_id == second);
    BOOST_TEST(!found[0].is_purged);
    BOOST_TEST(found[1].storage_id == first);
    BOOST_TEST(found[1].local_part == "alice");
    BOOST_TEST(found[1].size_bytes == 5);
    BOOST_TEST(found[1].created_at == 11);
    BOOST_TEST(found[1].deleted_at == 100);
    BOOST_TEST(found[1].deleted_by == actor.key_id);
    BOOST_TEST(found[1].is_purged);
    BOOST_TEST(life::deleted(connection, domain).size() == 3U);
    BOOST_TEST(life::deleted(connection, address("carol")).empty());
}

// --- suspending -----------------------------------------------------------------------

struct Suspension : support::Row {
    State state;
    std::string text;
    std::string action;
    bool ends_sessions;
};

const Suspension kSuspensions[] = {
    {"mail still arrives", State::no_login, "no_login", "suspend", true},
    {"nothing at all", State::disabled, "disabled", "disable", true},
    {"back again", State::active, "active", "resume", false},
};

BOOST_DATA_TEST_CASE_F(House, a_mailbox_changes_its_state, data::make(kSuspensions), row)
{
    life::set_state(connection, address("alice"), row.state);
    BOOST_TEST(of_alice() == row.text + (row.ends_sessions ? " 2 -" : " 1 -"));
    BOOST_TEST(session_ends("alice") == (row.ends_sessions ? 1 : 0));
    BOOST_TEST(changes() == (Strings{row.action + " alice"}), per_element());
    BOOST_TEST(session_ends("bob") == 0);
    BOOST_TEST(life::find(connection, address("bob"))->state == "active");
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_is_not_there_has_no_state, House)
{
    BOOST_CHECK_THROW(life::set_state(connection, address("carol"), State::disabled), admin::Refused);
    BOOST_CHECK_THROW(life::set_state(connection, mailbox::Address::parse("alice", mailbox::Domain::parse("absent.example").value()), State::disabled),
                      admin::Refused);
    BOOST_TEST(changes().empty());
}

// --- quotas ---------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_mailbox_gets_a_quota, House)
{
    life::set_quota(connection, address("alice"), 4096);
    BOOST_TEST(of_alice() == "active 1 4096");
    life::set_quota(connection, address("alice"), 0);
    BOOST_TEST(of_alice() == "active 1 0");
    life::set_quota(connection, address("alice"), std::nullopt);
    BOOST_TEST(of_alice() == "active 1 -");
    BOOST_TEST(changes() == (Strings{"quota alice", "quota alice", "quota alice"}), per_element());
    BOOST_CHECK_THROW(life::set_quota(connection, address("carol"), 1), admin::Refused);
}

BOOST_AUTO_TEST_SUITE_END()
