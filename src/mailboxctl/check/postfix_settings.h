// postfix_settings.h - judges the settings of an installed Postfix on which the security of its
// mailboxes depends.
#pragma once

#include <set>
#include <string>

#include "base/check_result.h"
#include "peers/postconf.h"

namespace smtp {

// For every smtpd service of master.cf: what ends a message, BDAT, and where users log in the
// versions and ciphers of TLS and whose address they send from. Also whether reports show storage
// ids, two entries for one service, of which Postfix uses the last one, and a domain of ours in
// mydestination. Returns the first that is wrong, with what mends it. Throws std::runtime_error if
// Postfix's programs cannot be started.
check::Result judge(const postconf::Postfix& postfix, const std::set<std::string>& domains);

}  // namespace smtp
