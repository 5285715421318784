#include "mailboxctl/check/item.h"

#include <stdexcept>
#include <string>

namespace check {

const char* name(Item item)
{
    switch (item) {
    case Item::secrets: return "secrets";
    case Item::sockets: return "sockets";
    case Item::service_user: return "database, as the service";
    case Item::ctl_user: return "database, as mailboxctl";
    case Item::schema: return "schema";
    case Item::server: return "server";
    case Item::service_rights: return "rights of the service";
    case Item::ctl_rights: return "rights of mailboxctl";
    case Item::dovecot_rights: return "rights of Dovecot";
    case Item::postfix_rights: return "rights of Postfix";
    case Item::service: return "service";
    case Item::tables: return "tables";
    case Item::janitor_user: return "database, as the janitor";
    case Item::janitor_rights: return "rights of the janitor";
    case Item::janitor: return "janitor";
    case Item::durability: return "durability";
    case Item::cluster: return "cluster";
    case Item::triggers: return "triggers";
    case Item::names: return "names";
    case Item::operator_keys: return "keys of the operator";
    case Item::counters: return "counters";
    case Item::aliases: return "aliases";
    case Item::ranges: return "ranges";
    case Item::sizes: return "sizes";
    case Item::hashes: return "password hashes";
    case Item::dovecot: return "Dovecot";
    case Item::postfix: return "Postfix";
    case Item::postfix_settings: return "settings of Postfix";
    case Item::forwarding: return "forwarding";
    case Item::versions: return "versions";
    case Item::kernel: return "kernel";
    case Item::certificates: return "certificates";
    case Item::mail_store: return "mail store";
    }
    throw std::logic_error("no item");
}

Result skipped(Item reported_by)
{
    return unknown("skipped; see \"" + std::string{name(reported_by)} + "\"");
}

}  // namespace check
