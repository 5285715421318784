// mailbox_ctl_story.cc - mailboxctl mailbox and audit: changes to single mailboxes, and reports
// about them.

#include "system/harness/story.h"
#include "system/harness/terminal.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <ostream>
#include <regex>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using process::Arguments;
using process::Ended;
using story::has;
using story::is_sentence;

namespace {

struct Operator : story::Story {
    Ended ctl(const Arguments& arguments, const std::string& input = "") const
    {
        return stack.mailboxctl(arguments, input);
    }

    // Runs mailboxctl at a terminal of its own.
    process::Terminal at_terminal(const Arguments& arguments) const
    {
        Arguments all{stack.setting("MAILBOXCTL"), "--config", stack.setting("MAILBOXD_CONF")};
        all.insert(all.end(), arguments.begin(), arguments.end());
        return process::Terminal{all};
    }
    Ended add(const story::Tenant& who, const std::string& name) const
    {
        return ctl({"mailbox", "add", who.address(name), "--password-file", "-"},
                   std::string{story::kPassword} + "\n");
    }
};

const std::string kTime = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z";

}  // namespace

BOOST_AUTO_TEST_SUITE(mailbox_ctl)

BOOST_FIXTURE_TEST_CASE(a_mailbox_from_its_addition_to_its_removal, Operator)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(add(who, "alice").exit == 0);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), story::kPassword));
    BOOST_TEST(answers::page(list(who)).names() == std::vector<std::string>{alice},
               boost::test_tools::per_element());
    BOOST_TEST(is_sentence(add(who, "alice"), 1, {alice, "exists"}));

    // As documented by the original: a name in capitals is the same mailbox.
    BOOST_TEST(
        ctl({"mailbox", "passwd", who.address("Alice"), "--password-file", "-"}, "Looking-Glass\n")
            .exit
        == 0);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "Looking-Glass"));

    BOOST_TEST(ctl({"mailbox", "remove", alice}).exit == 0);
    BOOST_TEST(answers::page(list(who)).total_count == 0);
    BOOST_TEST(is_sentence(ctl({"mailbox", "remove", alice}), 1, {alice}));
    BOOST_TEST(is_sentence(
        ctl({"mailbox", "passwd", alice, "--password-file", "-"}, "Looking-Glass\n"), 1, {alice}));
}

BOOST_FIXTURE_TEST_CASE(the_password_is_in_a_file, Operator)
{
    const auto who = tenant();
    const auto file = stack.directory() / (story::unique("password") + ".txt");
    std::ofstream{file} << story::kPassword << "\r\nand what follows\n";
    BOOST_TEST(ctl({"mailbox", "add", who.address("alice"), "--password-file", file}).exit == 0);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), story::kPassword));
    std::ofstream{file} << "Looking-Glass";  // without a newline at the end
    BOOST_TEST(ctl({"mailbox", "passwd", who.address("alice"), "--password-file", file}).exit == 0);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "Looking-Glass"));
}

BOOST_FIXTURE_TEST_CASE(the_password_is_asked_for, Operator)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    auto terminal = at_terminal({"mailbox", "add", alice});
    terminal.await("Password of " + alice + ": ");
    terminal.type("correct horse battery\n");
    terminal.await("(again): ");
    terminal.type("correct horse battery\n");
    BOOST_TEST(terminal.end() == 0);
    BOOST_TEST(!has(terminal.shown(), "correct"), terminal.shown());
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), story::kPassword));
}

BOOST_FIXTURE_TEST_CASE(the_password_is_mistyped, Operator)
{
    const auto who = tenant();
    const auto before = snapshot();
    auto terminal = at_terminal({"mailbox", "add", who.address("alice")});
    terminal.await(": ");
    terminal.type("correct horse battery\n");
    terminal.await("(again): ");
    terminal.type("correct horse batterz\n");
    BOOST_TEST(terminal.end() == 1);
    BOOST_TEST(has(terminal.shown(), "not the same"), terminal.shown());
    BOOST_TEST(snapshot() == before);
}

// Ctrl-C restores the terminal's settings.
BOOST_FIXTURE_TEST_CASE(the_question_is_left, Operator)
{
    const auto who = tenant();
    const auto before = snapshot();
    auto terminal = at_terminal({"mailbox", "add", who.address("alice")});
    terminal.await(": ");
    terminal.type("corr\x03");
    BOOST_TEST(terminal.end() == 1);
    BOOST_TEST(!has(terminal.shown(), "corr"), terminal.shown());
    BOOST_TEST(snapshot() == before);
}

namespace {

struct Refused {
    const char* why;
    Arguments arguments;  // {domain} and {alice}, who exists, are the story's own
    int exit;
    std::vector<std::string> words;
    std::string input{};
};

std::ostream& operator<<(std::ostream& out, const Refused& row)
{
    return out << row.why;
}

const Refused kRefused[] = {
    {"no address", {"mailbox", "show", "alice"}, 1, {"alice"}},
    {"an address with an extension", {"mailbox", "show", "alice+x@{domain}"}, 1, {"alice+x@"}},
    {"an address in no domain", {"mailbox", "show", "alice@not a domain"}, 1, {"not a domain"}},
    {"an unknown domain",
     {"mailbox", "list", "absent.example.org"},
     1,
     {"absent.example.org", "domain list"}},
    {"an unknown mailbox", {"mailbox", "show", "bob@{domain}"}, 1, {"bob@", "mailbox list"}},
    {"to add in an unknown domain",
     {"mailbox", "add", "bob@absent.example.org", "--password-file", "-"},
     1,
     {"absent.example.org"},
     "Looking-Glass\n"},
    {"to add without a terminal", {"mailbox", "add", "bob@{domain}"}, 2, {"--password-file"}},
    {"a password on the command line",
     {"mailbox", "add", "bob@{domain}", "Looking-Glass"},
     2,
     {"usage"}},
    {"an option for it",
     {"mailbox", "add", "bob@{domain}", "--password", "Looking-Glass"},
     2,
     {"--password"}},
    {"no password", {"mailbox", "add", "bob@{domain}", "--password-file", "-"}, 1, {"no password"}},
    {"an empty line",
     {"mailbox", "add", "bob@{domain}", "--password-file", "-"},
     1,
     {"no password"},
     "\nLooking-Glass\n"},
    {"a short password",
     {"mailbox", "add", "bob@{domain}", "--password-file", "-"},
     1,
     {"5"},
     "abcd\n"},
    {"a password that is the address",
     {"mailbox", "add", "bob@{domain}", "--password-file", "-"},
     1,
     {"name"},
     "bob@{domain}\n"},
    {"a password that never ends",
     {"mailbox", "add", "bob@{domain}", "--password-file", "/dev/zero"},
     1,
     {"too long"}},
    {"a file that is not there",
     {"mailbox", "add", "bob@{domain}", "--password-file", "/nowhere/password"},
     1,
     {"/nowhere/password"}},
    {"an unknown mailbox's password",
     {"mailbox", "passwd", "bob@{domain}", "--password-file", "-"},
     1,
     {"bob@"},
     "Looking-Glass\n"},
    {"a short new password",
     {"mailbox", "passwd", "{alice}", "--password-file", "-"},
     1,
     {"5"},
     "abcd\n"},
    {"an unknown mailbox's removal", {"mailbox", "remove", "bob@{domain}"}, 1, {"bob@"}},
    {"to restore what never was",
     {"mailbox", "restore", "bob@{domain}"},
     1,
     {"bob@", "nothing is kept"}},
    {"to restore what is there",
     {"mailbox", "restore", "{alice}"},
     1,
     {"{alice} is there already"}},
    {"to restore under an empty name",
     {"mailbox", "restore", "{alice}", "--as", ""},
     1,
     {"mailboxctl: an empty text is not a valid address"}},
    {"to erase nothing", {"erase", "@"}, 1, {"mailboxctl: an empty text is not a domain name"}},
    {"to erase in no domain",
     {"erase", "x@"},
     1,
     {"mailboxctl: an empty text is not a domain name"}},
    {"what was deleted in an unknown domain",
     {"mailbox", "list", "absent.example.org", "--deleted"},
     1,
     {"absent.example.org", "domain list"}},
    {"to restore under no name",
     {"mailbox", "restore", "{alice}", "--as", "al ice"},
     1,
     {"al ice"}},
    {"to restore in another domain",
     {"mailbox", "restore", "{alice}", "--as", "alice@example.net"},
     1,
     {"alice@example.net", "{domain}"}},
    {"to erase what never was",
     {"erase", "bob@{domain}", "--yes"},
     1,
     {"nothing is known about bob@"}},
    {"to erase a domain that never was",
     {"erase", "absent.example.org", "--yes"},
     1,
     {"nothing is known about absent"}},
    {"to erase by the way", {"erase", "{alice}"}, 1, {"1 in mailbox", "--yes"}},
    {"to erase a domain by the way", {"erase", "{domain}"}, 1, {"1 in domain", "--yes"}},
    {"no quota", {"mailbox", "quota", "{alice}"}, 2, {"SIZE"}},
    {"a quota that is none", {"mailbox", "quota", "{alice}", "much"}, 1, {"much", "500M"}},
    {"an unknown mailbox's quota", {"mailbox", "quota", "bob@{domain}", "1G"}, 1, {"bob@"}},
    {"an unknown mailbox's suspension", {"mailbox", "suspend", "bob@{domain}"}, 1, {"bob@"}},
    {"an unknown mailbox's return", {"mailbox", "resume", "bob@{domain}"}, 1, {"bob@"}},
    {"the history of no address", {"audit", "@"}, 1, {"not a domain name"}},
    {"no history", {"audit", "--last", "0"}, 2, {"--last"}},
    {"the history of a living key",
     {"audit", "{key}"},
     1,
     {"{id}", "key revoke {id}", "process list", "othing was"}},
    {"the revocation of a living key",
     {"key", "revoke", "{key}"},
     1,
     {"{id}", "key revoke {id}", "process list", "othing was"}},
    {"a living key for a label",
     {"key", "add", "--account", "x", "--label={key}"},
     1,
     {"key revoke {id}"}},
    {"a living key for an address",
     {"mailbox", "show", "{key}@example.org"},
     1,
     {"key revoke {id}"}},
    {"a living key with a typing error", {"audit", "{key}a"}, 1, {"key revoke {id}"}},
    {"a living key in capitals", {"audit", "{KEY}"}, 1, {"key revoke {id}"}},
    {"a living key after a command that is none", {"keys", "{key}"}, 1, {"key revoke {id}"}},
    {"a living key beside --help", {"audit", "{key}", "--help"}, 1, {"key revoke {id}"}},
    {"two histories", {"audit", "{domain}", "{alice}"}, 2, {"usage"}},
};

std::string filled(std::string text, const story::Tenant& who)
{
    std::string capitals = who.key;
    std::transform(capitals.begin(), capitals.end(), capitals.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    for (const auto& [name, value] :
         {std::pair<std::string, std::string>{"{alice}", who.address("alice")},
          {"{domain}", who.domain},
          {"{key}", who.key},
          {"{KEY}", capitals},
          {"{id}", who.key.substr(4, 10)}}) {
        for (auto at = text.find(name); at != std::string::npos; at = text.find(name))
            text.replace(at, name.size(), value);
    }
    return text;
}

}  // namespace

BOOST_DATA_TEST_CASE_F(Operator, a_mistake_gets_a_sentence, data::make(kRefused), row)
{
    const auto who = tenant();
    BOOST_TEST(add(who, "alice").exit == 0);
    const auto before = snapshot();
    Arguments arguments{"setsid", stack.setting("MAILBOXCTL"), "--config",
                        stack.setting("MAILBOXD_CONF")};  // without our terminal
    for (const auto& argument : row.arguments) {
        arguments.push_back(filled(argument, who));
    }
    std::vector<std::string> words;
    for (const auto& word : row.words) words.push_back(filled(word, who));
    const auto ended = process::run(arguments, {.input = filled(row.input, who)});
    BOOST_TEST(is_sentence(ended, row.exit, words));
    BOOST_TEST(!has(ended.err, who.key.substr(14, 16)), "a key's secret is shown: " << ended.err);
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(lists_for_people_and_for_programs, Operator)
{
    const auto who = tenant();
    BOOST_TEST(has(ctl({"mailbox", "list", who.domain}).out, "MAILBOX"));
    BOOST_TEST(ctl({"mailbox", "list", who.domain, "--json"}).out == "[\n]\n");
    add(who, "alice");
    add(who, "bob");
    ctl({"mailbox", "quota", who.address("bob"), "1G"});
    const auto people = ctl({"mailbox", "list", who.domain});
    const auto line = [&](const std::string& name, const std::string& quota) {
        return who.address(name) + " +active +0 +" + quota + " +" + kTime + " +- +-\n";
    };
    BOOST_TEST(
        std::regex_match(
            people.out,
            std::regex{
                "MAILBOX +STATE +SIZE_BYTES +QUOTA_BYTES +CREATED_AT +LAST_LOGIN +LAST_DELIVERY\n"
                + line("alice", "-") + line("bob", "1073741824")}),
        people.out);
    const auto object = [&](const std::string& name, const std::string& quota) {
        return "\\{\"mailbox\":\"" + who.address(name)
               + "\",\"state\":\"active\",\"size_bytes\":0,\"quota_bytes\":" + quota
               + ",\"created_at\":\"" + kTime + "\",\"last_login\":null,\"last_delivery\":null\\}";
    };
    const auto programs = ctl({"mailbox", "list", who.domain, "--json"});
    BOOST_TEST(
        std::regex_match(programs.out, std::regex{"\\[\n" + object("alice", "null") + ",\n"
                                                  + object("bob", "1073741824") + "\n\\]\n"}),
        programs.out);

    ctl({"mailbox", "remove", who.address("alice")});
    const auto deleted = ctl({"mailbox", "list", who.domain, "--deleted"});
    BOOST_TEST(
        std::regex_search(deleted.out, std::regex{who.address("alice") + " +0 +" + kTime + " +"
                                                  + kTime + " +operator +[0-9a-f]{32}\n"}),
        deleted.out);
    BOOST_TEST(!has(deleted.out, who.address("bob")));
}

BOOST_FIXTURE_TEST_CASE(a_deleted_one_is_restored, Operator)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    add(who, "alice");
    ctl({"mailbox", "quota", alice, "1G"});
    ctl({"mailbox", "suspend", alice});
    const auto removed = ctl({"mailbox", "remove", alice});
    BOOST_TEST(has(removed.out, "7 days"), removed.out);
    add(who, "alice");
    ctl({"domain", "set", who.domain, "max_mailboxes=1"});
    BOOST_TEST(
        is_sentence(ctl({"mailbox", "restore", alice, "--as", "old"}), 1, {"max_mailboxes is 1."}));
    ctl({"domain", "set", who.domain, "max_mailboxes=2"});
    BOOST_TEST(is_sentence(ctl({"mailbox", "restore", alice}), 1, {alice, "already", "--as"}));
    const auto restored = ctl({"mailbox", "restore", alice, "--as", "old", "--json"});
    const auto form = "\\{\"message\":\"[^\"]+\",\"mailbox\":\"" + who.address("old")
                      + "\",\"state\":\"no_login\",\"size_bytes\":0,\"deleted_at\":\"" + kTime
                      + "\",\"storage_id\":\"[0-9a-f]{32}\"\\}\n";
    BOOST_TEST(std::regex_match(restored.out, std::regex{form}), restored.out << restored.err);
    const auto shown = ctl({"mailbox", "show", who.address("old")}).out;
    BOOST_TEST(std::regex_search(
                   shown, std::regex{"state +no_login\nsize_bytes +0\nquota_bytes +1073741824\n"}),
               shown);
    BOOST_TEST(answers::page(list(who)).names()
                   == (std::vector<std::string>{alice, who.address("old")}),
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_is_shown, Operator)
{
    const auto who = tenant();
    add(who, "alice");
    const auto people = ctl({"mailbox", "show", who.address("alice")});
    BOOST_TEST(std::regex_search(people.out, std::regex{"mailbox +" + who.address("alice") + "\n"}),
               people.out);
    BOOST_TEST(std::regex_search(people.out, std::regex{"storage_id +[0-9a-f]{32}\n"}), people.out);
    const auto programs = ctl({"mailbox", "show", who.address("alice"), "--json"});
    BOOST_TEST(programs.out.starts_with("{\"mailbox\":\"" + who.address("alice")
                                        + "\",\"state\":\"active\","),
               programs.out);
    for (const auto& out : {people.out, programs.out}) {
        BOOST_TEST(!has(out, "ARGON2"));
    }
}

// More than 1000 rows, which are a page of the table; the columns keep their width.
BOOST_FIXTURE_TEST_CASE(a_long_list, Operator)
{
    const auto who = tenant();
    stack.sql(
        "SET @domain = (SELECT id FROM domain WHERE name = " + stack::quote(who.domain)
        + ");"
          " INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password)"
          " WITH RECURSIVE d (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < 49),"
          " n (i) AS (SELECT a.i * 50 + b.i + 1 FROM d a JOIN d b)"
          " SELECT @domain, i, CONCAT('m', i), i, LEFT(SHA2(CONCAT(@domain, ' ', i), 256), 32), 'x' FROM n;"
          " INSERT INTO mailbox_range SELECT @domain, 0, 2500, UNHEX(GROUP_CONCAT(LPAD(HEX(c), 2, '0') ORDER BY n SEPARATOR ''))"
          " FROM (SELECT id DIV 128 AS n, COUNT(*) AS c FROM mailbox WHERE domain_id = @domain GROUP BY id DIV 128) f;"
          " UPDATE domain SET mailboxes = 2500, last_id = 2500 WHERE id = @domain");
    const auto people = ctl({"mailbox", "list", who.domain});
    BOOST_TEST(std::count(people.out.begin(), people.out.end(), '\n') == 2501);
    const auto programs = ctl({"mailbox", "list", who.domain, "--json"});
    BOOST_TEST(std::count(programs.out.begin(), programs.out.end(), '{') == 2500);
    BOOST_TEST(programs.out.find("\"m2500@") > programs.out.find("\"m2499@"));
}

BOOST_FIXTURE_TEST_CASE(changes_are_reported_in_json, Operator)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    add(who, "alice");
    struct Row {
        Arguments arguments;
        std::string rest;
    };
    const Row rows[] = {
        {{"mailbox", "suspend", alice}, "\"state\":\"no_login\""},
        {{"mailbox", "suspend", alice, "--disabled"}, "\"state\":\"disabled\""},
        {{"mailbox", "resume", alice}, "\"state\":\"active\""},
        {{"mailbox", "quota", alice, "1K"}, "\"quota_bytes\":1024"},
        {{"mailbox", "quota", alice, "none"}, "\"quota_bytes\":0"},
        {{"mailbox", "quota", alice, "default"}, "\"quota_bytes\":null"},
    };
    for (const auto& row : rows) {
        auto arguments = row.arguments;
        arguments.emplace_back("--json");
        const auto ended = ctl(arguments);
        const auto form =
            "\\{\"message\":\"[^\"]+\",\"mailbox\":\"" + alice + "\"," + row.rest + "\\}\n";
        BOOST_TEST(std::regex_match(ended.out, std::regex{form}),
                   process::quoted(arguments) << ": " << ended.out << ended.err);
    }
}

// Changes by the API and by the tool, each with its details.
BOOST_FIXTURE_TEST_CASE(the_audit_log_says_who_changed_what, Operator)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    const auto key = who.key.substr(4, 10);
    create(who, "alice");
    change(who, "alice", "Looking-Glass");
    ctl({"mailbox", "suspend", alice});
    ctl({"mailbox", "resume", alice});
    remove(who, "alice");
    create(who, "bob");

    const auto line = [&](const std::string& actor, const std::string& client,
                          const std::string& action, const std::string& name) {
        return kTime + " +" + actor + " +" + client + " +" + action + " +" + who.domain + " +"
               + name + "\n";
    };
    const auto of_alice =
        line(key, "127.0.0.1", "create", "alice") + line(key, "127.0.0.1", "password", "alice")
        + line("operator", "-", "suspend", "alice") + line("operator", "-", "resume", "alice")
        + line(key, "127.0.0.1", "delete", "alice");
    const auto of_bob = line(key, "127.0.0.1", "create", "bob");
    const std::string heading = "AT +ACTOR +CLIENT +ACTION +DOMAIN +WHAT\n";
    const auto shows = [&](const Arguments& arguments, const std::string& form) {
        const auto ended = ctl(arguments);
        boost::test_tools::assertion_result result{std::regex_match(ended.out, std::regex{form})};
        result.message() << ended.out << ended.err;
        return result;
    };
    BOOST_TEST(shows({"audit", alice}, heading + of_alice));
    BOOST_TEST(shows({"audit", who.domain},
                     heading + line("operator", "-", "domain-add", "-") + of_alice + of_bob));
    BOOST_TEST(shows({"audit", who.domain, "--last", "1"}, heading + of_bob));
    BOOST_TEST(shows({"audit", key},
                     heading + kTime + " +operator +- +key-add +- +" + key + "\n(.*\n)*" + of_bob));
    BOOST_TEST(shows({"audit", key, "--last", "1"}, heading + of_bob));
    BOOST_TEST(shows({"audit", who.account},
                     heading + kTime + " +operator +- +account-add +- +" + who.account + "\n"));
    BOOST_TEST(has(ctl({"audit"}).out, who.domain));
    const auto json = ctl({"audit", who.domain, "--last", "1", "--json"}).out;
    BOOST_TEST(
        std::regex_match(
            json, std::regex{"\\[\n\\{\"at\":\"" + kTime + "\",\"actor\":\"" + key
                             + "\",\"client\":\"127.0.0.1\",\"action\":\"create\",\"domain\":\""
                             + who.domain + "\",\"what\":\"bob\"\\}\n\\]\n"}),
        json);
    for (const auto& text : {ctl({"audit"}).out, ctl({"audit", "--json"}).out}) {
        BOOST_TEST(!has(text, who.key));
        BOOST_TEST(!has(text, "Looking-Glass"));
    }
}

BOOST_AUTO_TEST_SUITE_END()
