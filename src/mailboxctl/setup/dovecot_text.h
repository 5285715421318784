// dovecot_text.h - reads what doveconf(1) prints: settings in nested blocks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dovecot_text {

struct Setting {
    std::vector<std::string> blocks;  // those around it, outermost first: "service lmtp"
    std::string name, value;
};
std::vector<Setting> settings(std::string_view printed);

// Returns the blocks that have a name which begins with `begin`, within a block `within`; for
// example the listeners of a service.
std::vector<std::string> blocks(std::string_view printed, std::string_view within,
                                std::string_view begin);

}  // namespace dovecot_text
