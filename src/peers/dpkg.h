// dpkg.h - which packages are installed, as Debian's own programs say: dpkg-query(1) and dpkg(1).
//
// Throws std::runtime_error if dpkg is not here, as on a system that is no Debian.
#pragma once

#include <optional>
#include <string>

namespace dpkg {

struct Package {
    std::string name;
    std::string version;     // for example 1:2.3.19.1+dfsg1-2.1+deb12u7
    std::string maintainer;  // of the package, for example Somebody <somebody@debian.org>
};

// Returns the installed package. Empty if it is not installed, or only its configuration files are
// left.
std::optional<Package> installed(const std::string& name);

// True if the left version is older than the right one, by deb-version(7).
bool is_older(const std::string& left, const std::string& right);

}  // namespace dpkg
