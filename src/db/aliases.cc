#include "db/aliases.h"

#include <set>
#include <tuple>
#include <utility>

#include "base/strings.h"
#include "mail/api_key.h"

namespace alias {
namespace {

using admin::Refused;

// An alias without its domain waits for the domain to be restored.
constexpr db::Text kColumns{
    "SELECT a.id, a.public_id, a.account_id, a.domain_id, COALESCE(d.name, ''), a.local_part, a.priority, a.description,"
    " a.expression, a.actions, a.created_at FROM alias a"};
constexpr db::Text kDomain{" LEFT JOIN domain d ON d.id = a.domain_id"};
constexpr db::Text kIsThere{" AND (a.domain_id = 0 OR d.id IS NOT NULL)"};

// Each page is one range of an index in its order.
constexpr auto kAll =
    kColumns + kDomain + " WHERE TRUE" + kIsThere + " ORDER BY a.account_id, a.id LIMIT ? OFFSET ?";
constexpr auto kOfAccount = kColumns + kDomain + " WHERE a.account_id = ?" + kIsThere
                            + " ORDER BY a.account_id, a.id LIMIT ? OFFSET ?";
constexpr auto kOfDomain = kColumns + " FORCE INDEX (alias_domain)" + kDomain
                           + " WHERE a.domain_id = ?" + kIsThere
                           + " ORDER BY a.domain_id, a.id LIMIT ? OFFSET ?";
constexpr char kCountAll[] = "SELECT CAST(COALESCE(SUM(aliases), 0) AS SIGNED) FROM account";
constexpr char kCountOfAccount[] = "SELECT aliases FROM account WHERE id = ?";
constexpr char kCountOfDomain[] = "SELECT aliases FROM domain WHERE id = ?";
constexpr auto kById = kColumns + kDomain + " WHERE a.public_id = ?" + kIsThere;
constexpr auto kByNumber = kColumns + kDomain + " WHERE a.id = ?";
constexpr auto kByAddress =
    kColumns
    + " FORCE INDEX (alias_address) JOIN domain d ON d.id = a.domain_id WHERE d.name = ? AND a.local_part = ?";
// The first of these that exists: the alias of the address, the catch-all of its domain, that of
// the account. The operator may ask for any account (0).
constexpr auto kMatching =
    kColumns + kDomain
    + " JOIN domain_name n ON n.name = ? JOIN domain o ON o.id = n.domain_id"
      " WHERE ? IN (0, o.account_id) AND ? IN (0, o.id) AND a.account_id = o.account_id"
      " AND a.domain_id IN (0, o.id) AND a.local_part IN ('', ?) AND (a.domain_id > 0 OR a.local_part = '')"
      " AND (? = 0 OR a.domain_id > 0)"
      " ORDER BY a.local_part = '', a.domain_id = 0 LIMIT 1";

Alias alias_of(const db::Rows& rows)
{
    Alias alias;
    std::string actions;
    std::tie(alias.number, alias.id, alias.account_id, alias.domain_id, alias.domain,
             alias.local_part, alias.priority, alias.description, alias.expression, actions,
             alias.created_at) =
        rows.read<std::int64_t, std::string, std::int64_t, std::int64_t, std::string, std::string,
                  std::int64_t, std::string, std::string, std::string, std::int64_t>();
    alias.actions = strings::words(actions, "\n");
    return alias;
}

std::optional<Alias> only(db::Rows rows)
{
    if (!rows.next()) return std::nullopt;
    return alias_of(rows);
}

Page page_of(db::Rows total, db::Rows rows)
{
    Page page{.total = total.first<std::int64_t>().value_or(0), .items = {}};
    while (rows.next()) page.items.push_back(alias_of(rows));
    return page;
}

}  // namespace

Page page(db::Connection& connection, const store::Whose& whose, const store::Page& page)
{
    const auto [account, domain] = whose;
    if (domain != 0) {
        return page_of(connection.query(kCountOfDomain, {domain}),
                       connection.query(kOfDomain, {domain, page.limit, page.skip}));
    }
    if (account != 0) {
        return page_of(connection.query(kCountOfAccount, {account}),
                       connection.query(kOfAccount, {account, page.limit, page.skip}));
    }
    return page_of(connection.query(kCountAll), connection.query(kAll, {page.limit, page.skip}));
}

std::optional<Alias> find(db::Connection& connection, std::string_view id)
{
    return only(connection.query(kById, {id}));
}

std::optional<Alias> find(db::Connection& connection, const std::string& domain,
                          const std::string& local_part)
{
    return only(connection.query(kByAddress, {domain, local_part}));
}

std::optional<Alias> match(db::Connection& connection, const store::Whose& whose,
                           std::string_view local_part, const mailbox::Domain& domain)
{
    return only(connection.query(kMatching, {domain.name(), whose.account_id, whose.domain_id,
                                             local_part, whose.domain_id}));
}

constexpr char kTargets[] =
    "SELECT t.address, IF(t.kind = 'outside', COALESCE(p.forward_outside, 0) = 1, d.id IS NOT NULL), t.kind = 'outside'"
    " FROM alias o JOIN alias_target t ON t.alias_id = o.id LEFT JOIN domain p ON p.id = o.domain_id"
    " LEFT JOIN mailbox m ON m.storage_id = t.storage_id LEFT JOIN alias a ON a.id = t.target_id"
    " LEFT JOIN domain d ON d.id = COALESCE(m.domain_id, a.domain_id) AND d.account_id = o.account_id"
    " WHERE o.id = ? AND t.number > 0 ORDER BY t.number";

std::vector<Followed> targets(db::Connection& connection, std::int64_t number)
{
    std::vector<Followed> all;
    auto rows = connection.query(kTargets, {number});
    while (rows.next()) {
        Followed each;
        std::tie(each.address, each.is_there, each.is_outside) =
            rows.read<std::string, bool, bool>();
        all.push_back(std::move(each));
    }
    return all;
}

constexpr char kRecipients[] =
    "SELECT DISTINCT COALESCE(t.outside, CONCAT(m.local_part, '@', d.name)) FROM alias_recipient t"
    " LEFT JOIN (mailbox m JOIN domain d ON d.id = m.domain_id) ON m.storage_id = t.storage_id WHERE t.alias_id = ? ORDER BY 1";

std::vector<std::string> recipients(db::Connection& connection, std::int64_t number)
{
    std::vector<std::string> all;
    auto rows = connection.query(kRecipients, {number});
    while (rows.next()) all.push_back(rows.read<std::string>());
    return all;
}

constexpr char kNowhere[] =
    "SELECT COALESCE(CONCAT(a.local_part, '@', d.name), CONCAT('catch_all() of the account ', c.name))"
    " FROM alias a JOIN account c ON c.id = a.account_id LEFT JOIN domain d ON d.id = a.domain_id WHERE (a.domain_id = 0 OR d.id IS NOT NULL)"
    " AND NOT EXISTS (SELECT 1 FROM alias_recipient t WHERE t.alias_id = a.id)"
    " ORDER BY a.account_id, a.id LIMIT ?";

std::vector<std::string> leading_nowhere(db::Connection& connection, std::int64_t limit)
{
    std::vector<std::string> all;
    auto rows = connection.query(kNowhere, {limit});
    while (rows.next()) all.push_back(rows.read<std::string>());
    return all;
}

// --- changing -------------------------------------------------------------------------

// The domain that a pattern names, as the caller may use it.
struct Changes::Place {
    std::int64_t account_id = 0;
    std::int64_t domain_id = 0;  // 0: all domains of the account
};

namespace {

constexpr char kNamed[] =
    "SELECT d.id, d.account_id, d.name FROM domain_name n JOIN domain d ON d.id = n.domain_id WHERE n.name = ?";

struct SeenDomain {
    std::int64_t id = 0;
    std::int64_t account_id = 0;
    std::string name;  // its own, also if it was found by an alias domain
};

// Returns a domain that the caller may see. Empty for any other.
std::optional<SeenDomain> seen_domain(db::Connection& connection, const store::Whose& whose,
                                      const mailbox::Domain& domain)
{
    const auto found =
        connection.query(kNamed, {domain.name()}).first<std::int64_t, std::int64_t, std::string>();
    if (!found) return std::nullopt;
    const auto& [id, account, name] = *found;
    const bool is_seen = (whose.account_id == 0 || whose.account_id == account)
                         && (whose.domain_id == 0 || whose.domain_id == id);
    if (!is_seen) return std::nullopt;
    return SeenDomain{id, account, name};
}

Pattern checked_pattern(const std::string& expression)
{
    try {
        return pattern_of(expression);
    } catch (const mailbox::Invalid& invalid) {
        throw Refused("bad_expression", invalid.what());
    }
}

Actions checked_actions(const std::vector<std::string>& actions)
{
    try {
        return actions_of(actions);
    } catch (const mailbox::Invalid& invalid) {
        throw Refused("bad_action", invalid.what());
    }
}

[[noreturn]] void refuse_existing(const Pattern& pattern)
{
    throw Refused("route_exists",
                  "there is a route for " + expression_of(pattern)
                      + " already; change that one, or delete it first",
                  "mailboxctl alias list " + (pattern.domain ? pattern.domain->text() : "")
                      + " shows it");
}

}  // namespace

Changes::Place Changes::place_of(const store::Whose& whose, const Pattern& pattern)
{
    if (!pattern.domain) {
        if (whose.account_id == 0) {
            throw Refused(
                "bad_expression",
                "catch_all() is for all domains of one account; X-Mailgun-On-Behalf-Of must name it");
        }
        if (whose.domain_id != 0) {
            throw Refused(
                "bad_expression",
                "catch_all() is for all domains, and this key is for one: use match_recipient(\".*@domain\")");
        }
        return {whose.account_id, 0};
    }
    const auto found = seen_domain(connection(), whose, *pattern.domain);
    if (!found)
        throw Refused("domain_not_found", "Domain not found: " + pattern.domain->text(),
                      "mailboxctl domain list shows what there is");
    return {found->account_id, found->id};
}

constexpr char kLockDomain[] = "SELECT state = 'active' FROM domain WHERE id = ? FOR UPDATE";
constexpr char kLockAccount[] = "SELECT id FROM account WHERE id = ? FOR UPDATE";

// Aliases of one account are changed one after the other, so that two changes that are right by
// themselves cannot make a loop together. The domain comes first, as when a mailbox is created.
void Changes::lock(const Caller& caller, std::int64_t account_id, std::int64_t domain_id)
{
    if (domain_id != 0) {
        const auto is_active = connection().query(kLockDomain, {domain_id}).first<bool>();
        if (!is_active) throw Refused("domain_not_found", "the domain was removed just now");
        if (!*is_active && !caller.is_operator)
            throw Refused(kSuspended,
                          "the domain is suspended: its routes can be listed, not changed");
    }
    connection().query(kLockAccount, {account_id});
}

constexpr char kAllowances[] =
    "SELECT a.aliases, a.max_aliases, COALESCE(d.aliases, 0), d.max_aliases FROM account a LEFT JOIN domain d ON d.id = ? WHERE a.id = ?";

void Changes::check_allowances(std::int64_t account_id, std::int64_t domain_id)
{
    const auto counts = connection()
                            .query(kAllowances, {domain_id, account_id})
                            .first<std::int64_t, admin::Limit, std::int64_t, admin::Limit>();
    if (!counts) throw Refused("account_not_found", "there is no such account");
    const auto [of_account, max_of_account, of_domain, max_of_domain] = *counts;
    const auto check = [](const char* whose, std::int64_t count, const admin::Limit& most) {
        if (!most || count <= *most) return;
        throw Refused("allowance_used_up", std::string{"the "} + whose
                                               + "'s allowance is used up: max_aliases is "
                                               + std::to_string(*most));
    };
    check("domain", of_domain, max_of_domain);
    check("account", of_account, max_of_account);
}

namespace {

constexpr char kAtAddress[] =
    "SELECT (SELECT m.storage_id FROM mailbox m WHERE m.domain_id = d.id AND m.local_part = ?),"
    " COALESCE((SELECT a.id FROM alias a FORCE INDEX (alias_address) WHERE a.domain_id = d.id AND a.local_part = ?), 0) FROM domain d WHERE d.id = ?";
constexpr char kInsertTarget[] =
    "INSERT INTO alias_target (alias_id, number, kind, storage_id, target_id, address) VALUES (?, ?, ?, ?, ?, ?)";
constexpr char kInsertOwn[] =
    "INSERT INTO alias_target (alias_id, number, kind, storage_id, address)"
    " SELECT ?, 0, ?, (SELECT m.storage_id FROM mailbox m WHERE m.domain_id = ? AND m.local_part = ?), '' FROM DUAL";
constexpr char kDeleteOwn[] = "DELETE FROM alias_target WHERE alias_id = ? AND number = 0";
constexpr char kDeleteTargets[] = "DELETE FROM alias_target WHERE alias_id = ? AND number > 0";

constexpr char kNotPermitted[] =
    "SELECT t.address FROM alias_target t LEFT JOIN domain d ON d.id = ? WHERE t.alias_id = ? AND t.kind = 'outside'"
    " AND COALESCE(d.forward_outside, 0) = 0 ORDER BY t.number LIMIT 1";

[[noreturn]] void refuse_target(const std::string& target, const std::string& reason)
{
    throw Refused("bad_target",
                  target + " is neither a mailbox nor a route of this account, and " + reason);
}

// Returns an address outside as the tables have it. Who may have it is not our business, but mail
// servers elsewhere must be able to find it.
std::string outside(const Target& target)
{
    const auto obstacle = mailbox::obstacle_to_hosting(target.domain);
    if (!obstacle.empty())
        refuse_target(target.text(), "no other server can have it: " + std::string{obstacle});
    return target.local_part + "@" + target.domain.name();
}

}  // namespace

void Changes::set_own(const Alias& alias, bool has_stop)
{
    connection().execute(kDeleteOwn, {alias.number});
    if (alias.local_part.empty()) return;
    connection().execute(kInsertOwn, {alias.number, has_stop ? "stopped" : "own", alias.domain_id,
                                      alias.local_part});
}

// A mailbox that is an alias, too, is bound as the mailbox: its alias is followed from there.
void Changes::set_targets(const store::Whose& whose, const Alias& alias,
                          const std::vector<Target>& targets)
{
    auto& connection = this->connection();
    connection.execute(kDeleteTargets, {alias.number});
    std::int64_t number = 0;
    for (const auto& target : targets) {
        const auto domain = seen_domain(connection, whose, target.domain);
        if (!domain || domain->account_id != alias.account_id) {
            connection.execute(kInsertTarget, {alias.number, ++number, "outside", db::Value{},
                                               db::Value{}, outside(target)});
            continue;
        }
        const auto name = strings::lower_case(target.local_part);
        const auto [storage_id, other] = connection.query(kAtAddress, {name, name, domain->id})
                                             .only<std::optional<std::string>, std::int64_t>();
        if (!storage_id && other == 0)
            refuse_target(target.text(), "its domain is one of this account");
        connection.execute(kInsertTarget, {alias.number, ++number, storage_id ? "mailbox" : "alias",
                                           storage_id ? db::Value{*storage_id} : db::Value{},
                                           storage_id ? db::Value{} : db::Value{other},
                                           name + "@" + domain->name});
    }
    check_outside(alias);
}

// Only a domain can have the permission, not the catch-all of all domains.
void Changes::check_outside(const Alias& alias)
{
    const auto refused =
        connection().query(kNotPermitted, {alias.domain_id, alias.number}).first<std::string>();
    if (!refused) return;
    if (alias.domain_id == 0)
        refuse_target(*refused, "catch_all() sends to no other server: use"
                                " match_recipient(\".*@domain\")");
    refuse_target(*refused, "the operator does not permit " + alias.domain
                                + " to send to other servers (forward_outside)");
}

namespace {

// The aliases that an alias passes mail on to, and those that pass mail on to it. A mailbox with an
// alias of its own address passes mail on, too.
constexpr char kNext[] =
    "SELECT DISTINCT COALESCE(t.target_id, s.alias_id) FROM alias_target t"
    " LEFT JOIN alias_target s ON s.storage_id = t.storage_id AND s.number = 0"
    " WHERE t.alias_id = ? AND t.number > 0 AND (t.target_id IS NOT NULL OR s.alias_id IS NOT NULL)";
constexpr char kPrevious[] =
    "SELECT alias_id FROM alias_target WHERE target_id = ?"
    " UNION SELECT t.alias_id FROM alias_target o JOIN alias_target t ON t.storage_id = o.storage_id AND t.number > 0"
    " WHERE o.alias_id = ? AND o.number = 0";

// Returns how many aliases follow each other at most in one direction, counting this one. Stops at
// one more than are permitted. Throws Refused if the alias is reached again.
template <typename Neighbours>
int longest_chain(std::int64_t alias, Neighbours neighbours)
{
    std::set<std::int64_t> level{alias};
    for (int length = 1;; ++length) {
        std::set<std::int64_t> next;
        for (const auto each : level) neighbours(each, next);
        if (next.empty()) return length;
        if (next.contains(alias))
            throw Refused("route_loop", "this route would lead to itself through its targets");
        if (length > kLongestChain) return length;
        level = std::move(next);
    }
}

constexpr char kIsSuspended[] =
    "SELECT EXISTS (SELECT 1 FROM mailbox WHERE domain_id = ? AND local_part = ? AND state <> 'active')"
    " OR EXISTS (SELECT 1 FROM suspended_name WHERE domain_id = ? AND local_part = ?)";

}  // namespace

// A customer must not get mail for a name that the operator has suspended, by sending it elsewhere.
void Changes::check_name(const Caller& caller, const Alias& alias)
{
    if (caller.is_operator || alias.local_part.empty()) return;
    const auto& [id, name] = std::tie(alias.domain_id, alias.local_part);
    if (connection().query(kIsSuspended, {id, name, id, name}).only<bool>()) {
        throw Refused(kSuspended,
                      "the operator has suspended this name: " + name + "@" + alias.domain);
    }
}

namespace {

constexpr char kCountRecipients[] =
    "SELECT COUNT(DISTINCT name) FROM alias_recipient WHERE alias_id = ?";

}  // namespace

void Changes::check_chain(const Alias& alias)
{
    std::set<std::int64_t> senders{alias.number};
    const auto read = [](db::Rows rows, std::set<std::int64_t>& found) {
        while (rows.next()) found.insert(rows.read<std::int64_t>());
    };
    const auto after = longest_chain(alias.number, [&](std::int64_t each, auto& found) {
        read(connection().query(kNext, {each}), found);
    });
    const auto before = longest_chain(alias.number, [&](std::int64_t each, auto& found) {
        read(connection().query(kPrevious, {each, each}), found);
        senders.insert(found.begin(), found.end());
    });
    if (before + after - 1 > kLongestChain) {
        throw Refused("chain_too_long", "mail would pass more than " + std::to_string(kLongestChain)
                                            + " routes on its way to a mailbox");
    }
    for (const auto each : senders) {
        if (connection().query(kCountRecipients, {each}).only<std::int64_t>() <= kMostRecipients)
            continue;
        throw Refused("too_many_mailboxes", "a route would send to more than "
                                                + std::to_string(kMostRecipients) + " mailboxes");
    }
}

constexpr char kAccountName[] = "SELECT name FROM account WHERE id = ?";

// The catch-all of an account is logged under the account's name, like other changes to it.
void Changes::write(std::string_view action, const Alias& alias)
{
    if (alias.domain_id != 0) return transactions_.write(action, alias.domain, alias.local_part);
    const auto account = connection().query(kAccountName, {alias.account_id}).first<std::string>();
    transactions_.write(action, "", account.value_or(""));
}

constexpr char kInsertAlias[] =
    "INSERT INTO alias (account_id, public_id, domain_id, local_part, priority, description, expression, actions, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, UNIX_TIMESTAMP())";

Alias Changes::add(const Caller& caller, const Settings& settings, const Last& last)
{
    const auto pattern = checked_pattern(settings.expression.value_or(""));
    const auto actions = checked_actions(settings.actions.value_or(std::vector<std::string>{}));
    std::optional<Alias> made;
    try {
        transactions_.run([&] {
            constexpr std::size_t kBytesOfId = 12;
            const auto [account_id, domain_id] = place_of(caller.whose, pattern);
            lock(caller, account_id, domain_id);
            const auto id = api_key::random_hex(kBytesOfId);
            connection().execute(kInsertAlias,
                                 {account_id, id, domain_id, pattern.local_part,
                                  settings.priority.value_or(0), settings.description.value_or(""),
                                  *settings.expression, strings::joined(*settings.actions, "\n")});
            check_allowances(account_id, domain_id);
            made = find(connection(), id);
            check_name(caller, made.value());
            set_own(*made, actions.has_stop);
            set_targets(caller.whose, *made, actions.targets);
            check_chain(*made);
            write("alias-add", *made);
            if (last) last(connection(), *made);
        });
    } catch (const db::DuplicateKey&) {
        refuse_existing(pattern);
    }
    return made.value();
}

namespace {

constexpr char kSet[] =
    "UPDATE alias SET domain_id = ?, local_part = ?, priority = ?, description = ?, expression = ?, actions = ? WHERE account_id = ? AND id = ?";

[[noreturn]] void refuse_absent()
{
    throw Refused("route_not_found", "Route not found");
}

}  // namespace

Alias Changes::change(const Caller& caller, const Alias& alias, const Settings& settings)
{
    const auto pattern = checked_pattern(settings.expression.value_or(alias.expression));
    const auto targets =
        settings.actions ? checked_actions(*settings.actions).targets : std::vector<Target>{};
    std::optional<Alias> changed;
    try {
        transactions_.run([&] {
            lock(caller, alias.account_id, alias.domain_id);
            // Another request may have changed it since the caller read it.
            const auto before = find(connection(), alias.id);
            if (!before || before->domain_id != alias.domain_id) refuse_absent();
            check_name(caller, *before);
            auto place = Place{before->account_id, before->domain_id};
            if (settings.expression)
                place = place_of({before->account_id, caller.whose.domain_id}, pattern);
            const bool is_moved = place.domain_id != before->domain_id;
            if (is_moved) lock(caller, place.account_id, place.domain_id);
            const auto lines = settings.actions.value_or(before->actions);
            connection().execute(
                kSet,
                {place.domain_id, settings.expression ? pattern.local_part : before->local_part,
                 settings.priority.value_or(before->priority),
                 settings.description.value_or(before->description),
                 settings.expression.value_or(before->expression), strings::joined(lines, "\n"),
                 before->account_id, before->number});
            if (is_moved) check_allowances(place.account_id, place.domain_id);
            changed = find(connection(), alias.id);
            check_name(caller, changed.value());
            if (settings.actions || settings.expression) set_own(*changed, has_stop(lines));
            if (settings.actions) set_targets(caller.whose, *changed, targets);
            else if (is_moved) check_outside(*changed);
            check_chain(*changed);
            write("alias-set", *changed);
        });
    } catch (const db::DuplicateKey&) {
        refuse_existing(pattern);
    }
    return changed.value();
}

constexpr char kDelete[] = "DELETE FROM alias WHERE account_id = ? AND id = ?";

void Changes::remove(const Caller& caller, const Alias& alias)
{
    transactions_.run([&] {
        lock(caller, alias.account_id, alias.domain_id);
        if (connection().execute(kDelete, {alias.account_id, alias.number}) == 0) refuse_absent();
        write("alias-remove", alias);
    });
}

}  // namespace alias
