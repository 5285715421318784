// removal_story.cc - what removing an account or a domain removes, what mailboxctl says before it,
// and how a domain is restored.

#include "system/harness/story.h"
#include "system/harness/terminal.h"

#include <atomic>
#include <ostream>
#include <regex>
#include <thread>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;
using process::Arguments;
using process::Ended;
using story::has;
using story::is_sentence;
using Strings = std::vector<std::string>;

namespace {

struct Removals : story::Story {
    Ended ctl(const Arguments& arguments, const std::string& input = "") const
    {
        return stack.mailboxctl(arguments, input);
    }
    process::Terminal at_terminal(const Arguments& arguments) const
    {
        Arguments all{stack.setting("MAILBOXCTL"), "--config", stack.setting("MAILBOXD_CONF")};
        all.insert(all.end(), arguments.begin(), arguments.end());
        return process::Terminal{all};
    }
    std::string id_of(const story::Tenant& who) const
    {
        return stack.value("SELECT id FROM domain WHERE name = " + stack::quote(who.domain));
    }
    // Returns all rows of a domain, without the columns that a removal and a restoration may
    // change: generations, ids and versions.
    Strings all_of(const std::string& id) const
    {
        Strings all;
        for (
            const std::string& query :
            {"SELECT CONCAT_WS(' ', 'domain', account_id, name, state, on_duplicate, allow_delete_all, COALESCE(max_mailboxes, '-'),"
             " COALESCE(quota_bytes, '-'), mailboxes, created_at) FROM domain WHERE id = "
                 + id,
             "SELECT CONCAT_WS(' ', 'key', id, HEX(hash), account_id, account_state, read_only, COALESCE(addresses, '-'), label, created_at,"
             " COALESCE(expires_at, '-'), COALESCE(revoked_at, '-'), good_until) FROM api_key WHERE domain_id = "
                 + id + " ORDER BY id",
             "SELECT CONCAT_WS(' ', 'mailbox', local_part, created_at, size_bytes, state, storage_id, password, COALESCE(quota_bytes, '-'))"
             " FROM mailbox WHERE domain_id = "
                 + id + " ORDER BY id",
             "SELECT CONCAT_WS(' ', 'name', local_part, state) FROM suspended_name WHERE domain_id = "
                 + id,
             "SELECT CONCAT_WS(' ', 'ranges', SUM(mailboxes)) FROM mailbox_range WHERE domain_id = "
                 + id}) {
            for (const auto& row : stack.sql(query)) all.push_back(row[0]);
        }
        return all;
    }
};

// A domain with settings, mailboxes, keys, a suspended name and mailboxes that were deleted before.
struct Furnished : Removals {
    Furnished()
    {
        for (const char* name : {"alice", "bob", "carol", "dora"}) create(who, name);
        remove(who, "dora");
        remove(who, "bob");
        create(who, "bob");
        for (const auto& words : {Arguments{"domain", "set", who.domain, "on_duplicate=update"},
                                  {"domain", "set", who.domain, "quota_bytes=2G"},
                                  {"domain", "set", who.domain, "max_mailboxes=7"},
                                  {"domain", "set", who.domain, "allow_delete_all=yes"},
                                  {"mailbox", "quota", who.address("alice"), "1G"},
                                  {"mailbox", "suspend", who.address("carol")},
                                  {"domain", "suspend", who.domain}}) {
            BOOST_TEST(ctl(words).exit == 0);
        }
        narrow =
            story::add_key(stack, {"--account", who.account, "--domain", who.domain, "--read-only",
                                   "--label", "reports", "--expires", "2099-12-31"});
        ranged = story::add_key(
            stack, {"--account", who.account, "--domain", who.domain, "--from", "127.0.0.0/8"});
        stack.sql("UPDATE mailbox SET size_bytes = 5 WHERE domain_id = " + id
                  + "; INSERT INTO suspended_name VALUES (" + id + ", 'mallory', 'disabled')");
    }
    void remove_domain() const
    {
        BOOST_TEST(ctl({"domain", "remove", who.domain, "--yes"}).exit == 0);
    }

    const story::Tenant who = tenant();
    const std::string id = id_of(who);
    std::string narrow;
    std::string ranged;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(removals)

// --- the warning before -----------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_domain_says_what_goes_with_it, Furnished)
{
    const auto before = all_of(id);
    const Strings words{who.domain,
                        "3 mailboxes",
                        "15 bytes",
                        "2 keys",
                        "state no_login",
                        "on_duplicate update",
                        "max_mailboxes 7",
                        "quota_bytes 2147483648",
                        "allow_delete_all yes",
                        "7 days",
                        "domain restore " + who.domain};
    auto refused = words;
    refused.insert(refused.end(), {"--yes", "othing was removed"});
    BOOST_TEST(is_sentence(ctl({"domain", "remove", who.domain}), 1, refused));
    BOOST_TEST(all_of(id) == before, per_element());
    const auto removed = ctl({"domain", "remove", who.domain, "--yes"});
    BOOST_TEST(removed.exit == 0);
    for (const auto& word : words)
        BOOST_TEST(has(removed.out, word), word << " is not in: " << removed.out);
}

// The warning also comes without mailboxes, because keys and settings are lost.
BOOST_FIXTURE_TEST_CASE(an_account_says_what_goes_with_it, Furnished)
{
    const auto second = neighbour(who);
    ctl({"account", "set", who.account, "max_mailboxes=99"});
    const auto before = snapshot();
    const Strings words{who.account,
                        "2 domains",
                        who.domain,
                        second.domain,
                        "3 mailboxes",
                        "15 bytes",
                        "1 key of the account",
                        "2 keys of its domains",
                        "max_mailboxes 99",
                        "domain restore",
                        "--account"};
    auto refused = words;
    refused.insert(refused.end(), {"--yes", "othing was removed"});
    BOOST_TEST(is_sentence(ctl({"account", "remove", who.account}), 1, refused));
    BOOST_TEST(snapshot() == before);
    const auto removed = ctl({"account", "remove", who.account, "--yes"});
    for (const auto& word : words)
        BOOST_TEST(has(removed.out, word), word << " is not in: " << removed.out);
}

BOOST_FIXTURE_TEST_CASE(an_account_with_keys_alone_asks, Removals)
{
    const auto name = story::unique("account");
    ctl({"account", "add", name});
    story::add_key(stack, {"--account", name});
    BOOST_TEST(is_sentence(ctl({"account", "remove", name}), 1,
                           {"0 domains", "0 mailboxes", "1 key of the account", "--yes"}));
    BOOST_TEST(has(ctl({"account", "list"}).out, name));
}

BOOST_FIXTURE_TEST_CASE(an_empty_domain_asks_too, Removals)
{
    const auto who = tenant();
    BOOST_TEST(is_sentence(ctl({"domain", "remove", who.domain}), 1, {"0 mailboxes", "--yes"}));
}

// At a terminal it asks for the name.
BOOST_FIXTURE_TEST_CASE(the_name_is_typed, Furnished)
{
    const auto before = all_of(id);
    {
        auto terminal = at_terminal({"domain", "remove", who.domain});
        terminal.await(": ");
        BOOST_TEST(has(terminal.shown(), "3 mailboxes"), terminal.shown());
        terminal.type("yes\r");
        BOOST_TEST(terminal.end() == 1);
        BOOST_TEST(has(terminal.shown(), "othing was removed"), terminal.shown());
        BOOST_TEST(all_of(id) == before, per_element());
    }
    auto terminal = at_terminal({"domain", "remove", who.domain});
    terminal.await(": ");
    terminal.type(who.domain + "\r");
    BOOST_TEST(terminal.end() == 0);
    BOOST_TEST(all_of(id).size() < before.size());
    auto of_account = at_terminal({"account", "remove", who.account});
    of_account.await(": ");
    of_account.type(who.account + "\r");
    BOOST_TEST(of_account.end() == 0);
    BOOST_TEST(!has(ctl({"account", "list"}).out, who.account));
}

// --- restoring --------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(all_of_a_domain_comes_back, Furnished)
{
    const auto before = all_of(id);
    const auto generation =
        stack.value("SELECT MIN(generation) FROM mailbox WHERE domain_id = " + id);
    remove_domain();
    const auto listed = ctl({"domain", "list", "--deleted"}).out;
    BOOST_TEST(
        std::regex_search(listed, std::regex{who.domain + " +" + who.account
                                             + " +no_login +3 +15 +2 +\\S+ +\\S+ +" + id + "\n"}),
        listed);
    BOOST_TEST(!has(ctl({"domain", "list"}).out, who.domain));

    const auto restored = ctl({"domain", "restore", who.domain});
    BOOST_TEST(restored.exit == 0, restored.err);
    for (const auto& words : {"3 mailboxes", "15 bytes", "2 keys", "state no_login"})
        BOOST_TEST(has(restored.out, words), restored.out);
    BOOST_TEST(id_of(who) == id);
    BOOST_TEST(all_of(id) == before, per_element());
    // Mailboxes that were deleted before the domain stay deleted, and can be restored one by one.
    const auto deleted = ctl({"mailbox", "list", who.domain, "--deleted"}).out;
    BOOST_TEST(has(deleted, who.address("dora")), deleted);
    BOOST_TEST(has(deleted, who.address("bob")), deleted);
    BOOST_TEST(!has(deleted, who.address("alice")), deleted);
    BOOST_TEST(ctl({"mailbox", "restore", who.address("dora")}).exit == 0);
    // No login from before the removal is valid.
    BOOST_TEST(stack.value("SELECT MIN(generation) > " + generation
                           + " FROM mailbox WHERE domain_id = " + id)
               == "1");
    BOOST_TEST(has(ctl({"audit", who.domain}).out, "domain-restore"));
    BOOST_TEST(
        stack.value("SELECT COUNT(*) FROM deleted_domain WHERE name = " + stack::quote(who.domain))
        == "0");
    // Keys and lists work as before, and the domain can be restored only once.
    ctl({"domain", "resume", who.domain});
    BOOST_TEST(answers::page(list({who.account, who.domain, narrow})).names()
                   == (Strings{who.address("alice"), who.address("carol"), who.address("bob"),
                               who.address("dora")}),
               per_element());
    BOOST_TEST(answers::page(list({who.account, who.domain, ranged})).total_count == 4);
    BOOST_TEST(create(who, "erin").status == 200);
    BOOST_TEST(
        is_sentence(ctl({"domain", "restore", who.domain}), 1, {who.domain, "is there already"}));
    // A second removal and restoration.
    remove_domain();
    BOOST_TEST(ctl({"domain", "restore", who.domain}).exit == 0);
    BOOST_TEST(answers::page(list(who)).total_count == 5);
}

// No worker serves a page that it cached before the removal.
BOOST_FIXTURE_TEST_CASE(a_long_one_with_its_pages, Removals)
{
    const auto who = tenant();
    const auto id = id_of(who);
    stack.sql(
        "SET @domain = " + id
        + ";"
          " INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password)"
          " WITH RECURSIVE d (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < 29),"
          " n (i) AS (SELECT a.i * 30 + b.i + 1 FROM d a JOIN d b)"
          " SELECT @domain, i * 3, CONCAT('m', i), i, LEFT(SHA2(CONCAT(@domain, ' ', i), 256), 32), 'x' FROM n;"
          " INSERT INTO mailbox_range SELECT @domain, 0, 900, UNHEX(GROUP_CONCAT(LPAD(HEX(c), 2, '0') ORDER BY n SEPARATOR ''))"
          " FROM (SELECT id DIV 128 AS n, COUNT(*) AS c FROM mailbox WHERE domain_id = @domain GROUP BY id DIV 128) f;"
          " UPDATE domain SET mailboxes = 900, last_id = 2700 WHERE id = @domain");
    const auto pages = [&] {
        Strings all;
        for (int skip = 0; skip < 900; skip += 150) {
            for (const auto& name :
                 answers::page(list(who, "?limit=150&skip=" + std::to_string(skip))).names())
                all.push_back(name);
        }
        return all;
    };
    const auto before = pages();
    BOOST_TEST_REQUIRE(before.size() == 900U);
    for (int i = 0; i < 2; ++i) {
        BOOST_TEST(ctl({"domain", "remove", who.domain, "--yes"}).exit == 0);
        BOOST_TEST(list(who).status == 404);
        BOOST_TEST(ctl({"domain", "restore", who.domain}).exit == 0);
        BOOST_TEST(pages() == before, per_element());
    }
    BOOST_TEST(create(who, "newcomer").status == 200);
    BOOST_TEST(answers::page(list(who, "?skip=900")).names() == (Strings{who.address("newcomer")}),
               per_element());
}

namespace {

struct Refused {
    const char* why;
    void (*prepare)(const Furnished& story);
    Arguments options;
    Strings words;
};

std::ostream& operator<<(std::ostream& out, const Refused& row)
{
    return out << row.why;
}

const Refused kRefused[] =
    {
        {"one that never was",
         [](const Furnished& story) {
    story.stack.sql("DELETE FROM deleted_domain WHERE name = " + stack::quote(story.who.domain));
         },
         {},
         {"nothing is kept", "domain list --deleted"}},
        {"one whose time is over",
         [](const Furnished& story) {
    story.stack.sql("UPDATE deleted_domain SET deleted_at = deleted_at - 604800 WHERE name = "
                    + stack::quote(story.who.domain));
         },
         {},
         {"7 days", "deleted_for"}},
              {"one whose name was taken",
               [](const Furnished& story) {
    story.ctl({"domain", "add", story.who.domain, "--account", story.who.account});
               },
               {},
               {"is taken", "domain remove", "--id"}},
    {"another number",
     [](const Furnished&) {},
     {"--id", "4294967295"},
     {"4294967295", "domain list --deleted"}},
    {"into an account that is not there",
     [](const Furnished&) {},
     {"--account", "nobody"},
     {"nobody"}},
    {"into another account than its own",
     [](const Furnished& story) {
    story.ctl({"account", "add", "other-" + story.who.account});
     },
     {"--account", "other-{account}"},
     {"{account}", "which is there"}},
    {"one whose account was removed",
     [](const Furnished& story) {
    story.ctl({"account", "remove", story.who.account, "--yes"});
     },
     {},
     {"the account {account}", "--account NAME"}},
    {"more than its account may have",
     [](const Furnished& story) {
    story.ctl({"account", "set", story.who.account, "max_mailboxes=2"});
     },
     {},
     {"may have 2", "max_mailboxes=3"}},
    };

}  // namespace

BOOST_DATA_TEST_CASE_F(Furnished, a_domain_that_cannot_be_restored, data::make(kRefused), row)
{
    remove_domain();
    row.prepare(*this);
    const auto before = snapshot();
    const auto filled = [&](std::string text) {
        return std::regex_replace(text, std::regex{"\\{account\\}"}, who.account);
    };
    Arguments arguments{"domain", "restore", who.domain};
    for (const auto& option : row.options) arguments.push_back(filled(option));
    Strings words{who.domain};
    if (row.words.front() == "nobody") words.clear();
    for (const auto& word : row.words) words.push_back(filled(word));
    BOOST_TEST(is_sentence(ctl(arguments), 1, words));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(one_of_two_of_the_name, Furnished)
{
    remove_domain();
    ctl({"domain", "add", who.domain, "--account", who.account});
    remove_domain();
    BOOST_TEST(ctl({"domain", "restore", who.domain, "--id", id}).exit == 0);
    BOOST_TEST(id_of(who) == id);
    BOOST_TEST(stack.value("SELECT mailboxes FROM domain WHERE id = " + id) == "3");
}

BOOST_FIXTURE_TEST_CASE(into_another_account, Furnished)
{
    BOOST_TEST(ctl({"account", "remove", who.account, "--yes"}).exit == 0);
    const auto other = tenant();
    tenants.front().key = other.key;  // to list the remaining mailboxes
    const auto restored = ctl({"domain", "restore", who.domain, "--account", other.account});
    BOOST_TEST(restored.exit == 0, restored.err);
    BOOST_TEST(has(restored.out, other.account), restored.out);
    BOOST_TEST(answers::page(list({other.account, who.domain, other.key})).total_count == 3);
    BOOST_TEST(answers::page(list({other.account, who.domain, narrow})).total_count == 3);
}

// A key that was revoked meanwhile must not become valid again.
BOOST_FIXTURE_TEST_CASE(a_key_that_was_revoked_meanwhile, Furnished)
{
    remove_domain();
    BOOST_TEST(ctl({"key", "revoke", narrow.substr(4, 10)}).exit == 0);
    BOOST_TEST(ctl({"domain", "restore", who.domain}).exit == 0);
    BOOST_TEST(list({who.account, who.domain, narrow}).status == 401);
    BOOST_TEST(list({who.account, who.domain, ranged}).status == 200);
}

// Calls before, during and after the removal: each acknowledged mailbox exists, and none exists
// twice or in part.
BOOST_FIXTURE_TEST_CASE(while_mailboxes_are_created, Removals)
{
    const auto who = tenant();
    const auto id = id_of(who);
    std::atomic<bool> is_over = false;
    std::atomic<int> tries = 0;
    Strings created;
    std::string problem;
    std::thread creator{[&] {
        for (int i = 0; !is_over; ++i) {
            const auto name = "m" + std::to_string(i);
            const auto answer = stack.server().send(
                {.method = "POST",
                 .target = who.mailboxes(),
                 .headers = {{"Authorization", http::basic(who.key)}},
                 .body = http::form({{"mailbox", name}, {"password", story::kPassword}})});
            if (answer.status == 200) created.push_back(who.address(name));
            else if (answer.status != 404)
                problem = std::to_string(answer.status) + " " + answer.body;
            ++tries;
        }
    }};
    for (int i = 0; i < 4; ++i) {
        const int before = tries;
        BOOST_TEST(process::eventually([&] { return tries > before + 3; }));
        BOOST_TEST(ctl({"domain", "remove", who.domain, "--yes"}).exit == 0);
        BOOST_TEST(ctl({"domain", "restore", who.domain}).exit == 0);
    }
    is_over = true;
    creator.join();
    BOOST_TEST(problem == "");
    BOOST_TEST(created.size() > 4U);
    BOOST_TEST(answers::page(list(who, "?limit=1000")).names() == created, per_element());
    BOOST_TEST(id_of(who) == id);
}

// Erasing the mail also deletes the rows that are kept of the domain.
BOOST_FIXTURE_TEST_CASE(erased_it_does_not_come_back, Furnished)
{
    remove_domain();
    const auto erased =
        process::run({stack.setting("MAILBOXCTL"), "--config", stack.setting("MAILBOXD_CONF"),
                      "erase", who.domain, "--yes", "--json"});
    for (const auto& words : {"\"deleted_domain\":1", "\"deleted_key\":2", "\"suspended_name\":2"})
        BOOST_TEST(has(erased.out, words), erased.out << erased.err);
    for (const char* table : {"deleted_domain WHERE id", "deleted_key WHERE domain_id",
                              "suspended_name WHERE domain_id"}) {
        BOOST_TEST(stack.value("SELECT COUNT(*) FROM " + std::string{table} + " = " + id) == "0",
                   table);
    }
    BOOST_TEST(is_sentence(ctl({"domain", "restore", who.domain}), 1, {"nothing is kept"}));
}

BOOST_AUTO_TEST_SUITE_END()
