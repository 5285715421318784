#include "db/bulk.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <tuple>
#include <utility>

#include "db/skip_index.h"
#include "db/statement.h"
#include "mail/api_key.h"

namespace bulk {

constexpr char kAccount[] =
    "SELECT a.id, (SELECT CAST(COALESCE(SUM(d.mailboxes), 0) AS SIGNED) FROM domain d WHERE d.account_id = a.id), a.max_mailboxes,"
    " a.aliases, a.max_aliases FROM account a WHERE a.name = ?";

std::optional<Account> find_account(db::Connection& connection, const std::string& name)
{
    auto rows = connection.query(kAccount, {name});
    if (!rows.next()) return std::nullopt;
    Account found;
    std::tie(found.id, found.mailboxes, found.max_mailboxes, found.aliases, found.max_aliases) =
        rows.read<std::int64_t, std::int64_t, admin::Limit, std::int64_t, admin::Limit>();
    return found;
}

constexpr char kDomain[] =
    "SELECT d.id, d.name, a.name, d.mailboxes, d.max_mailboxes, d.aliases, d.max_aliases,"
    " d.forward_outside FROM domain_name n JOIN domain d ON d.id = n.domain_id JOIN account a ON a.id = d.account_id WHERE n.name = ?";

std::optional<Domain> find_domain(db::Connection& connection, const std::string& name)
{
    auto rows = connection.query(kDomain, {name});
    if (!rows.next()) return std::nullopt;
    Domain found;
    std::tie(found.id, found.name, found.account, found.mailboxes, found.max_mailboxes,
             found.aliases, found.max_aliases, found.forwards_outside) =
        rows.read<std::int64_t, std::string, std::string, std::int64_t, admin::Limit, std::int64_t,
                  admin::Limit, bool>();
    return found;
}

constexpr char kRemoved[] = "SELECT 1 FROM deleted_domain WHERE name = ? LIMIT 1";

bool is_removed_domain(db::Connection& connection, const std::string& name)
{
    return connection.query(kRemoved, {name}).count() > 0;
}

namespace {

// One statement for several numbers of rows. The largest that fits is used until all are done.
struct ForRows {
    std::size_t rows;
    db::Statement statement;
};
using Statements = std::array<ForRows, 4>;

template <std::size_t count>
constexpr auto kFind =
    db::Text{
        "SELECT local_part, password, quota_bytes, state, storage_id FROM mailbox FORCE INDEX (mailbox_address) WHERE local_part IN ("}
    + db::places<count>() + ") AND domain_id = ?";
constexpr Statements kFindNames{
    {{1000, kFind<1000>}, {100, kFind<100>}, {10, kFind<10>}, {1, kFind<1>}}};

template <std::size_t rows>
constexpr auto groups()
{
    if constexpr (rows == 1) return db::Text{"(?, ?, ?, ?, ?, ?, ?, ?)"};
    else return groups<rows / 2>() + ", " + groups<rows - rows / 2>();
}
template <std::size_t rows>
constexpr auto kInsertRows =
    db::Text{
        "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password, quota_bytes, state) VALUES "}
    + groups<rows>();
constexpr Statements kInsert{{{1000, kInsertRows<1000>},
                              {100, kInsertRows<100>},
                              {10, kInsertRows<10>},
                              {1, kInsertRows<1>}}};

// For mailboxes with the defaults of the last two columns. Each value costs both sides time.
template <std::size_t rows>
constexpr auto groups_with_defaults()
{
    if constexpr (rows == 1) return db::Text{"(?, ?, ?, ?, ?, ?)"};
    else return groups_with_defaults<rows / 2>() + ", " + groups_with_defaults<rows - rows / 2>();
}
template <std::size_t rows>
constexpr auto kInsertDefaultRows =
    db::Text{
        "INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password) VALUES "}
    + groups_with_defaults<rows>();
constexpr Statements kInsertDefaults{{{1000, kInsertDefaultRows<1000>},
                                      {100, kInsertDefaultRows<100>},
                                      {10, kInsertDefaultRows<10>},
                                      {1, kInsertDefaultRows<1>}}};

// Calls `run` with a statement and the rows that it is for, as `first` and their number, until
// `count` rows are done.
template <typename Run>
void in_statements(const Statements& statements, std::size_t count, Run run)
{
    for (std::size_t first = 0; first < count;) {
        const auto* const fitting =
            std::find_if(statements.begin(), std::prev(statements.end()),
                         [&](const auto& each) { return each.rows <= count - first; });
        run(fitting->statement, first, fitting->rows);
        first += fitting->rows;
    }
}

}  // namespace

std::vector<Existing> existing(db::Connection& connection, std::int64_t domain_id,
                               const std::vector<std::string>& local_parts)
{
    std::vector<Existing> found;
    in_statements(kFindNames, local_parts.size(),
                  [&](db::Statement statement, std::size_t first, std::size_t count) {
        std::vector<db::Value> values;
        for (auto i = first; i < first + count; ++i) values.emplace_back(local_parts[i]);
        values.emplace_back(domain_id);
        auto rows = connection.query(statement, values);
        while (rows.next()) {
            auto [name, hash, quota, state, storage_id] =
                rows.read<std::string, std::string, store::Quota, std::string, std::string>();
            found.push_back({std::move(name), std::move(hash), quota, mailbox::state_of(state),
                             std::move(storage_id)});
        }
    });
    return found;
}

constexpr char kHasName[] =
    "SELECT EXISTS (SELECT 1 FROM mailbox WHERE domain_id = ? AND local_part = ?)"
    " OR EXISTS (SELECT 1 FROM alias FORCE INDEX (alias_address) WHERE domain_id = ? AND local_part = ?)";

bool has_name(db::Connection& connection, std::int64_t domain_id, const std::string& local_part)
{
    return connection.query(kHasName, {domain_id, local_part, domain_id, local_part}).only<bool>();
}

namespace {

template <std::size_t count>
constexpr auto kAliasesOf =
    db::Text{"SELECT local_part FROM alias FORCE INDEX (alias_address) WHERE local_part IN ("}
    + db::places<count>() + ") AND domain_id = ?";
constexpr Statements kFindAliases{
    {{1000, kAliasesOf<1000>}, {100, kAliasesOf<100>}, {10, kAliasesOf<10>}, {1, kAliasesOf<1>}}};

}  // namespace

std::map<std::string, Holders> holders(db::Connection& connection, std::int64_t domain_id,
                                       const std::vector<std::string>& local_parts)
{
    std::map<std::string, Holders> all;
    for (const auto& each : local_parts) all[each];
    for (auto& each : existing(connection, domain_id, local_parts))
        all[each.local_part].storage_id = std::move(each.storage_id);
    in_statements(kFindAliases, local_parts.size(),
                  [&](db::Statement statement, std::size_t first, std::size_t count) {
        std::vector<db::Value> values;
        for (auto i = first; i < first + count; ++i) values.emplace_back(local_parts[i]);
        values.emplace_back(domain_id);
        auto rows = connection.query(statement, values);
        while (rows.next()) all[rows.read<std::string>()].has_alias = true;
    });
    return all;
}

constexpr char kCatchAll[] =
    "SELECT public_id FROM alias WHERE account_id = ? AND domain_id = 0 AND local_part = ''";

std::optional<alias::Alias> catch_all_of_account(db::Connection& connection,
                                                 std::int64_t account_id)
{
    const auto id = connection.query(kCatchAll, {account_id}).first<std::string>();
    return id ? alias::find(connection, *id) : std::nullopt;
}

namespace {

constexpr char kNow[] = "SELECT UNIX_TIMESTAMP()";
// On MySQL the triggers do their work, and find it done. There, a session that had set the variable
// kept them from working in other sessions, too (seen with 9.7).
constexpr char kBegin[] =
    "SET @mailboxd_bulk = IF(VERSION() LIKE '%MariaDB%', 1, NULL), foreign_key_checks = 0, character_set_client = ascii,"
    " collation_connection = ascii_bin";
constexpr char kEnd[] = "SET @mailboxd_bulk = NULL, foreign_key_checks = 1, NAMES utf8mb4";

// While this object lives, the triggers of 0011-bulk-import.sql leave their work to this session.
// The foreign key need not be checked, because the transaction has locked the domain's row.
class WithoutTriggers {
public:
    explicit WithoutTriggers(db::Connection& connection) : connection_{connection}
    {
        connection_.run(kBegin);
    }
    ~WithoutTriggers()
    {
        try {
            connection_.run(kEnd);
        } catch (const db::Error&) {
            // The connection is lost, and the variable with it.
        }
    }
    WithoutTriggers(const WithoutTriggers&) = delete;
    WithoutTriggers& operator=(const WithoutTriggers&) = delete;

private:
    db::Connection& connection_;
};

constexpr char kSuspended[] =
    "SELECT local_part, state FROM suspended_name WHERE domain_id = ? FOR UPDATE";
constexpr char kForgetSuspended[] =
    "DELETE FROM suspended_name WHERE domain_id = ? AND local_part = ?";

// Does what the trigger mailbox_inserts does with suspended names.
void take_suspensions(db::Connection& connection, std::int64_t domain_id,
                      std::vector<NewMailbox>& mailboxes)
{
    std::vector<std::pair<std::string, mailbox::State>> suspended;
    auto rows = connection.query(kSuspended, {domain_id});
    while (rows.next()) {
        auto [name, state] = rows.read<std::string, std::string>();
        suspended.emplace_back(std::move(name), mailbox::state_of(state));
    }
    std::sort(suspended.begin(), suspended.end());
    for (auto& each : mailboxes) {
        const auto found = std::lower_bound(suspended.begin(), suspended.end(),
                                            std::pair{each.local_part, mailbox::State::active});
        if (found == suspended.end() || found->first != each.local_part) continue;
        each.state = std::max(each.state, found->second);
        connection.execute(kForgetSuspended, {domain_id, each.local_part});
    }
}

// Does for an alias of the same address what the trigger mailbox_inserts does.
constexpr char kOwnAliases[] =
    "UPDATE alias a JOIN mailbox m FORCE INDEX (mailbox_address) ON m.domain_id = a.domain_id AND m.local_part = a.local_part"
    " JOIN alias_target t ON t.alias_id = a.id AND t.number = 0 SET t.storage_id = m.storage_id"
    " WHERE a.domain_id = ? AND m.id > ? AND m.id <= ?";
constexpr char kHasAliases[] = "SELECT aliases > 0 FROM domain WHERE id = ?";

constexpr char kAudit[] =
    "INSERT INTO audit_log (at, id, actor, client, action, domain, local_part)"
    " SELECT ?, CAST(? AS SIGNED) + id, ?, '', 'create', ?, local_part FROM mailbox FORCE INDEX (PRIMARY) WHERE domain_id = ? AND id > ? AND id <= ?";

constexpr char kAuditQuotas[] =
    "INSERT INTO audit_log (at, id, actor, client, action, domain, local_part)"
    " SELECT ?, CAST(? AS SIGNED) + id, ?, '', 'quota', ?, local_part FROM mailbox FORCE INDEX (PRIMARY)"
    " WHERE domain_id = ? AND id > ? AND id <= ? AND quota_bytes IS NOT NULL";

// The entries that each mailbox would have, had it been added alone. `before`: the id before the
// first of them.
void write_audit(db::Connection& connection, std::int64_t domain_id, const std::string& domain,
                 std::int64_t before, const std::vector<NewMailbox>& mailboxes,
                 const audit::Id& audit, std::size_t& number)
{
    const auto last = before + static_cast<std::int64_t>(mailboxes.size());
    const auto write_all = [&](db::Statement statement) {
        const auto first = audit.id + static_cast<std::int64_t>(number);
        connection.execute(statement, {audit.at, first - before - 1, audit::kOperator, domain,
                                       domain_id, before, last});
        number += mailboxes.size();
    };
    write_all(kAudit);
    if (std::any_of(mailboxes.begin(), mailboxes.end(),
                    [](const NewMailbox& each) { return each.quota_bytes.has_value(); }))
        write_all(kAuditQuotas);
    const audit::Actor actor{std::string{audit::kOperator}};
    for (const auto& each : mailboxes) {
        if (each.state != mailbox::State::active)
            audit::write(connection, audit, number++, actor, audit::action_of(each.state), domain,
                         each.local_part);
    }
}

void insert(db::Connection& connection, std::int64_t domain_id, std::int64_t first_id,
            const std::vector<NewMailbox>& mailboxes)
{
    const auto now = connection.query(kNow).only<std::int64_t>();
    const WithoutTriggers bulk{connection};
    const bool have_defaults =
        std::all_of(mailboxes.begin(), mailboxes.end(), [](const NewMailbox& each) {
            return !each.quota_bytes && each.state == mailbox::State::active;
        });
    std::vector<db::Value> values;
    in_statements(have_defaults ? kInsertDefaults : kInsert, mailboxes.size(),
                  [&](db::Statement statement, std::size_t first, std::size_t count) {
        values.clear();
        for (auto i = first; i < first + count; ++i) {
            const auto& each = mailboxes[i];
            const auto created_at = each.created_at == 0 ? now : each.created_at;
            for (const auto& value : std::initializer_list<db::Value>{
                     domain_id, first_id + static_cast<std::int64_t>(i), each.local_part,
                     created_at, each.storage_id, each.hash})
                values.push_back(value);
            if (have_defaults) continue;
            values.push_back(store::value_of(each.quota_bytes));
            values.emplace_back(mailbox::text(each.state));
        }
        connection.execute(statement, values);
    });
}

}  // namespace

store::Created add(db::Connection& connection, std::int64_t domain_id, const std::string& domain,
                   std::vector<NewMailbox> mailboxes, const audit::Id& audit, std::size_t& number)
{
    const auto count = static_cast<std::int64_t>(mailboxes.size());
    const auto reserved = store::reserve(connection, domain_id, count);
    if (!reserved) return {store::Created::Outcome::no_such_domain};
    auto done = store::check_allowances(connection, domain_id, *reserved, reserved->mailboxes);
    if (done.outcome != store::Created::Outcome::yes) return done;
    const auto before = reserved->last_id - count;
    if (reserved->has_suspended_names) take_suspensions(connection, domain_id, mailboxes);
    insert(connection, domain_id, before + 1, mailboxes);
    skip_index::add_newest(connection, domain_id, before + 1, reserved->last_id);
    if (connection.query(kHasAliases, {domain_id}).only<bool>())
        connection.execute(kOwnAliases, {domain_id, before, reserved->last_id});
    write_audit(connection, domain_id, domain, before, mailboxes, audit, number);
    done.created = mailboxes.size();
    return done;
}

namespace {

constexpr char kLockAccount[] = "SELECT id FROM account WHERE id = ? FOR UPDATE";
constexpr char kAliasAllowances[] =
    "SELECT a.aliases, a.max_aliases, d.aliases, d.max_aliases, d.forward_outside FROM account a JOIN domain d ON d.account_id = a.id"
    " WHERE d.id = ? AND a.id = ?";

template <std::size_t rows>
constexpr auto alias_groups()
{
    if constexpr (rows == 1) return db::Text{"(?, ?, ?, ?, 0, ?, ?, ?, UNIX_TIMESTAMP())"};
    else return alias_groups<rows / 2>() + ", " + alias_groups<rows - rows / 2>();
}
template <std::size_t rows>
constexpr auto kAliasRows =
    db::Text{
        "INSERT INTO alias (account_id, public_id, domain_id, local_part, priority, description, expression, actions, created_at) VALUES "}
    + alias_groups<rows>();
constexpr Statements kInsertAliases{
    {{100, kAliasRows<100>}, {25, kAliasRows<25>}, {5, kAliasRows<5>}, {1, kAliasRows<1>}}};

template <std::size_t rows>
constexpr auto kIdRows =
    db::Text{"SELECT public_id, id FROM alias FORCE INDEX (alias_public_id) WHERE public_id IN ("}
    + db::places<rows>() + ")";
constexpr Statements kFindIds{
    {{100, kIdRows<100>}, {25, kIdRows<25>}, {5, kIdRows<5>}, {1, kIdRows<1>}}};

template <std::size_t rows>
constexpr auto target_groups()
{
    if constexpr (rows == 1) return db::Text{"(?, ?, ?, ?, ?)"};
    else return target_groups<rows / 2>() + ", " + target_groups<rows - rows / 2>();
}
template <std::size_t rows>
constexpr auto kTargetRows =
    db::Text{"INSERT INTO alias_target (alias_id, number, kind, storage_id, address) VALUES "}
    + target_groups<rows>();
constexpr Statements kInsertTargets{
    {{100, kTargetRows<100>}, {25, kTargetRows<25>}, {5, kTargetRows<5>}, {1, kTargetRows<1>}}};

template <std::size_t rows>
constexpr auto kAuditRows =
    db::Text{
        "INSERT INTO audit_log (at, id, actor, client, action, domain, local_part)"
        " SELECT ?, CAST(? AS SIGNED) + a.id, ?, '', 'alias-add', ?, a.local_part FROM alias a FORCE INDEX (alias_public_id) WHERE a.public_id IN ("}
    + db::places<rows>() + ")";
constexpr Statements kAuditAliases{
    {{100, kAuditRows<100>}, {25, kAuditRows<25>}, {5, kAuditRows<5>}, {1, kAuditRows<1>}}};

void insert_aliases(db::Connection& connection, const Domain& domain, std::int64_t account_id,
                    const std::vector<NewAlias>& aliases, const std::vector<std::string>& ids)
{
    std::vector<db::Value> values;
    in_statements(kInsertAliases, aliases.size(),
                  [&](db::Statement statement, std::size_t first, std::size_t count) {
        values.clear();
        for (auto i = first; i < first + count; ++i) {
            const auto& each = aliases[i];
            for (const auto& value :
                 std::initializer_list<db::Value>{account_id, ids[i], domain.id, each.local_part,
                                                  each.description, each.expression, each.actions})
                values.push_back(value);
        }
        connection.execute(statement, values);
    });
}

// Returns the numbers that the database gave to new aliases, by their public ids.
std::map<std::string, std::int64_t> numbers(db::Connection& connection,
                                            const std::vector<std::string>& ids)
{
    std::map<std::string, std::int64_t> found;
    in_statements(kFindIds, ids.size(),
                  [&](db::Statement statement, std::size_t first, std::size_t count) {
        const std::vector<db::Value> values(ids.begin() + static_cast<std::ptrdiff_t>(first),
                                            ids.begin()
                                                + static_cast<std::ptrdiff_t>(first + count));
        auto rows = connection.query(statement, values);
        while (rows.next()) {
            auto [id, number] = rows.read<std::string, std::int64_t>();
            found[id] = number;
        }
    });
    return found;
}

void insert_targets(db::Connection& connection, const std::vector<NewAlias>& aliases,
                    const std::vector<std::string>& ids)
{
    const auto number_of = numbers(connection, ids);
    struct Target {
        std::int64_t alias;
        std::int64_t number;
        std::string_view kind;
        db::Value storage_id;
        std::string_view address;
    };
    std::vector<Target> all;
    for (std::size_t i = 0; i < aliases.size(); ++i) {
        const auto alias = number_of.at(ids[i]);
        if (!aliases[i].local_part.empty())
            all.push_back({alias, 0, aliases[i].has_stop ? "stopped" : "own", db::Value{}, ""});
        std::int64_t number = 0;
        for (const auto& each : aliases[i].targets)
            all.push_back({alias, ++number, each.storage_id.empty() ? "outside" : "mailbox",
                           each.storage_id.empty() ? db::Value{} : db::Value{each.storage_id},
                           each.address});
    }
    std::vector<db::Value> values;
    in_statements(kInsertTargets, all.size(),
                  [&](db::Statement statement, std::size_t first, std::size_t count) {
        values.clear();
        for (auto i = first; i < first + count; ++i) {
            for (const auto& value : std::initializer_list<db::Value>{
                     all[i].alias, all[i].number, all[i].kind, all[i].storage_id, all[i].address})
                values.push_back(value);
        }
        connection.execute(statement, values);
    });
}

}  // namespace

void lock_aliases(db::Connection& connection, const std::set<std::int64_t>& domain_ids,
                  std::int64_t account_id)
{
    for (const auto id : domain_ids) store::lock_domain(connection, id);
    connection.query(kLockAccount, {account_id});
}

bool add_aliases(db::Connection& connection, const Domain& domain, std::int64_t account_id,
                 const std::vector<NewAlias>& aliases, const audit::Id& audit)
{
    const auto count = static_cast<std::int64_t>(aliases.size());
    const auto allowances =
        connection.query(kAliasAllowances, {domain.id, account_id})
            .first<std::int64_t, admin::Limit, std::int64_t, admin::Limit, bool>();
    if (!allowances) return false;
    const auto [of_account, max_of_account, of_domain, max_of_domain, forwards] = *allowances;
    if ((max_of_account && of_account + count > *max_of_account)
        || (max_of_domain && of_domain + count > *max_of_domain))
        return false;
    const bool has_outside = std::any_of(aliases.begin(), aliases.end(), [](const auto& alias) {
        return std::any_of(alias.targets.begin(), alias.targets.end(),
                           [](const auto& target) { return target.storage_id.empty(); });
    });
    if (has_outside && !forwards) return false;
    constexpr std::size_t kBytesOfId = 12;
    std::vector<std::string> ids;
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(api_key::random_hex(kBytesOfId));
    insert_aliases(connection, domain, account_id, aliases, ids);
    insert_targets(connection, aliases, ids);
    in_statements(kAuditAliases, ids.size(),
                  [&](db::Statement statement, std::size_t first, std::size_t of) {
        std::vector<db::Value> values{audit.at, audit.id, audit::kOperator, domain.name};
        for (auto i = first; i < first + of; ++i) values.emplace_back(ids[i]);
        connection.execute(statement, values);
    });
    return true;
}

constexpr char kExported[] =
    "SELECT id, local_part, created_at, state, quota_bytes, password FROM mailbox FORCE INDEX (PRIMARY)"
    " WHERE domain_id = ? AND id > ? ORDER BY domain_id, id LIMIT ?";

std::vector<Exported> exported(db::Connection& connection, std::int64_t domain_id,
                               std::int64_t after)
{
    std::vector<Exported> page;
    auto rows = connection.query(kExported, {domain_id, after, std::int64_t{kAtOnce}});
    while (rows.next()) {
        auto [id, name, created_at, state, quota, hash] =
            rows.read<std::int64_t, std::string, std::int64_t, std::string, store::Quota,
                      std::string>();
        page.push_back(
            {id, std::move(name), created_at, mailbox::state_of(state), quota, std::move(hash)});
    }
    return page;
}

constexpr char kDomains[] =
    "SELECT d.name FROM domain d JOIN account a ON a.id = d.account_id WHERE ? IN ('', a.name) ORDER BY d.name";

std::vector<std::string> domains(db::Connection& connection, const std::string& account)
{
    std::vector<std::string> names;
    auto rows = connection.query(kDomains, {account});
    while (rows.next()) names.push_back(rows.read<std::string>());
    return names;
}

}  // namespace bulk
