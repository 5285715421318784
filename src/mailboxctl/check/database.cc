#include "mailboxctl/check/database.h"

#include <array>
#include <set>
#include <string>

#include "db/connection.h"
#include "db/mailboxes.h"
#include "db/migrate.h"
#include "db/rights.h"
#include "db/server.h"
#include "mailboxctl/check/item.h"

namespace check {
namespace {

// The rights of Dovecot or Postfix.
Result rights(const Config::Database& database, const Config& config, const std::string& program)
{
    if (const auto why = obstacle_to_use(database, program + "_db_password_file"); !why.empty())
        return unknown("skipped: " + why);
    DatabaseUser its{database, config};
    return rights(its, "mailboxd_" + program);
}

// The unique keys that our programs rely on when they let the database decide. Other keys only make
// look-ups fast.
struct Key {
    const char* table;
    const char* columns;
};
constexpr std::array<Key, 15> kUniqueKeys{{{"account", "name"},
                                           {"domain", "name"},
                                           {"domain", "unicode_name"},
                                           {"api_key", "id"},
                                           {"mailbox", "domain_id, id"},
                                           {"mailbox", "domain_id, local_part"},
                                           {"mailbox", "storage_id"},
                                           {"mailbox_range", "domain_id, number"},
                                           {"mailbox_usage", "storage_id"},
                                           {"mailbox_activity", "storage_id"},
                                           {"submission_rate", "storage_id"},
                                           {"sending_rate", "kind, name"},
                                           {"deleted_mailbox", "storage_id"},
                                           {"audit_log", "at, id"},
                                           {"idempotent_request", "key_id, name"}}};

constexpr char kEngines[] =
    "SELECT table_name, COALESCE(engine, 'none') FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'";
constexpr char kKeys[] =
    "SELECT CONCAT(table_name, ' (', GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')') FROM information_schema.statistics"
    " WHERE table_schema = DATABASE() AND non_unique = 0 GROUP BY table_name, index_name HAVING COUNT(sub_part) = 0";

// Both are required: after a crash, a server rolls back changes that its binary log has lost.
constexpr char kDurability[] =
    "SELECT @@innodb_flush_log_at_trx_commit = 1, @@log_bin = 0 OR @@sync_binlog = 1";

}  // namespace

Result connection(DatabaseUser& user)
{
    user.connection();
    return ok();
}

Result schema(DatabaseUser& service)
{
    const auto problem = migrate::mismatch(store::Store{service.session()}.schema_version());
    return problem.empty() ? ok() : wrong(problem);
}

Result server(DatabaseUser& service, const Config& config)
{
    try {
        ::server::try_change(service.connection());
    } catch (const db::Error& error) {
        constexpr int kDenied = 1142;
        if (error.number == kDenied) return skipped(Item::service_rights);
        throw;
    }
    const auto found = ::server::shortfalls(service.connection(), config);
    return found.empty() ? ok() : found.front();
}

Result rights(DatabaseUser& user, std::string_view role)
{
    const auto [refused, excess] = ::rights::difference(user.connection(), role);
    if (!refused.empty()) return wrong(refused);
    if (excess.empty()) return ok();
    return note(
        "it has more rights than it needs, for example " + excess[0] + " ("
        + std::to_string(excess.size())
        + " in all): anyone who gets its password has them, too; sql/grants.sql lists what is enough");
}

Result dovecot_rights(const Config& config)
{
    return rights(config.dovecot_db, config, "dovecot");
}

Result postfix_rights(const Config& config)
{
    return rights(config.postfix_db, config, "postfix");
}

Result tables(DatabaseUser& ctl)
{
    // The server shows only tables on which mailboxctl has rights.
    std::set<std::string> tables, keys;
    for (auto rows = ctl.connection().query(kEngines); rows.next();) {
        const auto [table, engine] = rows.read<std::string, std::string>();
        tables.insert(table);
        if (engine == "InnoDB") continue;
        return wrong(table + " uses the engine " + engine
                     + ", which has no transactions: ALTER TABLE " + table + " ENGINE = InnoDB");
    }
    for (auto rows = ctl.connection().query(kKeys); rows.next();)
        keys.insert(rows.read<std::string>());
    for (const auto& [name, columns] : kUniqueKeys) {
        const std::string table{name};
        if (!tables.contains(table) || keys.contains(table + " (" + columns + ")")) continue;
        return wrong(table + " has lost the unique key (" + columns
                     + "), so duplicates are possible: ALTER TABLE " + table + " ADD UNIQUE KEY ("
                     + columns + ")");
    }
    return ok();
}

Result durability(DatabaseUser& ctl)
{
    const auto [keeps_commits, keeps_binary_log] =
        ctl.connection().query(kDurability).only<bool, bool>();
    const auto lacks = [](const std::string& setting) {
        return wrong("the server loses acknowledged changes if the machine crashes: set "
                     + setting);
    };
    if (!keeps_commits) return lacks("innodb_flush_log_at_trx_commit = 1");
    if (!keeps_binary_log) return lacks("sync_binlog = 1");
    return ok();
}

}  // namespace check
