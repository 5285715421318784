// report_handlers.h - the calls that report: how much accounts and domains have, and who changed
// what.
//
// Throws http::Error if the request is refused, and db::Error.
#pragma once

#include "mailboxd/exchange.h"
#include "mailboxd/http.h"

namespace handlers {

http::Response show_usage(const api::Exchange& exchange);
http::Response show_audit(const api::Exchange& exchange);

}  // namespace handlers
