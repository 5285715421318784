#include "mailboxctl/why.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "base/strings.h"
#include "db/accounts.h"
#include "db/audit.h"
#include "db/domain_names.h"
#include "db/lifecycle.h"
#include "mailboxctl/why_aliases.h"
#include "mailboxctl/why_services.h"
#include "mailboxctl/why_tables.h"

namespace why {
namespace {

using command::Call;
using strings::for_shell;

// Returns the result of `read`, which reads a table that an earlier release does not have; the
// empty result if the table is missing.
template <typename Read>
auto in_newer_table(Read read) -> decltype(read())
{
    constexpr int kNoSuchTable = 1146;
    try {
        return read();
    } catch (const db::Error& error) {
        if (error.number != kNoSuchTable) throw;
        return {};
    }
}

void report_missing_domain(Subject& subject)
{
    const auto entry =
        audit::latest(subject.connection, {"domain-remove", "domain-remove", "domain-remove"},
                      subject.address.domain(), "");
    const auto removed = in_newer_table(
        [&] { return admin::Admin{subject.connection}.removed_domains(subject.address.domain()); });
    const auto is_kept =
        !removed.empty()
        && removed.front().age < std::chrono::seconds{subject.call.config.deleted_for}.count();
    subject.report.add(
        "domain", Verdict::wrong,
        subject.address.domain()
            + (entry ? " was removed " + when_and_who(entry) : " is not one of our domains"),
        (is_kept ? "mailboxctl domain restore " + for_shell(subject.address.domain())
                       + " restores it with all mailboxes; for a new one: "
                 : std::string{})
            + "mailboxctl domain add " + for_shell(subject.address.domain()) + " --account NAME");
    subject.report.close({Use::mail_in, Use::login, Use::sending, Use::api},
                         "no, the domain does not exist");
    if (!life::deleted(subject.connection, subject.address).empty())
        check_deleted(subject, false, false);
}

void check_all(Subject& subject)
{
    check_address(subject);
    const auto owner = find_owner(subject.connection, subject.address.domain());
    if (!owner) return report_missing_domain(subject);
    subject.owner = *owner;
    check_state(subject, "account", subject.owner.account, subject.owner.account_state);
    check_state(subject, "domain", subject.address.domain(), subject.owner.domain_state);
    const auto mailbox = life::find(subject.connection, subject.address);
    const bool has_mailbox = mailbox.has_value();
    if (mailbox) check_state(subject, "mailbox", subject.address.text(), mailbox->state);
    const bool has_alias = in_newer_table([&] { return check_aliases(subject, has_mailbox); });
    const bool takes_mail = has_mailbox || has_alias;
    if (!mailbox) subject.report.close({Use::login, Use::sending}, "no, there is no mailbox");
    if (!takes_mail) subject.report.close({Use::mail_in}, "no, there is no mailbox");
    const auto state = in_newer_table(
        [&] { return life::suspended_without_mailbox(subject.connection, subject.address); });
    if (!mailbox && state) {
        const auto entry = audit::latest(subject.connection, {"suspend", "disable", "disable"},
                                         subject.address.domain(), subject.address.local_part());
        subject.report.add("name", Verdict::note,
                           "it is suspended (" + *state + ") since " + when_and_who(entry)
                               + ": a new mailbox of this name is suspended, too",
                           subject.advised("mailbox resume"));
    }
    check_deleted(subject, has_mailbox, takes_mail);
    check_allowance(subject, takes_mail);
    if (mailbox) {
        check_size(subject, *mailbox);
        subject.report.add("last used", Verdict::ok,
                           "login: " + admin::time_text(mailbox->last_login)
                               + ", delivery: " + admin::time_text(mailbox->last_delivery));
        check_password(subject, *mailbox);
    }
    check_postfix(subject, has_mailbox);
    check_dovecot(subject, mailbox);
    if (mailbox) check_sending(subject, *mailbox);
    check_keys(subject);
}

boost::program_options::options_description options()
{
    auto options = command::json_option();
    options.add_options()("password", "ask for a password and check it");
    command::add_password_option(options);
    return options;
}

int run(const Call& call)
{
    const auto& asked = call.arguments[0];
    const auto at_sign = std::min(asked.rfind('@'), asked.size());
    const auto address =
        call.address(asked.substr(0, std::min(asked.find('+'), at_sign)) + asked.substr(at_sign));
    db::Connection connection{call.config.ctl_db, call.config.ctl_db.password(), call.config};
    const auto domain =
        in_newer_table([&] { return domain_names::stands_for(connection, address.domain()); });
    Subject subject{.call = call,
                    .connection = connection,
                    .asked = asked,
                    .address = domain.empty() ? address
                                              : call.address(address.local_part() + "@" + domain)};
    check_all(subject);
    if (call.has("json")) subject.report.print_json(asked, address);
    else subject.report.print();
    return subject.report.is_ok() ? 0 : command::kFailed;
}

}  // namespace

command::Command command()
{
    return {
        "why",
        {"ADDRESS"},
        "explain why a mailbox gets no mail or no login, and what to do",
        "One line for each check: the states of account, domain and mailbox, deletion, limits, size, last use, password, what\n"
        "Postfix's tables say (mailboxctl runs their queries), what Dovecot says (setting doveadm), what was sent, keys. The\n"
        "last line says what works. WRONG prevents mail or logins, note does not, ? could not be checked.\n"
        "Exit status 0 if nothing is WRONG.",
        options,
        run,
        command::Prints::listing};
}

}  // namespace why
