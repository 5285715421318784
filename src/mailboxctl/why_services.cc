#include "mailboxctl/why_services.h"

#include <unistd.h>

#include <chrono>
#include <string>

#include "base/strings.h"
#include "db/accounts.h"
#include "mailboxctl/send_limit.h"
#include "peers/dovecot.h"
#include "peers/postfix_lookups.h"

namespace why {

void check_postfix(Subject& subject, bool has_mailbox)
{
    const auto local_part = subject.asked.substr(0, subject.asked.rfind('@'));
    const auto key = strings::lower_case(local_part) + "@" + subject.address.domain();
    const auto name = postfix_lookups::find(subject.connection, "addresses", key);
    const auto access = postfix_lookups::find(subject.connection, "recipients", key);
    if (!name) {
        subject.report.add(
            "Postfix", has_mailbox ? Verdict::wrong : Verdict::note,
            "finds no such mailbox: RCPT is refused (550)",
            has_mailbox
                ? "its address looks like the internal name of another mailbox; give this mailbox another address"
                : "");
        subject.report.close({Use::mail_in}, "no, there is no mailbox (550)");
    } else if (access && (access->starts_with("450") || access->starts_with("552"))) {
        subject.report.add("Postfix", Verdict::note, "answers RCPT with " + *access);
        subject.report.close({Use::mail_in}, "no, " + *access);
    } else {
        subject.report.add(
            "Postfix", Verdict::ok,
            "accepts mail for it as " + *name
                + (access == "mailboxd_quota" ? " if Dovecot says that there is room" : ""));
    }
}

namespace {

constexpr char kByTheTables[] = "yes, according to the tables";

void report_unasked(Subject& subject, const std::string& reason)
{
    subject.report.add(
        "Dovecot", Verdict::unknown, "was not asked: " + reason,
        "run this as root; the settings doveadm and doveadm_key_file must match Dovecot's");
    subject.report.close({Use::login, Use::sending}, kByTheTables);
}

void ask_dovecot(Subject& subject, const std::optional<life::Mailbox>& mailbox)
{
    const dovecot::Client client{subject.call.config, std::chrono::seconds{5}};
    const bool knows = client.user(subject.address.ascii()).has_value();
    if (!mailbox)
        return subject.report.add("Dovecot", knows ? Verdict::note : Verdict::ok,
                                  knows ? "has a mailbox of this name that is not in our tables"
                                        : "knows no such user");
    const bool lets_in = knows && client.user(subject.login_name, "imap").has_value();
    if (!knows || (!lets_in && subject.is_active)) {
        subject.report.add(
            "Dovecot", Verdict::wrong,
            knows ? "knows it, but refuses logins" : "knows no such user",
            "check that its mailboxd-sql.conf.ext names this database, and read its log");
        subject.report.close({Use::login, Use::sending}, "no, Dovecot refuses the login");
    } else {
        subject.report.add("Dovecot", lets_in ? Verdict::ok : Verdict::note,
                           lets_in ? "knows it and accepts logins"
                                   : "knows it, and refuses logins while it is suspended");
    }
    std::int64_t count = 0;
    std::string open;
    for (const auto& session : client.sessions()) {
        if (!session.user.starts_with(mailbox->storage_id)) continue;
        open += (++count == 1 ? ": " : ", ") + session.service + " from " + session.address;
    }
    subject.report.add("sessions", Verdict::ok, std::to_string(count) + " open" + open);
}

}  // namespace

void check_dovecot(Subject& subject, const std::optional<life::Mailbox>& mailbox)
{
    if (subject.call.config.doveadm.empty()) {
        subject.report.add("Dovecot", Verdict::unknown,
                           "was not asked: the setting doveadm is missing");
        return subject.report.close({Use::login, Use::sending}, kByTheTables);
    }
    try {
        ask_dovecot(subject, mailbox);
    } catch (const dovecot::Unasked& reason) {
        report_unasked(subject, reason.what());
    } catch (const Config::Problems& reason) {
        report_unasked(subject, reason.what());  // its key file cannot be read
    } catch (const dovecot::Failed& error) {
        subject.report.add("Dovecot", Verdict::wrong, error.what(),
                           "check that it runs (systemctl status dovecot), and read its log");
        subject.report.close({Use::login, Use::sending}, "not known, Dovecot does not answer");
        subject.report.close({Use::mail_in}, "accepted, and queued until Dovecot answers");
    }
}

namespace {

// Tries the statements of counting as the database user of Postfix, which may lack a right. Skipped
// if this process cannot read that user's password. Counts nothing.
void check_counting(Subject& subject)
{
    const auto& user = subject.call.config.postfix_db;
    if (user.password_file.empty() || ::access(user.password_file.c_str(), R_OK) != 0) return;
    try {
        db::Connection connection{user, user.password(), subject.call.config};
        send_limit::try_to_count(connection);
    } catch (const db::Error& error) {
        subject.report.add("sending", Verdict::wrong,
                           std::string{"cannot be counted: "} + error.what(), "mailboxctl check");
        subject.report.close({Use::sending}, "no, it cannot be counted (451)");
    }
}

}  // namespace

void check_sending(Subject& subject, const life::Mailbox& mailbox)
{
    const auto limit = subject.call.config.send_limit;
    if (limit == 0) return subject.report.add("sent", Verdict::ok, "no limit (send_limit = 0)");
    for (const auto& count : send_limit::counts(subject.connection, mailbox.storage_id, limit)) {
        const auto whose = count.kind == "mailbox"
                               ? std::string{}
                               : ", by all mailboxes of the " + count.kind + " " + count.name;
        const auto says = share(count.recipients, count.limit) + " recipients in an hour" + whose;
        if (count.room() > 0) {
            if (count.kind == "mailbox" || count.recipients > 0)
                subject.report.add("sent", Verdict::ok, says);
            continue;
        }
        const auto end = admin::time_text(count.until);
        subject.report.add("sent", Verdict::wrong,
                           says + ": further ones are refused (450) until " + end,
                           "wait, or raise send_limit in mailboxd.conf");
        subject.report.close({Use::sending}, "no, not before " + end + " (450)");
    }
    check_counting(subject);
}

}  // namespace why
