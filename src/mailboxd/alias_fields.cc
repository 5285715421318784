#include "mailboxd/alias_fields.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"

namespace fields {
namespace {

// Returns `action` as often as it is given, as a list of a form or of JSON too.
std::optional<std::vector<std::string>> actions(const Fields& fields)
{
    std::vector<std::string> all;
    for (const auto& [name, value] : fields) {
        if (name == "action" || name.starts_with("action["))
            all.push_back(checked("action", value.text()));
    }
    if (all.empty()) return std::nullopt;
    return all;
}

std::optional<std::int64_t> priority(const Fields& fields)
{
    constexpr auto kGreatest = std::numeric_limits<std::int32_t>::max();
    const auto given = text(fields, "priority");
    if (!given) return std::nullopt;
    const bool is_negative = given->starts_with('-');
    const auto number = strings::whole_number(std::string_view{*given}.substr(is_negative ? 1 : 0),
                                              std::uint64_t{kGreatest});
    if (!number) refuse("priority", "a whole number of at most " + std::to_string(kGreatest));
    const auto value = static_cast<std::int64_t>(*number);
    return is_negative ? -value : value;
}

}  // namespace

alias::Settings route_settings(const Fields& fields)
{
    constexpr std::size_t kLongestDescription = 1000;  // characters, as in its column
    alias::Settings settings;
    settings.priority = priority(fields);
    settings.description = text(fields, "description");
    if (settings.description && strings::characters(*settings.description) > kLongestDescription)
        refuse("description", "at most " + std::to_string(kLongestDescription) + " characters");
    settings.expression = text(fields, "expression");
    settings.actions = actions(fields);
    return settings;
}

alias::Settings new_route(const Fields& fields)
{
    auto settings = route_settings(fields);
    if (!settings.expression) refuse_missing_parameter("expression");
    if (!settings.actions) refuse_missing_parameter("action");
    return settings;
}

alias::Target matched_address(const Fields& fields)
{
    const auto given = text(fields, "address");
    if (!given || given->empty()) refuse_missing_parameter("address");
    auto address = alias::target_of(*given);
    if (!address) refuse("address", "an address");
    address->local_part =
        strings::lower_case(address->local_part.substr(0, address->local_part.find('+')));
    return *std::move(address);
}

}  // namespace fields
