// vimbadmin.cc - ViMbAdmin's tables.
//
// Quotas are in bytes. Each mailbox has an alias to itself. A mailbox's mail_location is written
// as for Dovecot: maildir:/srv/vmail/example.org/alice/mail:LAYOUT=fs.

#include <algorithm>

#include "base/strings.h"
#include "mailboxctl/systems/systems.h"

namespace systems {
namespace {

using source_tables::Row;
using source_tables::Tables;
using translation::Translation;
using Use = Translation::Use;

// Returns the path of a mail_location. With a root of our own, the part from the domain's folder on
// is taken below it.
std::string maildir_of(const Row& row, const std::string& root)
{
    constexpr std::string_view kStart = "maildir:";
    std::string_view path = row["maildir"];
    if (!path.starts_with(kStart)) return {};
    path.remove_prefix(kStart.size());
    path = path.substr(0, path.find(':'));
    if (root.empty()) return std::string{path};
    const auto& address = row["username"];
    const auto folder = "/" + address.substr(address.rfind('@') + 1) + "/";
    const auto at = path.find(folder);
    return at == std::string_view::npos ? std::string{path}
                                        : translation::path_below(root, "", path.substr(at));
}

// ALL, or a list of protocols such as IMAP,SMTP.
void restrict_access(const Row& row, import_row::Row& box, Translation& to)
{
    const auto& text = row["access_restriction"];
    const auto protocols = strings::words(strings::lower_case(text), ", ");
    const auto has = [&](std::string_view name) {
        return std::find(protocols.begin(), protocols.end(), name) != protocols.end();
    };
    if (protocols.empty() || has("all")) return;
    if (!has("imap") && !has("pop3")) {
        if (box.state == "active") box.state = "no_login";
        to.note("mailbox", "access_restriction without IMAP and POP3: becomes no_login",
                row["username"]);
    } else {
        to.note("mailbox", "access_restriction " + text + ": every protocol will be permitted",
                row["username"]);
    }
}

void mailboxes(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["mailbox"].rows()) {
        const auto& address = row["username"];
        if (row.is_set("delete_pending", false)) {
            to.note("mailbox", "delete_pending: left out, because it was to be deleted", address);
            continue;
        }
        auto* const box = to.mailbox("mailbox", address, row["created"]);
        if (box == nullptr) continue;
        box->hash = row["password"];
        box->quota = translation::quota_of(row["quota"], 1);
        if (to.settings().mail.is_wanted) box->maildir = maildir_of(row, to.settings().mail.root);
        if (!row.is_set("active", true)) {
            box->state = "disabled";
            to.note("mailbox", "inactive mailbox: becomes disabled", address);
        }
        restrict_access(row, *box, to);
        to.note_columns("mailbox", row,
                        {{"name", "not imported", {""}}, {"alt_email", "not imported", {""}}},
                        address);
    }
}

void translate(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["domain"].rows()) {
        const bool is_elsewhere =
            row.is_set("backupmx", false) || !translation::is_own_transport(row["transport"]);
        to.domain("domain", row["domain"],
                  is_elsewhere                 ? Use::elsewhere
                  : row.is_set("active", true) ? Use::on
                                               : Use::off);
        to.note_columns("domain", row,
                        {{"max_aliases", "the limit is not imported"},
                         {"max_mailboxes", "the limit is not imported"},
                         {"max_quota", "the limit is not imported"},
                         {"quota", "the quota of new mailboxes is not imported"},
                         {"description", "not imported", {"", row["domain"]}}},
                        row["domain"]);
    }
    mailboxes(tables, to);
    for (const auto& row : tables["alias"].rows())
        to.forward({"alias", row["address"], translation::addresses_of(row["goto"]),
                    row.is_set("active", true)});
    to.note_others(tables, {{"archive", "mail of removed mailboxes in archives: not imported"},
                            {"admin", "administrators: not imported"},
                            {"admin_domain", "administrators: not imported"},
                            {"log", "not imported"}});
}

}  // namespace

const System& vimbadmin()
{
    static const System system{.name = "vimbadmin",
                               .wanted = {{"domain",
                                           {"domain", "active"},
                                           {"description", "max_aliases", "max_mailboxes",
                                            "max_quota", "quota", "transport", "backupmx"}},
                                          {"mailbox",
                                           {"username", "password", "quota", "active"},
                                           {"name", "alt_email", "access_restriction", "homedir",
                                            "maildir", "delete_pending", "created"}},
                                          {"alias", {"address", "goto", "active"}}},
                               .translate = translate};
    return system;
}

}  // namespace systems
