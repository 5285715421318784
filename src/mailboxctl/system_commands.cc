#include "mailboxctl/system_commands.h"

#include <chrono>
#include <iostream>

#include "db/migrate.h"
#include "db/routines.h"
#include "mailboxctl/check/check.h"
#include "mailboxctl/janitor.h"
#include "mailboxctl/quota_policy.h"
#include "mailboxctl/send_limit.h"

namespace system_commands {
namespace {

namespace po = boost::program_options;
using command::Call;
using command::no_options;

po::options_description migrate_options()
{
    po::options_description options;
    options.add_options()("db-user", po::value<std::string>()->value_name("USER"),
                          "database user that may create tables (otherwise ctl_db_user)")(
        "db-password-file", po::value<std::string>()->value_name("FILE"),
        "file whose first line is that user's password");
    return options;
}

int migrate_command(const Call& call)
{
    auto database = call.config.ctl_db;
    if (call.has("db-user") != call.has("db-password-file"))
        throw command::WrongUsage("--db-user and --db-password-file go together");
    if (call.has("db-user")) {
        database.user = call.text("db-user");
        database.password_file = call.text("db-password-file");
        database.password_setting = "--db-password-file";
    }
    auto patient = call.config;
    patient.db_timeout = std::chrono::hours{24};  // to change a large table takes its time
    db::Connection connection{database, database.password(), patient};
    const auto count = [&] {
        try {
            const auto applied = migrate::apply(connection, std::cout);
            return applied + routines::restore(connection, std::cout);
        } catch (const db::Error& error) {
            constexpr int kDenied = 1142;
            if (error.number != kDenied) throw;
            throw std::runtime_error(
                database.user
                + " may not change tables; give a user that may with --db-user and --db-password-file");
        }
    }();
    std::cout << (count == 0 ? "Nothing to do: " : "") << "the schema has version "
              << migrate::newest_version() << ".\n";
    return 0;
}

int postfix_policy_command(const Call& call)
{
    std::ios::sync_with_stdio(false);
    send_limit::serve(call.config, std::cin, std::cout);
    return 0;
}

int check_command(const Call& call)
{
    return check::run(call.config, std::cout) ? 0 : command::kFailed;
}

po::options_description janitor_options()
{
    po::options_description options;
    options.add_options()("watch", "stay, and do it whenever there is something to do, until TERM")(
        "orphans", "remove folders of the mail store, too, that no mailbox has");
    return options;
}

int janitor_command(const Call& call)
{
    if (call.has("watch") && call.has("orphans"))
        throw command::WrongUsage("--orphans is for once, not for --watch");
    if (call.has("watch")) return janitor::run_until_stopped(call.config), 0;
    const auto orphans = call.has("orphans") ? janitor::Orphans::remove : janitor::Orphans::report;
    return janitor::run_once(call.config, orphans, std::cout) ? 0 : command::kFailed;
}

}  // namespace

std::vector<command::Command> commands()
{
    return {
        {"migrate",
         {},
         "bring the database's tables to this version",
         "Adds what is missing and changes nothing that the previous release needs. Triggers and functions that are missing,\n"
         "different or another user's, as after a restore, are made anew as this user's. Safe to repeat.",
         migrate_options,
         migrate_command,
         command::Prints::outcome,
         command::Changes::in_steps},
        {"check",
         {},
         "look over the installation, and say what to do",
         "One line each: secrets, sockets, database, schema, server, rights, service, janitor, tables, durability, triggers,\n"
         "counters, what Dovecot (by the setting doveadm) and Postfix (postfix) say about a mailbox, settings of Postfix on which\n"
         "security depends, certificates as clients see them (tls_urls), the mail store.\n"
         "WRONG stands in the way, note does not, ? could not be looked at. Changes nothing. To see all of it takes root.\n"
         "Exit status 0 when nothing is WRONG.",
         no_options,
         check_command,
         command::Prints::listing},
        {"postfix-policy",
         {},
         "count what mailboxes send, for Postfix",
         "Postfix starts it (mailboxd-master.cf) and asks on standard input whether a message may be sent (send_limit). It is\n"
         "of no use in a shell. Wants the setting postfix_db_password_file.",
         no_options,
         postfix_policy_command},
        {"janitor",
         {},
         "end sessions, remove what was deleted long enough ago",
         "Ends the sessions of mailboxes that were deleted or suspended or have another password since, removes the mail of\n"
         "those that cannot be restored any more (deleted_for), and expired rows. Folders of the mail store that no mailbox\n"
         "has are reported. Runs as the mail store's owner, or is started as root and becomes that (store_user). One is to\n"
         "run always, with --watch; when it was down, it makes up for that. Wants the settings store, doveadm,\n"
         "doveadm_key_file and janitor_db_password_file.",
         janitor_options,
         janitor_command,
         command::Prints::outcome,
         command::Changes::in_steps},
        quota_policy::command(),
    };
}

}  // namespace system_commands
