// provisioning_fields.h - the fields of a request → the settings of accounts, domains and keys.
//
// All functions throw http::Error 400 if a parameter is missing, given twice or not valid.
// Parameters of the original that have no meaning here are ignored.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/secret.h"
#include "db/accounts.h"
#include "mailboxd/parameters.h"

namespace fields {

// What an account is created or changed with: `name`, `max_mailboxes`, `max_domains`,
// `max_aliases`.
admin::AccountSettings account_settings(const Fields& fields);
// What a list of accounts selects: `limit`, `skip`, `sort`, `enabled`, `filter`. As in the
// original, `limit` is 10 if it is missing.
admin::AccountSelection account_selection(const Fields& fields, const Config& config);

// What a domain is created or changed with, except its name and its postmaster's password.
admin::DomainSettings domain_settings(const Fields& fields);
mailbox::Domain new_domain(const Fields& fields);
// Returns `smtp_password`. Empty if it is missing or empty, as a published client sends it.
std::optional<Secret> smtp_password(const Fields& fields);

// What a key is created with, except its account and its addresses' defaults. `expires_at` is
// counted from `now`, the database's clock.
admin::NewKey new_key(const Fields& fields, std::int64_t now);

// What a mailbox is changed with, except its password: `quota_bytes`, `state`.
store::MailboxSettings mailbox_settings(const Fields& fields);
// The same for each of `count` new mailboxes. A parameter that is given once is for all of them. An
// empty value is none.
std::vector<store::MailboxSettings> mailbox_settings(const Fields& fields, std::size_t count);

// Which mailboxes a list has, and what it shows of them: `limit`, `skip`, `q`, `details`.
struct Selected {
    store::Page page;
    std::string prefix;  // of the local part, in lower case; empty: any
    bool has_details = false;
};
Selected selected(const Fields& fields, const Config& config);

// Returns whether `with_mailboxes` is yes.
admin::Mailboxes removed_mailboxes(const Fields& fields);

}  // namespace fields
