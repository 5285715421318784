// form.h - the body of a request → its fields, whatever form it came in.
//
// application/x-www-form-urlencoded, multipart/form-data (RFC 7578) and
// application/json; no Content-Type is read as urlencoded. Complains with http::Error:
// 415 for another type or a Content-Encoding, 400 for a body that does not keep to its type.
#pragma once

#include "mail/address.h"
#include "mailboxd/http.h"

namespace form {

// Fields of the body, in order. An empty body has none, whatever its type.
http::Fields parse(const http::Request& request, mailbox::As as = mailbox::As::mailbox);

// Renames our own parameters that are written as arrays, as PHP and Ruby do it: mailbox[],
// mailbox[0], and likewise password and, of credentials, login. Numbered ones are put into the
// order of their numbers. Throws Error 400 where mailboxes and passwords could be paired wrongly,
// and for any other use of the brackets.
void join_arrays(http::Fields& fields, mailbox::As as);

// One object, or an array of objects, whose members are all strings, appended to `fields`. Throws
// Error 400. Stricter than JSON: no member twice, no NUL, valid UTF-8. `as` decides which members
// an array's objects may and must have.
enum class Arrays { allowed, refused };
void parse_json(std::string_view text, Arrays arrays, http::Fields& fields,
                mailbox::As as = mailbox::As::mailbox);

}  // namespace form
