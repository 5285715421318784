// password_scheme.h - the schemes of stored password hashes, and which of them Dovecot 2.4 refuses.
#pragma once

#include <string>
#include <string_view>

namespace password_scheme {

// Returns the scheme of a stored hash in upper case, such as MD5-CRYPT: without the encoding that
// may follow it ({SHA1.HEX}), without aliases, and for {CRYPT} the one that crypt(3) finds in the
// hash. Empty if the text does not begin with {SCHEME}.
std::string of(std::string_view stored);

enum class Strength {
    current,  // what mailboxd stores
    old,      // Dovecot verifies it, and mailboxctl rehash replaces it
    // Dovecot 2.4 verifies it only with auth_allow_weak_schemes = yes; 2.3 always.
    weak,
    unknown  // no Dovecot verifies it with a password that a client sends
};
// Of a scheme that of() returns.
Strength strength(std::string_view scheme);

}  // namespace password_scheme
