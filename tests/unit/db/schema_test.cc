// schema_test.cc - what keys and triggers keep true: sizes follow the usage, a key's state follows
// the account, and no row is duplicate or left over.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "db/transaction.h"
#include "support/database.h"
#include "support/support.h"

namespace {

struct Alice : database::Tenant {
    Alice() { store.create(grant(), {mailbox("alice"), mailbox("bob")}, actor); }

    std::string user(std::string_view local_part)
    {
        return storage_id(local_part) + "@" + domain.name();
    }
    std::int64_t size(std::string_view local_part)
    {
        return database.number(
            "SELECT size_bytes FROM mailbox WHERE domain_id = ? AND local_part = ?",
            {domain_id, local_part});
    }
    // Writes it as Dovecot's quota_clone does.
    void use(std::string_view local_part, std::int64_t bytes)
    {
        database.execute(
            "INSERT INTO mailbox_usage (username, bytes) VALUES (?, ?) ON DUPLICATE KEY UPDATE bytes = ?",
            {user(local_part), bytes, bytes});
    }
    std::int64_t usages()
    {
        return database.number(
            "SELECT COUNT(*) FROM mailbox_usage WHERE username LIKE CONCAT('%@', ?)",
            {domain.name()});
    }
    std::int64_t version()
    {
        return database.number("SELECT version FROM domain WHERE id = ?", {domain_id});
    }
    void add(std::string_view local_part, std::int64_t id, std::string_view storage)
    {
        database.execute(
            "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password) VALUES (?, ?, ?, 1, ?, 'x')",
            {domain_id, id, local_part, storage});
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(schema)

BOOST_FIXTURE_TEST_CASE(the_first_usage_is_the_size, Alice)
{
    use("alice", 12'345);
    BOOST_TEST(size("alice") == 12'345);
    BOOST_TEST(size("bob") == 0);
}

BOOST_FIXTURE_TEST_CASE(a_later_usage_is_the_size, Alice)
{
    use("alice", 5);
    use("alice", 5'000'000'000);
    BOOST_TEST(size("alice") == 5'000'000'000);
    use("alice", 0);
    BOOST_TEST(size("alice") == 0);
    database.execute("UPDATE mailbox_usage SET bytes = 7 WHERE username = ?", {user("alice")});
    BOOST_TEST(size("alice") == 7);
    BOOST_TEST(size("bob") == 0);
}

BOOST_FIXTURE_TEST_CASE(a_size_that_changes_is_a_change_of_the_domain, Alice)
{
    Alice other;
    const auto before = version();
    const auto before_other = other.version();
    use("alice", 5);
    const auto inserted = version();
    BOOST_TEST(inserted != before);
    use("alice", 6);
    const auto changed = version();
    BOOST_TEST(changed != inserted);
    database.execute("UPDATE mailbox_usage SET bytes = 7 WHERE username = ?", {user("alice")});
    BOOST_TEST(version() != changed);
    BOOST_TEST(other.version() == before_other);
}

// Dovecot writes this name for a user who has logged in.
BOOST_FIXTURE_TEST_CASE(a_size_of_who_has_logged_in_is_one_too, Alice)
{
    const auto before = version();
    database.execute("INSERT INTO mailbox_usage (username, bytes) VALUES (CONCAT(?, '.1@', ?), 5)",
                     {storage_id("alice"), domain.name()});
    BOOST_TEST(size("alice") == 5);
    BOOST_TEST(version() != before);
}

BOOST_FIXTURE_TEST_CASE(whoever_changes_the_row_of_a_domain_changes_its_version, Alice)
{
    const auto before = version();
    database.execute("UPDATE domain SET mailboxes = mailboxes WHERE id = ?", {domain_id});
    const auto changed = version();
    BOOST_TEST(changed != before);
    database.execute("UPDATE domain SET version = ? WHERE id = ?", {before, domain_id});
    BOOST_TEST(version() != before);
    BOOST_TEST(version() != changed);
}

// As after a restore, or on a replica that lagged behind when it took over.
BOOST_FIXTURE_TEST_CASE(a_version_is_not_given_again_when_the_database_goes_back, Alice)
{
    const std::string name = "back-" + domain.name();
    const auto number = [&](db::Statement statement) { return database.number(statement, {name}); };
    const auto add = [&](db::Value id, std::int64_t version) {
        database.execute(
            "INSERT INTO domain (id, account_id, name, version, created_at) SELECT ?, account_id, ?, ?, 1 FROM domain WHERE id = ?",
            {id, name, version, domain_id});
    };
    const auto version = [&] { return number("SELECT version FROM domain WHERE name = ?"); };
    const auto change = [&] {
        database.execute("UPDATE domain SET last_id = last_id + 1 WHERE name = ?", {name});
    };
    const auto remove = [&] { database.execute("DELETE FROM domain WHERE name = ?", {name}); };
    add(db::Null{}, 0);
    const auto id = number("SELECT id FROM domain WHERE name = ?");
    change();
    const auto saved = version();
    change();
    const auto lost = version();
    remove();
    add(id, saved);
    BOOST_TEST(version() != lost);
    change();
    BOOST_TEST(version() != lost);
    remove();
}

// Dovecot may write a number of messages without a change of the bytes.
BOOST_FIXTURE_TEST_CASE(messages_alone_do_not_change_the_size, Alice)
{
    use("alice", 5);
    database.execute("UPDATE mailbox_usage SET messages = 9 WHERE username = ?", {user("alice")});
    BOOST_TEST(size("alice") == 5);
}

BOOST_FIXTURE_TEST_CASE(the_list_shows_the_size, Alice)
{
    use("bob", 77);
    const auto listing = store.page(domain_id, domain, {});
    BOOST_TEST_REQUIRE(listing.items.size() == 2U);
    BOOST_TEST(listing.items[0].size_bytes == 0);
    BOOST_TEST(listing.items[1].size_bytes == 77);
}

// A transaction that has locked the mailbox must not wait for the domain: another one may have
// locked the domain, and wait for the mailbox.
BOOST_FIXTURE_TEST_CASE(a_change_of_no_size_does_not_wait_for_the_domain, Alice)
{
    auto holder = database.connect();
    db::Transaction transaction{holder};
    holder.execute("UPDATE domain SET last_id = last_id WHERE id = ?", {domain_id});
    auto changer = database.connect();
    changer.run("SET SESSION innodb_lock_wait_timeout = 1");
    BOOST_CHECK_NO_THROW(changer.execute(
        "UPDATE mailbox SET generation = generation + 1 WHERE domain_id = ?", {domain_id}));
    BOOST_CHECK_THROW(
        changer.execute("UPDATE mailbox SET size_bytes = 1 WHERE domain_id = ?", {domain_id}),
        db::Error);
}

BOOST_FIXTURE_TEST_CASE(usage_of_nobody_fails, Alice)
{
    const auto ghost = std::string(32, '0') + "@" + domain.name();
    BOOST_CHECK_THROW(
        database.execute("INSERT INTO mailbox_usage (username, bytes) VALUES (?, 1)", {ghost}),
        db::Error);
    BOOST_TEST(usages() == 0);
}

BOOST_FIXTURE_TEST_CASE(usage_by_address_fails, Alice)
{
    BOOST_CHECK_THROW(database.execute("INSERT INTO mailbox_usage (username, bytes) VALUES (?, 1)",
                                       {address("alice").text()}),
                      db::Error);
    BOOST_TEST(size("alice") == 0);
}

// A session that is still open when its mailbox is deleted writes its last size.
BOOST_FIXTURE_TEST_CASE(a_late_usage_leaves_no_ghost, Alice)
{
    use("alice", 5);
    const auto late = user("alice");
    store.remove(grant(), address("alice"), actor);
    BOOST_TEST(usages() == 0);
    store.create(grant(), {mailbox("alice")}, actor);
    BOOST_CHECK_THROW(
        database.execute("INSERT INTO mailbox_usage (username, bytes) VALUES (?, 9)", {late}),
        db::Error);
    BOOST_TEST(usages() == 0);
    BOOST_TEST(size("alice") == 0);
}

BOOST_FIXTURE_TEST_CASE(a_deleted_mailbox_takes_its_usage_along, Alice)
{
    use("alice", 5);
    use("bob", 6);
    database.execute("DELETE FROM mailbox WHERE domain_id = ? AND local_part = 'alice'",
                     {domain_id});
    BOOST_TEST(usages() == 1);
    BOOST_TEST(size("bob") == 6);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_there_twice, Alice)
{
    BOOST_CHECK_THROW(add("alice", 90, std::string(32, 'a')), db::DuplicateKey);
    BOOST_CHECK_THROW(add("carol", 1, std::string(32, 'a')), db::DuplicateKey);
    BOOST_CHECK_THROW(add("carol", 90, storage_id("bob")), db::DuplicateKey);
    BOOST_TEST(rows() == 2);
}

// josé is not jose. The programs store Alice@ as alice@; the tables do not fold case.
BOOST_FIXTURE_TEST_CASE(names_are_compared_byte_by_byte, Alice)
{
    add("Alice", 90, support::unique("") + std::string(20, 'a'));
    BOOST_TEST(rows() == 3);
    BOOST_CHECK_THROW(add("jos\xC3\xA9", 91, std::string(32, 'b')), db::Error);
}

// The list reads the key only, so the key must have the state of its account.
BOOST_FIXTURE_TEST_CASE(a_key_has_its_accounts_state, Alice)
{
    const auto state = [&] {
        return database.text("SELECT account_state FROM api_key WHERE id = ?", {key.id()});
    };
    BOOST_TEST(state() == "active");
    for (const std::string wanted : {"no_login", "disabled", "active"}) {
        database.execute("UPDATE account SET state = ? WHERE name = ?", {wanted, account});
        BOOST_TEST(state() == wanted);
    }
    BOOST_CHECK_THROW(
        database.execute("UPDATE api_key SET account_state = 'disabled' WHERE id = ?", {key.id()}),
        db::Error);
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_needs_its_domain, Alice)
{
    BOOST_CHECK_THROW(
        database.run(
            "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password)"
            " VALUES (4000000000, 1, 'x', 1, REPEAT('c', 32), 'x')"),
        db::Error);
    BOOST_CHECK_THROW(database.execute("DELETE FROM domain WHERE id = ?", {domain_id}), db::Error);
}

// A removed domain can be restored, so each of its columns is kept, except those that are named
// here: they get new values.
struct Kept : support::Row {
    const char* table;
    const char* kept;
    const char* made_anew;
};

const Kept kKept[] = {
    {"a domain", "domain", "deleted_domain", "mailboxes size_bytes aliases version"},
    {"a key of a domain", "api_key", "deleted_key", "account_id account_state good_until"},
    {"a mailbox", "mailbox", "deleted_mailbox", "id"},
    {"an alias domain", "domain_name", "deleted_domain_name", "is_alias"},
};

BOOST_DATA_TEST_CASE_F(Alice, what_can_come_back_is_kept, boost::unit_test::data::make(kKept), row)
{
    const auto lost = database.column(
        "SELECT c.column_name FROM information_schema.columns c WHERE c.table_schema = DATABASE() AND c.table_name = ?"
        " AND c.column_name NOT IN (SELECT k.column_name FROM information_schema.columns k"
        " WHERE k.table_schema = DATABASE() AND k.table_name = ?) AND INSTR(CONCAT(' ', ?, ' '), CONCAT(' ', c.column_name, ' ')) = 0",
        {row.table, row.kept, row.made_anew});
    BOOST_TEST(lost == std::vector<std::string>{}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
