// ip_range.h - ranges of IP addresses, to which an API key may be restricted.
#pragma once

#include <string_view>

namespace ip_range {

// True if an address (IPv4 or IPv6 text) is in one of the space-separated ranges.
bool is_in_ranges(std::string_view client, std::string_view ranges);
// True if `range` is an address or address/bits.
bool is_range(std::string_view range);

// True if every address of `range` is in one of the space-separated ranges.
bool is_range_in_ranges(std::string_view range, std::string_view ranges);

}  // namespace ip_range
