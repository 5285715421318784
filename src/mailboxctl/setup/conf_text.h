// conf_text.h - reads and changes the text of mailboxd.conf (mailboxd.conf(5)).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace conf_text {

// Returns the value of a setting; empty if the text does not set it.
std::optional<std::string> value(std::string_view text, std::string_view name);

// Returns the text with the setting: its line is replaced, or the line of an example (`#name = …`),
// or a line is appended.
std::string with(std::string_view text, std::string_view name, std::string_view value);

// Returns the text with the setting's line made a comment.
std::string without(std::string_view text, std::string_view name);

}  // namespace conf_text
