// api_key.h - an API key: how it is spelled, and how a request carries it.
//
// A key reads mbx-<id><secret><checksum>: 10 characters that name it, 32 that are secret
// (160 random bits), 7 that catch a mistyped or invented key before the database is
// asked; lower-case base32 throughout. The database has the SHA-256 of the whole.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace api_key {

class Key {
public:
    static Key generate();
    // Nothing where form or checksum is wrong.
    static std::optional<Key> parse(std::string_view text);
    // From `Basic base64(api:key)` (RFC 7617). The scheme's case does not matter, and any number of
    // spaces may follow it. nginx counts requests by this header: mailboxd-http.conf must recognize
    // whatever is accepted here.
    static std::optional<Key> from_header(std::string_view authorization);

    std::string id() const { return text_.substr(4, 10); }
    const std::string& text() const { return text_; }
    const std::string& sha256() const { return sha256_; }  // 32 bytes

private:
    explicit Key(std::string text);
    std::string text_;
    std::string sha256_;
};

std::string random_base32(std::size_t length);  // 5 random bits a character
std::string random_hex(std::size_t bytes);

}  // namespace api_key
