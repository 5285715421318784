// parameters.h - one parameter among the fields of a request.
//
// All functions throw http::Error 400 if a parameter is given twice or not valid.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/secret.h"
#include "db/list.h"
#include "mailboxd/http.h"

namespace fields {

using http::Fields;

// Returns the only value of the parameter; nullptr if it is not given.
const Secret* only(const Fields& fields, std::string_view name);

// Throws http::Error: the parameter must be what `rule` says.
[[noreturn]] void refuse(std::string_view parameter, const std::string& rule);
[[noreturn]] void refuse_missing_parameter(std::string_view parameter);
// Returns the value. Refuses one that is not UTF-8 or has a control character.
std::string checked(std::string_view name, std::string_view value);
// Returns the value of the parameter, if it is given. Refuses a list: without the parameter, a key
// for example may do more than the caller means.
std::optional<std::string> text(const Fields& fields, std::string_view name);

// Returns the page that a list's parameters ask for: `limit` and `skip`.
store::Page page(const Fields& fields, const Config& config);

}  // namespace fields
