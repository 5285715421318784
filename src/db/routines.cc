#include "db/routines.h"

#include <algorithm>
#include <map>
#include <regex>

#include "db/migrate.h"

namespace routines {
namespace {

const char* text(Kind kind)
{
    return kind == Kind::trigger ? "TRIGGER" : "FUNCTION";
}

// A dump or a server may change white space in what it stores, and nothing else.
std::string normalized(const std::string& code)
{
    auto text = std::regex_replace(code, std::regex{R"(\s+)"}, " ");
    while (!text.empty() && (text.back() == ';' || text.back() == ' ')) text.pop_back();
    return text.substr(std::min(text.find_first_not_of(' '), text.size()));
}

struct Stored {
    std::string head;  // of a trigger
    std::string body;
    bool is_ours = false;  // by its definer and its sql_mode
};
using Key = std::pair<Kind, std::string>;

constexpr char kTriggers[] =
    "SELECT trigger_name, CONCAT(action_timing, ' ', event_manipulation, ' ON ', event_object_table), action_statement,"
    " definer = CURRENT_USER() AND sql_mode = @@sql_mode FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
// The body of a function is NULL for a user who is not its definer.
constexpr char kFunctions[] =
    "SELECT routine_name, '', COALESCE(routine_definition, ''), definer = CURRENT_USER() AND sql_mode = @@sql_mode"
    " FROM information_schema.routines WHERE routine_schema = DATABASE() AND routine_type = 'FUNCTION'";

std::map<Key, Stored> stored(db::Connection& connection)
{
    std::map<Key, Stored> found;
    for (const auto& [kind, statement] : {std::pair{Kind::trigger, db::Statement{kTriggers}},
                                          {Kind::function, db::Statement{kFunctions}}}) {
        for (auto rows = connection.query(statement); rows.next();) {
            const auto [name, head, body, is_ours] =
                rows.read<std::string, std::string, std::string, bool>();
            found[{kind, name}] = {normalized(head), normalized(body), is_ours};
        }
    }
    return found;
}

bool is_as_wanted(const Stored& stored, const Routine& wanted)
{
    return stored.is_ours && stored.body == normalized(wanted.body)
           && (wanted.kind == Kind::function || stored.head == normalized(wanted.head));
}

std::string definition(const Routine& routine)
{
    const auto separator = routine.kind == Kind::trigger ? " FOR EACH ROW " : " ";
    return routine.name + (routine.kind == Kind::trigger ? " " : "") + routine.head + separator
           + routine.body;
}

std::string table_of(const Routine& trigger)
{
    return trigger.head.substr(trigger.head.rfind(' ') + 1);
}

constexpr char kIsMariaDb[] = "SELECT VERSION() LIKE '%MariaDB%'";

// Another migrate may do the same at the same time. MariaDB replaces a routine in one statement,
// and a function keeps the rights to call it. MySQL cannot do that, so a lock keeps others from
// changing a trigger's table meanwhile.
void make(db::Connection& connection, const Routine& routine, bool is_there)
{
    const std::string kind = text(routine.kind);
    if (connection.query(kIsMariaDb).only<bool>())
        return connection.run("CREATE OR REPLACE " + kind + " " + definition(routine));
    if (!is_there)
        return connection.run("CREATE " + kind + " IF NOT EXISTS " + definition(routine));
    const bool has_lock = routine.kind == Kind::trigger;
    struct Lock {
        db::Connection* connection;
        ~Lock()
        {
            try {
                if (connection != nullptr) connection->run("UNLOCK TABLES");
            } catch (const std::exception&) {
                // The connection is gone, and the lock with it.
            }
        }
    } const lock{has_lock ? &connection : nullptr};
    if (has_lock) connection.run("LOCK TABLES " + table_of(routine) + " WRITE");
    connection.run("DROP " + kind + " " + routine.name);
    connection.run("CREATE " + kind + " " + definition(routine));
}

constexpr char kMendSizes[] =
    "UPDATE mailbox m JOIN mailbox_usage u ON u.storage_id = m.storage_id SET m.size_bytes = u.bytes WHERE m.size_bytes <> u.bytes";
// Gives each domain another version, too, by its trigger.
constexpr char kMendSums[] =
    "UPDATE domain d SET d.version = 0, d.size_bytes ="
    " (SELECT COALESCE(SUM(m.size_bytes), 0) FROM mailbox m WHERE m.domain_id = d.id LOCK IN SHARE MODE)";

// What the triggers of aliases keep: names, counts, and the mailbox that has an alias's own
// address.
constexpr char kMendNames[] =
    "INSERT IGNORE INTO domain_name (name, unicode_name, domain_id, is_alias, created_at)"
    " SELECT d.name, d.unicode_name, d.id, 0, d.created_at FROM domain d"
    " WHERE NOT EXISTS (SELECT 1 FROM domain_name n WHERE n.domain_id = d.id AND n.is_alias = 0)";
constexpr char kMendOwn[] =
    "UPDATE alias_target t JOIN alias a ON a.id = t.alias_id LEFT JOIN mailbox m ON m.domain_id = a.domain_id AND m.local_part = a.local_part"
    " SET t.storage_id = m.storage_id WHERE t.number = 0 AND NOT t.storage_id <=> m.storage_id";
constexpr char kMendAliasesOfDomains[] =
    "UPDATE domain d SET d.aliases = (SELECT COUNT(*) FROM alias a WHERE a.domain_id = d.id)";
constexpr char kMendAliasesOfAccounts[] =
    "UPDATE account c SET c.aliases = (SELECT COUNT(*) FROM alias a LEFT JOIN domain d ON d.id = a.domain_id"
    " WHERE a.account_id = c.id AND (a.domain_id = 0 OR d.id IS NOT NULL))";

bool is_denied(const db::Error& error)
{
    return error.number == 1044 || error.number == 1142 || error.number == 1227
           || error.number == 1370;
}

}  // namespace

std::vector<Routine> all()
{
    static const std::regex drop{R"(^\s*DROP (TRIGGER|FUNCTION) IF EXISTS (\w+);\s*$)"};
    static const std::regex trigger{
        R"(^\s*CREATE TRIGGER IF NOT EXISTS (\w+) (\w+ \w+ ON \w+)\s+FOR EACH ROW\s+([\s\S]*);\s*$)"};
    static const std::regex function{
        R"(^\s*CREATE FUNCTION IF NOT EXISTS (\w+)(\([\s\S]*?)\s(BEGIN\s[\s\S]*END);\s*$)"};
    std::vector<Routine> found;
    const auto erase = [&](const std::string& name) {
        std::erase_if(found, [&](const Routine& each) { return each.name == name; });
    };
    for (std::size_t i = 0; i < migrations::kCount; ++i) {
        for (const auto& statement : migrate::statements(migrations::kAll[i].sql)) {
            std::smatch match;
            if (std::regex_match(statement, match, drop)) {
                erase(match[2]);
            } else if (std::regex_match(statement, match, trigger)) {
                erase(match[1]);
                found.push_back({Kind::trigger, match[1], match[2], match[3]});
            } else if (std::regex_match(statement, match, function)) {
                erase(match[1]);
                found.push_back({Kind::function, match[1], match[2], match[3]});
            }
        }
    }
    return found;
}

std::size_t restore(db::Connection& connection, std::ostream& progress)
{
    const auto found = stored(connection);
    std::size_t count = 0;
    bool has_made_trigger = false;
    for (const auto& routine : all()) {
        const auto it = found.find({routine.kind, routine.name});
        const bool is_there = it != found.end();
        if (is_there && is_as_wanted(it->second, routine)) continue;
        // MariaDB does not move a trigger to another table when it replaces it.
        const bool is_elsewhere = is_there && routine.kind == Kind::trigger
                                  && it->second.head != normalized(routine.head);
        try {
            if (is_elsewhere) connection.run("DROP TRIGGER " + routine.name);
            make(connection, routine, is_there && !is_elsewhere);
        } catch (const db::Error& error) {
            if (!found.empty() || count > 0 || !is_denied(error)) throw;
            progress
                << "Triggers and functions were not checked, because this database user may not see them. A user that may change"
                   " tables can (--db-user, --db-password-file).\n";
            return 0;
        }
        ++count;
        has_made_trigger = has_made_trigger || routine.kind == Kind::trigger;
        progress << "recreated, because it was "
                 << (is_there ? "different or another user's" : "missing") << ": "
                 << (routine.kind == Kind::trigger ? "trigger " : "function ") << routine.name
                 << '\n'
                 << std::flush;
        if (routine.kind == Kind::function)
            progress
                << "its users need their right again: mariadb DATABASE </usr/share/mailboxd/sql/grants.sql\n";
    }
    if (has_made_trigger) {
        connection.execute(kMendSizes);
        connection.execute(kMendSums);
        connection.execute(kMendNames);
        connection.execute(kMendOwn);
        connection.execute(kMendAliasesOfDomains);
        connection.execute(kMendAliasesOfAccounts);
    }
    return count;
}

}  // namespace routines
