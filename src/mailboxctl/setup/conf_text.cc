#include "mailboxctl/setup/conf_text.h"

#include <algorithm>

#include "base/strings.h"

namespace conf_text {
namespace {

struct Line {
    std::size_t begin = std::string_view::npos, end = 0;
    bool is_found() const { return begin != std::string_view::npos; }
};

// Returns the last line that begins with the name and an equals sign.
Line find(std::string_view text, std::string_view name)
{
    Line found;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
        const auto line = text.substr(at, end - at);
        const auto equals = line.find('=');
        if (equals != std::string_view::npos && strings::trimmed(line.substr(0, equals)) == name)
            found = {at, end};
        at = end;
    }
    return found;
}

}  // namespace

std::optional<std::string> value(std::string_view text, std::string_view name)
{
    const auto found = find(text, name);
    if (!found.is_found()) return std::nullopt;
    auto line = text.substr(found.begin, found.end - found.begin);
    line = line.substr(line.find('=') + 1);
    line = line.substr(0, line.find_first_of("#\n"));
    return std::string{strings::trimmed(line)};
}

std::string with(std::string_view text, std::string_view name, std::string_view value)
{
    const auto line = std::string{name} + " = " + std::string{value} + "\n";
    std::string changed{text};
    for (const auto& wanted : {std::string{name}, "#" + std::string{name}}) {
        const auto found = find(text, wanted);
        if (found.is_found()) return changed.replace(found.begin, found.end - found.begin, line);
    }
    if (!changed.empty() && changed.back() != '\n') changed += '\n';
    return changed + line;
}

std::string without(std::string_view text, std::string_view name)
{
    std::string changed{text};
    const auto found = find(text, name);
    return found.is_found() ? changed.insert(found.begin, "#") : changed;
}

}  // namespace conf_text
