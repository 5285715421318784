#include "life.h"

#include "audit.h"
#include "store.h"

namespace life {
namespace {

[[noreturn]] void refuse_absent(const mailbox::Address& address)
{
    throw admin::Refused("there is no mailbox " + address.text() + "; mailboxctl mailbox list " + address.domain()
                         + " shows what there is, and with --deleted what there was");
}

void write_audit(db::Connection& connection, std::string_view action, const mailbox::Address& address)
{
    audit::write(connection, {}, 0, {std::string{audit::kOperator}}, action, address.domain(), address.local_part());
}

Mailbox mailbox_of(const db::Rows& rows)
{
    Mailbox found{.id = rows.integer(1), .local_part = rows.text(2), .state = rows.text(3), .size_bytes = rows.integer(4),
                  .quota_bytes = {}, .created_at = rows.integer(6), .storage_id = rows.text(7),
                  .last_login = rows.integer(8), .last_delivery = rows.integer(9)};
    if (!rows.is_null(5)) found.quota_bytes = rows.integer(5);
    return found;
}

}  // namespace

constexpr char kMailboxes[] =
    "SELECT m.id, m.local_part, m.state, m.size_bytes, m.quota_bytes, m.created_at, m.storage_id, a.last_login, a.last_delivery"
    " FROM mailbox m LEFT JOIN mailbox_activity a ON a.storage_id = m.storage_id"
    " WHERE m.domain_id = ? AND m.id > ? ORDER BY m.domain_id, m.id LIMIT ?";

std::vector<Mailbox> mailboxes(db::Connection& connection, std::int64_t domain_id, std::int64_t after, std::int64_t limit)
{
    auto rows = connection.query(kMailboxes, {domain_id, after, limit});
    std::vector<Mailbox> found;
    while (rows.next()) found.push_back(mailbox_of(rows));
    return found;
}

constexpr char kMailbox[] =
    "SELECT m.id, m.local_part, m.state, m.size_bytes, m.quota_bytes, m.created_at, m.storage_id, a.last_login, a.last_delivery"
    " FROM domain d JOIN mailbox m ON m.domain_id = d.id LEFT JOIN mailbox_activity a ON a.storage_id = m.storage_id"
    " WHERE d.name = ? AND m.local_part = ?";

std::optional<Mailbox> find(db::Connection& connection, const mailbox::Address& address)
{
    auto rows = connection.query(kMailbox, {address.domain(), address.local_part()});
    if (!rows.next()) return std::nullopt;
    return mailbox_of(rows);
}

namespace {

std::vector<Deleted> deleted_of(db::Rows rows)
{
    std::vector<Deleted> found;
    while (rows.next()) {
        found.push_back({rows.text(1), rows.text(2), rows.integer(3), rows.integer(4), rows.integer(5), rows.text(6), rows.integer(7) != 0});
    }
    return found;
}

}  // namespace

constexpr char kDeletedOfDomain[] =
    "SELECT storage_id, local_part, size_bytes, created_at, deleted_at, deleted_by, purged_at IS NOT NULL"
    " FROM deleted_mailbox WHERE domain = ? ORDER BY deleted_at DESC, created_at DESC, storage_id";

std::vector<Deleted> deleted(db::Connection& connection, const mailbox::Domain& domain)
{
    return deleted_of(connection.query(kDeletedOfDomain, {domain.name()}));
}

constexpr char kDeletedOfAddress[] =
    "SELECT storage_id, local_part, size_bytes, created_at, deleted_at, deleted_by, purged_at IS NOT NULL"
    " FROM deleted_mailbox WHERE domain = ? AND local_part = ? ORDER BY deleted_at DESC, created_at DESC, storage_id";

std::vector<Deleted> deleted(db::Connection& connection, const mailbox::Address& address)
{
    return deleted_of(connection.query(kDeletedOfAddress, {address.domain(), address.local_part()}));
}

// Sessions of a mailbox that is suspended end for good: after a resume they have to log in again.
constexpr char kSetState[] =
    "UPDATE mailbox SET state = ?, generation = generation + IF(? = 'active', 0, 1) WHERE domain_id = ? AND local_part = ?";

void set_state(db::Connection& connection, const mailbox::Address& address, mailbox::State state)
{
    const auto text = mailbox::text(state);
    const auto domain_id = admin::Admin{connection}.domain_id(address.domain());
    db::Transaction transaction{connection};
    if (connection.execute(kSetState, {text, text, domain_id, address.local_part()}) == 0) refuse_absent(address);
    if (state != mailbox::State::active) store::end_sessions(connection, domain_id, address);
    write_audit(connection, admin::action_of(state), address);
    transaction.commit();
}

constexpr char kSetQuota[] = "UPDATE mailbox SET quota_bytes = ? WHERE domain_id = ? AND local_part = ?";

void set_quota(db::Connection& connection, const mailbox::Address& address, std::optional<std::int64_t> bytes)
{
    const auto domain_id = admin::Admin{connection}.domain_id(address.domain());
    const auto value = bytes ? db::Value{*bytes} : db::Value{};
    db::Transaction transaction{connection};
    if (connection.execute(kSetQuota, {value, domain_id, address.local_part()}) == 0) refuse_absent(address);
    write_audit(connection, "quota", address);
    transaction.commit();
}

}  // namespace life
