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
