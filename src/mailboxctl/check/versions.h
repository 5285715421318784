// versions.h - judges the installed versions of nginx, Dovecot and Postfix.
#pragma once

#include <vector>

#include "base/check_result.h"
#include "peers/dpkg.h"

namespace check {

// Wrong if one of the packages nginx, dovecot-core and postfix is older than the revision in which
// its Debian fixed a fault that an installation of mailboxd exposes; names all of them, each with
// the fault and the remedy. Unknown, with the reason, for packages that are not of Debian 12 or 13,
// and if there is none.
Result judge_versions(const std::vector<dpkg::Package>& packages);

// Judges what dpkg has on this machine. Unknown if there is no dpkg.
Result versions();

}  // namespace check
