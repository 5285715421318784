// ranges_fuzz.cc - the addresses from which a key may be used.

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <optional>

#include "base/ip_range.h"
#include "fuzz/targets.h"

namespace fuzz {
namespace {

// Returns an address as a text of its bits, 32 or 128 of them.
std::optional<std::string> bits_of(const std::string& text)
{
    std::array<unsigned char, 16> bytes{};
    std::size_t size = 0;
    if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) size = 4;
    else if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) size = 16;
    else return std::nullopt;
    // An IPv4 address in IPv6 notation counts as the IPv4 address.
    constexpr std::array<unsigned char, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    std::size_t first = 0;
    if (size == 16 && std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) first = 12;
    std::string bits;
    for (; first < size; ++first) bits += std::bitset<8>{bytes[first]}.to_string();
    return bits;
}

}  // namespace

void ranges(std::string_view input)
{
    // Neither CGI variables nor program arguments can contain NUL.
    auto rest = input.substr(0, input.find('\0'));
    const std::string client{take_line(rest)};
    const auto bits = bits_of(client);
    const bool is_in = ip_range::is_in_ranges(client, rest);
    if (!bits) {
        expect(!is_in, "what is no address is in no range");
        return;
    }
    expect(ip_range::is_in_ranges(client, client), "an address is in itself");
    expect(ip_range::is_range(client), "an address is a range");
    if (client.find(':') == std::string::npos) {
        for (std::size_t length = 0; length <= bits->size(); ++length) {
            const auto range = client + "/" + std::to_string(length);
            expect(ip_range::is_range(range) && ip_range::is_in_ranges(client, range),
                   "an address is in each network that it names");
            expect(!ip_range::is_in_ranges("2001:db8::1", range), "IPv6 is in no network of IPv4");
        }
        expect(!ip_range::is_in_ranges(client, "::/0"), "IPv4 is in no network of IPv6");
    }
    expect(!ip_range::is_range(client + "/129") && !ip_range::is_range(client + "/-1")
               && !ip_range::is_range(client + "/"),
           "a network has no other number of bits");
    // An address is in the list exactly if it is in one of its ranges.
    bool is_in_one = false;
    for (std::size_t begin = 0; begin <= rest.size();) {
        const auto end = std::min(rest.find(' ', begin), rest.size());
        const auto part = rest.substr(begin, end - begin);
        const bool is_in_part = ip_range::is_in_ranges(client, part);
        expect(!is_in_part || ip_range::is_range(part),
               "an address is only in a range that is one");
        // A range without a number of bits is the single address.
        if (part.find('/') == std::string_view::npos)
            expect(is_in_part == (bits_of(std::string{part}) == bits),
                   "a range without bits is one address");
        is_in_one = is_in_one || is_in_part;
        begin = end + 1;
    }
    expect(is_in == is_in_one, "in the ranges is in one of them");
}

}  // namespace fuzz
