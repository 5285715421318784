// mailcow.cc - mailcow's tables.
//
// Quotas are in bytes. `active` of a mailbox is 1, 0, or 2: it gets mail, but nobody logs in. A
// mailbox of a kind is a room or a device of its calendar. Users of LDAP, Keycloak and the like
// have a hash that no password fits.

#include "base/json.h"
#include "base/strings.h"
#include "mailboxctl/systems/systems.h"

namespace systems {
namespace {

using source_tables::Row;
using source_tables::Tables;
using translation::Translation;
using Use = Translation::Use;

void domains(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["domain"].rows()) {
        to.domain("domain", row["domain"],
                  row.is_set("backupmx", false) ? Use::elsewhere
                  : row.is_set("active", true)  ? Use::on
                                                : Use::off);
        to.note_columns("domain", row,
                        {{"aliases", "the limit is not imported"},
                         {"mailboxes", "the limit is not imported"},
                         {"defquota", "the quota of new mailboxes is not imported"},
                         {"maxquota", "the limit is not imported"},
                         {"quota", "the limit is not imported"},
                         {"relayhost", "not imported"},
                         {"relay_all_recipients", "not imported"},
                         {"relay_unknown_only", "not imported"},
                         {"description", "not imported", {"", row["domain"]}}},
                        row["domain"]);
    }
}

// The switches of a mailbox, which are JSON in one column.
void attributes(const Row& row, import_row::Row& box, Translation& to)
{
    const auto& address = row["username"];
    const auto parsed = json::parse(row["attributes"]);
    if (!parsed) return;
    bool has_imap = true, has_pop3 = true;
    for (const auto& [name, value] : parsed->members) {
        const bool is_off = value.text == "0" || value.text == "false";
        if (name == "imap_access" && is_off) has_imap = false;
        else if (name == "pop3_access" && is_off) has_pop3 = false;
        else if (name.ends_with("_access") && is_off)
            to.note("mailbox", name + " was off: it cannot be here", address);
        else if (name == "force_pw_update" && !is_off)
            to.note("mailbox", "force_pw_update: the password was to be changed", address);
        else if (name.starts_with("tls_enforce_") && !is_off)
            to.note("mailbox", name + ": not imported", address);
    }
    if (!has_imap && !has_pop3) {
        if (box.state == "active") box.state = "no_login";
        to.note("mailbox", "imap_access and pop3_access were off: becomes no_login", address);
    } else if (!has_imap || !has_pop3) {
        to.note("mailbox",
                std::string{has_imap ? "pop3_access" : "imap_access"}
                    + " was off: it cannot be here",
                address);
    }
}

void state(const Row& row, import_row::Row& box, Translation& to)
{
    if (row["active"] == "2") {
        if (box.state == "active") box.state = "no_login";
        to.note("mailbox", "active 2, mail without login: becomes no_login", row["username"]);
    } else if (!row.is_set("active", true)) {
        box.state = "disabled";
        to.note("mailbox", "inactive mailbox: becomes disabled", row["username"]);
    }
}

void mailboxes(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["mailbox"].rows()) {
        const auto& address = row["username"];
        if (!row["kind"].empty()) {
            to.note("mailbox", "a calendar's resource: left out", address);
            continue;
        }
        auto* const box = to.mailbox("mailbox", address, row["created"]);
        if (box == nullptr) continue;
        box->quota = translation::quota_of(row["quota"], 1);
        const auto& authority = row["authsource"];
        if (authority.empty() || authority == "mailcow") {
            box->hash = row["password"];
        } else {
            to.note("mailbox",
                    "its password is in " + authority
                        + ": a new mailbox needs a new one (--passwords FILE)",
                    address);
        }
        state(row, *box, to);
        attributes(row, *box, to);
        to.note_columns("mailbox", row,
                        {{"name", "not imported", {""}},
                         {"description", "not imported", {""}},
                         {"custom_attributes", "not imported", {"", "{}", "[]", "null"}}},
                        address);
    }
}

void translate(const Tables& tables, Translation& to)
{
    domains(tables, to);
    mailboxes(tables, to);
    for (const auto& row : tables["alias"].rows()) {
        to.forward({"alias", row["address"], translation::addresses_of(row["goto"]),
                    row.is_set("active", true)});
        if (row.is_set("internal", false))
            to.note("alias", "internal: it will take mail from everyone", row["address"]);
    }
    alias_domains(tables, to);
    to.note_others(tables, {{"app_passwd", "additional passwords: not imported"},
                            {"sender_acl", "additional sender addresses: not imported"},
                            {"spamalias", "temporary addresses: not imported"},
                            {"sieve_filters", "sieve scripts: not imported"},
                            {"imapsync", "mail that is fetched elsewhere: not imported"},
                            {"tls_policy_override", "TLS rules: not imported"},
                            {"bcc_maps", "copies to other addresses: not imported"},
                            {"recipient_maps", "rewritten recipients: not imported"},
                            {"user_acl", "rights in the panel: not imported"},
                            {"da_acl", "rights in the panel: not imported"},
                            {"tfa", "second factors: not imported"},
                            {"quota2", "counted anew by Dovecot"},
                            {"quota2replica", "counted anew by Dovecot"}});
}

}  // namespace

const System& mailcow()
{
    static const System system{
        .name = "mailcow",
        .wanted = {{"domain",
                    {"domain", "active"},
                    {"description", "aliases", "mailboxes", "defquota", "maxquota", "quota",
                     "relayhost", "backupmx", "relay_all_recipients", "relay_unknown_only"}},
                   {"mailbox",
                    {"username", "password", "quota", "active", "attributes"},
                    {"name", "description", "custom_attributes", "kind", "authsource", "created"}},
                   {"alias", {"address", "goto", "active"}, {"internal"}},
                   alias_domain_table()},
        .translate = translate,
        .obstacle_to_adoption =
            "mailcow's mail files are compressed and encrypted; mailboxctl pull fetches the mail "
            "over IMAP"};
    return system;
}

}  // namespace systems
