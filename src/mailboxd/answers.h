// answers.h - the bodies of the service's answers.
//
// Each is compact JSON that ends with one newline. Its members are in the order of the original's
// answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mail/address.h"

namespace answers {

std::string message(std::string_view message);
std::string error(std::string_view message, std::string_view code);
std::string deleted(std::string_view message, std::string_view spec);
std::string listing(std::int64_t total, const std::vector<mailbox::Mailbox>& items,
                    std::string_view domain, mailbox::As as = mailbox::As::mailbox);

// The logins of a change with the passwords that the service made for them. The passwords are
// stored nowhere else.
using Logins = std::vector<std::pair<std::string, std::string_view>>;
std::string generated(std::string_view message, const Logins& logins);
std::string domains(std::int64_t total, const std::vector<mailbox::Hosted>& items);

// Returns a date in the original's form of RFC 2822 3.3: `Tue, 27 Sep 2011 20:24:22 GMT`.
std::string date(std::int64_t seconds_since_1970);

}  // namespace answers
