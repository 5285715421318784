// dns_records.h - the DNS records that a domain needs for mail.
#pragma once

#include <string>
#include <vector>

#include "mail/address.h"

namespace dns {

struct Record {
    std::string name;  // without the final dot
    std::string type;
    std::string value;          // as the DNS has it, without quotes
    std::string priority = {};  // of an MX; otherwise empty
};

// Where its mail goes (MX). `host`: the name of the mail server, as A-labels.
std::vector<Record> receiving(const mailbox::Domain& domain, const std::string& host);
// Which servers may send in its name (SPF, RFC 7208), and what happens to mail that others send in
// its name (DMARC, RFC 7489; p=none only reports it).
std::vector<Record> sending(const mailbox::Domain& domain);

}  // namespace dns
