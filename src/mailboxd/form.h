// form.h - the body of a request → its fields, whatever its type.
//
// Reads application/x-www-form-urlencoded, multipart/form-data (RFC 7578) and application/json. A
// body without Content-Type is read as urlencoded. Throws http::Error 415 for another type or a
// Content-Encoding, 400 for a body that violates its type.
#pragma once

#include "mail/address.h"
#include "mailboxd/http.h"

namespace form {

// Returns the fields of the body, in order. An empty body has none, whatever its type.
http::Fields parse(const http::Request& request, mailbox::As as = mailbox::As::mailbox);

// Renames our own parameters that are written as arrays, as PHP and Ruby write them: mailbox[] and
// mailbox[0] become mailbox, and likewise password and, for credentials, login. Sorts numbered ones
// by their numbers. Throws Error 400 if mailboxes and passwords could be paired wrongly, and for
// any other use of brackets.
void join_arrays(http::Fields& fields, mailbox::As as);

// Appends the members of one object, or of an array of objects, to `fields`. Throws Error 400. It
// is stricter than JSON: our own members must be strings, no member may occur twice, the text must
// have no NUL and be valid UTF-8. `as` decides which members the objects of an array must have.
enum class Arrays { allowed, refused };
void parse_json(std::string_view text, Arrays arrays, http::Fields& fields,
                mailbox::As as = mailbox::As::mailbox);

}  // namespace form
