// deleted_handlers.h - what the operations on deleted mailboxes do.
//
// Only mailboxes of the same domain are shown: those of a removed domain that had the same name may
// be another customer's. Throws http::Error if the request is refused, and whatever db:: throws.
#pragma once

#include "mailboxd/exchange.h"
#include "mailboxd/http.h"

namespace handlers {

http::Response list_deleted(const api::Exchange& exchange);
http::Response restore_mailbox(const api::Exchange& exchange);

}  // namespace handlers
