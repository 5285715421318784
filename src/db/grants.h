// grants.h - what the database says of an API key and a domain's name.
#pragma once

#include <cstdint>
#include <string>

namespace grants {

// What the database says of a key and a domain's name, in one row. There is none for a key whose
// secret is wrong: like one that nobody has, it is no key.
struct Grant {
    std::string key_addresses;        // ranges it may call from; empty: any
    std::int64_t now = 0;             // the database's clock, seconds
    std::int64_t key_expires_at = 0;  // 0: never
    bool key_is_revoked = false;
    bool key_is_read_only = false;
    bool account_is_active = false;
    std::int64_t domain_id = 0;  // 0: none that this key may see
    bool domain_is_active = false;
    bool domain_updates_duplicates = false;  // on_duplicate
    bool domain_may_be_emptied = false;      // allow_delete_all
    std::int64_t domain_created_at = 0;      // seconds since 1970
    std::int64_t account_id = 0;             // the key's
};

}  // namespace grants
