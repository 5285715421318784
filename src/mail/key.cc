#include "auth.h"

#include <arpa/inet.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "http.h"

namespace auth {
namespace {

constexpr std::string_view kPrefix = "mbx-";
constexpr std::size_t kIdLength = 10;
constexpr std::size_t kSecretLength = 32;
constexpr std::size_t kChecksumLength = 7;
constexpr std::size_t kKeyLength = 4 + kIdLength + kSecretLength + kChecksumLength;
// WWW::Mailgun, and whatever else uses MIME's base64, breaks the credentials after 76 characters, and a header with a
// line's end in it is none. Three bytes give four characters, so there is no padding either, which some leave out.
constexpr std::string_view kUser = "api:";
static_assert((kUser.size() + kKeyLength) % 3 == 0 && (kUser.size() + kKeyLength) / 3 * 4 <= 76);
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";  // RFC 4648 6, lower case

std::string sha256_of(std::string_view text)
{
    std::string digest(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return digest;
}

// 35 bits of a SHA-256 with a label of its own, so that it tells nothing of the stored hash.
std::string checksum(std::string_view text)
{
    const auto digest = sha256_of("mailboxd key checksum " + std::string{text});
    std::string encoded;
    for (std::size_t i = 0; i < kChecksumLength; ++i) encoded += kBase32[static_cast<unsigned char>(digest[i]) & 31];
    return encoded;
}

constexpr int kMappedBits = 96;

// An address as 16 bytes, IPv4 mapped into IPv6 (RFC 4291 2.5.5.2).
// `bits_before`: of the mapping, 96 or none.
std::optional<std::array<unsigned char, 16>> parse_address(const std::string& text, int& bits_before)
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
    const auto slash = text.find('/');
    int bits_before = 0;
    const auto address = parse_address(std::string{text.substr(0, slash)}, bits_before);
    if (!address) return std::nullopt;
    auto bits = static_cast<unsigned>(128 - bits_before);
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (error != std::errc{} || end != digits.data() + digits.size() || bits > static_cast<unsigned>(128 - bits_before)) {
            return std::nullopt;
        }
    }
    return Range{*address, bits_before + static_cast<int>(bits)};
}

bool contains(const Range& range, const std::array<unsigned char, 16>& address, int bits_before)
{
    // A range of IPv6 that happens to hold the mapping does not mean every IPv4 address.
    if (bits_before == kMappedBits && range.bits < kMappedBits) return false;
    for (int bit = 0; bit < range.bits; ++bit) {
        const auto index = static_cast<std::size_t>(bit / 8);
        if (((range.bytes[index] ^ address[index]) >> (7 - bit % 8) & 1) != 0) return false;
    }
    return true;
}

[[noreturn]] void refuse_key()
{
    throw http::Error(401, "unauthorized", "Forbidden");
}

}  // namespace

Key::Key(std::string text) : text_{std::move(text)}, sha256_{sha256_of(text_)} {}

Key Key::generate()
{
    const auto body = std::string{kPrefix} + random_base32(kIdLength + kSecretLength);
    return Key{body + checksum(body)};
}

std::optional<Key> Key::parse(std::string_view text)
{
    if (text.size() != kKeyLength || !text.starts_with(kPrefix)) return std::nullopt;
    const auto body = text.substr(0, kKeyLength - kChecksumLength);
    if (body.substr(kPrefix.size()).find_first_not_of(kBase32) != std::string_view::npos) return std::nullopt;
    if (text.substr(body.size()) != checksum(body)) return std::nullopt;
    return Key{std::string{text}};
}

std::optional<Key> Key::from_header(std::string_view authorization)
{
    const auto space = authorization.find(' ');
    if (space == std::string_view::npos || !http::equals_ignoring_case(authorization.substr(0, space), "Basic")) {
        return std::nullopt;
    }
    // Spaces alone may follow the scheme (RFC 9110 11.4). mailboxd-http.conf counts and passes on the same forms.
    const auto begin = authorization.find_first_not_of(' ', space);
    if (begin == std::string_view::npos || authorization[begin] == '\t') return std::nullopt;
    const auto encoded = http::trimmed(authorization.substr(begin));
    std::array<char, 128> decoded{};
    std::size_t size = 0;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(decoded.data()), decoded.size(), encoded.data(),
                          encoded.size(), nullptr, &size, nullptr, sodium_base64_VARIANT_ORIGINAL) != 0) {
        return std::nullopt;
    }
    const std::string_view pair{decoded.data(), size};
    return pair.starts_with(kUser) ? parse(pair.substr(kUser.size())) : std::nullopt;
}

void recognize(const std::optional<Grant>& grant, std::string_view client)
{
    if (!grant || grant->key_is_revoked) refuse_key();
    if (grant->key_expires_at != 0 && grant->key_expires_at <= grant->now) refuse_key();
    if (!grant->key_addresses.empty() && !is_in_ranges(client, grant->key_addresses)) refuse_key();
    // From here on the caller has a right key.
    if (!grant->account_is_active) throw http::Error(403, "suspended", "The account is suspended.");
}

void admit(const std::optional<Grant>& grant, std::string_view client, std::string_view domain, Purpose purpose)
{
    recognize(grant, client);
    if (grant->domain_id == 0) throw http::Error(404, "domain_not_found", "Domain not found: " + std::string{domain});
    if (purpose == Purpose::read) return;
    if (grant->key_is_read_only) throw http::Error(403, "read_only", "This key may only read.");
    if (!grant->domain_is_active) throw http::Error(403, "suspended", "The domain is suspended: its mailboxes can be listed, not changed.");
}

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

std::string random_base32(std::size_t length)
{
    std::string text(length, '\0');
    randombytes_buf(text.data(), text.size());
    for (char& c : text) c = kBase32[static_cast<unsigned char>(c) & 31];
    return text;
}

std::string random_hex(std::size_t bytes)
{
    std::string random(bytes, '\0');
    randombytes_buf(random.data(), random.size());
    std::string hex(2 * bytes + 1, '\0');
    sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(random.data()), random.size());
    hex.pop_back();
    return hex;
}

}  // namespace auth
