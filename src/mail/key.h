// auth.h - who is calling: the Authorization header → a Key, and what the database
// knows of that key → whether it may.
//
// A key reads mbx-<id><secret><checksum>: 10 characters that name it, 32 that are secret
// (160 random bits), 7 that catch a mistyped or invented key before the database is
// asked; lower-case base32 throughout. The database has the SHA-256 of the whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mailbox.h"

namespace auth {

class Key {
public:
    static Key generate();
    // Nothing where form or checksum is wrong.
    static std::optional<Key> parse(std::string_view text);
    // From `Basic base64(api:key)` (RFC 7617). The scheme's case does not matter, and any number of spaces may follow it.
    // nginx counts requests by this header: mailboxd-http.conf must recognize whatever is accepted here.
    static std::optional<Key> from_header(std::string_view authorization);

    std::string id() const { return text_.substr(4, 10); }
    const std::string& text() const { return text_; }
    const std::string& sha256() const { return sha256_; }  // 32 bytes

private:
    explicit Key(std::string text);
    std::string text_;
    std::string sha256_;
};

// What the database says of a key and a domain's name, in one row. There is none for a key whose secret is wrong: like one
// that nobody has, it is no key.
struct Grant {
    std::string key_addresses;               // ranges it may call from; empty: any
    std::int64_t now = 0;                    // the database's clock, seconds
    std::int64_t key_expires_at = 0;         // 0: never
    bool key_is_revoked = false;
    bool key_is_read_only = false;
    bool account_is_active = false;
    std::int64_t domain_id = 0;              // 0: none that this key may see
    bool domain_is_active = false;
    bool domain_updates_duplicates = false;  // on_duplicate
    bool domain_may_be_emptied = false;      // allow_delete_all
    std::int64_t domain_created_at = 0;      // seconds since 1970
    std::int64_t account_id = 0;             // the key's
};

enum class Purpose { read, write };

// Returns where it is a right key of an active account; throws http::Error 401 or 403 otherwise.
void recognize(const std::optional<Grant>& grant, std::string_view client);

// Returns where the key may do that; throws http::Error 401, 403 or 404 otherwise,
// in that order, so that nobody without a right key learns more than that.
void admit(const std::optional<Grant>& grant, std::string_view client, std::string_view domain, Purpose purpose);

// Whether an address (IPv4 or IPv6 text) is in one of the space-separated ranges.
bool is_in_ranges(std::string_view client, std::string_view ranges);
// Whether `range` is an address or address/bits.
bool is_range(std::string_view range);

std::string random_base32(std::size_t length);  // 5 random bits a character
std::string random_hex(std::size_t bytes);

}  // namespace auth
