#include "mailboxd/alias_handlers.h"

#include <optional>
#include <string>

#include "db/session.h"
#include "mail/unicode.h"
#include "mailboxd/admission.h"
#include "mailboxd/alias_answers.h"
#include "mailboxd/alias_fields.h"
#include "mailboxd/change.h"
#include "mailboxd/fields.h"
#include "mailboxd/once.h"

namespace handlers {
namespace {

using admission::Caller;
using admission::Purpose;
using api::Exchange;
using http::Error;
using http::Response;

// Returns what the caller may see: all aliases, those of its account, or those of the key's only
// domain.
store::Whose whose_of(const Caller& caller)
{
    return {.account_id = caller.account_id, .domain_id = caller.grant.key_domain_id};
}

alias::Caller changing(const Caller& caller)
{
    return {.whose = whose_of(caller), .is_operator = caller.is_operator()};
}

bool is_seen(const store::Whose& whose, const alias::Alias& alias)
{
    return (whose.account_id == 0 || whose.account_id == alias.account_id)
           && (whose.domain_id == 0 || whose.domain_id == alias.domain_id);
}

[[noreturn]] void refuse_absent()
{
    throw Error(404, "route_not_found", "Route not found");
}

// Returns the alias in the path. Throws http::Error 404 if there is none, or if the caller may not
// see it.
alias::Alias alias_in_path(const Exchange& exchange, const store::Whose& whose)
{
    const auto& id = exchange.match.item;
    const auto found = db::reading(exchange.store.session(), [&](db::Connection& connection) {
        return unicode::is_ascii(id) ? alias::find(connection, id) : std::nullopt;
    });
    if (!found || !is_seen(whose, *found)) refuse_absent();
    return *found;
}

}  // namespace

Response list_routes(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::read);
    const auto page = fields::page(fields::of_list(exchange.request), exchange.config);
    const auto found = db::reading(exchange.store.session(), [&](db::Connection& connection) {
        return alias::page(connection, whose_of(caller), page);
    });
    return {.body = answers::routes(found)};
}

Response create_route(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::write);
    const auto given = fields::of_list(exchange.request);
    const auto settings = fields::new_route(given);
    return once::answered(exchange, given, [&](const once::Once& once) {
        Response response;
        const auto keep = [&](db::Connection& connection, const alias::Alias& made) {
            response.body = answers::new_route(made);
            once.keep(connection, response.body);
        };
        api::Change{exchange, once.steps()}.aliases.add(changing(caller), settings, keep);
        return response;
    });
}

Response match_route(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::read);
    const auto address = fields::matched_address(fields::of_list(exchange.request));
    const auto found = db::reading(exchange.store.session(), [&](db::Connection& connection) {
        return alias::match(connection, whose_of(caller), address.local_part, address.domain);
    });
    if (!found) refuse_absent();
    return {.body = answers::route(*found)};
}

Response show_route(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::read);
    fields::of_list(exchange.request);
    return {.body = answers::route(alias_in_path(exchange, whose_of(caller)))};
}

Response change_route(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::write);
    const auto settings = fields::route_settings(fields::of_list(exchange.request));
    const auto alias = alias_in_path(exchange, whose_of(caller));
    const auto changed = api::Change{exchange}.aliases.change(changing(caller), alias, settings);
    return {.body = answers::changed_route(changed)};
}

Response delete_route(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::write);
    fields::of_list(exchange.request);
    const auto alias = alias_in_path(exchange, whose_of(caller));
    api::Change{exchange}.aliases.remove(changing(caller), alias);
    return {.body = answers::deleted_route(alias)};
}

}  // namespace handlers
