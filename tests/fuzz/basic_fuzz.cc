// basic_fuzz.cc - the Authorization header: the service accepts exactly what a second parser,
// written for this test, accepts.

#include <sodium.h>

#include <array>
#include <optional>

#include "base/strings.h"
#include "fuzz/targets.h"
#include "mail/api_key.h"

namespace fuzz {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";

// RFC 4648 4: the unused bits are zero, and the padding is complete or absent.
std::optional<std::string> decoded(std::string_view text)
{
    const auto end = std::min(text.find('='), text.size());
    const auto padding = text.size() - end;
    if (text.find_first_not_of('=', end) != std::string_view::npos || padding > 2)
        return std::nullopt;
    if (padding > 0 && text.size() % 4 != 0) return std::nullopt;
    std::string bytes;
    unsigned bits = 0;
    unsigned count = 0;
    for (const char c : text.substr(0, end)) {
        const auto value = kAlphabet.find(c);
        if (value == std::string_view::npos) return std::nullopt;
        bits = (bits << 6 | static_cast<unsigned>(value)) & 0xFFFF;
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xFF);
    }
    if (count > 4 || (bits & ((1U << count) - 1)) != 0) return std::nullopt;
    return bytes;
}

std::string encoded(std::string_view bytes)
{
    std::string text;
    unsigned bits = 0;
    unsigned count = 0;
    for (const char c : bytes) {
        bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xFFFF;
        for (count += 8; count >= 6; count -= 6) text += kAlphabet[bits >> (count - 6) & 63];
    }
    if (count > 0) text += kAlphabet[bits << (6 - count) & 63];
    return text;
}

std::string checksum(std::string_view body)
{
    const auto text = "mailboxd key checksum " + std::string{body};
    std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
    crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size());
    std::string sum;
    for (std::size_t i = 0; i < 7; ++i) sum += kBase32[digest[i] & 31];
    return sum;
}

bool is_key(std::string_view text)
{
    return text.size() == 53 && text.starts_with("mbx-")
           && text.substr(4, 42).find_first_not_of(kBase32) == std::string_view::npos
           && text.substr(46) == checksum(text.substr(0, 46));
}

// Returns the key that the service should find in a header.
std::optional<std::string> expected(std::string_view header)
{
    const auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    if (header.size() < 6 || strings::lower_case(header.substr(0, 6)) != "basic ")
        return std::nullopt;
    header.remove_prefix(6);
    while (!header.empty() && header.front() == ' ') header.remove_prefix(1);
    while (!header.empty() && is_blank(header.back())) header.remove_suffix(1);
    const auto pair = decoded(header);
    if (!pair || !pair->starts_with("api:") || !is_key(std::string_view{*pair}.substr(4)))
        return std::nullopt;
    return pair->substr(4);
}

void check(std::string_view header)
{
    const auto wanted = expected(header);
    const auto key = api_key::Key::from_header(header);
    expect(key.has_value() == wanted.has_value(),
           "a header is accepted exactly if the second reader accepts it");
    if (!key) return;
    expect(key->text() == *wanted, "the key is the one in the header");
    expect(key->id() == wanted->substr(4, 10), "its id is its first ten characters");
    expect(key->sha256().size() == 32, "its hash has 32 bytes");
    expect(api_key::Key::parse(key->text()).has_value(), "the key is one also without its header");
}

// Returns a valid key made of the input's bytes.
std::string right_key(std::string_view input)
{
    std::string key = "mbx-";
    for (std::size_t i = 0; i < 42; ++i)
        key += kBase32[i < input.size() ? static_cast<unsigned char>(input[i]) & 31 : 0];
    return key + checksum(key);
}

}  // namespace

void basic(std::string_view input)
{
    check(input);
    check("Basic " + encoded(input));
    const auto key = right_key(input);
    // Writes a header for the key in one of these spellings, chosen by the input's first byte.
    constexpr std::array kSchemes{"Basic ", "basic  ", "BASIC \t", "Digest "};
    constexpr std::array kUsers{"api:", "API:", "", "api"};
    constexpr std::array kEnds{"", "=", "==", "===", " ", " \t", "\n", "A"};
    const auto choice = input.empty() ? std::size_t{0} : static_cast<unsigned char>(input.front());
    check(kSchemes[choice & 3] + encoded(kUsers[choice >> 2 & 3] + key) + kEnds[choice >> 4 & 7]);
    expect(api_key::Key::from_header("Basic " + encoded("api:" + key)).has_value(),
           "a right key is accepted");
    // A key with one changed character is invalid.
    if (input.empty()) return;
    auto wrong = key;
    auto& character = wrong[static_cast<unsigned char>(input.front()) % wrong.size()];
    character = character == 'a' ? 'b' : 'a';
    expect(!api_key::Key::parse(wrong).has_value(), "a key with one wrong character is refused");
}

}  // namespace fuzz
