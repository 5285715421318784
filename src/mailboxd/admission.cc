#include "mailboxd/admission.h"

#include <optional>
#include <string>
#include <utility>

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
    if (!key) throw http::Error(401, "unauthorized", "Forbidden");
    return *std::move(key);
}

void admit_to_account(const api::Exchange& exchange)
{
    check_key(exchange.store.grant(exchange.key, ""), exchange.request.client);
}

// A text that is not a domain name is looked up as the empty name, which no domain has.
Admitted admit(const api::Exchange& exchange, Purpose purpose)
{
    const auto& text = exchange.match.domain;
    auto domain = mailbox::Domain::parse(text);
    const std::string_view name = domain ? std::string_view{domain->name()} : "";
    auto grant = exchange.store.grant(exchange.key, name);
    if (grant && grant->domain_id == 0)
        exchange.trace.detail =
            exchange.store.has_domain(name) ? "foreign-domain" : "unknown-domain";
    check(grant, exchange.request.client, name_for_sentence(text, domain), purpose);
    exchange.turn.set_account(grant->account_id);
    return {std::move(grant).value(), std::move(domain).value()};
}

}  // namespace admission
