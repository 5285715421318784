// api_key_test.cc - which texts and which Authorization headers are keys.

#include "mail/api_key.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sodium.h>

#include <set>

#include "support/support.h"

namespace data = boost::unit_test::data;
using api_key::Key;

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
    {"spaces at the end", header(kPair) + "  "},
    {"spaces and tabs at the end, which are not the value's (RFC 9110 5.5)",
     header(kPair) + " \t "},
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
