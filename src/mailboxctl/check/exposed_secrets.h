// exposed_secrets.h - looks for secrets in files that every user of the system can read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace exposed {

struct Exposed {
    std::string file;
    std::string secret;  // its name, not its text
};

// Searches the files below these folders, and the files whose paths are named in those, for the
// secrets: texts by name. Returns the first file that everybody may read and that has one of them
// in it. What this process may not read, and what is no regular file or larger than a MiB, is
// skipped; so are secrets that are too short to be told from chance.
std::optional<Exposed> find(const std::vector<std::string>& folders,
                            const std::map<std::string, std::string>& secrets);

}  // namespace exposed
