// domain_list.h - pages of domains. Throws db::Error.
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
    std::string begin_of_name;  // in lower case; empty: any
    std::string state;          // active or disabled; empty: any; no domain has another one
    Order order = Order::as_added;
};

// The account, or the one domain, that a list is about.
struct Whose {
    std::int64_t account_id = 0;  // 0: of all accounts, for the operator
    std::int64_t domain_id = 0;   // this one alone; 0: all
};

struct Domains {
    std::int64_t total = 0;
    std::vector<mailbox::Hosted> items;
};

Domains domains(db::Connection& connection, const Whose& whose, const Page& page,
                const Selection& selection);

}  // namespace store
