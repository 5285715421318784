// quota_policy.h - answers Postfix's question whether a message has room in its mailboxes, by
// asking Dovecot (quota-status).
//
// Dovecot answers at RCPT only, for one recipient. But a client need not name a size there. Postfix
// knows the size at the end of the message; it asks then once, and names no recipients if there are
// several. So this program stands between the two: it remembers the recipients of the message and
// asks Dovecot about each of them again, with the size.
//
// Postfix's spawn(8) starts a process of it for each connection. It needs no database and no
// rights.
#pragma once

#include <functional>
#include <istream>
#include <map>
#include <ostream>
#include <string>

#include "mailboxctl/command.h"

namespace quota_policy {

using Attributes =
    std::map<std::string, std::string>;  // of a request, SMTPD_POLICY_README of Postfix

// Dovecot's answer, such as `DUNNO` or `552 5.2.2 Mailbox is full`.
using Ask = std::function<std::string(const Attributes&)>;

// Answers every request of `in` until it ends. A message whose recipients cannot be asked about is
// accepted: an exception of `ask` is a DUNNO, and a line in the system's log of mail.
void serve(std::istream& in, std::ostream& out, const Ask& ask);

command::Command command();  // quota-policy

}  // namespace quota_policy
