// why_services.h - the checks of `mailboxctl why` that ask what Postfix and Dovecot make of the
// mailbox.
#pragma once

#include <optional>

#include "db/lifecycle.h"
#include "mailboxctl/why_subject.h"

namespace why {

// Each adds its results to the report of the subject. Throws db::Error. Dovecot may be away.

// Runs the queries of Postfix's tables.
void check_postfix(Subject& subject, bool has_mailbox);
// Asks Dovecot whether it knows the mailbox and accepts logins, and for open sessions.
void check_dovecot(Subject& subject, const std::optional<life::Mailbox>& mailbox);
// How much was sent, and whether sent messages can be counted.
void check_sending(Subject& subject, const life::Mailbox& mailbox);

}  // namespace why
