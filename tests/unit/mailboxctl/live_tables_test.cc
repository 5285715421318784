// live_tables_test.cc - the tables of a database that runs and of a SQLite file, and the addresses
// of databases.

#include "mailboxctl/live_tables.h"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <sqlite3.h>
#include <unistd.h>

#include "db/accounts.h"
#include "peers/sqlite.h"
#include "support/database.h"

namespace {

using source_tables::Wanted;

const std::vector<Wanted> kWanted{
    {"mailbox", {"username", "password"}, {"quota", "created", "note"}},
    {"alias_domain", {"alias_domain"}, {}, Wanted::Presence::may_be}};

std::string texts(const source_tables::Tables& tables)
{
    std::string all;
    for (const auto& row : tables["mailbox"].rows())
        all += row["username"] + " " + row["password"] + " " + row["quota"] + " " + row["created"]
               + "\n";
    return all;
}

std::string refusal(const std::string& url)
{
    try {
        live_tables::database_of(url);
        return "";
    } catch (const admin::Refused& refused) {
        return refused.what();
    }
}

// A SQLite file that is removed by the destructor.
struct SqliteFile {
    explicit SqliteFile(const std::string& statements)
    {
        std::filesystem::remove(path);
        sqlite3* handle = nullptr;
        BOOST_TEST_REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
        BOOST_TEST(sqlite3_exec(handle, statements.c_str(), nullptr, nullptr, nullptr)
                   == SQLITE_OK);
        sqlite3_close(handle);
    }
    ~SqliteFile() { std::filesystem::remove(path); }
    SqliteFile(const SqliteFile&) = delete;
    SqliteFile& operator=(const SqliteFile&) = delete;

    std::string path = std::filesystem::temp_directory_path()
                       / ("mailboxd_test_sqlite." + std::to_string(::getpid()));
};

BOOST_AUTO_TEST_SUITE(live_tables_reader)

BOOST_AUTO_TEST_CASE(addresses_of_databases)
{
    const auto remote = live_tables::database_of("mysql://postfix@db.example.org:3307/mail");
    BOOST_TEST(remote.user == "postfix");
    BOOST_TEST(remote.host == "db.example.org");
    BOOST_TEST(remote.port == 3307);
    BOOST_TEST(remote.name == "mail");
    BOOST_TEST(remote.socket == "");
    BOOST_TEST(live_tables::database_of("mysql://a@b/c").port == 3306);
    const auto local = live_tables::database_of("mysql:///mail?socket=/run/mysqld/mysqld.sock");
    BOOST_TEST(local.socket == "/run/mysqld/mysqld.sock");
    BOOST_TEST(local.user == "root");
    const std::vector<std::pair<std::string, std::string>> bad{
        {"mysql://a:secret@b/c", "--source-password-file"},
        {"mysql://a@b", "names none"},
        {"mysql://a@b/", "names none"},
        {"mysql://a@b:0/c", "has no port"},
        {"mysql://a@b:x/c", "has no port"},
        {"mysql:///c", "host or its socket"},
        {"mysql://b/c?socket=/x", "host or its socket"},
        {"mysql:///c?ssl=1", "is not socket=PATH"},
    };
    for (const auto& [url, part] : bad)
        BOOST_TEST(refusal(url).find(part) != std::string::npos, url + ": " + refusal(url));
    BOOST_TEST(refusal("mysql://a:secret@b/c").find("secret") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_mysql_database)
{
    database::Database other{database::Content::empty};
    other.run("SET SESSION sql_mode = ''");
    other.run("CREATE TABLE mailbox (username VARCHAR(255), password VARCHAR(255) CHARACTER SET"
              " latin1, quota BIGINT, created DATETIME, active TINYINT(1))");
    other.run(
        "INSERT INTO mailbox VALUES ('alice@example.org', '{X}y', -1, '2014-03-18 09:12:44', 1),"
        " ('bob@example.org', NULL, 9223372036854775807, '0000-00-00 00:00:00', 0)");
    other.run("CREATE TABLE vacation (email VARCHAR(255))");
    other.run("INSERT INTO vacation VALUES ('a'), ('b')");
    other.run("CREATE VIEW mailboxes AS SELECT username FROM mailbox");
    const auto& config = other.config();
    const auto tables = live_tables::of_mysql(config.db, config, kWanted);
    BOOST_TEST(texts(tables)
               == "alice@example.org {X}y -1 2014-03-18 09:12:44\n"
                  "bob@example.org  9223372036854775807 0000-00-00 00:00:00\n");
    BOOST_TEST(!tables["mailbox"].cell(1, "password"));
    BOOST_TEST(tables.others.size() == 1U);
    BOOST_TEST(tables.others.at("vacation") == 2);
    other.run("DROP TABLE mailbox");
    BOOST_CHECK_EXCEPTION(live_tables::of_mysql(config.db, config, kWanted), admin::Refused,
                          [](const auto& refused) {
        return std::string{refused.what()}.find("has no table mailbox") != std::string::npos;
    });
}

BOOST_AUTO_TEST_CASE(a_sqlite_file)
{
    const SqliteFile file{
        "CREATE TABLE mailbox (username TEXT, password TEXT, quota INTEGER, created TEXT);"
        "INSERT INTO mailbox VALUES ('it''s\\', X'61', -1, '2014-03-18 09:12:44'),"
        " ('bob', NULL, 5, '');"
        "CREATE TABLE \"odd \"\"name\" (x); INSERT INTO \"odd \"\"name\" VALUES (1);"};
    BOOST_TEST(sqlite::is_database(file.path));
    const auto tables = live_tables::of_sqlite(file.path, kWanted);
    BOOST_TEST(texts(tables) == "it's\\ a -1 2014-03-18 09:12:44\nbob  5 \n");
    BOOST_TEST(tables.others.at("odd \"name") == 1);
}

BOOST_AUTO_TEST_CASE(a_damaged_sqlite_file_is_refused_with_its_name)
{
    const SqliteFile file{"CREATE TABLE mailbox (username TEXT, password TEXT);"};
    std::filesystem::resize_file(file.path, 1000);
    BOOST_CHECK_EXCEPTION(live_tables::of_sqlite(file.path, kWanted), admin::Refused,
                          [&](const auto& refused) {
        return std::string{refused.what()}.starts_with(file.path);
    });
    BOOST_TEST(!sqlite::is_database("/nonexistent"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
