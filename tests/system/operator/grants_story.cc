// grants_story.cc - each database user may do what its program does, and nothing else.

#include "system/harness/story.h"

#include <filesystem>
#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;

namespace {

struct Statement {
    const char* user;
    const char* text;
};

std::ostream& operator<<(std::ostream& out, const Statement& row)
{
    return out << row.user << ": " << row.text;
}

const char* const kUsers[] = {"mailboxd_api",     "mailboxd_ctl",     "mailboxd_migrate",
                              "mailboxd_postfix", "mailboxd_dovecot", "mailboxd_janitor",
                              "mailboxd_rehash"};

// True for the server's error messages that deny access to a table, a column, a database or an
// account, or that name a missing privilege.
bool is_denied(const process::Ended& ended)
{
    for (const char* number :
         {"ERROR 1142", "ERROR 1143", "ERROR 1044", "ERROR 1045", "ERROR 1227"}) {
        if (ended.exit != 0 && ended.err.find(number) != std::string::npos) {
            return true;
        }
    }
    return false;
}

const Statement kNobody[] = {
    {"", "SELECT COUNT(*) FROM mysql.user"},
    {"", "CREATE DATABASE elsewhere"},
    {"", "CREATE USER 'mallory'@'localhost'"},
    {"", "GRANT SELECT ON mailbox TO 'mailboxd_postfix'@'localhost'"},
    {"", "SET PASSWORD FOR 'root'@'localhost' = ''"},
    {"", "SELECT 1 INTO OUTFILE '/tmp/mailboxd-story-outfile'"},
    {"", "LOAD DATA INFILE '/etc/passwd' INTO TABLE session_end"},
    {"", "SET GLOBAL general_log = 1"},
    {"", "FLUSH TABLES WITH READ LOCK"},
    {"", "SHUTDOWN"},
};

const Statement kRefused[] = {
    // An error in the API must not give access to everything.
    {"mailboxd_api", "CREATE TABLE more (id INT)"},
    {"mailboxd_api", "DROP TABLE mailbox"},
    {"mailboxd_api", "ALTER TABLE mailbox ADD COLUMN more INT"},
    {"mailboxd_api", "TRUNCATE TABLE deleted_mailbox"},
    {"mailboxd_api", "CREATE TRIGGER more BEFORE INSERT ON mailbox FOR EACH ROW SET @x = 1"},
    {"mailboxd_api", "UPDATE mailbox SET local_part = 'mallory'"},
    {"mailboxd_api", "UPDATE mailbox SET storage_id = ''"},
    {"mailboxd_api", "UPDATE mailbox SET domain_id = 1"},
    {"mailboxd_api", "UPDATE deleted_mailbox SET password = ''"},
    {"mailboxd_api", "SELECT storage_id FROM session_end"},
    {"mailboxd_api", "DELETE FROM session_end"},
    {"mailboxd_api", "UPDATE audit_log SET actor = 'nobody'"},
    {"mailboxd_api", "DELETE FROM audit_log"},
    {"mailboxd_api", "SELECT username FROM mailbox_usage"},
    {"mailboxd_api", "UPDATE mailbox_usage SET bytes = 0"},
    {"mailboxd_api", "UPDATE mailbox_activity SET last_login = 0"},
    {"mailboxd_api", "UPDATE mailbox SET size_bytes = 0"},
    {"mailboxd_api", "UPDATE suspended_name SET local_part = 'mallory'"},
    {"mailboxd_api", "SELECT unicode_name FROM deleted_domain"},
    {"mailboxd_api", "DELETE FROM deleted_domain"},
    {"mailboxd_api", "SELECT hash FROM deleted_key"},
    {"mailboxd_api", "UPDATE schema_version SET version = 0"},

    {"mailboxd_ctl", "CREATE TABLE more (id INT)"},
    {"mailboxd_ctl", "DROP TABLE mailbox"},
    {"mailboxd_ctl", "ALTER TABLE mailbox ADD COLUMN more INT"},
    {"mailboxd_ctl", "TRUNCATE TABLE mailbox"},
    {"mailboxd_ctl", "DELETE FROM audit_log"},
    {"mailboxd_ctl", "UPDATE mailbox_activity SET last_login = 0"},
    {"mailboxd_janitor", "DELETE FROM mailbox_usage"},
    {"mailboxd_janitor", "SELECT local_part FROM suspended_name"},
    {"mailboxd_ctl", "UPDATE schema_version SET version = 0"},
    {"mailboxd_ctl", "UPDATE submission_rate SET recipients = 0"},
    {"mailboxd_ctl", "DELETE FROM submission_rate"},
    {"mailboxd_ctl", "UPDATE sending_rate SET recipients = 0"},

    {"mailboxd_postfix", "SELECT password FROM mailbox"},
    {"mailboxd_postfix", "SELECT * FROM mailbox"},
    {"mailboxd_postfix", "SELECT hash FROM api_key"},
    {"mailboxd_postfix", "SELECT * FROM audit_log"},
    {"mailboxd_postfix", "SELECT * FROM deleted_mailbox"},
    {"mailboxd_postfix", "SELECT * FROM mailbox_usage"},
    {"mailboxd_postfix", "UPDATE mailbox SET state = 'active'"},
    {"mailboxd_postfix", "INSERT INTO mailbox (domain_id, id) VALUES (1, 1)"},
    {"mailboxd_postfix", "DELETE FROM mailbox"},
    {"mailboxd_postfix", "DELETE FROM sending_rate"},
    {"mailboxd_postfix", "DROP TABLE mailbox"},

    {"mailboxd_dovecot", "UPDATE mailbox SET password = ''"},
    {"mailboxd_dovecot", "INSERT INTO mailbox (domain_id, id) VALUES (1, 1)"},
    {"mailboxd_dovecot", "DELETE FROM mailbox"},
    {"mailboxd_dovecot", "SELECT hash FROM api_key"},
    {"mailboxd_dovecot", "SELECT * FROM audit_log"},
    {"mailboxd_dovecot", "SELECT * FROM deleted_mailbox"},
    {"mailboxd_dovecot", "SELECT * FROM session_end"},
    {"mailboxd_dovecot", "UPDATE mailbox SET generation = 1"},
    {"mailboxd_dovecot", "DROP TABLE mailbox_usage"},

    {"mailboxd_janitor", "SELECT password FROM mailbox"},
    {"mailboxd_janitor", "UPDATE mailbox SET state = 'active'"},
    {"mailboxd_janitor", "DELETE FROM mailbox"},
    {"mailboxd_janitor", "SELECT hash FROM api_key"},
    {"mailboxd_janitor", "SELECT * FROM audit_log"},
    {"mailboxd_janitor", "SELECT local_part FROM mailbox"},
    {"mailboxd_janitor", "SELECT password FROM deleted_mailbox"},
    {"mailboxd_janitor", "UPDATE deleted_mailbox SET deleted_at = 0"},
    {"mailboxd_janitor", "INSERT INTO session_end (storage_id, since) VALUES ('', 0)"},
    {"mailboxd_janitor", "UPDATE account SET state = 'active'"},
    {"mailboxd_janitor", "UPDATE api_key SET revoked_at = NULL"},
    {"mailboxd_janitor", "SELECT name FROM domain"},
    {"mailboxd_janitor", "SELECT name FROM sending_rate"},
    {"mailboxd_janitor", "DROP TABLE deleted_mailbox"},

    {"mailboxd_rehash", "SELECT local_part FROM mailbox"},
    {"mailboxd_rehash", "UPDATE mailbox SET generation = 1"},
    {"mailboxd_rehash", "UPDATE mailbox SET state = 'active'"},
    {"mailboxd_rehash", "UPDATE mailbox SET storage_id = ''"},
    {"mailboxd_rehash", "INSERT INTO mailbox (domain_id, id) VALUES (1, 1)"},
    {"mailboxd_rehash", "DELETE FROM mailbox"},
    {"mailboxd_rehash", "SELECT password FROM deleted_mailbox"},
    {"mailboxd_rehash", "SELECT name FROM domain"},
    {"mailboxd_rehash", "SELECT hash FROM api_key"},
    {"mailboxd_rehash", "SELECT * FROM audit_log"},
};

// Statements that must succeed. Without them the test would pass with a user that may do nothing.
const Statement kAllowed[] = {
    {"mailboxd_api", "SELECT id, name, state, mailboxes FROM domain"},
    {"mailboxd_api", "SELECT id, hash FROM api_key"},
    {"mailboxd_api", "SELECT id, local_part, created_at, size_bytes FROM mailbox"},
    {"mailboxd_ctl", "SELECT name FROM account"},
    {"mailboxd_ctl", "SELECT * FROM mailbox"},
    {"mailboxd_migrate", "CREATE TABLE more (id INT)"},
    {"mailboxd_migrate", "DROP TABLE IF EXISTS more"},
    {"mailboxd_postfix", "SELECT local_part, storage_id, state FROM mailbox"},
    {"mailboxd_dovecot", "SELECT local_part, storage_id, password FROM mailbox"},
    {"mailboxd_dovecot", "SELECT bytes FROM mailbox_usage"},
    {"mailboxd_janitor", "SELECT storage_id FROM session_end"},
    {"mailboxd_janitor", "SELECT storage_id FROM deleted_mailbox"},
    {"mailboxd_janitor", "SELECT storage_id, state, generation FROM mailbox"},
    {"mailboxd_dovecot", "SELECT last_login FROM mailbox_activity"},
    {"mailboxd_ctl", "SELECT last_login FROM mailbox_activity"},
    {"mailboxd_ctl", "SELECT recipients FROM submission_rate"},
    {"mailboxd_ctl", "SELECT recipients FROM sending_rate"},
    {"mailboxd_postfix", "SELECT recipients FROM sending_rate"},
    {"mailboxd_rehash", "SELECT storage_id, generation, password FROM mailbox"},
    {"mailboxd_rehash", "UPDATE mailbox SET password = password WHERE storage_id = ''"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(grants)

BOOST_DATA_TEST_CASE_F(story::Story, a_user_must_not, data::make(kRefused), row)
{
    const auto before = snapshot();
    const auto ended = stack.sql_as(row.user, row.text);
    BOOST_TEST(is_denied(ended), row << ": " << ended.out << ended.err);
    BOOST_TEST(snapshot() == before);
}

BOOST_DATA_TEST_CASE_F(story::Story, no_user_must, data::make(kNobody) * data::make(kUsers), row,
                       user)
{
    const auto ended = stack.sql_as(user, row.text);
    BOOST_TEST(is_denied(ended), user << ": " << ended.out << ended.err);
}

BOOST_DATA_TEST_CASE_F(story::Story, but_it_may, data::make(kAllowed), row)
{
    const auto ended = stack.sql_as(row.user, row.text);
    BOOST_TEST(ended.exit == 0, ended.err);
}

BOOST_DATA_TEST_CASE_F(story::Story, its_password_is_a_secret, data::make(kUsers), user)
{
    constexpr auto kOthers = fs::perms::group_all | fs::perms::others_all;
    const auto file = stack.directory() / "secrets" / user;
    BOOST_TEST(((fs::status(file).permissions() & kOthers) == fs::perms::none));
    BOOST_TEST(stack.secret(user).size() >= 20U);
    for (const char* other : kUsers) {
        BOOST_TEST((other == std::string{user} || stack.secret(other) != stack.secret(user)));
    }
    const auto ended =
        process::run({stack::client_program(), "--no-defaults", "--batch", "--socket",
                      stack.setting("DB_SOCKET"), "--user", user, "--execute", "SELECT 1"});
    BOOST_TEST(is_denied(ended), "without a password: " << ended.out << ended.err);
}

BOOST_FIXTURE_TEST_CASE(files_with_secrets_are_the_owners_only, story::Story)
{
    constexpr auto kOthers = fs::perms::group_all | fs::perms::others_all;
    for (const auto& file :
         {fs::path{stack.setting("MAILBOXD_CONF")}, stack.directory() / "stack.env"}) {
        BOOST_TEST(((fs::status(file).permissions() & kOthers) == fs::perms::none), file);
    }
}

BOOST_AUTO_TEST_SUITE_END()
