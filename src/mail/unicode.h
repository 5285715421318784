// unicode.h - internationalised domain names, and text in one spelling.
//
// Uses libidn2 (IDNA 2008) and libunistring. Throws std::bad_alloc if memory is not available.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace unicode {

bool is_ascii(std::string_view text);

// Returns a UTF-8 domain name with its labels as the DNS has them (A-labels, xn--…), in lower case.
// The name is lower-cased and composed first (RFC 5895). Empty if it is not valid by IDNA 2008: for
// example a symbol, an unassigned character, a mixture of directions. ASCII labels are not checked,
// except those that begin with xn--.
std::optional<std::string> a_labels(std::string_view name);

// Returns the name with its A-labels as people write them (U-labels). Empty if it has no A-label,
// or one that is not valid by IDNA 2008.
std::optional<std::string> u_labels(const std::string& name);

// Returns the text with each character composed (NFC), as keyboards send it. The text must be valid
// UTF-8. It may be a password: no copy of it stays in memory.
Secret composed(std::string_view text);

}  // namespace unicode
