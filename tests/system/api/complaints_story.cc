// complaints_story.cc - what the two programs say of wrong options, files and databases: a sentence
// that names the object, says that nothing was done and what to do next; and an exit code other
// than 0.

#include "system/harness/story.h"

#include <filesystem>
#include <fstream>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

namespace fs = std::filesystem;
using process::Arguments;
using process::Ended;
using story::is_sentence;

namespace {

struct Complaints : story::Story {
    ~Complaints()
    {
        for (const auto& file : files_) fs::remove(file);
    }
    Complaints() = default;
    Complaints(const Complaints&) = delete;
    Complaints& operator=(const Complaints&) = delete;

    std::string configuration(const story::Settings& settings)
    {
        files_.push_back(stack.directory() / (story::unique("complaint") + ".conf"));
        std::ofstream{files_.back()} << story::configuration(stack, settings);
        return files_.back();
    }
    static Ended run(const std::string& program, const std::string& file, Arguments arguments)
    {
        arguments.insert(arguments.begin(), {program, "--config", file});
        return process::run(arguments);
    }
    Ended service(const std::string& file, const Arguments& arguments = {"-t"}) const
    {
        return run(stack.service(), file, arguments);
    }
    Ended tool(const std::string& file, const Arguments& arguments = {"account", "list"}) const
    {
        return run(stack.setting("MAILBOXCTL"), file, arguments);
    }

private:
    std::vector<fs::path> files_;
};

// A database without tables, except for the one that has the version.
class OtherDatabase {
public:
    OtherDatabase(const stack::Stack& stack, int version) : stack_{stack}
    {
        stack_.sql("CREATE DATABASE " + name + "; CREATE TABLE " + name
                   + ".schema_version (version INT UNSIGNED NOT NULL PRIMARY KEY,"
                     " name VARCHAR(100), applied_at BIGINT); INSERT INTO "
                   + name + ".schema_version VALUES (" + std::to_string(version) + ", 'other', 0)");
        for (const char* user : {"mailboxd_api", "mailboxd_ctl", "mailboxd_migrate"}) {
            stack_.sql("GRANT ALL ON " + name + ".* TO '" + user + "'@'localhost'");
        }
    }
    ~OtherDatabase()
    {
        for (const char* user : {"mailboxd_api", "mailboxd_ctl", "mailboxd_migrate"}) {
            stack_.sql("REVOKE ALL ON " + name + ".* FROM '" + user + "'@'localhost'");
        }
        stack_.sql("DROP DATABASE " + name);
    }
    OtherDatabase(const OtherDatabase&) = delete;
    OtherDatabase& operator=(const OtherDatabase&) = delete;

    const std::string name = "other_" + std::to_string(::getpid());

private:
    const stack::Stack& stack_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(complaints)

BOOST_FIXTURE_TEST_CASE(an_output_that_cannot_be_written, Complaints)
{
    const auto ended = process::run({"sh", "-c", R"("$0" --config "$1" account list >/dev/full)",
                                     stack.setting("MAILBOXCTL"), stack.setting("MAILBOXD_CONF")});
    BOOST_TEST(
        is_sentence(ended, 1, {"standard output cannot be written to", "No space left on device"}));
}

BOOST_FIXTURE_TEST_CASE(a_wrong_option, Complaints)
{
    const auto file = stack.setting("MAILBOXD_CONF");
    BOOST_TEST(is_sentence(service(file, {"--colour"}), 2,
                           {"colour", "nothing was started", "mailboxd --help"}));
    BOOST_TEST(is_sentence(service(file, {"now"}), 2, {"nothing was started", "mailboxd --help"}));
    BOOST_TEST(is_sentence(tool(file, {"account", "list", "--colour"}), 2,
                           {"--colour", "nothing was done", "mailboxctl --help"}));
    BOOST_TEST(is_sentence(
        tool(file, {"key"}), 2,
        {"no command key;", "there are key add, key list, key revoke", "nothing was done"}));
    BOOST_TEST(is_sentence(tool(file, {"acount", "list"}), 2,
                           {"acount list", "nothing was done", "mailboxctl --help"}));
}

BOOST_FIXTURE_TEST_CASE(a_missing_file, Complaints)
{
    BOOST_TEST(is_sentence(service("/absent/mailboxd.conf"), 2,
                           {"/absent/mailboxd.conf", "Nothing was started", "mailboxd.conf(5)"}));
    BOOST_TEST(is_sentence(tool("/absent/mailboxd.conf"), 2,
                           {"/absent/mailboxd.conf", "Nothing was done", "mailboxd.conf(5)"}));
    const auto file = configuration({{"db_password_file", "/absent/password"},
                                     {"ctl_db_password_file", "/absent/ctl-password"}});
    BOOST_TEST(
        is_sentence(service(file), 2, {"/absent/password", "mailboxd_api", "Nothing was started"}));
    BOOST_TEST(
        is_sentence(tool(file), 2, {"/absent/ctl-password", "mailboxd_ctl", "Nothing was done"}));
}

BOOST_FIXTURE_TEST_CASE(a_database_that_cannot_be_reached, Complaints)
{
    const auto absent = configuration({{"db_socket", "/absent/mysqld.sock"}});
    BOOST_TEST(is_sentence(service(absent), 1,
                           {"/absent/mysqld.sock", "is the server running", "db_socket"}));
    BOOST_TEST(is_sentence(tool(absent), 1,
                           {"/absent/mysqld.sock", "is the server running", "db_socket"}));
    const auto wrong = configuration({{"db_name", "absent"}});
    BOOST_TEST(is_sentence(service(wrong), 1, {"absent", "is the database there?"}));
    BOOST_TEST(is_sentence(tool(wrong), 1, {"absent", "is the database there?"}));
    const auto other = configuration({{"db_password_file", stack.setting("MAILBOXD_CONF")}});
    BOOST_TEST(
        is_sentence(service(other), 1,
                    {"mailboxd_api",
                     "is its password in " + stack.setting("MAILBOXD_CONF") + " (db_password_file)",
                     "nothing was started"}));
}

BOOST_FIXTURE_TEST_CASE(a_schema_that_is_too_old_or_too_new, Complaints)
{
    {
        const OtherDatabase old{stack, 0};
        const auto file = configuration({{"db_name", old.name}});
        BOOST_TEST(is_sentence(
            service(file), 1,
            {"schema version 0", "older", "mailboxctl migrate --db-user", "nothing was started"}));
        BOOST_TEST(is_sentence(
            tool(file), 1,
            {"schema version 0", "older", "mailboxctl migrate --db-user", "nothing was changed"}));
    }
    const OtherDatabase newer{stack, 999};
    const auto file = configuration({{"db_name", newer.name}});
    // The service still serves older tables, because an upgrade may be under way.
    const auto served = service(file);
    BOOST_TEST(served.exit == 0);
    BOOST_TEST(story::has(served.out, "note: the database has schema version 999, newer"),
               served.out);
    for (const Arguments& command : {Arguments{"migrate"},
                                     {"account", "list"},
                                     {"account", "add", "never"},
                                     {"mailbox", "show", "a@example.org"},
                                     {"mailbox", "add", "a@example.org", "--password-file", file},
                                     {"domain", "add", "example.com", "--account", "a"},
                                     {"erase", "a@example.org", "--yes"}}) {
        BOOST_TEST(is_sentence(tool(file, command), 1,
                               {"schema version 999", "newer", "nothing was changed",
                                "use the programs of the release that made it"}));
    }
}

// The message must not advise `mailboxctl migrate`, because this user may not run it.
BOOST_FIXTURE_TEST_CASE(a_user_who_may_not_migrate, Complaints)
{
    const auto name = "bare_" + std::to_string(::getpid());
    stack.sql("CREATE DATABASE " + name + "; GRANT SELECT, INSERT ON " + name
              + ".* TO 'mailboxd_ctl'@'localhost'");
    const auto file = configuration({{"db_name", name}});
    BOOST_TEST(is_sentence(
        tool(file), 1, {"schema_version", "mailboxctl migrate --db-user", "nothing was changed"}));
    BOOST_TEST(
        is_sentence(tool(file, {"migrate"}), 1,
                    {"mailboxd_ctl may not change tables", "--db-user and --db-password-file"}));
    BOOST_TEST(is_sentence(tool(file, {"migrate", "--db-user", "mailboxd_migrate"}), 2,
                           {"--db-password-file", "nothing was done"}));
    BOOST_TEST(is_sentence(tool(file, {"migrate", "--db-password-file", "/absent"}), 2,
                           {"--db-user", "nothing was done"}));
    stack.sql("REVOKE SELECT, INSERT ON " + name
              + ".* FROM 'mailboxd_ctl'@'localhost'; DROP DATABASE " + name);
}

// -t reports what would make a start fail.
BOOST_FIXTURE_TEST_CASE(a_start_that_would_fail, Complaints)
{
    for (const char* setting : {"socket", "write_socket", "log_file"}) {
        const auto file = configuration({{setting, "/absent/file"}});
        BOOST_TEST(
            is_sentence(service(file), 1,
                        {std::string{setting} + ": /absent: No such file", "nothing was started"}));
    }
    // A folder that the service manager creates at the start does not exist earlier.
    const auto early = service(configuration({{"socket", "/run/absent/mailboxd.sock"}}));
    BOOST_TEST(early.exit == 0);
    BOOST_TEST(story::has(early.out, "note: socket: /run/absent: No such file"), early.out);
    if (::geteuid() != 0) return;
    BOOST_TEST(is_sentence(service(configuration({{"user", "absent_user"}})), 1,
                           {"there is no user absent_user", "nothing was started"}));
    BOOST_TEST(is_sentence(service(configuration({{"socket_group", "absent_group"}})), 1,
                           {"there is no group absent_group", "nothing was started"}));
    const auto secret = stack.directory() / story::unique("roots");
    fs::copy_file(stack.directory() / "secrets" / "mailboxd_api", secret);
    fs::permissions(secret, fs::perms::owner_read);
    const auto file = configuration({{"db_password_file", secret}});
    BOOST_TEST(is_sentence(service(file), 2, {secret, "cannot be read", "Nothing was started"}));
    fs::remove(secret);
}

BOOST_FIXTURE_TEST_CASE(an_existing_object_is_not_added_again, Complaints)
{
    const auto who = tenant();
    const auto before = snapshot();
    const auto file = stack.setting("MAILBOXD_CONF");
    BOOST_TEST(is_sentence(tool(file, {"account", "add", who.account}), 1,
                           {who.account, "already", "nothing was changed"}));
    BOOST_TEST(is_sentence(tool(file, {"domain", "add", who.domain, "--account", who.account}), 1,
                           {who.domain, "already", "nothing was changed"}));
    BOOST_TEST(snapshot() == before);
}

BOOST_AUTO_TEST_SUITE_END()
