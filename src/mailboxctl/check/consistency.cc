#include "mailboxctl/check/consistency.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "base/strings.h"
#include "db/aliases.h"
#include "db/audit.h"
#include "db/connection.h"
#include "mail/address.h"
#include "mail/unicode.h"
#include "mailboxctl/password_schemes.h"

namespace check {
namespace {

constexpr char kWrongCounters[] =
    "SELECT d.name, d.mailboxes, (SELECT COUNT(*) FROM mailbox m WHERE m.domain_id = d.id) AS counted"
    " FROM domain d HAVING counted <> d.mailboxes LIMIT 1";

constexpr char kWrongSums[] =
    "SELECT d.name, d.size_bytes, (SELECT CAST(COALESCE(SUM(m.size_bytes), 0) AS SIGNED) FROM mailbox m WHERE m.domain_id = d.id) AS counted"
    " FROM domain d HAVING counted <> d.size_bytes LIMIT 1";

// An account counts the aliases of the domains that it has, and those of all its domains.
constexpr char kWrongAliases[] =
    "SELECT CONCAT('domain ', d.name), d.aliases, (SELECT COUNT(*) FROM alias a WHERE a.domain_id = d.id) AS counted"
    " FROM domain d HAVING counted <> d.aliases UNION ALL"
    " SELECT CONCAT('account ', c.name), c.aliases, (SELECT COUNT(*) FROM alias a LEFT JOIN domain d ON d.id = a.domain_id"
    " WHERE a.account_id = c.id AND (a.domain_id = 0 OR d.id IS NOT NULL)) AS counted"
    " FROM account c HAVING counted <> c.aliases LIMIT 1";

constexpr char kNames[] =
    "SELECT name, 'account' FROM account UNION ALL SELECT name, 'domain' FROM domain_name";

constexpr char kNameless[] =
    "SELECT d.name FROM domain d LEFT JOIN domain_name n ON n.name = d.name AND n.domain_id = d.id AND n.is_alias = 0"
    " WHERE n.name IS NULL LIMIT 1";

constexpr char kUnnamed[] =
    "SELECT name FROM domain WHERE unicode_name IS NULL AND name LIKE '%xn--%'";

// For each domain: the sum of its ranges, the number of fine counts that are not 0, and how many
// fine ranges with mailboxes have the right count.
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

constexpr char kWrongSizes[] =
    "SELECT CONCAT(m.local_part, '@', d.name), m.size_bytes, u.bytes FROM mailbox_usage u"
    " JOIN mailbox m ON m.storage_id = u.storage_id JOIN domain d ON d.id = m.domain_id"
    " WHERE m.size_bytes <> GREATEST(u.bytes, 0) LIMIT 1";

}  // namespace

Result names(DatabaseUser& ctl)
{
    Result found = ok();
    auto rows = ctl.connection().query(kNames);
    while (rows.next()) {
        std::string name, kind;
        std::tie(name, kind) = rows.read<std::string, std::string>();
        if (kind == "account") {
            const auto is_actor =
                std::any_of(audit::kActors.begin(), audit::kActors.end(),
                            [&](auto actor) { return strings::equals_ignoring_case(name, actor); });
            if (is_actor && found.verdict == Verdict::ok)
                found = note(
                    "account " + name
                    + " has the name of an actor in the audit log, which shows both under that name");
            continue;
        }
        const auto domain = mailbox::Domain::parse(name);
        const auto why = domain ? mailbox::obstacle_to_hosting(*domain) : "it is not a domain name";
        if (why.empty()) continue;
        const auto says = "domain " + name + " could not be added today: " + std::string{why}
                          + "; move its mailboxes to another domain and remove it";
        if (domain && mailbox::is_word(*domain)) return wrong(says);
        if (found.verdict == Verdict::ok) found = note(says);
    }
    if (auto nameless = ctl.connection().query(kNameless); nameless.next()) {
        return wrong("the table domain_name lacks the domain " + nameless.read<std::string>()
                     + ", so it gets no mail and no one can log in: "
                     + std::string{db::kMakeRoutines});
    }
    if (found.verdict == Verdict::ok) {
        for (auto unnamed = ctl.connection().query(kUnnamed); unnamed.next();) {
            const auto name = unnamed.read<std::string>();
            if (!unicode::u_labels(name)) continue;
            return wrong("the tables lack the Unicode form of domain " + name
                         + ", so no one can log in with it: mailboxctl migrate adds it");
        }
    }
    return found;
}

constexpr char kOperatorKeys[] =
    "SELECT id, addresses FROM api_key WHERE account_id IS NULL AND revoked_at IS NULL"
    " AND COALESCE(expires_at > UNIX_TIMESTAMP(), TRUE) ORDER BY id";

Result operator_keys(DatabaseUser& ctl)
{
    auto rows = ctl.connection().query(kOperatorKeys);
    while (rows.next()) {
        const auto [id, addresses] = rows.read<std::string, std::string>();
        const auto ranges = strings::words(addresses);
        const bool is_of_all = std::any_of(ranges.begin(), ranges.end(),
                                           [](const auto& each) { return each.ends_with("/0"); });
        if (!ranges.empty() && !is_of_all) continue;
        return wrong(
            "the key " + id
            + " of the operator may be used from any address, so whoever learns it can do everything from "
              "anywhere: mailboxctl key add --operator --addresses RANGE creates another, then mailboxctl "
              "key revoke "
            + id);
    }
    return ok();
}

namespace {

Result sums(DatabaseUser& ctl)
{
    auto rows = ctl.connection().query(kWrongSums);
    if (!rows.next()) return ok();
    const auto [name, sum, counted] = rows.read<std::string, std::string, std::string>();
    return wrong(
        "domain " + name + " says that its mailboxes have " + sum + " bytes, and they have "
        + counted
        + ", because someone changed the tables by hand or a trigger is missing: "
          "UPDATE domain d SET d.size_bytes = (SELECT COALESCE(SUM(m.size_bytes), 0) FROM mailbox m"
          " WHERE m.domain_id = d.id LOCK IN SHARE MODE) WHERE d.name = '"
        + name + "'");
}

Result numbers_of_aliases(DatabaseUser& ctl)
{
    auto rows = ctl.connection().query(kWrongAliases);
    if (!rows.next()) return ok();
    const auto [name, count, counted] = rows.read<std::string, std::string, std::string>();
    return wrong(
        name + " counts " + count + " aliases and has " + counted
        + ", because someone changed the tables by hand or a trigger is missing: set the column"
          " aliases to the number that there are");
}

}  // namespace

Result counters(DatabaseUser& ctl)
{
    auto rows = ctl.connection().query(kWrongCounters);
    if (!rows.next()) {
        const auto found = sums(ctl);
        return found.verdict == Verdict::ok ? numbers_of_aliases(ctl) : found;
    }
    const auto [name, counter, counted] = rows.read<std::string, std::string, std::string>();
    return wrong(
        "domain " + name + " counts " + counter + " mailboxes and has " + counted
        + ", because someone changed the tables by hand: set domain.mailboxes to the number that it has");
}

Result aliases(DatabaseUser& ctl)
{
    constexpr std::int64_t kShown = 3;
    auto nowhere = alias::leading_nowhere(ctl.connection(), kShown + 1);
    if (nowhere.empty()) return ok();
    const bool has_more = std::ssize(nowhere) > kShown;
    if (has_more) nowhere.resize(kShown);
    return note(
        "mail to " + strings::joined(nowhere, ", ") + (has_more ? " and other aliases" : "")
        + " is refused (550), because the mailboxes that they led to were deleted, or because they may not send"
          " to other servers any more: mailboxctl why ADDRESS says which; mailboxctl alias remove and alias add set an alias again");
}

Result ranges(DatabaseUser& ctl)
{
    auto rows = ctl.connection().query(kWrongRanges);
    if (!rows.next()) return ok();
    return wrong(
        "the range counts of domain " + rows.read<std::string>()
        + " do not add up, because someone changed the tables by hand, so a large skip finds the wrong place: repair them, then send mailboxd SIGHUP");
}

Result sizes(DatabaseUser& ctl)
{
    auto rows = ctl.connection().query(kWrongSizes);
    if (!rows.next()) return ok();
    const auto [address, size, reported] = rows.read<std::string, std::string, std::string>();
    return wrong(
        address + " has size_bytes " + size + ", but Dovecot reported " + reported
        + ": a trigger was missing for a while, or someone changed the tables by hand; mailboxctl mailbox recount "
        + address + " counts it again");
}

Result hashes(DatabaseUser& ctl)
{
    using password_scheme::Strength;
    std::int64_t weak = 0, unknown = 0;
    for (const auto& count :
         password_schemes::counts(ctl.connection(), password_schemes::By::all)) {
        const auto strength = password_scheme::strength(count.scheme);
        if (strength == Strength::weak) weak += count.mailboxes;
        if (strength == Strength::unknown) unknown += count.mailboxes;
    }
    constexpr char kList[] = ": mailboxctl password-schemes --list names them";
    if (unknown > 0) {
        return note(
            std::to_string(unknown)
            + " mailboxes have a password hash that Dovecot does not know, so nobody can log in"
            + kList);
    }
    if (weak == 0) return ok();
    return note(
        std::to_string(weak)
        + " mailboxes have a weak password hash, and Dovecot 2.4 refuses their logins unless"
          " auth_allow_weak_schemes = yes; mailboxctl rehash replaces it at the next login"
        + kList);
}

}  // namespace check
