// routines_test.cc - triggers and functions become what the migrations define, whatever a restored
// dump has left of them.

#include "db/routines.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <set>

#include <sstream>

#include "support/database.h"
#include "support/support.h"

namespace data = boost::unit_test::data;

namespace {

struct Tables {
    std::size_t restore()
    {
        auto connection = database.connect();
        progress.str("");
        return routines::restore(connection, progress);
    }
    // Returns name, place and body of each, as the server has them.
    std::vector<std::string> stored()
    {
        auto all = database.column(
            "SELECT CONCAT_WS(' ', trigger_name, action_timing, event_manipulation, event_object_table,"
            " action_statement, definer = CURRENT_USER()) FROM information_schema.triggers"
            " WHERE trigger_schema = DATABASE() ORDER BY trigger_name");
        for (
            auto& line : database.column(
                "SELECT CONCAT_WS(' ', routine_name, routine_definition, definer = CURRENT_USER())"
                " FROM information_schema.routines WHERE routine_schema = DATABASE() ORDER BY routine_name")) {
            all.push_back(std::move(line));
        }
        return all;
    }

    database::Database database;
    std::ostringstream progress;
};

struct Damage : support::Row {
    std::vector<std::string> statements;
    std::string names;
};

const Damage kDamages[] = {
    {"no trigger of domains", {"DROP TRIGGER domain_changed"}, "trigger domain_changed"},
    {"no trigger of sizes",
     {"DROP TRIGGER mailbox_usage_updated"},
     "trigger mailbox_usage_updated"},
    {"no function", {"DROP FUNCTION submission_count"}, "function submission_count"},
    {"a trigger with another body",
     {"DROP TRIGGER domain_changed",
      "CREATE TRIGGER domain_changed BEFORE UPDATE ON domain FOR EACH ROW SET NEW.version = 7"},
     "trigger domain_changed"},
    {"a trigger on another table",
     {"DROP TRIGGER domain_changed",
      "CREATE TRIGGER domain_changed BEFORE UPDATE ON schema_version FOR EACH ROW SET @nothing = 1"},
     "trigger domain_changed"},
    {"a function with another body",
     {"DROP FUNCTION submission_count",
      "CREATE FUNCTION submission_count(user VARCHAR(64) CHARACTER SET ascii, seconds INT UNSIGNED) RETURNS INT UNSIGNED DETERMINISTIC RETURN 0"},
     "function submission_count"},
    {"a trigger under another sql_mode",
     {"SET SESSION sql_mode = 'ANSI_QUOTES'", "DROP TRIGGER mailbox_usage_inserted",
      "CREATE TRIGGER mailbox_usage_inserted AFTER INSERT ON mailbox_usage"
      " FOR EACH ROW UPDATE mailbox SET size_bytes = NEW.bytes WHERE storage_id = NEW.storage_id"},
     "trigger mailbox_usage_inserted"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(routines)

BOOST_FIXTURE_TEST_CASE(what_is_as_it_was_made_stays, Tables)
{
    const auto before = stored();
    BOOST_TEST(before.size() == routines::all().size());
    BOOST_TEST(restore() == 0U, progress.str());
    BOOST_TEST(progress.str() == "");
    BOOST_TEST(stored() == before, boost::test_tools::per_element());
}

BOOST_DATA_TEST_CASE_F(Tables, what_is_missing_or_different_is_made_anew, data::make(kDamages), row)
{
    const auto before = stored();
    for (const auto& statement : row.statements) database.run(statement);
    BOOST_TEST(restore() == 1U, progress.str());
    BOOST_TEST(progress.str().find(row.names) != std::string::npos, progress.str());
    BOOST_TEST(stored() == before, boost::test_tools::per_element());
    BOOST_TEST(restore() == 0U, progress.str());
}

// The definer is a user who does not exist any more, as after a restore on another server.
BOOST_FIXTURE_TEST_CASE(one_whose_definer_is_another_is_made_anew, Tables,
                        *boost::unit_test::precondition(database::is_private))
{
    const auto before = stored();
    database.run("DROP TRIGGER domain_changed");
    database.run("CREATE DEFINER = nobody@nowhere TRIGGER domain_changed BEFORE UPDATE ON domain"
                 " FOR EACH ROW SET NEW.version = UUID_SHORT() & 9223372036854775807");
    database.run("INSERT INTO account (name, created_at) VALUES ('a', 1)");
    database.run("INSERT INTO domain (account_id, name, created_at) VALUES (1, 'd.example', 1)");
    BOOST_CHECK_EXCEPTION(database.run("UPDATE domain SET mailboxes = 0"), db::Error,
                          [](const db::Error& error) {
        return error.number == 1449
               && std::string{error.what()}.find("mailboxctl migrate") != std::string::npos;
    });
    BOOST_TEST(restore() == 1U, progress.str());
    database.run("UPDATE domain SET mailboxes = 0");
    BOOST_TEST(stored() == before, boost::test_tools::per_element());
}

// Corrects what the triggers missed while they were missing.
BOOST_FIXTURE_TEST_CASE(sizes_and_versions_are_mended, Tables)
{
    database::Tenant tenant{database};
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice")}, tenant.actor);
    database.run("DROP TRIGGER mailbox_usage_inserted");
    database.execute(
        "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (CONCAT(?, '@', ?), 700, 1)",
        {tenant.storage_id("alice"), tenant.domain.name()});
    const auto version =
        database.number("SELECT version FROM domain WHERE id = ?", {tenant.domain_id});
    BOOST_TEST(restore() == 1U, progress.str());
    BOOST_TEST(
        database.number("SELECT size_bytes FROM mailbox WHERE domain_id = ?", {tenant.domain_id})
        == 700);
    BOOST_TEST(database.number("SELECT version FROM domain WHERE id = ?", {tenant.domain_id})
               != version);
}

// A version that counts up from what the server was started with, as UUID_SHORT() does, may be
// given by another server, too.
BOOST_FIXTURE_TEST_CASE(a_version_does_not_follow_from_the_one_before, Tables)
{
    const database::Tenant tenant{database};
    const auto version = [&] {
        return database.number("SELECT version FROM domain WHERE id = ?", {tenant.domain_id});
    };
    constexpr int kChanges = 200;
    std::set<std::int64_t> all{version()};
    BOOST_TEST(*all.begin() != 0);
    int rises = 0;
    for (int i = 0; i < kChanges; ++i) {
        const auto before = version();
        database.execute("UPDATE domain SET mailboxes = mailboxes WHERE id = ?",
                         {tenant.domain_id});
        rises += version() > before ? 1 : 0;
        all.insert(version());
    }
    BOOST_TEST(all.size() == kChanges + 1U);
    // Half of them, by chance. Fewer than 50 or more than 150 have a chance of 1 to 10^12.
    BOOST_TEST(rises > 50);
    BOOST_TEST(rises < 150);
    BOOST_TEST(*all.begin() >= 0);
    BOOST_TEST(*all.rbegin() - *all.begin() > std::int64_t{1} << 58);
}

// mailboxctl's own user may not see them, and `mailboxctl migrate` runs as that user if there is
// nothing else to do.
BOOST_FIXTURE_TEST_CASE(who_may_not_see_them_changes_nothing, Tables)
{
    const database::User user{database, "'Secret-1'"};
    const support::Directory directory;
    auto config = database.config();
    config.db.user = user.name();
    config.db.password_file = directory.write("password", "Secret-1\n");
    auto connection = database::connection(config);
    BOOST_TEST(routines::restore(connection, progress) == 0U);
    BOOST_TEST(progress.str().find("were not checked") != std::string::npos, progress.str());
}

BOOST_AUTO_TEST_SUITE_END()
