// mailbox_handlers.h - what the operations on one mailbox do.
//
// Throws http::Error if the request is refused, and whatever db:: throws.
#pragma once

#include "db/grants.h"
#include "db/mailbox_settings.h"
#include "mailboxd/exchange.h"
#include "mailboxd/http.h"

namespace handlers {

http::Response show_mailbox(const api::Exchange& exchange);
http::Response change_mailbox(const api::Exchange& exchange);
http::Response delete_mailbox(const api::Exchange& exchange);

// Throws http::Error 403 if the key may not set what is given: quotas and states are the operator's
// decision.
void check_settings_are_allowed(const grants::Grant& grant, const store::MailboxSettings& settings);

}  // namespace handlers
