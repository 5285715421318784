#include "mailboxd/domain_handlers.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "base/secret.h"
#include "mail/dns_records.h"
#include "mail/password.h"
#include "mailboxd/admission.h"
#include "mailboxd/answers.h"
#include "mailboxd/change.h"
#include "mailboxd/fields.h"
#include "mailboxd/once.h"
#include "mailboxd/provisioning_answers.h"
#include "mailboxd/provisioning_fields.h"
#include "mailboxd/resolver.h"

namespace handlers {
namespace {

using admission::Admitted;
using admission::Purpose;
using api::Exchange;
using http::Error;
using http::Response;
using mailbox::Domain;

[[noreturn]] void refuse_unknown_domain(const Exchange& exchange)
{
    throw Error(404, "domain_not_found", "Domain not found: " + exchange.match.domain);
}

// Limits, quotas and states are the operator's decision.
void check_settings_are_allowed(const grants::Grant& grant, const admin::DomainSettings& settings)
{
    const bool has_any = settings.max_mailboxes || settings.quota_bytes
                         || settings.updates_duplicates || settings.allows_delete_all
                         || settings.max_aliases || settings.has_system_addresses
                         || settings.forwards_outside || settings.state;
    if (has_any && !grant.key_is_of_operator) {
        throw Error(
            403, "operator_only",
            "Only the operator sets max_mailboxes, quota_bytes, on_duplicate, "
            "allow_delete_all, max_aliases, system_addresses, forward_outside and state of a domain.");
    }
}

// An account key that may add and remove domains is for the whole account.
void check_may_add_domains(const Exchange& exchange, const grants::Grant& grant)
{
    if (grant.key_is_of_operator) return;
    const auto account = api::reading(
        exchange, [&](admin::Admin& admin) { return admin.find_account(grant.account_id); });
    if (grant.key_domain_id == 0 && account && account->max_domains > 0) return;
    throw Error(
        403, "operator_only",
        "This key may not add or remove domains: the account's max_domains is 0, or the key "
        "is for one domain.");
}

// Returns the answer without what the DNS has.
answers::DomainAnswer answer_for(const Exchange& exchange, const admin::DomainDetails& details,
                                 const Domain& domain)
{
    answers::DomainAnswer answer{.domain = details, .text = domain.text()};
    if (!exchange.config.mail_host.empty())
        answer.receiving = dns::receiving(domain, exchange.config.mail_host);
    answer.sending = dns::sending(domain);
    return answer;
}

admin::DomainDetails details_of(const Exchange& exchange, const grants::Grant& grant)
{
    auto details = api::reading(
        exchange, [&](admin::Admin& admin) { return admin.domain_details(grant.domain_id); });
    if (!details) refuse_unknown_domain(exchange);
    return *std::move(details);
}

std::string hashed(const Exchange& exchange, const Secret& password)
{
    exchange.turn.wait_for_hash(1);
    auto hash = password::hash(password.text(), exchange.config);
    exchange.turn.end_hashing();
    return hash;
}

}  // namespace

Response list_domains(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::read);
    const auto given = fields::of_list(exchange.request);
    const auto page = fields::page(given, exchange.config);
    const auto domains = exchange.store.domains(
        {.account_id = caller.account_id, .domain_id = caller.grant.key_domain_id}, page,
        fields::selection(given));
    return {.body = answers::domains(domains.total, domains.items)};
}

Response show_domain(const Exchange& exchange)
{
    const auto [grant, domain] = admission::admit(exchange, Purpose::read);
    const auto details = details_of(exchange, grant);
    return {.body = answers::domain(answer_for(exchange, details, domain))};
}

// The domain gets its postmaster in the same transaction, because RFC 5321 4.5.1 requires one. A
// password that the service makes is shown in this answer only.
Response create_domain(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::write);
    check_may_add_domains(exchange, caller.grant);
    if (caller.account_id == 0) {
        throw Error(400, "bad_parameter",
                    "X-Mailgun-On-Behalf-Of must name the account that gets the domain");
    }
    const auto given = fields::of_list(exchange.request);
    const auto domain = fields::new_domain(given);
    auto settings = fields::domain_settings(given);
    check_settings_are_allowed(caller.grant, settings);
    if (!settings.quota_bytes && exchange.config.domain_quota != 0)
        settings.quota_bytes = exchange.config.domain_quota;
    const auto postmaster = mailbox::Address::parse("postmaster", domain);
    auto password = fields::smtp_password(given);
    const bool is_given = password.has_value();
    if (!password) password = password::generate(postmaster, exchange.config);
    fields::check_password(password->text(), postmaster, exchange.config);
    return once::answered(exchange, given, [&](const once::Once& once) {
        const auto hash = hashed(exchange, *password);
        Response response;
        api::Change change{exchange, once.steps()};
        change.admin.add_domain(
            domain, caller.account_id, settings, hash,
            caller.is_operator() ? admin::MaxDomains::not_asked : admin::MaxDomains::asked,
            [&](db::Connection& connection, const admin::DomainDetails& details) {
            auto answer = answer_for(exchange, details, domain);
            answer.message = "Domain has been created";
            if (!is_given) answer.smtp_password = password->text();
            response.body = answers::domain(answer);
            once.keep(connection, response.body);
            });
        return response;
    });
}

Response change_domain(const Exchange& exchange)
{
    const auto [grant, domain] = admission::admit(exchange, Purpose::write);
    const auto given = fields::of_list(exchange.request);
    const auto settings = fields::domain_settings(given);
    check_settings_are_allowed(grant, settings);
    const auto password = fields::smtp_password(given);
    std::string hash;
    if (password) {
        fields::check_password(password->text(), mailbox::Address::parse("postmaster", domain),
                               exchange.config);
        hash = hashed(exchange, *password);
    }
    const auto details = api::Change{exchange}.admin.change_domain(grant.domain_id, settings, hash);
    auto answer = answer_for(exchange, details, domain);
    answer.message = "Domain has been updated";
    return {.body = answers::domain(answer)};
}

// Changes nothing, so a key that may only read may ask, too.
Response verify_domain(const Exchange& exchange)
{
    constexpr std::chrono::seconds kLongest{2};  // no record is begun later
    const auto [grant, domain] = admission::admit(exchange, Purpose::read);
    fields::of_list(exchange.request);
    const auto details = details_of(exchange, grant);
    auto answer = answer_for(exchange, details, domain);
    auto all = answer.receiving;
    all.insert(all.end(), answer.sending.begin(), answer.sending.end());
    answer.found = resolver::look_up(all, std::chrono::steady_clock::now() + kLongest);
    answer.message = "Domain DNS records have been updated";
    return {.body = answers::domain(answer)};
}

Response delete_domain(const Exchange& exchange)
{
    const auto [grant, domain] = admission::admit(exchange, Purpose::write);
    check_may_add_domains(exchange, grant);
    const auto mailboxes = fields::removed_mailboxes(fields::of_list(exchange.request));
    api::Change{exchange}.admin.remove_domain(domain, mailboxes, grant.domain_id);
    return {.body = answers::message("Domain has been deleted")};
}

Response show_tracking(const Exchange& exchange)
{
    admission::admit(exchange, Purpose::read);
    return {.body = answers::no_tracking()};
}

}  // namespace handlers
