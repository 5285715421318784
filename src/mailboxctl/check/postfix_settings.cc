#include "mailboxctl/check/postfix_settings.h"

#include <algorithm>
#include <regex>
#include <sstream>
#include <tuple>
#include <vector>

#include "base/strings.h"

namespace check {
namespace {

using strings::lower_case;

// Returns the words of a setting, in lower case.
std::vector<std::string> words(const std::string& text)
{
    return strings::words(lower_case(text), ",: \t\r\n");
}

bool has(const std::string& text, std::string_view word)
{
    const auto all = words(text);
    return std::find(all.begin(), all.end(), word) != all.end();
}

// True if a version such as `3.9.1` is older than major.minor; `3.10.2` is not older than 3.10.
bool is_older(const std::string& version, int major, int minor)
{
    std::istringstream stream{version};
    int its_major = 0, its_minor = 0;
    char dot = 0;
    stream >> its_major >> dot >> its_minor;
    return std::tie(its_major, its_minor) < std::tie(major, minor);
}

// Understands both notations of smtpd_tls_protocols: `>=TLSv1.2` and lists such as `!TLSv1`.
bool refuses_old_tls(const std::string& protocols)
{
    const auto text = lower_case(protocols);
    if (const auto at = text.find(">="); at != std::string::npos)
        return text.find("tlsv1.2", at) != std::string::npos
               || text.find("tlsv1.3", at) != std::string::npos;
    return (has(text, "!tlsv1") && has(text, "!tlsv1.1"))
           || (text.find('!') == std::string::npos && !text.empty() && !has(text, "tlsv1")
               && !has(text, "tlsv1.1"));
}

// One smtpd service of master.cf, with its settings.
class Service {
public:
    Service(const postconf::Postfix& postfix, std::string name)
        : postfix_{postfix}, name_{std::move(name)}
    {
    }
    std::string setting(const std::string& name) const { return postfix_.setting_of(name_, name); }
    // Returns the command that changes a setting: in master.cf if it is set there, otherwise in
    // main.cf.
    std::string command(const std::string& name, const std::string& value) const
    {
        const auto short_value =
            std::regex_replace(value, std::regex{", *"}, ",");  // postconf -P takes no blanks
        if (postfix_.is_own_setting(name_, name))
            return "postconf -P '" + name_ + "/" + name + "=" + short_value + "'";
        return "postconf -e '" + name + " = " + value + "'";
    }
    const std::string& name() const { return name_; }

private:
    const postconf::Postfix& postfix_;
    std::string name_;
};

Result judge_end_of_data(const Service& service, const std::string& version)
{
    const auto forbids = lower_case(service.setting("smtpd_forbid_bare_newline"));
    if (forbids.empty()) {
        return wrong(
            service.name()
            + " lets a message carry a second one with a forged sender (CVE-2023-51764), and Postfix "
            + version + " has no setting against it: update Postfix");
    }
    if (forbids != "normalize" && forbids != "yes" && forbids != "reject") {
        return wrong(service.name()
                     + " lets a message carry a second one with a forged sender (CVE-2023-51764): "
                     + service.command("smtpd_forbid_bare_newline", "normalize"));
    }
    if (!service.setting("smtpd_forbid_bare_newline_exclusions").empty()) {
        return note(
            service.name()
            + " lets clients of smtpd_forbid_bare_newline_exclusions hide a second message in one: "
            + service.command("smtpd_forbid_bare_newline_exclusions", ""));
    }
    constexpr int kMajor = 3, kMinor = 10;
    const auto discarded = service.setting("smtpd_discard_ehlo_keywords");
    if (is_older(version, kMajor, kMinor) && !has(discarded, "chunking")) {
        return wrong(service.name() + " offers BDAT, which has faults before Postfix 3.10: "
                     + service.command("smtpd_discard_ehlo_keywords",
                                       (discarded.empty() ? "" : discarded + ", ")
                                           + "chunking, silent-discard"));
    }
    return {};
}

Result judge_login(const Service& service)
{
    if (lower_case(service.setting("smtpd_sasl_auth_enable")) != "yes") return {};
    const bool is_mandatory =
        lower_case(service.setting("smtpd_tls_wrappermode")) == "yes"
        || lower_case(service.setting("smtpd_tls_security_level")) == "encrypt";
    const std::string kind = is_mandatory ? "smtpd_tls_mandatory_" : "smtpd_tls_";
    if (!refuses_old_tls(service.setting(kind + "protocols"))) {
        return wrong(service.name() + " accepts passwords over TLS older than 1.2: "
                     + service.command(kind + "protocols", ">=TLSv1.2"));
    }
    const auto excluded = service.setting(kind + "exclude_ciphers") + " "
                          + service.setting("smtpd_tls_exclude_ciphers");
    if (!has(excluded, "anull")) {
        return wrong(service.name() + " accepts passwords over ciphers without a certificate: "
                     + service.command(kind + "exclude_ciphers", "aNULL, MD5, RC4, 3DES"));
    }
    return {};
}

// For services where users log in: whose address they may send from, and whether a session may go
// on sending after its login was revoked.
Result judge_senders(const Service& service)
{
    if (lower_case(service.setting("smtpd_sasl_auth_enable")) != "yes") return {};
    const auto restrictions = service.setting("smtpd_sender_restrictions") + " "
                              + service.setting("smtpd_recipient_restrictions");
    const auto names = [&](const char* what) {
        return restrictions.find(what) != std::string::npos;
    };
    const std::string remedy =
        ": the guide's page \"Mail servers\" has the commands for a submission service of your own";
    if (!names("mailboxd-own.regexp") && !names("reject_sender_login_mismatch")
        && !names("reject_authenticated_sender_login_mismatch")) {
        return wrong(service.name() + " lets every login send with any sender address" + remedy);
    }
    if (!names("mailboxd-logins.cf"))
        return wrong(service.name()
                     + " lets a session send that began before a new password or a suspension"
                     + remedy);
    return {};
}

// What the protection of our own port does for us, this one does for the servers that we send to.
Result judge_line_ends(const postconf::Postfix& postfix)
{
    for (const std::string service : {"cleanup/unix", "mailboxd-bounces/unix"}) {
        if (lower_case(postfix.setting_of(service, "cleanup_replace_stray_cr_lf")) != "no")
            continue;
        return note(
            service
            + " leaves <CR> and <LF> that end no line in a message, so it can carry a second one to other servers"
              " (CVE-2023-51764): "
            + Service{postfix, service}.command("cleanup_replace_stray_cr_lf", "yes"));
    }
    return {};
}

Result judge_reports(const postconf::Postfix& postfix)
{
    for (const std::string service : {"bounce/unix", "defer/unix", "trace/unix"}) {
        if (postfix.setting_of(service, "cleanup_service_name") == "mailboxd-bounces") continue;
        return note(service + " shows senders the internal names of mailboxes: postconf -P "
                    + service + "/cleanup_service_name=mailboxd-bounces " + service
                    + "/internal_mail_filter_classes=bounce");
    }
    return {};
}

}  // namespace

Result judge_postfix(const postconf::Postfix& postfix, const std::set<std::string>& domains)
{
    const auto version = postfix.setting("mail_version").text;
    std::set<std::string> names;
    Result worst;
    const auto add = [&](const Result& found) {
        if (worst.verdict == Verdict::ok
            || (found.verdict == Verdict::wrong && worst.verdict != Verdict::wrong))
            worst = found;
    };
    for (const auto& service : postfix.services()) {
        if (!names.insert(service.name).second) {
            add(wrong("master.cf has two entries " + service.name
                      + ", of which only the last one is used: remove one of them"));
        }
    }
    for (const auto& each : postfix.services()) {
        if (each.program != "smtpd") continue;
        const Service service{postfix, each.name};
        add(judge_end_of_data(service, version));
        add(judge_login(service));
        add(judge_senders(service));
    }
    add(judge_line_ends(postfix));
    add(judge_reports(postfix));
    for (const auto& word : words(postfix.setting("mydestination").text)) {
        if (domains.contains(word)) {
            add(wrong(
                "mydestination has " + word
                + ", a domain of ours, so its mail does not reach the mailboxes: remove it from mydestination, or give the"
                  " server (myhostname) another name"));
        }
    }
    return worst;
}

}  // namespace check
