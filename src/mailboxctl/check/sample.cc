#include "mailboxctl/check/sample.h"

namespace check {
namespace {

constexpr char kSample[] =
    "SELECT d.name, CONCAT(m.local_part, '@', d.name), CONCAT(m.storage_id, '.', m.generation, '@', d.name)"
    " FROM mailbox m JOIN domain d ON d.id = m.domain_id JOIN account a ON a.id = d.account_id"
    " WHERE m.state = 'active' AND d.state = 'active' AND a.state = 'active' LIMIT 1";

}  // namespace

Sample sample(db::Connection& connection)
{
    auto rows = connection.query(kSample);
    if (!rows.next()) return {"nobody.invalid", "postmaster@nobody.invalid", {}};
    auto [domain, address, login_name] = rows.read<std::string, std::string, std::string>();
    return {std::move(domain), std::move(address), std::move(login_name)};
}

}  // namespace check
