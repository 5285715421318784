// database_part.cc - the database: its server, our users with their passwords, tables and rights.

#include <array>
#include <chrono>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "base/crypto.h"
#include "base/strings.h"
#include "db/connection.h"
#include "db/migrate.h"
#include "db/rights.h"
#include "db/routines.h"
#include "mailboxctl/setup/situation.h"

namespace setup {
namespace {

constexpr int kDenied = 1045, kDeniedBySocket = 1698;  // errors of the server

// A database user, the file with its password, and who reads that.
struct User {
    const char* name;
    const char* file;
    const char* owner;  // "": the owner of the mail store
};
constexpr std::array<User, 7> kUsers{
    {{"mailboxd_api", "db-password", "mailboxd"},
     {"mailboxd_ctl", "ctl-db-password", "root"},
     {"mailboxd_janitor", "janitor-db-password", ""},
     {"mailboxd_migrate", "migrate-db-password", "root"},
     {"mailboxd_postfix", "postfix-db-password", ""},
     {"mailboxd_dovecot", "dovecot-db-password", "root"},
     {"mailboxd_rehash", "rehash-db-password", "mailboxd-rehash"}}};

std::string path_of(const std::string& file)
{
    return "/etc/mailboxd/" + file;
}

// --- the server -----------------------------------------------------------------------

Config::Database server(const Situation& situation, const std::string& user)
{
    Config::Database database;
    database.socket = situation.db_socket;
    if (!situation.options.db_host.empty()) database.host = situation.options.db_host;
    database.name = "information_schema";
    database.user = user;
    return database;
}

db::Connection administrator(const Situation& situation)
{
    const auto& options = situation.options;
    auto database =
        server(situation, options.db_admin_user.empty() ? "root" : options.db_admin_user);
    database.password_file = options.db_admin_password_file;
    database.password_setting = "--db-admin-password-file";
    return {database, database.password(), Config{}};
}

// Returns whether the server refuses the password that the user's file has.
bool is_refused(const Situation& situation, const User& user)
{
    try {
        const auto database = server(situation, user.name);
        const db::Connection connection{database, secret(situation.machine, user.file), Config{}};
        return false;
    } catch (const db::Unreached& error) {
        if (error.number == kDenied || error.number == kDeniedBySocket) return true;
        throw;
    }
}

// Connects as one of our users. Empty if the server does not let the user into our database.
std::unique_ptr<db::Connection> login(const Situation& situation, const User& user)
{
    auto database = server(situation, user.name);
    database.name = situation.options.db_name;
    Config config;
    if (user.name == std::string_view{"mailboxd_migrate"})
        config.db_timeout = std::chrono::hours{24};  // changing a large table takes long
    try {
        return std::make_unique<db::Connection>(database, secret(situation.machine, user.file),
                                                config);
    } catch (const db::Unreached& error) {
        constexpr int kNoRights = 1044, kNoDatabase = 1049;
        if (error.number == kDenied || error.number == kNoRights || error.number == kNoDatabase
            || error.number == kDeniedBySocket)
            return nullptr;
        throw;
    }
}

std::string sql_text(const std::string& text)
{
    std::string all = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') all += c == '\'' ? '\'' : '\\';
        all += c;
    }
    return all + "'";
}

// --- what is there --------------------------------------------------------------------

struct Found {
    std::string client;  // the host of our users, as the server sees this machine
    bool has_database = false;
    std::int64_t tables = 0;
    std::int64_t version = 0;  // of our tables; 0: there are none
    std::set<std::string> users;
    bool must_trust = false;  // the server refuses functions and triggers because of its binary log
};

std::int64_t number(db::Connection& connection, const std::string& statement)
{
    return connection.query_text(statement).only<std::int64_t>();
}

std::string text(db::Connection& connection, const std::string& statement)
{
    return connection.query_text(statement).only<std::string>();
}

void look_at_tables(db::Connection& admin, const std::string& name, Found& found)
{
    const auto schema = sql_text(name);
    found.has_database =
        number(admin,
               "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = " + schema)
        > 0;
    found.tables = number(
        admin, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = " + schema);
    const bool is_ours =
        number(admin, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = "
                          + schema + " AND table_name = 'schema_version'")
        > 0;
    if (is_ours)
        found.version =
            number(admin, "SELECT COALESCE(MAX(version), 0) FROM `" + name + "`.schema_version");
}

Found look_at_server(db::Connection& admin, const Situation& situation)
{
    Found found;
    const auto client = text(admin, "SELECT SUBSTRING_INDEX(USER(), '@', -1)");
    found.client = situation.options.db_host.empty() ? "localhost" : client;
    look_at_tables(admin, situation.options.db_name, found);
    for (auto rows = admin.query_text("SELECT user FROM mysql.user WHERE host = "
                                      + sql_text(found.client) + " AND user LIKE 'mailboxd\\_%'");
         rows.next();)
        found.users.insert(rows.read<std::string>());
    found.must_trust =
        number(admin, "SELECT @@log_bin AND NOT @@log_bin_trust_function_creators") != 0;
    return found;
}

// Returns what keeps this server from being used; empty if nothing does.
std::string obstacle(db::Connection& admin, const Situation& situation, const Found& found)
{
    const auto version = text(admin, "SELECT VERSION()");
    const bool is_mariadb = version.find("MariaDB") != std::string::npos;
    const auto digits = version.substr(0, version.find_first_not_of("0123456789."));
    if (!is_at_least(digits, is_mariadb ? "10.11" : "8.0.29"))
        return "the database server has version " + version
               + "; mailboxd needs MariaDB 10.11 or MySQL 8.0.29 or later. Upgrade it, or name another server with --db-host";
    if (number(admin, "SELECT @@log_bin AND @@binlog_format = 'STATEMENT'") != 0)
        return "the database server has binlog_format = STATEMENT, with which it refuses our changes. Set it to ROW or MIXED in the server's configuration and restart the server";
    if (number(admin, "SELECT @@read_only") != 0)
        return "the database server accepts no changes (read_only = 1). Name the server that does with --db-host";
    const auto& name = situation.options.db_name;
    // What a run that was killed has left half made is made complete.
    const bool goes_on = situation.journal.is_interrupted();
    if (found.tables > 0 && found.version == 0 && !goes_on)
        return "the database " + name
               + " has tables of something else. Choose another name with --db-name";
    if (found.version > migrate::newest_version())
        return "the database " + name + " is of a newer release (tables of version "
               + std::to_string(found.version) + ", this release has "
               + std::to_string(migrate::newest_version()) + "). Install that release";
    if (found.version > 0 && found.version < migrate::newest_version() && !goes_on)
        return "the database " + name + " has tables of an earlier release (version "
               + std::to_string(found.version) + ", this release has "
               + std::to_string(migrate::newest_version())
               + "). Make a backup, then run: mailboxctl migrate --db-user mailboxd_migrate --db-password-file /etc/mailboxd/migrate-db-password";
    return {};
}

// Users of these names may belong to another installation on this server, which needs their
// passwords as they are.
std::string stranger(const Situation& situation, const Found& found)
{
    if (situation.fact("database-users") == "made") return {};
    std::vector<std::string> names;
    for (const auto& user : kUsers) {
        if (found.users.contains(user.name) && is_refused(situation, user))
            names.emplace_back(user.name);
    }
    if (names.empty()) return {};
    return "the database has the users " + strings::joined(names, ", ")
           + " already, with other passwords than the files in /etc/mailboxd have. Put their passwords there (database.md names the files), or drop the users if nothing needs them";
}

// --- steps ----------------------------------------------------------------------------

std::string random_secret()
{
    std::string bytes;
    constexpr int kNumbers = 3;  // 192 bits
    for (int i = 0; i < kNumbers; ++i) {
        const auto value = crypto::random_number();
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    auto text = crypto::base64(bytes);
    for (auto& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
    return text;
}

void add_secret_file(Plan& plan, const Situation& situation, std::string_view part,
                     const std::string& path, const std::string& owner)
{
    if (situation.machine.exists(path)) return;
    plan.add(Phase::create, Kind::create, part,
             "the secret " + path + " (random, for " + owner + " alone)",
             [path, owner](Work& work) {
        if (work.machine.exists(path)) return;
        work.machine.write(path, random_secret() + "\n", {0600, owner, ""});
    });
}

std::string owner_of(const Situation& situation, const User& user)
{
    return *user.owner == '\0' ? situation.store_user : user.owner;
}

void make_user(db::Connection& admin, const Situation& situation, const User& user,
               const std::string& client)
{
    const auto name = sql_text(user.name) + "@" + sql_text(client);
    const auto password = sql_text(secret(situation.machine, user.file));
    admin.run("CREATE USER IF NOT EXISTS " + name + " IDENTIFIED BY " + password);
    admin.run("ALTER USER " + name + " IDENTIFIED BY " + password);
    if (user.name == std::string_view{"mailboxd_migrate"})
        admin.run("GRANT ALL ON `" + situation.options.db_name + "`.* TO " + name);
}

// Sets a variable of the server for as long as the tables are made. The server forgets it with its
// next start anyway.
class Trust {
public:
    Trust(db::Connection& admin, bool is_needed) : admin_{is_needed ? &admin : nullptr}
    {
        if (admin_ != nullptr) admin_->run("SET GLOBAL log_bin_trust_function_creators = 1");
    }
    ~Trust()
    {
        try {
            if (admin_ != nullptr) admin_->run("SET GLOBAL log_bin_trust_function_creators = 0");
        } catch (const std::exception&) {
            // The tables are there. The setting permits nothing that a user may not do otherwise.
        }
    }
    Trust(const Trust&) = delete;
    Trust& operator=(const Trust&) = delete;

private:
    db::Connection* admin_;
};

const User& user_named(std::string_view name)
{
    for (const auto& user : kUsers) {
        if (user.name == name) return user;
    }
    throw std::logic_error("no such database user");
}

void make_tables(db::Connection& admin, const Situation& situation, bool must_trust)
{
    const Trust trust{admin, must_trust};
    const auto connection = login(situation, user_named("mailboxd_migrate"));
    if (!connection) throw Rejected("mailboxd_migrate cannot log in to the database");
    std::ostringstream progress;
    migrate::apply(*connection, progress);
    routines::restore(*connection, progress);
}

void grant(db::Connection& admin, const Situation& situation, const std::string& client)
{
    admin.run("USE `" + situation.options.db_name + "`");
    for (auto statement : migrate::statements(rights::kGrants)) {
        const std::string_view local = "@'localhost'";
        for (auto at = statement.find(local); at != std::string::npos;
             at = statement.find(local, at + 1))
            statement.replace(at, local.size(), "@" + sql_text(client));
        while (!statement.empty() && (statement.back() == '\n' || statement.back() == ';'))
            statement.pop_back();
        admin.run(statement);
    }
}

// Carries everything out that is missing in the database. Each statement may be repeated.
void set_up(const Situation& situation)
{
    auto admin = administrator(situation);
    const auto found = look_at_server(admin, situation);
    if (const auto reason = obstacle(admin, situation, found); !reason.empty())
        throw Rejected(reason);
    admin.run("CREATE DATABASE IF NOT EXISTS `" + situation.options.db_name
              + "` CHARACTER SET utf8mb4");
    for (const auto& user : kUsers) {
        if (!found.users.contains(user.name) || is_refused(situation, user))
            make_user(admin, situation, user, found.client);
    }
    if (found.version < migrate::newest_version()) make_tables(admin, situation, found.must_trust);
    grant(admin, situation, found.client);
}

// Returns what is missing on a server that runs: one text for each step.
std::vector<std::string> lacking(const Situation& situation, const Found& found)
{
    std::vector<std::string> all;
    const auto& name = situation.options.db_name;
    if (!found.has_database) all.push_back("the database " + name);
    std::vector<std::string> users, without_rights;
    for (const auto& user : kUsers) {
        const bool is_there = found.users.contains(user.name) && !is_refused(situation, user);
        if (!is_there) users.emplace_back(user.name);
        const auto connection = is_there ? login(situation, user) : nullptr;
        if (is_there && found.version == migrate::newest_version() && !connection)
            without_rights.emplace_back(user.name);
        if (connection && found.version == migrate::newest_version()
            && user.name != std::string_view{"mailboxd_migrate"}
            && !rights::difference(*connection, user.name).refused.empty())
            without_rights.emplace_back(user.name);
    }
    if (!users.empty())
        all.push_back("the database users " + strings::joined(users, ", ")
                      + " with their passwords");
    if (found.version < migrate::newest_version())
        all.push_back("the tables of " + name + ", and the rights of its users");
    if (!without_rights.empty())
        all.push_back("the rights of " + strings::joined(without_rights, ", "));
    return all;
}

void add_steps(Plan& plan, Situation& situation, const std::vector<std::string>& texts)
{
    for (std::size_t i = 0; i < texts.size(); ++i) {
        // One transaction of several statements is not possible, so the last step does all.
        const bool is_last = i + 1 == texts.size();
        plan.add(Phase::prepare, Kind::create, "database", texts[i],
                 [&situation, is_last](Work& work) {
            work.journal.facts["database-users"] = "made";
            work.journal.save();
            if (is_last) set_up(situation);
        });
    }
}

std::vector<std::string> everything(const std::string& name)
{
    return {"the database " + name,
            "the database users mailboxd_api and six others with their passwords",
            "the tables of " + name + ", and the rights of its users"};
}

std::string unreached(const Situation& situation, const db::Error& error)
{
    const auto& options = situation.options;
    if (error.number == kDenied || error.number == kDeniedBySocket)
        return "the database server does not accept "
               + (options.db_admin_user.empty() ? "root without a password" : options.db_admin_user)
               + ". Name an administrator and a file with the password: --db-admin-user USER --db-admin-password-file FILE";
    const auto where = options.db_host.empty() ? situation.db_socket : options.db_host;
    return "the database server at " + where + " cannot be reached (" + error.what()
           + "). Start it (systemctl start mariadb), or name another server with --db-host";
}

}  // namespace

void add_secret(Plan& plan, const Situation& situation, std::string_view part,
                const std::string& file, const std::string& owner)
{
    add_secret_file(plan, situation, part, path_of(file), owner);
}

void add_database(Plan& plan, Situation& situation)
{
    const auto& options = situation.options;
    if (!options.has("database")) return;
    for (const auto& user : kUsers)
        add_secret_file(plan, situation, "database", path_of(user.file), owner_of(situation, user));
    if (situation.will_be_installed("mariadb-server")) {
        add_steps(plan, situation, everything(options.db_name));
        return;
    }
    try {
        auto admin = administrator(situation);
        const auto found = look_at_server(admin, situation);
        if (const auto reason = obstacle(admin, situation, found); !reason.empty())
            plan.obstacles.push_back(reason);
        else if (const auto users = stranger(situation, found); !users.empty())
            plan.obstacles.push_back(users);
        else add_steps(plan, situation, lacking(situation, found));
    } catch (const db::Error& error) {
        plan.obstacles.push_back(unreached(situation, error));
    }
}

}  // namespace setup
