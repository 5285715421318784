// parameters.h - one parameter among the fields of a request.
//
// Both functions throw http::Error 400 if a parameter is given twice or not valid.
#pragma once

#include <string_view>

#include "base/config.h"
#include "base/secret.h"
#include "db/list.h"
#include "mailboxd/http.h"

namespace fields {

using http::Fields;

// Returns the only value of the parameter; nullptr if it is not given.
const Secret* only(const Fields& fields, std::string_view name);

// Returns the page that a list's parameters ask for: `limit` and `skip`.
store::Page page(const Fields& fields, const Config& config);

}  // namespace fields
