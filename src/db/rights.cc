#include "db/rights.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "base/strings.h"

namespace rights {
namespace {

using Columns = std::vector<std::string>;

struct Right {
    std::string verb;   // SELECT, INSERT, UPDATE, DELETE or EXECUTE
    Columns columns;    // empty: of the whole table
    std::string table;  // or the function
};

// Returns the rights that grants.sql gives the user.
std::vector<Right> needed_by(std::string_view user)
{
    const auto text = std::regex_replace(std::string{kGrants}, std::regex{"--[^\n]*"}, "");
    static const std::regex statement{
        R"(GRANT\s([^;]*?)\sON\s(?:FUNCTION\s+)?(\w+)\s+TO\s'(\w+)'@)"};
    static const std::regex verb{R"((SELECT|INSERT|UPDATE|DELETE|EXECUTE)(?:\s*\(([^)]*)\))?)"};
    static const std::regex word{R"(\w+)"};
    std::vector<Right> rights;
    for (std::sregex_iterator each{text.begin(), text.end(), statement}, end; each != end; ++each) {
        if ((*each)[3].str() != user) continue;
        const std::string verbs = (*each)[1];
        for (std::sregex_iterator one{verbs.begin(), verbs.end(), verb}; one != end; ++one) {
            const std::string list = (*one)[2];
            rights.push_back({(*one)[1],
                              {std::sregex_token_iterator{list.begin(), list.end(), word}, {}},
                              (*each)[2]});
        }
    }
    return rights;
}

// The columns on which the connection's user has any right, with these rights. The server's view
// shows no others.
constexpr char kColumns[] =
    "SELECT table_name, column_name, UPPER(privileges) FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND extra NOT LIKE '%GENERATED%' ORDER BY table_name, ordinal_position";

struct Column {
    std::string name;
    std::string verbs;  // SELECT,INSERT,UPDATE,REFERENCES
};
using Tables = std::map<std::string, std::vector<Column>>;

Tables visible_to(db::Connection& connection)
{
    Tables tables;
    auto rows = connection.query(kColumns);
    while (rows.next()) {
        auto [table, column, verbs] = rows.read<std::string, std::string, std::string>();
        tables[table].push_back({std::move(column), std::move(verbs)});
    }
    return tables;
}

// Returns a statement that only a user with the right can prepare.
std::string statement_for(const Right& right, const Columns& columns)
{
    if (right.verb == "SELECT")
        return "SELECT " + (right.columns.empty() ? "*" : strings::joined(columns, ", ")) + " FROM "
               + right.table;
    if (right.verb == "DELETE") return "DELETE FROM " + right.table;
    if (right.verb == "UPDATE")
        return "UPDATE " + right.table + " SET " + strings::joined(columns, " = ?, ") + " = ?";
    return "INSERT INTO " + right.table + " (" + strings::joined(columns, ", ") + ") VALUES ("
           + strings::joined(Columns(columns.size(), "?"), ", ") + ")";
}

// Returns the server's message if it refuses to prepare the statement; otherwise empty.
std::string refusal(db::Connection& connection, const std::string& statement)
{
    try {
        connection.run("PREPARE right_of_ours FROM '" + statement + "'");
        return {};
    } catch (const db::Error& error) {
        if (error.remedy != db::Remedy::give_up) throw;
        return error.what();
    }
}

// The view shows only functions that the user may call.
constexpr char kFunction[] =
    "SELECT 1 FROM information_schema.routines WHERE routine_schema = DATABASE() AND routine_name = ?";

std::string refusal_of_function(db::Connection& connection, const std::string& name)
{
    if (connection.query(kFunction, {name}).count() > 0) return {};
    return "the function " + name + " is not there or may not be called: "
           + std::string{db::kMakeRoutines} + "; then grants.sql gives the right to call it";
}

// Returns the right's columns; for a right on a whole table, all columns that are visible. If none
// is, returns any name, because the server will refuse it.
Columns columns_of(const Right& right, const Tables& visible)
{
    if (!right.columns.empty()) return right.columns;
    Columns names;
    if (const auto table = visible.find(right.table); table != visible.end()) {
        for (const auto& column : table->second) names.push_back(column.name);
    }
    return names.empty() ? Columns{"id"} : names;
}

bool is_among(const std::vector<Right>& needed, std::string_view verb, const std::string& table,
              const std::string& column)
{
    return std::any_of(needed.begin(), needed.end(), [&](const Right& right) {
        const auto& columns = right.columns;
        return right.verb == verb && right.table == table
               && (columns.empty()
                   || std::find(columns.begin(), columns.end(), column) != columns.end());
    });
}

// Rights that no program of ours needs: on more than single tables of the database, and rights such
// as DROP on tables. To an ordinary user the views show its own rights only.
constexpr char kWide[] =
    "SELECT CONCAT(verb, ' on ', place) FROM ("
    "SELECT grantee, privilege_type AS verb, '*.*' AS place FROM information_schema.user_privileges"
    " UNION ALL SELECT grantee, privilege_type, CONCAT(table_schema, '.*') FROM information_schema.schema_privileges"
    " UNION ALL SELECT grantee, privilege_type, CONCAT(table_schema, '.', table_name) FROM information_schema.table_privileges"
    "   WHERE table_schema <> DATABASE() OR privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')"
    " UNION ALL SELECT grantee, privilege_type, CONCAT(table_schema, '.', table_name) FROM information_schema.column_privileges"
    "   WHERE table_schema <> DATABASE()"
    ") wide WHERE verb <> 'USAGE' AND grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')";

}  // namespace

Difference difference(db::Connection& connection, std::string_view user)
{
    const auto needed = needed_by(user);
    const auto visible = visible_to(connection);
    Difference difference;
    for (const auto& right : needed) {
        difference.refused =
            right.verb == "EXECUTE"
                ? refusal_of_function(connection, right.table)
                : refusal(connection, statement_for(right, columns_of(right, visible)));
        if (!difference.refused.empty()) break;
    }
    for (auto wide = connection.query(kWide); wide.next();)
        difference.excess.push_back(wide.read<std::string>());
    for (const auto& [table, columns] : visible) {
        for (const auto& column : columns) {
            for (const std::string verb : {"SELECT", "INSERT", "UPDATE"}) {
                const bool has = column.verbs.find(verb) != std::string::npos;
                if (has && !is_among(needed, verb, table, column.name))
                    difference.excess.push_back(verb + " (" + column.name + ") on " + table);
            }
        }
        if (is_among(needed, "DELETE", table, {})) continue;
        if (refusal(connection, "DELETE FROM " + table).empty())
            difference.excess.push_back("DELETE on " + table);
    }
    return difference;
}

}  // namespace rights
