#include "mailboxctl/check/forwarding.h"

#include <unistd.h>

#include <string>

#include "peers/postconf.h"

namespace check {
namespace {

constexpr char kPermitted[] =
    "SELECT name FROM domain WHERE forward_outside = 1 ORDER BY name LIMIT 1";
// For names that nobody has (RFC 2606).
constexpr char kSender[] = "mailboxd-check@example.net";

Result not_set_up(const std::string& domain, const std::string& what)
{
    return wrong(
        "aliases of " + domain + " may send to other servers, but " + what
        + ": the guide's page \"Mail servers\" has the commands, under \"Aliases that lead to"
          " other servers\"");
}

Result unanswered(const std::string& table, const std::string& text)
{
    if (::geteuid() != 0) return unknown(table + ": " + text + ": run this as root");
    return wrong(table + " does not answer (" + text
                 + "), so mail of aliases to other servers waits: systemctl status postsrsd");
}

}  // namespace

Result forwarding(const Config& config, DatabaseUser& ctl)
{
    const auto domain = ctl.connection().query(kPermitted).first<std::string>();
    if (!domain) return ok();
    if (config.postfix.empty()) return unknown("skipped: the setting postfix is missing");
    const postconf::Postfix postfix{config.postfix};
    const auto senders = postfix.setting_of("mailboxd-srs/unix", "sender_canonical_maps");
    if (senders.empty()) return not_set_up(*domain, "master.cf has no service mailboxd-srs");
    const auto returns = postfix.setting("mailboxd_returns").text;
    const auto used = postfix.setting("virtual_alias_maps").text;
    if (returns.empty() || used.find(returns) == std::string::npos)
        return not_set_up(*domain, "virtual_alias_maps has no $mailboxd_returns");
    const auto classes = postfix.setting("smtpd_restriction_classes").text;
    if (classes.find("mailboxd_returned") == std::string::npos)
        return not_set_up(*domain, "smtpd_restriction_classes has no mailboxd_returned");
    const auto rewritten = postfix.look_up(kSender, senders);
    // A warning of postmap, for example about a refused connection, may precede the answer.
    if (!rewritten.is_well || rewritten.text.find(' ') != std::string::npos)
        return unanswered(senders, rewritten.text);
    const auto original = postfix.look_up(rewritten.text, returns);
    if (original.is_well && original.text == kSender) return ok();
    if (!original.text.empty()) return unanswered(returns, original.text);
    return wrong(
        "bounces to " + rewritten.text
        + " find no original sender: SRS_DOMAIN must be the same in /etc/default/postsrsd and in the"
          " files of sql/postfix (mailboxd-returns.regexp)");
}

}  // namespace check
