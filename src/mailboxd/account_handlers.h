// account_handlers.h - the calls about accounts, for keys of the operator. The original calls
// accounts "subaccounts".
//
// Throws http::Error if the request is refused, and whatever db/accounts.h throws.
#pragma once

#include "mailboxd/exchange.h"
#include "mailboxd/http.h"

namespace handlers {

http::Response list_accounts(const api::Exchange& exchange);
http::Response create_account(const api::Exchange& exchange);
http::Response show_account(const api::Exchange& exchange);
http::Response change_account(const api::Exchange& exchange);
http::Response disable_account(const api::Exchange& exchange);
http::Response enable_account(const api::Exchange& exchange);
http::Response delete_account(const api::Exchange& exchange);

}  // namespace handlers
