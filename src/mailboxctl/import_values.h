// import_values.h - the texts of a row → checked values, without the database.
//
// Throws Bad, which names the column and the value.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "db/mailbox_settings.h"
#include "mail/address.h"
#include "mail/alias_rule.h"
#include "mailboxctl/import_row.h"

namespace import_values {

struct Bad : std::runtime_error {
    Bad(std::string_view its_column, const std::string& reason)
        : std::runtime_error{reason}, column{its_column}
    {
    }
    std::string_view column;  // a literal
};

// How hashes are read; see password_hash.h.
struct Hashes {
    std::set<std::string> schemes = {};
    std::string scheme = {};       // of hashes that do not say it; empty: none
    bool makes_passwords = false;  // a mailbox without a password, or with a hash that Dovecot
                                   // cannot verify, gets a new password
};

struct Mailbox {
    mailbox::Address address;
    std::string hash = {};                     // to be stored; empty: see `password`
    std::string scheme = {};                   // of the hash
    std::string password = {};                 // to be hashed; empty: none is given
    bool needs_password = false;               // neither is given: a new mailbox gets a new one
    std::string lost_hash = {};                // why the hash that was given cannot be used
    std::optional<store::Quota> quota = {};    // empty: not given
    std::optional<mailbox::State> state = {};  // likewise
    std::int64_t created_at = 0;               // likewise: 0
    std::vector<mailbox::Address> aliases = {};
    std::string maildir = {};
};

struct Alias {
    alias::Pattern pattern;
    std::vector<alias::Target> targets;
    bool has_stop = false;
    std::string description = {};
    // The pattern as an address: name@domain, @domain or @*.
    std::string text() const;
    // The actions of the route, as the API would be given them.
    std::vector<std::string> actions() const;
};

struct AliasDomain {
    mailbox::Domain name;
    mailbox::Domain domain;
};

Mailbox mailbox_of(const import_row::Row& row, const Hashes& hashes, const Config& config);
Alias alias_of(const import_row::Row& row);
AliasDomain alias_domain_of(const import_row::Row& row);
// Returns the alias that an address in the column `aliases` of a mailbox means.
Alias alias_to(const mailbox::Address& address, const mailbox::Address& mailbox);

// Returns the seconds since 1970 of a date: a number of seconds, 2011-09-27, 2011-09-27 20:24:22 or
// with a T and an offset (UTC if there is none), or Tue, 27 Sep 2011 20:24:22 GMT. Empty if it is
// none of these or does not exist.
std::optional<std::int64_t> time_of(std::string_view text);

// Returns the text for a message: shortened if it is long, and without control characters.
std::string shown(std::string_view text);

}  // namespace import_values
