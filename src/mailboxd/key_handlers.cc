#include "mailboxd/key_handlers.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ip_range.h"
#include "base/strings.h"
#include "mailboxd/admission.h"
#include "mailboxd/answers.h"
#include "mailboxd/change.h"
#include "mailboxd/fields.h"
#include "mailboxd/once.h"
#include "mailboxd/provisioning_answers.h"
#include "mailboxd/provisioning_fields.h"

namespace handlers {
namespace {

using admission::Caller;
using admission::Purpose;
using api::Exchange;
using http::Error;
using http::Response;

// Returns the name of the only domain that the caller's key is for; empty: it is for all.
std::optional<std::string> domain_of_key(const Exchange& exchange, const Caller& caller)
{
    if (caller.grant.key_domain_id == 0) return std::nullopt;
    const auto details = api::reading(exchange, [&](admin::Admin& admin) {
        return admin.domain_details(caller.grant.key_domain_id);
    });
    if (!details) throw Error(401, "unauthorized", "Forbidden");  // gone, and the key with it
    return details->name;
}

// Whether the caller may see the key: the operator all, an account its own, and a key for one
// domain those for that domain.
bool is_seen(const Caller& caller, const std::optional<std::string>& domain,
             const admin::KeyDetails& key)
{
    if (caller.account_id != 0 && key.account_id != caller.account_id) return false;
    return !domain || key.domain == domain;
}

[[noreturn]] void refuse_wider(const std::string& what)
{
    throw Error(403, "exceeds_own_key", "A key cannot create one that may do more: " + what);
}

// Narrows what is not given to the caller's own limits, and refuses what exceeds them.
void keep_within(const Caller& caller, const std::optional<std::string>& domain,
                 admin::NewKey& wanted)
{
    const auto& own = caller.grant;
    if (domain) {
        if (wanted.domain && wanted.domain->name() != *domain)
            refuse_wider("this one is for the domain " + *domain + " only.");
        wanted.domain = mailbox::Domain::parse(*domain);
    }
    if (own.key_expires_at != 0) {
        if (wanted.expires_at > own.key_expires_at) refuse_wider("this one expires earlier.");
        if (wanted.expires_at == 0) wanted.expires_at = own.key_expires_at;
    }
    if (own.key_addresses.empty()) return;
    if (wanted.addresses.empty()) wanted.addresses = strings::words(own.key_addresses);
    for (const auto& range : wanted.addresses) {
        if (!ip_range::is_range(range)) continue;  // refused with its own sentence later
        if (!ip_range::is_range_in_ranges(range, own.key_addresses))
            refuse_wider("this one may not be used from " + range + ".");
    }
}

// Returns the account that gets the key. The operator names it by header or by the domain.
std::int64_t account_of_new_key(const Exchange& exchange, const Caller& caller,
                                const admin::NewKey& wanted)
{
    if (caller.account_id != 0) return caller.account_id;
    if (!wanted.domain) {
        throw Error(400, "bad_parameter",
                    "X-Mailgun-On-Behalf-Of must name the account that gets the key. Keys of the "
                    "operator are made with mailboxctl only");
    }
    const auto details = api::reading(exchange, [&](admin::Admin& admin) {
        const auto found = admin.find_domain(wanted.domain->name());
        return found ? admin.domain_details(found->id) : std::nullopt;
    });
    if (!details)
        throw Error(404, "domain_not_found", "Domain not found: " + wanted.domain->text());
    return details->account_id;
}

}  // namespace

// Without `limit`, all keys are listed, as by the original: a client that does not find its key on
// the only page that it reads creates another one.
Response list_keys(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::read);
    const auto given = fields::of_list(exchange.request);
    const auto* const kind = fields::only(given, "kind");
    const auto* const domain_name = fields::only(given, "domain_name");
    const auto page = fields::page(given, exchange.config);
    const auto domain = domain_of_key(exchange, caller);
    auto keys =
        api::reading(exchange, [&](admin::Admin& admin) { return admin.keys(caller.account_id); });
    const auto now = caller.grant.now;
    std::erase_if(keys, [&](const admin::KeyDetails& key) {
        const bool is_in_force =
            key.revoked_at == 0 && (key.expires_at == 0 || key.expires_at > now);
        return !is_in_force || !is_seen(caller, domain, key)
               || (kind != nullptr && key.kind != kind->text())
               || (domain_name != nullptr && key.domain.value_or("") != domain_name->text());
    });
    const auto total = std::ssize(keys);
    if (fields::only(given, "limit") != nullptr || page.skip > 0) {
        const auto skip = std::min<std::int64_t>(page.skip, total);
        const auto end = skip + std::min<std::int64_t>(page.limit, total - skip);
        keys = {std::next(keys.begin(), skip), std::next(keys.begin(), end)};
    }
    return {.body = answers::keys(total, keys)};
}

Response create_key(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::write);
    const auto given = fields::of_list(exchange.request);
    auto wanted = fields::new_key(given, caller.grant.now);
    if (!caller.is_operator()) keep_within(caller, domain_of_key(exchange, caller), wanted);
    wanted.account_id = account_of_new_key(exchange, caller, wanted);
    return once::answered(exchange, given, [&](const once::Once& once) {
        Response response;
        api::Change change{exchange, once.steps()};
        change.admin.add_key(wanted, [&](db::Connection& connection, const api_key::Key& key) {
            const auto details = change.admin.find_key(key.id());
            response.body = answers::new_key(details.value(), key.text());
            once.keep(connection, response.body);
        });
        return response;
    });
}

// Every key may delete itself, also one that may only read.
Response delete_key(const Exchange& exchange)
{
    const auto& id = exchange.match.item;
    const bool is_own = id == exchange.key.id();
    const auto caller =
        admission::admit_to_account(exchange, is_own ? Purpose::read : Purpose::write);
    fields::of_list(exchange.request);
    const auto domain = domain_of_key(exchange, caller);
    const auto key = api::reading(exchange, [&](admin::Admin& admin) {
        return api_key::is_id(id) ? admin.find_key(id) : std::nullopt;
    });
    if (!key || !is_seen(caller, domain, *key))
        throw Error(404, "key_not_found", "Key not found: " + id);
    api::Change{exchange}.admin.revoke_key(id);
    return {.body = answers::message("Key has been deleted")};
}

}  // namespace handlers
