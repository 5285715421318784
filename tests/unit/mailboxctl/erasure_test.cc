// erasure_test.cc - what `erase` removes for good, and what stays.

#include "mailboxctl/erasure.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>

#include "db/accounts.h"
#include "db/aliases.h"
#include "db/domain_names.h"
#include "db/lifecycle.h"
#include "db/session.h"
#include "mailboxctl/janitor_purge.h"
#include "support/database.h"
#include "support/folders.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;
using boost::test_tools::per_element;
using Strings = std::vector<std::string>;

namespace {

// A domain with the mailboxes alice and bob, which have mail and have been used. alice had an
// earlier mailbox, too.
struct Fixture : database::Tenant {
    Fixture()
    {
        fs::create_directory(config.store = directory.path("store"));
        store.create(grant(), {mailbox("alice"), mailbox("bob")}, actor);
        keep("alice");
        store.remove(grant(), address("alice"), actor);
        store.create(grant(), {mailbox("alice")}, actor);
        keep("alice");
        keep("bob");
    }
    void keep(std::string_view name)
    {
        const auto id = storage_id(name);
        homes[std::string{name}].push_back(fs::path{config.store} / id.substr(0, 2) / id);
        fs::create_directories(homes[std::string{name}].back());
        std::ofstream{homes[std::string{name}].back() / "1"} << "message";
        database.execute(
            "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (CONCAT(?, '@x'), 7, 1)",
            {id});
        database.execute("INSERT INTO mailbox_activity (storage_id, last_login) VALUES (?, 1)",
                         {id});
    }
    bool has_mail(const std::string& name)
    {
        return std::any_of(homes[name].begin(), homes[name].end(),
                           [](const auto& home) { return fs::exists(home); });
    }
    static std::map<std::string, std::int64_t> counts(erasure::Erasure& erasure)
    {
        const auto rows = erasure.rows();
        return {rows.begin(), rows.end()};
    }
    std::int64_t known(std::string_view text)
    {
        return database.number(
            "SELECT (SELECT COUNT(*) FROM deleted_mailbox WHERE local_part = ? AND domain = ?)"
            " + (SELECT COUNT(*) FROM audit_log WHERE local_part = ? AND domain = ?)",
            {text, domain.name(), text, domain.name()});
    }
    erasure::Done erase(const erasure::Target& what)
    {
        erasure::Erasure erasure{its_session, what};
        return erasure::erase(erasure, its_session, config);
    }
    erasure::Target alice() const { return {.domain = domain.name(), .local_part = "alice"}; }
    erasure::Target all() const { return {.domain = domain.name()}; }

    support::Directory directory;
    Config config = database.config();
    std::map<std::string, std::vector<fs::path>> homes;
    db::Session its_session{database.config().db, database.config().db.password(),
                            database.config()};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(erasures)

namespace {

struct Line : support::Row {
    std::string text;
    bool names_alice;   // al.ice@exa-mple.org
    bool names_domain;  // exa-mple.org
};

const Line kLines[] = {
    {"the address", "to=<al.ice@exa-mple.org>, relay=", true, true},
    {"in capitals", "to=<Al.Ice@EXA-mple.org>, relay=", true, true},
    {"with an extension", "orig_to=<al.ice+news@exa-mple.org>", true, true},
    {"with an encoded extension", "al.ice%2Bnews%40exa-mple.org", true, true},
    {"a path", "\"DELETE /exa-mple.org/mailboxes/al.ice HTTP/1.1\"", true, true},
    {"a path with the address", "\"PUT /v3/exa-mple.org/mailboxes/al.ice@exa-mple.org HTTP/1.1\"",
     true, true},
    {"a path with an encoded address",
     "\"PUT /v3/exa-mple.org/mailboxes/al.ice%40exa-mple.org HTTP/1.1\"", true, true},
    {"a path of credentials", "\"PUT /v3/domains/exa-mple.org/credentials/al.ice HTTP/1.1\"", true,
     true},
    {"a path in capitals", "\"PUT /v4/domains/EXA-MPLE.ORG/credentials/AL.ICE HTTP/2.0\"", true,
     true},
    {"a dot after the domain", "\"PUT /exa-mple.org./mailboxes/al.ice HTTP/1.1\"", true, true},
    {"an encoded dot after it", "\"PUT /exa-mple.org%2e/mailboxes/al.ice HTTP/1.1\"", true, true},
    {"a slash too many, as nginx refuses it", "\"PUT /exa-mple.org//mailboxes//al.ice HTTP/1.1\"",
     true, true},
    {"every letter encoded",
     "/%65%78%61%2d%6d%70%6c%65%2e%6f%72%67/%6d%61%69%6c%62%6f%78%65%73/%61%6c%2E%69%63%65", true,
     true},
    {"capitals encoded", "/%45xa-mple.org/mailboxes/%41%4C.ice", true, true},
    {"a target of an alias", "to=<Al.ice+x=exa-mple.org@17.forward.invalid>", true, true},
    {"a rewritten sender", "from=<SRS0=aBcD=JU=exa-mple.org=al.ice@mail.example>", true, true},
    {"another rewritten sender", "from=<SRS0=aBcD=JU=exa-mple.org=bob@mail.example>", false, true},
    {"another mailbox", "to=<bob@exa-mple.org>", false, true},
    {"a path of another mailbox", "PUT /exa-mple.org/mailboxes/bob", false, true},
    {"another domain", "to=<al.ice@example.net>", false, false},
    {"a dot is no other letter", "al-ice@exa-mplexorg", false, false},
    {"of another mailbox and not the dot", "alxice@exa-mple.org", false, true},
    {"nothing", "connect from unknown", false, false},
};

bool finds(const std::string& pattern, const std::string& text)
{
    return std::regex_search(text, std::regex{pattern, std::regex::extended | std::regex::icase});
}

}  // namespace

// The printed expression finds every form in which a log may name an address.
BOOST_DATA_TEST_CASE(a_line_of_a_log, data::make(kLines), row)
{
    BOOST_TEST(finds(erasure::pattern({.domain = "exa-mple.org", .local_part = "al.ice"}), row.text)
               == row.names_alice);
    BOOST_TEST(finds(erasure::pattern({.domain = "exa-mple.org"}), row.text) == row.names_domain);
}

BOOST_AUTO_TEST_CASE(a_domain_in_a_pattern_has_both_forms)
{
    const auto pattern =
        erasure::pattern({.domain = "xn--bcher-kva.example", .local_part = "anna"});
    for (const char* line : {"<anna@xn--bcher-kva.example>",
                             "user=<anna@b\xC3\xBC"
                             "cher.example>",
                             "GET /v3/b%C3%BCcher.example/mailboxes/anna",
                             "GET /v3/b\xC3\xBC"
                             "cher.example/mailboxes/anna"}) {
        BOOST_TEST(finds(pattern, line), line);
    }
    BOOST_TEST(!finds(pattern, "<anna@bucher.example>"));
}

BOOST_AUTO_TEST_CASE(every_character_of_a_name_in_a_pattern)
{
    const std::string name = "a._-$&'=^`{|}~9";
    const auto pattern = erasure::pattern({.domain = "x.example", .local_part = name});
    std::string encoded;
    constexpr char kDigits[] = "0123456789abcdef";
    for (const unsigned char c : name)
        encoded += std::string{'%', kDigits[c >> 4], kDigits[c & 15]};
    // With grep itself, because its expressions differ from those of std::regex.
    const support::Directory directory;
    for (const auto& [text, is_found] : {std::pair{name + "@x.example", true},
                                         {"/x.example/mailboxes/" + name, true},
                                         {encoded + "%40x.example", true},
                                         {"/domains/x.example/credentials/" + encoded, true},
                                         {name.substr(1) + "@x.example", false}}) {
        directory.write("log", text + "\n");
        directory.write("pattern", pattern + "\n");
        const auto found =
            std::system(
                ("grep -qiE -f " + directory.path("pattern") + " " + directory.path("log")).c_str())
            == 0;
        BOOST_TEST(found == is_found, text);
    }
}

BOOST_FIXTURE_TEST_CASE(what_there_is, Fixture)
{
    database.execute("INSERT INTO submission_rate (storage_id, since, recipients) VALUES (?, 1, 1)",
                     {storage_id("alice")});
    for (const auto& [kind, name] : {std::pair{"mailbox", "alice@" + domain.name()},
                                     {"mailbox", "bob@" + domain.name()},
                                     {"mailbox", std::string{"alice@another.example"}},
                                     {"domain", domain.name()}}) {
        database.execute(
            "INSERT INTO sending_rate (kind, name, since, recipients) VALUES (?, ?, 1, 1)",
            {kind, name});
    }
    erasure::Erasure of_alice{its_session, alice()};
    const std::map<std::string, std::int64_t> hers{
        {"mailbox", 1},         {"mailbox_usage", 1},   {"mailbox_activity", 1},
        {"submission_rate", 1}, {"deleted_mailbox", 1}, {"audit_log", 3},
        {"sending_rate", 1},    {"suspended_name", 0},  {"alias", 0},
        {"alias_target", 0}};
    BOOST_TEST((counts(of_alice) == hers));
    auto connection = database.connect();
    admin::NewKey narrow;
    narrow.account_id = admin::Admin{connection}.account_id(account);
    narrow.domain = domain;
    admin::Admin{connection}.add_key(narrow);
    erasure::Erasure of_all{its_session, all()};
    const std::map<std::string, std::int64_t> theirs{
        {"mailbox", 2},         {"mailbox_usage", 2},   {"mailbox_activity", 2},
        {"submission_rate", 1}, {"deleted_mailbox", 1}, {"audit_log", 5},
        {"domain", 1},          {"api_key", 1},         {"mailbox_range", 1},
        {"sending_rate", 3},    {"suspended_name", 0},  {"deleted_domain", 0},
        {"deleted_key", 0},     {"alias", 0},           {"alias_target", 0}};
    BOOST_TEST((counts(of_all) == theirs));
    erasure::Erasure of_nobody{its_session, {.domain = domain.name(), .local_part = "carol"}};
    for (const auto& [table, count] : of_nobody.rows()) BOOST_TEST(count == 0, table);
}

namespace {

// Routes of the address, of its domain, and of another domain of the account to the address.
struct Routed : Fixture {
    Routed() : connection{database.connect()}
    {
        admin::Admin admin{connection};
        admin.add_domain(second, account);
        add("match_recipient('alice@" + domain.name() + "')", "bob@" + domain.name());
        add("match_recipient('team@" + second.name() + "')",
            "Alice@" + domain.name() + ", bob@" + domain.name());
    }
    void add(const std::string& expression, const std::string& targets)
    {
        alias::Settings settings;
        settings.expression = expression;
        settings.actions = std::vector<std::string>{"forward('" + targets + "')"};
        alias::Changes{connection}.add({.whose = {}, .is_operator = true}, settings);
    }
    std::vector<std::string> actions()
    {
        return database.column(
            "SELECT CONCAT(a.local_part, ' ', a.actions) FROM alias a JOIN domain d ON d.id = a.domain_id"
            " WHERE d.account_id = (SELECT id FROM account WHERE name = ?) ORDER BY a.id",
            {account});
    }
    std::vector<std::string> targets()
    {
        return database.column(
            "SELECT t.address FROM alias_target t JOIN alias a ON a.id = t.alias_id JOIN domain d ON d.id = a.domain_id"
            " WHERE d.account_id = (SELECT id FROM account WHERE name = ?) AND t.number > 0 ORDER BY t.alias_id, t.number",
            {account});
    }
    mailbox::Domain second =
        mailbox::Domain::parse(support::unique("second-") + ".example").value();
    db::Connection connection;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(routes_forget_an_address, Routed)
{
    erasure::Erasure before{its_session, alice()};
    BOOST_TEST(counts(before).at("alias") == 1);
    BOOST_TEST(counts(before).at("alias_target") == 1);
    erase(alice());
    BOOST_TEST(actions() == Strings{"team forward('(erased), bob@" + domain.name() + "')"},
               per_element());
    BOOST_TEST(targets() == Strings{"bob@" + domain.name()}, per_element());
    erasure::Erasure after{its_session, alice()};
    for (const auto& [table, count] : after.rows()) BOOST_TEST(count == 0, table);
    // Its owner still changes the route, and with new actions sets it again.
    alias::Changes changes{connection};
    const auto team = alias::find(connection, second.name(), "team").value();
    alias::Settings settings;
    settings.description = "x";
    BOOST_CHECK_NO_THROW(changes.change({.whose = {}, .is_operator = true}, team, settings));
    BOOST_TEST(targets().size() == 1U);
}

// Only the address itself is replaced, in whichever way it was written.
BOOST_FIXTURE_TEST_CASE(routes_forget_no_other_address, Routed)
{
    const auto alias = mailbox::Domain::parse(support::unique("alias-") + ".example").value();
    domain_names::add(connection, alias, domain);
    store.create(grant(), {mailbox("malice")}, actor);
    add("match_recipient('more@" + second.name() + "')",
        "malice@" + domain.name() + ",alice@" + alias.name());
    erase(alice());
    BOOST_TEST(actions().back() == "more forward('malice@" + domain.name() + ",(erased)')");
    BOOST_TEST(targets().back() == "malice@" + domain.name());
}

// An address elsewhere stays as it was written, and may be of a domain that is hosted nowhere here.
BOOST_FIXTURE_TEST_CASE(routes_forget_an_address_elsewhere, Routed)
{
    const auto name = support::unique("elsewhere-") + ".example";
    const auto elsewhere = mailbox::Domain::parse(name).value();
    database.execute("UPDATE domain SET forward_outside = 1 WHERE name = ?", {second.name()});
    add("match_recipient('out@" + second.name() + "')",
        "Carol@" + name + ", carol+x@" + name + ",carola@" + name);
    erase({.domain = elsewhere.name(), .local_part = "carol"});
    BOOST_TEST(actions().back() == "out forward('(erased), (erased),carola@" + name + "')");
    BOOST_TEST(targets().back() == "carola@" + name);
    BOOST_TEST(targets().size() == 4U);
    erase({.domain = elsewhere.name()});
    BOOST_TEST(targets().size() == 3U);
}

// Another account sends to the domain as to any other server, and may use its alias domain.
BOOST_FIXTURE_TEST_CASE(routes_of_others_forget_an_address, Routed)
{
    const auto alias = mailbox::Domain::parse(support::unique("alias-") + ".example").value();
    domain_names::add(connection, alias, domain);
    const database::Tenant other;
    database.execute("UPDATE domain SET forward_outside = 1 WHERE id = ?", {other.domain_id});
    add("match_recipient('x@" + other.domain.name() + "')", "alice@" + alias.name());
    erase(alice());
    BOOST_TEST(database.number("SELECT COUNT(*) FROM alias_target WHERE address = ?",
                               {"alice@" + alias.name()})
               == 0);
}

BOOST_FIXTURE_TEST_CASE(routes_forget_a_domain, Routed)
{
    erase(all());
    BOOST_TEST(actions() == Strings{"team forward('(erased), (erased)')"}, per_element());
    BOOST_TEST(targets() == Strings{}, per_element());
    BOOST_TEST(database.number("SELECT COUNT(*) FROM alias WHERE domain_id = ?", {domain_id}) == 0);
}

BOOST_FIXTURE_TEST_CASE(an_address_goes, Fixture)
{
    database.execute(
        "INSERT INTO sending_rate (kind, name, since, recipients) VALUES ('mailbox', CONCAT('alice@', ?), 1, 1)",
        {domain.name()});
    const auto done = erase(alice());
    BOOST_TEST(done.mail.files == 2);
    BOOST_TEST(done.mail.bytes == 14);
    BOOST_TEST(done.storage_ids.size() == 2U);
    BOOST_TEST(names() == Strings{"bob"}, per_element());
    BOOST_TEST(counter() == 1);
    BOOST_TEST(known("alice") == 0);
    BOOST_TEST(!has_mail("alice"));
    BOOST_TEST(has_mail("bob"));
    BOOST_TEST(known("bob") == 1);
    // What stays: a storage id, for the janitor, and an audit entry without names.
    for (const auto& id : done.storage_ids) {
        BOOST_TEST(
            database.text(
                "SELECT CONCAT_WS('|', domain, local_part, password, created_at, size_bytes, deleted_by, purged_at > 0)"
                " FROM deleted_mailbox WHERE storage_id = ?",
                {id})
            == "|||0|0||1");
    }
    const auto left = database.column(
        "SELECT CONCAT_WS(' ', actor, action, client = '') FROM audit_log WHERE domain = ? AND local_part = '(erased)'"
        " ORDER BY at, id",
        {domain.name()});
    const auto key_id = key.id();
    BOOST_TEST(left
                   == (Strings{key_id + " create 1", key_id + " delete 1", key_id + " create 1",
                               "operator delete 1", "operator erase 1"}),
               per_element());
    BOOST_TEST(
        database.number(
            "SELECT COUNT(*) FROM audit_log WHERE domain = ? AND local_part = 'bob' AND client = '192.0.2.1'",
            {domain.name()})
        == 1);
    erasure::Erasure again{its_session, alice()};
    for (const auto& [table, count] : again.rows()) BOOST_TEST(count == 0, table);
}

BOOST_FIXTURE_TEST_CASE(a_domain_goes, Fixture)
{
    Fixture other;
    const auto done = erase(all());
    BOOST_TEST(done.mail.files == 3);
    BOOST_TEST(!has_mail("alice"));
    BOOST_TEST(!has_mail("bob"));
    erasure::Erasure again{its_session, all()};
    for (const auto& [table, count] : again.rows()) BOOST_TEST(count == 0, table);
    BOOST_TEST(
        database.number(
            "SELECT COUNT(*) FROM audit_log WHERE actor = ? AND domain = '(erased)' AND local_part = '(erased)' AND client = ''",
            {key.id()})
        == 4);
    BOOST_TEST(
        database.number(
            "SELECT COUNT(*) FROM audit_log WHERE domain = '(erased)' AND local_part = '' AND action = 'domain-add'")
        >= 1);
    BOOST_TEST(other.rows() == 2);
    BOOST_TEST(other.known("alice") == 4);
    BOOST_TEST(other.has_mail("alice"));
}

// The domain may belong to another customer now.
BOOST_FIXTURE_TEST_CASE(only_what_is_deleted, Fixture)
{
    auto of_deleted = all();
    of_deleted.is_deleted_only = true;
    erasure::Erasure erasure{its_session, of_deleted};
    BOOST_TEST(erasure.account() == account);
    BOOST_TEST((counts(erasure)
                == std::map<std::string, std::int64_t>{
                    {"deleted_mailbox", 1}, {"deleted_domain", 0}, {"deleted_key", 0}}));
    BOOST_TEST(erase(of_deleted).mail.files == 1);
    BOOST_TEST(counts(erasure).at("deleted_mailbox") == 0);
    BOOST_TEST(!fs::exists(homes["alice"].front()));
    BOOST_TEST(fs::exists(homes["alice"].back()));
    BOOST_TEST(has_mail("bob"));
    BOOST_TEST(names() == (Strings{"bob", "alice"}), per_element());
    BOOST_TEST(known("alice") == 3);
}

// Stopped after any step, a second run finishes the work.
BOOST_DATA_TEST_CASE_F(Fixture, stopped_and_run_again, data::make({1, 2, 3}), steps)
{
    {
        erasure::Erasure stopped{its_session, alice()};
        stopped.lock_out();
        auto connection = database.connect();
        BOOST_CHECK_THROW(
            life::Changes{connection}.restore({.address = address("alice"), .name = address("x")},
                                              std::chrono::days{7}),
            admin::Refused);
        maildir::Store mail{config.store};
        if (steps >= 2) BOOST_TEST(stopped.remove_mail(mail).files == 2);
        // The janitor may have removed the rows of mailboxes without mail in the meantime.
        if (steps >= 3)
            database.execute("DELETE FROM deleted_mailbox WHERE domain = ?", {domain.name()});
        const auto rows = stopped.rows();
        BOOST_TEST(std::any_of(rows.begin(), rows.end(),
                               [](const auto& table) { return table.second > 0; }));
    }
    erase(alice());
    BOOST_TEST(known("alice") == 0);
    BOOST_TEST(!has_mail("alice"));
    BOOST_TEST(has_mail("bob"));
}

BOOST_FIXTURE_TEST_CASE(more_than_one_statement_takes, Fixture)
{
    database.execute(
        "INSERT INTO audit_log WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)"
        " SELECT n.i, m.i, 'tester', '192.0.2.1', 'password', ?, 'alice' FROM n JOIN n m",
        {domain.name()});
    BOOST_TEST(known("alice") > 2500);
    erase(alice());
    BOOST_TEST(known("alice") == 0);
}

// Without the settings of the mail store, the mail is left to the janitor, which finds all that it
// needs in the tables.
BOOST_FIXTURE_TEST_CASE(away_from_the_store, Fixture)
{
    config.store.clear();
    const auto done = erase(alice());
    BOOST_TEST(done.left.find("the mail") != std::string::npos, done.left);
    BOOST_TEST(done.left.find("open sessions") != std::string::npos, done.left);
    BOOST_TEST(known("alice") == 2);  // a second run finds the mail by these rows
    BOOST_TEST(has_mail("alice"));
    for (const auto& id : done.storage_ids) {
        BOOST_TEST(
            database.number(
                "SELECT purged_at IS NOT NULL FROM deleted_mailbox WHERE storage_id = ?", {id})
            == 1);
    }
    database.run("UPDATE deleted_mailbox SET deleted_at = deleted_at - 121");
    config.store = directory.path("store");
    BOOST_TEST(janitor::Purge(its_session, config).stores(janitor::Clock::time_point::max()).stores
               >= 2);
    BOOST_TEST(known("alice") == 0);
}

// A mailbox that cannot be removed is reported and keeps its name until then. The others are
// removed.
BOOST_FIXTURE_TEST_CASE(one_that_cannot_be_removed, Fixture)
{
    folders::deepen(homes["alice"].front());
    const auto done = erase(alice());
    BOOST_TEST(done.mail.files >= 1);
    BOOST_TEST(done.left.find("the mail (1 mailboxes could not be removed; the first: ")
                   != std::string::npos,
               done.left);
    BOOST_TEST(!fs::exists(homes["alice"].back()));
    BOOST_TEST(known("alice") == 1);
    fs::remove_all(homes["alice"].front().string() + ".removed");
    erase(alice());
    BOOST_TEST(known("alice") == 0);
}

// The disk is not mounted: a missing folder does not mean that the mail is gone.
BOOST_FIXTURE_TEST_CASE(a_store_that_is_not_mounted, Fixture)
{
    fs::rename(config.store, directory.path("away"));
    fs::create_directory(config.store);
    const auto done = erase(alice());
    BOOST_TEST(done.left.find("is the store mounted there?") != std::string::npos, done.left);
    BOOST_TEST(known("alice") == 2);
    fs::remove(config.store);
    fs::rename(directory.path("away"), config.store);
    BOOST_TEST(erase(alice()).mail.files == 2);
    BOOST_TEST(known("alice") == 0);
}

// This happens only if the tables were changed by hand. Then the mail must stay.
BOOST_FIXTURE_TEST_CASE(a_store_in_use_is_not_touched, Fixture)
{
    database.execute(
        "INSERT INTO deleted_mailbox (storage_id, domain_id, domain, local_part, created_at, size_bytes, state, password, generation,"
        " quota_bytes, deleted_at, deleted_by, purged_at) SELECT storage_id, domain_id, ?, 'alice', created_at, size_bytes, state, password, generation,"
        " quota_bytes, 1, 'tester', NULL FROM mailbox WHERE storage_id = ?",
        {domain.name(), storage_id("bob")});
    erase(alice());
    BOOST_TEST(has_mail("bob"));
    BOOST_TEST(!has_mail("alice"));
}

BOOST_AUTO_TEST_SUITE_END()
