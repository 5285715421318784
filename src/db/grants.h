// grants.h - what the database says about an API key and a domain's name.
#pragma once

#include <cstdint>
#include <string>

namespace grants {

// One row about a key and a domain's name. A key with a wrong secret has no row, just like a key
// that does not exist.
struct Grant {
    std::string key_addresses;        // ranges that may use the key; empty: any address
    std::int64_t now = 0;             // the database's clock, seconds since 1970
    std::int64_t key_expires_at = 0;  // 0: never
    bool key_is_revoked = false;
    bool key_is_read_only = false;
    bool account_is_active = false;
    std::int64_t domain_id = 0;  // 0: no domain that this key may see has that name
    bool domain_is_active = false;
    bool domain_updates_duplicates = false;  // on_duplicate is update
    bool domain_may_be_emptied = false;      // allow_delete_all is yes
    // The key's account. For a key of the operator: the domain's account, or 0 without a domain.
    std::int64_t account_id = 0;
    bool key_is_of_operator = false;
    std::int64_t key_domain_id = 0;  // the only domain of the key; 0: all of the account
};

}  // namespace grants
