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

std::string sha256(std::string_view text)
{
    std::string digest(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(digest.data()),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return digest;
}

std::string hmac(std::string_view key, std::string_view text)
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, data(key), key.size());
    crypto_auth_hmacsha256_update(&state, data(text), text.size());
    std::string code(crypto_auth_hmacsha256_BYTES, '\0');
    crypto_auth_hmacsha256_final(&state, reinterpret_cast<unsigned char*>(code.data()));
    wipe(reinterpret_cast<char*>(&state), sizeof state);
    return code;
}

namespace {

static_assert(crypto_auth_hmacsha256_BYTES == crypto_secretbox_KEYBYTES);

std::string key_for_sealing(std::string_view secret)
{
    return hmac(secret, "key for sealing");
}

}  // namespace

std::string sealed(std::string_view secret, std::string_view text)
{
    auto key = key_for_sealing(secret);
    std::string box(crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + text.size(), '\0');
    auto* const bytes = reinterpret_cast<unsigned char*>(box.data());
    randombytes_buf(bytes, crypto_secretbox_NONCEBYTES);
    crypto_secretbox_easy(bytes + crypto_secretbox_NONCEBYTES, data(text), text.size(), bytes,
                          data(std::string_view{key}));
    wipe(key);
    return base64(box);
}

std::optional<std::string> opened(std::string_view secret, std::string_view sealed)
{
    constexpr std::size_t kOverhead = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    std::string box(sealed.size(), '\0');
    auto* const bytes = reinterpret_cast<unsigned char*>(box.data());
    std::size_t size = 0;
    if (sodium_base642bin(bytes, box.size(), sealed.data(), sealed.size(), nullptr, &size, nullptr,
                          sodium_base64_VARIANT_ORIGINAL)
            != 0
        || size < kOverhead)
        return std::nullopt;
    auto key = key_for_sealing(secret);
    std::string text(size - kOverhead, '\0');
    const auto failed = crypto_secretbox_open_easy(
        reinterpret_cast<unsigned char*>(text.data()), bytes + crypto_secretbox_NONCEBYTES,
        size - crypto_secretbox_NONCEBYTES, bytes, data(std::string_view{key}));
    wipe(key);
    if (failed != 0) return std::nullopt;
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
