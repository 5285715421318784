// password.h - a new password → the hash that Dovecot verifies.
//
// {ARGON2ID}, by libsodium. The text is checked here and forgotten: it is never
// logged, stored or echoed.
//
// The text is composed first (NFC, as RFC 8265 has it for passwords). Dovecot verifies what a
// client sends as it is, and keyboards send composed characters; so a password that a program set
// decomposed is the one that people type.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/secret.h"
#include "mail/address.h"

namespace password {

// Throws mailbox::Invalid with the rule that the text breaks, composed.
void check(std::string_view text, const mailbox::Address& owner, const Config& config);

// Takes argon2_memory_kib of memory and some tens of milliseconds of one core.
// Throws std::bad_alloc when the memory cannot be had.
std::string hash(std::string_view text, const Config& config);

// Whether the text, as it is, belongs to a stored hash; nothing where that cannot be told: another
// scheme, no memory.
std::optional<bool> verify(std::string_view text, const std::string& stored);

// For a mailbox that nobody chose a password for: 24 characters, 120 random bits, or as near to
// that as the settings let it.
Secret generate(const mailbox::Address& owner, const Config& config);

}  // namespace password
