#include "support/database.h"

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "db/accounts.h"
#include "db/grants.h"
#include "db/migrate.h"
#include "db/session.h"
#include "mail/api_key.h"
#include "mailboxd/http.h"
#include "support/support.h"

namespace database {
namespace {

std::string decoded(const std::string& text)
{
    return std::string{http::percent_decoded(text, http::Plus::is_plus, "TEST_DB_URL").text()};
}

// Parses mysql://USER:PASSWORD@HOST:PORT/ or mysql://USER:PASSWORD@localhost/?socket=PATH. The
// password is written to a file, because Config takes the path of one.
Config::Database server()
{
    const char* const url = std::getenv("TEST_DB_URL");
    if (url == nullptr)
        throw std::runtime_error(
            "this test needs a database server: start it with scripts/run-tests unit");
    static const std::regex form{
        R"(mysql://([^:@/]+)(?::([^@/]*))?@([^:@/?]+)(?::([0-9]{1,5}))?/?(?:\?socket=(.+))?)"};
    std::cmatch found;
    if (!std::regex_match(url, found, form)) {
        throw std::runtime_error(
            "the database server's address is not of the form mysql://USER:PASSWORD@HOST:PORT/"
            " or mysql://USER:PASSWORD@localhost/?socket=PATH");
    }
    Config::Database where;
    where.user = decoded(found[1]);
    where.host = decoded(found[3]);
    if (found[4].matched) std::from_chars(found[4].first, found[4].second, where.port);
    where.socket = decoded(found[5]);
    if (found[2].length() > 0) {
        static const support::Directory directory;
        where.password_file = directory.write("password", decoded(found[2]) + "\n");
    }
    return where;
}

// Creates the database over a connection that has no database selected.
Config created()
{
    const auto name = support::unique("mailboxd_test_");
    const auto outside = config("information_schema");
    try {
        connection(outside).run("CREATE DATABASE " + name + " CHARACTER SET utf8mb4");
    } catch (const db::Error& error) {
        throw std::runtime_error(
            std::string{"the tests' database server does not make a database: "} + error.what());
    }
    return config(name);
}

std::string add_account(Database& database)
{
    auto connection = database.connect();
    auto name = support::unique("account-");
    admin::Admin{connection}.add_account(name);
    return name;
}

std::int64_t add_domain(Database& database, const std::string& account,
                        const mailbox::Domain& domain)
{
    auto connection = database.connect();
    return admin::Admin{connection}.add_domain(domain, account);
}

api_key::Key add_key(Database& database, const std::string& account)
{
    auto connection = database.connect();
    admin::NewKey wanted;
    wanted.account_id = admin::Admin{connection}.account_id(account);
    return admin::Admin{connection}.add_key(wanted);
}

}  // namespace

Config config(const std::string& name)
{
    Config config;
    static const Config::Database where = server();
    config.db = where;
    config.db.name = name;
    config.ctl_db = config.db;
    config.argon2_memory_kib = 8;
    config.argon2_passes = 1;
    // On a busy machine a statement may take long, and a connection that is lost by that fails
    // every later test. Tests of the time-out set their own.
    config.db_timeout = std::chrono::minutes{2};
    return config;
}

db::Connection connection(const Config& config)
{
    return {config.db, config.db.password(), config};
}

db::Session session(const Config& config)
{
    return {config.db, config.db.password(), config};
}

boost::test_tools::assertion_result is_private(boost::unit_test::test_unit_id)
{
    boost::test_tools::assertion_result answer{std::getenv("TEST_DB_IS_PRIVATE") != nullptr};
    if (!answer) answer.message() << "the server is not ours, and its settings stay as they are";
    return answer;
}

namespace {

// On a busy machine one of the administrator's statements may take long. If the connection were
// lost by that, every later test would fail.
Config patient(Config config)
{
    config.db_timeout = std::chrono::minutes{2};
    return config;
}

}  // namespace

Database::Database(Config config)
    : config_{std::move(config)}, connection_{connection(patient(config_))}
{
}

// Delegates, so that the destructor drops the database even if the migrations fail.
Database::Database(Content content) : Database{created()}
{
    std::ostringstream progress;
    if (content == Content::migrated) migrate::apply(connection_, progress);
}

Database::~Database()
{
    try {
        run("DROP DATABASE " + name());
    } catch (const std::exception&) {
        // If dropping fails, the server is going away together with the tests, and the database
        // with it.
    }
}

std::int64_t Database::number(db::Statement statement, db::Values values)
{
    auto rows = connection_.query(statement, values);
    if (rows.count() != 1) throw std::logic_error("not one row: " + std::string{statement.text()});
    return rows.only<std::int64_t>();
}

std::string Database::text(db::Statement statement, db::Values values)
{
    auto rows = connection_.query(statement, values);
    if (rows.count() != 1) throw std::logic_error("not one row: " + std::string{statement.text()});
    return rows.only<std::string>();
}

std::vector<std::string> Database::column(db::Statement statement, db::Values values)
{
    std::vector<std::string> texts;
    auto rows = connection_.query(statement, values);
    while (rows.next()) texts.push_back(rows.read<std::string>());
    return texts;
}

std::uint64_t Database::execute(db::Statement statement, db::Values values)
{
    return connection_.execute(statement, values);
}

void Database::run(const std::string& statement)
{
    connection_.run(statement);
}

User::User(Database& database) : database_{database}, name_{support::unique("mailboxd_test_")} {}

// GRANT reads the database's name as a pattern in which an underscore matches any character, so
// underscores are escaped.
User::User(Database& database, const std::string& password) : User{database}
{
    const auto pattern = std::regex_replace(database_.name(), std::regex{"_"}, "\\_");
    database_.run("CREATE USER " + name_ + " IDENTIFIED BY " + password);
    database_.run("GRANT SELECT ON `" + pattern + "`.* TO " + name_);
}

User::~User()
{
    try {
        database_.run("DROP USER IF EXISTS " + name_);
    } catch (const std::exception& error) {
        std::cerr << "the user " << name_ << " was left behind: " << error.what() << '\n';
    }
}

Database& shared()
{
    static Database database;
    return database;
}

Tenant::Tenant(Database& its_database)
    : database{its_database}, account{add_account(database)},
      domain{mailbox::Domain::parse(support::unique("d") + ".example").value()},
      domain_id{add_domain(database, account, domain)}, key{add_key(database, account)},
      session{database::session(database.config())}, store{session}
{
}

grants::Grant Tenant::grant()
{
    return store.grant(key, domain.name()).value();
}

std::int64_t Tenant::rows()
{
    return database.number("SELECT COUNT(*) FROM mailbox WHERE domain_id = ?", {domain_id});
}

std::int64_t Tenant::counter()
{
    return database.number("SELECT mailboxes FROM domain WHERE id = ?", {domain_id});
}

std::vector<std::string> Tenant::names()
{
    return database.column("SELECT local_part FROM mailbox WHERE domain_id = ? ORDER BY id",
                           {domain_id});
}

std::vector<std::string> Tenant::audit()
{
    return database.column(
        "SELECT CONCAT(action, ' ', local_part) FROM audit_log WHERE domain = ? AND actor = ? ORDER BY at, id",
        {domain.name(), actor.key_id});
}

std::int64_t Tenant::session_ends(std::string_view local_part)
{
    return database.number("SELECT COUNT(*) FROM session_end WHERE storage_id = ?",
                           {storage_id(local_part)});
}

std::string Tenant::storage_id(std::string_view local_part)
{
    return database.text("SELECT storage_id FROM mailbox WHERE domain_id = ? AND local_part = ?",
                         {domain_id, local_part});
}

std::int64_t Tenant::generation(std::string_view local_part)
{
    return database.number("SELECT generation FROM mailbox WHERE domain_id = ? AND local_part = ?",
                           {domain_id, local_part});
}

std::string Tenant::password(std::string_view local_part)
{
    return database.text("SELECT password FROM mailbox WHERE domain_id = ? AND local_part = ?",
                         {domain_id, local_part});
}

}  // namespace database
