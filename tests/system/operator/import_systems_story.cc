// import_systems_story.cc - mailboxctl import --from: the users of other mail systems log in with
// their old passwords, their aliases deliver, and what cannot be imported is reported.
//
// The dumps are in tests/fixtures/import. A user's old password there is old-NAME-42. Each story
// puts the dump's domains below a domain of its own, because the stack serves all stories.

#include "system/harness/mail.h"

#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "support/sources.h"

using process::Arguments;
using process::Ended;
using story::has;

namespace {

// What a user may do after the import.
struct User {
    const char* address;  // as in the dump
    const char* row;      // quota and state in the table
    bool logs_in = true;
};

std::string contents(const std::filesystem::path& file)
{
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

struct Moving : mail::Story {
    Moving() : account{story::unique("moved")}, below{story::unique("d") + ".example"}
    {
        BOOST_TEST_REQUIRE(stack.mailboxctl({"account", "add", account}).exit == 0);
    }

    void teardown()
    {
        mail::Story::teardown();
        const auto id = stack.value("SELECT id FROM account WHERE name = " + stack::quote(account));
        stack.sql("DELETE FROM alias WHERE account_id = " + id);
        stack.sql("UPDATE domain SET forward_outside = 0 WHERE account_id = " + id);
        replace_weak_hashes();
    }

    // Puts the domains of a dump below our own: example.org becomes example-org.BELOW.
    std::string own(const std::string& text) const
    {
        static const std::regex domains{
            R"(\b(xn--[a-z]+-[a-z]+\.org|[a-z]+\.example\b|example\.(?:org|net|com)\b))"};
        std::string all;
        std::size_t end = 0;
        for (std::sregex_iterator match{text.begin(), text.end(), domains}, none; match != none;
             ++match) {
            auto name = match->str();
            if (name.starts_with("xn--")) name = name.substr(0, name.find('.'));
            std::replace(name.begin(), name.end(), '.', '-');
            all.append(text, end, static_cast<std::size_t>(match->position()) - end);
            all += name + "." + below;
            end = static_cast<std::size_t>(match->position() + match->length());
        }
        return all + text.substr(end);
    }
    // The dump of a system, with our domains.
    std::filesystem::path dump(const std::string& system) const
    {
        const auto path = stack.directory() / (story::unique(system) + ".sql");
        std::ofstream{path, std::ios::binary}
            << own(contents(sources::directory() / "tests/fixtures/import" / (system + ".sql")));
        return path;
    }
    Ended import(const std::string& system, const std::string& source, Arguments more = {}) const
    {
        Arguments arguments{"import", source, "--from", system, "--account", account};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return stack.mailboxctl(arguments);
    }
    // Dry run, import, and a second import that finds nothing to do.
    void import_twice(const std::string& system, const std::string& source,
                      const Arguments& more = {}) const
    {
        auto checks = more;
        checks.emplace_back("--dry-run");
        const auto checked = import(system, source, checks);
        BOOST_TEST_REQUIRE(checked.exit == 0, checked.err);
        BOOST_TEST(rows() == 0);
        const auto first = import(system, source, more);
        BOOST_TEST_REQUIRE(first.exit == 0, first.err);
        const auto second = import(system, source, more);
        BOOST_TEST(second.exit == 0, second.err);
        BOOST_TEST(has(second.out, "Nothing had to be changed. mailboxes: 0 new"), second.out);
        BOOST_TEST(has(second.out, "aliases: 0 new"), second.out);
    }
    std::int64_t rows() const
    {
        return std::stol(stack.value(
            "SELECT COALESCE(SUM(d.mailboxes), 0) FROM domain d JOIN account a ON a.id = d.account_id"
            " WHERE a.name = "
            + stack::quote(account)));
    }

    void expect(const std::vector<User>& users) const
    {
        for (const auto& user : users) {
            const auto address = own(user.address);
            const auto name = address.substr(0, address.find('@'));
            const auto password = "old-" + name + "-42";
            BOOST_TEST(row_of(address) == user.row, address);
            if (user.logs_in) {
                BOOST_TEST(imap(address, password).select() == 0U, address);
                BOOST_TEST(pop3(address, password).messages() == 0U, address);
            } else {
                BOOST_TEST(mail::Imap{endpoint("IMAP")}.login(address, password).starts_with("NO"),
                           address);
            }
        }
        BOOST_TEST(rows() == static_cast<std::int64_t>(users.size()));
        const auto wrong = own(users.front().address);
        BOOST_TEST(mail::Imap{endpoint("IMAP")}.login(wrong, "new-42").starts_with("NO"), wrong);
        const auto check = stack.mailboxctl({"check"});
        BOOST_TEST(!has(check.out, "WRONG"), check.out);
    }
    std::string row_of(const std::string& address) const
    {
        const auto at = address.find('@');
        return stack.value(
            "SELECT COALESCE(MAX(CONCAT(COALESCE(m.quota_bytes, 'default'), ' ', m.state)), 'none') FROM"
            " mailbox m JOIN domain d ON d.id = m.domain_id WHERE m.local_part = "
            + stack::quote(address.substr(0, at))
            + " AND d.name = " + stack::quote(address.substr(at + 1)));
    }

    // Mail to each address reaches the users with so many messages each.
    struct Sent {
        const char* to;
        std::vector<const char*> users;
    };
    void expect_delivery(const std::vector<Sent>& all) const
    {
        std::map<std::string, std::size_t> wanted;
        for (const auto& sent : all) {
            const auto to = own(sent.to);
            const auto answer = smtp().send("you@sender.test", {to}, mail::message("to " + to));
            BOOST_TEST(answer.starts_with("250 "), to << ": " << answer);
            for (const auto* const user : sent.users) ++wanted[own(user)];
        }
        for (const auto& [user, count] : wanted) {
            const auto name = user.substr(0, user.find('@'));
            const auto arrived = [&, &address = user, &number = count] {
                return imap(address, "old-" + name + "-42").select() == number;
            };
            BOOST_TEST(process::eventually(arrived), user << " has not got " << count);
        }
    }

    std::string account;
    std::string below;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(import_systems)

BOOST_FIXTURE_TEST_CASE(postfixadmin, Moving, *mail::needs_mail())
{
    const auto source = dump("postfixadmin");
    const auto report = stack.directory() / (story::unique("report") + ".csv");
    // The target on another server is bad until the operator permits it.
    const auto first = import("postfixadmin", source, {"--report", report});
    BOOST_TEST(first.exit == 1);
    BOOST_TEST(has(first.err, own("alias alice@example.org, targets: 'al@elsewhere.example' is on "
                                  "another server")),
               first.err);
    BOOST_TEST(has(first.err, "vacation: absence messages: not imported (1)"), first.err);
    BOOST_TEST(has(contents(report), own(",ghost@gone.example,not imported,mailbox,left out")),
               contents(report));
    const auto domain = own("example.org");
    BOOST_TEST_REQUIRE(stack.mailboxctl({"domain", "set", domain, "forward_outside=yes"}).exit
                       == 0);
    const auto second = import("postfixadmin", source);
    BOOST_TEST(second.exit == 0, second.err);
    BOOST_TEST(has(second.out, "mailboxes: 0 new, 9 same"), second.out);
    BOOST_TEST(has(second.out, "aliases: 1 new, 5 same"), second.out);

    expect({{"frank@example.org", "102400000 active"},
            {"o'hara@example.org", "1048576000 disabled", false},
            {"info@shop.example", "512000000 active"},
            {"carol@example.org", "0 active"},
            {"dora@closed.example", "0 disabled", false},
            {"alice@example.org", "2147483648 active"},
            {"vera@example.org", "0 active"},
            {"bob@example.org", "0 active"},
            {"erin@example.org", "0 active"}});
    const auto alice = "alice@example.org", info = "info@shop.example", bob = "bob@example.org";
    expect_delivery({{"anyone@shop.example", {info}},
                     {"someone@former.example", {info}},
                     {"abuse@example.org", {bob}},
                     {"postmaster@example.org", {bob}},
                     {"vera@example.org", {alice}},
                     {"team@brand.example", {alice, "carol@example.org"}}});
    // Its mailbox keeps nothing, because its alias did not lead to itself.
    BOOST_TEST(imap(own("vera@example.org"), "old-vera-42").select() == 0U);
}

BOOST_FIXTURE_TEST_CASE(vimbadmin, Moving, *mail::needs_mail())
{
    const auto source = dump("vimbadmin");
    const auto refused = import("vimbadmin", source, {"--dry-run"});
    BOOST_TEST(refused.exit == 1);
    BOOST_TEST(has(refused.err, own("mailbox bob@example.org, hash: ")), refused.err);
    import_twice("vimbadmin", source, {"--scheme", "PLAIN-MD5"});
    expect({{"alice@example.org", "0 active"},
            {"bob@example.org", "1073741824 active"},
            {"fay@example.org", "536870912 no_login", false},
            {"gus@example.org", "0 disabled", false},
            {"info@example.net", "0 active"}});
    const auto alice = "alice@example.org", bob = "bob@example.org", info = "info@example.net";
    expect_delivery({{"all@example.org", {alice, bob}},
                     {"sales@example.net", {info, alice}},
                     {"anyone@example.net", {alice}}});
}

// From the running database, by a user who may only read.
BOOST_FIXTURE_TEST_CASE(iredmail_from_a_running_database, Moving, *mail::needs_mail())
{
    auto name = story::unique("vmail");
    std::replace(name.begin(), name.end(), '-', '_');
    stack.sql("CREATE DATABASE " + name);
    const auto loaded = process::run({stack::client_program(), "-S", stack.setting("DB_SOCKET"),
                                      "-u", stack.setting("DB_ADMIN_USER"), name},
                                     {.input = contents(dump("iredmail"))});
    BOOST_TEST_REQUIRE(loaded.exit == 0, loaded.err);
    const auto password = stack.directory() / (name + ".password");
    std::ofstream{password} << "read only\n";
    stack.sql("CREATE USER " + name + "@'%' IDENTIFIED BY 'read only'; GRANT SELECT ON " + name
              + ".* TO " + name + "@'%'");
    const auto source = "mysql://" + name + "@/" + name + "?socket=" + stack.setting("DB_SOCKET");
    const auto denied = import("iredmail", source, {"--dry-run"});
    BOOST_TEST(denied.exit == 1);
    BOOST_TEST(has(denied.err, "--source-password-file"), denied.err);
    import_twice("iredmail", source, {"--source-password-file", password});
    stack.sql("DROP USER " + name + "@'%'; DROP DATABASE " + name);

    expect({{"ex@example.org", "524288000 disabled", false},
            {"alice@example.org", "1073741824 active"},
            {"moved@example.org", "104857600 active"},
            {"late@example.org", "104857600 disabled", false},
            {"app@example.org", "0 no_login", false},
            {"info@example.net", "2147483648 active"},
            {"bo@example.org", "0 active"}});
    const auto alice = "alice@example.org", bo = "bo@example.org";
    expect_delivery({{"sales@example.com", {alice}},
                     {"team@example.org", {bo, alice}},
                     {"moved@example.org", {alice}},
                     {"anyone@example.net", {"info@example.net"}}});
}

BOOST_FIXTURE_TEST_CASE(mailcow, Moving, *mail::needs_mail())
{
    const auto source = dump("mailcow");
    const auto made = stack.directory() / (story::unique("made") + ".csv");
    BOOST_TEST(import("mailcow", source, {"--dry-run"}).exit == 1);  // no password for ldap1
    BOOST_TEST(story::is_sentence(import("mailcow", source, {"--adopt", "copy"}), 1,
                                  {"compressed and encrypted"}));
    import_twice("mailcow", source, {"--passwords", made});
    BOOST_TEST(has(contents(made), own("ldap1@example.org,")));
    expect({{"alice@example.org", "3221225472 active"},
            {"bob@example.org", "0 active"},
            {"off@example.org", "0 disabled", false},
            {"send@example.org", "0 no_login", false},
            {"ldap1@example.org", "1073741824 active", false},
            {"info@xn--exmple-cua.org", "0 no_login", false}});
    const auto alice = "alice@example.org", bob = "bob@example.org";
    expect_delivery({{"sales@cow.example", {alice, bob}},
                     {"staff@example.org", {bob}},
                     {"anyone@xn--exmple-cua.org", {alice}}});
}

BOOST_FIXTURE_TEST_CASE(ispconfig, Moving, *mail::needs_mail())
{
    const auto source = dump("ispconfig");
    BOOST_TEST(
        story::is_sentence(import("ispconfig", source), 1, {"several servers", "--server-id"}));
    import_twice("ispconfig", source, {"--server-id", "1"});
    expect({{"alice@example.org", "1073741824 active"},
            {"app@example.org", "0 no_login", false},
            {"cc@example.org", "0 active"},
            {"dora@closed.example", "0 disabled", false},
            {"fwd@example.org", "52428800 active"},
            {"nopop@example.org", "0 active"},
            {"off@example.org", "0 disabled", false},
            {"web@example.org", "0 active"}});
    const auto alice = "alice@example.org", cc = "cc@example.org";
    expect_delivery({{"sales@example.org", {alice, "web@example.org", cc}},
                     {"cc@example.net", {alice, cc}},
                     {"anyone@example.org", {alice}}});
}

BOOST_FIXTURE_TEST_CASE(postfixadmin_on_sqlite, Moving, *mail::needs_mail())
{
    const auto path = stack.directory() / (story::unique("postfixadmin") + ".db");
    const auto statements = own(
        "CREATE TABLE domain (domain TEXT PRIMARY KEY, active INTEGER);"
        "CREATE TABLE mailbox (username TEXT, password TEXT, quota INTEGER, domain TEXT, active INTEGER);"
        "CREATE TABLE alias (address TEXT, goto TEXT, domain TEXT, active INTEGER);"
        "INSERT INTO domain VALUES ('ALL', 1), ('example.org', 1);"
        "INSERT INTO mailbox VALUES ('bob@example.org', '{PLAIN}old-bob-42', 5000000, 'example.org', 1);"
        "INSERT INTO alias VALUES ('bob@example.org', 'bob@example.org', 'example.org', 1),"
        " ('sales@example.org', 'bob@example.org', 'example.org', 1);");
    sqlite3* handle = nullptr;
    BOOST_TEST_REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
    BOOST_TEST(sqlite3_exec(handle, statements.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(handle);
    import_twice("postfixadmin", path);
    expect({{"bob@example.org", "5000000 active"}});
    expect_delivery({{"sales@example.org", {"bob@example.org"}}});
}

// Nothing is imported from a dump of which a part is missing.
BOOST_FIXTURE_TEST_CASE(a_dump_that_was_cut_off, Moving, *mail::needs_mail())
{
    const auto source = dump("iredmail");
    std::filesystem::resize_file(source, std::filesystem::file_size(source) * 2 / 3);
    const auto ended = import("iredmail", source);
    BOOST_TEST(story::is_sentence(ended, 1, {"cut off", "nothing was changed"}));
    BOOST_TEST(rows() == 0);
    BOOST_TEST(import("exchange", source).exit == 1);
    BOOST_TEST(stack.mailboxctl({"import", source, "--account", account, "--server-id", "1"}).exit
               == 2);
}

BOOST_AUTO_TEST_SUITE_END()
