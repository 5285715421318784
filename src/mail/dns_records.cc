#include "mail/dns_records.h"

namespace dns {

std::vector<Record> receiving(const mailbox::Domain& domain, const std::string& host)
{
    return {{.name = domain.name(), .type = "MX", .value = host, .priority = "10"}};
}

std::vector<Record> sending(const mailbox::Domain& domain)
{
    return {{.name = domain.name(), .type = "TXT", .value = "v=spf1 mx ~all"},
            {.name = "_dmarc." + domain.name(),
             .type = "TXT",
             .value = "v=DMARC1; p=none; rua=mailto:postmaster@" + domain.name()}};
}

}  // namespace dns
