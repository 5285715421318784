#include "mailboxctl/setup/dovecot_text.h"

#include <algorithm>

#include "base/strings.h"

namespace dovecot_text {

std::vector<Setting> settings(std::string_view printed)
{
    std::vector<Setting> all;
    std::vector<std::string> open;
    for (const auto& line : strings::words(printed, "\n")) {
        const std::string text{strings::trimmed(line)};
        if (text.empty() || text.starts_with('#')) continue;
        if (text.ends_with('{')) {
            open.emplace_back(strings::trimmed(std::string_view{text}.substr(0, text.size() - 1)));
            all.push_back({open, "", ""});  // a block may be empty
        } else if (text == "}") {
            if (!open.empty()) open.pop_back();
        } else if (const auto equals = text.find('='); equals != std::string::npos) {
            all.push_back(
                {open, std::string{strings::trimmed(text.substr(0, equals))},
                 std::string{strings::trimmed(std::string_view{text}.substr(equals + 1))}});
        }
    }
    return all;
}

std::vector<std::string> blocks(std::string_view printed, std::string_view within,
                                std::string_view begin)
{
    std::vector<std::string> found;
    for (const auto& setting : settings(printed)) {
        const bool is_block = setting.name.empty() && !setting.blocks.empty();
        if (!is_block || !setting.blocks.back().starts_with(begin)) continue;
        const auto depth = setting.blocks.size();
        const bool is_within =
            within.empty() ? depth == 1 : depth > 1 && setting.blocks[depth - 2] == within;
        if (is_within) found.push_back(setting.blocks.back());
    }
    return found;
}

}  // namespace dovecot_text
