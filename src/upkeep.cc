#include "upkeep.h"

#include <chrono>
#include <iostream>

#include "check.h"
#include "migrate.h"

namespace upkeep {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::no_options;

po::options_description migrate_options()
{
    po::options_description options;
    options.add_options()
        ("db-user", po::value<std::string>()->value_name("USER"), "database user that may create tables (otherwise ctl_db_user)")
        ("db-password-file", po::value<std::string>()->value_name("FILE"), "file whose first line is that user's password");
    return options;
}

int migrate_command(const Call& call)
{
    auto database = call.config.ctl_db;
    if (call.has("db-user")) {
        database.user = call.text("db-user");
        database.password_file = call.text("db-password-file");
    }
    auto patient = call.config;
    patient.db_timeout = std::chrono::hours{24};  // to change a large table takes its time
    db::Connection connection{database, database.password(), patient};
    const auto count = migrate::apply(connection, std::cout);
    std::cout << (count == 0 ? "Nothing to do: " : "") << "the schema has version " << migrate::newest_version() << ".\n";
    return 0;
}

int check_command(const Call& call)
{
    return check::run(call.config, std::cout) ? 0 : command::kFailed;
}

}  // namespace

std::vector<command::Command> commands()
{
    return {
        {"migrate", {}, "bring the database's tables to this version",
         "Adds what is missing and changes nothing that the previous release needs. Safe to repeat.", migrate_options, migrate_command},
        {"check", {}, "look over configuration, database and counters, and say what to do",
         "Exit status 0 when all is well.", no_options, check_command},
    };
}

}  // namespace upkeep
