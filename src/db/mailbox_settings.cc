#include "db/mailbox_settings.h"

namespace store {

db::Value value_of(const Quota& quota)
{
    return quota ? db::Value{*quota} : db::Value{};
}

constexpr char kEndSessions[] =
    "INSERT INTO session_end (storage_id, since)"
    " SELECT storage_id, UNIX_TIMESTAMP() FROM mailbox WHERE domain_id = ? AND local_part = ?";

void end_sessions(db::Connection& connection, std::int64_t domain_id,
                  const mailbox::Address& address)
{
    connection.execute(kEndSessions, {domain_id, address.local_part()});
}

constexpr char kSetPassword[] =
    "UPDATE mailbox SET password = ?, generation = generation + 1 WHERE domain_id = ? AND local_part = ?";

bool set_password(db::Connection& connection, std::int64_t domain_id,
                  const mailbox::Address& address, std::string_view hash)
{
    if (connection.execute(kSetPassword, {hash, domain_id, address.local_part()}) == 0)
        return false;
    end_sessions(connection, domain_id, address);
    return true;
}

constexpr char kSetQuota[] =
    "UPDATE mailbox SET quota_bytes = ? WHERE domain_id = ? AND local_part = ?";

bool set_quota(db::Connection& connection, std::int64_t domain_id, const mailbox::Address& address,
               const Quota& quota)
{
    return connection.execute(kSetQuota, {value_of(quota), domain_id, address.local_part()}) > 0;
}

constexpr char kLockDomain[] = "UPDATE domain SET last_id = last_id WHERE id = ?";

void lock_domain(db::Connection& connection, std::int64_t domain_id)
{
    connection.execute(kLockDomain, {domain_id});
}

// A new generation ends the open sessions of a suspended mailbox for good: after a resume their
// users must log in again. (If its domain or account is suspended instead, sessions that the
// janitor has not ended before the resume go on.)
constexpr char kState[] =
    "SELECT state FROM mailbox WHERE domain_id = ? AND local_part = ? FOR UPDATE";
constexpr char kSetState[] =
    "UPDATE mailbox SET state = ?, generation = generation + IF(? = 'active', 0, 1) WHERE domain_id = ? AND local_part = ?";

constexpr char kNameState[] =
    "SELECT state FROM suspended_name WHERE domain_id = ? AND local_part = ? FOR UPDATE";
constexpr char kSetNameState[] =
    "UPDATE suspended_name SET state = ? WHERE domain_id = ? AND local_part = ?";
constexpr char kForgetName[] = "DELETE FROM suspended_name WHERE domain_id = ? AND local_part = ?";
constexpr char kResumeDeleted[] =
    "UPDATE deleted_mailbox SET state = 'active' WHERE domain = ? AND local_part = ? AND domain_id = ? AND purged_at IS NULL";

std::optional<StateSet> set_state(db::Connection& connection, std::int64_t domain_id,
                                  const mailbox::Address& address, mailbox::State wanted)
{
    const auto& name = address.local_part();
    const auto of_mailbox = connection.query(kState, {domain_id, name}).first<std::string>();
    const auto of_name = connection.query(kNameState, {domain_id, name}).first<std::string>();
    if (!of_mailbox && !of_name) return std::nullopt;
    const auto state =
        mailbox::after(mailbox::state_of(of_mailbox ? *of_mailbox : *of_name), wanted);
    const StateSet set{
        .state = state, .has_mailbox = of_mailbox.has_value(), .is_as_wanted = state == wanted};
    const bool is_active = state == mailbox::State::active;
    if (!is_active) end_sessions(connection, domain_id, address);
    if (!set.is_as_wanted) return set;
    const auto text = mailbox::text(state);
    connection.execute(kSetState, {text, text, domain_id, name});
    if (is_active) connection.execute(kForgetName, {domain_id, name});
    else connection.execute(kSetNameState, {text, domain_id, name});
    if (is_active) connection.execute(kResumeDeleted, {address.domain(), name, domain_id});
    return set;
}

}  // namespace store
