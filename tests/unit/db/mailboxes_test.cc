// mailboxes_test.cc - every operation on the real tables: what it returns and what it leaves, alone
// and beside others. (For connections that end in the middle, see lost_commit_test.cc.)

#include "db/mailboxes.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <thread>

#include "db/accounts.h"
#include "db/grants.h"
#include "db/session.h"
#include "db/transaction.h"
#include "mail/api_key.h"
#include "support/database.h"
#include "support/support.h"

namespace store {

std::ostream& operator<<(std::ostream& out, Created::Outcome outcome)
{
    constexpr std::array kNames{"yes", "already exists", "domain is full", "no such domain"};
    return out << kNames.at(static_cast<std::size_t>(outcome));
}
std::ostream& operator<<(std::ostream& out, Changed changed)
{
    return out << (changed == Changed::yes ? "yes" : "no such mailbox");
}

}  // namespace store

namespace data = boost::unit_test::data;
using namespace std::chrono_literals;
using boost::test_tools::per_element;
using store::Changed;
using store::Created;
using Outcome = store::Created::Outcome;
using Strings = std::vector<std::string>;

namespace {

constexpr auto kGreatest = std::numeric_limits<std::int64_t>::max();

struct Tenant : database::Tenant {
    using database::Tenant::Tenant;

    Created create(const Strings& local_parts, std::string_view hash = "{PLAIN}first")
    {
        std::vector<store::NewMailbox> mailboxes;
        for (const auto& local_part : local_parts) mailboxes.push_back(mailbox(local_part, hash));
        return store.create(grant(), mailboxes, actor);
    }
    Changed remove(std::string_view local_part)
    {
        return store.remove(grant(), address(local_part), actor);
    }
    Changed change(std::string_view local_part, std::string_view hash)
    {
        return store.change_password(grant(), address(local_part), hash, actor);
    }
    grants::Grant grant_of(db::Session& another) const
    {
        return store::Store{another}.grant(key, domain.name()).value();
    }
    void allow(std::int64_t mailboxes)
    {
        database.execute("UPDATE domain SET max_mailboxes = ? WHERE id = ?",
                         {mailboxes, domain_id});
    }
    void update_duplicates()
    {
        database.execute("UPDATE domain SET on_duplicate = 'update' WHERE id = ?", {domain_id});
    }
    std::int64_t all_session_ends()
    {
        return database.number(
            "SELECT COUNT(*) FROM session_end s WHERE s.storage_id IN (SELECT storage_id FROM mailbox WHERE domain_id = ?"
            " UNION SELECT storage_id FROM deleted_mailbox WHERE domain_id = ?)",
            {domain_id, domain_id});
    }
    std::int64_t deleted()
    {
        return database.number("SELECT COUNT(*) FROM deleted_mailbox WHERE domain_id = ?",
                               {domain_id});
    }

    void check_nothing_was_changed(const Strings& expected_names, std::size_t audit_rows)
    {
        BOOST_TEST(names() == expected_names, per_element());
        BOOST_TEST(counter() == static_cast<std::int64_t>(expected_names.size()));
        BOOST_TEST(audit().size() == audit_rows);
        BOOST_TEST(all_session_ends() == 0);
        BOOST_TEST(deleted() == 0);
    }
};

Strings names_of(const std::vector<mailbox::Mailbox>& items)
{
    Strings names;
    for (const auto& item : items) names.push_back(item.local_part);
    return names;
}

Strings numbered(const std::string& prefix, int count)
{
    Strings names;
    for (int i = 0; i < count; ++i) names.push_back(prefix + std::to_string(i));
    return names;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(store)

// --- what a key and a domain's name give ----------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_grant_tells_what_the_tables_have, Tenant)
{
    const auto found = store.grant(key, domain.name());
    BOOST_TEST_REQUIRE(found.has_value());
    BOOST_TEST(found->key_addresses == "");
    BOOST_TEST(found->now > 1'700'000'000);
    BOOST_TEST(found->key_expires_at == 0);
    BOOST_TEST(!found->key_is_revoked);
    BOOST_TEST(!found->key_is_read_only);
    BOOST_TEST(found->account_is_active);
    BOOST_TEST(found->domain_id == domain_id);
    BOOST_TEST(found->domain_is_active);
    BOOST_TEST(!found->domain_updates_duplicates);
}

BOOST_FIXTURE_TEST_CASE(a_grant_tells_every_flag, Tenant)
{
    database.execute(
        "UPDATE api_key SET addresses = '192.0.2.0/24', expires_at = 12345, revoked_at = 1, read_only = 1 WHERE id = ?",
        {key.id()});
    update_duplicates();
    const auto found = grant();
    BOOST_TEST(found.key_addresses == "192.0.2.0/24");
    BOOST_TEST(found.key_expires_at == 12'345);
    BOOST_TEST(found.key_is_revoked);
    BOOST_TEST(found.key_is_read_only);
    BOOST_TEST(found.domain_updates_duplicates);
}

BOOST_DATA_TEST_CASE_F(Tenant, only_active_is_active, data::make({"no_login", "disabled"}), state)
{
    database.execute("UPDATE account SET state = ? WHERE name = ?", {state, account});
    BOOST_TEST(!grant().account_is_active);
    BOOST_TEST(grant().domain_is_active);
    database.execute("UPDATE account SET state = 'active' WHERE name = ?", {account});
    database.execute("UPDATE domain SET state = ? WHERE id = ?", {state, domain_id});
    BOOST_TEST(grant().account_is_active);
    BOOST_TEST(!grant().domain_is_active);
    BOOST_TEST(grant().domain_id == domain_id);
}

BOOST_FIXTURE_TEST_CASE(no_key_no_grant, Tenant)
{
    BOOST_TEST(!store.grant(api_key::Key::generate(), domain.name()).has_value());
}

BOOST_FIXTURE_TEST_CASE(no_domain_is_in_the_grant, Tenant)
{
    for (const std::string& name :
         {std::string{"absent.example"}, std::string{}, "x" + domain.name(), std::string{"%"}}) {
        const auto found = store.grant(key, name);
        BOOST_TEST_REQUIRE(found.has_value());
        BOOST_TEST(found->domain_id == 0, name);
    }
}

BOOST_FIXTURE_TEST_CASE(another_accounts_domain_is_not_found, Tenant)
{
    Tenant other;
    other.create({"alice"});
    const auto found = store.grant(key, other.domain.name());
    BOOST_TEST_REQUIRE(found.has_value());
    BOOST_TEST(found->domain_id == 0);
    BOOST_TEST(!store.list(key, other.domain, {}).has_value());
    BOOST_TEST(store.has_domain(other.domain.name()));
    BOOST_TEST(!store.has_domain("absent.example"));
}

BOOST_FIXTURE_TEST_CASE(a_narrowed_key_sees_its_domain_only, Tenant)
{
    auto connection = database.connect();
    admin::Admin admin{connection};
    const auto second = mailbox::Domain::parse(support::unique("d") + ".example").value();
    admin.add_domain(second, account);
    admin::NewKey wanted;
    wanted.account_id = admin::Admin{connection}.account_id(account);
    wanted.domain = domain;
    const auto narrow = admin.add_key(wanted);
    create({"alice"});
    BOOST_TEST(store.grant(narrow, domain.name())->domain_id == domain_id);
    BOOST_TEST(store.grant(narrow, second.name())->domain_id == 0);
    BOOST_TEST(store.grant(key, second.name())->domain_id != 0);
    BOOST_TEST(store.list(narrow, domain, {}).has_value());
    // It has a mailbox, because the list of an empty domain would be empty for every key.
    auto wide = store.grant(key, second.name()).value();
    store.create(wide, {{mailbox::Address::parse("bob", second), "{PLAIN}x"}}, actor);
    BOOST_TEST(store.list(key, second, {}).has_value());
    BOOST_TEST(!store.list(narrow, second, {}).has_value());
}

// --- the list -------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(every_page_by_both_ways, Tenant)
{
    const Strings all{"mallory", "alice", "zoe", "bob", "eve"};
    create(all);
    for (std::int64_t limit = 0; limit <= 6; ++limit) {
        for (std::int64_t skip = 0; skip <= 6; ++skip) {
            const auto from = std::min<std::ptrdiff_t>(skip, std::ssize(all));
            const auto to = std::min<std::ptrdiff_t>(skip + limit, std::ssize(all));
            const Strings expected(all.begin() + from, all.begin() + to);
            const auto page = store.page(domain_id, domain, {limit, skip});
            BOOST_TEST_CONTEXT("limit " << limit << ", skip " << skip)
            {
                BOOST_TEST(page.total == 5);
                BOOST_TEST(names_of(page.items) == expected, per_element());
                const auto list = store.list(key, domain, {limit, skip});
                BOOST_TEST_REQUIRE(list.has_value() == !expected.empty());
                if (!list) continue;
                BOOST_TEST(list->listing.total == 5);
                BOOST_TEST(names_of(list->listing.items) == expected, per_element());
            }
        }
    }
}

BOOST_FIXTURE_TEST_CASE(as_far_behind_the_end_as_can_be, Tenant)
{
    create({"alice"});
    for (const auto skip : {std::int64_t{1}, std::int64_t{1} << 32, kGreatest - 1000, kGreatest}) {
        for (const std::int64_t limit : {0, 1, 1000}) {
            const auto page = store.page(domain_id, domain, {limit, skip});
            BOOST_TEST(page.total == 1);
            BOOST_TEST(page.items.empty());
            BOOST_TEST(!store.list(key, domain, {limit, skip}).has_value());
        }
    }
}

BOOST_FIXTURE_TEST_CASE(another_secret_is_no_key, Tenant)
{
    create({"alice"});
    const auto version = store.list(key, domain, {}).value().version;
    BOOST_TEST(store.confirm(key, version));
    database.execute("UPDATE api_key SET hash = REVERSE(hash) WHERE id = ?", {key.id()});
    BOOST_TEST(!store.list(key, domain, {}).has_value());
    BOOST_TEST(!store.confirm(key, version));
    BOOST_TEST(!store.grant(key, domain.name()).has_value());
}

BOOST_FIXTURE_TEST_CASE(an_empty_domain_has_an_empty_page, Tenant)
{
    const auto page = store.page(domain_id, domain, {});
    BOOST_TEST(page.total == 0);
    BOOST_TEST(page.items.empty());
    BOOST_TEST(!store.list(key, domain, {}).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_row_of_the_list, Tenant)
{
    create({"alice"});
    database.execute(
        "UPDATE mailbox SET created_at = 1317155062, size_bytes = 9007199254740993 WHERE domain_id = ?",
        {domain_id});
    const auto by_list = store.list(key, domain, {}).value().listing.items.at(0);
    const auto by_page = store.page(domain_id, domain, {}).items.at(0);
    for (const auto& item : {by_list, by_page}) {
        BOOST_TEST(item.local_part == "alice");
        BOOST_TEST(item.created_at == 1'317'155'062);
        BOOST_TEST(item.size_bytes == 9'007'199'254'740'993);
    }
}

struct Hindrance : support::Row {
    db::Statement statement;
};

// For these the list's one statement returns nothing, and the grant says why.
const Hindrance kHindrances[] = {
    {"revoked", "UPDATE api_key SET revoked_at = 1 WHERE id = ?"},
    {"expired", "UPDATE api_key SET expires_at = UNIX_TIMESTAMP() WHERE id = ?"},
    {"only from some addresses", "UPDATE api_key SET addresses = '192.0.2.0/24' WHERE id = ?"},
    {"account suspended",
     "UPDATE account a JOIN api_key k ON k.account_id = a.id SET a.state = 'no_login' WHERE k.id = ?"},
    {"account disabled",
     "UPDATE account a JOIN api_key k ON k.account_id = a.id SET a.state = 'disabled' WHERE k.id = ?"},
    {"no such key", "DELETE FROM api_key WHERE id = ?"},
};

BOOST_DATA_TEST_CASE_F(Tenant, a_hindered_key_lists_nothing, data::make(kHindrances), row)
{
    create({"alice"});
    BOOST_TEST(store.list(key, domain, {}).has_value());
    database.execute(row.statement, {key.id()});
    BOOST_TEST(!store.list(key, domain, {}).has_value());
}

const Hindrance kNoHindrances[] = {
    {"not yet expired", "UPDATE api_key SET expires_at = UNIX_TIMESTAMP() + 60 WHERE id = ?"},
    {"read-only", "UPDATE api_key SET read_only = 1 WHERE id = ?"},
    {"domain suspended",
     "UPDATE domain d JOIN api_key k USING (account_id) SET d.state = 'disabled' WHERE k.id = ?"},
};

BOOST_DATA_TEST_CASE_F(Tenant, a_key_still_lists, data::make(kNoHindrances), row)
{
    create({"alice"});
    database.execute(row.statement, {key.id()});
    BOOST_TEST(store.list(key, domain, {}).has_value());
}

// --- create ---------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(one_is_created, Tenant)
{
    const auto before = database.number("SELECT UNIX_TIMESTAMP()");
    const auto done = create({"alice"}, "{PLAIN}secret");
    BOOST_TEST(done.outcome == Outcome::yes);
    BOOST_TEST(done.created == 1U);
    BOOST_TEST(done.updated == 0U);
    BOOST_TEST(names() == Strings{"alice"}, per_element());
    BOOST_TEST(counter() == 1);
    BOOST_TEST(password("alice") == "{PLAIN}secret");
    BOOST_TEST(storage_id("alice").size() == 32U);
    BOOST_TEST(storage_id("alice").find_first_not_of("0123456789abcdef") == std::string::npos);
    BOOST_TEST(audit() == Strings{"create alice"}, per_element());
    BOOST_TEST(session_ends("alice") == 0);
    const auto rest = database.text(
        "SELECT CONCAT_WS(' ', id, state, size_bytes, COALESCE(quota_bytes, '-')) FROM mailbox WHERE domain_id = ?",
        {domain_id});
    BOOST_TEST(rest == "1 active 0 -");
    const auto created_at =
        database.number("SELECT created_at FROM mailbox WHERE domain_id = ?", {domain_id});
    BOOST_TEST(created_at >= before);
    BOOST_TEST(created_at <= database.number("SELECT UNIX_TIMESTAMP()"));
}

BOOST_FIXTURE_TEST_CASE(many_are_created_in_their_order, Tenant)
{
    const auto wanted = numbered("m", 100);
    const auto done = create(wanted);
    BOOST_TEST(done.outcome == Outcome::yes);
    BOOST_TEST(done.created == 100U);
    BOOST_TEST(names() == wanted, per_element());
    BOOST_TEST(counter() == 100);
    BOOST_TEST(audit().size() == 100U);
    BOOST_TEST(database.number("SELECT COUNT(DISTINCT storage_id) FROM mailbox WHERE domain_id = ?",
                               {domain_id})
               == 100);
    BOOST_TEST(create({"a-later-one"}).outcome == Outcome::yes);
    BOOST_TEST(names().back() == "a-later-one");
}

BOOST_DATA_TEST_CASE_F(Tenant, all_are_created_or_none, data::make({0, 1, 2}), place)
{
    create({"taken"});
    Strings wanted{"x", "y"};
    wanted.insert(wanted.begin() + place, "taken");
    const auto done = create(wanted);
    BOOST_TEST(done.outcome == Outcome::already_exists);
    BOOST_TEST_REQUIRE(done.address.has_value());
    BOOST_TEST(done.address->text() == address("taken").text());
    check_nothing_was_changed({"taken"}, 1);
    BOOST_TEST(password("taken") == "{PLAIN}first");
}

BOOST_FIXTURE_TEST_CASE(an_existing_one_keeps_its_password, Tenant)
{
    create({"alice"}, "{PLAIN}first");
    BOOST_TEST(create({"alice"}, "{PLAIN}second").outcome == Outcome::already_exists);
    BOOST_TEST(password("alice") == "{PLAIN}first");
    check_nothing_was_changed({"alice"}, 1);
}

BOOST_FIXTURE_TEST_CASE(the_same_name_in_another_domain_is_another_mailbox, Tenant)
{
    Tenant other;
    BOOST_TEST(create({"alice"}).outcome == Outcome::yes);
    BOOST_TEST(other.create({"alice"}).outcome == Outcome::yes);
    BOOST_TEST(storage_id("alice") != other.storage_id("alice"));
    BOOST_TEST(remove("alice") == Changed::yes);
    BOOST_TEST(other.rows() == 1);
    BOOST_TEST(other.counter() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_updates, Tenant)
{
    create({"alice", "bob"}, "{PLAIN}first");
    const auto storage = storage_id("alice");
    database.execute(
        "UPDATE mailbox SET created_at = 5, state = 'no_login' WHERE domain_id = ? AND local_part = 'alice'",
        {domain_id});
    update_duplicates();
    const auto done = create({"carol", "alice", "dave"}, "{PLAIN}second");
    BOOST_TEST(done.outcome == Outcome::yes);
    BOOST_TEST(done.created == 2U);
    BOOST_TEST(done.updated == 1U);
    BOOST_TEST(names() == (Strings{"alice", "bob", "carol", "dave"}), per_element());
    BOOST_TEST(counter() == 4);
    BOOST_TEST(password("alice") == "{PLAIN}second");
    BOOST_TEST(password("bob") == "{PLAIN}first");
    BOOST_TEST(storage_id("alice") == storage);
    BOOST_TEST(
        database.text(
            "SELECT CONCAT(created_at, ' ', state) FROM mailbox WHERE domain_id = ? AND local_part = 'alice'",
            {domain_id})
        == "5 no_login");
    BOOST_TEST(session_ends("alice") == 1);
    BOOST_TEST(generation("alice") == 2);
    BOOST_TEST(all_session_ends() == 1);
    BOOST_TEST(audit()
                   == (Strings{"create alice", "create bob", "create carol", "password alice",
                               "create dave"}),
               per_element());
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_updates_updates_all, Tenant)
{
    create({"alice", "bob"}, "{PLAIN}first");
    update_duplicates();
    const auto done = create({"bob", "alice"}, "{PLAIN}second");
    BOOST_TEST(done.created == 0U);
    BOOST_TEST(done.updated == 2U);
    BOOST_TEST(counter() == 2);
    BOOST_TEST(names() == (Strings{"alice", "bob"}), per_element());
}

BOOST_FIXTURE_TEST_CASE(the_allowance_is_exact, Tenant)
{
    allow(3);
    BOOST_TEST(create({"a", "b"}).outcome == Outcome::yes);
    const auto done = create({"c", "d"});
    BOOST_TEST(done.outcome == Outcome::domain_is_full);
    BOOST_TEST(done.allowance == 3);
    check_nothing_was_changed({"a", "b"}, 2);
    BOOST_TEST(create({"c"}).outcome == Outcome::yes);
    BOOST_TEST(create({"d"}).outcome == Outcome::domain_is_full);
    BOOST_TEST(remove("a") == Changed::yes);
    BOOST_TEST(create({"d"}).outcome == Outcome::yes);
    BOOST_TEST(create({"e"}).outcome == Outcome::domain_is_full);
    BOOST_TEST(counter() == 3);
    BOOST_TEST(rows() == 3);
}

// The limit is for all domains of the account together.
BOOST_FIXTURE_TEST_CASE(the_allowance_of_an_account_is_exact, Tenant)
{
    Tenant other;
    database.execute(
        "UPDATE domain SET account_id = (SELECT id FROM account WHERE name = ?) WHERE id = ?",
        {account, other.domain_id});
    database.execute("UPDATE account SET max_mailboxes = 3 WHERE name = ?", {account});
    grants::Grant in_other;
    in_other.domain_id = other.domain_id;
    BOOST_TEST(create({"a", "b"}).outcome == Outcome::yes);
    const auto done = other.store.create(in_other, {other.mailbox("c"), other.mailbox("d")}, actor);
    BOOST_TEST(done.outcome == Outcome::account_is_full);
    BOOST_TEST(done.allowance == 3);
    BOOST_TEST(other.counter() == 0);
    BOOST_TEST(other.store.create(in_other, {other.mailbox("c")}, actor).outcome == Outcome::yes);
    BOOST_TEST(create({"d"}).outcome == Outcome::account_is_full);
    check_nothing_was_changed({"a", "b"}, 2);
    BOOST_TEST(remove("a") == Changed::yes);
    BOOST_TEST(create({"d"}).outcome == Outcome::yes);
}

BOOST_FIXTURE_TEST_CASE(a_full_account_still_updates, Tenant)
{
    create({"a"}, "{PLAIN}first");
    database.execute("UPDATE account SET max_mailboxes = 0 WHERE name = ?", {account});
    update_duplicates();
    BOOST_TEST(create({"a"}, "{PLAIN}second").outcome == Outcome::yes);
    BOOST_TEST(create({"a", "b"}).outcome == Outcome::account_is_full);
    BOOST_TEST(password("a") == "{PLAIN}second");
    BOOST_TEST(counter() == 1);
}

// Eight processes create mailboxes in two domains of one account at once.
BOOST_FIXTURE_TEST_CASE(the_allowance_of_an_account_is_exact_for_a_crowd, Tenant)
{
    Tenant other;
    database.execute(
        "UPDATE domain SET account_id = (SELECT id FROM account WHERE name = ?) WHERE id = ?",
        {account, other.domain_id});
    database.execute("UPDATE account SET max_mailboxes = 25 WHERE name = ?", {account});
    const auto created = support::in_processes(8, [&](int number) {
        const auto& mine = number % 2 == 0 ? static_cast<const Tenant&>(*this) : other;
        db::Session own{database.config().db, "", database.config()};
        store::Store creating{own};
        grants::Grant its_domain;
        its_domain.domain_id = mine.domain_id;
        int count = 0;
        for (int i = 0; i < 10; ++i) {
            const auto name = "m" + std::to_string(number) + "-" + std::to_string(i);
            count += creating.create(its_domain, {mine.mailbox(name)}, {"tester", ""}).outcome
                             == Outcome::yes
                         ? 1
                         : 0;
        }
        return count;
    });
    BOOST_TEST(std::accumulate(created.begin(), created.end(), 0) == 25);
    BOOST_TEST(counter() + other.counter() == 25);
    BOOST_TEST(rows() + other.rows() == 25);
}

// Without an allowance, no creation waits for one in another domain.
BOOST_FIXTURE_TEST_CASE(an_account_without_an_allowance_is_not_locked, Tenant)
{
    auto holder = database.connect();
    const db::Transaction transaction{holder};
    holder.execute("UPDATE account SET creations = creations + 1 WHERE name = ?", {account});
    BOOST_TEST(create({"a"}).outcome == Outcome::yes);
    BOOST_TEST(database.number("SELECT creations FROM account WHERE name = ?", {account}) == 0);
}

BOOST_FIXTURE_TEST_CASE(an_allowance_of_none, Tenant)
{
    allow(0);
    BOOST_TEST(create({"a"}).outcome == Outcome::domain_is_full);
    check_nothing_was_changed({}, 0);
}

BOOST_FIXTURE_TEST_CASE(a_full_domain_still_updates, Tenant)
{
    create({"a", "b"}, "{PLAIN}first");
    allow(1);  // lowered below what is there
    update_duplicates();
    BOOST_TEST(create({"a"}, "{PLAIN}second").outcome == Outcome::yes);
    BOOST_TEST(password("a") == "{PLAIN}second");
    BOOST_TEST(create({"a", "c"}, "{PLAIN}third").outcome == Outcome::domain_is_full);
    BOOST_TEST(password("a") == "{PLAIN}second");
    BOOST_TEST(counter() == 2);
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_went_away_meanwhile, Tenant)
{
    const auto old_grant = grant();
    auto connection = database.connect();
    admin::Admin{connection}.remove_domain(domain);
    BOOST_TEST(store.create(old_grant, {mailbox("alice")}, actor).outcome
               == Outcome::no_such_domain);
    BOOST_TEST(store.change_password(old_grant, address("alice"), "x", actor)
               == Changed::no_such_mailbox);
    BOOST_TEST(store.remove(old_grant, address("alice"), actor) == Changed::no_such_mailbox);
    BOOST_TEST(rows() == 0);
}

// --- change and remove ----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_password_is_changed, Tenant)
{
    create({"alice", "bob"});
    const auto storage = storage_id("alice");
    BOOST_TEST(change("alice", "{PLAIN}second") == Changed::yes);
    BOOST_TEST(password("alice") == "{PLAIN}second");
    BOOST_TEST(password("bob") == "{PLAIN}first");
    BOOST_TEST(storage_id("alice") == storage);
    BOOST_TEST(session_ends("alice") == 1);
    BOOST_TEST(session_ends("bob") == 0);
    BOOST_TEST(generation("alice") == 2);
    BOOST_TEST(generation("bob") == 1);
    BOOST_TEST(audit().back() == "password alice");
    BOOST_TEST(counter() == 2);
}

// PUT can be repeated.
BOOST_FIXTURE_TEST_CASE(a_password_is_changed_to_what_it_is, Tenant)
{
    create({"alice"});
    BOOST_TEST(change("alice", "{PLAIN}second") == Changed::yes);
    BOOST_TEST(change("alice", "{PLAIN}second") == Changed::yes);
    BOOST_TEST(session_ends("alice") == 2);
    BOOST_TEST(generation("alice") == 3);
}

BOOST_DATA_TEST_CASE_F(Tenant, a_mailbox_of_any_state_can_be_changed_and_deleted,
                       data::make({"no_login", "disabled"}), state)
{
    create({"alice"});
    database.execute("UPDATE mailbox SET state = ? WHERE domain_id = ?", {state, domain_id});
    BOOST_TEST(change("alice", "{PLAIN}second") == Changed::yes);
    BOOST_TEST(database.text("SELECT state FROM mailbox WHERE domain_id = ?", {domain_id})
               == state);
    BOOST_TEST(remove("alice") == Changed::yes);
    BOOST_TEST(database.text("SELECT state FROM deleted_mailbox WHERE domain_id = ?", {domain_id})
               == state);
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_is_not_there, Tenant)
{
    create({"alice"});
    Tenant other;
    other.create({"bob"});
    BOOST_TEST(change("bob", "x") == Changed::no_such_mailbox);
    BOOST_TEST(remove("bob") == Changed::no_such_mailbox);
    check_nothing_was_changed({"alice"}, 1);
    BOOST_TEST(other.rows() == 1);
    BOOST_TEST(other.password("bob") == "{PLAIN}first");
}

BOOST_FIXTURE_TEST_CASE(nothing_to_delete_in_an_empty_domain, Tenant)
{
    BOOST_TEST(remove("alice") == Changed::no_such_mailbox);
    check_nothing_was_changed({}, 0);
}

BOOST_FIXTURE_TEST_CASE(what_is_deleted_is_kept_with_every_column, Tenant)
{
    create({"alice", "bob"});
    database.execute(
        "UPDATE mailbox SET created_at = 1317155062, size_bytes = 9007199254740993, state = 'no_login', quota_bytes = 5000000000,"
        " generation = 9, password = '{PLAIN}kept' WHERE domain_id = ? AND local_part = 'alice'",
        {domain_id});
    const auto storage = storage_id("alice");
    const auto before = database.number("SELECT UNIX_TIMESTAMP()");
    BOOST_TEST(remove("alice") == Changed::yes);
    const auto row = database.text(
        "SELECT CONCAT_WS(' ', storage_id, domain_id, domain, local_part, created_at, size_bytes, state, password,"
        " generation, quota_bytes, COALESCE(purged_at, '-'), deleted_by) FROM deleted_mailbox WHERE domain_id = ?",
        {domain_id});
    BOOST_TEST(row
               == storage + " " + std::to_string(domain_id) + " " + domain.name()
                      + " alice 1317155062 9007199254740993 no_login {PLAIN}kept 9 5000000000 - "
                      + key.id());
    BOOST_TEST(
        database.number("SELECT deleted_at FROM deleted_mailbox WHERE domain_id = ?", {domain_id})
        >= before);
    BOOST_TEST(names() == Strings{"bob"}, per_element());
    BOOST_TEST(counter() == 1);
    BOOST_TEST(audit().back() == "delete alice");
    BOOST_TEST(database.number("SELECT COUNT(*) FROM session_end WHERE storage_id = ?", {storage})
               == 1);
    BOOST_TEST(remove("alice") == Changed::no_such_mailbox);
}

// remove_all() leaves of each mailbox what remove() leaves of one.
BOOST_FIXTURE_TEST_CASE(all_are_removed_as_each_is, Tenant)
{
    Tenant neighbour;
    neighbour.create({"alice"});
    create(numbered("m", 1'100));  // in three transactions
    database.execute(
        "UPDATE mailbox SET size_bytes = id, state = 'no_login', quota_bytes = 5, generation = 7 WHERE domain_id = ?",
        {domain_id});
    const auto before = database.column(
        "SELECT CONCAT_WS(' ', storage_id, domain_id, local_part, created_at, size_bytes, state, password, generation, quota_bytes)"
        " FROM mailbox WHERE domain_id = ? ORDER BY storage_id",
        {domain_id});
    database.execute("DELETE FROM session_end WHERE storage_id = ''");
    const auto done =
        store.remove_all(grant(), domain, actor, std::chrono::steady_clock::now() + 10min);
    BOOST_TEST(done.removed == 1'100);
    BOOST_TEST(done.is_all);
    BOOST_TEST(rows() == 0);
    BOOST_TEST(counter() == 0);
    BOOST_TEST(
        database.column(
            "SELECT CONCAT_WS(' ', storage_id, domain_id, local_part, created_at, size_bytes, state, password, generation, quota_bytes)"
            " FROM deleted_mailbox WHERE domain_id = ? AND domain = ? AND deleted_by = ? AND deleted_at > 0 AND purged_at IS NULL"
            " ORDER BY storage_id",
            {domain_id, domain.name(), key.id()})
            == before,
        per_element());
    BOOST_TEST(
        database.number(
            "SELECT COUNT(DISTINCT local_part) FROM audit_log WHERE domain = ? AND action = 'delete' AND actor = ? AND client = '192.0.2.1'",
            {domain.name(), key.id()})
        == 1'100);
    BOOST_TEST(database.number("SELECT COUNT(*) FROM session_end WHERE storage_id = ''") >= 1);
    neighbour.check_nothing_was_changed({"alice"}, 1);
    BOOST_TEST(
        store.remove_all(grant(), domain, actor, std::chrono::steady_clock::now() + 10min).removed
        == 0);
}

// A creation meanwhile waits for one part of it at most, and what it created stays.
BOOST_FIXTURE_TEST_CASE(what_is_created_while_all_are_removed_stays, Tenant)
{
    create(numbered("m", 3'000));
    std::jthread remover{[&] {
        auto its_session = database::session(database.config());
        store::Store{its_session}.remove_all(grant_of(its_session), domain, actor,
                                             std::chrono::steady_clock::now() + 10min);
    }};
    while (rows() == 3'000) std::this_thread::yield();
    create({"new"});
    BOOST_TEST(rows() > 1);
    remover.join();
    BOOST_TEST(names() == Strings{"new"}, per_element());
    BOOST_TEST(counter() == 1);
}

BOOST_FIXTURE_TEST_CASE(no_column_of_a_mailbox_is_forgotten_when_it_is_deleted, Tenant)
{
    const auto missing = database.column(
        "SELECT m.column_name FROM information_schema.columns m WHERE m.table_schema = DATABASE()"
        " AND m.table_name = 'mailbox' AND m.column_name <> 'id' AND NOT EXISTS (SELECT 1 FROM"
        " information_schema.columns d WHERE d.table_schema = DATABASE() AND d.table_name = 'deleted_mailbox'"
        " AND d.column_name = m.column_name)");
    BOOST_TEST(missing == Strings{}, per_element());
}

BOOST_FIXTURE_TEST_CASE(an_address_that_is_created_again_is_another_mailbox, Tenant)
{
    create({"alice", "bob"});
    const auto storage = storage_id("alice");
    remove("alice");
    create({"alice"});
    BOOST_TEST(storage_id("alice") != storage);
    BOOST_TEST(names() == (Strings{"bob", "alice"}), per_element());
    remove("alice");
    BOOST_TEST(deleted() == 2);
}

// The ids of deleted mailboxes are not given out again, because a page would shift under a client.
BOOST_FIXTURE_TEST_CASE(an_id_is_given_once, Tenant)
{
    create({"alice", "bob"});
    remove("bob");
    create({"carol"});
    BOOST_TEST(
        database.number("SELECT id FROM mailbox WHERE domain_id = ? AND local_part = 'carol'",
                        {domain_id})
        == 3);
}

BOOST_FIXTURE_TEST_CASE(the_audit_log_says_who_and_from_where, Tenant)
{
    actor.client = "2001:db8:1111:2222:3333:4444:5555:6666";
    create({"alice"});
    BOOST_TEST(
        database.text(
            "SELECT CONCAT_WS(' ', actor, client, action, domain, local_part) FROM audit_log WHERE domain = ? AND action = 'create'",
            {domain.name()})
        == key.id() + " 2001:db8:1111:2222:3333:4444:5555:6666 create " + domain.name() + " alice");
    const auto age = database.number(
        "SELECT UNIX_TIMESTAMP() - at DIV 1000000 FROM audit_log WHERE domain = ? AND action = 'create'",
        {domain.name()});
    BOOST_TEST(age >= -1);
    BOOST_TEST(age < 60);
}

// --- one transaction ------------------------------------------------------------------

struct OwnDatabase {
    database::Database database;
    Tenant tenant{database};
};

BOOST_DATA_TEST_CASE_F(OwnDatabase, what_cannot_be_told_is_not_done,
                       data::make({"audit_log", "session_end", "deleted_mailbox"}), table)
{
    tenant.create({"alice", "bob"});
    const auto audit_rows = tenant.audit().size();
    database.run(std::string{"RENAME TABLE "} + table + " TO away");
    const auto fails = [](auto call) {
        try {
            call();
            return false;
        } catch (const db::Error& error) {
            return error.remedy == db::Remedy::give_up;
        }
    };
    const std::string_view name{table};
    BOOST_TEST(fails([&] { tenant.create({"carol"}); }) == (name == "audit_log"));
    BOOST_TEST(fails([&] { tenant.change("alice", "{PLAIN}second"); })
               == (name != "deleted_mailbox"));
    BOOST_TEST(fails([&] { tenant.remove("bob"); }));
    database.run(std::string{"RENAME TABLE away TO "} + table);
    const bool created = name != "audit_log";
    const bool changed = name == "deleted_mailbox";
    BOOST_TEST(tenant.rows() == (created ? 3 : 2));
    BOOST_TEST(tenant.counter() == tenant.rows());
    BOOST_TEST(tenant.password("alice") == (changed ? "{PLAIN}second" : "{PLAIN}first"));
    BOOST_TEST(tenant.audit().size() == audit_rows + (created ? 1 : 0) + (changed ? 1 : 0));
    BOOST_TEST(tenant.all_session_ends() == (changed ? 1 : 0));
    BOOST_TEST(tenant.deleted() == 0);
    // The connection is still good for the next request.
    BOOST_TEST(tenant.remove("bob") == Changed::yes);
}

BOOST_FIXTURE_TEST_CASE(the_schema_has_a_version, OwnDatabase)
{
    BOOST_TEST(tenant.store.schema_version()
               == database.number("SELECT MAX(version) FROM schema_version"));
    database.run("DELETE FROM schema_version");
    BOOST_TEST(tenant.store.schema_version() == 0);
}

// --- at the same time -----------------------------------------------------------------

// Each process has its own session, as a worker has.
template <typename Work>
std::vector<int> workers(Tenant& tenant, int count, Work work)
{
    return support::in_processes(count, [&](int number) {
        auto session = database::session(tenant.database.config());
        Store store{session};
        return work(store, number);
    });
}

BOOST_FIXTURE_TEST_CASE(many_at_once_do_not_overstep_the_allowance, Tenant)
{
    allow(25);
    const auto may = grant();
    const auto created = workers(*this, 4, [&](Store& own, int number) {
        int count = 0;
        for (int i = 0; i < 10; ++i) {
            const auto name = "m" + std::to_string(number) + "-" + std::to_string(i);
            const auto outcome = own.create(may, {mailbox(name)}, actor).outcome;
            if (outcome == Outcome::yes) ++count;
            else if (outcome != Outcome::domain_is_full) return 99;
        }
        return count;
    });
    BOOST_TEST(created[0] + created[1] + created[2] + created[3] == 25);
    BOOST_TEST(rows() == 25);
    BOOST_TEST(counter() == 25);
}

BOOST_FIXTURE_TEST_CASE(of_many_who_want_a_name_one_gets_it, Tenant)
{
    const auto may = grant();
    const auto won = workers(*this, 4, [&](Store& own, int) {
        int count = 0;
        for (const auto& name : numbered("m", 20)) {
            const auto outcome = own.create(may, {mailbox(name)}, actor).outcome;
            if (outcome == Outcome::yes) ++count;
            else if (outcome != Outcome::already_exists) return 99;
        }
        return count;
    });
    BOOST_TEST(won[0] + won[1] + won[2] + won[3] == 20);
    BOOST_TEST(counter() == 20);
    BOOST_TEST(audit().size() == 20U);
}

// Two requests have the same names in opposite order. With a lock for each name this would
// deadlock.
BOOST_FIXTURE_TEST_CASE(many_at_once_update_the_same_names, Tenant)
{
    auto wanted = numbered("m", 10);
    create(wanted);
    update_duplicates();
    const auto may = grant();
    const auto done = workers(*this, 4, [&](Store& own, int number) {
        std::vector<store::NewMailbox> mine;
        for (const auto& name : wanted)
            mine.push_back(mailbox(name, "{PLAIN}" + std::to_string(number)));
        if (number % 2 == 1) std::reverse(mine.begin(), mine.end());
        for (int i = 0; i < 5; ++i) {
            const auto outcome = own.create(may, mine, actor);
            if (outcome.outcome != Outcome::yes || outcome.updated != 10) return 99;
        }
        return 0;
    });
    BOOST_TEST(done == (std::vector{0, 0, 0, 0}), per_element());
    BOOST_TEST(counter() == 10);
    BOOST_TEST(all_session_ends() == 4 * 5 * 10);
    // The passwords are those of one request, not a mixture.
    BOOST_TEST(database.number("SELECT COUNT(DISTINCT password) FROM mailbox WHERE domain_id = ?",
                               {domain_id})
               == 1);
}

BOOST_FIXTURE_TEST_CASE(of_many_who_delete_one_has_deleted, Tenant)
{
    create(numbered("m", 20));
    const auto may = grant();
    const auto deleted_by = workers(*this, 4, [&](Store& own, int) {
        int count = 0;
        for (const auto& name : numbered("m", 20))
            count += own.remove(may, address(name), actor) == Changed::yes ? 1 : 0;
        return count;
    });
    BOOST_TEST(deleted_by[0] + deleted_by[1] + deleted_by[2] + deleted_by[3] == 20);
    BOOST_TEST(rows() == 0);
    BOOST_TEST(counter() == 0);
    BOOST_TEST(deleted() == 20);
}

BOOST_FIXTURE_TEST_CASE(the_counter_is_the_rows_at_every_moment, Tenant)
{
    const auto may = grant();
    support::Process writers{[&] {
        const auto results = workers(*this, 3, [&](Store& own, int number) {
            for (int i = 0; i < 15; ++i) {
                const auto name = "m" + std::to_string(number) + "-" + std::to_string(i % 4);
                own.create(may, {mailbox(name), mailbox(name + "x")}, actor);
                own.change_password(may, address(name), "{PLAIN}second", actor);
                own.remove(may, address(name), actor);
                if (i % 2 == 0) own.remove(may, address(name + "x"), actor);
            }
            return 0;
        });
        return *std::max_element(results.begin(), results.end());
    }};
    int looks = 0;
    for (const auto end = std::chrono::steady_clock::now() + 500ms;
         looks <= 10 || std::chrono::steady_clock::now() < end; ++looks) {
        const auto both = database.text(
            "SELECT CONCAT(d.mailboxes, ' ', (SELECT COUNT(*) FROM mailbox m WHERE m.domain_id = d.id))"
            " FROM domain d WHERE d.id = ?",
            {domain_id});
        const auto space = both.find(' ');
        BOOST_TEST(both.substr(0, space) == both.substr(space + 1));
    }
    BOOST_TEST(writers.wait() == 0);
    BOOST_TEST(counter() == rows());
}

// A page that was read does not change when mailboxes are added: none appears in its middle.
BOOST_FIXTURE_TEST_CASE(what_is_added_is_added_at_the_end, Tenant)
{
    const auto may = grant();
    support::Process writers{[&] {
        const auto results = workers(*this, 3, [&](Store& own, int number) {
            for (int i = 0; i < 20; ++i) {
                const auto name = "m" + std::to_string(number) + "-" + std::to_string(i);
                if (own.create(may, {mailbox(name), mailbox(name + "x")}, actor).outcome
                    != Outcome::yes)
                    return 99;
            }
            return 0;
        });
        return *std::max_element(results.begin(), results.end());
    }};
    Strings seen;
    const auto end = std::chrono::steady_clock::now() + 55s;
    while (seen.size() < 120 && std::chrono::steady_clock::now() < end) {
        const auto page = store.page(domain_id, domain, {1000, 0});
        auto now = names_of(page.items);
        BOOST_TEST(page.total == std::ssize(now));
        BOOST_TEST_REQUIRE(now.size() >= seen.size());
        BOOST_TEST(std::equal(seen.begin(), seen.end(), now.begin()));
        seen = std::move(now);
    }
    BOOST_TEST(seen.size() == 120U);
    BOOST_TEST(writers.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
