#include "base/fill_in.h"

#include "base/strings.h"

namespace fill_in {
namespace {

std::string filled_line(std::string_view line, const Values& values)
{
    std::string text;
    for (std::size_t at = 0; at < line.size();) {
        const auto begin = line.find('@', at);
        const auto end = begin == std::string_view::npos ? begin : line.find('@', begin + 1);
        if (end == std::string_view::npos) {
            text += line.substr(at);
            break;
        }
        text += line.substr(at, begin - at);
        const auto found = values.find(std::string{line.substr(begin + 1, end - begin - 1)});
        if (found != values.end()) text += found->second;
        else text += line.substr(begin, end - begin);
        at = found != values.end() ? end + 1 : end;  // the second @ may begin a name
    }
    return text;
}

}  // namespace

std::string filled(std::string_view text, const Values& values)
{
    std::string all;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
        all +=
            strings::trimmed(line).starts_with('#') ? std::string{line} : filled_line(line, values);
        text.remove_prefix(line.size());
    }
    return all;
}

}  // namespace fill_in
