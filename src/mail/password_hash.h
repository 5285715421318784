// password_hash.h - the password hash of another mail system → the text that Dovecot verifies.
//
// Without I/O. The stored text begins with {SCHEME}. A hash without it is recognised by its form
// only where no other text has that form, because a text that is taken for a hash by mistake locks
// its user out.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace password_hash {

// The schemes that Dovecot 2.3 and 2.4 both verify, for a machine without Dovecot.
const std::set<std::string>& usual_schemes();

struct Understood {
    // stored: `text` is what to store. plain: `text` is a plain password, to be hashed. unknown:
    // `text` is a sentence that says why Dovecot could not verify it.
    enum class Kind { stored, plain, unknown };
    Kind kind = Kind::unknown;
    std::string text;
    std::string scheme;      // of a stored hash, without its encoding: SSHA of {SSHA.HEX}
    bool is_locked = false;  // a mark before it, `!` or `*`, kept its user from logging in
};

// `schemes`: those that Dovecot verifies, in capital letters. `scheme`: of hashes that name none
// and have no form of their own, for example PLAIN-MD5; empty: such hashes are unknown.
Understood understand(std::string_view hash, const std::set<std::string>& schemes,
                      std::string_view scheme = {});

}  // namespace password_hash
