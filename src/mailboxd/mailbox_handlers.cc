#include "mailboxd/mailbox_handlers.h"

#include <optional>
#include <string_view>
#include <utility>

#include "base/secret.h"
#include "db/mailbox_search.h"
#include "mail/password.h"
#include "mailboxd/admission.h"
#include "mailboxd/answers.h"
#include "mailboxd/change.h"
#include "mailboxd/fields.h"
#include "mailboxd/provisioning_answers.h"

namespace handlers {
namespace {

using admission::Purpose;
using api::Exchange;
using http::Error;
using http::Response;
using mailbox::Address;
using mailbox::As;
using Password = fields::MailboxChange::Password;

[[noreturn]] void refuse_missing_mailbox(const Address& address)
{
    throw Error(404, "mailbox_not_found", "Mailbox not found: " + address.text());
}

// A request that the tables would refuse is refused before the hashing.
std::string hashed(const Exchange& exchange, const grants::Grant& grant, const Address& address,
                   const Secret& password)
{
    fields::check_password(password.text(), address, exchange.config);
    if (!exchange.store.has_mailbox(grant, address)) refuse_missing_mailbox(address);
    exchange.turn.wait_for_hash(1);
    auto hash = password::hash(password.text(), exchange.config);
    exchange.turn.end_hashing();
    return hash;
}

void change_password(const Exchange& exchange, const grants::Grant& grant, const Address& address,
                     std::string_view hash)
{
    if (exchange.store.change_password(grant, address, hash, api::actor_of(exchange))
        == store::Changed::no_such_mailbox)
        refuse_missing_mailbox(address);
}

void change_settings(const Exchange& exchange, const grants::Grant& grant, const Address& address,
                     const store::MailboxSettings& settings)
{
    try {
        api::Change{exchange}.mailboxes.change(grant.domain_id, address, settings);
    } catch (const admin::Refused& refused) {
        if (refused.code != life::kNotFound) throw;
        refuse_missing_mailbox(address);
    }
}

}  // namespace

void check_settings_are_allowed(const grants::Grant& grant, const store::MailboxSettings& settings)
{
    if ((settings.quota_bytes || settings.state) && !grant.key_is_of_operator) {
        throw Error(403, "operator_only",
                    "Only the operator sets quota_bytes and state of a mailbox.");
    }
}

Response show_mailbox(const Exchange& exchange)
{
    const auto [grant, domain] = admission::admit(exchange, Purpose::read);
    const auto address =
        fields::address_in_path(exchange.match.item, domain, exchange.match.path->as);
    const auto domain_id = grant.domain_id;
    const auto found = db::reading(exchange.store.session(), [&](db::Connection& connection) {
        return store::find_details(connection, domain_id, address.local_part());
    });
    if (!found) refuse_missing_mailbox(address);
    return {.body = answers::mailbox(*found, domain.text())};
}

// The original changes passwords only, and its clients know the answer to that.
Response change_mailbox(const Exchange& exchange)
{
    const auto as = exchange.match.path->as;
    const auto [grant, domain] = admission::admit(exchange, Purpose::write);
    const auto address = fields::address_in_path(exchange.match.item, domain, as);
    auto wanted = fields::mailbox_change(exchange.request, address, domain, as);
    auto& settings = wanted.settings;
    check_settings_are_allowed(grant, settings);
    auto password = std::move(wanted.given_password);
    if (wanted.password == Password::made) password = password::generate(address, exchange.config);
    if (wanted.password != Password::stays)
        settings.password_hash = hashed(exchange, grant, address, password);

    const bool is_only_password = !settings.quota_bytes && !settings.state;
    if (is_only_password) change_password(exchange, grant, address, *settings.password_hash);
    else change_settings(exchange, grant, address, settings);
    const std::string_view message =
        is_only_password ? "Password changed" : "Mailbox has been updated";
    if (wanted.password != Password::made) return {.body = answers::message(message)};
    return {.body = answers::generated(message, {{address.text(), password.text()}})};
}

Response delete_mailbox(const Exchange& exchange)
{
    const auto as = exchange.match.path->as;
    const auto [grant, domain] = admission::admit(exchange, Purpose::write);
    const auto address = fields::address_in_path(exchange.match.item, domain, as);
    fields::of_mailbox(exchange.request, address, domain, as);
    if (exchange.store.remove(grant, address, api::actor_of(exchange))
        == store::Changed::no_such_mailbox)
        refuse_missing_mailbox(address);
    const auto* const message =
        as == As::credentials ? "Credentials have been deleted" : "Mailbox has been deleted";
    return {.body = answers::deleted(message, address.text())};
}

}  // namespace handlers
