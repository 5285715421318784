// domain_handlers.h - the calls about domains.
//
// The operator does everything for every account. The key of an account reads its domains, and adds
// and removes them as far as max_domains allows. Throws http::Error if the request is refused, and
// whatever db/ throws.
#pragma once

#include "mailboxd/exchange.h"
#include "mailboxd/http.h"

namespace handlers {

http::Response list_domains(const api::Exchange& exchange);
http::Response show_domain(const api::Exchange& exchange);
http::Response create_domain(const api::Exchange& exchange);
http::Response change_domain(const api::Exchange& exchange);
http::Response verify_domain(const api::Exchange& exchange);
http::Response delete_domain(const api::Exchange& exchange);
http::Response show_tracking(const api::Exchange& exchange);

}  // namespace handlers
