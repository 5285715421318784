#include "base/crypto.h"

#include <sodium.h>

#include <cstring>
#include <stdexcept>

namespace crypto {
namespace {

const unsigned char* data(std::string_view bytes)
{
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

void initialize()
{
    if (sodium_init() < 0) throw std::runtime_error("libsodium does not start");
}

void wipe(char* bytes, std::size_t size)
{
    sodium_memzero(bytes, size);
}

std::uint64_t random_number()
{
    std::uint64_t number = 0;
    randombytes_buf(&number, sizeof number);
    return number;
}

std::string hex(std::string_view bytes)
{
    std::string text(2 * bytes.size() + 1, '\0');
    sodium_bin2hex(text.data(), text.size(), data(bytes), bytes.size());
    text.pop_back();  // its NUL
    return text;
}

std::string base64(std::string_view bytes)
{
    std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(text.data(), text.size(), data(bytes), bytes.size(),
                      sodium_base64_VARIANT_ORIGINAL);
    text.pop_back();  // its NUL
    return text;
}

static_assert(crypto_shorthash_KEYBYTES == 16 && crypto_shorthash_BYTES == sizeof(std::uint64_t));

KeyedHash::KeyedHash()
{
    crypto_shorthash_keygen(key_.data());
}

std::uint64_t KeyedHash::operator()(std::string_view text) const
{
    std::array<unsigned char, crypto_shorthash_BYTES> bytes{};
    crypto_shorthash(bytes.data(), data(text), text.size(), key_.data());
    std::uint64_t hash = 0;
    std::memcpy(&hash, bytes.data(), sizeof hash);
    return hash;
}

}  // namespace crypto
