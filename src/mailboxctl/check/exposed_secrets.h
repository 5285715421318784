// exposed_secrets.h - looks for secrets in files that every user of the system can read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace check {

struct Exposed {
    std::string file;
    std::string secret;  // its name, not its text
};

// Searches the files below these folders, and the files whose paths stand in those, for `secrets`:
// texts by name. Returns the first file that every user can read and that contains a secret;
// nothing if there is none. Skips files that this process may not read, that are not regular or are
// larger than 1 MiB, and secrets of less than 8 bytes, because they may occur by chance.
std::optional<Exposed> find_exposed(const std::vector<std::string>& folders,
                                    const std::map<std::string, std::string>& secrets);

}  // namespace check
