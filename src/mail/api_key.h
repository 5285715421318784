// api_key.h - an API key: its format, and how a request carries it.
//
// A key is mbx-<id><secret><checksum> in lower-case base32: an id of 10 characters, a secret of 32
// (160 random bits), and a checksum of 7, which catches a mistyped or invented key before the
// database is asked. The database stores the SHA-256 of the whole key.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace api_key {

class Key {
public:
    static Key generate();
    // Empty if the format or the checksum is wrong.
    static std::optional<Key> parse(std::string_view text);
    // Reads a key from `Basic base64(api:key)` (RFC 7617); empty if there is no valid one. The
    // scheme's case does not matter, and any number of spaces may follow it. nginx counts requests
    // by this header, so mailboxd-http.conf must recognize everything that is accepted here.
    static std::optional<Key> from_header(std::string_view authorization);

    std::string id() const { return text_.substr(4, 10); }
    const std::string& text() const { return text_; }
    const std::string& sha256() const { return sha256_; }  // 32 bytes

private:
    explicit Key(std::string text);
    std::string text_;
    std::string sha256_;
};

// Returns whether the text has the form of a key's public part.
bool is_id(std::string_view text);

std::string random_base32(std::size_t length);  // 5 random bits per character
std::string random_hex(std::size_t bytes);

}  // namespace api_key
