// admission_rules.h - the order in which a request is refused, given what the database says about
// its key. Without I/O; admission.h asks the database.
#pragma once

#include <optional>
#include <string_view>

#include "db/grants.h"

namespace admission {

enum class Purpose { read, write };

// Throws http::Error 401 or 403 unless the key is valid, `client` is one of its allowed addresses,
// and its account is active.
void check_key(const std::optional<grants::Grant>& grant, std::string_view client);

// Throws http::Error 403 if the key may only read.
void check_scope(const grants::Grant& grant);

// Throws http::Error 401, 403 or 404 unless the key may read the domain, or write to it. The key is
// checked before the domain, so a caller without a valid key learns nothing about the domain.
void check(const std::optional<grants::Grant>& grant, std::string_view client,
           std::string_view domain, Purpose purpose);

}  // namespace admission
