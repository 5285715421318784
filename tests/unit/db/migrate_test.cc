// migrate_test.cc - migrate brings the schema from any earlier state to its version, and never
// back.

#include "base/strings.h"
#include "db/migrate.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <sstream>

#include "support/database.h"
#include "support/support.h"

using database::Content;
using database::Database;

namespace {

struct Empty {
    std::size_t apply()
    {
        auto connection = database.connect();
        progress.str("");
        return migrate::apply(connection, progress);
    }
    std::int64_t tables()
    {
        return database.number(
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'");
    }
    // Returns everything that the migrations create, as the server describes it.
    std::vector<std::string> schema()
    {
        auto all = database.column(
            "SELECT CONCAT_WS(' ', table_name, ordinal_position, column_name, column_type, is_nullable, column_default,"
            " character_set_name, collation_name) FROM information_schema.columns WHERE table_schema = DATABASE()"
            " ORDER BY table_name, ordinal_position");
        for (
            auto& line : database.column(
                "SELECT CONCAT_WS(' ', event_object_table, trigger_name, action_timing, event_manipulation, action_statement)"
                " FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY BINARY trigger_name")) {
            all.push_back(std::move(line));
        }
        for (
            auto& line : database.column(
                "SELECT CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name, non_unique)"
                " FROM information_schema.statistics WHERE table_schema = DATABASE()"
                " ORDER BY table_name, index_name, seq_in_index")) {
            all.push_back(std::move(line));
        }
        for (auto& line : database.column(
                 "SELECT CONCAT_WS(' ', table_name, constraint_name, constraint_type)"
                 " FROM information_schema.table_constraints WHERE table_schema = DATABASE()"
                 " ORDER BY table_name, constraint_name")) {
            all.push_back(std::move(line));
        }
        return all;
    }

    Database database{Content::empty};
    std::ostringstream progress;
};

std::vector<std::string> lines_of(std::string_view text)
{
    std::vector<std::string> lines;
    std::istringstream stream{std::string{text}};
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

// Returns the names of what the files create of a kind, for example TABLE, and drop in no later
// statement. They are in their order.
std::vector<std::string> made(const std::string& kind)
{
    const auto begin = "CREATE " + kind + " IF NOT EXISTS ";
    const auto dropped = "DROP " + kind + " IF EXISTS ";
    std::vector<std::string> names;
    for (std::size_t i = 0; i < migrations::kCount; ++i) {
        for (const auto& line : lines_of(migrations::kAll[i].sql)) {
            if (line.starts_with(begin))
                names.push_back(
                    line.substr(begin.size(), line.find(' ', begin.size()) - begin.size()));
            if (line.starts_with(dropped))
                std::erase(names, line.substr(dropped.size(), line.find(';') - dropped.size()));
        }
    }
    return names;
}

std::string_view uncommented(std::string_view line)
{
    return line.substr(0, line.find("--"));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(migrate)

BOOST_AUTO_TEST_CASE(the_numbers_count_up_from_one)
{
    BOOST_TEST_REQUIRE(migrations::kCount > 0U);
    for (std::size_t i = 0; i < migrations::kCount; ++i)
        BOOST_TEST(migrations::kAll[i].version == i + 1);
    BOOST_TEST(migrate::newest_version() == static_cast<std::int64_t>(migrations::kCount));
}

// A statement ends with a semicolon at the end of a line. No file has a statement that this rule
// would cut, or would never run.
BOOST_AUTO_TEST_CASE(every_file_keeps_to_the_rule_of_the_semicolon)
{
    for (std::size_t i = 0; i < migrations::kCount; ++i) {
        const auto& migration = migrations::kAll[i];
        std::string last;
        for (const auto& line : lines_of(migration.sql)) {
            const auto code = strings::trimmed(uncommented(line));
            const bool is_comment = strings::trimmed(line).starts_with("--");
            if (!code.empty()) last = line;
            if (is_comment) continue;
            BOOST_TEST(line.ends_with(';') == code.ends_with(';'), migration.name << ": " << line);
        }
        BOOST_TEST(last.ends_with(';'), migration.name << " ends without a semicolon");
    }
}

// A migration that was interrupted is run again from its beginning.
BOOST_AUTO_TEST_CASE(every_statement_that_makes_something_can_be_repeated)
{
    for (std::size_t i = 0; i < migrations::kCount; ++i) {
        for (const auto& line : lines_of(migrations::kAll[i].sql)) {
            if (!line.starts_with("CREATE ")) continue;
            BOOST_TEST((line.find(" IF NOT EXISTS ") != std::string::npos
                        || line.starts_with("CREATE OR REPLACE ")),
                       line);
        }
    }
}

BOOST_FIXTURE_TEST_CASE(an_empty_database_gets_all, Empty)
{
    BOOST_TEST(apply() == migrations::kCount);
    auto expected = made("TABLE");
    BOOST_TEST(expected.size() > 5U);
    expected.emplace_back("schema_version");
    std::sort(expected.begin(), expected.end());
    BOOST_TEST(
        database.column(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
            " ORDER BY table_name")
            == expected,
        boost::test_tools::per_element());
    auto triggers = made("TRIGGER");
    std::sort(triggers.begin(), triggers.end());
    BOOST_TEST(
        database.column(
            "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY BINARY trigger_name")
            == triggers,
        boost::test_tools::per_element());
    BOOST_TEST(database.number("SELECT MAX(version) FROM schema_version")
               == migrate::newest_version());
    BOOST_TEST(database.number(
                   "SELECT COUNT(*) FROM schema_version WHERE applied_at > UNIX_TIMESTAMP() - 100")
               == static_cast<std::int64_t>(migrations::kCount));
    for (std::size_t i = 0; i < migrations::kCount; ++i) {
        BOOST_TEST(progress.str().find("applying " + std::string{migrations::kAll[i].name} + "\n")
                       != std::string::npos,
                   progress.str());
    }
}

BOOST_FIXTURE_TEST_CASE(applied_twice_is_applied_once, Empty)
{
    apply();
    const auto before = schema();
    BOOST_TEST(apply() == 0U);
    BOOST_TEST(progress.str() == "");
    BOOST_TEST(schema() == before, boost::test_tools::per_element());
}

// Wherever a migration was interrupted, the missing tables are created.
BOOST_FIXTURE_TEST_CASE(interrupted_at_any_table_it_is_run_again, Empty)
{
    apply();
    const auto whole = schema();
    std::vector<std::string> undone;
    for (const auto& table : made("TABLE")) undone.push_back("TABLE " + table);
    for (const auto& trigger : made("TRIGGER")) undone.push_back("TRIGGER " + trigger);
    database.run("SET SESSION foreign_key_checks = 0");
    for (const auto& what : undone) {
        database.run("DROP " + what);
        database.run("DELETE FROM schema_version");
        BOOST_TEST(apply() == migrations::kCount, what);
        BOOST_TEST(schema() == whole, what);
    }
}

BOOST_FIXTURE_TEST_CASE(run_again_it_keeps_the_rows, Empty)
{
    apply();
    database.run("INSERT INTO account (name, created_at) VALUES ('kept', 1)");
    database.run("DELETE FROM schema_version WHERE version = 1");
    apply();
    BOOST_TEST(database.number("SELECT COUNT(*) FROM account WHERE name = 'kept'") == 1);
}

BOOST_FIXTURE_TEST_CASE(a_newer_schema_is_left_alone, Empty)
{
    apply();
    database.run("INSERT INTO schema_version VALUES (9999, 'future', 1)");
    database.run("DROP TABLE session_end");
    database.run("DELETE FROM schema_version WHERE version = 1");
    BOOST_CHECK_EXCEPTION(apply(), std::runtime_error, [](const std::runtime_error& error) {
        const std::string text = error.what();
        return text.find("9999") != std::string::npos && text.find("newer") != std::string::npos;
    });
    BOOST_TEST(tables() == std::ssize(made("TABLE")));  // one less, and schema_version
    BOOST_TEST(progress.str() == "");
}

BOOST_FIXTURE_TEST_CASE(two_at_once_do_it_once, Empty)
{
    const auto counts = support::in_processes(2, [&](int) {
        auto connection = database.connect();
        std::ostringstream said;
        return static_cast<int>(migrate::apply(connection, said));
    });
    BOOST_TEST(counts[0] + counts[1] == static_cast<int>(migrations::kCount));
    BOOST_TEST(tables() == std::ssize(made("TABLE")) + 1);
}

// A migrate that has to wait for another one says so, and does not just lose its connection.
BOOST_FIXTURE_TEST_CASE(one_that_must_wait_too_long_says_why, Empty)
{
    database.run("DO GET_LOCK('mailboxd migrate " + database.name() + "', 0)");
    BOOST_CHECK_EXCEPTION(apply(), std::runtime_error, [](const std::runtime_error& error) {
        return std::string{error.what()}.find("another mailboxctl migrate") != std::string::npos;
    });
    BOOST_TEST(tables() == 0);
}

BOOST_FIXTURE_TEST_CASE(the_lock_is_given_back, Empty)
{
    auto first = database.connect();
    auto second = database.connect();
    migrate::apply(first, progress);
    BOOST_TEST(migrate::apply(second, progress) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
