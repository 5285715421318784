// ip_range_test.cc - which texts are ranges of IP addresses, and which addresses are in them.

#include "base/ip_range.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

#include "support/support.h"

namespace data = boost::unit_test::data;

namespace {

struct Ranges : support::Row {
    std::string client;
    std::string ranges;
    bool is_in;
};

const Ranges kRanges[] = {
    {"the address itself", "192.0.2.1", "192.0.2.1", true},
    {"another address", "192.0.2.2", "192.0.2.1", false},
    {"the first of a range", "192.0.2.0", "192.0.2.0/24", true},
    {"the last of a range", "192.0.2.255", "192.0.2.0/24", true},
    {"after a range", "192.0.3.0", "192.0.2.0/24", false},
    {"before a range", "192.0.1.255", "192.0.2.0/24", false},
    {"a range that ends within a byte", "192.0.2.127", "192.0.2.0/25", true},
    {"after it", "192.0.2.128", "192.0.2.0/25", false},
    {"a range's bits after its length do not count", "192.0.2.9", "192.0.2.77/24", true},
    {"all of 32 bits", "192.0.2.1", "192.0.2.1/32", true},
    {"all of 32 bits, another", "192.0.2.0", "192.0.2.1/32", false},
    {"31 bits", "192.0.2.0", "192.0.2.1/31", true},
    {"every IPv4 address", "255.255.255.255", "0.0.0.0/0", true},
    {"the upper half", "127.255.255.255", "128.0.0.0/1", false},
    {"IPv6, the address itself", "2001:db8::1", "2001:db8::1", true},
    {"IPv6, written otherwise", "2001:db8::1", "2001:0DB8:0:0:0:0:0:1", true},
    {"IPv6, a range", "2001:db8:ffff::1", "2001:db8::/32", true},
    {"IPv6, after it", "2001:db9::1", "2001:db8::/32", false},
    {"IPv6, a range that ends within a byte", "2001:db8:8000::", "2001:db8::/33", false},
    {"IPv6, all of 128 bits", "2001:db8::2", "2001:db8::1/128", false},
    {"every IPv6 address", "2001:db8::1", "::/0", true},
    {"every IPv6 address is no IPv4 address", "192.0.2.1", "::/0", false},
    {"every IPv4 address is no IPv6 address", "2001:db8::1", "0.0.0.0/0", false},
    {"IPv4 as a socket of both kinds names it", "::ffff:192.0.2.1", "192.0.2.0/24", true},
    {"the second of several", "198.51.100.7", "192.0.2.0/24 198.51.100.0/24", true},
    {"the last of both kinds", "2001:db8::1", "192.0.2.0/24 198.51.100.1 2001:db8::/64", true},
    {"none of several", "203.0.113.1", "192.0.2.0/24 198.51.100.0/24", false},
    {"superfluous spaces", "192.0.2.1", "  192.0.2.0/24  ", true},
    {"no range", "192.0.2.1", "", false},
    {"an unreadable range is nobody's", "192.0.2.1", "192.0.2.0/33", false},
    {"an unreadable range hides no other", "192.0.2.1", "nonsense 192.0.2.1", true},
    {"an unreadable client", "nonsense", "0.0.0.0/0 ::/0", false},
    {"no client", "", "0.0.0.0/0 ::/0", false},
    {"a socket's client", "unix:", "0.0.0.0/0 ::/0", false},
};

struct RangeText : support::Row {
    std::string text;
};

const RangeText kGoodRanges[] = {
    {"IPv4", "192.0.2.1"},     {"IPv4 with bits", "192.0.2.0/24"},
    {"no bits", "0.0.0.0/0"},  {"32", "192.0.2.1/32"},
    {"IPv6", "2001:db8::1"},   {"IPv6 with bits", "2001:db8::/32"},
    {"IPv6, no bits", "::/0"}, {"128", "::1/128"},
};

const RangeText kBadRanges[] = {
    {"nothing", ""},
    {"a word", "localhost"},
    {"33 bits", "192.0.2.0/33"},
    {"129 bits", "2001:db8::/129"},
    {"negative bits", "192.0.2.0/-1"},
    {"minus zero would be every address", "192.0.2.0/-0"},
    {"a sign", "192.0.2.0/+24"},
    {"a slash without bits", "192.0.2.0/"},
    {"a mask", "192.0.2.0/255.255.255.0"},
    {"two slashes", "192.0.2.0/24/24"},
    {"a space", "192.0.2.0 /24"},
    {"a tail", "192.0.2.0/24x"},
    {"a large number", "192.0.2.0/99999999999"},
    {"three bytes", "192.0.2"},
    {"five bytes", "192.0.2.0.0"},
    {"a byte over 255", "192.0.2.256"},
    {"a port", "192.0.2.1:80"},
    {"brackets", "[2001:db8::1]"},
    {"a zone", "fe80::1%eth0"},
    {"two ranges", "192.0.2.0/24,198.51.100.0/24"},
    {"only bits", "/24"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ip_ranges)

BOOST_DATA_TEST_CASE(an_address_in_ranges, data::make(kRanges), row)
{
    BOOST_TEST(ip_range::is_in_ranges(row.client, row.ranges) == row.is_in);
}

BOOST_DATA_TEST_CASE(a_range, data::make(kGoodRanges), row)
{
    BOOST_TEST(ip_range::is_range(row.text));
}

BOOST_DATA_TEST_CASE(no_range, data::make(kBadRanges), row)
{
    BOOST_TEST(!ip_range::is_range(row.text));
}

BOOST_AUTO_TEST_SUITE_END()
