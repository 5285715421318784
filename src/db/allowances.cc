#include "db/allowances.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "db/skip_index.h"

namespace store {

std::string sentence(const Created& refused)
{
    switch (refused.outcome) {
    case Created::Outcome::already_exists:
        return "Mailbox already exists: " + refused.address->text();
    case Created::Outcome::name_is_suspended:
        return "The operator has suspended this name: " + refused.address->text();
    case Created::Outcome::domain_is_full:
        return "The domain's allowance is used up: max_mailboxes is "
               + std::to_string(refused.allowance) + ".";
    case Created::Outcome::account_is_full:
        return "The account's allowance is used up: max_mailboxes is "
               + std::to_string(refused.allowance) + ".";
    case Created::Outcome::no_such_domain: return "The domain is gone.";
    case Created::Outcome::yes: break;
    }
    throw std::logic_error("nothing was refused");
}

namespace {

constexpr char kReserve[] =
    "UPDATE domain SET mailboxes = mailboxes + ?, last_id = last_id + ? WHERE id = ?";
constexpr char kReserved[] =
    "SELECT d.mailboxes, d.last_id, EXISTS (SELECT 1 FROM suspended_name s WHERE s.domain_id = d.id), d.max_mailboxes, a.max_mailboxes"
    " FROM domain d JOIN account a ON a.id = d.account_id WHERE d.id = ?";
// If an account has a limit, creations in all its domains wait for each other.
constexpr char kTakeTurn[] =
    "UPDATE account SET creations = creations + 1 WHERE id = (SELECT account_id FROM domain WHERE id = ?)";
// Mailboxes that other transactions have added and not committed are not counted: those
// transactions take their turn later.
constexpr char kOfAccount[] =
    "SELECT a.max_mailboxes, CAST(SUM(d.mailboxes) AS SIGNED) FROM domain own JOIN account a ON a.id = own.account_id"
    " JOIN domain d ON d.account_id = a.id WHERE own.id = ? GROUP BY a.id, a.max_mailboxes";

}  // namespace

std::optional<Reserved> reserve(db::Connection& connection, std::int64_t domain_id,
                                std::int64_t count)
{
    if (connection.execute(kReserve, {count, count, domain_id}) == 0) return std::nullopt;
    Reserved reserved;
    std::tie(reserved.mailboxes, reserved.last_id, reserved.has_suspended_names,
             reserved.max_of_domain, reserved.max_of_account) =
        connection.query(kReserved, {domain_id})
            .only<std::int64_t, std::int64_t, bool, std::optional<std::int64_t>,
                  std::optional<std::int64_t>>();
    return reserved;
}

Created check_allowances(db::Connection& connection, std::int64_t domain_id,
                         const Reserved& reserved, std::int64_t total)
{
    if (reserved.max_of_domain && total > *reserved.max_of_domain)
        return {.outcome = Created::Outcome::domain_is_full, .allowance = *reserved.max_of_domain};
    if (!reserved.max_of_account) return {};
    connection.execute(kTakeTurn, {domain_id});
    const auto [allowed, mailboxes] =
        connection.query(kOfAccount, {domain_id}).only<std::optional<std::int64_t>, std::int64_t>();
    if (!allowed || mailboxes <= *allowed) return {};
    return {.outcome = Created::Outcome::account_is_full, .allowance = *allowed};
}

Created take_place(db::Connection& connection, std::int64_t domain_id, std::int64_t& id)
{
    const auto reserved = reserve(connection, domain_id, 1);
    if (!reserved) return {Created::Outcome::no_such_domain};
    id = reserved->last_id;
    skip_index::add(connection, domain_id, id);
    return check_allowances(connection, domain_id, *reserved, reserved->mailboxes);
}

namespace {

// Returns a row for each of the names that exists, or one row without a name, so the allowances
// come in any case. The server finds the names one by one in the unique key, however many mailboxes
// the domain has.
template <std::size_t names>
constexpr auto kForeseeNames =
    db::Text{
        "SELECT d.mailboxes, d.max_mailboxes, a.max_mailboxes, EXISTS (SELECT 1 FROM suspended_name s WHERE s.domain_id = d.id),"
        " m.local_part FROM domain d JOIN account a ON a.id = d.account_id"
        " LEFT JOIN mailbox m FORCE INDEX (mailbox_address) ON m.domain_id = d.id AND m.local_part IN ("}
    + db::places<names>() + ") WHERE d.id = ?";

template <std::size_t names>
constexpr auto kSuspendedNames =
    db::Text{"SELECT local_part FROM suspended_name FORCE INDEX (PRIMARY) WHERE local_part IN ("}
    + db::places<names>() + ") AND domain_id = ?";

// A statement about some names and a domain, for up to so many names.
struct AboutNames {
    std::size_t names;
    db::Statement statement;
};
using Statements = std::array<AboutNames, 3>;
constexpr Statements kForesee{
    {{1, kForeseeNames<1>}, {10, kForeseeNames<10>}, {100, kForeseeNames<100>}}};
constexpr Statements kFindSuspended{
    {{1, kSuspendedNames<1>}, {10, kSuspendedNames<10>}, {100, kSuspendedNames<100>}}};

// Runs the shortest statement that has a place for each name. The last name is repeated to fill the
// places that are left over.
db::Rows ask(db::Connection& connection, const Statements& statements,
             const std::vector<mailbox::Address>& addresses, std::int64_t domain_id)
{
    const auto* const fitting =
        std::find_if(statements.begin(), std::prev(statements.end()),
                     [&](const auto& each) { return each.names >= addresses.size(); });
    std::vector<db::Value> values;
    for (std::size_t i = 0; i < fitting->names; ++i)
        values.emplace_back(addresses.at(std::min(i, addresses.size() - 1)).local_part());
    values.emplace_back(domain_id);
    return connection.query(fitting->statement, values);
}

}  // namespace

std::optional<mailbox::Address> first_suspended(db::Connection& connection, std::int64_t domain_id,
                                                const std::vector<mailbox::Address>& addresses)
{
    auto rows = ask(connection, kFindSuspended, addresses, domain_id);
    std::set<std::string> suspended;
    while (rows.next()) suspended.insert(rows.read<std::string>());
    const auto first =
        std::find_if(addresses.begin(), addresses.end(), [&](const mailbox::Address& each) {
            return suspended.contains(each.local_part());
        });
    return first == addresses.end() ? std::nullopt : std::optional{*first};
}

Created foresee(db::Connection& connection, const grants::Grant& grant,
                const std::vector<mailbox::Address>& addresses)
{
    auto rows = ask(connection, kForesee, addresses, grant.domain_id);
    if (rows.count() == 0) return {Created::Outcome::no_such_domain};
    std::int64_t mailboxes = 0;
    std::optional<std::int64_t> of_domain, of_account;
    bool has_suspended_names = false;
    std::set<std::string> existing;
    while (rows.next()) {
        std::string name;
        std::tie(mailboxes, of_domain, of_account, has_suspended_names, name) =
            rows.read<std::int64_t, std::optional<std::int64_t>, std::optional<std::int64_t>, bool,
                      std::string>();
        existing.insert(std::move(name));
    }
    if (has_suspended_names) {
        if (auto name = first_suspended(connection, grant.domain_id, addresses))
            return {.outcome = Created::Outcome::name_is_suspended, .address = name};
    }
    const auto exists = [&](const mailbox::Address& address) {
        return existing.contains(address.local_part());
    };
    const auto first = std::find_if(addresses.begin(), addresses.end(), exists);
    if (first != addresses.end() && !grant.domain_updates_duplicates)
        return {.outcome = Created::Outcome::already_exists, .address = *first};
    const auto added = static_cast<std::int64_t>(addresses.size())
                       - std::count_if(addresses.begin(), addresses.end(), exists);
    if (added == 0) return {};
    if (of_domain && mailboxes + added > *of_domain)
        return {.outcome = Created::Outcome::domain_is_full, .allowance = *of_domain};
    if (!of_account) return {};
    const auto together = connection.query(kOfAccount, {grant.domain_id})
                              .first<std::optional<std::int64_t>, std::int64_t>();
    if (!together || std::get<1>(*together) + added <= *of_account) return {};
    return {.outcome = Created::Outcome::account_is_full, .allowance = *of_account};
}

}  // namespace store
