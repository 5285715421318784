// complaints_story.cc - what the two programs say of what cannot be right: a sentence that names the thing, that nothing was
// done, and what to do; and an exit code other than 0.

#include "story.h"

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
        files_.push_back(house.directory() / (story::unique("complaint") + ".conf"));
        std::ofstream{files_.back()} << story::configuration(house, settings);
        return files_.back();
    }
    static Ended run(const std::string& program, const std::string& file, Arguments arguments)
    {
        arguments.insert(arguments.begin(), {program, "--config", file});
        return process::run(arguments);
    }
    Ended service(const std::string& file, const Arguments& arguments = {"-t"}) const { return run(house.service(), file, arguments); }
    Ended tool(const std::string& file, const Arguments& arguments = {"account", "list"}) const
    {
        return run(house.setting("MAILBOXCTL"), file, arguments);
    }

private:
    std::vector<fs::path> files_;
};

// A database of its own, empty but for the version that it says it has.
class OtherDatabase {
public:
    OtherDatabase(const stack::Stack& house, int version) : house_{house}
    {
        house_.sql("CREATE DATABASE " + name + "; CREATE TABLE " + name + ".schema_version (version INT UNSIGNED NOT NULL PRIMARY KEY,"
                   " name VARCHAR(100), applied_at BIGINT); INSERT INTO " + name + ".schema_version VALUES ("
                   + std::to_string(version) + ", 'other', 0)");
        for (const char* user : {"mailboxd_api", "mailboxd_ctl", "mailboxd_migrate"}) {
            house_.sql("GRANT ALL ON " + name + ".* TO '" + user + "'@'localhost'");
        }
    }
    ~OtherDatabase()
    {
        for (const char* user : {"mailboxd_api", "mailboxd_ctl", "mailboxd_migrate"}) {
            house_.sql("REVOKE ALL ON " + name + ".* FROM '" + user + "'@'localhost'");
        }
        house_.sql("DROP DATABASE " + name);
    }
    OtherDatabase(const OtherDatabase&) = delete;
    OtherDatabase& operator=(const OtherDatabase&) = delete;

    const std::string name = "other_" + std::to_string(::getpid());

private:
    const stack::Stack& house_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(complaints)

BOOST_FIXTURE_TEST_CASE(a_wrong_option, Complaints)
{
    const auto file = house.setting("MAILBOXD_CONF");
    BOOST_TEST(is_sentence(service(file, {"--colour"}), 2, {"colour", "nothing was started", "mailboxd --help"}));
    BOOST_TEST(is_sentence(service(file, {"now"}), 2, {"nothing was started", "mailboxd --help"}));
    BOOST_TEST(is_sentence(tool(file, {"account", "list", "--colour"}), 2, {"--colour", "nothing was done", "mailboxctl --help"}));
    BOOST_TEST(is_sentence(tool(file, {"acount", "list"}), 2, {"acount list", "nothing was done", "mailboxctl --help"}));
}

BOOST_FIXTURE_TEST_CASE(a_missing_file, Complaints)
{
    BOOST_TEST(is_sentence(service("/absent/mailboxd.conf"), 2, {"/absent/mailboxd.conf", "Nothing was started", "mailboxd.conf(5)"}));
    BOOST_TEST(is_sentence(tool("/absent/mailboxd.conf"), 2, {"/absent/mailboxd.conf", "Nothing was done", "mailboxd.conf(5)"}));
    const auto file = configuration({{"db_password_file", "/absent/password"}, {"ctl_db_password_file", "/absent/ctl-password"}});
    BOOST_TEST(is_sentence(service(file), 2, {"/absent/password", "mailboxd_api", "Nothing was started"}));
    BOOST_TEST(is_sentence(tool(file), 2, {"/absent/ctl-password", "mailboxd_ctl", "Nothing was done"}));
}

BOOST_FIXTURE_TEST_CASE(a_database_that_cannot_be_reached, Complaints)
{
    const auto absent = configuration({{"db_socket", "/absent/mysqld.sock"}});
    BOOST_TEST(is_sentence(service(absent), 1, {"/absent/mysqld.sock", "is the server running", "db_socket"}));
    BOOST_TEST(is_sentence(tool(absent), 1, {"/absent/mysqld.sock", "is the server running", "db_socket"}));
    const auto wrong = configuration({{"db_name", "absent"}});
    BOOST_TEST(is_sentence(service(wrong), 1, {"absent", "is the database there?"}));
    BOOST_TEST(is_sentence(tool(wrong), 1, {"absent", "is the database there?"}));
    const auto other = configuration({{"db_password_file", house.setting("MAILBOXD_CONF")}});
    BOOST_TEST(is_sentence(service(other), 1, {"mailboxd_api", "is its password in the file"}));
}

BOOST_FIXTURE_TEST_CASE(a_schema_that_is_too_old_or_too_new, Complaints)
{
    {
        const OtherDatabase old{house, 0};
        const auto file = configuration({{"db_name", old.name}});
        BOOST_TEST(is_sentence(service(file), 1, {"schema version 0", "older", "mailboxctl migrate"}));
        BOOST_TEST(is_sentence(tool(file), 1, {old.name, "mailboxctl migrate"}));
    }
    const OtherDatabase newer{house, 999};
    const auto file = configuration({{"db_name", newer.name}});
    BOOST_TEST(is_sentence(service(file), 1, {"schema version 999", "newer", "use the newer program"}));
    BOOST_TEST(is_sentence(tool(file, {"migrate"}), 1, {"schema version 999", "nothing was changed", "use the newer program"}));
}

BOOST_FIXTURE_TEST_CASE(what_is_there_already, Complaints)
{
    const auto who = tenant();
    const auto before = snapshot();
    const auto file = house.setting("MAILBOXD_CONF");
    BOOST_TEST(is_sentence(tool(file, {"account", "add", who.account}), 1, {who.account, "already", "nothing was changed"}));
    BOOST_TEST(is_sentence(tool(file, {"domain", "add", who.domain, "--account", who.account}), 1, {who.domain, "already", "nothing was changed"}));
    BOOST_TEST(snapshot() == before);
}

BOOST_AUTO_TEST_SUITE_END()
