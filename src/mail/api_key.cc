#include "mail/api_key.h"

#include <sodium.h>

#include <array>

#include "base/strings.h"

namespace api_key {
namespace {

constexpr std::string_view kPrefix = "mbx-";
constexpr std::size_t kIdLength = 10;
constexpr std::size_t kSecretLength = 32;
constexpr std::size_t kChecksumLength = 7;
constexpr std::size_t kKeyLength = 4 + kIdLength + kSecretLength + kChecksumLength;
// With this user, the credentials have 57 bytes: exactly 76 characters of base64. MIME's base64,
// which WWW::Mailgun and others use, breaks lines after 76 characters, and a line end makes the
// header invalid. A multiple of three bytes needs no padding, which some clients leave out.
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

// Returns 35 bits of a SHA-256 over a label and the text. The label keeps the checksum from
// revealing bits of the stored hash.
std::string checksum(std::string_view text)
{
    const auto digest = sha256_of("mailboxd key checksum " + std::string{text});
    std::string encoded;
    for (std::size_t i = 0; i < kChecksumLength; ++i)
        encoded += kBase32[static_cast<unsigned char>(digest[i]) & 31];
    return encoded;
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
    if (body.substr(kPrefix.size()).find_first_not_of(kBase32) != std::string_view::npos)
        return std::nullopt;
    if (text.substr(body.size()) != checksum(body)) return std::nullopt;
    return Key{std::string{text}};
}

std::optional<Key> Key::from_header(std::string_view authorization)
{
    const auto space = authorization.find(' ');
    if (space == std::string_view::npos
        || !strings::equals_ignoring_case(authorization.substr(0, space), "Basic")) {
        return std::nullopt;
    }
    // Only spaces may follow the scheme (RFC 9110 11.4). mailboxd-http.conf counts and passes on
    // the same forms.
    const auto begin = authorization.find_first_not_of(' ', space);
    if (begin == std::string_view::npos || authorization[begin] == '\t') return std::nullopt;
    const auto encoded = strings::trimmed(authorization.substr(begin));
    std::array<char, 128> decoded{};
    std::size_t size = 0;
    if (sodium_base642bin(reinterpret_cast<unsigned char*>(decoded.data()), decoded.size(),
                          encoded.data(), encoded.size(), nullptr, &size, nullptr,
                          sodium_base64_VARIANT_ORIGINAL)
        != 0) {
        return std::nullopt;
    }
    const std::string_view pair{decoded.data(), size};
    return pair.starts_with(kUser) ? parse(pair.substr(kUser.size())) : std::nullopt;
}

bool is_id(std::string_view text)
{
    constexpr std::size_t kLength = 10;
    return text.size() == kLength
           && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string_view::npos;
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
    sodium_bin2hex(hex.data(), hex.size(), reinterpret_cast<const unsigned char*>(random.data()),
                   random.size());
    hex.pop_back();
    return hex;
}

}  // namespace api_key
