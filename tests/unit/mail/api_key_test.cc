// key_test.cc - which texts are keys, and in which order a caller learns why not.

#include "mail/api_key.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sodium.h>

#include <set>

#include "base/ip_range.h"
#include "db/grants.h"
#include "mailboxd/admission.h"
#include "mailboxd/http.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using admission::Purpose;
using api_key::Key;
using grants::Grant;
using ip_range::is_range;
using support::complaint;

namespace {

constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";

// Made by the first release. Keys like it are in customers' programs: they must stay keys.
constexpr char kOldKey[] = "mbx-tdqybj766ykefh2nd5bfts6hdddjryfjjxzs4mon7cfghvsbw";

std::string base64(std::string_view text)
{
    std::string encoded(sodium_base64_encoded_len(text.size(), sodium_base64_VARIANT_ORIGINAL),
                        '\0');
    sodium_bin2base64(encoded.data(), encoded.size(),
                      reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    encoded.pop_back();
    return encoded;
}

std::string header(std::string_view pair)
{
    return "Basic " + base64(pair);
}

struct Header : support::Row {
    std::string text;
};

const std::string kPair = std::string{"api:"} + kOldKey;

const Header kHeaders[] = {
    {"as RFC 7617 has it", header(kPair)},
    {"scheme in lower case", "basic " + base64(kPair)},
    {"scheme in capitals", "BASIC " + base64(kPair)},
    {"several spaces", "Basic   " + base64(kPair)},
    {"spaces behind", header(kPair) + "  "},
    {"spaces and tabs behind, which are not the value's (RFC 9110 5.5)", header(kPair) + " \t "},
};

const Header kBadHeaders[] = {
    {"nothing", ""},
    {"only the scheme", "Basic"},
    {"the scheme and a space", "Basic "},
    {"another scheme", "Bearer " + base64(kPair)},
    {"a longer scheme", "BasicX " + base64(kPair)},
    {"no scheme", base64(kPair)},
    {"the bare key", kOldKey},
    {"the bare key as the credentials", std::string{"Basic "} + kOldKey},
    {"not base64", "Basic ****"},
    {"two credentials", header(kPair) + " " + base64(kPair)},
    {"too much padding", "Basic " + base64(kPair) + "="},
    {"a tab after the scheme", "Basic\t" + base64(kPair)},
    {"a space and a tab after the scheme (RFC 9110 11.4 has spaces alone)",
     "Basic \t" + base64(kPair)},
    {"a tab between spaces", "Basic  \t " + base64(kPair)},
    {"a space before the scheme", " " + header(kPair)},
    {"a tab before the scheme", "\t" + header(kPair)},
    {"padding in the midst", "Basic YXBp=" + base64(kPair)},
    {"a line end inside", "Basic " + base64(kPair).insert(8, "\n")},
    {"no user", header(std::string{":"} + kOldKey)},
    {"another user", header(std::string{"apI:"} + kOldKey)},
    {"a longer user", header(std::string{"apix:"} + kOldKey)},
    {"no colon", header(std::string{"api"} + kOldKey)},
    {"no key", header("api:")},
    {"a key with a tail", header(kPair + ":x")},
    {"a key with a line end", header(kPair + "\n")},
    {"a key with a NUL", header(kPair + support::bytes("\0"))},
    {"a key with a space in front", header(std::string{"api: "} + kOldKey)},
    {"the original's kind of key", header("api:key-3ax6xnjp29jd6fds4gc373sgvjxteol0")},
    {"a long one", header("api:" + std::string(10'000, 'a'))},
};

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
    {"behind a range", "192.0.3.0", "192.0.2.0/24", false},
    {"before a range", "192.0.1.255", "192.0.2.0/24", false},
    {"a range that ends within a byte", "192.0.2.127", "192.0.2.0/25", true},
    {"behind it", "192.0.2.128", "192.0.2.0/25", false},
    {"a range's bits behind its length do not count", "192.0.2.9", "192.0.2.77/24", true},
    {"all of 32 bits", "192.0.2.1", "192.0.2.1/32", true},
    {"all of 32 bits, another", "192.0.2.0", "192.0.2.1/32", false},
    {"31 bits", "192.0.2.0", "192.0.2.1/31", true},
    {"every IPv4 address", "255.255.255.255", "0.0.0.0/0", true},
    {"the upper half", "127.255.255.255", "128.0.0.0/1", false},
    {"IPv6, the address itself", "2001:db8::1", "2001:db8::1", true},
    {"IPv6, written otherwise", "2001:db8::1", "2001:0DB8:0:0:0:0:0:1", true},
    {"IPv6, a range", "2001:db8:ffff::1", "2001:db8::/32", true},
    {"IPv6, behind it", "2001:db9::1", "2001:db8::/32", false},
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

// Something for which a key is refused, and how.
struct Flaw : support::Row {
    void (*apply)(std::optional<Grant>& grant);
    std::string complaint;
    Purpose least = Purpose::read;  // from which purpose on it matters
};

// In the order in which they are told: nobody without a right key learns more than that.
const Flaw kFlaws[] =
    {
        {"no such key", [](std::optional<Grant>& grant) { grant.reset(); }, "401 unauthorized"},
        {"revoked",
         [](std::optional<Grant>& grant) {
    if (grant) grant->key_is_revoked = true;
         },
         "401 unauthorized"},
        {"expired",
         [](std::optional<Grant>& grant) {
    if (grant) grant->key_expires_at = 999;
         },
         "401 unauthorized"},
           {"expires in this second",
            [](std::optional<Grant>& grant) {
    if (grant) grant->key_expires_at = 1000;
            },
            "401 unauthorized"},
    {"from elsewhere",
     [](std::optional<Grant>& grant) {
    if (grant) grant->key_addresses = "198.51.100.0/24";
     },
     "401 unauthorized"},
    {"the account is not active",
     [](std::optional<Grant>& grant) {
    if (grant) grant->account_is_active = false;
     },
     "403 suspended"},
    {"no domain for this key",
     [](std::optional<Grant>& grant) {
    if (grant) grant->domain_id = 0;
     },
     "404 domain_not_found"},
    {"read-only",
     [](std::optional<Grant>& grant) {
    if (grant) grant->key_is_read_only = true;
     },
     "403 read_only", Purpose::write},
    {"the domain is not active",
     [](std::optional<Grant>& grant) {
    if (grant) grant->domain_is_active = false;
     },
     "403 suspended", Purpose::write},
    };

std::optional<Grant> good_grant()
{
    Grant grant;
    grant.now = 1000;
    grant.account_is_active = true;
    grant.domain_id = 7;
    grant.domain_is_active = true;
    return grant;
}

std::string result_of(const std::optional<Grant>& grant, Purpose purpose)
{
    return complaint([&] { admission::admit(grant, "192.0.2.1", "example.org", purpose); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(auth)

BOOST_AUTO_TEST_CASE(a_new_key_is_one)
{
    for (int i = 0; i < 1000; ++i) {
        const auto key = Key::generate();
        BOOST_TEST(key.text().size() == 53U);
        BOOST_TEST(key.text().starts_with("mbx-"));
        BOOST_TEST(key.text().find_first_not_of(kBase32, 4) == std::string::npos);
        BOOST_TEST(key.id() == key.text().substr(4, 10));
        const auto parsed = Key::parse(key.text());
        BOOST_TEST_REQUIRE(parsed.has_value());
        BOOST_TEST(parsed->text() == key.text());
    }
}

BOOST_AUTO_TEST_CASE(no_two_keys_are_alike)
{
    std::set<std::string> ids;
    for (int i = 0; i < 1000; ++i) ids.insert(Key::generate().id());
    BOOST_TEST(ids.size() == 1000U);
}

BOOST_AUTO_TEST_CASE(an_old_key_still_is_one)
{
    const auto key = Key::parse(kOldKey);
    BOOST_TEST_REQUIRE(key.has_value());
    BOOST_TEST(key->id() == std::string{kOldKey}.substr(4, 10));
}

BOOST_AUTO_TEST_CASE(what_is_stored_is_the_sha256_of_the_whole)
{
    const std::string text{kOldKey};
    std::string digest(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
    BOOST_TEST((Key::parse(text).value().sha256() == digest));
}

// 35 bits of checksum: that one of these passes by chance happens once in twenty million runs.
BOOST_AUTO_TEST_CASE(every_typing_error_of_one_character_is_seen)
{
    const auto key = Key::generate().text();
    for (std::size_t place = 0; place < key.size(); ++place) {
        for (int byte = 0; byte < 256; ++byte) {
            auto mistyped = key;
            mistyped[place] = static_cast<char>(byte);
            if (mistyped != key) BOOST_TEST(!Key::parse(mistyped).has_value(), mistyped);
        }
        BOOST_TEST(!Key::parse(std::string{key}.erase(place, 1)).has_value(),
                   "without the one at " << place);
        BOOST_TEST(!Key::parse(std::string{key}.insert(place, 1, key[place])).has_value(),
                   "twice the one at " << place);
        auto swapped = key;
        if (place > 0) std::swap(swapped[place - 1], swapped[place]);
        if (swapped != key) BOOST_TEST(!Key::parse(swapped).has_value(), swapped);
    }
}

BOOST_AUTO_TEST_CASE(an_invented_key_is_seen)
{
    BOOST_TEST(!Key::parse("").has_value());
    BOOST_TEST(!Key::parse("mbx-").has_value());
    for (int i = 0; i < 1000; ++i)
        BOOST_TEST(!Key::parse("mbx-" + api_key::random_base32(49)).has_value());
}

BOOST_DATA_TEST_CASE(a_header_with_a_key, data::make(kHeaders), row)
{
    const auto key = Key::from_header(row.text);
    BOOST_TEST_REQUIRE(key.has_value());
    BOOST_TEST(key->text() == kOldKey);
}

BOOST_DATA_TEST_CASE(a_header_without, data::make(kBadHeaders), row)
{
    BOOST_TEST(!Key::from_header(row.text).has_value());
}

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

BOOST_AUTO_TEST_CASE(a_right_key_may)
{
    BOOST_TEST(result_of(good_grant(), Purpose::read) == "accepted");
    BOOST_TEST(result_of(good_grant(), Purpose::write) == "accepted");
}

BOOST_DATA_TEST_CASE(a_key_with_one_flaw, data::make(kFlaws), flaw)
{
    auto grant = good_grant();
    flaw.apply(grant);
    BOOST_TEST(result_of(grant, Purpose::write) == flaw.complaint);
    BOOST_TEST(result_of(grant, Purpose::read)
               == (flaw.least == Purpose::read ? flaw.complaint : "accepted"));
}

BOOST_AUTO_TEST_CASE(of_two_flaws_the_first_is_told)
{
    for (std::size_t first = 0; first < std::size(kFlaws); ++first) {
        for (std::size_t second = first + 1; second < std::size(kFlaws); ++second) {
            auto grant = good_grant();
            kFlaws[first].apply(grant);
            kFlaws[second].apply(grant);
            BOOST_TEST(result_of(grant, Purpose::write) == kFlaws[first].complaint,
                       kFlaws[first].why << ", and " << kFlaws[second].why);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_key_that_ends_later_is_in_force)
{
    auto grant = good_grant();
    grant->key_expires_at = 1001;
    BOOST_TEST(result_of(grant, Purpose::write) == "accepted");
}

BOOST_AUTO_TEST_CASE(a_key_from_where_it_may)
{
    auto grant = good_grant();
    grant->key_addresses = "198.51.100.0/24 192.0.2.0/24";
    BOOST_TEST(result_of(grant, Purpose::write) == "accepted");
}

BOOST_AUTO_TEST_CASE(the_messages_are_those_of_the_contract)
{
    const auto message = [](const std::optional<Grant>& grant) {
        try {
            admission::admit(grant, "192.0.2.1", "Example.org.", Purpose::read);
            return std::string{};
        } catch (const http::Error& error) {
            return std::string{error.what()};
        }
    };
    BOOST_TEST(message({}) == "Forbidden");
    auto grant = good_grant();
    grant->domain_id = 0;
    BOOST_TEST(message(grant) == "Domain not found: Example.org.");
}

BOOST_AUTO_TEST_CASE(random_text)
{
    const auto text = api_key::random_base32(10'000);
    BOOST_TEST(text.size() == 10'000U);
    BOOST_TEST((std::set<char>{text.begin(), text.end()}
                == std::set<char>{kBase32.begin(), kBase32.end()}));
    const auto hex = api_key::random_hex(1000);
    constexpr std::string_view kHex = "0123456789abcdef";
    BOOST_TEST(hex.size() == 2000U);
    BOOST_TEST(
        (std::set<char>{hex.begin(), hex.end()} == std::set<char>{kHex.begin(), kHex.end()}));
    BOOST_TEST(api_key::random_base32(0) == "");
    BOOST_TEST(api_key::random_hex(16) != api_key::random_hex(16));
}

BOOST_AUTO_TEST_SUITE_END()
