// admission.h - whether a request may do what it asks for, by what the database says of its key.
#pragma once

#include <optional>
#include <string_view>

#include "db/grants.h"

namespace admission {

using grants::Grant;

enum class Purpose { read, write };

// Returns where it is a right key of an active account; throws http::Error 401 or 403 otherwise.
void recognize(const std::optional<Grant>& grant, std::string_view client);

// Returns where the key may do that; throws http::Error 401, 403 or 404 otherwise,
// in that order, so that nobody without a right key learns more than that.
void admit(const std::optional<Grant>& grant, std::string_view client, std::string_view domain,
           Purpose purpose);

}  // namespace admission
