#include "base/ip_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>

#include "base/strings.h"

namespace ip_range {
namespace {

constexpr int kMappedBits = 96;
constexpr std::array<unsigned char, 12> kMapping{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

// Returns an address as 16 bytes, IPv4 mapped into IPv6 (RFC 4291 2.5.5.2). Sets `bits_before` to
// the number of bits that the mapping adds: 96 or 0.
std::optional<std::array<unsigned char, 16>> parse_address(const std::string& text,
                                                           int& bits_before)
{
    std::array<unsigned char, 16> bytes{};
    in_addr v4{};
    bits_before = 0;
    if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
    if (::inet_pton(AF_INET, text.c_str(), &v4) != 1) return std::nullopt;
    bytes[10] = bytes[11] = 0xFF;
    std::memcpy(bytes.data() + 12, &v4, 4);
    bits_before = kMappedBits;
    return bytes;
}

struct Range {
    std::array<unsigned char, 16> bytes;
    int bits;
};

std::optional<Range> parse_range(std::string_view text)
{
    if (text.find('\0') != std::string_view::npos) return std::nullopt;  // inet_pton ends there
    const auto slash = text.find('/');
    int bits_before = 0;
    const auto address = parse_address(std::string{text.substr(0, slash)}, bits_before);
    if (!address) return std::nullopt;
    auto bits = static_cast<unsigned>(128 - bits_before);
    if (slash != std::string_view::npos) {
        const auto given = strings::whole_number(text.substr(slash + 1), bits);
        if (!given) return std::nullopt;
        bits = static_cast<unsigned>(*given);
    }
    return Range{*address, bits_before + static_cast<int>(bits)};
}

bool contains(const Range& range, const std::array<unsigned char, 16>& address, int bits_before)
{
    // An IPv6 range that happens to contain the mapping does not mean every IPv4 address.
    if (bits_before == kMappedBits && range.bits < kMappedBits) return false;
    for (int bit = 0; bit < range.bits; ++bit) {
        const auto index = static_cast<std::size_t>(bit / 8);
        if (((range.bytes[index] ^ address[index]) >> (7 - bit % 8) & 1) != 0) return false;
    }
    return true;
}

}  // namespace

bool is_in_ranges(std::string_view client, std::string_view ranges)
{
    int bits_before = 0;
    const auto address = parse_address(std::string{client}, bits_before);
    if (!address) return false;
    for (std::size_t begin = 0; begin < ranges.size();) {
        const auto end = std::min(ranges.find(' ', begin), ranges.size());
        const auto range = parse_range(ranges.substr(begin, end - begin));
        if (range && contains(*range, *address, bits_before)) return true;
        begin = end + 1;
    }
    return false;
}

bool is_range(std::string_view range)
{
    return parse_range(range).has_value();
}

bool is_range_in_ranges(std::string_view range, std::string_view ranges)
{
    const auto inner = parse_range(range);
    if (!inner) return false;
    const int bits_before = std::equal(kMapping.begin(), kMapping.end(), inner->bytes.begin())
                                    && inner->bits >= kMappedBits
                                ? kMappedBits
                                : 0;
    const auto all = strings::words(ranges, " ");
    return std::any_of(all.begin(), all.end(), [&](const std::string& each) {
        const auto outer = parse_range(each);
        return outer && outer->bits <= inner->bits && contains(*outer, inner->bytes, bits_before);
    });
}

}  // namespace ip_range
