// janitor_test.cc - which sessions the janitor ends, and what it removes when.

#include "mailboxctl/janitor.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "db/accounts.h"
#include "db/lifecycle.h"
#include "db/session.h"
#include "db/transaction.h"
#include "mailboxctl/janitor_metrics.h"
#include "mailboxctl/janitor_purge.h"
#include "mailboxctl/janitor_sessions.h"
#include "mailboxctl/recount.h"
#include "support/database.h"
#include "support/dovecot.h"
#include "support/folders.h"
#include "support/sources.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;
using boost::test_tools::per_element;
using Strings = std::vector<std::string>;

namespace {

constexpr auto kNoEnd = janitor::Clock::time_point::max();

// Each test has its own database, because the janitor works on all accounts.
struct Own {
    database::Database database;
};

struct Fixture : Own, database::Tenant {
    Fixture() : database::Tenant{Own::database}
    {
        store.create(grant(), {mailbox("alice"), mailbox("bob")}, actor);
    }
    database::Database& db() { return Own::database; }

    std::string login(std::string_view name)
    {
        return storage_id(name) + "." + std::to_string(generation(name)) + "@" + domain.name();
    }
    std::int64_t count(db::Statement statement) { return db().number(statement); }
    std::int64_t rows_of_sessions() { return count("SELECT COUNT(*) FROM session_end"); }

    db::Session its_session{db().config().db, "", db().config()};
};

struct Sessions : Fixture {
    dovecot::Users users;
    dovecot::Server server{[this](const std::string& body) { return users.reply(body); }};
    dovecot::Client client{server.config()};
    janitor::Sessions sessions{its_session, client};

    void make_old() { db().run("UPDATE session_end SET since = since - 121"); }
};

struct Change : support::Row {
    void (*make)(Sessions& house);
    bool ends_alice;
    bool ends_bob;
};

const Change kChanges[] =
    {
        {"none", [](Sessions& /*house*/) {}, false, false},
        {"a password",
         [](Sessions& house) {
    house.store.change_password(house.grant(), house.address("alice"), "{PLAIN}x", house.actor);
         },
         true, false},
        {"a password by POST",
         [](Sessions& house) {
    auto grant = house.grant();
    grant.domain_updates_duplicates = true;
    house.store.create(grant, {house.mailbox("alice")}, house.actor);
         },
         true, false},
             {"a deletion",
              [](Sessions& house) {
    house.store.remove(house.grant(), house.address("alice"), house.actor);
              },
              true, false},
    {"a deletion, and another of that name",
     [](Sessions& house) {
    house.store.remove(house.grant(), house.address("alice"), house.actor);
    house.store.create(house.grant(), {house.mailbox("alice")}, house.actor);
     },
     true, false},
    {"a suspension",
     [](Sessions& house) {
    auto connection = house.db().connect();
    life::Changes{connection}.set_state(house.address("alice"), mailbox::State::no_login);
     },
     true, false},
    {"a suspension and its end",
     [](Sessions& house) {
    auto connection = house.db().connect();
    life::Changes{connection}.set_state(house.address("alice"), mailbox::State::disabled);
    life::Changes{connection}.set_state(house.address("alice"), mailbox::State::active);
     },
     true, false},
    {"a domain's suspension",
     [](Sessions& house) {
    auto connection = house.db().connect();
    admin::Admin{connection}.set_domain_state(house.domain, mailbox::State::no_login);
     },
     true, true},
    {"an account's suspension",
     [](Sessions& house) {
    auto connection = house.db().connect();
    admin::Admin{connection}.set_account_state(house.account, mailbox::State::disabled);
     },
     true, true},
    {"an account's suspension and its end",
     [](Sessions& house) {
    auto connection = house.db().connect();
    admin::Admin{connection}.set_account_state(house.account, mailbox::State::disabled);
    admin::Admin{connection}.set_account_state(house.account, mailbox::State::active);
     },
     false, false},
    {"a domain's removal",
     [](Sessions& house) {
    auto connection = house.db().connect();
    admin::Admin{connection}.remove_domain(house.domain);
     },
     true, true},
    {"a quota",
     [](Sessions& house) {
    auto connection = house.db().connect();
    life::Changes{connection}.set_quota(house.address("alice"), 1);
     },
     false, false},
    };

}  // namespace

BOOST_AUTO_TEST_SUITE(janitors)

// --- sessions -------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(dovecot_is_left_alone_where_nothing_happened, Sessions)
{
    users.connected = {login("alice")};
    BOOST_TEST(!sessions.sweep().was_due);
    BOOST_TEST(server.requests().empty());
}

BOOST_DATA_TEST_CASE_F(Sessions, who_is_ended, data::make(kChanges), row)
{
    Fixture other;
    const auto alice = login("alice");
    const auto bob = login("bob");
    const Strings strangers{"root",
                            "alice@" + domain.name(),
                            storage_id("alice") + "@" + domain.name(),
                            storage_id("alice") + ".@x",
                            storage_id("alice") + ".1x@x",
                            std::string(32, '*') + ".1@x",
                            "." + alice,
                            ""};
    users.connected = {alice, bob, alice};
    users.connected.insert(users.connected.end(), strangers.begin(), strangers.end());
    row.make(*this);
    Strings expected;
    if (row.ends_alice) expected.push_back(alice);
    if (row.ends_bob) expected.push_back(bob);
    BOOST_TEST(sessions.sweep().ended == static_cast<std::int64_t>(expected.size()));
    BOOST_TEST(users.kicked == expected, per_element());
    BOOST_TEST(sessions.sweep().ended == 0);
}

// A login with the new password is not ended by any sweep.
BOOST_FIXTURE_TEST_CASE(a_session_from_after_the_change_goes_on, Sessions)
{
    const auto before = login("alice");
    store.change_password(grant(), address("alice"), "{PLAIN}x", actor);
    const auto after = login("alice");
    users.connected = {before, after};
    for (int i = 0; i < 3; ++i) sessions.sweep();
    BOOST_TEST(users.kicked == Strings{before}, per_element());
    BOOST_TEST(users.connected == Strings{after}, per_element());
}

// A login that was verified just before the change appears after the first sweep.
BOOST_FIXTURE_TEST_CASE(a_session_that_was_on_its_way, Sessions)
{
    const auto before = login("alice");
    store.change_password(grant(), address("alice"), "{PLAIN}x", actor);
    BOOST_TEST(sessions.sweep().ended == 0);
    BOOST_TEST(rows_of_sessions() == 1);
    users.connected = {before};
    BOOST_TEST(sessions.sweep().ended == 1);
}

BOOST_FIXTURE_TEST_CASE(the_reason_is_forgotten_when_it_is_old_and_nobody_was_there, Sessions)
{
    const auto before = login("alice");
    store.change_password(grant(), address("alice"), "{PLAIN}x", actor);
    sessions.sweep();
    BOOST_TEST(rows_of_sessions() == 1);
    make_old();
    users.connected = {before};
    janitor::Sessions later{its_session, client};
    BOOST_TEST(later.sweep().ended == 1);
    BOOST_TEST(rows_of_sessions() == 1);  // until a sweep finds the session gone
    BOOST_TEST(later.sweep().ended == 0);
    BOOST_TEST(rows_of_sessions() == 0);
    BOOST_TEST(!later.sweep().was_due);
}

BOOST_FIXTURE_TEST_CASE(old_reasons_go_and_young_ones_stay, Sessions)
{
    store.change_password(grant(), address("alice"), "{PLAIN}x", actor);
    make_old();
    store.change_password(grant(), address("bob"), "{PLAIN}x", actor);
    sessions.sweep();
    BOOST_TEST(db().column("SELECT storage_id FROM session_end") == Strings{storage_id("bob")},
               per_element());
}

// A few seconds after the change, not every sweep asks Dovecot.
BOOST_FIXTURE_TEST_CASE(sweeps_become_rarer, Sessions)
{
    store.change_password(grant(), address("alice"), "{PLAIN}x", actor);
    BOOST_TEST(sessions.sweep().was_due);
    BOOST_TEST(sessions.sweep().was_due);
    db().run("UPDATE session_end SET since = since - 10");
    BOOST_TEST(!sessions.sweep().was_due);
    store.change_password(grant(), address("bob"), "{PLAIN}x", actor);
    BOOST_TEST(sessions.sweep().was_due);
}

// With more rows than the sweep reads one by one, it checks every session.
BOOST_FIXTURE_TEST_CASE(after_a_thousand_changes, Sessions)
{
    Strings before;
    for (int begin = 0; begin < 300; begin += 100) {
        std::vector<store::NewMailbox> many;
        for (int i = begin; i < begin + 100; ++i) many.push_back(mailbox("m" + std::to_string(i)));
        store.create(grant(), many, actor);
    }
    for (int i = 0; i < 300; ++i) users.connected.push_back(login("m" + std::to_string(i)));
    const auto alice = login("alice");
    users.connected.push_back(alice);
    for (int i = 0; i < 250; ++i) {
        const auto name = "m" + std::to_string(i);
        before.push_back(login(name));
        for (int again = 0; again < 4; ++again)
            store.change_password(grant(), address(name), "{PLAIN}x", actor);
    }
    BOOST_TEST(sessions.sweep().ended == 250);
    std::sort(before.begin(), before.end());
    std::sort(users.kicked.begin(), users.kicked.end());
    BOOST_TEST(users.kicked == before, per_element());
    BOOST_TEST(users.connected.size() == 51U);
    make_old();
    sessions.sweep();
    BOOST_TEST(rows_of_sessions() == 0);
}

// A change that is not committed yet is not seen, and blocks nothing.
BOOST_FIXTURE_TEST_CASE(a_change_under_way, Sessions)
{
    const auto before = login("alice");
    users.connected = {before};
    store.change_password(grant(), address("bob"), "{PLAIN}x", actor);
    make_old();
    auto connection = db().connect();
    {
        const db::Transaction transaction{connection};
        connection.execute(
            "UPDATE mailbox SET generation = generation + 1 WHERE local_part = 'alice'");
        connection.execute(
            "INSERT INTO session_end (storage_id, since) VALUES ('', UNIX_TIMESTAMP())");
        BOOST_TEST(sessions.sweep().ended == 0);
        BOOST_TEST(rows_of_sessions() == 0);
    }
    BOOST_TEST(users.kicked.empty());
}

BOOST_FIXTURE_TEST_CASE(what_dovecot_did_not_hear_is_said_again, Sessions)
{
    const auto before = login("alice");
    store.change_password(grant(), address("alice"), "{PLAIN}x", actor);
    make_old();
    Config nowhere = server.config();
    nowhere.doveadm += ".absent";
    const dovecot::Client deaf{nowhere};
    janitor::Sessions failing{its_session, deaf};
    BOOST_CHECK_THROW(failing.sweep(), dovecot::Failed);
    BOOST_CHECK_THROW(failing.sweep(), dovecot::Failed);
    BOOST_TEST(rows_of_sessions() == 1);
    users.connected = {before};
    BOOST_TEST(sessions.sweep().ended == 1);
}

BOOST_FIXTURE_TEST_CASE(one_that_does_not_obey, Sessions)
{
    const auto before = login("alice");
    store.change_password(grant(), address("alice"), "{PLAIN}x", actor);
    std::int64_t ended = 0;
    std::vector<std::string> stayed;
    for (int i = 0; i < 3 * janitor::kPatience; ++i) {
        users.connected = {before};
        const auto sweep = sessions.sweep();
        BOOST_TEST(sweep.kicked == 1);
        ended += sweep.ended;
        stayed.insert(stayed.end(), sweep.stayed.begin(), sweep.stayed.end());
    }
    BOOST_TEST(ended == 1);
    BOOST_TEST(stayed == std::vector<std::string>{before}, per_element());
}

// --- what can no longer be restored ---------------------------------------------------

namespace {

struct Mail : Fixture {
    Mail()
    {
        fs::create_directory(config.store = directory.path("store"));
        for (const char* name : {"alice", "bob"}) make_home(storage_id(name));
    }
    fs::path home(const std::string& id) const
    {
        return fs::path{directory.path("store")} / id.substr(0, 2) / id;
    }
    void make_home(const std::string& id) const
    {
        fs::create_directories(home(id) / "Maildir" / "cur");
        std::ofstream{home(id) / "Maildir" / "cur" / "1"} << "message";
    }
    // Deletes the mailbox this many seconds ago.
    std::string deleted(std::string_view name, std::int64_t seconds_ago)
    {
        const auto id = storage_id(name);
        store.remove(grant(), address(name), actor);
        db().execute("UPDATE deleted_mailbox SET deleted_at = deleted_at - ? WHERE storage_id = ?",
                     {seconds_ago, id});
        return id;
    }
    janitor::Purge purge() { return {its_session, config}; }

    support::Directory directory;
    Config config;
};

constexpr std::int64_t kDay = 86'400;

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_store_stays_for_the_grace, Mail)
{
    const auto alice = deleted("alice", 7 * kDay - 60);
    BOOST_TEST(purge().stores(kNoEnd).stores == 0);
    BOOST_TEST(fs::exists(home(alice)));
    BOOST_TEST(count("SELECT COUNT(*) FROM deleted_mailbox WHERE purged_at IS NULL") == 1);
}

BOOST_FIXTURE_TEST_CASE(a_store_goes_after_it, Mail)
{
    const auto alice = deleted("alice", 7 * kDay + 1);
    const auto purged = purge().stores(kNoEnd);
    BOOST_TEST(purged.is_complete);
    BOOST_TEST(purged.stores == 1);
    BOOST_TEST(purged.files == 1);
    BOOST_TEST(purged.bytes == 7);
    BOOST_TEST(!fs::exists(home(alice)));
    BOOST_TEST(fs::exists(home(storage_id("bob"))));
    BOOST_TEST(count("SELECT COUNT(*) FROM deleted_mailbox") == 0);
}

BOOST_FIXTURE_TEST_CASE(the_grace_is_a_setting, Mail)
{
    config.deleted_for = std::chrono::days{1};
    const auto alice = deleted("alice", kDay - 60);
    const auto bob = deleted("bob", kDay + 1);
    BOOST_TEST(purge().stores(kNoEnd).stores == 1);
    BOOST_TEST(fs::exists(home(alice)));
    BOOST_TEST(!fs::exists(home(bob)));
}

BOOST_FIXTURE_TEST_CASE(one_that_never_got_mail, Mail)
{
    const auto alice = deleted("alice", 8 * kDay);
    fs::remove_all(home(alice));
    BOOST_TEST(purge().stores(kNoEnd).stores == 1);
    BOOST_TEST(count("SELECT COUNT(*) FROM deleted_mailbox") == 0);
}

// The janitor is killed at any moment: the row stays until no mail is left, and the next run
// continues.
BOOST_FIXTURE_TEST_CASE(a_purge_that_was_cut_off, Mail)
{
    const auto alice = deleted("alice", 8 * kDay);
    std::ofstream{home(alice) / "Maildir" / "cur" / "2"} << "message";
    int calls = 0;
    for (bool is_complete = false; !is_complete; ++calls) {
        BOOST_TEST_REQUIRE(calls < 10);
        is_complete = purge().stores(janitor::Clock::time_point::min()).is_complete;
        BOOST_TEST(!fs::exists(home(alice)));
    }
    BOOST_TEST(calls > 1);
    BOOST_TEST(count("SELECT COUNT(*) FROM deleted_mailbox") == 0);
    BOOST_TEST(!fs::exists(home(alice).string() + ".removed"));
}

BOOST_FIXTURE_TEST_CASE(one_that_cannot_be_removed, Mail)
{
    std::vector<std::string> ids;
    for (const char* name : {"alice", "bob"}) ids.push_back(deleted(name, 8 * kDay));
    std::sort(ids.begin(), ids.end());  // the first to be removed
    folders::deepen(home(ids[0]));
    const auto purged = purge().stores(kNoEnd);
    BOOST_TEST(purged.is_complete);
    BOOST_TEST(purged.stores == 1);
    BOOST_TEST(!fs::exists(home(ids[1])));
    BOOST_TEST_REQUIRE(purged.failed.size() == 1U);
    BOOST_TEST(purged.failed[0].first == ids[0]);
    BOOST_TEST(count("SELECT COUNT(*) FROM deleted_mailbox WHERE purged_at IS NOT NULL") == 1);
    fs::remove_all(home(ids[0]).string() + ".removed");
    BOOST_TEST(purge().stores(kNoEnd).stores == 1);
}

// The disk is not mounted: a missing folder does not mean that the mail is gone.
BOOST_FIXTURE_TEST_CASE(a_store_that_is_not_mounted, Mail)
{
    const auto alice = deleted("alice", 8 * kDay);
    db().run("UPDATE deleted_mailbox SET size_bytes = 7");
    fs::rename(config.store, directory.path("away"));
    fs::create_directory(config.store);
    BOOST_CHECK_THROW(purge().stores(kNoEnd), std::runtime_error);
    BOOST_TEST(count("SELECT COUNT(*) FROM deleted_mailbox WHERE purged_at IS NULL") == 1);
    // A mailbox that never had mail may be removed.
    db().run("UPDATE deleted_mailbox SET size_bytes = 0");
    BOOST_TEST(purge().stores(kNoEnd).stores == 1);
    fs::remove(config.store);
    fs::rename(directory.path("away"), config.store);
    BOOST_TEST(fs::exists(home(alice)));
}

// A removal that has begun is finished, whatever the setting deleted_for is now.
BOOST_FIXTURE_TEST_CASE(what_is_begun_is_ended, Mail)
{
    const auto alice = deleted("alice", kDay);
    db().run("UPDATE deleted_mailbox SET purged_at = 1");
    BOOST_TEST(purge().stores(kNoEnd).stores == 1);
    BOOST_TEST(!fs::exists(home(alice)));
}

// A mailbox that is erased at once may get a last delivery that was under way, so its row stays for
// a while.
BOOST_FIXTURE_TEST_CASE(a_delivery_that_comes_too_late, Mail)
{
    const auto alice = deleted("alice", 0);
    db().run("UPDATE deleted_mailbox SET purged_at = UNIX_TIMESTAMP()");
    BOOST_TEST(purge().stores(kNoEnd).stores == 0);
    BOOST_TEST(!fs::exists(home(alice)));
    make_home(alice);
    BOOST_TEST(purge().stores(kNoEnd).files == 1);
    BOOST_TEST(count("SELECT COUNT(*) FROM deleted_mailbox") == 1);
    db().run("UPDATE deleted_mailbox SET deleted_at = deleted_at - 121");
    BOOST_TEST(purge().stores(kNoEnd).stores == 1);
    BOOST_TEST(!fs::exists(home(alice)));
}

// This happens only if the tables were changed by hand. Then the mail must stay.
BOOST_FIXTURE_TEST_CASE(a_store_in_use_is_not_touched, Mail)
{
    const auto alice = storage_id("alice");
    for (const char* purged_at : {"NULL", "1"}) {
        db().run(
            "INSERT INTO deleted_mailbox (storage_id, domain_id, domain, local_part, created_at, size_bytes, state, password, generation,"
            " quota_bytes, deleted_at, deleted_by, purged_at) SELECT storage_id, domain_id, 'x', local_part, created_at, size_bytes, state, password, generation,"
            " quota_bytes, 1, 'tester', "
            + std::string{purged_at} + " FROM mailbox WHERE local_part = 'alice'");
        BOOST_TEST(purge().stores(kNoEnd).stores == 0);
        BOOST_TEST(fs::exists(home(alice)));
        db().run("DELETE FROM deleted_mailbox");
    }
}

BOOST_FIXTURE_TEST_CASE(many_at_once, Mail)
{
    for (int begin = 0; begin < 300; begin += 100) {
        std::vector<store::NewMailbox> many;
        for (int i = begin; i < begin + 100; ++i) many.push_back(mailbox("m" + std::to_string(i)));
        store.create(grant(), many, actor);
    }
    for (const auto& id : db().column("SELECT storage_id FROM mailbox")) make_home(id);
    for (int i = 0; i < 250; ++i) deleted("m" + std::to_string(i), 8 * kDay);
    BOOST_TEST(purge().stores(kNoEnd).stores == 250);
    for (const auto& id : db().column("SELECT storage_id FROM mailbox"))
        BOOST_TEST(fs::exists(home(id)));
    const auto left = std::count_if(fs::recursive_directory_iterator{config.store},
                                    fs::recursive_directory_iterator{},
                                    [](const auto& entry) { return entry.is_regular_file(); });
    BOOST_TEST(left == 52);
}

namespace {

struct Expired : support::Row {
    const char* table;
    db::Statement count;
    const char* insert;  // one that has expired and one that has not
    std::int64_t left;   // of all its rows
};

const Expired kExpired[] = {
    {"reasons to end sessions that nobody looked at for a day", "session_end",
     "SELECT COUNT(*) FROM session_end",
     "INSERT INTO session_end (storage_id, since) VALUES ('a', UNIX_TIMESTAMP() - 86401), ('b', UNIX_TIMESTAMP() - 86000)",
     1},
    {"what was sent long ago", "submission_rate", "SELECT COUNT(*) FROM submission_rate",
     "INSERT INTO submission_rate (storage_id, since, recipients) SELECT storage_id,"
     " UNIX_TIMESTAMP() - IF(local_part = 'alice', 2678401, 2678000), 5 FROM mailbox",
     1},
    {"what was sent more than an hour ago", "sending_rate", "SELECT COUNT(*) FROM sending_rate",
     "INSERT INTO sending_rate (kind, name, since, recipients) VALUES ('mailbox', 'a@b', UNIX_TIMESTAMP() - 3601, 5),"
     " ('domain', 'b', UNIX_TIMESTAMP() - 3000, 5)",
     1},
    {"what nobody asks about any more", "audit_log", "SELECT COUNT(*) FROM audit_log",
     "INSERT INTO audit_log (at, id, actor, client, action, domain, local_part) VALUES"
     " ((UNIX_TIMESTAMP() - 34560001) * 1000000, 1, '', '', '', '', ''), ((UNIX_TIMESTAMP() - 34550000) * 1000000, 2, '', '', '', '', '')",
     6},
    {"keys that ended as long ago", "api_key", "SELECT COUNT(*) FROM api_key",
     "INSERT INTO api_key (id, hash, account_id, created_at, expires_at, revoked_at) SELECT 'expired', 'x', id, 0, UNIX_TIMESTAMP() - 34560001, NULL"
     " FROM account UNION SELECT 'revoked', 'x', id, 0, NULL, UNIX_TIMESTAMP() - 34560001 FROM account"
     " UNION SELECT 'lately', 'x', id, 0, UNIX_TIMESTAMP() - 34550000, UNIX_TIMESTAMP() - 34550000 FROM account",
     2},
    {"ranges that have nobody", "mailbox_range", "SELECT COUNT(*) FROM mailbox_range",
     "INSERT INTO mailbox_range SELECT id, 77, 0, '' FROM domain UNION SELECT id, 78, 3, CHAR(3) FROM domain",
     2},
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Mail, rows_expire, data::make(kExpired), row)
{
    db().run(row.insert);
    const auto purged = janitor::purge_rows(its_session, config, kNoEnd);
    BOOST_TEST(purged.is_complete);
    BOOST_TEST(purged.rows.size() == 1U);
    BOOST_TEST(purged.rows.at(row.table) == (std::string{row.table} == "api_key" ? 2 : 1));
    BOOST_TEST(db().number(row.count) == row.left);
    BOOST_TEST(janitor::purge_rows(its_session, config, kNoEnd).rows.empty());
}

BOOST_FIXTURE_TEST_CASE(rows_expire_little_by_little, Mail)
{
    db().run(
        "INSERT INTO session_end (storage_id, since) SELECT 'a', 1 FROM information_schema.collations LIMIT 5");
    db().run("INSERT INTO mailbox_range SELECT id, 77, 0, '' FROM domain");
    std::int64_t count = 0;
    int calls = 0;
    for (bool is_complete = false; !is_complete; ++calls) {
        BOOST_TEST_REQUIRE(calls < 10);
        const auto purged =
            janitor::purge_rows(its_session, config, janitor::Clock::time_point::min());
        for (const auto& [table, rows] : purged.rows) count += rows;
        is_complete = purged.is_complete;
    }
    BOOST_TEST(count == 6);
}

BOOST_FIXTURE_TEST_CASE(the_audit_logs_age_is_a_setting, Mail)
{
    config.audited_for = std::chrono::days{1};
    db().run("UPDATE audit_log SET at = at - 2 * 86400 * 1000000 WHERE action = 'create'");
    BOOST_TEST(janitor::purge_rows(its_session, config, kNoEnd).rows.at("audit_log") == 2);
}

BOOST_FIXTURE_TEST_CASE(folders_that_no_row_knows, Mail)
{
    const auto alice = deleted("alice", 0);
    const std::string id = "fe" + std::string(30, '0');
    make_home(id);
    Strings unknown;
    for (int i = 0; i < 256; ++i) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        const std::string prefix{kDigits[static_cast<std::size_t>(i) / 16],
                                 kDigits[static_cast<std::size_t>(i) % 16]};
        for (const auto& each : purge().unknown(prefix)) unknown.push_back(each);
    }
    BOOST_TEST(unknown == Strings{id}, per_element());
    BOOST_TEST(fs::exists(home(id)));

    for (const auto& known : {alice, storage_id("bob")}) {
        BOOST_TEST(purge().remove_unknown(known, kNoEnd).stores == 0);
        BOOST_TEST(fs::exists(home(known)));
    }
    const auto purged = purge().remove_unknown(id, kNoEnd);
    BOOST_TEST(purged.stores == 1);
    BOOST_TEST(purged.files == 1);
    BOOST_TEST(!fs::exists(home(id)));
}

// --- the program ----------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(once_through_says_what_it_did, Mail)
{
    const auto id = deleted("alice", 8 * kDay);
    const std::string orphan = "fe" + std::string(30, '0');
    make_home(orphan);
    fs::create_directory(fs::path{config.store} / "lost+found");
    dovecot::Users users;
    users.connected = {id + ".1@" + domain.name()};
    const dovecot::Server server{[&](const std::string& body) { return users.reply(body); }};
    auto settings = db().config();
    settings.janitor_db = settings.db;
    settings.store = config.store;
    settings.doveadm = server.config().doveadm;
    settings.doveadm_key_file = server.config().doveadm_key_file;
    std::ostringstream first;
    BOOST_TEST(janitor::run_once(settings, janitor::Orphans::report, first));
    const auto path = config.store + "/fe/" + orphan;
    BOOST_TEST(first.str()
               == "sessions ended: 1\n"
                  "removed "
                      + id
                      + ": 1 files of 7 bytes\n"
                        "mailboxes removed: 1, with 1 files of 7 bytes\n"
                        "no mailbox has the folder "
                      + path
                      + "\n"
                        "not a mailbox's folder, left alone: "
                      + config.store + "/lost+found\n");
    BOOST_TEST(fs::exists(path));
    std::ostringstream second;
    BOOST_TEST(janitor::run_once(settings, janitor::Orphans::remove, second));
    BOOST_TEST(second.str().find(path + "; removed, with 1 files of 7 bytes\n")
                   != std::string::npos,
               second.str());
    BOOST_TEST(!fs::exists(path));
}

BOOST_FIXTURE_TEST_CASE(what_fails_does_not_keep_the_rest_from_being_done, Mail)
{
    deleted("alice", 8 * kDay);
    auto settings = db().config();
    settings.janitor_db = settings.db;
    settings.store = config.store;
    settings.doveadm = directory.path("absent");
    settings.doveadm_key_file = directory.write("key", "k\n");
    std::ostringstream out;
    BOOST_TEST(!janitor::run_once(settings, janitor::Orphans::report, out));
    BOOST_TEST(out.str().find("FAILED: doveadm at ") == 0U, out.str());
    BOOST_TEST(out.str().find("mailboxes removed: 1,") != std::string::npos, out.str());
    settings.store.clear();
    BOOST_CHECK_THROW(janitor::run_once(settings, janitor::Orphans::report, out),
                      std::runtime_error);
}

BOOST_FIXTURE_TEST_CASE(the_facts_for_prometheus, Sessions)
{
    its_session.connection().run("UPDATE mailbox SET size_bytes = 70 WHERE local_part = 'alice'");
    store.remove(grant(), address("bob"), actor);
    const dovecot::Server knows_no_user{[](const std::string&) {
        return dovecot::answer(R"([["error",{"type":"exitCode","exitCode":67},"user"]])");
    }};
    const dovecot::Client asked{knows_no_user.config()};
    const auto facts = janitor::facts(its_session.connection(), asked);
    BOOST_TEST(facts.accounts == 1);
    BOOST_TEST(facts.domains == 1);
    BOOST_TEST(facts.mailboxes == 1);
    BOOST_TEST(facts.stored_bytes == 70);
    BOOST_TEST(facts.deleted_mailboxes == 1);
    BOOST_TEST(facts.sessions_to_end == 1);
    BOOST_TEST(facts.dovecot_answers);
    const auto text = janitor::text(facts, 1'700'000'000);
    BOOST_TEST(text.find("\nmailboxd_stored_bytes 70\n") != std::string::npos, text);
    BOOST_TEST(text.find("\nmailboxd_janitor_last_success_timestamp_seconds 1700000000\n")
                   != std::string::npos,
               text);
}

BOOST_AUTO_TEST_CASE(the_file_of_metrics_is_replaced_as_a_whole)
{
    const support::Directory directory;
    const auto path = directory.path("mailboxd.prom");
    janitor::write_file(path, "old\n");
    janitor::write_file(path, "new\n");
    BOOST_TEST(sources::contents(path) == "new\n");
    BOOST_TEST(((fs::status(path).permissions() & fs::perms::others_read) != fs::perms::none));
    BOOST_TEST(!fs::exists(path + ".new"));
    BOOST_CHECK_THROW(janitor::write_file(directory.path("nowhere/mailboxd.prom"), ""),
                      std::system_error);
}

BOOST_AUTO_TEST_SUITE_END()
