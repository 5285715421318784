#include "mailboxd/admission.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "base/metrics.h"
#include "base/strings.h"
#include "mail/unicode.h"
#include "mailboxd/http.h"

namespace admission {
namespace {

// The domain's name as the sentence "Domain not found" has it.
std::string name_for_sentence(std::string_view text, const std::optional<mailbox::Domain>& domain)
{
    const bool is_invalid = !domain && !unicode::is_ascii(text);
    return std::string{text} + (is_invalid ? " is no domain name by IDNA 2008" : "");
}

}  // namespace

api_key::Key key_in(std::string_view authorization)
{
    auto key = api_key::Key::from_header(authorization);
    if (!key) {
        metrics::count(metrics::Event::key_unknown);
        throw http::Error(401, "unauthorized", "Forbidden");
    }
    return *std::move(key);
}

void refuse_unknown_account(std::string_view id)
{
    throw http::Error(404, "account_not_found", "Account not found: " + std::string{id});
}

namespace {

// Returns the number of the account that the header names. Empty if there is no header; -1, which
// no account has, if the header is not a number.
std::optional<std::int64_t> on_behalf_of(const api::Exchange& exchange)
{
    const auto text = exchange.request.on_behalf_of;
    if (text.empty()) return std::nullopt;
    const auto number = strings::whole_number(text, std::numeric_limits<std::uint32_t>::max());
    if (!number || *number == 0) return -1;
    return static_cast<std::int64_t>(*number);
}

}  // namespace

Caller admit_to_account(const api::Exchange& exchange, Purpose purpose)
{
    auto grant = exchange.store.grant(exchange.key, "");
    check_key(grant, exchange.request.client);
    Caller caller{.grant = *std::move(grant), .account_id = 0};
    caller.account_id = caller.grant.account_id;
    if (const auto wanted = on_behalf_of(exchange)) {
        const bool is_seen = caller.is_operator() ? exchange.store.has_account(*wanted)
                                                  : *wanted == caller.account_id;
        if (!is_seen) refuse_unknown_account(exchange.request.on_behalf_of);
        caller.account_id = *wanted;
    }
    if (purpose == Purpose::write) check_scope(caller.grant);
    exchange.turn.set_account(caller.account_id);
    return caller;
}

Caller admit_operator(const api::Exchange& exchange, Purpose purpose)
{
    auto caller = admit_to_account(exchange, purpose);
    if (caller.is_operator()) return caller;
    metrics::count(metrics::Event::key_scope);
    throw http::Error(403, "operator_only", "This needs a key of the operator.");
}

// A text that is not a domain name is looked up as the empty name, which no domain has.
Admitted admit(const api::Exchange& exchange, Purpose purpose)
{
    const auto& text = exchange.match.domain;
    auto domain = mailbox::Domain::parse(text);
    const std::string_view name = domain ? std::string_view{domain->name()} : "";
    const auto wanted = on_behalf_of(exchange);
    auto grant = exchange.store.grant(exchange.key, name, wanted.value_or(0));
    if (grant && grant->domain_id == 0)
        exchange.trace.detail =
            exchange.store.has_domain(name) ? "foreign-domain" : "unknown-domain";
    check(grant, exchange.request.client, name_for_sentence(text, domain), purpose);
    exchange.turn.set_account(grant->account_id);
    return {std::move(grant).value(), std::move(domain).value()};
}

}  // namespace admission
