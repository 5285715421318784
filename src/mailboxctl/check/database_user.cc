#include "mailboxctl/check/database_user.h"

#include <unistd.h>

#include <cerrno>

namespace check {

db::Session& DatabaseUser::session()
{
    if (!session_) session_.emplace(database_, database_.password(), config_);
    return *session_;
}

std::string obstacle_to_use(const Config::Database& database, const std::string& setting)
{
    if (database.password_file.empty()) return "the setting " + setting + " is missing";
    if (::access(database.password_file.c_str(), R_OK) != 0 && errno == EACCES)
        return database.password_file + " cannot be read: run this as root";
    return {};
}

}  // namespace check
