// sample.h - a mailbox to ask Dovecot and Postfix about.
#pragma once

#include <string>

#include "db/connection.h"

namespace check {

struct Sample {
    std::string domain;
    std::string address;
    std::string
        login_name;  // Dovecot's name for a login that begins now; empty: there is no mailbox
};

// Returns an active mailbox of an active domain and account. If there is none, returns an address
// that does not exist: looking it up still shows whether the look-up works. Throws db::Error.
Sample sample(db::Connection& connection);

}  // namespace check
