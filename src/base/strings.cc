#include "base/strings.h"

#include <algorithm>
#include <charconv>
#include <system_error>

namespace strings {
namespace {

char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

char ascii_upper(char c)
{
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace

bool is_utf8(std::string_view text)
{
    const auto continues = [&](std::size_t i) {
        return i < text.size() && (text[i] & 0xC0) == 0x80;
    };
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        std::size_t length = 0;
        std::uint32_t point = 0;
        if (lead < 0x80) {
            ++i;
            continue;
        }
        if (lead >= 0xC2 && lead < 0xE0) {
            length = 2;
            point = lead & 0x1FU;
        } else if (lead >= 0xE0 && lead < 0xF0) {
            length = 3;
            point = lead & 0x0FU;
        } else if (lead >= 0xF0 && lead < 0xF5) {
            length = 4;
            point = lead & 0x07U;
        } else return false;
        for (std::size_t k = 1; k < length; ++k) {
            if (!continues(i + k)) return false;
            point = point << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
        }
        const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
        if (overlong || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return false;
        i += length;
    }
    return true;
}

std::size_t characters(std::string_view text)
{
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool has_control_character(std::string_view text)
{
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 0x20 || c == 0x7F) return true;
        if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0)
            return true;
    }
    return false;
}

bool equals_ignoring_case(std::string_view left, std::string_view right)
{
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](char a, char b) { return ascii_lower(a) == ascii_lower(b); });
}

std::string lower_case(std::string_view text)
{
    std::string lower{text};
    std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
    return lower;
}

std::string upper_case(std::string_view text)
{
    std::string upper{text};
    std::transform(upper.begin(), upper.end(), upper.begin(), ascii_upper);
    return upper;
}

std::string_view trimmed(std::string_view text)
{
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::optional<std::uint64_t> whole_number(std::string_view text, std::uint64_t greatest)
{
    std::uint64_t number = 0;
    const auto* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, number);
    if (error != std::errc{} || end != last || number > greatest) return std::nullopt;
    return number;
}

std::vector<std::string> words(std::string_view text, std::string_view separators)
{
    std::vector<std::string> all;
    for (auto begin = text.find_first_not_of(separators); begin != std::string_view::npos;) {
        const auto end = text.find_first_of(separators, begin);
        all.emplace_back(text.substr(begin, end - begin));
        begin = text.find_first_not_of(separators, end);
    }
    return all;
}

std::string for_shell(const std::string& text)
{
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._+-/";
    if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
    std::string all = "'";
    for (const char c : text) all += c == '\'' ? std::string{"'\\''"} : std::string{c};
    return all + "'";
}

}  // namespace strings
