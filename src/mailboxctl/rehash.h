// rehash.h - `mailboxctl rehash`: replaces the old password hash of a mailbox after a login.
//
// When Dovecot has verified a password against a hash of another scheme than {ARGON2ID}, its script
// rehash.lua (sql/dovecot-rehash) sends name and password to our socket, in one datagram. Nobody
// waits for an answer: a login takes as long without this program, and whatever is lost here comes
// again with the next login.
//
// The socket is the only protection: whoever can write to it can set the password of a mailbox that
// has an old hash. Only the user of Dovecot's process `auth` may (mode 0600).
//
// The new hash is stored only if the mailbox still has the hash that was verified. That is no new
// password: the generation stays, so sessions go on, and the audit log has no entry.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/config.h"
#include "base/secret.h"
#include "db/connection.h"
#include "mail/login_name.h"
#include "mailboxctl/command.h"

namespace rehash {

// A login that Dovecot has accepted.
struct Login {
    login_name::LoginName name;
    Secret password;
};

// Reads a datagram: the name inside Dovecot, a null byte, the password. Empty if it is anything
// else.
std::optional<Login> parse(std::string_view datagram);

enum class Outcome {
    replaced,
    is_current,  // the hash is {ARGON2ID} already, as after the first of two logins at once
    was_changed  // the mailbox has another password by now, or is deleted or suspended
};

struct Replaced {
    Outcome outcome = Outcome::was_changed;
    std::string scheme;  // of the old hash, such as MD5-CRYPT; only if it was replaced
};

// Replaces the hash. `was_read` is called after the old hash was read and before the new one is
// stored; it is for tests. Throws db::Error.
Replaced replace(
    db::Connection& connection, const Login& login, const Config& config,
    void (*was_read)() = [] {});

command::Command command();

}  // namespace rehash
