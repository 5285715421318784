#include "mailboxctl/why_aliases.h"

#include <string>
#include <vector>

#include "base/strings.h"
#include "db/aliases.h"

namespace why {
namespace {

// Returns what is to be said of the targets that get nothing. Empty if there are none.
std::string lost_targets(Subject& subject, const alias::Alias& found)
{
    std::vector<std::string> deleted, outside;
    for (const auto& each : alias::targets(subject.connection, found.number)) {
        if (each.is_there) continue;
        (each.is_outside ? outside : deleted).push_back(each.address);
    }
    std::string lost;
    if (!deleted.empty()) {
        lost += "; " + strings::joined(deleted, ", ") + (deleted.size() == 1 ? " was" : " were")
                + " deleted, and what has the name now gets nothing";
    }
    if (!outside.empty()) {
        lost += "; nothing is sent to " + strings::joined(outside, ", ")
                + ", because the domain may not send to other servers any more (forward_outside)";
    }
    return lost;
}

void report(Subject& subject, const std::string& what, const std::string& address,
            const alias::Alias& found)
{
    const auto lost = lost_targets(subject, found);
    const auto recipients = alias::recipients(subject.connection, found.number);
    if (!recipients.empty()) {
        return subject.report.add("alias", lost.empty() ? Verdict::ok : Verdict::note,
                                  what + " leads to " + strings::joined(recipients, ", ") + lost);
    }
    const auto name = strings::for_shell(address);
    subject.report.add(
        "alias", Verdict::wrong, what + " leads nowhere" + lost + ": mail is refused (550)",
        "mailboxctl alias remove " + name + ", then mailboxctl alias add " + name + " TARGET");
    subject.report.close({Use::mail_in}, "no, the alias leads nowhere (550)");
}

constexpr char kIsSystemAddress[] = "SELECT mail_target(?, ?, 0) IS NOT NULL";

}  // namespace

bool check_aliases(Subject& subject, bool has_mailbox)
{
    auto& connection = subject.connection;
    const auto& local_part = subject.address.local_part();
    const auto& domain = subject.address.domain();
    if (const auto own = alias::find(connection, domain, local_part)) {
        report(subject, subject.address.text(), subject.address.text(), *own);
        return true;
    }
    if (has_mailbox) return false;
    if (connection.query(kIsSystemAddress, {local_part, domain}).only<bool>()) {
        subject.report.add("alias", Verdict::ok,
                           "nothing has this name, so its mail goes to postmaster@" + domain
                               + " (system_addresses of the domain)");
        return true;
    }
    const auto parsed = mailbox::Domain::parse(domain);
    const auto any = alias::match(connection, {}, local_part, parsed.value());
    if (!any) return false;
    report(subject, any->domain_id == 0 ? "the account's catch-all" : "the domain's catch-all",
           "@" + domain, *any);
    return true;
}

}  // namespace why
