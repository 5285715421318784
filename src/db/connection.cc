#include "db/connection.h"

#include <cppconn/exception.h>
#include <cppconn/prepared_statement.h>
#include <cppconn/resultset.h>
#include <cppconn/resultset_metadata.h>
#include <mysql_connection.h>
#include <mysql_driver.h>

#include <unordered_map>

#include "base/metrics.h"

namespace db {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kDuplicateKey = 1062;

Clock::duration time_spent{};

// Triggers and functions run with the rights of the user who created them.
const std::string kAboutDefiner =
    "; a trigger or function runs as that user, who is not there; " + std::string{kMakeRoutines};

const std::string kAboutTables = "; " + std::string{kMigrate};

bool is_read_only(int error)
{
    return error == 1036 || error == 1290 || error == 1792 || error == 1836 || error == 1874
           || error == 1881;
}

// Returns what an operator can do about the error; empty if we do not know.
std::string_view advice(int error)
{
    if (is_read_only(error)) {
        return "; is the server read_only, or super_read_only, as a replica is, or one in maintenance? db_socket or db_host has to lead"
               " to the one that is written to";
    }
    switch (error) {
    case 2002:
    case 2003:
    case 2005: return "; is the server running, and are db_socket, db_host and db_port right?";
    case 1040:
        return "; the server's max_connections is too small for workers, write_workers and what else connects";
    case 1049: return "; is db_name right? If so, CREATE DATABASE makes it";
    case 1044:
    case 1142:
    case 1143:
    case 1370:
        return "; is the database there? If so, its administrator gives the rights: mariadb DATABASE </usr/share/mailboxd/sql/grants.sql";
    case 1054:
    case 1146: return kAboutTables;
    case 1665:
        return "; the server writes a binary log in STATEMENT format, which takes no READ COMMITTED changes: SET GLOBAL binlog_format ="
               " 'ROW' (or 'MIXED'), and the same in its configuration file";
    case 1418:
    case 1419:
        return "; the server writes a binary log, or is a node of a cluster, and lets only administrators make triggers and"
               " functions: SET GLOBAL log_bin_trust_function_creators = 1 on each server, and the same in its configuration file";
    case 1449: return kAboutDefiner;
    case 3:
    case 20:
    case 1021:
    case 1026:
    case 1114:
        return "; the server has no room left: df of its datadir and its tmpdir, or a tablespace that may not grow";
    default: return {};
    }
}

std::string about_password(int error, const Config::Database& database)
{
    if (error != 1045 && error != 1698) return {};
    if (database.password_file.empty())
        return "; is that user there? No password was given: " + database.password_setting
               + " names its file";
    return "; is that user there, and is its password in " + database.password_file + " ("
           + database.password_setting + ")?";
}

Error counted(Remedy remedy, const std::string& sentence, int number)
{
    using metrics::Event;
    metrics::count(remedy == Remedy::retry       ? Event::database_retry
                   : remedy == Remedy::reconnect ? Event::database_reconnect
                                                 : Event::database_give_up);
    return {remedy, sentence, number};
}

// Calls, and turns the library's sql::SQLException into our errors.
template <typename Call>
auto translated(Call call)
{
    try {
        return call();
    } catch (const sql::SQLException& error) {
        const auto sentence =
            std::string{error.what()} + " (error " + std::to_string(error.getErrorCode())
            + ", SQLSTATE " + error.getSQLState() + ")" + std::string{advice(error.getErrorCode())};
        switch (error.getErrorCode()) {
        case kDuplicateKey: throw DuplicateKey{sentence};
        case 1205:  // lock wait time-out
        case 1213:  // deadlock; a Galera certification conflict
        case 3101:  // the same conflict in MySQL Group Replication
        case 1020:  // record has changed since last read (MariaDB 11 under snapshot isolation)
            throw counted(Remedy::retry, sentence, error.getErrorCode());
        case 1047:  // a Galera node outside the quorum
        case 1053:  // server shutdown in progress
        case 1077:
        case 1078:
        case 1079:
        case 1927:  // connection was killed (MariaDB)
        case 3024:
        case 4031:  // closed by the server for idleness (MySQL, over TCP)
        case 2002:
        case 2003:
        case 2006:
        case 2013:
        case 2014:
        case 2026:
        case 2027:
        case 2030:
        case 2055:
        case 1040:  // too many connections
            throw counted(Remedy::reconnect, sentence, error.getErrorCode());
        default: throw counted(Remedy::give_up, sentence, error.getErrorCode());
        }
    }
}

// The same, and adds the call's time to time_spent: for calls that wait for the server, not for
// reading a column.
template <typename Call>
auto timed(Call call)
{
    struct Watch {
        Clock::time_point begin = Clock::now();
        ~Watch() { time_spent += Clock::now() - begin; }
    } const watch;
    return translated(call);
}

}  // namespace

bool is_read_only(const Error& error)
{
    return is_read_only(error.number);
}

Rows::Rows(std::unique_ptr<sql::ResultSet> results)
    : results_{std::move(results)}, columns_{results_->getMetaData()->getColumnCount()}
{
}
Rows::Rows(Rows&&) noexcept = default;
Rows::~Rows() = default;

bool Rows::next()
{
    return translated([&] { return results_->next(); });
}

std::size_t Rows::count() const
{
    return results_->rowsCount();
}

std::int64_t Rows::integer(std::size_t number) const
{
    return translated([&] { return results_->getInt64(static_cast<std::uint32_t>(number)); });
}

std::string Rows::text(std::size_t number) const
{
    return translated(
        [&] { return results_->getString(static_cast<std::uint32_t>(number)).asStdString(); });
}

std::vector<std::optional<std::string>> Rows::texts() const
{
    std::vector<std::optional<std::string>> all;
    for (std::size_t number = 1; number <= columns_; ++number)
        all.push_back(column<std::optional<std::string>>(number));
    return all;
}

bool Rows::is_null(std::size_t number) const
{
    return translated([&] { return results_->isNull(static_cast<std::uint32_t>(number)); });
}

void Rows::expect_columns(std::size_t wanted) const
{
    if (columns_ != wanted)
        throw std::logic_error("a row was read as " + std::to_string(wanted)
                               + " columns, but the statement has " + std::to_string(columns_));
}

void Rows::expect_one_row() const
{
    if (count() != 1)
        throw std::logic_error("a statement that finds one row found " + std::to_string(count()));
}

// The statements are declared after the connection, so they are destroyed before it.
struct Connection::Parts {
    std::unique_ptr<sql::Connection> connection;
    using Prepared = std::unique_ptr<sql::PreparedStatement>;
    std::unordered_map<const char*, Prepared> statements;
    std::unordered_map<std::string, Prepared> texts;

    sql::PreparedStatement& bound(Statement statement, Values values)
    {
        return bound(statements[statement.text()], statement.text(), values);
    }

    sql::PreparedStatement& bound(const std::string& text, Values values)
    {
        return bound(texts[text], text, values);
    }

    sql::PreparedStatement& bound(Prepared& prepared, const sql::SQLString& text, Values values)
    {
        if (!prepared) prepared.reset(connection->prepareStatement(text));
        unsigned index = 0;
        for (const auto& value : values) {
            ++index;
            if (const auto* number = std::get_if<std::int64_t>(&value)) {
                prepared->setInt64(index, *number);
            } else if (const auto* bytes = std::get_if<std::string_view>(&value)) {
                prepared->setString(index, sql::SQLString{bytes->data(), bytes->size()});
            } else {
                prepared->setNull(index, 0);
            }
        }
        return *prepared;
    }
};

// The settings that our statements rely on, whatever the server's defaults are. The last one has
// different names on MariaDB (`/*M!`) and MySQL (`/*!8`). An ordinary user may set each of them.
//
// sql_mode: a value that does not fit is an error, not cut. Without ANSI_QUOTES,
// NO_BACKSLASH_ESCAPES, ORACLE and the like our statements mean what they say. autocommit,
// completion_type: a statement outside a transaction is in force at once, and COMMIT ends nothing
// but the transaction. innodb_lock_wait_timeout: a lock that takes longer than a few seconds is
// reported as such, within the request's deadline. eq_range_index_dive_limit: no look into an index
// only to estimate how many rows a value has. Each statement names or leaves one index, and that
// look costs as much as reading a short page. wait_timeout: a worker may be idle for longer than
// some servers allow. The rest undoes limits that are meant for people who type.
constexpr char kSession[] =
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, completion_type = 0,"
    " innodb_lock_wait_timeout = 5, eq_range_index_dive_limit = 1, wait_timeout = 28800, foreign_key_checks = 1,"
    " unique_checks = 1, sql_safe_updates = 0, sql_select_limit = 18446744073709551615, sql_big_selects = 1,"
    " group_concat_max_len = 65536, sql_auto_is_null = 0, time_zone = '+00:00', NAMES utf8mb4"
    " /*M!100108 , max_statement_time = 0 */ /*!80000 , max_execution_time = 0 */";

Connection::Connection(const Config::Database& database, const std::string& password,
                       const Config& config, Check check)
    : parts_{std::make_unique<Parts>()}
{
    sql::ConnectOptionsMap options;
    options["hostName"] = database.socket.empty()
                              ? "tcp://" + database.host + ":" + std::to_string(database.port)
                              : "unix://" + database.socket;
    options["userName"] = database.user;
    options["password"] = password;
    options["schema"] = database.name;
    options["CLIENT_FOUND_ROWS"] = true;
    options["preInit"] = kSession;  // before the first statement of the library's own
    options["OPT_CONNECT_TIMEOUT"] = static_cast<int>(config.db_connect_timeout.count());
    options["OPT_READ_TIMEOUT"] = static_cast<int>(config.db_timeout.count());
    options["OPT_WRITE_TIMEOUT"] = static_cast<int>(config.db_timeout.count());
    try {
        timed(
            [&] { parts_->connection.reset(sql::mysql::get_driver_instance()->connect(options)); });
        set_session();
        catch_up();
        if (check != nullptr) check(*this);
    } catch (const Error& error) {
        throw Unreached{error.remedy, error.what() + about_password(error.number, database),
                        error.number};
    }
}

namespace {

// Unknown where the server was built without Galera, as MySQL is.
constexpr char kIsClusterNode[] = "SELECT @@wsrep_on";
constexpr int kUnknownVariable = 1193;

}  // namespace

std::int64_t Connection::ask_once(const std::string& statement)
{
    return timed([&] {
        const std::unique_ptr<sql::Statement> made{parts_->connection->createStatement()};
        return Rows{std::unique_ptr<sql::ResultSet>{made->executeQuery(statement)}}
            .only<std::int64_t>();
    });
}

bool Connection::is_cluster_node()
{
    try {
        return ask_once(kIsClusterNode) != 0;
    } catch (const Error& error) {
        if (error.number != kUnknownVariable) throw;
        return false;
    }
}

// A node of a Galera cluster answers reads although it still has to apply what was committed
// elsewhere. One wait at the beginning is enough, because from then on all changes go through this
// node (docs/cluster.md: one writer at a time). It is never set globally: the health check of
// HAProxy would wait, too, and all nodes would count as down.
void Connection::catch_up()
{
    if (!is_cluster_node()) return;
    run("SET SESSION wsrep_sync_wait = 1");
    ask_once("SELECT 1");
    run("SET SESSION wsrep_sync_wait = DEFAULT");
}

void Connection::set_session()
{
    // READ COMMITTED: every statement sees all that was committed before it, and an UPDATE locks no
    // gaps.
    run("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE");
}

Connection::~Connection() = default;

std::uint64_t Connection::execute(Statement statement, Values values)
{
    return timed([&] {
        return static_cast<std::uint64_t>(parts_->bound(statement, values).executeUpdate());
    });
}

Rows Connection::query(Statement statement, Values values)
{
    return timed([&] {
        return Rows{
            std::unique_ptr<sql::ResultSet>{parts_->bound(statement, values).executeQuery()}};
    });
}

Rows Connection::query_text(const std::string& statement, Values values)
{
    return timed([&] {
        return Rows{
            std::unique_ptr<sql::ResultSet>{parts_->bound(statement, values).executeQuery()}};
    });
}

void Connection::run(const std::string& statement)
{
    timed([&] {
        std::unique_ptr<sql::Statement>
        {
            parts_->connection->createStatement()
            } -> execute(statement);
    });
}

std::chrono::microseconds take_time_spent()
{
    return std::chrono::duration_cast<std::chrono::microseconds>(std::exchange(time_spent, {}));
}

}  // namespace db
