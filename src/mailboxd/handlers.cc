#include "mailboxd/handlers.h"

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"
#include "mail/password.h"
#include "mailboxd/admission.h"
#include "mailboxd/answers.h"
#include "mailboxd/fields.h"

namespace handlers {
namespace {

using admission::Purpose;
using api::Exchange;
using http::Error;
using http::Response;
using mailbox::Address;
using mailbox::As;

store::Actor actor(const Exchange& exchange)
{
    return {exchange.key.id(), exchange.request.client};
}

[[noreturn]] void refuse_missing_mailbox(const Address& address)
{
    throw Error(404, "mailbox_not_found", "Mailbox not found: " + address.text());
}

// --- list -------------------------------------------------------------------------------

Response listing(const store::Listing& listing, const mailbox::Domain& domain, As as)
{
    return {.body = answers::listing(listing.total, listing.items, domain.text(), as)};
}

// Answers the common case in one statement: the key may read the domain, and the page is not empty.
// Returns empty in all other cases. A cached page is answered if it is still valid.
std::optional<Response> granted_listing(const Exchange& exchange, const pages::ListRequest& request)
{
    const auto* kept = exchange.pages.find(request);
    if (kept != nullptr && exchange.store.confirm(exchange.key, kept->version))
        return Response{.body = kept->body};
    const auto found = exchange.store.list(exchange.key, request.domain, request.page);
    if (!found) return std::nullopt;
    auto response = listing(found->listing, request.domain, request.as);
    exchange.pages.keep({.request = request, .version = found->version, .body = response.body});
    return response;
}

// Before a wrong parameter is refused, the key is checked: a caller without a valid key learns only
// that.
store::Page page_of(const Exchange& exchange)
{
    try {
        return fields::page(fields::of_list(exchange.request), exchange.config);
    } catch (const Error&) {
        admission::admit(exchange, Purpose::read);
        throw;
    }
}

Response list_mailboxes(const Exchange& exchange)
{
    const auto page = page_of(exchange);
    const auto as = exchange.match.path->as;
    if (auto named = mailbox::Domain::parse(exchange.match.domain)) {
        auto answer = granted_listing(exchange, {.key_sha256 = exchange.key.sha256(),
                                                 .domain = *std::move(named),
                                                 .as = as,
                                                 .page = page});
        if (answer) return *std::move(answer);
    }
    const auto [grant, domain] = admission::admit(exchange, Purpose::read);
    return listing(exchange.store.page(grant.domain_id, domain, page), domain, as);
}

// --- create -----------------------------------------------------------------------------

void expect_created(const Exchange& exchange, const store::Created& done)
{
    switch (done.outcome) {
    case store::Created::Outcome::already_exists:
        throw Error(409, "mailbox_exists", store::sentence(done));
    case store::Created::Outcome::domain_is_full:
    case store::Created::Outcome::account_is_full:
        throw Error(409, "allowance_used_up", store::sentence(done));
    case store::Created::Outcome::no_such_domain:
        throw Error(404, "domain_not_found", "Domain not found: " + exchange.match.domain);
    case store::Created::Outcome::yes: break;
    }
}

// Separates a hash from the password that the service made for it. Both have to survive a pause of
// the request.
constexpr char kBeforePassword = ' ';

// Makes a password for each address. After a pause, returns those that were made before.
std::vector<Secret> generated_passwords(const Exchange& exchange,
                                        const std::vector<Address>& addresses)
{
    const auto& earlier = exchange.turn.hashes();
    std::vector<Secret> passwords;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (i < earlier.size()) {
            const std::string_view made{earlier[i]};
            passwords.emplace_back(made.substr(made.find(kBeforePassword) + 1));
        } else {
            passwords.push_back(password::generate(addresses[i], exchange.config));
        }
        fields::check_password(passwords.back().text(), addresses[i], exchange.config);
    }
    return passwords;
}

// Hashes the passwords, which is the expensive part: it waits for its turn before each hash. After
// a pause, goes on after the last hash that was made.
std::vector<store::NewMailbox> hashed(const Exchange& exchange,
                                      const std::vector<Address>& addresses,
                                      const std::vector<std::string_view>& passwords,
                                      bool are_generated)
{
    auto& turn = exchange.turn;
    const auto count = addresses.size();
    while (turn.hashes().size() < count) {
        const auto next = turn.hashes().size();
        turn.wait_for_hash(count - next);
        auto made = password::hash(passwords[next], exchange.config);
        if (are_generated) made += kBeforePassword + std::string{passwords[next]};
        turn.add(std::move(made));
    }
    turn.end_hashing();
    std::vector<store::NewMailbox> mailboxes;
    for (std::size_t i = 0; i < count; ++i) {
        const auto& made = turn.hashes()[i];
        mailboxes.push_back({addresses[i], made.substr(0, made.find(kBeforePassword))});
    }
    return mailboxes;
}

// A request that the tables would refuse is refused before the hashing.
Response create_mailboxes(const Exchange& exchange)
{
    const auto as = exchange.match.path->as;
    const auto [grant, domain] = admission::admit(exchange, Purpose::write);
    const auto wanted = fields::new_mailboxes(exchange.request, domain, as, exchange.config);
    const bool are_generated = wanted.passwords.empty();
    const auto generated =
        are_generated ? generated_passwords(exchange, wanted.addresses) : std::vector<Secret>{};
    auto passwords = wanted.passwords;
    for (const auto& password : generated) passwords.push_back(password.text());
    if (exchange.turn.hashes().empty())
        expect_created(exchange, exchange.store.foresee(grant, wanted.addresses));
    const auto mailboxes = hashed(exchange, wanted.addresses, passwords, are_generated);
    expect_created(exchange, exchange.store.create(grant, mailboxes, actor(exchange)));
    const auto message = "Created " + std::to_string(wanted.addresses.size())
                         + (as == As::credentials ? " credentials pair(s)" : " mailboxes");
    if (!are_generated) return {.body = answers::message(message)};
    answers::Logins logins;
    for (std::size_t i = 0; i < generated.size(); ++i)
        logins.emplace_back(wanted.addresses[i].text(), generated[i].text());
    return {.body = answers::generated(message, logins)};
}

// --- change and delete ------------------------------------------------------------------

Response change_password(const Exchange& exchange)
{
    const auto as = exchange.match.path->as;
    const auto [grant, domain] = admission::admit(exchange, Purpose::write);
    const auto address = fields::address_in_path(exchange.match.mailbox, domain, as);
    auto password = fields::new_password(exchange.request, address, domain, as);
    if (!password.is_given) password.text = password::generate(address, exchange.config);
    fields::check_password(password.text.text(), address, exchange.config);
    if (!exchange.store.has_mailbox(grant, address)) refuse_missing_mailbox(address);
    exchange.turn.wait_for_hash(1);
    const auto hash = password::hash(password.text.text(), exchange.config);
    exchange.turn.end_hashing();
    if (exchange.store.change_password(grant, address, hash, actor(exchange))
        == store::Changed::no_such_mailbox)
        refuse_missing_mailbox(address);
    constexpr std::string_view kChanged = "Password changed";
    if (password.is_given) return {.body = answers::message(kChanged)};
    return {.body = answers::generated(kChanged, {{address.text(), password.text.text()}})};
}

Response delete_mailbox(const Exchange& exchange)
{
    const auto as = exchange.match.path->as;
    const auto [grant, domain] = admission::admit(exchange, Purpose::write);
    const auto address = fields::address_in_path(exchange.match.mailbox, domain, as);
    fields::of_mailbox(exchange.request, address, domain, as);
    if (exchange.store.remove(grant, address, actor(exchange)) == store::Changed::no_such_mailbox)
        refuse_missing_mailbox(address);
    const auto* const message =
        as == As::credentials ? "Credentials have been deleted" : "Mailbox has been deleted";
    return {.body = answers::deleted(message, address.text())};
}

// Works only where the domain allows it. A slash after the collection may be a login that was left
// empty, so it must not delete everything. The deletion may begin transactions for half of the
// request's time; the rest is a reserve for a slow database.
Response delete_all_mailboxes(const Exchange& exchange)
{
    const auto [grant, domain] = admission::admit(exchange, Purpose::write);
    if (!grant.domain_may_be_emptied || exchange.match.has_trailing_slash) routes::refuse_method();
    fields::expect_none(exchange.request, exchange.match.path->as);
    const auto last_begin = std::chrono::steady_clock::now()
                            + std::chrono::milliseconds{exchange.config.request_deadline} / 2;
    const auto done = exchange.store.remove_all(grant, domain, actor(exchange), last_begin);
    if (!done.is_all) {
        throw Error(
            503, "not_finished",
            std::to_string(done.removed)
                + " credentials have been deleted, and there may be more: send the request again");
    }
    return {.body = json::object({{"message", "All domain credentials have been deleted"},
                                  {"count", done.removed}})};
}

// --- domains ----------------------------------------------------------------------------

Response list_domains(const Exchange& exchange)
{
    admission::admit_to_account(exchange);
    const auto given = fields::of_list(exchange.request);
    const auto page = fields::page(given, exchange.config);
    const auto domains = exchange.store.domains(exchange.key.id(), page, fields::selection(given));
    return {.body = answers::domains(domains.total, domains.items)};
}

Response show_domain(const Exchange& exchange)
{
    const auto [grant, domain] = admission::admit(exchange, Purpose::read);
    return {.body =
                answers::domain({domain.text(), grant.domain_created_at, grant.domain_is_active})};
}

}  // namespace

http::Response handle(routes::Operation operation, const api::Exchange& exchange)
{
    using routes::Operation;
    switch (operation) {
    case Operation::list_mailboxes: return list_mailboxes(exchange);
    case Operation::create_mailboxes: return create_mailboxes(exchange);
    case Operation::change_password: return change_password(exchange);
    case Operation::delete_mailbox: return delete_mailbox(exchange);
    case Operation::delete_all_mailboxes: return delete_all_mailboxes(exchange);
    case Operation::list_domains: return list_domains(exchange);
    case Operation::show_domain: return show_domain(exchange);
    }
    throw std::logic_error("a route without a handler");
}

http::Response alive()
{
    return {.body = answers::message("Alive")};
}

// Reads a table, because a Galera node that has lost the others still answers statements that need
// no table.
http::Response ready(store::Store& store)
{
    try {
        if (store.schema_version() > 0) return {.body = answers::message("Ready")};
        return {.status = 503,
                .body = answers::error("The database has no tables yet", "database_empty")};
    } catch (const db::Error& error) {
        logging::error("database")("error", error.what());
        return {.status = 503,
                .body = answers::error("The database cannot be asked", "database_absent")};
    }
}

}  // namespace handlers
