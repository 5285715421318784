// login_name.h - the name of a login inside Dovecot, <storage_id>.<generation>@<domain>.
//
// Dovecot's passdb query makes it (sql/dovecot, sql/dovecot-2.4). The generation increases with
// each new password and each suspension, so the name says which password was verified.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace login_name {

struct LoginName {
    std::string storage_id;  // 32 hexadecimal digits
    std::int64_t generation = 0;
};

// Returns the parts of the name. Empty for a user of the same Dovecot that is not ours.
std::optional<LoginName> parse(std::string_view user);

}  // namespace login_name
