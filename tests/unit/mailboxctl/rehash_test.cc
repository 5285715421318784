// rehash_test.cc - replacing an old hash after a login: what is read from Dovecot's script, and
// that a hash is replaced only if it is the one that was verified.

#include "mailboxctl/rehash.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

#include "mail/password.h"
#include "mailboxctl/password_schemes.h"
#include "support/database.h"
#include "support/support.h"

namespace {

namespace data = boost::unit_test::data;
using rehash::Outcome;
using support::bytes;

constexpr char kId[] = "0123456789abcdef0123456789abcdef";
constexpr char kOld[] = "{MD5-CRYPT}$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/";

struct Malformed : support::Row {
    std::string datagram;
};
const Malformed kMalformed[] = {
    {"nothing", ""},
    {"no password", std::string{kId} + ".1@example.org"},
    {"an empty password", std::string{kId} + ".1@example.org" + bytes("\0")},
    {"two null bytes", std::string{kId} + ".1@example.org" + bytes("\0secret\0")},
    {"an address", "alice@example.org" + bytes("\0secret")},
    {"no generation", std::string{kId} + "@example.org" + bytes("\0secret")},
    {"a generation that is no number", std::string{kId} + ".x@example.org" + bytes("\0secret")},
    {"no domain", std::string{kId} + ".1" + bytes("\0secret")},
};

struct User : database::Tenant {
    User() : connection{database.connect()}
    {
        store.create(grant(), {mailbox("alice", kOld)}, actor);
    }

    rehash::Login login(std::string_view text = "secret", std::int64_t generation = 1)
    {
        return {{storage_id("alice"), generation}, Secret{text}};
    }
    rehash::Replaced replace(
        const rehash::Login& login, void (*was_read)() = [] {})
    {
        return rehash::replace(connection, login, database.config(), was_read);
    }

    db::Connection connection;
};

// For the function that runs between reading and storing, which has no arguments.
User* the_user = nullptr;

}  // namespace

BOOST_AUTO_TEST_SUITE(rehashing)

BOOST_AUTO_TEST_CASE(a_datagram_is_name_and_password)
{
    const auto login = rehash::parse(std::string{kId} + ".12@example.org" + bytes("\0 s\tq'\xFF "));
    BOOST_TEST_REQUIRE(login.has_value());
    BOOST_TEST(login->name.storage_id == kId);
    BOOST_TEST(login->name.generation == 12);
    BOOST_TEST(login->password.text() == " s\tq'\xFF ");
}

BOOST_DATA_TEST_CASE(anything_else_is_not_read, data::make(kMalformed), row)
{
    BOOST_TEST(!rehash::parse(row.datagram).has_value());
}

BOOST_FIXTURE_TEST_CASE(an_old_hash_is_replaced, User)
{
    const auto rows_before = audit();
    const auto replaced = replace(login());
    BOOST_TEST((replaced.outcome == Outcome::replaced));
    BOOST_TEST(replaced.scheme == "MD5-CRYPT");
    BOOST_TEST(password::verify("secret", password("alice")).value_or(false));
    // It is no new password: sessions go on, and the audit log says nothing.
    BOOST_TEST(generation("alice") == 1);
    BOOST_TEST(session_ends("alice") == 0);
    BOOST_TEST(audit() == rows_before, boost::test_tools::per_element());
}

// The client will send these bytes again: they are neither composed nor checked by the rules for
// new passwords.
BOOST_FIXTURE_TEST_CASE(the_bytes_are_hashed_as_they_were_typed, User)
{
    const std::string decomposed = "Zo\x65\xCC\x88";
    BOOST_TEST((replace(login(decomposed)).outcome == Outcome::replaced));
    BOOST_TEST(password::verify(decomposed, password("alice")).value_or(false));
    database.execute("UPDATE mailbox SET password = ? WHERE storage_id = ?",
                     {kOld, storage_id("alice")});
    BOOST_TEST((replace(login("\xFF")).outcome == Outcome::replaced));
    BOOST_TEST(password::verify("\xFF", password("alice")).value_or(false));
}

BOOST_FIXTURE_TEST_CASE(a_current_hash_stays, User)
{
    replace(login());
    const auto first = password("alice");
    BOOST_TEST((replace(login("another")).outcome == Outcome::is_current));
    BOOST_TEST(password("alice") == first);
}

// The name of a login has the generation of the password that was verified.
BOOST_FIXTURE_TEST_CASE(a_password_that_was_set_after_the_login_stays, User)
{
    const auto before = login();
    database.execute("UPDATE mailbox SET password = ?, generation = 2 WHERE storage_id = ?",
                     {"{MD5-CRYPT}$1$other", storage_id("alice")});
    BOOST_TEST((replace(before).outcome == Outcome::was_changed));
    BOOST_TEST(password("alice") == "{MD5-CRYPT}$1$other");
}

BOOST_FIXTURE_TEST_CASE(a_password_that_is_set_while_we_hash_stays, User)
{
    the_user = this;
    const auto replaced = replace(login(), [] {
        the_user->store.change_password(the_user->grant(), the_user->address("alice"), "{PLAIN}new",
                                        the_user->actor);
    });
    BOOST_TEST((replaced.outcome == Outcome::was_changed));
    BOOST_TEST(password("alice") == "{PLAIN}new");
    BOOST_TEST(generation("alice") == 2);
}

// An import may store another hash without a new generation.
BOOST_FIXTURE_TEST_CASE(another_hash_that_is_stored_while_we_hash_stays, User)
{
    the_user = this;
    const auto replaced = replace(login(), [] {
        the_user->database.execute("UPDATE mailbox SET password = ? WHERE storage_id = ?",
                                   {"{SHA512-CRYPT}$6$imported", the_user->storage_id("alice")});
    });
    BOOST_TEST((replaced.outcome == Outcome::was_changed));
    BOOST_TEST(password("alice") == "{SHA512-CRYPT}$6$imported");
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_was_deleted_gets_no_hash, User)
{
    const auto before = login();
    store.remove(grant(), address("alice"), actor);
    BOOST_TEST((replace(before).outcome == Outcome::was_changed));
}

BOOST_FIXTURE_TEST_CASE(schemes_are_counted, User)
{
    store.create(grant(), {mailbox("bob", "{MD5}$1$x$y")}, actor);
    store.create(grant(), {mailbox("carol", "{ARGON2ID}$argon2id$x")}, actor);
    store.create(grant(), {mailbox("dora", "{CRYPT}abcdefghijklm")}, actor);
    store.create(grant(), {mailbox("eve", "{crypt}$2y$05$x")}, actor);
    database.execute(
        "INSERT INTO mailbox_activity (storage_id, last_login, last_delivery) VALUES (?, 7, 0)",
        {storage_id("bob")});
    std::vector<std::string> found;
    for (const auto& each : password_schemes::counts(connection, password_schemes::By::domain)) {
        if (each.group == domain.name())
            found.push_back(each.scheme + " " + std::to_string(each.mailboxes) + " "
                            + std::to_string(each.never));
    }
    const std::vector<std::string> expected{"MD5-CRYPT 2 1", "ARGON2ID 1 1", "BLF-CRYPT 1 1",
                                            "DES-CRYPT 1 1"};
    BOOST_TEST(found == expected, boost::test_tools::per_element());
    for (const auto by : {password_schemes::By::all, password_schemes::By::account})
        BOOST_TEST(password_schemes::counts(connection, by).size() >= 4U);
}

BOOST_AUTO_TEST_SUITE_END()
