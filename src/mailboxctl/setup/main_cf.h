// main_cf.h - reads and changes the text of Postfix's main.cf (postconf(5)). Every line that a
// change does not concern stays as it is, comments included.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace main_cf {

// Returns the value of a parameter, its lines joined; empty if the text does not set it. Of several
// settings the last one counts.
std::optional<std::string> value(std::string_view text, std::string_view name);

// Returns the names of the parameters that the text sets, in its order.
std::vector<std::string> names(std::string_view text);

// Returns the text with the parameter set: its last setting is replaced, or a line is appended. A
// value that differs in blanks only stays as it is.
std::string with(std::string_view text, std::string_view name, std::string_view value);

}  // namespace main_cf
