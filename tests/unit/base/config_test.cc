// config_test.cc - every setting, its range, and all that is wrong in one go.

#include "base/config.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sys/un.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "support/support.h"

namespace data = boost::unit_test::data;

namespace {

struct File {
    explicit File(std::string_view text) : path{directory.write("mailboxd.conf", text)} {}

    // What is wrong with it, line by line, each with the file's path taken off.
    std::vector<std::string> problems() const
    {
        std::vector<std::string> lines;
        try {
            Config::read(path);
        } catch (const Config::Problems& problems) {
            std::istringstream text{problems.what()};
            for (std::string line; std::getline(text, line);) {
                BOOST_TEST(line.starts_with(path + ":"), line);
                lines.push_back(line.substr(std::min(line.size(), path.size() + 1)));
            }
        }
        return lines;
    }

    support::Directory directory;
    std::string path;
};

Config read(std::string_view text)
{
    return Config::read(File{text}.path);
}

bool is_accepted(const std::string& text)
{
    return File{text}.problems().empty();
}

// A number's least and greatest value, and what of a Config it becomes.
struct Number {
    const char* name;
    std::int64_t least;
    std::int64_t greatest;
    std::int64_t (*field)(const Config& config);
    const char* needs = "";  // other settings that must fit
};
std::ostream& operator<<(std::ostream& out, const Number& row)
{
    return out << row.name;
}

const Number kNumbers[] = {
    {"workers", 1, 1000, [](const Config& c) -> std::int64_t { return c.workers; }},
    {"write_workers", 1, 1000, [](const Config& c) -> std::int64_t { return c.write_workers; }},
    {"backlog", 1, 65'535, [](const Config& c) -> std::int64_t { return c.backlog; }},
    {"waiting_changes", 1, 65'535,
     [](const Config& c) { return static_cast<std::int64_t>(c.waiting_changes); }},
    {"max_requests", 0, 1'000'000'000,
     [](const Config& c) -> std::int64_t { return c.max_requests; }},
    {"request_deadline", 1, 3599,
     [](const Config& c) -> std::int64_t { return c.request_deadline.count(); },
     "stop_grace = 3600\n"},
    {"io_timeout", 1, 3600, [](const Config& c) -> std::int64_t { return c.io_timeout.count(); }},
    {"stop_grace", 2, 3600, [](const Config& c) -> std::int64_t { return c.stop_grace.count(); },
     "request_deadline = 1\n"},
    {"db_port", 1, 65'535, [](const Config& c) -> std::int64_t { return c.db.port; }},
    {"db_connect_timeout", 1, 60,
     [](const Config& c) -> std::int64_t { return c.db_connect_timeout.count(); }},
    {"db_timeout", 1, 3600, [](const Config& c) -> std::int64_t { return c.db_timeout.count(); }},
    {"max_body", 1024, 67'108'864,
     [](const Config& c) -> std::int64_t { return static_cast<std::int64_t>(c.max_body); }},
    {"max_limit", 1, 100'000, [](const Config& c) -> std::int64_t { return c.max_limit; }},
    {"min_password", 1, 1000,
     [](const Config& c) -> std::int64_t { return static_cast<std::int64_t>(c.min_password); },
     "max_password = 1000\n"},
    {"max_password", 1, 1000,
     [](const Config& c) -> std::int64_t { return static_cast<std::int64_t>(c.max_password); },
     "min_password = 1\n"},
    {"argon2_memory_kib", 8, 4'194'304,
     [](const Config& c) -> std::int64_t {
         return static_cast<std::int64_t>(c.argon2_memory_kib);
     }},
    {"argon2_passes", 1, 100, [](const Config& c) -> std::int64_t { return c.argon2_passes; }},
    {"deleted_for", 0, 3650, [](const Config& c) -> std::int64_t { return c.deleted_for.count(); }},
    {"send_limit", 0, 1'000'000, [](const Config& c) -> std::int64_t { return c.send_limit; }},
    {"forward_limit", 0, 1'000'000,
     [](const Config& c) -> std::int64_t { return c.forward_limit; }},
    {"audited_for", 1, 36'500,
     [](const Config& c) -> std::int64_t { return c.audited_for.count(); }},
};

struct Text {
    const char* name;
    const char* value;
    std::string (*field)(const Config& config);
};
std::ostream& operator<<(std::ostream& out, const Text& row)
{
    return out << row.name;
}

const Text kTexts[] = {
    {"socket", "/run/m.sock", [](const Config& c) { return c.socket; }},
    {"write_socket", "/run/w.sock", [](const Config& c) { return c.write_socket; }},
    {"socket_group", "www-data", [](const Config& c) { return c.socket_group; }},
    {"user", "nobody", [](const Config& c) { return c.user; }},
    {"log_file", "/var/log/m.log", [](const Config& c) { return c.log_file; }},
    {"db_socket", "/run/mysql.sock", [](const Config& c) { return c.db.socket; }},
    {"db_socket", "/run/mysql.sock", [](const Config& c) { return c.ctl_db.socket; }},
    {"db_host", "db.example.org", [](const Config& c) { return c.db.host; }},
    {"db_host", "db.example.org", [](const Config& c) { return c.ctl_db.host; }},
    {"db_name", "mail", [](const Config& c) { return c.db.name; }},
    {"db_name", "mail", [](const Config& c) { return c.ctl_db.name; }},
    {"db_user", "api", [](const Config& c) { return c.db.user; }},
    {"db_password_file", "/etc/p", [](const Config& c) { return c.db.password_file; }},
    {"ctl_db_user", "ctl", [](const Config& c) { return c.ctl_db.user; }},
    {"ctl_db_password_file", "/etc/q", [](const Config& c) { return c.ctl_db.password_file; }},
    {"db_socket", "/run/mysql.sock", [](const Config& c) { return c.janitor_db.socket; }},
    {"db_host", "db.example.org", [](const Config& c) { return c.janitor_db.host; }},
    {"db_name", "mail", [](const Config& c) { return c.janitor_db.name; }},
    {"janitor_db_user", "janitor", [](const Config& c) { return c.janitor_db.user; }},
    {"janitor_db_password_file", "/etc/r",
     [](const Config& c) { return c.janitor_db.password_file; }},
    {"db_socket", "/run/mysql.sock", [](const Config& c) { return c.dovecot_db.socket; }},
    {"db_host", "db.example.org", [](const Config& c) { return c.postfix_db.host; }},
    {"db_name", "mail", [](const Config& c) { return c.postfix_db.name; }},
    {"dovecot_db_user", "dovecot", [](const Config& c) { return c.dovecot_db.user; }},
    {"dovecot_db_password_file", "/etc/s",
     [](const Config& c) { return c.dovecot_db.password_file; }},
    {"postfix_db_user", "postfix", [](const Config& c) { return c.postfix_db.user; }},
    {"postfix_db_password_file", "/etc/t",
     [](const Config& c) { return c.postfix_db.password_file; }},
    {"rehash_db_user", "rehash", [](const Config& c) { return c.rehash_db.user; }},
    {"rehash_db_password_file", "/etc/u",
     [](const Config& c) { return c.rehash_db.password_file; }},
    {"rehash_socket", "/run/rehash", [](const Config& c) { return c.rehash_socket; }},
    {"store", "/srv/mail", [](const Config& c) { return c.store; }},
    {"store_user", "vmail", [](const Config& c) { return c.store_user; }},
    {"doveadm", "/run/dovecot/http", [](const Config& c) { return c.doveadm; }},
    {"doveadm", "8098", [](const Config& c) { return c.doveadm; }},
    {"doveadm_key_file", "/etc/k", [](const Config& c) { return c.doveadm_key_file; }},
    {"domain_quota", "2097152K",
     [](const Config& c) { return std::to_string(c.domain_quota / 1024) + "K"; }},
    {"postfix", "/etc/postfix", [](const Config& c) { return c.postfix; }},
    {"tls_urls", "https://a imaps://b:993 smtp://c",
     [](const Config& c) { return c.tls_urls[0] + " " + c.tls_urls[1] + " " + c.tls_urls.at(2); }},
    {"tls_ca_file", "/etc/ca.pem", [](const Config& c) { return c.tls_ca_file; }},
    {"kept_pages", "3K", [](const Config& c) { return std::to_string(c.kept_pages / 1024) + "K"; }},
};

struct Value : support::Row {
    std::string value;
};

const Value kNoNumbers[] = {
    {"nothing", ""},        {"a word", "many"},
    {"a unit", "4k"},       {"a sign", "+4"},
    {"a fraction", "4.0"},  {"hexadecimal", "0x4"},
    {"two numbers", "4 4"}, {"thousands", "1,000"},
    {"negative", "-1"},     {"more than 64 bits", "99999999999999999999"},
};

struct Wrong : support::Row {
    std::string text;
    std::string problem;  // begins so
};

const Wrong kWrong[] = {
    {"an unknown name", "worker = 4\n", "1: worker is not a setting"},
    {"an unknown name further down", "# a\n\nworkers = 4\n  worker = 4\n",
     "4: worker is not a setting"},
    {"a name in capitals", "Workers = 4\n", "1: Workers is not a setting"},
    {"a value that is none", "\n\nworkers = no\n",
     "3: workers must be a whole number from 1 to 1000"},
    {"set twice", "workers = 4\nbacklog = 5\nworkers = 4\n", "3: workers is set twice"},
    {"a relative socket", "socket = run/m.sock\n", "1: socket must be an absolute path"},
    {"an empty socket", "socket =\n", "1: socket must be an absolute path"},
    {"a socket of 108 bytes", "socket = /" + std::string(107, 'x') + "\n",
     "1: socket is longer than the 107 bytes"},
    {"a second socket of 108 bytes", "write_socket = /" + std::string(107, 'x') + "\n",
     "1: write_socket is longer than the 107 bytes"},
    {"two pools on one socket", "socket = /a\nwrite_socket = /a\n",
     " write_socket is the same as socket"},
    {"two pools on the default socket", "write_socket = /run/mailboxd/mailboxd.sock\n",
     " write_socket is the same as socket"},
    {"no length fits", "min_password = 10\nmax_password = 9\n",
     " min_password is above max_password"},
    {"a grace that cuts requests short", "stop_grace = 30\nrequest_deadline = 30\n",
     " stop_grace must be longer than request_deadline"},
    {"a relative log file", "log_file = m.log\n", "1: log_file must be an absolute path"},
    {"a relative store", "store = mail\n", "1: store must be an absolute path"},
    {"no store", "store =\n", "1: store must be an absolute path"},
    {"no port", "doveadm = 0\n",
     "1: doveadm must be a port on 127.0.0.1, or the absolute path of a socket"},
    {"another machine", "doveadm = 192.0.2.1:8098\n", "1: doveadm must be a port on 127.0.0.1"},
    {"too great a port", "doveadm = 65536\n", "1: doveadm must be a port on 127.0.0.1"},
    {"too long a socket", "doveadm = /" + std::string(107, 'x') + "\n",
     "1: doveadm is longer than the 107 bytes"},
    {"no URL", "tls_urls = https://a ftp://b\n", "1: tls_urls must be URLs of https, imaps"},
    {"no host", "tls_urls = https://\n", "1: tls_urls must be URLs of https, imaps"},
    {"a password that would be printed", "tls_urls = https://user:s3cret@host\n",
     "1: tls_urls must be without a name and password: an @ is not taken"},
    {"no size", "domain_quota = much\n", "1: domain_quota must be a size such as 500M"},
    {"a line without =", "# a\nworkers\n", "2: "},
    {"a section", "[pool]\nworkers = 4\n", "1: "},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(config)

BOOST_AUTO_TEST_CASE(without_settings_the_defaults_hold)
{
    const auto config = read("# nothing is set\n");
    BOOST_TEST(config.socket == "/run/mailboxd/mailboxd.sock");
    BOOST_TEST(config.write_socket == "");
    BOOST_TEST(config.workers == 4U);
    BOOST_TEST(config.max_body == 65'536U);
    BOOST_TEST(config.max_limit == 1000);
    BOOST_TEST(config.min_password == 5U);
    BOOST_TEST(config.max_password == 128U);
    BOOST_TEST(config.argon2_memory_kib == 19'456U);
    BOOST_TEST(config.argon2_passes == 2U);
    BOOST_TEST(config.db.user == "mailboxd_api");
    BOOST_TEST(config.ctl_db.user == "mailboxd_ctl");
    BOOST_TEST(config.ctl_db.name == "mailboxd");
    BOOST_TEST(config.janitor_db.user == "mailboxd_janitor");
    BOOST_TEST(config.deleted_for.count() == 7);
    BOOST_TEST(config.domain_quota == 0);
    BOOST_TEST(read("domain_quota = 0\n").domain_quota == 0);
    BOOST_TEST(config.kept_pages == 1'048'576);
    BOOST_TEST(read("kept_pages = 0\n").kept_pages == 0);
}

BOOST_DATA_TEST_CASE(a_number, data::make(kNumbers), row)
{
    const auto line = [&](std::int64_t value) {
        return std::string{row.needs} + row.name + " = " + std::to_string(value) + "\n";
    };
    BOOST_TEST(row.field(read(line(row.least))) == row.least);
    BOOST_TEST(row.field(read(line(row.greatest))) == row.greatest);
    BOOST_TEST(!is_accepted(line(row.least - 1)));
    BOOST_TEST(!is_accepted(line(row.greatest + 1)));
    BOOST_TEST(!is_accepted(line(std::numeric_limits<std::int64_t>::max())));
}

BOOST_DATA_TEST_CASE(no_number, data::make(kNumbers) * data::make(kNoNumbers), row, value)
{
    const auto problems = File{std::string{row.name} + " = " + value.value + "\n"}.problems();
    BOOST_TEST_REQUIRE(problems.size() == 1U);
    BOOST_TEST(
        problems[0].starts_with(std::string{"1: "} + row.name + " must be a whole number from "),
        problems[0]);
}

BOOST_DATA_TEST_CASE(a_text, data::make(kTexts), row)
{
    BOOST_TEST(row.field(read(std::string{row.name} + " = " + row.value + "\n")) == row.value);
}

BOOST_AUTO_TEST_CASE(the_users_of_the_database_are_apart)
{
    const auto config = read(
        "db_user = api\ndb_password_file = /a\nctl_db_user = ctl\nctl_db_password_file = /b\n");
    BOOST_TEST(config.db.user == "api");
    BOOST_TEST(config.db.password_file == "/a");
    BOOST_TEST(config.ctl_db.user == "ctl");
    BOOST_TEST(config.ctl_db.password_file == "/b");
}

BOOST_DATA_TEST_CASE(spaces_and_comments_do_not_matter,
                     data::make({"workers=7", "workers = 7\n", "  workers\t=\t7  \n",
                                 "\n\nworkers = 7 # seven\n", "# workers = 8\nworkers = 7\n",
                                 "#workers = 8\nworkers = 7\n", "workers = 7\r\n"}),
                     text)
{
    BOOST_TEST(read(text).workers == 7U);
}

BOOST_AUTO_TEST_CASE(a_socket_may_have_107_bytes)
{
    const auto path = "/" + std::string(sizeof(sockaddr_un::sun_path) - 2, 'x');
    BOOST_TEST(read("socket = " + path + "\n").socket == path);
}

BOOST_DATA_TEST_CASE(is_wrong, data::make(kWrong), row)
{
    const auto problems = File{row.text}.problems();
    BOOST_TEST_REQUIRE(problems.size() == 1U);
    BOOST_TEST(problems[0].starts_with(row.problem), problems[0]);
}

BOOST_AUTO_TEST_CASE(all_that_is_wrong_is_said_at_once)
{
    const auto problems = File{"workers = no\n"
                               "backlog = 4096\n"
                               "wrokers = 4\n"
                               "socket = m.sock\n"
                               "backlog = 4096\n"
                               "min_password = 1000\n"
                               "argon2_passes = 0\n"}
                              .problems();
    const auto is_said = [&](const std::string& begin) {
        return std::any_of(problems.begin(), problems.end(),
                           [&](const std::string& line) { return line.starts_with(begin); });
    };
    BOOST_TEST(problems.size() == 6U);
    BOOST_TEST(is_said("1: workers must be"));
    BOOST_TEST(is_said("3: wrokers is not a setting"));
    BOOST_TEST(is_said("4: socket must be"));
    BOOST_TEST(is_said("5: backlog is set twice"));
    BOOST_TEST(is_said("7: argon2_passes must be"));
    BOOST_TEST(is_said(" min_password is above max_password"));
}

BOOST_AUTO_TEST_CASE(a_line_that_is_none_hides_no_other_problem)
{
    const auto problems = File{"nonsense\nworkers = no\n"}.problems();
    BOOST_TEST(problems.size() == 2U);
}

// What would be cut at a NUL, or drive the terminal that shows it.
BOOST_AUTO_TEST_CASE(a_control_character_is_named_by_its_line)
{
    for (const auto& line : {support::bytes("db_socket = /run/a\0b"),
                             support::bytes("wor\0kers = 4"), std::string{"db_name = \x1B[2J"}}) {
        const auto problems = File{"workers = 4\n" + line + "\n"}.problems();
        BOOST_TEST_REQUIRE(problems.size() == 1U);
        BOOST_TEST(problems[0] == "2: no control character may stand here");
    }
    BOOST_TEST(File{"workers\t= 4\r\n"}.problems().empty());
}

// The first of two is the one that has the wrong value: its line is to be named.
BOOST_AUTO_TEST_CASE(a_name_that_stands_twice_is_named_with_the_right_line)
{
    const auto problems = File{"workers = no\nbacklog = 4096\nworkers = 4\n"}.problems();
    BOOST_TEST_REQUIRE(problems.size() == 2U);
    BOOST_TEST(problems[0].starts_with("1: workers must be"), problems[0]);
    BOOST_TEST(problems[1].starts_with("3: workers is set twice"), problems[1]);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read)
{
    const support::Directory directory;
    const auto is_named = [&](const Config::Problems& problems) {
        return std::string{problems.what()}.find(directory.path("")) == 0;
    };
    BOOST_CHECK_EXCEPTION(Config::read(directory.path("absent.conf")), Config::Problems, is_named);
    BOOST_CHECK_EXCEPTION(Config::read(directory.path("")), Config::Problems, is_named);
}

BOOST_AUTO_TEST_CASE(a_password_is_the_first_line_of_its_file)
{
    const support::Directory directory;
    Config::Database database;
    BOOST_TEST(database.password() == "");
    database.password_file = directory.write("one", "secret word\n");
    BOOST_TEST(database.password() == "secret word");
    database.password_file = directory.write("two", "secret\nsecond line\n");
    BOOST_TEST(database.password() == "secret");
    database.password_file = directory.write("windows", "secret\r\n");
    BOOST_TEST(database.password() == "secret");
    database.password_file = directory.write("bare", "secret");
    BOOST_TEST(database.password() == "secret");
}

BOOST_AUTO_TEST_CASE(a_key_is_the_first_line_of_its_file)
{
    const support::Directory directory;
    Config config;
    config.doveadm_key_file = directory.write("key", "secret word\n\n");
    BOOST_TEST(config.doveadm_key() == "secret word");
    config.doveadm_key_file = directory.path("absent");
    BOOST_CHECK_THROW(config.doveadm_key(), Config::Problems);
    config.doveadm_key_file = "";
    BOOST_CHECK_THROW(config.doveadm_key(), Config::Problems);
}

BOOST_AUTO_TEST_CASE(a_password_file_that_has_none)
{
    const support::Directory directory;
    Config::Database database;
    database.user = "mailboxd_api";
    for (const auto& path :
         {directory.path("absent"), directory.write("empty", ""), directory.path("")}) {
        database.password_file = path;
        BOOST_CHECK_EXCEPTION(database.password(), Config::Problems,
                              [&](const Config::Problems& problems) {
            return std::string{problems.what()}.find(path) == 0
                   && std::string{problems.what()}.find("mailboxd_api") != std::string::npos;
        });
    }
}

BOOST_AUTO_TEST_SUITE_END()
