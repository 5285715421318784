// strings.h - small functions on text that every layer needs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace strings {

bool is_utf8(std::string_view text);            // RFC 3629: no overlong forms, no surrogates
std::size_t characters(std::string_view text);  // of valid UTF-8, not bytes
bool has_control_character(
    std::string_view text);  // C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 C2 80 to C2 9F)
bool equals_ignoring_case(std::string_view left, std::string_view right);  // ASCII
std::string lower_case(std::string_view text);                             // ASCII
std::string_view trimmed(std::string_view text);  // without spaces and tabs around

// For a command line that somebody may paste into a shell: a customer chooses names with quotes,
// backquotes and dollars.
std::string for_shell(const std::string& text);

}  // namespace strings
