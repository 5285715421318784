// iredmail.cc - iRedMail's tables (vmail).
//
// Quotas are in MiB. The table forwardings says where every address leads: a mailbox has a row to
// itself, without which it gets no mail; is_alias rows are further addresses of a mailbox, is_list
// rows the members of an alias, and is_maillist rows mailing lists of another program.

#include <array>
#include <ctime>
#include <set>

#include "base/strings.h"
#include "mailboxctl/systems/systems.h"

namespace systems {
namespace {

using source_tables::Row;
using source_tables::Tables;
using source_tables::Wanted;
using translation::Translation;
using Use = Translation::Use;

constexpr std::int64_t kMiB = 1024 * 1024;

// Dates of this form are in the order of their texts.
std::string text_of(std::int64_t seconds)
{
    std::tm parts{};
    const auto time = static_cast<std::time_t>(seconds);
    ::gmtime_r(&time, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
    return text.data();
}

// 9999-12-31 is never; 0000-00-00 is no date.
bool has_expired(const Row& row, const Translation& to)
{
    const auto& date = row["expired"];
    return !date.empty() && !date.starts_with("0000-") && date < text_of(to.settings().now);
}

void domains(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["domain"].rows()) {
        const bool is_elsewhere =
            row.is_set("backupmx", false) || !translation::is_own_transport(row["transport"]);
        const bool is_on = row.is_set("active", true) && !has_expired(row, to);
        to.domain("domain", row["domain"],
                  is_elsewhere ? Use::elsewhere
                  : is_on      ? Use::on
                               : Use::off);
        to.note_columns("domain", row,
                        {{"aliases", "the limit is not imported"},
                         {"mailboxes", "the limit is not imported"},
                         {"maillists", "the limit is not imported"},
                         {"maxquota", "the limit is not imported"},
                         {"quota", "the limit is not imported"},
                         {"disclaimer", "not imported", {""}},
                         {"settings", "not imported", {""}},
                         {"description", "not imported", {"", row["domain"]}}},
                        row["domain"]);
    }
}

std::string maildir_of(const Row& row, const Translation& to)
{
    if (!to.settings().mail.is_wanted || row["maildir"].empty()) return {};
    const auto& folder = row["mailboxfolder"];
    const auto home = strings::lower_case(row["storagenode"] + "/" + row["maildir"]);
    return translation::path_below(to.settings().mail.root, row["storagebasedirectory"], home) + "/"
           + (folder.empty() ? "Maildir" : folder);
}

void services(const Row& row, import_row::Row& box, Translation& to)
{
    const auto& address = row["username"];
    const bool has_imap = row.is_set("enableimap", true), has_pop3 = row.is_set("enablepop3", true);
    if (!has_imap && !has_pop3) {
        if (box.state == "active") box.state = "no_login";
        to.note("mailbox", "enableimap and enablepop3 are 0: becomes no_login", address);
    }
    static constexpr std::array<std::string_view, 8> kServices{
        "enableimap", "enablepop3", "enablesmtp",        "enabledeliver",
        "enablelda",  "enablelmtp", "enablemanagesieve", "enablesogo"};
    for (const auto service : kServices) {
        const bool is_login = service == "enableimap" || service == "enablepop3";
        if (!row.is_set(service, true) && (!is_login || has_imap || has_pop3))
            to.note("mailbox", std::string{service} + " was 0: the service cannot be off here",
                    address);
    }
}

void mailboxes(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["mailbox"].rows()) {
        const auto& address = row["username"];
        if (!translation::is_own_transport(row["transport"])) {
            to.note("mailbox", "left out: its transport leads to another server", address);
            continue;
        }
        auto* const box = to.mailbox("mailbox", address, row["created"]);
        if (box == nullptr) continue;
        box->hash = row["password"];
        box->quota = translation::quota_of(row["quota"], kMiB);
        if (row["mailboxformat"].empty() || row["mailboxformat"] == "maildir")
            box->maildir = maildir_of(row, to);
        else
            to.note("mailbox",
                    "its mail is no Maildir but " + row["mailboxformat"]
                        + ": mailboxctl pull fetches it over IMAP",
                    address);
        if (!row.is_set("active", true) || has_expired(row, to)) {
            box->state = "disabled";
            to.note("mailbox", "inactive or expired mailbox: becomes disabled", address);
        }
        services(row, *box, to);
        to.note_columns("mailbox", row,
                        {{"name", "not imported", {""}},
                         {"department", "not imported", {""}},
                         {"rank", "not imported", {"", "normal"}},
                         {"employeeid", "not imported", {""}},
                         {"allow_nets", "logins will be permitted from everywhere", {""}},
                         {"settings", "not imported", {""}},
                         {"isadmin", "an administrator's rights are not imported"},
                         {"isglobaladmin", "an administrator's rights are not imported"}},
                        address);
    }
}

// Returns the addresses that have an active row to themselves.
std::set<std::string> forwardings(const Tables& tables, Translation& to)
{
    std::set<std::string> to_themselves;
    for (const auto& row : tables["forwardings"].rows()) {
        auto address = strings::lower_case(row["address"]);
        if (address.find('@') == std::string::npos) address.insert(0, "@");  // a catch-all
        if (row.is_set("is_maillist", false)) {
            to.note("forwardings", "a mailing list of another program: left out", address);
            continue;
        }
        const auto target = strings::lower_case(row["forwarding"]);
        if (target == address && row.is_set("active", true)) to_themselves.insert(address);
        to.forward({"forwardings", address, translation::addresses_of(target),
                    row.is_set("active", true)});
    }
    return to_themselves;
}

void translate(const Tables& tables, Translation& to)
{
    domains(tables, to);
    mailboxes(tables, to);
    const auto to_themselves = forwardings(tables, to);
    for (const auto& row : tables["mailbox"].rows()) {
        if (!to_themselves.contains(strings::lower_case(row["username"]))
            && row.is_set("active", true))
            to.note("forwardings",
                    "a mailbox without a row to itself got no mail: it will, unless an alias leads "
                    "elsewhere",
                    row["username"]);
    }
    for (const auto& row : tables["alias"].rows())
        to.note_columns("alias", row,
                        {{"name", "not imported", {""}},
                         {"accesspolicy", "everyone will be able to send to it", {"", "public"}}},
                        row["address"]);
    alias_domains(tables, to);
    to.note_others(tables, {{"deleted_mailboxes",
                             "removed mailboxes whose mail may still lie there: not imported"},
                            {"share_folder", "shared folders: not imported"},
                            {"anyone_shares", "shared folders: not imported"},
                            {"sender_bcc_domain", "copies to other addresses: not imported"},
                            {"sender_bcc_user", "copies to other addresses: not imported"},
                            {"recipient_bcc_domain", "copies to other addresses: not imported"},
                            {"recipient_bcc_user", "copies to other addresses: not imported"},
                            {"sender_relayhost", "other servers to send by: not imported"},
                            {"maillists", "mailing lists of another program: not imported"},
                            {"maillist_owners", "mailing lists of another program: not imported"},
                            {"moderators", "moderators of aliases: not imported"},
                            {"admin", "administrators: not imported"},
                            {"domain_admins", "administrators: not imported"},
                            {"last_login", "not imported"},
                            {"used_quota", "counted anew by Dovecot"}});
}

}  // namespace

const System& iredmail()
{
    static const System system{
        .name = "iredmail",
        .wanted = {{"domain",
                    {"domain", "active"},
                    {"description", "disclaimer", "aliases", "mailboxes", "maillists", "maxquota",
                     "quota", "transport", "backupmx", "settings", "expired"}},
                   {"mailbox",
                    {"username", "password", "quota", "active", "maildir"},
                    {"name",        "mailboxformat",     "mailboxfolder", "storagebasedirectory",
                     "storagenode", "transport",         "department",    "rank",
                     "employeeid",  "isadmin",           "isglobaladmin", "enableimap",
                     "enablepop3",  "enablesmtp",        "enabledeliver", "enablelda",
                     "enablelmtp",  "enablemanagesieve", "enablesogo",    "allow_nets",
                     "settings",    "created",           "expired"}},
                   {"forwardings",
                    {"address", "forwarding", "active"},
                    {"is_maillist", "is_list", "is_forwarding", "is_alias"}},
                   {"alias", {"address"}, {"name", "accesspolicy"}, Wanted::Presence::may_be},
                   alias_domain_table()},
        .translate = translate};
    return system;
}

}  // namespace systems
