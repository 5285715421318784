// why.h - what stands in the way of a mailbox: for the call that mail does not come, or that nobody
// gets in.
//
// Looks at one thing after the other, as an experienced postmaster would, says of each how it is
// and of what is wrong what to do, and ends with what works and what does not. Reads only. Goes on
// without Dovecot, not without the database.
#pragma once

#include "mailboxctl/command.h"

namespace why {

command::Command command();

}  // namespace why
