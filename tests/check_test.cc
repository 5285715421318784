// check_test.cc - what `mailboxctl check` finds, and that it finds nothing where nothing is wrong.

#include "check.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sstream>

#include "database.h"
#include "migrate.h"
#include "support.h"

namespace data = boost::unit_test::data;

namespace {

struct House {
    // The points that are not well, one line each; empty when it says that all are.
    std::string wrong(const Config& config)
    {
        std::ostringstream out;
        const bool is_well = check::run(config, out);
        std::istringstream lines{out.str()};
        std::string found;
        points = 0;
        for (std::string line; std::getline(lines, line); ++points) {
            if (line.starts_with("WRONG ")) found += line + "\n";
            else BOOST_TEST(line.starts_with("ok "), line);
        }
        BOOST_TEST(is_well == found.empty());
        return found;
    }
    std::string wrong() { return wrong(database.config()); }

    database::Database database;
    database::Tenant tenant{database};
    int points = 0;
};

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(check)

BOOST_FIXTURE_TEST_CASE(all_is_well, House)
{
    BOOST_TEST(wrong() == "");
    BOOST_TEST(points >= 5);
    database::Tenant empty{database};
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice"), tenant.mailbox("bob")}, tenant.actor);
    tenant.store.remove(tenant.grant(), tenant.address("alice"), tenant.actor);
    BOOST_TEST(wrong() == "");
}

BOOST_FIXTURE_TEST_CASE(it_only_reads, House)
{
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice")}, tenant.actor);
    const database::User user{database, "'x'"};
    const support::Directory directory;
    auto config = database.config();
    config.db.user = config.ctl_db.user = user.name();
    config.db.password_file = config.ctl_db.password_file = directory.write("password", "x\n");
    BOOST_TEST(wrong(config) == "");
}

BOOST_FIXTURE_TEST_CASE(a_wrong_counter_is_named, House)
{
    database.execute("UPDATE domain SET mailboxes = 1 WHERE id = ?", {tenant.domain_id});
    BOOST_TEST(has(wrong(), "counts 1 mailboxes and has 0"));
    database.execute("UPDATE domain SET mailboxes = 0 WHERE id = ?", {tenant.domain_id});
    BOOST_TEST(wrong() == "");
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice")}, tenant.actor);
    database.execute("UPDATE domain SET mailboxes = 5 WHERE id = ?", {tenant.domain_id});
    const auto found = wrong();
    BOOST_TEST(has(found, tenant.domain.name()), found);
    BOOST_TEST(has(found, "counts 5 mailboxes and has 1"), found);
}

struct Slip : support::Row {
    const char* statement;
};

const Slip kSlips[] = {
    {"a range counts one too many", "UPDATE mailbox_range SET mailboxes = mailboxes + 1"},
    {"a fine range counts one too many", "UPDATE mailbox_range SET counts = CONCAT(CHAR(3), SUBSTR(counts, 2))"},
    {"a fine range counts none", "UPDATE mailbox_range SET counts = CONCAT(CHAR(0), SUBSTR(counts, 2))"},
    {"one that is empty counts", "UPDATE mailbox_range SET counts = CONCAT(counts, CHAR(1))"},
    {"no range", "DELETE FROM mailbox_range"},
    {"all of it in the next range", "UPDATE mailbox_range SET number = number + 1"},
};

BOOST_DATA_TEST_CASE_F(House, wrong_counts_of_ranges_are_named, data::make(kSlips), row)
{
    tenant.store.create(tenant.grant(), {tenant.mailbox("alice"), tenant.mailbox("bob")}, tenant.actor);
    BOOST_TEST(wrong() == "");
    database.run(row.statement);
    BOOST_TEST(has(wrong(), "the counts of ranges of domain " + tenant.domain.name()), wrong());
}

BOOST_FIXTURE_TEST_CASE(the_schema_is_this_programs, House)
{
    database.run("INSERT INTO schema_version VALUES (9999, 'future', 1)");
    BOOST_TEST(has(wrong(), "schema: version 9999"));
    BOOST_TEST(has(wrong(), "newer program"));
    database.run("DELETE FROM schema_version");
    const auto found = wrong();
    BOOST_TEST(has(found, "schema: version 0, this program wants " + std::to_string(migrate::newest_version())), found);
    BOOST_TEST(has(found, "mailboxctl migrate"), found);
}

BOOST_FIXTURE_TEST_CASE(a_server_that_forgets_is_named, House, *boost::unit_test::precondition(database::is_private))
{
    const auto before = database.text("SELECT @@global.innodb_flush_log_at_trx_commit");
    database.run("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
    const auto found = wrong();
    database.run("SET GLOBAL innodb_flush_log_at_trx_commit = " + before);
    BOOST_TEST(has(found, "durability"), found);
    BOOST_TEST(has(found, "innodb_flush_log_at_trx_commit = 1"), found);
}

BOOST_FIXTURE_TEST_CASE(one_user_alone_can_be_wrong, House)
{
    auto config = database.config();
    config.db.user = "absent_user";
    BOOST_TEST(has(wrong(config), "WRONG    database, as the service"));
    BOOST_TEST(!has(wrong(config), "database, as mailboxctl"));
    config = database.config();
    config.ctl_db.user = "absent_user";
    BOOST_TEST(has(wrong(config), "WRONG    database, as mailboxctl"));
    BOOST_TEST(!has(wrong(config), "database, as the service"));
    config = database.config();
    config.db.password_file = "/nonexistent/password";
    BOOST_TEST(has(wrong(config), "/nonexistent/password"));
}

BOOST_AUTO_TEST_CASE(without_a_server_nothing_is_well_and_nothing_is_thrown)
{
    const support::Directory directory;
    Config config;
    config.db.socket = config.ctl_db.socket = directory.path("absent.sock");
    std::ostringstream out;
    BOOST_TEST(!check::run(config, out));
    BOOST_TEST(has(out.str(), "WRONG "));
    BOOST_TEST(!has(out.str(), "ok "));
}

BOOST_AUTO_TEST_SUITE_END()
