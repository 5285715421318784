#include "database.h"

#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "admin.h"
#include "migrate.h"
#include "support.h"

namespace database {
namespace {

Config::Database server(const std::string& name)
{
    const char* const socket = std::getenv("TEST_DB_SOCKET");
    const char* const user = std::getenv("TEST_DB_ADMIN_USER");
    if (socket == nullptr || user == nullptr) {
        throw std::runtime_error("this test needs a database server: start it with scripts/run-tests unit");
    }
    Config::Database where;
    where.socket = socket;
    where.user = user;
    where.name = name;
    return where;
}

// Created by a connection that is not in it yet.
Config created()
{
    const auto name = support::unique("test_");
    const auto outside = config("information_schema");
    try {
        db::Connection{outside.db, "", outside}.run("CREATE DATABASE " + name + " CHARACTER SET utf8mb4");
    } catch (const db::Error& error) {
        throw std::runtime_error("the tests' database server at " + outside.db.socket + " does not answer: " + error.what());
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

std::int64_t add_domain(Database& database, const std::string& account, const mailbox::Domain& domain)
{
    auto connection = database.connect();
    return admin::Admin{connection}.add_domain(domain, account);
}

auth::Key add_key(Database& database, const std::string& account)
{
    auto connection = database.connect();
    admin::NewKey wanted;
    wanted.account = account;
    return admin::Admin{connection}.add_key(wanted);
}

}  // namespace

Config config(const std::string& name)
{
    Config config;
    config.db = config.ctl_db = server(name);
    config.argon2_memory_kib = 8;
    config.argon2_passes = 1;
    return config;
}

Database::Database(Content content) : config_{created()}, connection_{config_.db, "", config_}
{
    std::ostringstream progress;
    if (content == Content::migrated) migrate::apply(connection_, progress);
}

Database::~Database()
{
    try {
        run("DROP DATABASE " + name());
    } catch (const std::exception&) {
        // The server goes away with the tests, and the database with it.
    }
}

std::int64_t Database::number(const char* statement, db::Values values)
{
    auto rows = connection_.query(statement, values);
    if (!rows.next() || rows.count() != 1) throw std::logic_error("not one row: " + std::string{statement});
    return rows.integer(1);
}

std::string Database::text(const char* statement, db::Values values)
{
    auto rows = connection_.query(statement, values);
    if (!rows.next() || rows.count() != 1) throw std::logic_error("not one row: " + std::string{statement});
    return rows.text(1);
}

std::vector<std::string> Database::column(const char* statement, db::Values values)
{
    std::vector<std::string> texts;
    auto rows = connection_.query(statement, values);
    while (rows.next()) texts.push_back(rows.text(1));
    return texts;
}

std::uint64_t Database::execute(const char* statement, db::Values values)
{
    return connection_.execute(statement, values);
}

void Database::run(const std::string& statement)
{
    connection_.run(statement);
}

Database& shared()
{
    static Database database;
    return database;
}

Tenant::Tenant(Database& its_database)
    : database{its_database},
      account{add_account(database)},
      domain{mailbox::Domain::parse(support::unique("d") + ".example").value()},
      domain_id{add_domain(database, account, domain)},
      key{add_key(database, account)},
      session{database.config().db, "", database.config()},
      store{session}
{
}

auth::Grant Tenant::grant()
{
    return store.grant(key.id(), domain.name()).value();
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
    return database.column("SELECT local_part FROM mailbox WHERE domain_id = ? ORDER BY id", {domain_id});
}

std::vector<std::string> Tenant::audit()
{
    return database.column("SELECT CONCAT(action, ' ', local_part) FROM audit_log WHERE domain = ? AND actor = ? ORDER BY at, id",
                           {domain.name(), actor.key_id});
}

std::int64_t Tenant::session_ends(std::string_view local_part)
{
    return database.number("SELECT COUNT(*) FROM session_end WHERE storage_id = ?", {storage_id(local_part)});
}

std::string Tenant::storage_id(std::string_view local_part)
{
    return database.text("SELECT storage_id FROM mailbox WHERE domain_id = ? AND local_part = ?", {domain_id, local_part});
}

std::string Tenant::password(std::string_view local_part)
{
    return database.text("SELECT password FROM mailbox WHERE domain_id = ? AND local_part = ?", {domain_id, local_part});
}

}  // namespace database
