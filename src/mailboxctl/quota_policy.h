// quota_policy.h - the command `quota-policy`: tells Postfix whether a message fits into the
// mailboxes of its recipients, by asking Dovecot (quota-status).
//
// Dovecot answers at RCPT, for one recipient. But a client need not name the size there. Postfix
// knows the size at the end of the message; it then asks once, and names no recipient if there are
// several. So this program stands between the two. It remembers the recipients of the message and
// asks Dovecot about each of them again, with the size.
//
// Postfix's spawn(8) starts a process for each connection. It needs no database and no rights.
#pragma once

#include <functional>
#include <istream>
#include <map>
#include <ostream>
#include <string>

#include "mailboxctl/command.h"

namespace quota_policy {

// The attributes of one request, by name (SMTPD_POLICY_README of Postfix).
using Attributes = std::map<std::string, std::string>;

// Asks Dovecot. Returns its answer, such as `DUNNO` or `552 5.2.2 Mailbox is full`.
using Ask = std::function<std::string(const Attributes&)>;

// Answers every request of `in` until it ends. If `ask` throws, the message is accepted (DUNNO) and
// the mail log gets a line.
void serve(std::istream& in, std::ostream& out, const Ask& ask);

command::Command command();

}  // namespace quota_policy
