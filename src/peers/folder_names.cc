#include "peers/folder_names.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/strings.h"

namespace folder_names {
namespace {

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
constexpr char kEscape = '\\';
constexpr unsigned kBitsOfDigit = 6, kBitsOfUnit = 16;
constexpr std::uint32_t kFirstHigh = 0xD800, kFirstLow = 0xDC00, kAfterLow = 0xE000;
constexpr std::uint32_t kFirstOfPair = 0x10000;
constexpr unsigned kBitsOfHalf = 10;

bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F;
}

// Reads one character of valid UTF-8 and moves `at` behind it.
std::uint32_t next_character(std::string_view text, std::size_t& at)
{
    const auto first = static_cast<unsigned char>(text[at++]);
    const int more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    constexpr std::array<unsigned, 4> kMasks{0x7F, 0x1F, 0x0F, 0x07};
    std::uint32_t value = first & kMasks[static_cast<std::size_t>(more)];
    for (int i = 0; i < more; ++i)
        value = value << kBitsOfDigit | (static_cast<unsigned char>(text[at++]) & 0x3FU);
    return value;
}

void append_utf8(std::string& text, std::uint32_t value)
{
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    const auto tail = [&](unsigned shift) { put(0x80U | (value >> shift & 0x3FU)); };
    if (value < 0x80) return put(value);
    if (value < 0x800) {
        put(0xC0U | value >> 6);
    } else if (value < kFirstOfPair) {
        put(0xE0U | value >> 12);
        tail(6);
    } else {
        put(0xF0U | value >> 18);
        tail(12);
        tail(6);
    }
    tail(0);
}

std::string encoded(const std::vector<std::uint32_t>& units)
{
    std::string text;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const auto unit : units) {
        bits = bits << kBitsOfUnit | unit;
        for (count += kBitsOfUnit; count >= kBitsOfDigit; count -= kBitsOfDigit)
            text += kDigits[bits >> (count - kBitsOfDigit) & 0x3FU];
        bits &= (1U << count) - 1;
    }
    if (count > 0) text += kDigits[bits << (kBitsOfDigit - count) & 0x3FU];
    return "&" + text + "-";
}

// Appends the characters of one run between & and -. Returns false if it is not valid.
bool append_decoded(std::string& text, std::string_view run)
{
    std::vector<std::uint32_t> units;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : run) {
        const auto digit = kDigits.find(c);
        if (digit == std::string_view::npos) return false;
        bits = bits << kBitsOfDigit | static_cast<std::uint32_t>(digit);
        count += kBitsOfDigit;
        if (count < kBitsOfUnit) continue;
        count -= kBitsOfUnit;
        units.push_back(bits >> count & 0xFFFFU);
        bits &= (1U << count) - 1;
    }
    if (bits != 0 || count >= kBitsOfDigit || units.empty()) return false;
    for (std::size_t i = 0; i < units.size(); ++i) {
        auto value = units[i];
        if (value >= kFirstLow && value < kAfterLow) return false;
        if (value >= kFirstHigh && value < kFirstLow) {
            if (++i == units.size() || units[i] < kFirstLow || units[i] >= kAfterLow) return false;
            value = kFirstOfPair + ((value - kFirstHigh) << kBitsOfHalf) + (units[i] - kFirstLow);
        }
        if (value < 0x80 && is_plain(static_cast<unsigned char>(value))) return false;
        append_utf8(text, value);
    }
    return true;
}

// Only the characters that Dovecot escapes: other servers' names may have a backslash.
std::string unescaped(std::string_view level)
{
    constexpr std::array<std::pair<std::string_view, char>, 4> kEscapes{
        {{"2e", '.'}, {"2f", '/'}, {"5c", '\\'}, {"7e", '~'}}};
    std::string text;
    for (std::size_t i = 0; i < level.size(); ++i) {
        const auto* const found =
            std::find_if(kEscapes.begin(), kEscapes.end(), [&](const auto& each) {
                return level[i] == kEscape
                       && strings::equals_ignoring_case(level.substr(i + 1, 2), each.first);
            });
        text += found == kEscapes.end() ? level[i] : found->second;
        if (found != kEscapes.end()) i += 2;
    }
    return text;
}

std::string escaped(std::string_view level)
{
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < level.size(); ++i) {
        const char c = level[i];
        if (c == '.' || c == '/' || c == kEscape || (c == '~' && i == 0)) {
            const auto byte = static_cast<unsigned char>(c);
            text += kEscape;
            text += kHex[byte >> 4];
            text += kHex[byte & 0xFU];
        } else {
            text += c;
        }
    }
    return text;
}

}  // namespace

std::string to_utf7(std::string_view utf8)
{
    std::string text;
    for (std::size_t at = 0; at < utf8.size();) {
        if (is_plain(static_cast<unsigned char>(utf8[at]))) {
            text += utf8[at] == '&' ? "&-" : std::string(1, utf8[at]);
            ++at;
            continue;
        }
        std::vector<std::uint32_t> units;
        while (at < utf8.size() && !is_plain(static_cast<unsigned char>(utf8[at]))) {
            const auto value = next_character(utf8, at);
            if (value >= kFirstOfPair) {
                units.push_back(kFirstHigh + ((value - kFirstOfPair) >> kBitsOfHalf));
                units.push_back(kFirstLow + ((value - kFirstOfPair) & 0x3FFU));
            } else {
                units.push_back(value);
            }
        }
        text += encoded(units);
    }
    return text;
}

std::optional<std::string> from_utf7(std::string_view text)
{
    std::string utf8;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (!is_plain(static_cast<unsigned char>(text[at]))) return std::nullopt;
        if (text[at] != '&') {
            utf8 += text[at];
            continue;
        }
        const auto end = text.find('-', at);
        if (end == std::string_view::npos) return std::nullopt;
        if (end == at + 1) utf8 += '&';
        else if (!append_decoded(utf8, text.substr(at + 1, end - at - 1))) return std::nullopt;
        at = end;
    }
    return utf8;
}

std::vector<std::string> split(std::string_view text, char separator)
{
    std::vector<std::string> parts;
    for (std::size_t begin = 0;;) {
        const auto end = std::min(text.find(separator, begin), text.size());
        parts.emplace_back(text.substr(begin, end - begin));
        if (end == text.size()) return parts;
        begin = end + 1;
    }
}

std::optional<Name> of_levels(const std::vector<std::string>& levels)
{
    Name name;
    for (const auto& level : levels) {
        const auto text = unescaped(level);
        auto decoded = from_utf7(text);
        if (!decoded && strings::is_utf8(text)) decoded = text;
        if (!decoded || decoded->empty() || strings::has_control_character(*decoded))
            return std::nullopt;
        name.push_back(*decoded);
    }
    if (name.size() == 1 && strings::equals_ignoring_case(name[0], "INBOX")) name.clear();
    return name;
}

std::optional<Name> of_maildirpp(std::string_view folder)
{
    if (!folder.starts_with('.')) return std::nullopt;
    return of_levels(split(folder.substr(1), '.'));
}

std::vector<std::string> stored(const Name& name)
{
    std::vector<std::string> levels;
    for (const auto& level : name) levels.push_back(to_utf7(escaped(level)));
    return levels;
}

std::string on_disk(const Name& name)
{
    return "." + strings::joined(stored(name), ".");
}

std::string shown(const Name& name)
{
    return name.empty() ? "INBOX" : strings::joined(name, "/");
}

}  // namespace folder_names
