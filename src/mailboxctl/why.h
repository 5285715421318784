// why.h - the command `why`: explains why a mailbox gets no mail or why its user cannot log in.
//
// It checks one thing after the other, in the order of an experienced postmaster. Each line says
// the result and what to do; the last line says what works. It only reads. It works without
// Dovecot, but not without the database.
#pragma once

#include "mailboxctl/command.h"

namespace why {

command::Command command();

}  // namespace why
