// master_cf.h - reads and changes the text of Postfix's master.cf (master(5)). Every line that a
// change does not concern stays as it is, comments included.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace master_cf {

struct Service {
    std::string name;  // for example submission/inet
    std::string program;
    bool has_chroot = false;
};
// Returns the services that are in use, in the text's order.
std::vector<Service> services(std::string_view text);

// Returns the value of an option `-o NAME=VALUE` of the service; empty if it has none.
std::optional<std::string> option(std::string_view text, std::string_view service,
                                  std::string_view name);

// Returns the text with the option of the service set. A service that does not exist stays absent.
std::string with_option(std::string_view text, std::string_view service, std::string_view name,
                        std::string_view value);

// Returns the text with the service's chroot switched off, because the socket of the database is
// outside of it.
std::string without_chroot(std::string_view text, std::string_view service);

}  // namespace master_cf
