// database_user.h - one database user of the installation, connected when it is first needed.
#pragma once

#include <optional>
#include <string>

#include "base/config.h"
#include "db/connection.h"
#include "db/session.h"

namespace check {

class DatabaseUser {
public:
    // Keeps references to both. Does not connect.
    DatabaseUser(const Config::Database& database, const Config& config)
        : database_{database}, config_{config}
    {
    }
    // Connects on the first call. Throws db::Error, or std::runtime_error if the password file
    // cannot be read.
    db::Session& session();
    db::Connection& connection() { return session().connection(); }

private:
    const Config::Database& database_;
    const Config& config_;
    std::optional<db::Session> session_;
};

// Returns why Dovecot's or Postfix's database user cannot be used here; empty if it can. Their
// password files need not be readable on this machine. `setting` is the name of the password file's
// setting.
std::string obstacle_to_use(const Config::Database& database, const std::string& setting);

}  // namespace check
