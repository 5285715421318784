#include "password.h"

#include <sodium.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "auth.h"
#include "http.h"

namespace password {
namespace {

const std::string kScheme = "{ARGON2ID}";

// Characters of valid UTF-8, not bytes.
std::size_t length(std::string_view text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 C2 80 to C2 9F).
bool has_control_character(std::string_view text)
{
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c < 0x20 || c == 0x7F) return true;
        if (c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) return true;
    }
    return false;
}

}  // namespace

void check(std::string_view text, const mailbox::Address& owner, const Config& config)
{
    if (!http::is_utf8(text)) throw mailbox::Invalid("'password' parameter is not valid: it is not valid UTF-8");
    if (has_control_character(text)) throw mailbox::Invalid("'password' parameter is not valid: it has a control character");
    const auto characters = length(text);
    if (characters < config.min_password || characters > config.max_password) {
        throw mailbox::Invalid("'password' parameter is not valid: it must have " + std::to_string(config.min_password)
                               + " to " + std::to_string(config.max_password) + " characters");
    }
    for (const auto& name : {owner.local_part(), owner.text(), owner.domain()}) {
        if (http::equals_ignoring_case(text, name)) {
            throw mailbox::Invalid("'password' parameter is not valid: it must not be the mailbox's name, address or domain");
        }
    }
}

std::string hash(std::string_view text, const Config& config)
{
    char encoded[crypto_pwhash_STRBYTES];
    if (crypto_pwhash_argon2id_str(encoded, text.data(), text.size(), config.argon2_passes,
                                   config.argon2_memory_kib * 1024) != 0) {
        throw std::bad_alloc{};
    }
    return kScheme + encoded;
}

std::optional<bool> verify(std::string_view text, const std::string& stored)
{
    if (!stored.starts_with(kScheme)) return std::nullopt;
    if (crypto_pwhash_str_verify(stored.c_str() + kScheme.size(), text.data(), text.size()) == 0) return true;
    return errno == EINVAL ? std::optional{false} : std::nullopt;  // so it says that the two differ
}

std::string generate()
{
    return auth::random_base32(24);
}

}  // namespace password
