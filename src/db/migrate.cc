#include "db/migrate.h"

#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "base/strings.h"
#include "db/mailboxes.h"
#include "mail/unicode.h"

namespace migrate {
namespace {

constexpr char kCreateVersions[] = "CREATE TABLE IF NOT EXISTS schema_version ("
                                   " version INT UNSIGNED NOT NULL PRIMARY KEY,"
                                   " name VARCHAR(100) CHARACTER SET ascii NOT NULL,"
                                   " applied_at BIGINT NOT NULL) ENGINE = InnoDB";
constexpr char kVersions[] = "SELECT version FROM schema_version";
constexpr char kInsertVersion[] =
    "INSERT INTO schema_version (version, name, applied_at) VALUES (?, ?, UNIX_TIMESTAMP())";
// MySQL takes names of up to 64 characters.
constexpr char kLock[] = "SELECT GET_LOCK(LEFT(CONCAT('mailboxd migrate ', DATABASE()), 64), 5)";
constexpr char kUnlock[] = "SELECT RELEASE_LOCK(LEFT(CONCAT('mailboxd migrate ', DATABASE()), 64))";

// Finds internationalised domains without their Unicode form: those from before the column was
// added, and those that another program has added since.
constexpr char kUnnamed[] =
    "SELECT id, name FROM domain WHERE unicode_name IS NULL AND name LIKE '%xn--%'";
constexpr char kNameInUnicode[] = "UPDATE domain SET unicode_name = ? WHERE id = ?";

void name_in_unicode(db::Connection& connection)
{
    for (auto rows = connection.query(kUnnamed); rows.next();) {
        const auto [id, name] = rows.read<std::int64_t, std::string>();
        if (const auto unicode_name = unicode::u_labels(name))
            connection.execute(kNameInUnicode, {*unicode_name, id});
    }
}

}  // namespace

std::vector<std::string> statements(std::string_view script)
{
    std::istringstream lines{std::string{script}};
    std::vector<std::string> found;
    std::string statement;
    for (std::string line; std::getline(lines, line);) {
        if (strings::trimmed(line).starts_with("--")) continue;
        statement += line + '\n';
        if (line.ends_with(';')) found.push_back(std::exchange(statement, {}));
    }
    return found;
}

std::int64_t newest_version()
{
    return migrations::kAll[migrations::kCount - 1].version;
}

std::string mismatch(std::int64_t version)
{
    if (version == newest_version()) return {};
    const bool is_old = version < newest_version();
    return "the database has schema version " + std::to_string(version)
           + (is_old ? ", older" : ", newer") + " than this program's "
           + std::to_string(newest_version()) + ": "
           + (is_old ? std::string{db::kMigrate} : "use the programs of the release that made it");
}

void expect_no_older(db::Connection& connection)
{
    const auto version = store::schema_version(connection);
    if (version < newest_version()) throw db::Error{db::Remedy::give_up, mismatch(version)};
}

void expect_same(db::Connection& connection)
{
    const auto problem = mismatch(store::schema_version(connection));
    if (!problem.empty()) throw db::Error{db::Remedy::give_up, problem};
}

std::size_t apply(db::Connection& connection, std::ostream& progress)
{
    if (connection.query(kLock).only<std::int64_t>() != 1)
        throw std::runtime_error(
            "another mailboxctl migrate is running on this database; nothing was changed; try again when it is done");
    connection.run(kCreateVersions);
    std::set<std::int64_t> applied;
    auto versions = connection.query(kVersions);
    while (versions.next()) applied.insert(versions.read<std::int64_t>());
    if (!applied.empty() && *applied.rbegin() > newest_version()) {
        throw std::runtime_error(mismatch(*applied.rbegin()) + "; nothing was changed");
    }
    std::size_t count = 0;
    for (std::size_t i = 0; i < migrations::kCount; ++i) {
        const auto& migration = migrations::kAll[i];
        if (applied.contains(migration.version)) continue;
        progress << "applying " << migration.name << '\n' << std::flush;
        for (const auto& statement : statements(migration.sql)) connection.run(statement);
        connection.execute(kInsertVersion, {std::int64_t{migration.version}, migration.name});
        ++count;
    }
    name_in_unicode(connection);
    connection.query(kUnlock);
    return count;
}

}  // namespace migrate
