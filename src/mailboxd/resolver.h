// resolver.h - asks the DNS whether a domain's records are there.
//
// Asks the system's first name server (resolver(3), /etc/resolv.conf) once, and waits one second.
// So a server that does not answer holds a worker only briefly.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "mail/dns_records.h"

namespace resolver {

enum class Valid { valid, invalid, unknown };  // unknown: it could not be asked
std::string_view text(Valid valid);

struct Found {
    Valid valid = Valid::unknown;
    std::vector<std::string> values;  // that the name has, of the record's type
};

// Asks for each record, in order. Those that cannot be asked before `until` are unknown.
std::vector<Found> look_up(const std::vector<dns::Record>& records,
                           std::chrono::steady_clock::time_point until);

}  // namespace resolver
