#include "db/domain_list.h"

#include <optional>
#include <stdexcept>
#include <utility>

namespace store {
namespace {

// Reads total and page in one statement, so from one view. An empty page is a row with the total
// alone. LOCATE finds an empty text in every name. Names are ASCII, but the text that is looked for
// may not be, hence CONVERT.
template <std::size_t size>
constexpr auto domains_statement(const char (&order)[size])
{
    constexpr char kSelected[] =
        " FROM api_key k JOIN domain d ON d.account_id = k.account_id AND d.id = COALESCE(k.domain_id, d.id)"
        " WHERE k.id = ? AND LOCATE(?, CONVERT(d.name USING utf8mb4) COLLATE utf8mb4_bin) > 0"
        " AND ? IN ('', IF(d.state = 'active', 'active', 'disabled'))";
    return db::Text{
               "SELECT total.count, page.name, page.created_at, page.is_active FROM (SELECT COUNT(*) AS count"}
           + kSelected
           + ") total LEFT JOIN (SELECT d.id, d.name, d.created_at, d.state = 'active' AS is_active"
           + kSelected + " ORDER BY d." + order + " LIMIT ? OFFSET ?) page ON TRUE ORDER BY page."
           + order;
}

constexpr auto kAsAdded = domains_statement("id");
constexpr auto kByName = domains_statement("name");
constexpr auto kByNameDescending = domains_statement("name DESC");

db::Statement domains_statement(Selection::Order order)
{
    switch (order) {
    case Selection::Order::as_added: return kAsAdded;
    case Selection::Order::by_name: return kByName;
    case Selection::Order::by_name_descending: return kByNameDescending;
    }
    throw std::logic_error("no order");
}

}  // namespace

Domains domains(db::Connection& connection, std::string_view key_id, const Page& page,
                const Selection& selection)
{
    const auto& part = selection.part_of_name;
    const auto& state = selection.state;
    auto rows = connection.query(domains_statement(selection.order),
                                 {key_id, part, state, key_id, part, state, page.limit, page.skip});
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
