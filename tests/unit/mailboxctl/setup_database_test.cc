// setup_database_test.cc - `mailboxctl setup --only database` on a real server: users with their
// passwords, tables and rights, once.

#include <fstream>
#include <sstream>

#include <boost/test/unit_test.hpp>

#include "db/migrate.h"
#include "db/rights.h"
#include "mailboxctl/setup/setup.h"
#include "support/database.h"
#include "support/support.h"

namespace {

namespace ut = boost::unit_test;

constexpr const char* kUsers[] = {"mailboxd_api",     "mailboxd_ctl",     "mailboxd_janitor",
                                  "mailboxd_migrate", "mailboxd_postfix", "mailboxd_dovecot",
                                  "mailboxd_rehash"};

// A machine that has no more than mailboxd.conf, and an empty database on the tests' server.
struct Empty {
    Empty() : machine{root.path("root")}
    {
        const auto& server = database.config().db;
        machine.write("/etc/mailboxd/mailboxd.conf", "db_socket = " + server.socket + "\n", {});
        machine.write("/usr/sbin/mariadbd", "", {});
        options.host = "localhost";  // has an address
        options.db_name = database.name();
        options.db_admin_user = server.user;
        options.db_admin_password_file = root.write("administrator", server.password() + "\n");
        options.only = {"database"};
        options.is_confirmed = true;
        drop_users();
    }
    ~Empty() { drop_users(); }
    void drop_users()
    {
        for (const char* user : kUsers)
            database.run("DROP USER IF EXISTS '" + std::string{user} + "'@'localhost'");
    }
    int set_up()
    {
        std::ostringstream out;
        const auto status = setup::set_up(machine, options, nullptr, out);
        said = out.str();
        return status;
    }
    db::Connection as(const std::string& user, const std::string& file) const
    {
        auto its = database.config().db;
        its.user = user;
        its.password_file = root.path("root/etc/mailboxd/" + file);
        return {its, its.password(), database.config()};
    }

    support::Directory root;
    database::Database database{database::Content::empty};
    setup::Machine machine;
    setup::Options options;
    std::string said;
};

BOOST_AUTO_TEST_SUITE(setup_database, *ut::precondition(database::is_private))

BOOST_FIXTURE_TEST_CASE(users_tables_and_rights, Empty)
{
    BOOST_TEST_REQUIRE(set_up() == 0, said);
    auto service = as("mailboxd_api", "db-password");
    migrate::expect_same(service);
    const auto [refused, excess] = rights::difference(service, "mailboxd_api");
    BOOST_TEST(refused == "");
    BOOST_TEST(excess.empty());
    BOOST_TEST(said.find(machine.contents("/etc/mailboxd/db-password").value())
               == std::string::npos);
    BOOST_TEST(set_up() == 0);
    BOOST_TEST((said.find("Nothing to do") != std::string::npos), said);
    // A right that is lost comes back.
    database.run("REVOKE DELETE ON `" + database.name()
                 + "`.account FROM 'mailboxd_api'@'localhost'");
    BOOST_TEST(set_up() == 0, said);
    BOOST_TEST((said.find("the rights of mailboxd_api\n") != std::string::npos), said);
}

BOOST_FIXTURE_TEST_CASE(users_of_another_installation_keep_their_passwords, Empty)
{
    database.run("CREATE USER 'mailboxd_ctl'@'localhost' IDENTIFIED BY 'theirs'");
    BOOST_TEST(set_up() == 1);
    BOOST_TEST((said.find("has the users mailboxd_ctl already") != std::string::npos), said);
    BOOST_TEST(!machine.exists("/etc/mailboxd/ctl-db-password"));
}

BOOST_FIXTURE_TEST_CASE(tables_of_others_and_of_an_earlier_release, Empty)
{
    database.run("CREATE TABLE theirs (id INT PRIMARY KEY)");
    BOOST_TEST(set_up() == 1);
    BOOST_TEST((said.find("has tables of something else") != std::string::npos), said);
    database.run("CREATE TABLE schema_version (version INT PRIMARY KEY)");
    database.run("INSERT INTO schema_version VALUES (1)");
    BOOST_TEST(set_up() == 1);
    BOOST_TEST((said.find("Make a backup, then run: mailboxctl migrate") != std::string::npos),
               said);
}

BOOST_FIXTURE_TEST_CASE(an_administrator_who_is_refused, Empty)
{
    options.db_admin_password_file = root.write("administrator", "wrong\n");
    options.db_admin_user = "mailboxd_test_nobody";
    BOOST_TEST(set_up() == 1);
    BOOST_TEST(
        (said.find("--db-admin-user USER --db-admin-password-file FILE") != std::string::npos),
        said);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
