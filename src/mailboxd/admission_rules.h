// admission_rules.h - the order in which a request is refused, given what the database says about
// its key. Without I/O; admission.h asks the database.
#pragma once

#include <optional>
#include <string_view>

#include "db/grants.h"

namespace admission {

enum class Purpose { read, write };

// Returns if `grant` is of a valid key, used from an allowed address, of an active account. Throws
// http::Error 401 or 403 otherwise.
void check_key(const std::optional<grants::Grant>& grant, std::string_view client);

// Returns if the key may do that in the domain. Throws http::Error 401, 403 or 404 otherwise, in
// that order, so that a caller without a valid key learns nothing else.
void check(const std::optional<grants::Grant>& grant, std::string_view client,
           std::string_view domain, Purpose purpose);

}  // namespace admission
