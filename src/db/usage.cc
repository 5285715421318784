#include "db/usage.h"

#include <tuple>
#include <utility>

namespace usage {
namespace {

// The page is chosen before the sums are made, so only its accounts are summed up.
template <std::size_t size>
constexpr auto of_accounts(const char (&whose)[size])
{
    return db::Text{
               "SELECT a.name, NULL, COUNT(d.id), CAST(COALESCE(SUM(d.mailboxes), 0) AS SIGNED),"
               " CAST(COALESCE(SUM(d.size_bytes), 0) AS SIGNED), a.max_mailboxes"
               " FROM (SELECT id, name, max_mailboxes FROM account WHERE "}
           + whose
           + " ORDER BY name LIMIT ? OFFSET ?) a LEFT JOIN domain d ON d.account_id = a.id AND ? IN (0, d.id)"
             " GROUP BY a.id, a.name, a.max_mailboxes ORDER BY a.name";
}
constexpr auto kAllAccounts = of_accounts("? = 0");
constexpr auto kOneAccount = of_accounts("id = ?");
constexpr char kCountAccounts[] = "SELECT COUNT(*) FROM account WHERE ? IN (0, id)";

// The page is a range of the index that has its order, so that not all domains are read and sorted.
template <std::size_t index_size, std::size_t whose_size>
constexpr auto of_domains(const char (&index)[index_size], const char (&whose)[whose_size])
{
    return db::Text{
               "SELECT a.name, d.name, 1, d.mailboxes, d.size_bytes, d.max_mailboxes"
               " FROM (SELECT account_id, name, mailboxes, size_bytes, max_mailboxes FROM domain FORCE INDEX ("}
           + index + ") WHERE " + whose
           + " AND ? IN (0, id) ORDER BY name LIMIT ? OFFSET ?) d"
             " JOIN account a ON a.id = d.account_id ORDER BY d.name";
}
constexpr auto kAllDomains = of_domains("domain_name", "? = 0");
constexpr auto kDomainsOfAccount = of_domains("domain_account", "account_id = ?");
constexpr char kCountDomains[] =
    "SELECT COUNT(*) FROM domain WHERE ? IN (0, account_id) AND ? IN (0, id)";

std::vector<Row> rows_of(db::Rows rows)
{
    std::vector<Row> found;
    while (rows.next()) {
        Row row;
        std::tie(row.account, row.domain, row.domains, row.mailboxes, row.size_bytes,
                 row.max_mailboxes) =
            rows.read<std::string, std::optional<std::string>, std::int64_t, std::int64_t,
                      std::int64_t, std::optional<std::int64_t>>();
        found.push_back(std::move(row));
    }
    return found;
}

}  // namespace

Page by_account(db::Connection& connection, const store::Whose& whose, const store::Page& page)
{
    const auto [account, domain] = whose;
    Page found;
    found.total = connection.query(kCountAccounts, {account}).only<std::int64_t>();
    const auto values = {db::Value{account}, db::Value{page.limit}, db::Value{page.skip},
                         db::Value{domain}};
    found.rows = rows_of(account == 0 ? connection.query(kAllAccounts, values)
                                      : connection.query(kOneAccount, values));
    return found;
}

Page by_domain(db::Connection& connection, const store::Whose& whose, const store::Page& page)
{
    const auto [account, domain] = whose;
    Page found;
    found.total = connection.query(kCountDomains, {account, domain}).only<std::int64_t>();
    const auto values = {db::Value{account}, db::Value{domain}, db::Value{page.limit},
                         db::Value{page.skip}};
    found.rows = rows_of(account == 0 ? connection.query(kAllDomains, values)
                                      : connection.query(kDomainsOfAccount, values));
    return found;
}

}  // namespace usage
