// why_tables.h - the checks of `mailboxctl why` that need only the database.
#pragma once

#include <string>

#include "db/lifecycle.h"
#include "mailboxctl/why_subject.h"

namespace why {

// Each adds its results to the report of the subject. Throws db::Error.

// How the address that was asked about leads to the mailbox.
void check_address(Subject& subject);
// Whether the account, domain or mailbox is suspended. `level` is one of these three words.
void check_state(Subject& subject, const char* level, const std::string& name,
                 const std::string& state);
// `takes_mail`: the address has a mailbox, or something else takes its mail.
void check_deleted(Subject& subject, bool has_mailbox, bool takes_mail);
// How many mailboxes domain and account have and may have.
void check_allowance(Subject& subject, bool takes_mail);
void check_size(Subject& subject, const life::Mailbox& mailbox);
// When the password was set, and whether the one that the operator gives is right. Sets login_name.
void check_password(Subject& subject, const life::Mailbox& mailbox);
// Whether an API key may use the domain.
void check_keys(Subject& subject);

}  // namespace why
