#include "mailboxctl/setup/main_cf.h"

#include <algorithm>
#include <cctype>

#include "base/strings.h"

namespace main_cf {
namespace {

// A parameter's lines in the text: [begin, end) in bytes, with the lines that continue it.
struct Setting {
    std::string name;
    std::string value;
    std::size_t begin = 0, end = 0;
};

bool is_blank_or_comment(std::string_view line)
{
    const auto word = strings::trimmed(line.substr(0, line.find('\n')));
    return word.empty() || word.starts_with('#');
}

void append(std::string& value, std::string_view more)
{
    for (const auto& word : strings::words(more)) value += (value.empty() ? "" : " ") + word;
}

// A line that begins with a blank continues the one before; comments and empty lines may be
// between.
std::vector<Setting> settings(std::string_view text)
{
    std::vector<Setting> all;
    for (std::size_t at = 0; at < text.size();) {
        const auto length = std::min(text.find('\n', at), text.size() - 1) + 1 - at;
        const auto line = text.substr(at, length);
        at += length;
        if (is_blank_or_comment(line)) continue;
        if (std::isspace(static_cast<unsigned char>(line.front())) != 0) {
            if (all.empty()) continue;
            append(all.back().value, line);
            all.back().end = at;
            continue;
        }
        const auto equals = line.find('=');
        if (equals == std::string_view::npos) continue;
        Setting setting{std::string{strings::trimmed(line.substr(0, equals))}, {}, at - length, at};
        append(setting.value, line.substr(equals + 1));
        all.push_back(std::move(setting));
    }
    return all;
}

std::optional<Setting> last(std::string_view text, std::string_view name)
{
    std::optional<Setting> found;
    for (auto& setting : settings(text)) {
        if (setting.name == name) found = std::move(setting);
    }
    return found;
}

}  // namespace

std::optional<std::string> value(std::string_view text, std::string_view name)
{
    const auto found = last(text, name);
    return found ? std::optional{found->value} : std::nullopt;
}

std::vector<std::string> names(std::string_view text)
{
    std::vector<std::string> all;
    for (const auto& setting : settings(text)) all.push_back(setting.name);
    return all;
}

std::string with(std::string_view text, std::string_view name, std::string_view value)
{
    const auto found = last(text, name);
    std::string wanted;
    append(wanted, value);
    if (found && found->value == wanted) return std::string{text};
    auto line = std::string{name} + " =" + (wanted.empty() ? "" : " " + wanted) + "\n";
    std::string changed{text};
    if (found) return changed.replace(found->begin, found->end - found->begin, line);
    if (!changed.empty() && changed.back() != '\n') changed += '\n';
    return changed + line;
}

}  // namespace main_cf
