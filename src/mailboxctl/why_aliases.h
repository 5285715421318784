// why_aliases.h - the checks of `mailboxctl why` about aliases: what takes mail of an address that
// has no mailbox, and where an alias leads. Throws db::Error.
#pragma once

#include "mailboxctl/why_subject.h"

namespace why {

// Reports the alias of the address. Without a mailbox, reports what takes its mail otherwise.
// Returns whether anything does, besides a mailbox of its own.
bool check_aliases(Subject& subject, bool has_mailbox);

}  // namespace why
