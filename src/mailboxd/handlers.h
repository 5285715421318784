// handlers.h - what each operation of the API does: one operation of db::, from the request's
// fields to its answer.
//
// Throws http::Error if the request is refused, and whatever db:: throws.
#pragma once

#include "db/mailboxes.h"
#include "mailboxd/exchange.h"
#include "mailboxd/http.h"
#include "mailboxd/routes.h"

namespace handlers {

http::Response handle(routes::Operation operation, const api::Exchange& exchange);

// The health checks. `ready` answers 503 if the database does not serve a
// table or takes no changes.
http::Response alive();
http::Response ready(store::Store& store);

}  // namespace handlers
