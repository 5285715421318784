// lifecycle_test.cc - the operator's view of existing and deleted mailboxes, and the changes to
// them.

#include "db/lifecycle.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "db/grants.h"
#include "db/transaction.h"
#include "support/database.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;
using mailbox::State;
using Strings = std::vector<std::string>;

namespace {

struct House : database::Tenant {
    House() { store.create(grant(), {mailbox("alice"), mailbox("bob")}, actor); }

    // Returns the mailbox's state, generation and quota.
    std::string of_alice()
    {
        return database.text(
            "SELECT CONCAT_WS(' ', state, generation, COALESCE(quota_bytes, '-')) FROM mailbox"
            " WHERE domain_id = ? AND local_part = 'alice'",
            {domain_id});
    }
    // Returns the operator's changes in this domain.
    Strings changes()
    {
        return database.column(
            "SELECT CONCAT(action, ' ', local_part) FROM audit_log WHERE domain = ? AND actor = 'operator'"
            " AND local_part <> '' ORDER BY at, id",
            {domain.name()});
    }
    db::Connection connection = database.connect();
};

}  // namespace

BOOST_AUTO_TEST_SUITE(lives)

// --- looking --------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_mailbox_with_everything, House)
{
    const auto storage = storage_id("alice");
    database.execute(
        "UPDATE mailbox SET state = 'no_login', quota_bytes = 7, size_bytes = 5, created_at = 11 WHERE storage_id = ?",
        {storage});
    database.execute(
        "INSERT INTO mailbox_activity (storage_id, last_login, last_delivery) VALUES (?, 21, 22)",
        {storage});
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
        for (const auto& each : life::mailboxes(connection, domain_id, after, limit))
            found.push_back(each.local_part);
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
    database.execute("UPDATE mailbox SET size_bytes = 5, created_at = 11 WHERE storage_id = ?",
                     {first});
    store.remove(grant(), address("alice"), actor);
    store.create(grant(), {mailbox("alice")}, actor);
    const auto second = storage_id("alice");
    store.remove(grant(), address("alice"), actor);
    store.remove(grant(), address("bob"), actor);
    database.execute(
        "UPDATE deleted_mailbox SET deleted_at = IF(storage_id = ?, 100, 200), purged_at = IF(storage_id = ?, 300, NULL)"
        " WHERE domain_id = ? AND local_part = 'alice'",
        {first, first, domain_id});

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
    life::Changes{connection}.set_state(address("alice"), row.state);
    BOOST_TEST(of_alice() == row.text + (row.ends_sessions ? " 2 -" : " 1 -"));
    BOOST_TEST(session_ends("alice") == (row.ends_sessions ? 1 : 0));
    BOOST_TEST(changes() == (Strings{row.action + " alice"}), per_element());
    BOOST_TEST(session_ends("bob") == 0);
    BOOST_TEST(life::find(connection, address("bob"))->state == "active");
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_is_not_there_has_no_state, House)
{
    BOOST_CHECK_THROW(life::Changes{connection}.set_state(address("carol"), State::disabled),
                      admin::Refused);
    BOOST_CHECK_THROW(
        life::Changes{connection}.set_state(
            mailbox::Address::parse("alice", mailbox::Domain::parse("absent.example").value()),
            State::disabled),
        admin::Refused);
    BOOST_TEST(changes().empty());
}

// --- quotas ---------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_mailbox_gets_a_quota, House)
{
    life::Changes{connection}.set_quota(address("alice"), 4096);
    BOOST_TEST(of_alice() == "active 1 4096");
    life::Changes{connection}.set_quota(address("alice"), 0);
    BOOST_TEST(of_alice() == "active 1 0");
    life::Changes{connection}.set_quota(address("alice"), std::nullopt);
    BOOST_TEST(of_alice() == "active 1 -");
    BOOST_TEST(changes() == (Strings{"quota alice", "quota alice", "quota alice"}), per_element());
    BOOST_CHECK_THROW(life::Changes{connection}.set_quota(address("carol"), 1), admin::Refused);
}

// --- restoring ------------------------------------------------------------------------

namespace {

constexpr auto kGrace = std::chrono::days{7};
constexpr std::int64_t kGraceSeconds = std::chrono::seconds{kGrace}.count();

struct Restoring : House {
    // Deletes the mailbox, as if so many seconds ago. Returns its storage id.
    std::string deleted(std::string_view name, std::int64_t seconds_ago = 0)
    {
        const auto id = storage_id(name);
        grants::Grant anybodys;
        anybodys.domain_id = domain_id;
        store.remove(anybodys, address(name), actor);
        database.execute(
            "UPDATE deleted_mailbox SET deleted_at = deleted_at - ? WHERE storage_id = ?",
            {seconds_ago, id});
        return id;
    }
    void remove_domain() { admin::Admin{connection}.remove_domain(domain); }
    void add_domain(const std::string& its_account)
    {
        domain_id = admin::Admin{connection}.add_domain(domain, its_account);
    }
    void allow(std::string_view what, std::int64_t mailboxes)
    {
        if (what == "domain")
            database.execute("UPDATE domain SET max_mailboxes = ? WHERE id = ?",
                             {mailboxes, domain_id});
        else
            database.execute("UPDATE account SET max_mailboxes = ? WHERE name = ?",
                             {mailboxes, account});
    }

    // Returns everything that a restoration may change.
    Strings everything()
    {
        return database.column(
            "SELECT CONCAT_WS(' ', storage_id, local_part, domain_id, purged_at IS NULL) FROM deleted_mailbox WHERE domain = ?"
            " UNION ALL SELECT CONCAT_WS(' ', storage_id, local_part, generation) FROM mailbox WHERE domain_id = ?"
            " UNION ALL SELECT CONCAT_WS(' ', mailboxes, last_id) FROM domain WHERE id = ?"
            " UNION ALL SELECT CONCAT_WS(' ', number, mailboxes, HEX(counts)) FROM mailbox_range WHERE domain_id = ?"
            " UNION ALL SELECT CONCAT_WS(' ', at, id) FROM audit_log WHERE domain = ?",
            {domain.name(), domain_id, domain_id, domain_id, domain.name()});
    }
    void check_refused(const life::Restoring& wanted, const Strings& words)
    {
        const auto before = everything();
        const auto has_words = [&](const admin::Refused& refused) {
            const std::string sentence{refused.what()};
            BOOST_TEST_MESSAGE(sentence);
            return std::all_of(words.begin(), words.end(), [&](const auto& word) {
                return sentence.find(word) != std::string::npos;
            });
        };
        BOOST_CHECK_EXCEPTION(life::Changes{connection}.restore(wanted, kGrace), admin::Refused,
                              has_words);
        BOOST_TEST(everything() == before, per_element());
    }
    life::Restoring alice() const { return {.address = address("alice")}; }
    void check_counters()
    {
        BOOST_TEST(counter() == rows());
        BOOST_TEST(database.number("SELECT SUM(mailboxes) FROM mailbox_range WHERE domain_id = ?",
                                   {domain_id})
                   == rows());
        BOOST_TEST(database.number(
                       "SELECT ORD(counts) FROM mailbox_range WHERE domain_id = ? AND number = 0",
                       {domain_id})
                   == rows());
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(all_of_it_comes_back, Restoring)
{
    const auto id = storage_id("alice");
    database.execute(
        "UPDATE mailbox SET created_at = 11, size_bytes = 5, state = 'no_login', password = '{PLAIN}hers', generation = 9,"
        " quota_bytes = 7 WHERE storage_id = ?",
        {id});
    deleted("alice");
    const auto was = life::Changes{connection}.restore(alice(), kGrace);
    BOOST_TEST(was.storage_id == id);
    BOOST_TEST(was.state == "no_login");
    BOOST_TEST(was.size_bytes == 5);
    // It is the last in the domain's order, and no login from before is valid.
    const auto now = database.text(
        "SELECT CONCAT_WS(' ', id, local_part, created_at, size_bytes, state, storage_id, password, generation,"
        " quota_bytes) FROM mailbox WHERE storage_id = ?",
        {id});
    BOOST_TEST(now == "3 alice 11 5 no_login " + id + " {PLAIN}hers 10 7");
    BOOST_TEST(life::deleted(connection, domain).empty());
    BOOST_TEST(changes() == (Strings{"restore alice"}), per_element());
    check_counters();
}

BOOST_FIXTURE_TEST_CASE(without_a_quota_of_its_own, Restoring)
{
    deleted("alice");
    life::Changes{connection}.restore(alice(), kGrace);
    BOOST_TEST(of_alice() == "active 2 -");
}

// However often a mailbox is deleted and restored, a session's name never becomes valid again.
BOOST_FIXTURE_TEST_CASE(again_and_again, Restoring)
{
    std::int64_t last = generation("alice");
    for (int i = 0; i < 3; ++i) {
        deleted("alice");
        life::Changes{connection}.restore(alice(), kGrace);
        BOOST_TEST(generation("alice") > last);
        last = generation("alice");
    }
    check_counters();
}

BOOST_FIXTURE_TEST_CASE(beside_another_of_that_name, Restoring)
{
    const auto old = deleted("alice");
    store.create(grant(), {mailbox("alice", "{PLAIN}second")}, actor);
    const auto young = storage_id("alice");
    check_refused(alice(), {address("alice").text(), "already", "--as"});
    auto wanted = alice();
    wanted.name = address("bob");
    check_refused(wanted, {address("bob").text(), "already"});
    wanted.name = address("alice-old");
    life::Changes{connection}.restore(wanted, kGrace);
    BOOST_TEST(storage_id("alice") == young);
    BOOST_TEST(storage_id("alice-old") == old);
    BOOST_TEST(password("alice-old") == "{PLAIN}first");
    BOOST_TEST(changes() == (Strings{"restore-as alice", "restore alice-old"}), per_element());
    check_counters();
}

BOOST_FIXTURE_TEST_CASE(the_last_of_several_or_the_one_that_is_named, Restoring)
{
    Strings ids;
    for (const std::int64_t age : {300, 200, 100}) {
        if (!ids.empty()) store.create(grant(), {mailbox("alice")}, actor);
        ids.push_back(deleted("alice", age));
    }
    // The last one cannot be restored any more, but those before it can.
    database.execute("UPDATE deleted_mailbox SET purged_at = 1 WHERE storage_id = ?", {ids[2]});
    auto wanted = alice();
    wanted.name = address("one");
    BOOST_TEST(life::Changes{connection}.restore(wanted, kGrace).storage_id == ids[1]);
    wanted.name = address("two");
    wanted.storage_id = std::string(32, '0');
    check_refused(wanted, {wanted.storage_id, "--deleted"});
    wanted.storage_id = ids[2];
    check_refused(wanted, {"being removed"});
    wanted.storage_id = ids[0];
    BOOST_TEST(life::Changes{connection}.restore(wanted, kGrace).storage_id == ids[0]);
    check_counters();
}

// If both were deleted in the same second, it is the one of the present domain, and no option is
// needed.
BOOST_FIXTURE_TEST_CASE(the_last_of_two_domains, Restoring)
{
    const auto former = storage_id("alice");
    remove_domain();
    add_domain(account);
    store.create(grant(), {mailbox("alice")}, actor);
    const auto present = deleted("alice");
    database.execute(
        "UPDATE deleted_mailbox SET deleted_at = UNIX_TIMESTAMP(), created_at = IF(storage_id = ?, 2, 1) WHERE domain = ?",
        {former, domain.name()});
    BOOST_TEST(life::Changes{connection}.restore(alice(), kGrace).storage_id == present);
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_restored, Restoring)
{
    check_refused({.address = address("carol")}, {"nothing is kept", "audit"});
    check_refused(alice(), {"is there already", "meanwhile"});
    deleted("alice", kGraceSeconds);
    check_refused(alice(), {"7 days", "deleted_for"});
    database.run("UPDATE deleted_mailbox SET purged_at = 1");
    check_refused(alice(), {"being removed", "backup"});
}

BOOST_FIXTURE_TEST_CASE(to_the_last_second_of_the_grace, Restoring)
{
    deleted("alice", kGraceSeconds - 60);
    life::Changes{connection}.restore(alice(), kGrace);
    BOOST_TEST(of_alice() == "active 2 -");
}

BOOST_DATA_TEST_CASE_F(Restoring, an_allowance_is_kept, data::make({"domain", "account"}), whose)
{
    deleted("alice");
    allow(whose, 1);
    check_refused(alice(), {std::string{whose} + "'s allowance is used up: max_mailboxes is 1."});
    allow(whose, 2);
    life::Changes{connection}.restore(alice(), kGrace);
    check_counters();
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_was_removed, Restoring)
{
    const auto id = storage_id("alice");
    remove_domain();
    check_refused(alice(), {domain.name(), "domain add"});
    const auto stranger = support::unique("account-");
    admin::Admin{connection}.add_account(stranger);
    add_domain(stranger);
    check_refused(alice(), {stranger, "--of-removed-domain"});
    auto wanted = alice();
    wanted.is_of_removed_domain = true;
    life::Changes{connection}.restore(wanted, kGrace);
    BOOST_TEST(storage_id("alice") == id);
    check_counters();
    // From here on it belongs to the new domain.
    deleted("alice");
    life::Changes{connection}.restore(alice(), kGrace);
    BOOST_TEST(storage_id("alice") == id);
}

// The janitor's statement and the restoration exclude each other, whichever comes first.
BOOST_FIXTURE_TEST_CASE(while_the_janitor_begins_to_remove_it, Restoring)
{
    const auto id = deleted("alice");
    auto janitor = database.connect();
    {
        db::Transaction transaction{janitor};
        janitor.execute("UPDATE deleted_mailbox SET purged_at = 1 WHERE storage_id = ?", {id});
        support::Process restoring{[&] {
            auto its_own = database.connect();
            try {
                life::Changes{its_own}.restore(alice(), kGrace);
            } catch (const admin::Refused& refused) {
                return std::string_view{refused.what()}.find("just now") != std::string_view::npos
                           ? 1
                           : 2;
            }
            return 0;
        }};
        // The server renews the table ten times a second.
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        while (
            janitor
                .query("SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
                .count()
            == 0) {
            BOOST_TEST_REQUIRE((std::chrono::steady_clock::now() < end));
            std::this_thread::sleep_for(std::chrono::milliseconds{150});
        }
        transaction.commit();
        BOOST_TEST(restoring.wait() == 1);
    }
    BOOST_TEST(database.number("SELECT COUNT(*) FROM mailbox WHERE storage_id = ?", {id}) == 0);
    check_counters();
}

BOOST_AUTO_TEST_SUITE_END()
