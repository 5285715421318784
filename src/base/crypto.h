// crypto.h - what the layers above use of libsodium besides hashing passwords and API keys.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace crypto {

// Call this once before anything else here. Throws std::runtime_error if libsodium cannot start.
void initialize();

// Overwrites the bytes with zeros; the compiler cannot optimize this away.
void wipe(char* bytes, std::size_t size);
inline void wipe(std::string& text)
{
    wipe(text.data(), text.size());
}

std::uint64_t random_number();

std::string hex(std::string_view bytes);     // lower case
std::string base64(std::string_view bytes);  // RFC 4648 section 4, with padding

// Returns the SHA-256 of the text, 32 bytes.
std::string sha256(std::string_view text);
// Returns the HMAC-SHA-256 of the text, 32 bytes (RFC 2104).
std::string hmac(std::string_view key, std::string_view text);

// Encrypts and authenticates the text with a secret of any length; every call returns other bytes,
// as base64. opened() returns the text again; empty if the secret is wrong or the bytes were
// changed. (XSalsa20-Poly1305, libsodium's crypto_secretbox.)
std::string sealed(std::string_view secret, std::string_view text);
std::optional<std::string> opened(std::string_view secret, std::string_view sealed);

// SipHash-2-4 with a random key: equal texts have equal hashes within one process, and the hash
// does not reveal the text.
class KeyedHash {
public:
    KeyedHash();
    std::uint64_t operator()(std::string_view text) const;

private:
    std::array<unsigned char, 16> key_{};
};

}  // namespace crypto
