#include "mailboxctl/why_tables.h"

#include <chrono>
#include <ctime>
#include <optional>

#include "base/strings.h"
#include "db/accounts.h"
#include "db/audit.h"
#include "mail/password.h"
#include "mail/password_scheme.h"

namespace why {

using strings::for_shell;

void check_address(Subject& subject)
{
    if (subject.asked == subject.address.text()) {
        subject.report.add("address", Verdict::ok, subject.asked);
    } else if (subject.asked.find('+') != std::string::npos) {
        subject.report.add("address", Verdict::note,
                           "mail to " + subject.asked + " is that of " + subject.address.text()
                               + "; nobody can log in with an address that has a +");
    } else if (!strings::equals_ignoring_case(subject.asked, subject.address.text())) {
        subject.report.add("address", Verdict::note,
                           subject.asked + " is " + subject.address.text()
                               + ": it has an alias domain");
    } else {
        subject.report.add("address", Verdict::note,
                           subject.asked + " is " + subject.address.text()
                               + ": upper and lower case are the same");
    }
}

namespace {

// Returns when the present mailbox was changed like that. The address may have had another mailbox
// before; audit entries about that one are not about this one.
std::string since(Subject& subject, const audit::Actions& actions)
{
    const auto begin = audit::latest(subject.connection, {"create", "restore", "restore"},
                                     subject.address.domain(), subject.address.local_part());
    const auto entry = audit::latest(subject.connection, actions, subject.address.domain(),
                                     subject.address.local_part());
    if (!begin || (entry && entry->at >= begin->at)) return when_and_who(entry);
    // A suspension stays with the name.
    if (entry && (entry->action == "suspend" || entry->action == "disable")) {
        return when_and_who(entry)
               + " (the suspension stayed with the name when the mailbox was deleted)";
    }
    return begin->action == "restore" ? "before it was restored " + when_and_who(begin)
                                      : when_and_who(std::nullopt);
}

}  // namespace

void check_state(Subject& subject, const char* level, const std::string& name,
                 const std::string& state)
{
    const bool is_account = level == std::string_view{"account"};
    const bool is_mailbox = level == std::string_view{"mailbox"};
    const std::string prefix = is_mailbox ? "" : std::string{level} + "-";
    if (state == mailbox::text(mailbox::State::active)) {
        subject.report.add(level, Verdict::ok, name + " is active");
        return;
    }
    subject.is_active = false;
    const std::string suspend = prefix + "suspend", disable = prefix + "disable",
                      resume = prefix + "resume";
    const audit::Actions actions{suspend, disable, resume};
    const auto when = is_mailbox
                          ? since(subject, actions)
                          : when_and_who(audit::latest(subject.connection, actions,
                                                       is_account ? "" : subject.address.domain(),
                                                       is_account ? name : ""));
    const bool is_disabled = state == mailbox::text(mailbox::State::disabled);
    subject.report.add(
        level, Verdict::wrong,
        name + " is suspended since " + when + ": nobody can log in"
            + (is_disabled ? ", and mail is deferred (450)" : "; mail still arrives"),
        "mailboxctl " + std::string{level} + " resume " + for_shell(name));
    const auto reason = "no, the " + std::string{level} + " is suspended";
    subject.report.close({Use::login, Use::sending}, reason);
    if (is_disabled) subject.report.close({Use::mail_in}, reason + " (450)");
    if (is_account) subject.report.close({Use::api}, reason + " (403)");
    else if (!is_mailbox)
        subject.report.close({Use::api}, "lists only, the domain is suspended (403)");
}

namespace {

// If the mailbox belonged to a former domain of the name, that domain may have been another
// customer's. The present owner of the domain must not get that mail.
void report_deleted(Subject& subject, const life::Deleted& last, bool has_mailbox, bool takes_mail,
                    bool is_of_former)
{
    const bool is_in_the_way = !takes_mail && !is_of_former;
    const auto verdict = is_in_the_way ? Verdict::wrong : Verdict::note;
    auto says = (is_in_the_way ? "deleted " : "an earlier mailbox of this name was deleted ")
                + admin::time_text(last.deleted_at) + " " + by(last.deleted_by) + ", with "
                + std::to_string(last.size_bytes) + " bytes";
    if (is_of_former) {
        says +=
            ", before the domain was removed and added again; the domain now belongs to the account "
            + subject.owner.account;
    }
    const auto until =
        last.deleted_at + std::chrono::seconds{subject.call.config.deleted_for}.count();
    if (last.is_purged || until <= std::time(nullptr)) {
        return subject.report.add("deleted", verdict, says + "; it can no longer be restored",
                                  is_in_the_way ? subject.advised("mailbox add") : "");
    }
    const auto restore = subject.advised("mailbox restore") + (has_mailbox ? " --as NAME" : "");
    says += "; it can be restored until " + admin::time_text(until);
    if (is_of_former)
        subject.report.add("deleted", verdict, says,
                           "only if the mail belongs to that account: " + restore
                               + " --of-removed-domain");
    else if (subject.has_domain()) subject.report.add("deleted", verdict, says, restore);
    else
        subject.report.add(
            "deleted", verdict,
            says + " once the removed domain exists again and belongs to the same customer",
            restore + " --of-removed-domain");
}

}  // namespace

// Reports a deleted mailbox of the address, also if it has a mailbox now: the mail of the old one
// is not in the new one.
void check_deleted(Subject& subject, bool has_mailbox, bool takes_mail)
{
    const auto add = subject.advised("mailbox add");
    const auto deleted = life::deleted(subject.connection, subject.address);
    const bool is_of_former = !deleted.empty() && subject.has_domain()
                              && deleted.front().domain_id != subject.owner.domain_id;
    if (!deleted.empty())
        report_deleted(subject, deleted.front(), has_mailbox, takes_mail, is_of_former);
    if (takes_mail || (!deleted.empty() && !is_of_former)) return;
    const auto entry = audit::latest(subject.connection, {"delete", "delete", "delete"},
                                     subject.address.domain(), subject.address.local_part());
    if (is_of_former) subject.report.add("mailbox", Verdict::wrong, "there is none", add);
    else if (entry)
        subject.report.add("deleted", Verdict::wrong,
                           "deleted " + when_and_who(entry) + "; its mail is removed", add);
    else
        subject.report.add("mailbox", Verdict::wrong, "there is none, and no earlier one is known",
                           add);
}

void check_allowance(Subject& subject, bool takes_mail)
{
    const auto check = [&](const char* level, const std::string& name, std::int64_t count,
                           std::optional<std::int64_t> limit) {
        const auto says = std::string{level} + " has " + share(count, limit);
        if (!limit || count < *limit) return subject.report.add("allowance", Verdict::ok, says);
        subject.report.add("allowance", takes_mail ? Verdict::note : Verdict::wrong,
                           says + ": no mailbox can be added (409)",
                           "mailboxctl " + std::string{level} + " set " + for_shell(name)
                               + " max_mailboxes=NUMBER");
    };
    check("domain", subject.address.domain(), subject.owner.domain_mailboxes,
          subject.owner.domain_allowance);
    check("account", subject.owner.account, subject.owner.account_mailboxes,
          subject.owner.account_allowance);
}

void check_size(Subject& subject, const life::Mailbox& mailbox)
{
    constexpr std::int64_t kNearly = 10;  // less than a tenth is left
    const auto limit = mailbox.quota_bytes ? mailbox.quota_bytes : subject.owner.quota_bytes;
    const auto size = mailbox.size_bytes;
    if (!limit || *limit == 0)
        return subject.report.add("size", Verdict::ok, std::to_string(size) + " bytes, no quota");
    const auto says = share(size, limit) + " bytes, by "
                      + (mailbox.quota_bytes ? "its own quota" : "the domain's quota");
    const auto advice = subject.advised("mailbox quota") + " SIZE";
    if (size >= *limit) {
        subject.report.add(
            "size", Verdict::wrong,
            says + ": it is full, and mail is refused (552) until messages are deleted", advice);
        subject.report.close({Use::mail_in}, "no, the mailbox is full (552)");
    } else if (*limit - size < *limit / kNearly) {
        subject.report.add("size", Verdict::note,
                           says + ": a message larger than what is left is refused (552)", advice);
    } else {
        subject.report.add("size", Verdict::ok, says);
    }
}

namespace {

constexpr char kSecret[] =
    "SELECT CONCAT(storage_id, '.', generation), password FROM mailbox WHERE storage_id = ?";

// Reports a hash that mailboxd has not made. Dovecot decides whether it can verify it.
void check_scheme(Subject& subject, const std::string& hash)
{
    using password_scheme::Strength;
    const auto scheme = password_scheme::of(hash);
    const std::string replaced = "; mailboxctl rehash, if it runs, replaces it at the next login";
    switch (password_scheme::strength(scheme)) {
    case Strength::current: return;
    case Strength::old:
        return subject.report.add("password hash", Verdict::ok, "an old one, " + scheme + replaced);
    case Strength::weak:
        return subject.report.add("password hash", Verdict::note,
                                  "a weak one, " + scheme
                                      + ": Dovecot 2.4 refuses the login unless"
                                        " auth_allow_weak_schemes = yes"
                                      + replaced,
                                  subject.advised("mailbox passwd"));
    case Strength::unknown: break;
    }
    if (scheme.empty()) {
        return subject.report.add(
            "password hash", Verdict::note,
            "it has no {SCHEME} in front, so Dovecot takes its default scheme",
            subject.advised("mailbox passwd"));
    }
    subject.report.add("password hash", Verdict::wrong,
                       "Dovecot does not know its scheme, " + scheme,
                       subject.advised("mailbox passwd"));
    subject.report.close({Use::login, Use::sending}, "no, Dovecot cannot verify the password");
}

}  // namespace

void check_password(Subject& subject, const life::Mailbox& mailbox)
{
    auto rows = subject.connection.query(kSecret, {mailbox.storage_id});
    if (!rows.next()) return;  // deleted in the meantime
    const auto [name, hash] = rows.read<std::string, std::string>();
    subject.login_name = name + "@" + subject.address.domain();
    subject.report.add("password", Verdict::ok,
                       "the last one was set "
                           + since(subject, {"create", "password", "password"}));
    check_scheme(subject, hash);
    if (!subject.call.has("password") && !subject.call.has("password-file")) return;
    const auto typed = command::read_password(subject.call, command::Ask::once,
                                              "Password of " + subject.address.text());
    const auto is_right = password::verify(typed.text(), hash);
    const auto passwd = subject.advised("mailbox passwd");
    if (!is_right) {
        subject.report.add(
            "password given", Verdict::unknown,
            "cannot be compared: the scheme of the stored hash is not {ARGON2ID}, or memory is short");
    } else if (*is_right) {
        subject.report.add("password given", Verdict::ok, "is right");
    } else {
        subject.report.add("password given", Verdict::wrong, "is wrong", passwd);
        subject.report.close({Use::login, Use::sending}, "no, not with this password");
    }
}

void check_keys(Subject& subject)
{
    if (subject.owner.keys > 0)
        return subject.report.add("API keys", Verdict::ok,
                                  std::to_string(subject.owner.keys) + " valid for the domain");
    subject.report.add("API keys", Verdict::note, "none is valid for the domain",
                       "mailboxctl key add --account " + for_shell(subject.owner.account));
    subject.report.close({Use::api}, "no, there is no key (401)");
}

}  // namespace why
