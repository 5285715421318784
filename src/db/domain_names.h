// domain_names.h - alias domains: other names under which the mailboxes and aliases of a domain get
// mail and log in.
//
// Every change and its row in audit_log are one transaction. Throws admin::Refused if the change is
// refused; nothing was changed then. Throws db::Error if the database could not be asked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/audited_transactions.h"
#include "db/connection.h"
#include "mail/address.h"

namespace domain_names {

struct AliasDomain {
    std::string name;
    std::string domain;           // that it stands for
    std::int64_t created_at = 0;  // seconds since 1970
};

// Returns the alias domains of a domain, or all if the name is empty; sorted.
std::vector<AliasDomain> all(db::Connection& connection, const std::string& domain);

// Returns the domain that an alias domain stands for; empty if the name is no alias domain.
std::string stands_for(db::Connection& connection, const std::string& alias);

// Refuses a name that a domain or an alias domain has already.
void add(db::Connection& connection, const mailbox::Domain& alias, const mailbox::Domain& domain,
         audit::Within within = audit::Within::own_transactions);
// Returns the domain that it stood for.
std::string remove(db::Connection& connection, const mailbox::Domain& alias,
                   audit::Within within = audit::Within::own_transactions);

}  // namespace domain_names
