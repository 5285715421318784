#include "mailboxd/parameters.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "base/strings.h"

namespace fields {

using http::Error;

const Secret* only(const Fields& fields, std::string_view name)
{
    const Secret* found = nullptr;
    for (const auto& [field, value] : fields) {
        if (field != name) continue;
        if (found != nullptr) {
            throw Error(400, "bad_parameter",
                        "'" + std::string{name} + "' parameter is given more than once");
        }
        found = &value;
    }
    return found;
}

void refuse(std::string_view parameter, const std::string& rule)
{
    throw Error(400, "bad_parameter", "'" + std::string{parameter} + "' parameter must be " + rule);
}

void refuse_missing_parameter(std::string_view parameter)
{
    throw Error(400, "bad_parameter", "'" + std::string{parameter} + "' parameter is missing");
}

std::string checked(std::string_view name, std::string_view value)
{
    if (!strings::is_utf8(value) || strings::has_control_character(value))
        refuse(name, "valid UTF-8 without control characters");
    return std::string{value};
}

std::optional<std::string> text(const Fields& fields, std::string_view name)
{
    const auto list = std::string{name} + "[";
    if (std::any_of(fields.begin(), fields.end(),
                    [&](const auto& field) { return field.first.starts_with(list); }))
        refuse(name, "one value, not a list");
    const auto* given = only(fields, name);
    if (given == nullptr) return std::nullopt;
    return checked(name, given->text());
}

namespace {

std::int64_t number(const Fields& fields, std::string_view name, std::int64_t fallback,
                    std::int64_t greatest)
{
    const auto* given = only(fields, name);
    if (given == nullptr) return fallback;
    const auto value = strings::whole_number(given->text(), static_cast<std::uint64_t>(greatest));
    if (!value) {
        throw Error(400, name == "limit" ? "bad_limit" : "bad_skip",
                    "'" + std::string{name} + "' parameter must be a whole number from 0 to "
                        + std::to_string(greatest));
    }
    return static_cast<std::int64_t>(*value);
}

}  // namespace

store::Page page(const Fields& fields, const Config& config)
{
    return {
        number(fields, "limit", std::min<std::int64_t>(100, config.max_limit), config.max_limit),
        number(fields, "skip", 0, std::numeric_limits<std::int64_t>::max())};
}

}  // namespace fields
