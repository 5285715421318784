#include "mailboxctl/setup/closing.h"

#include "mail/address.h"
#include "mail/dns_records.h"

namespace setup {

std::vector<std::string> dns_records(const Options& options)
{
    const auto& host = options.host;
    std::vector<std::string> lines{
        host + ". IN A (the address of this machine; AAAA if it has IPv6)",
        "(the address of this machine, reversed) IN PTR " + host + ".",
        host + ". IN TXT \"v=spf1 a -all\""};
    const auto domain = mailbox::Domain::parse(options.domain);
    if (!domain) return lines;
    lines.push_back(domain->name() + ". IN MX 10 " + host + ".");
    lines.push_back(domain->name() + ". IN TXT \"v=spf1 mx -all\"");
    lines.push_back("_dmarc." + domain->name()
                    + ". IN TXT \"v=DMARC1; p=none; rua=mailto:postmaster@" + domain->name()
                    + "\"");
    lines.push_back("(DKIM: a milter of your Postfix signs mail; its manual has the record)");
    return lines;
}

std::vector<std::string> lines_to_paste(const Options& options, const std::string& certificate)
{
    const auto& host = options.host;
    const auto& domain = options.domain;
    if (domain.empty()) return {};
    const auto trust = certificate.empty() ? std::string{} : "--cacert " + certificate + " ";
    return {"curl " + trust + "-u \"api:$KEY\" https://" + host + "/v3/" + domain
                + "/mailboxes -d mailbox=alice -d password='correct horse battery'",
            "printf 'Subject: Hello\\n\\nIt works.\\n' | sendmail -f '<>' alice@" + domain,
            "curl " + trust + "--retry 9 --retry-delay 1 --retry-all-errors -u 'alice@" + domain
                + ":correct horse battery' 'imaps://" + host + "/INBOX;MAILINDEX=1'"};
}

}  // namespace setup
