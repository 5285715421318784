// ispconfig.cc - ISPConfig's tables.
//
// Quotas are in bytes. One database may hold several servers. Switches are y and n. A mailbox has
// no alias to itself, but a forwarding of its address that does not lead to it takes its mail.

#include <map>

#include "base/strings.h"
#include "mailboxctl/systems/systems.h"

namespace systems {
namespace {

using source_tables::Row;
using source_tables::Tables;
using source_tables::Wanted;
using translation::Translation;
using Use = Translation::Use;

bool is_of_server(const Row& row, const Translation& to)
{
    const auto& server = to.settings().server;
    return !server || row["server_id"] == std::to_string(*server);
}

std::string maildir_of(const Row& row, const Translation& to)
{
    if (!to.settings().mail.is_wanted || row["maildir"].empty()) return {};
    std::string_view path = row["maildir"];
    const std::string_view home = row["homedir"].empty() ? "/var/vmail" : row["homedir"];
    const auto& root = to.settings().mail.root;
    if (!root.empty() && path.starts_with(home)) path.remove_prefix(home.size());
    return translation::path_below(root, "", path) + "/Maildir";
}

void services(const Row& row, import_row::Row& box, Translation& to)
{
    const auto& address = row["email"];
    const bool has_imap = !row.is_set("disableimap", false);
    const bool has_pop3 = !row.is_set("disablepop3", false);
    if (!row.is_set("postfix", true)) {
        box.state = "disabled";
        to.note("mail_user", "postfix n, it gets no mail: becomes disabled", address);
    } else if ((!has_imap && !has_pop3) || !row.is_set("access", true)) {
        if (box.state == "active") box.state = "no_login";
        to.note("mail_user", "without IMAP and POP3: becomes no_login", address);
    } else if (!has_imap || !has_pop3) {
        to.note("mail_user",
                std::string{has_imap ? "disablepop3" : "disableimap"}
                    + " y: the protocol cannot be off here",
                address);
    }
    to.note_columns(
        "mail_user", row,
        {{"disablesmtp", "the service cannot be off here", {"", "n", "N"}},
         {"disabledeliver", "the service cannot be off here", {"", "n", "N"}},
         {"disablelda", "the service cannot be off here", {"", "n", "N"}},
         {"disablelmtp", "the service cannot be off here", {"", "n", "N"}},
         {"disablesieve", "the service cannot be off here", {"", "n", "N"}},
         {"greylisting", "not imported", {"", "n", "N"}},
         {"move_junk", "not imported", {"", "n", "N"}},
         {"autoresponder", "an absence message was on: it is not imported", {"", "n", "N"}},
         {"autoresponder_text", "absence messages: not imported", {""}},
         {"custom_mailfilter", "sieve scripts: not imported", {""}},
         {"purge_trash_days", "not imported"},
         {"purge_junk_days", "not imported"},
         {"sender_cc", "copies of sent mail: not imported", {""}},
         {"backup_interval", "not imported", {"", "none"}},
         {"name", "not imported", {""}}},
        address);
}

// The copies of a mailbox's mail are a column of its own.
void copies(const Row& row, Translation& to)
{
    auto targets = translation::addresses_of(row["cc"]);
    if (targets.empty()) return;
    targets.push_back(strings::lower_case(row["email"]));
    to.forward({"mail_user", row["email"], targets});
}

void mailboxes(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["mail_user"].rows()) {
        const auto& address = row["email"];
        if (!is_of_server(row, to)) {
            to.note("mail_user", "of another server: left out", address);
            continue;
        }
        auto* const box = to.mailbox("mail_user", address, "", row["mailuser_id"]);
        if (box == nullptr) continue;
        box->hash = row["password"];
        box->quota = translation::quota_of(row["quota"], 1);
        if (row["maildir_format"].empty() || row["maildir_format"] == "maildir")
            box->maildir = maildir_of(row, to);
        else
            to.note("mail_user",
                    "its mail is no Maildir but " + row["maildir_format"]
                        + ": mailboxctl pull fetches it over IMAP",
                    address);
        if (!row["login"].empty() && !strings::equals_ignoring_case(row["login"], address))
            to.note("mail_user", "its user logged in by another name, and now does by the address",
                    address + " (" + row["login"] + ")");
        services(row, *box, to);
        copies(row, to);
    }
}

void forwardings(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["mail_forwarding"].rows()) {
        const auto& source = row["source"];
        const auto targets = translation::addresses_of(row["destination"]);
        const bool is_active = row.is_set("active", true);
        if (!is_of_server(row, to)) {
            to.note("mail_forwarding", "of another server: left out", source);
        } else if (row["type"] == "aliasdomain" && source.starts_with('@') && targets.size() == 1
                   && targets.front().starts_with('@')) {
            to.alias_domain("mail_forwarding", source.substr(1), targets.front().substr(1),
                            is_active);
        } else {
            to.forward({"mail_forwarding", source, targets, is_active});
        }
    }
}

void translate(const Tables& tables, Translation& to)
{
    for (const auto& row : tables["mail_domain"].rows()) {
        if (!is_of_server(row, to)) {
            to.note("mail_domain", "of another server: left out", row["domain"]);
            continue;
        }
        to.domain("mail_domain", row["domain"], row.is_set("active", true) ? Use::on : Use::off);
        to.note_columns("mail_domain", row,
                        {{"relay_host", "not imported", {""}},
                         {"dkim", "the DKIM key is not imported", {"", "n", "N"}}},
                        row["domain"]);
    }
    mailboxes(tables, to);
    forwardings(tables, to);
    to.note_others(tables,
                   {{"mail_access", "addresses that are refused or permitted: not imported"},
                    {"mail_transport", "other servers for domains: not imported"},
                    {"mail_relay_domain", "domains of other servers: not imported"},
                    {"mail_relay_recipient", "addresses of other servers: not imported"},
                    {"mail_get", "mail that is fetched elsewhere: not imported"},
                    {"mail_content_filter", "filters: not imported"},
                    {"mail_user_filter", "sieve scripts: not imported"},
                    {"mail_mailinglist", "mailing lists of another program: not imported"},
                    {"mail_traffic", "not imported"},
                    {"mail_backup", "backups: not imported"}},
                   {"mail_", "spamfilter_", "xmpp_"});
}

}  // namespace

const System& ispconfig()
{
    static const System system{
        .name = "ispconfig",
        .wanted = {{"mail_domain", {"server_id", "domain", "active"}, {"relay_host", "dkim"}},
                   {"mail_user",
                    {"server_id", "email", "password", "maildir", "quota", "postfix"},
                    {"mailuser_id",
                     "login",
                     "name",
                     "maildir_format",
                     "homedir",
                     "cc",
                     "sender_cc",
                     "access",
                     "disableimap",
                     "disablepop3",
                     "disablesmtp",
                     "disabledeliver",
                     "disablelda",
                     "disablelmtp",
                     "disablesieve",
                     "greylisting",
                     "move_junk",
                     "autoresponder",
                     "autoresponder_text",
                     "custom_mailfilter",
                     "purge_trash_days",
                     "purge_junk_days",
                     "backup_interval"}},
                   {"mail_forwarding", {"server_id", "source", "destination", "type", "active"}}},
        .translate = translate,
        .has_servers = true};
    return system;
}

}  // namespace systems
