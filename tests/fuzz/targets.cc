#include "fuzz/targets.h"

#include <algorithm>
#include <array>

namespace fuzz {

Pairs pairs_of(const http::Fields& fields)
{
    Pairs pairs;
    for (const auto& [name, value] : fields) pairs.emplace_back(name, value.text());
    return pairs;
}

bool is_well_formed_utf8(std::string_view text)
{
    struct Range {
        unsigned char least, greatest;
    };
    struct Row {
        std::size_t length;
        Range lead, second;
    };
    static constexpr Row kTable[] = {
        {1, {0x00, 0x7F}, {0x00, 0xFF}}, {2, {0xC2, 0xDF}, {0x80, 0xBF}},
        {3, {0xE0, 0xE0}, {0xA0, 0xBF}}, {3, {0xE1, 0xEC}, {0x80, 0xBF}},
        {3, {0xED, 0xED}, {0x80, 0x9F}}, {3, {0xEE, 0xEF}, {0x80, 0xBF}},
        {4, {0xF0, 0xF0}, {0x90, 0xBF}}, {4, {0xF1, 0xF3}, {0x80, 0xBF}},
        {4, {0xF4, 0xF4}, {0x80, 0x8F}},
    };
    const auto is_in = [](char c, Range range) {
        const auto byte = static_cast<unsigned char>(c);
        return byte >= range.least && byte <= range.greatest;
    };
    while (!text.empty()) {
        const auto* const row = std::find_if(std::begin(kTable), std::end(kTable),
                                             [&](const Row& r) { return is_in(text[0], r.lead); });
        if (row == std::end(kTable) || text.size() < row->length) return false;
        for (std::size_t i = 1; i < row->length; ++i) {
            if (!is_in(text[i], i == 1 ? row->second : Range{0x80, 0xBF})) return false;
        }
        text.remove_prefix(row->length);
    }
    return true;
}

std::string_view take_line(std::string_view& text)
{
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

std::string percent_encoded(std::string_view text)
{
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        encoded += {'%', kHex[byte / 16], kHex[byte % 16]};
    }
    return encoded;
}

}  // namespace fuzz
