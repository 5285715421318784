// domain_list.h - pages of the domains that a key may see. Throws db::Error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "db/connection.h"
#include "db/list.h"
#include "mail/address.h"

namespace store {

// Which domains are listed, and in which order.
struct Selection {
    enum class Order { as_added, by_name, by_name_descending };
    std::string part_of_name;  // in lower case; empty: any
    std::string state;         // active or disabled; empty: any; no domain has another one
    Order order = Order::as_added;
};

struct Domains {
    std::int64_t total = 0;
    std::vector<mailbox::Hosted> items;
};

// Returns a page of the selected domains that the key may see. Does not check the key.
Domains domains(db::Connection& connection, std::string_view key_id, const Page& page,
                const Selection& selection);

}  // namespace store
