// password.h - a new password → the hash that Dovecot verifies.
//
// The scheme is {ARGON2ID}, by libsodium. The text is checked here; it is never logged, stored or
// echoed.
//
// The text is composed first (NFC, as RFC 8265 requires for passwords). Dovecot verifies exactly
// what a client sends, and keyboards send composed characters. So people can type a password that a
// program has set in decomposed form.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/secret.h"
#include "mail/address.h"

namespace password {

// Throws mailbox::Invalid with the rule that the composed text breaks.
void check(std::string_view text, const mailbox::Address& owner, const Config& config);

// Returns the hash. Uses argon2_memory_kib of memory and some tens of milliseconds of one core.
// Throws std::bad_alloc if the memory is not available.
std::string hash(std::string_view text, const Config& config);
// The same, without composing the text: for a password that a client has just logged in with. The
// client will send the same bytes again.
std::string hash_as_typed(std::string_view text, const Config& config);
// Returns whether a stored hash is one that hash() makes, with any parameters.
bool is_current(std::string_view stored);

// Returns whether the text, without composing it, matches a stored hash. Empty if that cannot be
// decided: the hash has another scheme, or there is not enough memory.
std::optional<bool> verify(std::string_view text, const std::string& stored);

// Returns a random password for a mailbox that was created without one: 24 characters with 120
// random bits, or as close to that as min_password and max_password allow.
Secret generate(const mailbox::Address& owner, const Config& config);

}  // namespace password
