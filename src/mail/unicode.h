// unicode.h - internationalised domain names, and text in one spelling.
//
// By libidn2 (IDNA 2008) and libunistring. Throws std::bad_alloc when memory cannot be had.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace unicode {

bool is_ascii(std::string_view text);

// Returns a domain name with its labels as the DNS has them (A-labels, xn--…), in lower case. The
// name is in UTF-8; it is lower-cased and composed first (RFC 5895). Empty if it is not valid by
// IDNA 2008: a symbol, an unassigned character, a mixture of directions. A label in ASCII is not
// looked at, except one that begins with xn--.
std::optional<std::string> a_labels(std::string_view name);

// Returns the name with its A-labels as people write them (U-labels). Empty if it has none, or one
// that is not valid by IDNA 2008.
std::optional<std::string> u_labels(const std::string& name);

// Returns the text in the form that keyboards send, each character composed (NFC). The text is
// valid UTF-8, and may be a password: no copy of it stays in memory.
Secret composed(std::string_view text);

}  // namespace unicode
