// item.h - what `mailboxctl check` examines: one item for each line that it prints.
#pragma once

#include <array>
#include <cstddef>

#include "base/check_result.h"

namespace check {

enum class Item {
    secrets,
    sockets,
    service_user,
    ctl_user,
    schema,
    server,
    service_rights,
    ctl_rights,
    dovecot_rights,
    postfix_rights,
    service,
    tables,
    janitor_user,
    janitor_rights,
    janitor,
    durability,
    cluster,
    triggers,
    names,
    operator_keys,
    counters,
    aliases,
    ranges,
    sizes,
    hashes,
    dovecot,
    postfix,
    postfix_settings,
    forwarding,
    versions,
    kernel,
    certificates,
    mail_store
};

// All items, in the order of the output.
inline constexpr std::array kItems{
    Item::secrets,        Item::sockets,        Item::service_user,   Item::ctl_user,
    Item::schema,         Item::server,         Item::service_rights, Item::ctl_rights,
    Item::dovecot_rights, Item::postfix_rights, Item::service,        Item::tables,
    Item::janitor_user,   Item::janitor_rights, Item::janitor,        Item::durability,
    Item::cluster,        Item::triggers,       Item::names,          Item::operator_keys,
    Item::counters,       Item::aliases,        Item::ranges,         Item::sizes,
    Item::hashes,         Item::dovecot,        Item::postfix,        Item::postfix_settings,
    Item::forwarding,     Item::versions,       Item::kernel,         Item::certificates,
    Item::mail_store};
static_assert(kItems.size() == static_cast<std::size_t>(Item::mail_store) + 1);

// Returns the name that is printed.
const char* name(Item item);

// Returns the result of a check that could not be done for a reason that the other item reports.
Result skipped(Item reported_by);

}  // namespace check
