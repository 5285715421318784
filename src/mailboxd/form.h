// form.h - the body of a request → its fields, whatever form it came in.
//
// application/x-www-form-urlencoded, multipart/form-data (RFC 7578) and
// application/json; no Content-Type is read as urlencoded. Complains with http::Error:
// 415 for another type or a Content-Encoding, 400 for a body that does not keep to its type.
#pragma once

#include "http.h"
#include "mailbox.h"

namespace form {

// Fields of the body, in order. An empty body has none, whatever its type.
http::Fields parse(const http::Request& request, mailbox::As as = mailbox::As::mailbox);

// Renames our own parameters that are written as arrays, as PHP and Ruby do it: mailbox[], mailbox[0], and likewise
// password and, of credentials, login. Numbered ones are put into the order of their numbers.
// Throws Error 400 where mailboxes and passwords could be paired wrongly, and for any other use of the brackets.
void join_arrays(http::Fields& fields, mailbox::As as);

}  // namespace form
