#include "db/domain_names.h"

#include <utility>

#include "db/accounts.h"
#include "mail/unicode.h"

namespace domain_names {

using admin::Refused;

constexpr char kAll[] =
    "SELECT n.name, d.name, n.created_at FROM domain_name n JOIN domain d ON d.id = n.domain_id"
    " WHERE n.is_alias AND ? IN ('', d.name) ORDER BY d.name, n.name";

std::vector<AliasDomain> all(db::Connection& connection, const std::string& domain)
{
    std::vector<AliasDomain> found;
    auto rows = connection.query(kAll, {domain});
    while (rows.next()) {
        auto [name, stands_for, created_at] = rows.read<std::string, std::string, std::int64_t>();
        found.push_back({std::move(name), std::move(stands_for), created_at});
    }
    return found;
}

constexpr char kStandsFor[] =
    "SELECT d.name FROM domain_name n JOIN domain d ON d.id = n.domain_id WHERE n.name = ? AND n.is_alias";

std::string stands_for(db::Connection& connection, const std::string& alias)
{
    return connection.query(kStandsFor, {alias}).first<std::string>().value_or("");
}

namespace {

// The column is as wide as a local part.
std::string in_log(const mailbox::Domain& alias)
{
    constexpr std::size_t kWidth = 64;
    return alias.name().substr(0, kWidth);
}

}  // namespace

constexpr char kInsertName[] =
    "INSERT INTO domain_name (name, unicode_name, domain_id, is_alias, created_at) VALUES (?, ?, ?, 1, UNIX_TIMESTAMP())";

void add(db::Connection& connection, const mailbox::Domain& alias, const mailbox::Domain& domain,
         audit::Within within)
{
    if (const auto why = mailbox::obstacle_to_hosting(alias); !why.empty())
        throw Refused(alias.text() + " cannot be an alias domain: " + std::string{why});
    const auto unicode_name = unicode::u_labels(alias.name());
    audit::Transactions transactions{connection, within};
    try {
        transactions.run([&] {
            const auto id = admin::Admin{connection}.domain_id(domain.name());
            connection.execute(
                kInsertName,
                {alias.name(), unicode_name ? db::Value{*unicode_name} : db::Value{}, id});
            transactions.write("domain-alias-add", domain.name(), in_log(alias));
        });
    } catch (const db::DuplicateKey&) {
        throw Refused(
            "the name " + alias.text()
            + " is taken: mailboxctl domain list and mailboxctl domain alias list show it");
    }
}

constexpr char kFind[] =
    "SELECT d.name FROM domain_name n JOIN domain d ON d.id = n.domain_id WHERE n.name = ? AND n.is_alias FOR UPDATE";
constexpr char kDelete[] = "DELETE FROM domain_name WHERE name = ? AND is_alias";

std::string remove(db::Connection& connection, const mailbox::Domain& alias, audit::Within within)
{
    audit::Transactions transactions{connection, within};
    std::string domain;
    transactions.run([&] {
        const auto found = connection.query(kFind, {alias.name()}).first<std::string>();
        if (!found)
            throw Refused("there is no alias domain " + alias.text()
                          + "; mailboxctl domain alias list shows what there is");
        domain = *found;
        connection.execute(kDelete, {alias.name()});
        transactions.write("domain-alias-remove", domain, in_log(alias));
    });
    return domain;
}

}  // namespace domain_names
