// strings.h - small functions on text that every layer needs.
//
// They know ASCII, unless they say UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strings {

// True if the text is valid UTF-8 by RFC 3629: no overlong forms, no surrogates.
bool is_utf8(std::string_view text);
// Returns the number of characters, not bytes, of valid UTF-8.
std::size_t characters(std::string_view text);
// True if the text has a character of C0, DEL, or one of C1 (U+0080 to U+009F, in UTF-8 C2 80 to C2
// 9F).
bool has_control_character(std::string_view text);
bool equals_ignoring_case(std::string_view left, std::string_view right);
std::string lower_case(std::string_view text);
std::string upper_case(std::string_view text);
// Returns the text without the spaces and tabs around it.
std::string_view trimmed(std::string_view text);

// Returns the number that the text spells in decimal digits; leading zeros are allowed. Empty for
// anything else: no text, a sign, a blank, any other character, a number above `greatest`.
std::optional<std::uint64_t> whole_number(
    std::string_view text, std::uint64_t greatest = std::numeric_limits<std::uint64_t>::max());

// Returns the parts of the text between the separators, which are single characters. No part is
// empty: separators next to each other count as one.
std::vector<std::string> words(std::string_view text, std::string_view separators = " \t\r\n");

// Returns the texts of a container, in its order, with the separator between them.
template <typename Texts>
std::string joined(const Texts& texts, std::string_view separator)
{
    std::string all;
    bool is_first = true;
    for (const auto& text : texts) {
        if (!is_first) all += separator;
        all += text;
        is_first = false;
    }
    return all;
}

// Returns the text as one word of a shell's command line, quoted if necessary: customers choose
// names with quotes, backquotes and dollars.
std::string for_shell(const std::string& text);

}  // namespace strings
