// form.h - the body of a request → its fields, whatever form it came in.
//
// application/x-www-form-urlencoded, multipart/form-data (RFC 7578) and
// application/json; no Content-Type is read as urlencoded. Complains with http::Error:
// 415 for another type, 400 for a body that does not keep to its type.
#pragma once

#include "http.h"
#include "mailbox.h"

namespace form {

// Fields of the body, in order. An empty body has none, whatever its type.
http::Fields parse(const http::Request& request, mailbox::As as = mailbox::As::mailbox);

}  // namespace form
