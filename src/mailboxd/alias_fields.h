// alias_fields.h - the fields of a request → the settings of an alias, which the original calls a
// route.
//
// All functions throw http::Error 400 if a parameter is missing, given twice or not valid.
// mail/alias_rule.h has the rules for the texts of an expression and an action.
#pragma once

#include "db/aliases.h"
#include "mail/alias_rule.h"
#include "mailboxd/parameters.h"

namespace fields {

// What a route is changed to: `priority`, `description`, `expression`, and `action` as often as
// there are actions. What is missing stays.
alias::Settings route_settings(const Fields& fields);
// The same for a new route, which needs an expression and an action.
alias::Settings new_route(const Fields& fields);

// Returns `address`, without what stands after a + and in lower case.
alias::Target matched_address(const Fields& fields);

}  // namespace fields
