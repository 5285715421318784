#include "db/domain_list.h"

#include <optional>
#include <stdexcept>
#include <utility>

namespace store {
namespace {

// Reads total and page in one statement, so from one view. An empty page is a row with the total
// alone. Each name begins with an empty text. Names are ASCII, but the text that is looked for may
// not be, hence CONVERT. A server finds an account's domains by their index only if the condition
// names the account, so all domains have a statement of their own.
template <std::size_t order_size, std::size_t whose_size>
constexpr auto domains_statement(const char (&order)[order_size], const char (&whose)[whose_size])
{
    const auto selected = db::Text{" FROM domain d WHERE "} + whose
                          + " AND LOCATE(?, CONVERT(d.name USING utf8mb4) COLLATE utf8mb4_bin) = 1"
                            " AND ? IN ('', IF(d.state = 'active', 'active', 'disabled'))";
    return db::Text{
               "SELECT total.count, page.name, page.created_at, page.is_active FROM (SELECT COUNT(*) AS count"}
           + selected
           + ") total LEFT JOIN (SELECT d.id, d.name, d.created_at, d.state = 'active' AS is_active"
           + selected + " ORDER BY d." + order + " LIMIT ? OFFSET ?) page ON TRUE ORDER BY page."
           + order;
}

// The values: account or 0, domain or 0.
constexpr char kOfAccount[] = "d.account_id = ? AND ? IN (0, d.id)";
constexpr char kOfAll[] = "0 = ? AND ? IN (0, d.id)";

constexpr auto kAsAdded = domains_statement("id", kOfAccount);
constexpr auto kByName = domains_statement("name", kOfAccount);
constexpr auto kByNameDescending = domains_statement("name DESC", kOfAccount);
constexpr auto kAllAsAdded = domains_statement("id", kOfAll);
constexpr auto kAllByName = domains_statement("name", kOfAll);
constexpr auto kAllByNameDescending = domains_statement("name DESC", kOfAll);

db::Statement domains_statement(Selection::Order order, bool is_of_account)
{
    switch (order) {
    case Selection::Order::as_added:
        return is_of_account ? db::Statement{kAsAdded} : db::Statement{kAllAsAdded};
    case Selection::Order::by_name:
        return is_of_account ? db::Statement{kByName} : db::Statement{kAllByName};
    case Selection::Order::by_name_descending:
        return is_of_account ? db::Statement{kByNameDescending}
                             : db::Statement{kAllByNameDescending};
    }
    throw std::logic_error("no order");
}

}  // namespace

Domains domains(db::Connection& connection, const Whose& whose, const Page& page,
                const Selection& selection)
{
    const auto& part = selection.begin_of_name;
    const auto& state = selection.state;
    const auto [account, domain] = whose;
    auto rows = connection.query(
        domains_statement(selection.order, account != 0),
        {account, domain, part, state, account, domain, part, state, page.limit, page.skip});
    Domains domains;
    while (rows.next()) {
        auto [total, name, created_at, is_active] =
            rows.read<std::int64_t, std::optional<std::string>, std::int64_t, bool>();
        domains.total = total;
        if (name) domains.items.push_back({std::move(*name), created_at, is_active});
    }
    return domains;
}

}  // namespace store
