#include "mailboxctl/system_commands.h"

#include <chrono>
#include <iostream>

#include "db/migrate.h"
#include "db/routines.h"
#include "mailboxctl/check/check.h"
#include "mailboxctl/janitor.h"
#include "mailboxctl/password_schemes.h"
#include "mailboxctl/quota_policy.h"
#include "mailboxctl/rehash.h"
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
                          "database user that may create tables (default: ctl_db_user)")(
        "db-password-file", po::value<std::string>()->value_name("FILE"),
        "file whose first line is that user's password");
    return options;
}

int migrate_command(const Call& call)
{
    auto database = call.config.ctl_db;
    if (call.has("db-user") != call.has("db-password-file"))
        throw command::WrongUsage("--db-user and --db-password-file must be given together");
    if (call.has("db-user")) {
        database.user = call.text("db-user");
        database.password_file = call.text("db-password-file");
        database.password_setting = "--db-password-file";
    }
    auto patient = call.config;
    patient.db_timeout = std::chrono::hours{24};  // changing a large table takes long
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
                + " may not change tables; name a user that may with --db-user and --db-password-file");
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
    options.add_options()("watch", "keep running until SIGTERM")(
        "orphans", "also remove folders of the mail store that belong to no mailbox");
    return options;
}

int janitor_command(const Call& call)
{
    if (call.has("watch") && call.has("orphans"))
        throw command::WrongUsage("--orphans cannot be combined with --watch");
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
         "update the database's tables to this release",
         "Adds what is missing and changes nothing that the previous release needs. Triggers and functions that are missing,\n"
         "differ, or belong to another database user, as after a restored backup, are created again. Safe to repeat.",
         migrate_options,
         migrate_command,
         command::Prints::outcome,
         command::Changes::in_steps},
        {"check",
         {},
         "check the installation and say what to do",
         "One line for each check: secrets, sockets, database, schema, server, rights, service, janitor, tables, durability,\n"
         "triggers, counters, what Dovecot (setting doveadm) and Postfix (postfix) say about a mailbox, settings of Postfix on\n"
         "which security depends, versions of nginx, Dovecot and Postfix with known faults, certificates as clients see them\n"
         "(tls_urls), the mail store.\n"
         "WRONG must be corrected, note need not be, ? could not be checked. Changes nothing. Run it as root to check all.\n"
         "Exit status 0 if nothing is WRONG.",
         no_options,
         check_command,
         command::Prints::listing},
        {"postfix-policy",
         {},
         "count what mailboxes send, for Postfix",
         "Postfix starts it (mailboxd-master.cf) and asks on standard input whether a message may be sent (send_limit). It is\n"
         "not for use in a shell. Requires the setting postfix_db_password_file.",
         no_options,
         postfix_policy_command},
        {"janitor",
         {},
         "end sessions, and remove what can no longer be restored",
         "Ends the sessions of mailboxes that were deleted or suspended or got another password. Removes the mail of mailboxes\n"
         "that can no longer be restored (deleted_for), and expired rows. Reports folders of the mail store that belong to no\n"
         "mailbox. Run it as the owner of the mail store, or as root: it then switches to that user (store_user). Exactly one\n"
         "must run with --watch; it catches up after downtime. Requires the settings store, doveadm, doveadm_key_file and\n"
         "janitor_db_password_file.",
         janitor_options,
         janitor_command,
         command::Prints::outcome,
         command::Changes::in_steps},
        quota_policy::command(),
        rehash::command(),
        password_schemes::command(),
    };
}

}  // namespace system_commands
