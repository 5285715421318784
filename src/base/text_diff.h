// text_diff.h - compares two texts line by line, and merges two changes of one text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace text_diff {

// Returns the differences in the unified format, with `context` unchanged lines around each; empty
// if the texts are equal. The names stand in the first two lines.
std::string unified(std::string_view before, std::string_view after, const std::string& name_before,
                    const std::string& name_after, std::size_t context = 3);

// Returns `base` with the changes that lead to `left` and those that lead to `right`. Empty if both
// changed the same lines differently.
std::optional<std::string> merged(std::string_view base, std::string_view left,
                                  std::string_view right);

}  // namespace text_diff
