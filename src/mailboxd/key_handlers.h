// key_handlers.h - the calls about API keys. Nobody creates a key that may do more than his own.
//
// Throws http::Error if the request is refused, and whatever db/accounts.h throws.
#pragma once

#include "mailboxd/exchange.h"
#include "mailboxd/http.h"

namespace handlers {

http::Response list_keys(const api::Exchange& exchange);
http::Response create_key(const api::Exchange& exchange);
http::Response delete_key(const api::Exchange& exchange);

}  // namespace handlers
