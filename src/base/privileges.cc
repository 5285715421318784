#include "base/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace privileges {
namespace {

void check(int result, const std::string& call)
{
    if (result != 0) throw std::system_error(errno, std::generic_category(), call);
}

}  // namespace

void drop(const std::string& user, const std::string& setting)
{
    if (::geteuid() != 0 || user.empty()) return;
    const passwd* const entry = ::getpwnam(user.c_str());
    if (entry == nullptr)
        throw std::runtime_error(setting + ": there is no user " + user
                                 + "; make it, or name another");
    check(::initgroups(user.c_str(), entry->pw_gid), "initgroups(" + user + ")");
    check(::setgid(entry->pw_gid), "setgid(" + user + ")");
    check(::setuid(entry->pw_uid), "setuid(" + user + ")");
}

}  // namespace privileges
