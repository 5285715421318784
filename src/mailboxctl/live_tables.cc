#include "mailboxctl/live_tables.h"

#include <stdexcept>

#include "base/strings.h"
#include "db/accounts.h"
#include "db/connection.h"
#include "peers/sqlite.h"

namespace live_tables {
namespace {

using source_tables::Cell;
using source_tables::Selection;
using source_tables::Table;
using source_tables::Tables;
using source_tables::Wanted;

// Returns the names as a list of a statement. They are the server's own names, not a person's text,
// but any name can be quoted.
std::string list_of(const std::vector<std::string>& names, char quote)
{
    std::vector<std::string> quoted;
    for (const auto& name : names) {
        std::string text(1, quote);
        for (const char c : name) text += c == quote ? std::string(2, c) : std::string(1, c);
        quoted.push_back(text + quote);
    }
    return strings::joined(quoted, ", ");
}

// What differs between the two kinds of databases.
struct Asked {
    std::string name;  // for messages
    char quote;
    std::vector<std::string> tables;
    std::function<std::vector<std::string>(const std::string& table)> columns;
    std::function<void(const std::string& statement,
                       const std::function<void(std::vector<Cell>&)>&)>
        each;
};

Tables read(const Asked& asked, const std::vector<Wanted>& wanted)
{
    Tables tables;
    for (const auto& name : asked.tables) {
        const auto quoted = list_of({name}, asked.quote);
        const auto* const its = source_tables::find(wanted, name);
        if (its == nullptr) {
            asked.each("SELECT COUNT(*) FROM " + quoted, [&](std::vector<Cell>& row) {
                tables.others[name] = std::stoll(row.front().value_or("0"));
            });
            continue;
        }
        const Selection selection{asked.name, *its, asked.columns(name)};
        Table table{selection.names()};
        asked.each("SELECT " + list_of(selection.names(), asked.quote) + " FROM " + quoted,
                   [&](std::vector<Cell>& row) { table.add(row); });
        tables.loaded.emplace(its->table, std::move(table));
    }
    source_tables::expect_all(asked.name, wanted, tables);
    return tables;
}

std::vector<std::string> column_of(db::Rows rows)
{
    std::vector<std::string> all;
    while (rows.next()) all.push_back(rows.read<std::string>());
    return all;
}

[[noreturn]] void refuse_url(const std::string& reason)
{
    throw admin::Refused(reason
                         + "; use mysql://USER@HOST:PORT/DATABASE, or "
                           "mysql://USER@/DATABASE?socket=/run/mysqld/mysqld.sock");
}

}  // namespace

Config::Database database_of(std::string_view url)
{
    constexpr std::string_view kStart = "mysql://";
    Config::Database database;
    database.socket.clear();
    database.user = "root";
    auto rest = url.substr(kStart.size());
    if (const auto query = rest.find('?'); query != std::string_view::npos) {
        constexpr std::string_view kSocket = "socket=";
        const auto setting = rest.substr(query + 1);
        if (!setting.starts_with(kSocket) || setting.size() == kSocket.size())
            refuse_url("'" + std::string{setting} + "' is not socket=PATH");
        database.socket = setting.substr(kSocket.size());
        rest = rest.substr(0, query);
    }
    const auto slash = rest.find('/');
    if (slash == std::string_view::npos || slash + 1 == rest.size())
        refuse_url("the address of the database names none");
    database.name = rest.substr(slash + 1);
    auto server = rest.substr(0, slash);
    if (const auto at = server.rfind('@'); at != std::string_view::npos) {
        database.user = server.substr(0, at);
        server = server.substr(at + 1);
        if (database.user.find(':') != std::string::npos)
            refuse_url(
                "a password in the address can be read by every user of this machine; give it with "
                "--source-password-file FILE");
    }
    if (const auto colon = server.rfind(':'); colon != std::string_view::npos) {
        constexpr std::uint64_t kLastPort = 65535;
        const auto port = strings::whole_number(server.substr(colon + 1), kLastPort);
        if (!port || *port == 0) refuse_url("'" + std::string{server} + "' has no port");
        database.port = static_cast<std::uint16_t>(*port);
        server = server.substr(0, colon);
    }
    if (server.empty() == database.socket.empty())
        refuse_url("name either the server's host or its socket");
    if (!server.empty()) database.host = server;
    return database;
}

Tables of_mysql(const Config::Database& database, const Config& config,
                const std::vector<Wanted>& wanted)
{
    db::Connection connection{database, database.password(), config};
    connection.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    connection.run("START TRANSACTION WITH CONSISTENT SNAPSHOT");
    Asked asked{.name = "the database " + database.name,
                .quote = '`',
                .tables = {},
                .columns = {},
                .each = {}};
    asked.tables =
        column_of(connection.query("SELECT TABLE_NAME FROM information_schema.TABLES"
                                   " WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE'"
                                   " ORDER BY TABLE_NAME",
                                   {database.name}));
    asked.columns = [&](const std::string& table) {
        return column_of(
            connection.query("SELECT COLUMN_NAME FROM information_schema.COLUMNS"
                             " WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION",
                             {database.name, table}));
    };
    asked.each = [&](const std::string& statement, const auto& row) {
        auto rows = connection.query_text(statement);
        while (rows.next()) {
            auto cells = rows.texts();
            row(cells);
        }
    };
    return read(asked, wanted);
}

Tables of_sqlite(const std::string& path, const std::vector<Wanted>& wanted)
{
    try {
        sqlite::Database database{path};
        Asked asked{.name = path, .quote = '"', .tables = {}, .columns = {}, .each = {}};
        const auto column = [&](const std::string& statement) {
            std::vector<std::string> all;
            database.each(statement,
                          [&](std::vector<Cell>& row) { all.push_back(row.front().value_or("")); });
            return all;
        };
        database.each("BEGIN", [](std::vector<Cell>&) {});
        asked.tables = column("SELECT name FROM sqlite_master WHERE type = 'table'"
                              " AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name");
        asked.columns = [&](const std::string& table) {
            return column("SELECT name FROM pragma_table_info(" + list_of({table}, '\'') + ")");
        };
        asked.each = [&](const std::string& statement, const auto& row) {
            database.each(statement, row);
        };
        return read(asked, wanted);
    } catch (const admin::Refused&) {
        throw;
    } catch (const std::runtime_error& error) {
        throw admin::Refused(error.what());
    }
}

}  // namespace live_tables
