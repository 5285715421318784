// postfixadmin.cc - PostfixAdmin's tables.
//
// Quotas are in bytes. Each mailbox has an alias to itself. A mailbox whose alias does not lead to
// itself gets no mail. The domain ALL stands for the rights of superadmins.

#include "base/strings.h"
#include "mailboxctl/systems/systems.h"

namespace systems {
namespace {

using source_tables::Row;
using source_tables::Tables;
using translation::Translation;
using Use = Translation::Use;

constexpr std::string_view kAll = "ALL";

// Courier's spellings, which PostfixAdmin has for the setting authlib.
std::string hash_of(const std::string& password)
{
    const auto lower = strings::lower_case(password);
    constexpr std::string_view kHex = "{md5raw}", kBase64 = "{md5}";
    if (lower.starts_with(kHex)) return "{PLAIN-MD5}" + password.substr(kHex.size());
    if (lower.starts_with(kBase64) && password.ends_with("=="))
        return "{LDAP-MD5}" + password.substr(kBase64.size());
    return password;
}

void domains(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["domain"].rows()) {
        if (row["domain"] == kAll) continue;
        const bool is_elsewhere =
            row.is_set("backupmx", false) || !translation::is_own_transport(row["transport"]);
        to.domain("domain", row["domain"],
                  is_elsewhere                 ? Use::elsewhere
                  : row.is_set("active", true) ? Use::on
                                               : Use::off);
        to.note_columns("domain", row,
                        {{"aliases", "the limit is not imported"},
                         {"mailboxes", "the limit is not imported"},
                         {"maxquota", "the limit is not imported"},
                         {"quota", "the limit is not imported"},
                         {"password_expiry", "not imported"},
                         {"description", "not imported", {"", row["domain"]}}},
                        row["domain"]);
    }
}

void mailboxes(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["mailbox"].rows()) {
        const auto& address = row["username"];
        if (row["domain"] == kAll) continue;
        auto* const box = to.mailbox("mailbox", address, row["created"]);
        if (box == nullptr) continue;
        box->hash = hash_of(row["password"]);
        box->quota = translation::quota_of(row["quota"], 1);
        if (to.settings().mail.is_wanted && !row["maildir"].empty())
            box->maildir = translation::path_below(to.settings().mail.root, "", row["maildir"]);
        if (!row.is_set("active", true)) {
            box->state = "disabled";
            to.note("mailbox", "inactive mailbox: becomes disabled", address);
        }
        if (!row.is_set("smtp_active", true))
            to.note("mailbox", "smtp_active: could not send over SMTP, but will be able to",
                    address);
        to.note_columns("mailbox", row,
                        {{"name", "not imported", {""}},
                         {"phone", "not imported", {""}},
                         {"email_other", "not imported", {""}},
                         {"totp_secret", "the second factor is not imported", {""}}},
                        address);
    }
}

void translate(const Tables& tables, Translation& to)
{
    domains(tables, to);
    mailboxes(tables, to);
    for (const auto& row : tables["alias"].rows()) {
        if (row["domain"] == kAll) continue;
        to.forward({"alias", row["address"], translation::addresses_of(row["goto"]),
                    row.is_set("active", true), row["description"]});
    }
    alias_domains(tables, to);
    to.note_others(tables, {{"vacation", "absence messages: not imported"},
                            {"vacation_notification", "who got an absence message: not imported"},
                            {"mailbox_app_password", "additional passwords: not imported"},
                            {"fetchmail", "mail that is fetched elsewhere: not imported"},
                            {"dkim", "DKIM keys: not imported"},
                            {"dkim_signing", "DKIM rules: not imported"},
                            {"admin", "administrators: not imported"},
                            {"domain_admins", "administrators: not imported"},
                            {"log", "not imported"},
                            {"config", "not needed"},
                            {"quota", "counted anew by Dovecot"},
                            {"quota2", "counted anew by Dovecot"}});
}

}  // namespace

const System& postfixadmin()
{
    static const System system{
        .name = "postfixadmin",
        .wanted = {{"domain",
                    {"domain", "active"},
                    {"aliases", "mailboxes", "maxquota", "quota", "transport", "backupmx",
                     "password_expiry", "description"}},
                   {"mailbox",
                    {"username", "password", "quota", "domain", "active"},
                    {"maildir", "created", "name", "phone", "email_other", "smtp_active",
                     "totp_secret"}},
                   {"alias", {"address", "goto", "domain", "active"}, {"description"}},
                   alias_domain_table()},
        .translate = translate,
        .has_absolute_paths = false};
    return system;
}

}  // namespace systems
