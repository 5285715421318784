// database_settings_story.cc - database servers with other settings: the whole system works on
// them, or reports what the server lacks.

#include "system/harness/mail.h"

#include <csignal>
#include <fstream>
#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;

namespace {

// Every setting that our sessions set themselves. Some are possible in init_connect only, because
// no configuration file has them; the server runs it for all users except administrators.
constexpr char kModes[] =
    "sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,PIPES_AS_CONCAT,IGNORE_SPACE,NO_UNSIGNED_SUBTRACTION,"
    "NO_AUTO_VALUE_ON_ZERO,ONLY_FULL_GROUP_BY,NO_ZERO_DATE,HIGH_NOT_PRECEDENCE'\n"
    "autocommit = 0\n"
    "transaction_isolation = SERIALIZABLE\n"
    "wait_timeout = 3\n"
    "completion_type = 2\n"
    "innodb_rollback_on_timeout = ON\n"
    "group_concat_max_len = 4\n"
    "lower_case_table_names = 1\n"
    "init_connect = 'SET sql_safe_updates = 1, sql_select_limit = 1, sql_big_selects = 0, max_join_size = 1, foreign_key_checks = 0,"
    " sql_auto_is_null = 1, autocommit = 0, time_zone = \"+05:30\", NAMES latin1'\n";

constexpr char kBinaryLog[] = "log_bin = binary\n"
                              "server_id = 7\n"
                              "binlog_format = MIXED\n"
                              "sync_binlog = 1\n"
                              "log_bin_trust_function_creators = 1\n"
                              "character_set_server = latin1\n"
                              "skip_character_set_client_handshake\n"
                              "default_time_zone = '-03:00'\n"
                              "transaction_isolation = READ-UNCOMMITTED\n"
                              "loose_max_statement_time = 1\n"
                              "loose_default_storage_engine = MyISAM\n"
                              "sql_mode = ''\n";

constexpr char kWide[] = "character_set_server = utf16\n"
                         "collation_server = utf16_general_ci\n"
                         "loose_idle_transaction_timeout = 2\n"
                         "innodb_lock_wait_timeout = 1\n"
                         "max_allowed_packet = 65536\n"
                         "max_connections = 40\n"
                         "loose_query_cache_type = 1\n"
                         "loose_query_cache_size = 1M\n"
                         "loose_innodb_force_primary_key = ON\n"
                         "loose_sql_require_primary_key = ON\n";

struct Row {
    const char* why;
    const char* settings;
    // seconds after which the server closes idle sessions that do not set their own timeout
    int idle;
};

std::ostream& operator<<(std::ostream& out, const Row& row)
{
    return out << row.why;
}

const Row kRows[] = {
    {"modes of sessions", kModes, 3},
    {"a binary log, latin1", kBinaryLog, 0},
    {"utf16, little of everything", kWide, 0},
};

// A stack on such a server. The administrator's own session has usual settings, because it reads
// the current data.
class ConfiguredStack {
public:
    explicit ConfiguredStack(const std::string& settings) : stack_{{}, settings}
    {
        stack_.sql(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;"
            " SET SESSION autocommit = 1, sql_mode = '', wait_timeout = 28800, completion_type = 0");
    }

    stack::Stack& stack() { return stack_; }

private:
    stack::Stack stack_;
};

// Uses each feature once.
struct Everything : mail::Story {
    explicit Everything(ConfiguredStack& configured) : mail::Story{configured.stack()} {}

    void round(const story::Tenant& who, const std::string& name)
    {
        const auto address = who.address(name);
        BOOST_TEST(create(who, name).status == 200);
        BOOST_TEST(create(who, name).status == 409);
        BOOST_TEST(change(who, name, "another horse battery").status == 200);
        BOOST_TEST(list(who).body.find(address) != std::string::npos);
        deliver(address, mail::message("Hello"));
        BOOST_TEST(size_of(who, name) > 0);
        BOOST_TEST(pop3(address, "another horse battery").messages() == 1U);
        BOOST_TEST(
            mail::Imap{endpoint("IMAP")}.login(address, story::kPassword).starts_with("NO "));
        auto sender = submission(address, "another horse battery");
        BOOST_TEST(sender.send(address, {address, "you@example.net"}, mail::message("To me"))
                       .starts_with("250 "));
        BOOST_TEST(process::eventually([&] { return messages(address) == 2; }));
        BOOST_TEST(smtp()
                       .send("you@example.net", {"o'neil\\@" + who.domain}, mail::message("Nobody"))
                       .starts_with("550 "));
        BOOST_TEST(remove(who, name).status == 200);
        BOOST_TEST(list(who).body.find(address) == std::string::npos);
        BOOST_TEST(
            smtp().send("you@example.net", {address}, mail::message("Gone")).starts_with("550 "));
        BOOST_TEST(mail::Imap{endpoint("IMAP")}
                       .login(address, "another horse battery")
                       .starts_with("NO "));
        BOOST_TEST(stack.mailboxctl({"mailbox", "restore", address}).exit == 0);
        BOOST_TEST(pop3(address, "another horse battery").messages() == 2U);
    }
};

process::Ended test_of(const stack::Stack& stack)
{
    return process::run({stack.service(), "--config", stack.setting("MAILBOXD_CONF"), "-t"});
}

bool has_word(const process::Ended& ended, const std::string& word)
{
    return (ended.out + ended.err).find(word) != std::string::npos;
}

}  // namespace

// MySQL cannot change some of these settings after it has made its files, and lacks others.
BOOST_AUTO_TEST_SUITE(database_settings, *mail::needs_mail() * mail::needs_mariadb())

BOOST_DATA_TEST_CASE(everything_works_on_it, data::make(kRows), row)
{
    ConfiguredStack stack{row.settings};
    Everything story{stack};
    const auto who = story.tenant();
    story.round(who, "alice");
    story.round(who, "bob");
    BOOST_TEST(test_of(story.stack).exit == 0);
    const auto check = story.stack.mailboxctl({"check"});
    BOOST_TEST(check.exit == 0, check.out);
    if (row.idle > 0) {
        // Connections are used again after longer idle times than the server's default would allow.
        const auto idle =
            "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'mailboxd_postfix' AND time > "
            + std::to_string(row.idle);
        BOOST_TEST_REQUIRE(process::eventually([&] { return story.stack.value(idle) != "0"; },
                                               std::chrono::seconds{30}));
        story.round(who, "carol");
    }
    story.teardown();
}

// The two settings that a session cannot change.
BOOST_AUTO_TEST_CASE(a_server_that_lacks_something_is_reported)
{
    ConfiguredStack stack{kBinaryLog};
    Everything story{stack};
    const auto who = story.tenant();
    story.stack.sql("SET GLOBAL binlog_format = STATEMENT");
    const auto reload = [&] {
        const auto old = story.stack.workers();
        ::kill(story.stack.master(), SIGHUP);
        BOOST_TEST_REQUIRE(process::eventually([&] {
            const auto now = story.stack.workers();
            return now.size() == old.size() && std::none_of(now.begin(), now.end(), [&](pid_t pid) {
                       return std::count(old.begin(), old.end(), pid) != 0;
                   });
        }));
    };
    reload();
    const auto refused = test_of(story.stack);
    BOOST_TEST(refused.exit != 0);
    BOOST_TEST(has_word(refused, "SET GLOBAL binlog_format = 'ROW'"), refused.out << refused.err);
    const auto check = story.stack.mailboxctl({"check"});
    BOOST_TEST(check.exit == 1);
    BOOST_TEST(has_word(check, "WRONG    server: "), check.out);
    BOOST_TEST(has_word(check, "binlog_format"), check.out);
    const auto mark = story.log.mark();
    BOOST_TEST(story.create(who, "alice").status == 503);
    BOOST_TEST(!story.log.expect(mark, {"error database", "binlog_format"}).empty());
    story.log_begin = story.log.mark();
    BOOST_TEST(story.list(who).status == 200);

    story.stack.sql("SET GLOBAL binlog_format = ROW");
    BOOST_TEST(story.create(who, "alice").status == 200);
    BOOST_TEST(test_of(story.stack).exit == 0);

    story.stack.sql("SET GLOBAL read_only = 1");
    const auto noted = test_of(story.stack);
    BOOST_TEST(noted.exit == 0);
    BOOST_TEST(has_word(noted, "note: until the server takes changes"), noted.out);
    BOOST_TEST(has_word(story.stack.mailboxctl({"check"}), "WRONG    server: "));
    story.stack.sql("SET GLOBAL read_only = 0");
    const auto file = story.stack.directory() / "crowded.conf";
    std::ofstream{file} << story::configuration(story.stack, {{"workers", "900"}});
    const auto crowded = process::run({story.stack.service(), "--config", file, "-t"});
    BOOST_TEST(crowded.exit == 0);
    BOOST_TEST(has_word(crowded, "note: the server's max_connections is 500"),
               crowded.out << crowded.err);
    story.teardown();
}

BOOST_AUTO_TEST_SUITE_END()
