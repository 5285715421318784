// postfix_settings.h - judges the settings of an installed Postfix on which the security of its
// mailboxes depends.
#pragma once

#include <set>
#include <string>

#include "base/check_result.h"
#include "peers/postconf.h"

namespace check {

// For every smtpd service of master.cf, judges what ends a message and whether BDAT is offered;
// where users log in, also the versions and ciphers of TLS and whose address they may send from.
// Further: whether stray ends of lines go out, whether bounces show storage ids, two entries for
// one service, of which Postfix uses only the last, and one of `domains` in mydestination. Returns
// the first that is wrong, with its remedy; otherwise the first note. Throws std::runtime_error if
// Postfix's programs cannot be started.
Result judge_postfix(const postconf::Postfix& postfix, const std::set<std::string>& domains);

}  // namespace check
