#include "mailboxctl/password_schemes.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace password_schemes {
namespace {

namespace po = boost::program_options;
using command::Call;
using password_scheme::Strength;

// Leaves of a hash what its scheme depends on: {SCHEME}, and what crypt(3) recognizes.
constexpr auto kForm = db::Text{
    "CONCAT(SUBSTRING_INDEX(m.password, '}', 1), '}', CASE"
    " WHEN UPPER(m.password) NOT LIKE '{CRYPT%' AND UPPER(m.password) NOT LIKE '{ARGON2}%' THEN ''"
    " WHEN SUBSTRING(m.password, LOCATE('}', m.password) + 1, 1) = '$'"
    " THEN CONCAT(SUBSTRING_INDEX(SUBSTRING(m.password, LOCATE('}', m.password) + 1), '$', 2), '$')"
    " ELSE REPEAT('.', LENGTH(m.password) - LOCATE('}', m.password)) END)"};
constexpr auto kFrom = db::Text{
    " FROM mailbox m JOIN domain d ON d.id = m.domain_id JOIN account a ON a.id = d.account_id"
    " LEFT JOIN mailbox_activity u ON u.storage_id = m.storage_id"};
constexpr auto kSums =
    db::Text{", COUNT(*), CAST(SUM(COALESCE(u.last_login, 0) = 0) AS SIGNED)"} + kFrom;

constexpr auto kOfAll = db::Text{"SELECT '', "} + kForm + " AS form" + kSums + " GROUP BY form";
constexpr auto kOfDomains =
    db::Text{"SELECT d.name, "} + kForm + " AS form" + kSums + " GROUP BY d.name, form";
constexpr auto kOfAccounts =
    db::Text{"SELECT a.name, "} + kForm + " AS form" + kSums + " GROUP BY a.name, form";
constexpr auto kOld = db::Text{"SELECT m.local_part, d.name, COALESCE(u.last_login, 0), "} + kForm
                      + kFrom + " WHERE LEFT(m.password, 10) <> '{ARGON2ID}' ORDER BY d.name, m.id";

db::Rows query(db::Connection& connection, By by)
{
    if (by == By::domain) return connection.query(kOfDomains);
    if (by == By::account) return connection.query(kOfAccounts);
    return connection.query(kOfAll);
}

const char* by_dovecot_24(std::string_view scheme)
{
    switch (password_scheme::strength(scheme)) {
    case Strength::current:
    case Strength::old: return "verifies";
    case Strength::weak: return "refuses";
    case Strength::unknown: break;
    }
    return "does not know";
}

po::options_description options()
{
    auto options = command::json_option();
    options.add_options()("by", po::value<std::string>()->value_name("domain|account"),
                          "count for each domain or each account")(
        "list", "list the mailboxes whose hash is not {ARGON2ID}, with their last login");
    return options;
}

By by(const Call& call)
{
    const auto text = call.text("by");
    if (text.empty()) return By::all;
    if (text == "domain") return By::domain;
    if (text == "account") return By::account;
    throw command::WrongUsage("--by takes domain or account, not '" + text + "'");
}

void list(const Call& call, db::Connection& connection)
{
    command::Listing listing{call, {"address", "scheme", "dovecot_2.4", "last_login"}};
    for (auto rows = connection.query(kOld); rows.next();) {
        const auto [name, domain, last_login, form] =
            rows.read<std::string, std::string, std::int64_t, std::string>();
        const auto scheme = password_scheme::of(form);
        listing.add({name + "@" + domain, scheme, std::string{by_dovecot_24(scheme)},
                     command::time_value(last_login)});
    }
    listing.finish();
}

int run(const Call& call)
{
    const auto grouped = by(call);
    if (call.has("list") && call.has("by"))
        throw command::WrongUsage("--list cannot be combined with --by");
    auto connection = call.connect();
    if (call.has("list")) return list(call, connection), 0;
    std::vector<const char*> names{"scheme", "mailboxes", "never_logged_in", "dovecot_2.4"};
    if (grouped != By::all)
        names.insert(names.begin(), grouped == By::domain ? "domain" : "account");
    command::Listing listing{call, names};
    for (const auto& each : counts(connection, grouped)) {
        std::vector<json::Value> row{each.scheme, each.mailboxes, each.never,
                                     std::string{by_dovecot_24(each.scheme)}};
        if (grouped != By::all) row.insert(row.begin(), json::Value{each.group});
        listing.add(std::move(row));
    }
    listing.finish();
    return 0;
}

}  // namespace

std::vector<Count> counts(db::Connection& connection, By by)
{
    // {MD5} and {MD5-CRYPT} are one scheme.
    std::map<std::pair<std::string, std::string>, Count> all;
    for (auto rows = query(connection, by); rows.next();) {
        const auto [group, form, mailboxes, never] =
            rows.read<std::string, std::string, std::int64_t, std::int64_t>();
        const auto scheme = password_scheme::of(form);
        auto& count = all[{group, scheme}];
        count.group = group;
        count.scheme = scheme;
        count.mailboxes += mailboxes;
        count.never += never;
    }
    std::vector<Count> sorted;
    for (auto& [key, count] : all) sorted.push_back(std::move(count));
    std::stable_sort(sorted.begin(), sorted.end(), [](const Count& left, const Count& right) {
        return std::tie(left.group, right.mailboxes) < std::tie(right.group, left.mailboxes);
    });
    return sorted;
}

command::Command command()
{
    return {
        "password-schemes",
        {},
        "count the mailboxes by the scheme of their password hash",
        "Also how many of them nobody has logged in to yet, and what Dovecot 2.4 does with the scheme: verifies; refuses, unless\n"
        "auth_allow_weak_schemes = yes; does not know. mailboxctl rehash replaces hashes of other schemes than ARGON2ID when\n"
        "their users log in.",
        options,
        run,
        command::Prints::listing};
}

}  // namespace password_schemes
