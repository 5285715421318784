// admission.h - an API key and a domain's name → the key's grant and the domain, together.
//
// The database is asked each time, so the next request with a revoked key is refused. All functions
// throw db::Error if it cannot be asked. The rules themselves are in admission_rules.h.
#pragma once

#include <string_view>

#include "db/grants.h"
#include "mail/address.h"
#include "mail/api_key.h"
#include "mailboxd/admission_rules.h"
#include "mailboxd/exchange.h"

namespace admission {

// The grant and the domain of an admitted request. Neither exists without the other.
struct Admitted {
    grants::Grant grant;
    mailbox::Domain domain;
};

// Returns the key in an Authorization header. Throws http::Error 401 if there is none, or if it is
// not well-formed.
api_key::Key key_in(std::string_view authorization);

// A caller with a valid key, and the account that the request concerns.
struct Caller {
    grants::Grant grant;
    std::int64_t account_id = 0;  // 0: all accounts; for the operator only
    bool is_operator() const { return grant.key_is_of_operator; }
};

// Admits a request whose path names no domain. It concerns the account that the header
// X-Mailgun-On-Behalf-Of names. Without that header it concerns the key's own account; for a key of
// the operator, all accounts. Throws http::Error 401 or 403, and 404 if the named account does not
// exist or the key may not see it.
Caller admit_to_account(const api::Exchange& exchange, Purpose purpose);

// Admits a key of the operator only. Throws http::Error 401, 403 or 404.
Caller admit_operator(const api::Exchange& exchange, Purpose purpose);

// Throws the refusal for an account that the caller may not see, or that does not exist.
[[noreturn]] void refuse_unknown_account(std::string_view id);

// Admits a request to the domain in its path, and charges its work to the key's account. Throws
// http::Error 401, 403 or 404. After a 404 the trace says what the answer must not: whether the
// domain exists at all.
Admitted admit(const api::Exchange& exchange, Purpose purpose);

}  // namespace admission
