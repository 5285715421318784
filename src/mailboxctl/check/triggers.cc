#include "mailboxctl/check/triggers.h"

#include <cstdint>
#include <exception>
#include <string>
#include <tuple>
#include <utility>

#include "db/connection.h"
#include "db/transaction.h"

namespace check {
namespace {

Result missing(const std::string& trigger)
{
    return wrong("the trigger " + trigger + " is missing, so lists may be stale and sizes wrong: "
                 + std::string{db::kMakeRoutines});
}

constexpr char kSomeDomain[] = "SELECT id, version FROM domain LIMIT 1";
constexpr char kTouch[] = "UPDATE domain SET mailboxes = mailboxes WHERE id = ?";
constexpr char kVersion[] = "SELECT version FROM domain WHERE id = ?";

// Changes a domain and looks whether its version is another one.
Result domain_trigger(DatabaseUser& ctl)
{
    auto& connection = ctl.connection();
    const db::Transaction transaction{connection};
    auto domain = connection.query(kSomeDomain);
    if (!domain.next()) return ok();
    const auto [id, version] = domain.read<std::int64_t, std::int64_t>();
    connection.execute(kTouch, {id});
    const auto now = connection.query(kVersion, {id}).first<std::int64_t>();
    if (!now || *now != version) return ok();
    return missing("domain_changed");
}

constexpr char kSomeMailbox[] =
    "SELECT m.storage_id, d.name FROM mailbox m JOIN domain d ON d.id = m.domain_id LIMIT 1";
constexpr char kMoveAway[] =
    "UPDATE mailbox_usage SET username = CONCAT(REPEAT('-', 32), SUBSTR(username, 33)) WHERE storage_id = ?";
constexpr char kStoreSize[] =
    "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (CONCAT(?, '@', ?), ?, 1)";
constexpr char kChangeSize[] = "UPDATE mailbox_usage SET bytes = ? WHERE storage_id = ?";
constexpr char kEffect[] =
    "SELECT COALESCE(MAX(m.size_bytes), -1), COALESCE(MAX(d.version), 0), COALESCE(MAX(d.size_bytes), 0)"
    " FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE m.storage_id = ?";

class WithoutForeignKeys {
public:
    explicit WithoutForeignKeys(db::Connection& connection) : connection_{connection}
    {
        connection_.run("SET SESSION foreign_key_checks = 0");
    }
    ~WithoutForeignKeys()
    {
        try {
            connection_.run("SET SESSION foreign_key_checks = 1");
        } catch (const std::exception&) {
            // The connection is gone, and the setting with it.
        }
    }
    WithoutForeignKeys(const WithoutForeignKeys&) = delete;
    WithoutForeignKeys& operator=(const WithoutForeignKeys&) = delete;

private:
    db::Connection& connection_;
};

struct Effect {
    std::int64_t size = 0;
    std::int64_t version = 0;
    std::int64_t sum = 0;  // of the domain
};

// Stores a size as Dovecot does: first a new row, then a change of it. One connection writes and
// reads, because two could lead to two nodes of a cluster.
Result size_triggers(DatabaseUser& ctl)
{
    auto& connection = ctl.connection();
    const WithoutForeignKeys without{connection};  // kMoveAway makes a name without a mailbox
    const db::Transaction transaction{connection};
    auto mailbox = connection.query(kSomeMailbox);
    if (!mailbox.next()) return ok();
    std::string id, domain;
    std::tie(id, domain) = mailbox.read<std::string, std::string>();
    const auto effect = [&] {
        const auto [size, version, sum] =
            connection.query(kEffect, {id}).only<std::int64_t, std::int64_t, std::int64_t>();
        return Effect{size, version, sum};
    };
    connection.execute(kMoveAway, {id});
    const auto before = effect();
    connection.run("SAVEPOINT moved_away");
    connection.execute(kStoreSize, {id, domain, before.size + 1});
    const auto grown = effect();
    connection.run("ROLLBACK TO SAVEPOINT moved_away");
    // A new size changes the version by the domain's sum, too. The same size does so only by the
    // triggers that lock the domain first.
    connection.execute(kStoreSize, {id, domain, before.size});
    const auto stored = effect();
    connection.execute(kChangeSize, {before.size, id});
    const auto repeated = effect();
    connection.execute(kChangeSize, {before.size + 2, id});
    const auto changed = effect();
    if (before.size < 0 || stored.size < 0 || changed.size < 0)
        return ok();  // the mailbox was deleted meanwhile
    for (const auto& [name, works] :
         {std::pair{"mailbox_usage_inserts", stored.version != before.version},
          {"mailbox_usage_inserted", grown.size == before.size + 1},
          {"mailbox_usage_updates", repeated.version != stored.version},
          {"mailbox_usage_updated", changed.size == before.size + 2},
          {"mailbox_sized", changed.sum == before.sum + 2}}) {
        if (!works) return missing(name);
    }
    return ok();
}

constexpr char kSuspend[] =
    "INSERT INTO suspended_name (domain_id, local_part, state) VALUES (?, '(check)', 'disabled')";
constexpr char kAdd[] =
    "INSERT INTO mailbox (domain_id, id, local_part, created_at, size_bytes, storage_id, password)"
    " VALUES (?, 0, '(check)', 0, 1, '(check)', '')";
constexpr char kSum[] = "SELECT size_bytes FROM domain WHERE id = ?";
constexpr char kRemove[] = "DELETE FROM mailbox WHERE domain_id = ? AND local_part = '(check)'";
constexpr char kAdded[] =
    "SELECT COUNT(*) FROM mailbox WHERE domain_id = ? AND local_part = '(check)' AND state = 'disabled'";
constexpr char kNamed[] =
    "SELECT COUNT(*) FROM suspended_name WHERE domain_id = ? AND local_part = '(check)'";

// A domain's first version is not the default of its column.
constexpr char kAddDomain[] =
    "INSERT INTO domain (account_id, name, created_at) SELECT account_id, '(check)', 0 FROM domain WHERE id = ?";
constexpr char kFirstVersion[] = "SELECT version FROM domain WHERE name = '(check)'";

Result new_domain_trigger(DatabaseUser& ctl)
{
    auto& connection = ctl.connection();
    const db::Transaction transaction{connection};
    auto domain = connection.query(kSomeDomain);
    if (!domain.next()) return ok();
    const auto id = std::get<0>(domain.read<std::int64_t, std::int64_t>());
    connection.execute(kAddDomain, {id});
    if (connection.query(kFirstVersion).only<std::int64_t>() != 0) return ok();
    return missing("domain_added");
}

// Suspends a name that no mailbox can have, creates a mailbox of that name and deletes it again.
Result name_triggers(DatabaseUser& ctl)
{
    auto& connection = ctl.connection();
    const db::Transaction transaction{connection};
    auto domain = connection.query(kSomeDomain);
    if (!domain.next()) return ok();
    const auto id = std::get<0>(domain.read<std::int64_t, std::int64_t>());
    const auto number = [&](db::Statement statement) {
        return connection.query(statement, {id}).only<std::int64_t>();
    };
    const auto sum = number(kSum);
    connection.execute(kSuspend, {id});
    connection.execute(kAdd, {id});
    const bool is_added = number(kSum) == sum + 1;
    const bool is_suspended = number(kAdded) == 1;
    const bool is_taken = number(kNamed) == 0;
    connection.execute(kRemove, {id});
    const bool is_kept = number(kNamed) == 1;
    const bool is_subtracted = number(kSum) == sum;
    for (const auto& [name, works] : {std::pair{"mailbox_inserts", is_suspended},
                                      {"mailbox_inserts", is_taken},
                                      {"mailbox_deleted", is_kept},
                                      {"mailbox_inserts", is_added},
                                      {"mailbox_size_taken", is_subtracted}}) {
        if (!works) return missing(name);
    }
    return ok();
}

constexpr char kInsertAlias[] =
    "INSERT INTO alias (account_id, public_id, domain_id, local_part, priority, description, expression, actions, created_at)"
    " VALUES (?, '(check)', ?, '(check)', 0, '', '', '', 0)";
constexpr char kNewAlias[] = "SELECT id FROM alias WHERE public_id = '(check)'";
constexpr char kAddOwn[] =
    "INSERT INTO alias_target (alias_id, number, kind, address) VALUES (?, 0, 'own', '')";
constexpr char kOwn[] =
    "SELECT COUNT(*) FROM alias_target WHERE alias_id = ? AND storage_id IS NOT NULL";
constexpr char kRemoveAlias[] = "DELETE FROM alias WHERE public_id = '(check)'";
constexpr char kAccount[] = "SELECT account_id FROM domain WHERE id = ?";
constexpr char kAliases[] =
    "SELECT d.aliases + a.aliases FROM domain d JOIN account a ON a.id = d.account_id WHERE d.id = ?";

// Adds an alias with a name that no mailbox can have, then a mailbox of that name, and deletes both
// again.
Result alias_triggers(DatabaseUser& ctl)
{
    auto& connection = ctl.connection();
    const db::Transaction transaction{connection};
    auto domain = connection.query(kSomeDomain);
    if (!domain.next()) return ok();
    const auto id = std::get<0>(domain.read<std::int64_t, std::int64_t>());
    const auto number = [&](db::Statement statement, std::int64_t of) {
        return connection.query(statement, {of}).only<std::int64_t>();
    };
    const auto before = number(kAliases, id);
    connection.execute(kInsertAlias, {number(kAccount, id), id});
    const auto alias = connection.query(kNewAlias).only<std::int64_t>();
    connection.execute(kAddOwn, {alias});
    const bool is_counted = number(kAliases, id) == before + 2;
    connection.execute(kAdd, {id});
    const bool is_own = number(kOwn, alias) == 1;
    connection.execute(kRemove, {id});
    const bool is_left = number(kOwn, alias) == 0;
    connection.execute(kRemoveAlias);
    const bool is_taken_off = number(kAliases, id) == before;
    for (const auto& [name, works] : {std::pair{"alias_added", is_counted},
                                      {"mailbox_inserts", is_own},
                                      {"mailbox_left_alias", is_left},
                                      {"alias_removed", is_taken_off}}) {
        if (!works) return missing(name);
    }
    return ok();
}

}  // namespace

Result triggers(DatabaseUser& ctl)
{
    for (const auto& found :
         {domain_trigger(ctl), new_domain_trigger(ctl), name_triggers(ctl), alias_triggers(ctl)}) {
        if (found.verdict != Verdict::ok) return found;
    }
    return size_triggers(ctl);
}

}  // namespace check
