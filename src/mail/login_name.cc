#include "mail/login_name.h"

#include <limits>

#include "base/strings.h"

namespace login_name {

std::optional<LoginName> parse(std::string_view user)
{
    constexpr std::size_t kId = 32;
    const auto at = user.find('@');
    if (at == std::string_view::npos || at < kId + 2 || user[kId] != '.') return std::nullopt;
    const auto id = user.substr(0, kId);
    const auto generation = strings::whole_number(user.substr(kId + 1, at - kId - 1),
                                                  std::numeric_limits<std::int64_t>::max());
    const bool is_id = id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (!is_id || !generation) return std::nullopt;
    return LoginName{std::string{id}, static_cast<std::int64_t>(*generation)};
}

}  // namespace login_name
