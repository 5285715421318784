// consistency.h - whether rows of the tables contradict each other.
//
// The functions throw db::Error if the tables cannot be read.
#pragma once

#include "base/check_result.h"
#include "mailboxctl/check/database_user.h"

namespace check {

// Names of accounts and domains that are refused today but were accepted by an earlier release, and
// domains that lack their Unicode form.
Result names(DatabaseUser& ctl);
// Whether each key of the operator is bound to addresses, as mailboxctl makes them.
Result operator_keys(DatabaseUser& ctl);
// The numbers of mailboxes and aliases, and the bytes, that domains and accounts keep.
Result counters(DatabaseUser& ctl);
// Whether every alias leads to a mailbox.
Result aliases(DatabaseUser& ctl);
// The counts by which a list finds its place for a large skip.
Result ranges(DatabaseUser& ctl);
// Sizes of mailboxes, against what Dovecot stored.
Result sizes(DatabaseUser& ctl);
// Whether Dovecot can verify every password hash.
Result hashes(DatabaseUser& ctl);

}  // namespace check
