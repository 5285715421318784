#include "mailboxctl/check/check.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iomanip>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "base/check_result.h"
#include "base/strings.h"
#include "db/accounts.h"
#include "db/audit.h"
#include "db/connection.h"
#include "db/mailboxes.h"
#include "db/migrate.h"
#include "db/rights.h"
#include "db/server.h"
#include "mail/address.h"
#include "mail/unicode.h"
#include "mailboxctl/check/exposed_secrets.h"
#include "mailboxctl/check/postfix_settings.h"
#include "mailboxctl/check/sockets.h"
#include "mailboxctl/janitor_purge.h"
#include "mailboxctl/send_limit.h"
#include "peers/dovecot.h"
#include "peers/maildir.h"
#include "peers/postconf.h"
#include "peers/postfix_lookups.h"
#include "peers/tls.h"

namespace check {
namespace {

// One of our programs, as the database knows it; connected when first asked for.
class Program {
public:
    Program(const Config::Database& database, const Config& config)
        : database_{database}, config_{config}
    {
    }
    db::Session& session()
    {
        if (!session_) session_.emplace(database_, database_.password(), config_);
        return *session_;
    }
    db::Connection& connection() { return session().connection(); }

private:
    const Config::Database& database_;
    const Config& config_;
    std::optional<db::Session> session_;
};

// --- secrets --------------------------------------------------------------------------

// Whether the group may have others in it than root and this one, whose own group it is not or not
// alone.
bool has_others(gid_t group, uid_t one)
{
    const passwd* const user = ::getpwuid(one);
    if (user == nullptr || user->pw_gid != group) return true;
    const std::string name = user->pw_name;
    const struct group* const entry = ::getgrgid(group);
    for (char** member = entry == nullptr ? nullptr : entry->gr_mem;
         member != nullptr && *member != nullptr; ++member) {
        if (*member != name && *member != std::string{"root"}) return true;
    }
    bool is_one = false;
    ::setpwent();
    while (const passwd* const each = ::getpwent())
        is_one = is_one || (each->pw_gid == group && each->pw_uid != one && each->pw_uid != 0);
    ::endpwent();
    return is_one;
}

// That it is not there, who needs it says.
Result is_kept(const std::string& file, mode_t group_may)
{
    struct stat status {};
    if (file.empty()) return ok();
    if (::stat(file.c_str(), &status) != 0)
        return errno == EACCES ? unknown(file + " cannot be looked at: run this as root") : ok();
    if ((status.st_mode & S_IROTH) != 0)
        return wrong(file + " is everybody's to read: chmod o= " + file);
    if ((status.st_mode & S_IWOTH) != 0)
        return wrong(file + " is everybody's to write: chmod o= " + file);
    if ((status.st_mode & S_IRGRP & ~group_may) == 0 || !has_others(status.st_gid, status.st_uid))
        return ok();
    return note(file
                + " is its group's to read, and that is not its owner's alone: chmod g= " + file);
}

Result is_written_by_its_owner(const std::string& file)
{
    struct stat status {};
    const bool is_there = ::stat(file.c_str(), &status) == 0;
    if (!is_there || (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return ok();
    return wrong(
        file
        + " is not its owner's alone to write, and who writes it leads the programs to another database: chmod go-w "
        + file);
}

// The settings of Dovecot, by the link that it makes beside its sockets.
std::string folder_of_dovecot(const Config& config)
{
    if (config.doveadm.empty()) return {};
    std::error_code error;
    const auto file = std::filesystem::canonical(
        std::filesystem::path{config.doveadm}.parent_path() / "dovecot.conf", error);
    return error ? std::string{} : file.parent_path().string();
}

// Secrets that got into a file of ours or of the mail servers that every user of the system can
// read, such as main.cf.
Result are_nowhere_else(const Config& config)
{
    std::map<std::string, std::string> secrets;
    const auto add = [&](const std::string& name, const std::function<std::string()>& read) {
        try {
            secrets.emplace(name, read());
        } catch (const std::exception&) {
            return;  // whoever needs it complains
        }
    };
    for (const auto user : Config::kDatabases) {
        const auto& database = config.*user;
        add("the password of the database user " + database.user,
            [&] { return database.password(); });
    }
    if (!config.doveadm_key_file.empty())
        add("the key of Dovecot's doveadm", [&] { return config.doveadm_key(); });
    const auto own = std::filesystem::path{config.path}.parent_path().string();
    const auto found = exposed::find(
        {config.postfix, folder_of_dovecot(config), own == "/etc" ? "" : own}, secrets);
    if (!found) return ok();
    return wrong(
        found->file + " is everybody's to read, and " + found->secret
        + " stands in it: take it out there, then give everybody who needs it another one"
          " (ALTER USER for a database user, its password file, and the filled files again)");
}

Result are_kept(const Config& config)
{
    Result found = is_written_by_its_owner(config.path);
    const auto add = [&](const Result& each) {
        if (found.verdict == Verdict::ok
            || (each.verdict == Verdict::wrong && found.verdict != Verdict::wrong))
            found = each;
    };
    for (const auto user : Config::kDatabases) add(is_kept((config.*user).password_file, 0));
    add(is_kept(config.doveadm_key_file, 0));
    add(are_nowhere_else(config));
    if (config.postfix.empty()) return found;
    for (const auto& table : postconf::Postfix{config.postfix}.tables())
        add(is_kept(table, S_IRGRP));  // Postfix's own group
    return found;
}

// --- the database ---------------------------------------------------------------------

Result is_reached(Program& program)
{
    program.connection();
    return ok();
}

Result has_right_schema(Program& service)
{
    const auto problem = migrate::mismatch(store::Store{service.session()}.schema_version());
    return problem.empty() ? ok() : wrong(problem);
}

Result takes_changes(Program& service, const Config& config)
{
    try {
        server::try_change(service.connection());
    } catch (const db::Error& error) {
        constexpr int kDenied = 1142;
        if (error.number == kDenied)
            return unknown("changes were not tried, because a right is missing: see the next line");
        throw;
    }
    const auto found = server::shortfalls(service.connection(), config);
    return found.empty() ? ok() : found.front();
}

Result has_its_rights(Program& program, std::string_view user)
{
    const auto [refused, excess] = rights::difference(program.connection(), user);
    if (!refused.empty()) return wrong(refused);
    if (excess.empty()) return ok();
    return note(
        "it may do more than it needs, such as " + excess[0] + " (" + std::to_string(excess.size())
        + " rights in all): somebody who gets its password may, too; sql/grants.sql says what is enough");
}

// Why one that is not ours cannot be asked; empty: it can.
std::string obstacle(const Config::Database& database, const std::string& setting)
{
    if (database.password_file.empty()) return "the setting " + setting + " is missing";
    if (::access(database.password_file.c_str(), R_OK) != 0 && errno == EACCES)
        return database.password_file + " cannot be read: run this as root";
    return {};
}

// One that is not ours but has its password here, too, so that it can be asked.
Result has_its_rights(const Config::Database& database, const Config& config,
                      const std::string& program)
{
    if (const auto why = obstacle(database, program + "_db_password_file"); !why.empty())
        return unknown("they were not looked at: " + why);
    Program its{database, config};
    return has_its_rights(its, "mailboxd_" + program);
}

// What a program relies on when it lets the database decide. Other keys make look-ups fast.
struct Key {
    const char* table;
    const char* columns;
};
constexpr std::array<Key, 14> kUniqueKeys{{{"account", "name"},
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
                                           {"audit_log", "at, id"}}};

constexpr char kEngines[] =
    "SELECT table_name, COALESCE(engine, 'none') FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'";
constexpr char kKeys[] =
    "SELECT CONCAT(table_name, ' (', GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR ', '), ')') FROM information_schema.statistics"
    " WHERE table_schema = DATABASE() AND non_unique = 0 GROUP BY table_name, index_name HAVING COUNT(sub_part) = 0";

Result has_its_tables(Program& ctl)
{
    std::set<std::string> tables, keys;  // as far as it has rights on them
    for (auto rows = ctl.connection().query(kEngines); rows.next(); tables.insert(rows.text(1))) {
        if (rows.text(2) == "InnoDB") continue;
        return wrong(rows.text(1) + " has the engine " + rows.text(2)
                     + ", which takes no part in transactions: ALTER TABLE " + rows.text(1)
                     + " ENGINE = InnoDB");
    }
    for (auto rows = ctl.connection().query(kKeys); rows.next();) keys.insert(rows.text(1));
    for (const auto& [name, columns] : kUniqueKeys) {
        const std::string table{name};
        if (!tables.contains(table) || keys.contains(table + " (" + columns + ")")) continue;
        return wrong(table + " has lost the unique key (" + columns
                     + "), so that the same can be there twice: ALTER TABLE " + table
                     + " ADD UNIQUE KEY (" + columns + ")");
    }
    return ok();
}

// Without the second, a server that writes a binary log rolls back what that log has lost.
constexpr char kDurability[] =
    "SELECT @@innodb_flush_log_at_trx_commit = 1, @@log_bin = 0 OR @@sync_binlog = 1";

Result is_durable(Program& ctl)
{
    auto rows = ctl.connection().query(kDurability);
    rows.next();
    const auto lacks = [](const std::string& setting) {
        return wrong("the server forgets acknowledged changes when the machine crashes: set "
                     + setting);
    };
    if (rows.integer(1) == 0) return lacks("innodb_flush_log_at_trx_commit = 1");
    if (rows.integer(2) == 0) return lacks("sync_binlog = 1");
    return ok();
}

const std::string kTriggersLost = "the tables have lost theirs";
const std::string kTriggersBack =
    ", so that lists may be old and sizes wrong: " + std::string{db::kMakeRoutines};

constexpr char kSomeDomain[] = "SELECT id, version FROM domain LIMIT 1";
constexpr char kTouch[] = "UPDATE domain SET mailboxes = mailboxes WHERE id = ?";
constexpr char kVersion[] = "SELECT version FROM domain WHERE id = ?";

// Only an administrator can see them; but whoever may change a domain sees what they do. It is
// rolled back.
Result has_trigger_of_domains(Program& ctl)
{
    auto& connection = ctl.connection();
    const db::Transaction transaction{connection};
    auto domain = connection.query(kSomeDomain);
    if (!domain.next()) return ok();
    connection.execute(kTouch, {domain.integer(1)});
    auto now = connection.query(kVersion, {domain.integer(1)});
    if (!now.next() || now.integer(1) != domain.integer(2)) return ok();
    return wrong(kTriggersLost + kTriggersBack);
}

constexpr char kSomeMailbox[] =
    "SELECT m.storage_id, d.name FROM mailbox m JOIN domain d ON d.id = m.domain_id LIMIT 1";
constexpr char kMoveAway[] =
    "UPDATE mailbox_usage SET username = CONCAT(REPEAT('-', 32), SUBSTR(username, 33)) WHERE storage_id = ?";
constexpr char kTell[] =
    "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (CONCAT(?, '@', ?), ?, 1)";
constexpr char kTellAgain[] = "UPDATE mailbox_usage SET bytes = ? WHERE storage_id = ?";
constexpr char kTaken[] =
    "SELECT COALESCE(MAX(m.size_bytes), -1), COALESCE(MAX(d.version), 0) FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE m.storage_id = ?";

struct Taken {
    std::int64_t size = 0;
    std::int64_t version = 0;
};

// Likewise: a size is told as Dovecot does, first where there is none, and is rolled back.
// Dovecot's user cannot see what comes of that, mailboxctl's cannot tell: so one tells, and the
// other reads what is not committed.
Result has_triggers_of_sizes(const Config& config, Program& ctl)
{
    if (const auto why = obstacle(config.dovecot_db, "dovecot_db_password_file"); !why.empty())
        return unknown("those of sizes were not tried: " + why);
    Program dovecot{config.dovecot_db, config};
    auto& reader = ctl.connection();
    auto& writer = dovecot.connection();
    reader.run("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED");
    const db::Transaction reading{reader};
    auto mailbox = reader.query(kSomeMailbox);
    if (!mailbox.next()) return ok();
    const auto id = mailbox.text(1), domain = mailbox.text(2);
    const auto taken = [&] {
        auto rows = reader.query(kTaken, {id});
        rows.next();
        return Taken{rows.integer(1), rows.integer(2)};
    };
    writer.run("SET SESSION foreign_key_checks = 0");  // for the name that is nobody's
    const db::Transaction writing{writer};
    writer.execute(kMoveAway, {id});
    const auto before = taken();
    writer.execute(kTell, {id, domain, before.size + 1});
    const auto told = taken();
    writer.execute(kTellAgain, {before.size + 2, id});
    const auto again = taken();
    if (before.size < 0 || told.size < 0 || again.size < 0) return ok();  // deleted meanwhile
    for (const auto& [name, works] :
         {std::pair{"mailbox_usage_inserts", told.version != before.version},
          {"mailbox_usage_inserted", told.size == before.size + 1},
          {"mailbox_usage_updates", again.version != told.version},
          {"mailbox_usage_updated", again.size == before.size + 2}}) {
        if (!works)
            return wrong(kTriggersLost + (", such as " + std::string{name}) + kTriggersBack);
    }
    return ok();
}

constexpr char kSuspend[] =
    "INSERT INTO suspended_name (domain_id, local_part, state) VALUES (?, '(check)', 'disabled')";
constexpr char kAdd[] =
    "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password) VALUES (?, 0, '(check)', 0, '(check)', '')";
constexpr char kRemove[] = "DELETE FROM mailbox WHERE domain_id = ? AND local_part = '(check)'";
constexpr char kAdded[] =
    "SELECT COUNT(*) FROM mailbox WHERE domain_id = ? AND local_part = '(check)' AND state = 'disabled'";
constexpr char kNamed[] =
    "SELECT COUNT(*) FROM suspended_name WHERE domain_id = ? AND local_part = '(check)'";

// A suspended name gets a mailbox, which no other can have, and loses it again. It is rolled back.
Result has_triggers_of_names(Program& ctl)
{
    auto& connection = ctl.connection();
    const db::Transaction transaction{connection};
    auto domain = connection.query(kSomeDomain);
    if (!domain.next()) return ok();
    const auto id = domain.integer(1);
    const auto number = [&](const char* statement) {
        auto rows = connection.query(statement, {id});
        rows.next();
        return rows.integer(1);
    };
    connection.execute(kSuspend, {id});
    connection.execute(kAdd, {id});
    const bool is_suspended = number(kAdded) == 1;
    const bool is_taken = number(kNamed) == 0;
    connection.execute(kRemove, {id});
    const bool is_kept = number(kNamed) == 1;
    for (const auto& [name, works] : {std::pair{"mailbox_inserts", is_suspended},
                                      {"mailbox_inserted", is_taken},
                                      {"mailbox_deleted", is_kept}}) {
        if (!works)
            return wrong(kTriggersLost + (", such as " + std::string{name}) + kTriggersBack);
    }
    return ok();
}

Result has_triggers(const Config& config, Program& ctl)
{
    for (const auto& found : {has_trigger_of_domains(ctl), has_triggers_of_names(ctl)}) {
        if (found.verdict != Verdict::ok) return found;
    }
    return has_triggers_of_sizes(config, ctl);
}

constexpr char kWrongCounters[] =
    "SELECT d.name, d.mailboxes, (SELECT COUNT(*) FROM mailbox m WHERE m.domain_id = d.id) AS counted"
    " FROM domain d HAVING counted <> d.mailboxes LIMIT 1";

Result counts_right(Program& ctl)
{
    auto rows = ctl.connection().query(kWrongCounters);
    if (!rows.next()) return ok();
    return wrong("domain " + rows.text(1) + " counts " + rows.text(2) + " mailboxes and has "
                 + rows.text(3)
                 + ": somebody changed the tables by hand; set domain.mailboxes to what it has");
}

// Names from before `account add` and `domain add` refused them.
constexpr char kNames[] =
    "SELECT name, 'account' FROM account UNION ALL SELECT name, 'domain' FROM domain";

constexpr char kUnnamed[] =
    "SELECT name FROM domain WHERE unicode_name IS NULL AND name LIKE '%xn--%'";

Result are_no_words(Program& ctl)
{
    Result found = ok();
    auto rows = ctl.connection().query(kNames);
    while (rows.next()) {
        const auto name = rows.text(1);
        if (rows.text(2) == "account") {
            const auto is_actor =
                std::any_of(audit::kActors.begin(), audit::kActors.end(),
                            [&](auto actor) { return strings::equals_ignoring_case(name, actor); });
            if (is_actor && found.verdict == Verdict::ok)
                found = note(
                    "account " + name
                    + " is called like an actor of the audit log, which shows both under that name");
            continue;
        }
        const auto domain = mailbox::Domain::parse(name);
        const auto why = domain ? mailbox::obstacle_to_hosting(*domain) : "it is no domain name";
        if (why.empty()) continue;
        const auto says = "domain " + name + " could not be added any more: " + std::string{why}
                          + "; move its mailboxes to another domain and remove it";
        if (domain && mailbox::is_word(*domain)) return wrong(says);
        if (found.verdict == Verdict::ok) found = note(says);
    }
    if (found.verdict == Verdict::ok) {
        for (auto unnamed = ctl.connection().query(kUnnamed); unnamed.next();) {
            if (!unicode::u_labels(unnamed.text(1))) continue;
            return wrong("nobody can log in with the Unicode form of domain " + unnamed.text(1)
                         + ", which the tables do not know: mailboxctl migrate adds it");
        }
    }
    return found;
}

// Per domain: what its ranges count in all, how many of their fine counts are not 0, and how
// many of the fine ranges that hold mailboxes count them right.
constexpr char kWrongRanges[] =
    "SELECT d.name FROM domain d"
    " LEFT JOIN (SELECT domain_id, SUM(mailboxes) AS mailboxes, SUM(LENGTH(REPLACE(counts, CHAR(0), ''))) AS counts"
    "   FROM mailbox_range GROUP BY domain_id) r ON r.domain_id = d.id"
    " LEFT JOIN (SELECT f.domain_id, COUNT(*) AS fine, SUM(f.mailboxes = ASCII(SUBSTR(r.counts, f.number % 512 + 1, 1))) AS correct"
    "   FROM (SELECT domain_id, id DIV 128 AS number, COUNT(*) AS mailboxes FROM mailbox GROUP BY domain_id, id DIV 128) f"
    "   LEFT JOIN mailbox_range r ON r.domain_id = f.domain_id AND r.number = f.number DIV 512"
    "   GROUP BY f.domain_id) m ON m.domain_id = d.id"
    " WHERE COALESCE(r.mailboxes, 0) <> d.mailboxes OR COALESCE(r.counts, 0) <> COALESCE(m.fine, 0)"
    " OR COALESCE(m.correct, 0) <> COALESCE(m.fine, 0) LIMIT 1";

Result has_right_ranges(Program& ctl)
{
    auto rows = ctl.connection().query(kWrongRanges);
    if (!rows.next()) return ok();
    return wrong(
        "the counts of ranges of domain " + rows.text(1)
        + " do not add up, so that skip finds a wrong place: somebody changed the tables by hand; when they are mended, send mailboxd SIGHUP");
}

constexpr char kWrongSizes[] =
    "SELECT CONCAT(m.local_part, '@', d.name), m.size_bytes, u.bytes FROM mailbox_usage u"
    " JOIN mailbox m ON m.storage_id = u.storage_id JOIN domain d ON d.id = m.domain_id"
    " WHERE m.size_bytes <> GREATEST(u.bytes, 0) LIMIT 1";

Result has_right_sizes(Program& ctl)
{
    auto rows = ctl.connection().query(kWrongSizes);
    if (!rows.next()) return ok();
    return wrong(
        rows.text(1) + " has size_bytes " + rows.text(2) + " where Dovecot said " + rows.text(3)
        + ": a trigger was missing for a while, or somebody changed the tables by hand; mailboxctl mailbox recount "
        + rows.text(1) + " counts it anew");
}

// --- what runs ------------------------------------------------------------------------

// Of FastCGI (1.0, 3.3 and 3.4); both are short.
std::string record(char type, const std::string& content)
{
    return std::string{'\1', type, '\0', '\1', '\0', static_cast<char>(content.size()), '\0', '\0'}
           + content;
}
std::string parameter(const std::string& name, const std::string& value)
{
    return std::string{static_cast<char>(name.size()), static_cast<char>(value.size())} + name
           + value;
}

// As nginx asks for /healthz. A connection alone tells little: systemd takes it, too, and the
// service complains of it.
Result answers(const std::string& path)
{
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    const std::string request =
        record(1, {'\0', '\1', '\0', '\0', '\0', '\0', '\0', '\0'})
        + record(4, parameter("REQUEST_METHOD", "GET") + parameter("REQUEST_URI", "/healthz")
                        + parameter("REQUEST_ID", "check"))
        + record(4, {}) + record(5, {});
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof address.sun_path - 1));
    const struct Connection {
        int number = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ~Connection() { ::close(number); }
    } connection;
    ::setsockopt(connection.number, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(connection.number, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(connection.number, reinterpret_cast<const sockaddr*>(&address), sizeof address)
        != 0) {
        const auto says = path + ": " + std::generic_category().message(errno);
        if (errno == EACCES) return unknown(says + ": run this as root");
        if (errno != EAGAIN)
            return wrong(
                says
                + ": mailboxd does not run: systemctl start mailboxd.socket; its log says why it ended");
    }
    std::string answer(4096, '\0');
    const auto sent = ::send(connection.number, request.data(), request.size(), MSG_NOSIGNAL);
    const auto size = sent < 0 ? sent : ::recv(connection.number, answer.data(), answer.size(), 0);
    if (size > 0 && answer.find("Alive") != std::string::npos) return ok();
    return wrong(
        path
        + " gives no answer within 5 s: see whether mailboxd runs, how long its requests take, and into its log");
}

Result runs(const Config& config)
{
    const auto found = answers(config.socket);
    return found.verdict == Verdict::ok && !config.write_socket.empty()
               ? answers(config.write_socket)
               : found;
}

// Rows stay as long as a login may take after the change; a janitor that runs removes them then.
constexpr char kOldestEnd[] = "SELECT COALESCE(UNIX_TIMESTAMP() - MIN(since), 0) FROM session_end";

Result ends_sessions(Program& ctl)
{
    auto rows = ctl.connection().query(kOldestEnd);
    rows.next();
    if (rows.integer(1)
        <= std::chrono::seconds{janitor::kWatched + std::chrono::minutes{1}}.count())
        return ok();
    return wrong("sessions were to end " + rows.text(1)
                 + " seconds ago, and nobody has seen to it: the janitor does not run, or cannot:"
                   " systemctl restart mailboxd-janitor; its log says why");
}

// --- Dovecot and Postfix --------------------------------------------------------------

struct Sample {
    std::string domain;
    std::string address;
    std::string login_name;  // as Dovecot knows who logs in now
};

constexpr char kSample[] =
    "SELECT d.name, CONCAT(m.local_part, '@', d.name), CONCAT(m.storage_id, '.', m.generation, '@', d.name)"
    " FROM mailbox m JOIN domain d ON d.id = m.domain_id JOIN account a ON a.id = d.account_id"
    " WHERE m.state = 'active' AND d.state = 'active' AND a.state = 'active' LIMIT 1";

// Any mailbox that is in order. Without one, an address that nobody has: whoever looks for it still
// has to ask.
Sample sample(db::Connection& connection)
{
    auto rows = connection.query(kSample);
    if (!rows.next()) return {"nobody.invalid", "postmaster@nobody.invalid", {}};
    return {rows.text(1), rows.text(2), rows.text(3)};
}

Result dovecot_finds(const Config& config, Program& ctl)
{
    if (config.doveadm.empty()) return unknown("it was not asked: the setting doveadm is missing");
    try {
        const auto asked = sample(ctl.connection());
        const doveadm::Client client{config, std::chrono::seconds{5}};
        const bool knows = client.user(asked.address).has_value();
        if (asked.login_name.empty()) return ok();
        if (knows && client.user(asked.login_name, "imap")) return ok();
        if (sample(ctl.connection()).login_name != asked.login_name)
            return ok();  // it has changed meanwhile
        return wrong(
            "it does not " + std::string{knows ? "let in " : "know "} + asked.address
            + ", which is in the tables: see whether its mailboxd-sql.conf.ext leads to this database, and into its log");
    } catch (const doveadm::WrongKey& error) {
        return wrong(error.what());
    } catch (const doveadm::Unasked& error) {
        return unknown(
            std::string{error.what()}
            + ": run this as root; the settings doveadm and doveadm_key_file have to be as Dovecot has them");
    } catch (const doveadm::Failed& error) {
        return wrong(std::string{error.what()} + ": see whether Dovecot runs, and into its log");
    }
}

// Where main.cf has to name which of our tables; mailboxd-main.cf says why.
struct Use {
    const char* setting;
    const char* table;
};
constexpr std::array<Use, 6> kUses{{{"virtual_mailbox_domains", "domains"},
                                    {"virtual_mailbox_maps", "addresses"},
                                    {"virtual_alias_maps", "addresses"},
                                    {"transport_maps", "transport"},
                                    {"smtpd_sender_login_maps", "senders"},
                                    {"smtpd_recipient_restrictions", "recipients"}}};

// The table of ours in a setting's value, without the proxy in front of it, which answers only
// while Postfix runs. Empty: none.
std::string table_in(const std::string& value, const std::string& name)
{
    std::string words = value;
    std::replace(words.begin(), words.end(), ',', ' ');
    std::istringstream all{words};
    for (std::string word; all >> word;) {
        if (word.starts_with("proxy:")) word.erase(0, word.find(':') + 1);
        if (word.starts_with("mysql:") && word.ends_with("/mailboxd-" + name + ".cf")) return word;
    }
    return {};
}

// Nothing: the table answered, be it with nothing.
std::optional<Result> complaint(const std::string& table, const postconf::Postfix::Answer& answer)
{
    if (answer.is_well || answer.text.empty()) return std::nullopt;
    if (::geteuid() != 0) return unknown(answer.text + ": run this as root");
    return wrong(table + " does not answer: " + answer.text);
}

// The library that connects says nothing where it cannot read its option file, and then the session
// sets nothing.
std::optional<Result> sets_its_session(const std::string& table)
{
    std::ifstream file{table};
    if (!file)
        return ::geteuid() == 0 ? wrong(table + " cannot be read")
                                : unknown(table + " cannot be read: run this as root");
    std::smatch found;
    for (std::string line; std::getline(file, line);) {
        static const std::regex option{R"(option_file\s*=\s*(\S+)\s*)"};
        if (!std::regex_match(line, found, option)) continue;
        const std::string path = found[1];
        struct stat status {};
        if (::stat(path.c_str(), &status) != 0)
            return wrong(table + " names " + path
                         + ", which cannot be read: " + std::strerror(errno));
        if ((status.st_mode & (S_IRGRP | S_IROTH)) != 0) return std::nullopt;
        return wrong(path + " is not readable by Postfix's group: chgrp postfix " + path
                     + "; chmod g+r " + path);
    }
    return note(
        table
        + " names no option_file, so that the server's own settings count, such as autocommit and wait_timeout:"
          " fill in this release's files, as CHANGES.md says");
}

constexpr char kOldCount[] =
    "SELECT submission_count('', 1)";  // of a mailbox that nobody has, so that nothing is counted

// What Postfix does when a mailbox sends: as its user in the database, and by its socket. Nothing:
// it can.
std::optional<Result> sending_is_counted(const Config& config, const postconf::Postfix& programs)
{
    const auto tables = programs.tables();
    const bool is_old = std::any_of(tables.begin(), tables.end(), [](const auto& table) {
        return table.ends_with("/mailboxd-submission.cf");
    });
    if (obstacle(config.postfix_db, "postfix_db_password_file").empty()) {
        Program its{config.postfix_db, config};
        try {
            send_limit::try_to_count(its.connection());
            if (is_old) its.connection().query(kOldCount);
        } catch (const db::Unreached&) {
            // "rights of Postfix" says so.
        } catch (const db::Error& error) {
            return wrong(
                std::string{
                    "what a mailbox sends cannot be counted, so that nobody can send (451): "}
                + error.what());
        }
    }
    if (is_old)
        return note(
            "its files are those of an earlier release: fill them in anew, as CHANGES.md says");
    const auto socket = programs.policy_socket("mailboxd-sending");
    if (socket.empty())
        return note(
            "it does not ask mailboxctl how much a mailbox may send: mailboxd-master.cf says what belongs there");
    try {
        const auto answer = send_limit::ask(socket);
        if (answer == "action=DUNNO") return std::nullopt;
        return wrong(socket + " says " + answer + ": nobody can send; the mail log says why");
    } catch (const std::runtime_error& error) {
        if (::geteuid() != 0) return unknown(std::string{error.what()} + ": run this as root");
        return wrong(
            std::string{error.what()}
            + ": nobody can send (451). See whether Postfix runs, and into the mail log; the user of"
              " mailboxd-sending in master.cf has to read mailboxd.conf and its postfix_db_password_file");
    }
}

Result postfix_finds(const Config& config, Program& ctl)
{
    if (config.postfix.empty()) return unknown("it was not asked: the setting postfix is missing");
    const postconf::Postfix programs{config.postfix};
    const auto asked = sample(ctl.connection());
    for (const auto& [setting, name] : kUses) {
        const auto value = programs.setting(setting);
        if (!value.is_well)
            return wrong("postconf does not tell its " + std::string{setting} + ": " + value.text);
        const auto table = table_in(value.text, name);
        if (table.empty())
            return wrong("its " + std::string{setting} + " does not name mailboxd-" + name
                         + ".cf: mailboxd-main.cf says what belongs there");
        const auto& key = name == std::string_view{"domains"} ? asked.domain : asked.address;
        const auto before = postfix::find(ctl.connection(), name, key);
        const auto answer = programs.look_up(key, table);
        if (const auto found = complaint(table, answer)) return *found;
        // Which way mail takes is said in the installed file alone.
        const bool is_free = name == std::string_view{"transport"};
        const auto is_as = [&](const std::optional<std::string>& expected) {
            return answer.is_well == expected.has_value()
                   && (is_free || !expected || *expected == answer.text);
        };
        if (is_as(before) || is_as(postfix::find(ctl.connection(), name, key))) continue;
        return wrong(
            table + " says " + (answer.is_well ? answer.text : "nothing") + " about " + key
            + ", and the tables another thing: see whether it leads to this database and is of this release");
    }
    if (const auto found = sending_is_counted(config, programs)) return *found;
    for (const auto& table : programs.tables()) {
        if (const auto found = sets_its_session(table)) return *found;
    }
    // Those for submission, too. About a name that is no login's, so that nothing is counted.
    for (const auto& table : programs.tables()) {
        if (const auto found =
                complaint(table, programs.look_up("nobody@" + asked.domain, "mysql:" + table)))
            return *found;
    }
    return ok();
}

constexpr char kDomains[] = "SELECT name FROM domain";

Result postfix_is_safe(const Config& config, Program& ctl)
{
    if (config.postfix.empty())
        return unknown("they were not looked at: the setting postfix is missing");
    const postconf::Postfix programs{config.postfix};
    if (!programs.setting("mydestination").is_well)
        return ok();  // the point before this one has said so
    std::set<std::string> domains;
    for (auto rows = ctl.connection().query(kDomains); rows.next();) domains.insert(rows.text(1));
    return smtp::judge(programs, domains);
}

// --- certificates ---------------------------------------------------------------------

// What a certificate may have left of its time: two weeks, or a sixth where it is one of days.
std::int64_t least_left(const tls::Shown& shown)
{
    constexpr auto kTwoWeeks = std::chrono::seconds{std::chrono::days{14}}.count();
    return std::min(kTwoWeeks, (shown.valid_until - shown.valid_from) / 6);
}

Result are_shown(const Config& config)
{
    if (config.tls_urls.empty())
        return unknown("none was looked at: the setting tls_urls is missing");
    for (const auto& url : config.tls_urls) {
        const auto shown = tls::certificate(url, config.tls_ca_file, std::chrono::seconds{5});
        if (!shown.problem.empty()) return wrong(url + ": " + shown.problem);
        if (shown.valid_until - std::time(nullptr) < least_left(shown)) {
            return wrong(url + " shows a certificate that ends "
                         + admin::time_text(shown.valid_until)
                         + ": see why it was not renewed, or reload who shows it");
        }
    }
    return ok();
}

// --- the mail store -------------------------------------------------------------------

constexpr char kHadMail[] =
    "SELECT m.storage_id, CONCAT(m.local_part, '@', d.name) FROM mailbox m JOIN domain d ON d.id = m.domain_id"
    " LEFT JOIN mailbox_activity a ON a.storage_id = m.storage_id"
    " WHERE m.storage_id LIKE CONCAT(?, '%') AND (m.size_bytes > 0 OR a.last_delivery > 0)"
    " UNION ALL SELECT storage_id, CONCAT(local_part, '@', domain, ', which is deleted') FROM deleted_mailbox"
    " WHERE storage_id LIKE CONCAT(?, '%') AND purged_at IS NULL AND size_bytes > 0";

// By storage id, the mailboxes that must have a folder and have none.
std::map<std::string, std::string> without_folder(db::Connection& connection,
                                                  const storage::Store& store,
                                                  const std::string& prefix)
{
    std::map<std::string, std::string> addresses;
    auto rows = connection.query(kHadMail, {prefix, prefix});
    while (rows.next()) addresses.emplace(rows.text(1), rows.text(2));
    if (addresses.empty()) return addresses;
    for (const auto& id : store.ids(prefix)) addresses.erase(id);
    return addresses;
}

Result has_its_folders(const Config& config, Program& ctl)
{
    if (config.store.empty()) return unknown("it was not looked at: the setting store is missing");
    ctl.connection();  // its password may be root's alone to read
    janitor::become_owner_of_store(config);
    if (::access(config.store.c_str(), R_OK | W_OK | X_OK) != 0) {
        const auto says = config.store + ": " + std::generic_category().message(errno);
        if (config.store_user.empty() && errno == EACCES)
            return unknown(says + ": run this as root, or as its owner");
        return wrong(says + "; it has to be there and to belong to "
                     + (config.store_user.empty() ? "who runs the janitor" : config.store_user));
    }
    const storage::Store store{config.store};
    janitor::Purge purge{ctl.session(), config};
    std::int64_t lost = 0, unknown_folders = 0;
    std::string lost_example, unknown_example;
    for (int number = 0; number < storage::kPrefixes; ++number) {
        const auto prefix = storage::prefix(number);
        if (const auto misfits = store.misfits(prefix); !misfits.empty()) {
            const auto owner = config.store_user.empty() ? "the store's owner" : config.store_user;
            return wrong(
                misfits[0] + " has to be a folder of " + owner
                + ", and is a file, a link or another's, as after a restore by root: chown -R what was restored, remove a link");
        }
        // Looked at twice: it may have been removed between the look at the tables and the one at
        // the folders.
        auto missing = without_folder(ctl.connection(), store, prefix);
        if (!missing.empty()) {
            const auto still = without_folder(ctl.connection(), store, prefix);
            std::erase_if(missing, [&](const auto& each) { return !still.contains(each.first); });
        }
        lost += static_cast<std::int64_t>(missing.size());
        if (!missing.empty() && lost_example.empty()) {
            lost_example = missing.begin()->second + " (" + config.store + "/" + prefix + "/"
                           + missing.begin()->first + ")";
        }
        const auto strange = purge.unknown(prefix);
        unknown_folders += static_cast<std::int64_t>(strange.size());
        if (!strange.empty() && unknown_example.empty())
            unknown_example = prefix + "/" + strange[0];
    }
    if (lost > 0) {
        return wrong(
            std::to_string(lost) + " mailboxes have had mail and have no folder, such as "
            + lost_example
            + ": see whether the store is mounted there; otherwise bring it back from the backup");
    }
    if (unknown_folders > 0) {
        return note(
            std::to_string(unknown_folders) + " folders belong to no mailbox, such as "
            + unknown_example
            + ", as after a restore: look into them; mailboxctl janitor --orphans removes them");
    }
    return ok();
}

// Of the store's owner, whose processes hold one for each session that waits for new mail.
constexpr char kInstances[] = "/proc/sys/fs/inotify/max_user_instances";

Result has_instances(const Config& config)
{
    constexpr std::int64_t kEnough = 1024;
    std::ifstream file{kInstances};
    std::int64_t instances = 0;
    if (config.store.empty())
        return unknown("its limits were not looked at: the setting store is missing");
    if (!(file >> instances)) return unknown(std::string{kInstances} + " cannot be read");
    if (instances >= kEnough) return ok();
    return note(
        "fs.inotify.max_user_instances is " + std::to_string(instances)
        + ": so many IMAP sessions hear of new mail at once, and the others up to half a minute"
          " later; cp /usr/share/mailboxd/mailboxd-sysctl.conf /etc/sysctl.d && sysctl --system");
}

// --- all of it ------------------------------------------------------------------------

struct Point {
    std::string name;
    std::function<Result()> look;
};

// What keeps a point from being looked at is often the same for many, such as a database that is
// not there. It is wrong, and told, once.
Result look_at(const Point& point, std::set<std::string>& told)
{
    try {
        return point.look();
    } catch (const std::exception& error) {
        return told.insert(error.what()).second
                   ? wrong(error.what())
                   : unknown("it was not looked at, for a reason that is told above");
    }
}

}  // namespace

bool run(const Config& config, std::ostream& out)
{
    Program service{config.db, config}, ctl{config.ctl_db, config},
        janitor{config.janitor_db, config};
    std::vector<Point> points{
        {"secrets", [&] { return are_kept(config); }},
        {"sockets", [&] { return sockets::are_for_nginx(config); }},
        {"database, as the service", [&] { return is_reached(service); }},
        {"database, as mailboxctl", [&] { return is_reached(ctl); }},
        {"schema", [&] { return has_right_schema(service); }},
        {"server", [&] { return takes_changes(service, config); }},
        {"rights of the service", [&] { return has_its_rights(service, "mailboxd_api"); }},
        {"rights of mailboxctl", [&] { return has_its_rights(ctl, "mailboxd_ctl"); }},
        {"rights of Dovecot", [&] { return has_its_rights(config.dovecot_db, config, "dovecot"); }},
        {"rights of Postfix", [&] { return has_its_rights(config.postfix_db, config, "postfix"); }},
        {"service", [&] { return runs(config); }},
        {"tables", [&] { return has_its_tables(ctl); }},
        {"durability", [&] { return is_durable(ctl); }},
        {"triggers", [&] { return has_triggers(config, ctl); }},
        {"names", [&] { return are_no_words(ctl); }},
        {"counters", [&] { return counts_right(ctl); }},
        {"ranges", [&] { return has_right_ranges(ctl); }},
        {"sizes", [&] { return has_right_sizes(ctl); }},
        {"Dovecot", [&] { return dovecot_finds(config, ctl); }},
        {"Postfix", [&] { return postfix_finds(config, ctl); }},
        {"settings of Postfix", [&] { return postfix_is_safe(config, ctl); }},
        {"kernel", [&] { return has_instances(config); }},
        {"certificates", [&] { return are_shown(config); }},
        {"mail store",
         [&] {
        return has_its_folders(config, ctl);
         }},  // the last: root's rights are gone behind it
        };
    if (!config.store.empty()) {
        const auto behind = std::find_if(points.begin(), points.end(), [](const Point& point) {
            return point.name == "durability";
        });
        points.insert(behind, {{"database, as the janitor", [&] { return is_reached(janitor); }},
                               {"rights of the janitor",
                                [&] { return has_its_rights(janitor, "mailboxd_janitor"); }},
                               {"janitor", [&] { return ends_sessions(ctl); }}});
    }
    bool is_well = true;
    std::set<std::string> told;
    constexpr int kVerdictWidth = 9;
    for (const auto& point : points) {
        const auto [verdict, says] = look_at(point, told);
        out << std::left << std::setw(kVerdictWidth) << text(verdict) << point.name
            << (says.empty() ? "" : ": ") << says << '\n'
            << std::flush;
        is_well = is_well && verdict != Verdict::wrong;
    }
    return is_well;
}

}  // namespace check
