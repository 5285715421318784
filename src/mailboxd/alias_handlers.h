// alias_handlers.h - the calls about aliases, which the original calls routes.
//
// Throws http::Error if the request is refused, and whatever db/aliases.h throws.
#pragma once

#include "mailboxd/exchange.h"
#include "mailboxd/http.h"

namespace handlers {

http::Response list_routes(const api::Exchange& exchange);
http::Response create_route(const api::Exchange& exchange);
http::Response match_route(const api::Exchange& exchange);
http::Response show_route(const api::Exchange& exchange);
http::Response change_route(const api::Exchange& exchange);
http::Response delete_route(const api::Exchange& exchange);

}  // namespace handlers
