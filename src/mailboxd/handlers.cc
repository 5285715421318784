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
#include "db/mailbox_search.h"
#include "db/server.h"
#include "mail/password.h"
#include "mailboxd/account_handlers.h"
#include "mailboxd/admission.h"
#include "mailboxd/alias_handlers.h"
#include "mailboxd/answers.h"
#include "mailboxd/change.h"
#include "mailboxd/deleted_handlers.h"
#include "mailboxd/domain_handlers.h"
#include "mailboxd/fields.h"
#include "mailboxd/key_handlers.h"
#include "mailboxd/mailbox_handlers.h"
#include "mailboxd/once.h"
#include "mailboxd/provisioning_answers.h"
#include "mailboxd/provisioning_fields.h"
#include "mailboxd/report_handlers.h"

namespace handlers {
namespace {

using admission::Purpose;
using api::Exchange;
using http::Error;
using http::Response;
using mailbox::Address;
using mailbox::As;

// --- list -------------------------------------------------------------------------------

Response listing(const store::Listing& listing, const mailbox::Domain& domain, As as)
{
    return {.body = answers::listing(listing.total, listing.items, domain.text(), as)};
}

// Answers the common case in one statement: the key may read the domain, and the page is not empty.
// Returns empty in all other cases. A cached page is answered if it is still valid.
std::optional<Response> granted_listing(const Exchange& exchange, const pages::ListRequest& request)
{
    metrics::count(metrics::Event::page_lookup);
    const auto* kept = exchange.pages.find(request);
    if (kept != nullptr && exchange.store.confirm(exchange.key, kept->version)) {
        metrics::count(metrics::Event::page_hit);
        return Response{.body = kept->body};
    }
    if (!request.prefix.empty()) return std::nullopt;
    const auto found = exchange.store.list(exchange.key, request.domain, request.page);
    if (!found) return std::nullopt;
    auto response = listing(found->listing, request.domain, request.as);
    exchange.pages.keep({.request = request, .version = found->version, .body = response.body});
    return response;
}

// Lists the mailboxes that a prefix matches. The page is kept if Store::confirm() can confirm it,
// which is not so for a key with conditions.
Response matches(const Exchange& exchange, const grants::Grant& grant,
                 const pages::ListRequest& request)
{
    const auto found = db::reading(exchange.store.session(), [&](db::Connection& connection) {
        return store::search(connection, grant.domain_id, request.prefix, request.page);
    });
    auto response = listing(found.listing, request.domain, request.as);
    const bool has_conditions = grant.key_is_of_operator || !grant.key_addresses.empty();
    if (!has_conditions && exchange.request.on_behalf_of.empty())
        exchange.pages.keep({.request = request, .version = found.version, .body = response.body});
    return response;
}

Response detailed_listing(const Exchange& exchange, const grants::Grant& grant,
                          const pages::ListRequest& request)
{
    auto& store = exchange.store;
    const auto found = request.prefix.empty()
                           ? store.details(grant.domain_id, request.domain, request.page)
                           : db::reading(store.session(),
                                         [&](db::Connection& connection) {
        return store::search_details(connection, grant.domain_id, request.prefix, request.page);
                             });
    return {.body = answers::detailed_listing(found, request.domain.text(), request.as)};
}

// Before a wrong parameter is refused, the key is checked: a caller without a valid key learns only
// that.
fields::Selected selected(const Exchange& exchange)
{
    try {
        return fields::selected(fields::of_list(exchange.request), exchange.config);
    } catch (const Error&) {
        admission::admit(exchange, Purpose::read);
        throw;
    }
}

Response list_mailboxes(const Exchange& exchange)
{
    const auto [page, prefix, has_details] = selected(exchange);
    const auto request_for = [&](mailbox::Domain domain) {
        return pages::ListRequest{.key_sha256 = exchange.key.sha256(),
                                  .domain = std::move(domain),
                                  .as = exchange.match.path->as,
                                  .page = page,
                                  .prefix = prefix,
                                  .has_details = has_details};
    };
    auto named = mailbox::Domain::parse(exchange.match.domain);
    // The common case does not look at the header.
    if (named && !has_details && exchange.request.on_behalf_of.empty()) {
        if (auto answer = granted_listing(exchange, request_for(*std::move(named))))
            return *std::move(answer);
    }
    const auto [grant, domain] = admission::admit(exchange, Purpose::read);
    const auto request = request_for(domain);
    if (has_details) return detailed_listing(exchange, grant, request);
    if (!prefix.empty()) return matches(exchange, grant, request);
    return listing(exchange.store.page(grant.domain_id, domain, page), domain, request.as);
}

// --- create -----------------------------------------------------------------------------

void expect_created(const Exchange& exchange, const store::Created& done)
{
    switch (done.outcome) {
    case store::Created::Outcome::already_exists:
        throw Error(409, "mailbox_exists", store::sentence(done));
    case store::Created::Outcome::name_is_suspended:
        throw Error(403, "suspended", store::sentence(done));
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
std::vector<store::NewMailbox> hashed(const Exchange& exchange, const fields::NewMailboxes& wanted,
                                      const std::vector<std::string_view>& passwords,
                                      bool are_generated)
{
    auto& turn = exchange.turn;
    const auto count = wanted.addresses.size();
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
        mailboxes.push_back({.address = wanted.addresses[i],
                             .password_hash = made.substr(0, made.find(kBeforePassword)),
                             .quota_bytes = wanted.settings[i].quota_bytes,
                             .state = wanted.settings[i].state});
    }
    return mailboxes;
}

// `generated`: the passwords that the service made; empty: the caller sent his own.
std::string created(const std::vector<Address>& addresses, const std::vector<Secret>& generated,
                    As as)
{
    const auto message = "Created " + std::to_string(addresses.size())
                         + (as == As::credentials ? " credentials pair(s)" : " mailboxes");
    if (generated.empty()) return answers::message(message);
    answers::Logins logins;
    for (std::size_t i = 0; i < generated.size(); ++i)
        logins.emplace_back(addresses[i].text(), generated[i].text());
    return answers::generated(message, logins);
}

// A request that the tables would refuse is refused before the hashing.
Response create_mailboxes(const Exchange& exchange)
{
    const auto as = exchange.match.path->as;
    const auto [grant, domain] = admission::admit(exchange, Purpose::write);
    const auto wanted = fields::new_mailboxes(exchange.request, domain, as, exchange.config);
    for (const auto& settings : wanted.settings) check_settings_are_allowed(grant, settings);
    const bool are_generated = wanted.passwords.empty();
    const auto generated =
        are_generated ? generated_passwords(exchange, wanted.addresses) : std::vector<Secret>{};
    auto passwords = wanted.passwords;
    for (const auto& password : generated) passwords.push_back(password.text());
    return once::answered(exchange, wanted.body, [&](const once::Once& once) -> Response {
        if (exchange.turn.hashes().empty())
            expect_created(exchange, exchange.store.foresee(grant, wanted.addresses));
        const auto mailboxes = hashed(exchange, wanted, passwords, are_generated);
        const auto body = created(wanted.addresses, generated, as);
        expect_created(exchange, exchange.store.create(grant, mailboxes, api::actor_of(exchange),
                                                       once.steps(body)));
        return {.body = body};
    });
}

// --- delete all -------------------------------------------------------------------------

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
    const auto done = exchange.store.remove_all(grant, domain, api::actor_of(exchange), last_begin);
    if (!done.is_all) {
        throw Error(
            503, "not_finished",
            std::to_string(done.removed)
                + " credentials have been deleted, and there may be more: send the request again");
    }
    return {.body = json::object({{"message", "All domain credentials have been deleted"},
                                  {"count", done.removed}})};
}

}  // namespace

http::Response handle(routes::Operation operation, const api::Exchange& exchange)
{
    using routes::Operation;
    switch (operation) {
    case Operation::list_mailboxes: return list_mailboxes(exchange);
    case Operation::create_mailboxes: return create_mailboxes(exchange);
    case Operation::show_mailbox: return show_mailbox(exchange);
    case Operation::change_mailbox: return change_mailbox(exchange);
    case Operation::delete_mailbox: return delete_mailbox(exchange);
    case Operation::delete_all_mailboxes: return delete_all_mailboxes(exchange);
    case Operation::list_deleted: return list_deleted(exchange);
    case Operation::restore_mailbox: return restore_mailbox(exchange);
    case Operation::list_domains: return list_domains(exchange);
    case Operation::show_domain: return show_domain(exchange);
    case Operation::create_domain: return create_domain(exchange);
    case Operation::change_domain: return change_domain(exchange);
    case Operation::verify_domain: return verify_domain(exchange);
    case Operation::delete_domain: return delete_domain(exchange);
    case Operation::show_tracking: return show_tracking(exchange);
    case Operation::list_accounts: return list_accounts(exchange);
    case Operation::create_account: return create_account(exchange);
    case Operation::delete_account: return delete_account(exchange);
    case Operation::show_account: return show_account(exchange);
    case Operation::change_account: return change_account(exchange);
    case Operation::disable_account: return disable_account(exchange);
    case Operation::enable_account: return enable_account(exchange);
    case Operation::list_keys: return list_keys(exchange);
    case Operation::create_key: return create_key(exchange);
    case Operation::delete_key: return delete_key(exchange);
    case Operation::list_routes: return list_routes(exchange);
    case Operation::create_route: return create_route(exchange);
    case Operation::match_route: return match_route(exchange);
    case Operation::show_route: return show_route(exchange);
    case Operation::change_route: return change_route(exchange);
    case Operation::delete_route: return delete_route(exchange);
    case Operation::show_usage: return show_usage(exchange);
    case Operation::show_audit: return show_audit(exchange);
    }
    throw std::logic_error("a route without a handler");
}

http::Response alive()
{
    return {.body = answers::message("Alive")};
}

// Reads a table, because a Galera node that has lost the others still answers statements that need
// no table.
// The change is not committed. It tells every worker that the server takes changes again.
http::Response ready(store::Store& store)
{
    try {
        if (store.schema_version() == 0)
            return {.status = 503,
                    .body = answers::error("The database has no tables yet", "database_empty")};
        server::try_change(store.session().connection());
        store.session().note_change();
        return {.body = answers::message("Ready")};
    } catch (const db::Error& error) {
        logging::error("database")("error", error.what());
        store.session().note_failure(error);
        if (db::is_read_only(error))
            return {.status = 503,
                    .body = answers::error("The database takes no changes", "database_read_only")};
        return {.status = 503,
                .body = answers::error("The database cannot be asked", "database_absent")};
    }
}

}  // namespace handlers
