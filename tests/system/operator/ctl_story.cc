// ctl_story.cc - mailboxctl: the operator's commands, and the messages of those that fail.

#include "system/harness/story.h"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <regex>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;
using process::Arguments;
using process::Ended;
using story::has;
using story::is_sentence;

namespace {

struct Operator : story::Story {
    Ended ctl(const Arguments& arguments) const { return stack.mailboxctl(arguments); }

    // Writes a copy of the stack's configuration with these settings replaced or added.
    fs::path configuration(const story::Settings& settings) const
    {
        const auto path = stack.directory() / (story::unique("story") + ".conf");
        std::ofstream{path} << story::configuration(stack, settings);
        return path;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(ctl)

BOOST_FIXTURE_TEST_CASE(an_account_comes_and_goes, Operator)
{
    const auto name = story::unique("account");
    BOOST_TEST(!has(ctl({"account", "list"}).out, name));
    BOOST_TEST(ctl({"account", "add", name}).exit == 0);
    BOOST_TEST(has(ctl({"account", "list"}).out, name));
    BOOST_TEST(is_sentence(ctl({"account", "add", name}), 1, {name}));
    BOOST_TEST(ctl({"account", "remove", name}).exit == 0);
    BOOST_TEST(!has(ctl({"account", "list"}).out, name));
    BOOST_TEST(is_sentence(ctl({"account", "remove", name}), 1, {name}));
}

BOOST_FIXTURE_TEST_CASE(a_domain_comes_with_its_postmaster, Operator)
{
    const auto who = tenant();
    const auto domain = story::unique("post") + ".example.org";
    const auto added = ctl({"domain", "add", domain, "--account", who.account});
    BOOST_TEST(added.exit == 0);
    std::smatch match;
    const std::regex form{"mailbox: postmaster@" + domain + "\npassword: (\\S+)\n"};
    BOOST_TEST_REQUIRE(std::regex_search(added.out, match, form), added.out);
    const story::Tenant its{who.account, domain, who.key};
    tenants.push_back(its);
    BOOST_TEST(story::is_hash_of(stored_password(its, "postmaster"), match[1]));
    BOOST_TEST(match[1].length() >= 12);
    BOOST_TEST(has(ctl({"domain", "list"}).out, domain));
    BOOST_TEST(is_sentence(ctl({"domain", "add", domain, "--account", who.account}), 1, {domain}));
}

BOOST_FIXTURE_TEST_CASE(a_domain_belongs_to_one_account, Operator)
{
    const auto who = tenant();
    const auto other = tenant();
    BOOST_TEST(is_sentence(ctl({"domain", "add", who.domain, "--account", other.account}), 1,
                           {who.domain}));
    std::string upper = who.domain;
    upper[0] = 'D';
    BOOST_TEST(is_sentence(ctl({"domain", "add", upper + ".", "--account", other.account}), 1,
                           {who.domain}));
    BOOST_TEST(answers::text(list(who)) == "200 {\"total_count\":0,\"items\":[]}\n");
}

namespace {

const char* const kBadDomains[] = {
    "",
    ".",
    "..example.org",
    "example..org",
    "-example.org",
    "example-.org",
    "a b.org",
    "a_b.example.org",
    "example.org/mailboxes",
    "alice@example.org",
    "b\xC3\xBC"
    "_cher.example",
    "a%00.org",
    "*.example.org",
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Operator, a_bad_domain_name_is_refused, data::make(kBadDomains), domain)
{
    const auto who = tenant();
    const auto before = snapshot();
    const auto ended = ctl({"domain", "add", domain, "--account", who.account, "--no-postmaster"});
    BOOST_TEST((ended.exit == 1 || ended.exit == 2));
    BOOST_TEST(is_sentence(ended, ended.exit));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(a_domain_of_254_bytes_is_refused, Operator)
{
    const auto who = tenant();
    std::string domain;
    while (domain.size() < 250) {
        domain += "abcdefghi.";
    }
    BOOST_TEST(is_sentence(ctl({"domain", "add", domain + "abcd", "--account", who.account}), 1));
    BOOST_TEST(is_sentence(
        ctl({"domain", "add", std::string(64, 'a') + ".org", "--account", who.account}), 1));
}

// A domain with mailboxes is removed only with an explicit option; then nothing is kept of it.
BOOST_FIXTURE_TEST_CASE(a_domain_with_mailboxes_says_how_many, Operator)
{
    const auto who = tenant();
    for (const char* name : {"alice", "bob", "carol"}) {
        create(who, name);
    }
    const auto before = snapshot();
    BOOST_TEST(is_sentence(ctl({"domain", "remove", who.domain}), 1, {"3", "--yes"}));
    BOOST_TEST(is_sentence(ctl({"account", "remove", who.account}), 1, {"3", "--yes"}));
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(answers::page(list(who)).total_count == 3);

    BOOST_TEST(ctl({"domain", "remove", who.domain, "--yes"}).exit == 0);
    BOOST_TEST(answers::refusal(list(who))
               == "404 domain_not_found: Domain not found: " + who.domain);
    // The same rows as after a DELETE of each: for restore, purge and open sessions.
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM deleted_mailbox WHERE domain = "
                           + stack::quote(who.domain))
               == "3");
    BOOST_TEST(stack.value("SELECT COUNT(*) > 0 FROM session_end WHERE storage_id = ''") == "1");
    BOOST_TEST(is_sentence(ctl({"domain", "remove", who.domain, "--yes"}), 1, {who.domain}));
}

BOOST_FIXTURE_TEST_CASE(an_account_goes_with_all_it_has, Operator)
{
    const auto who = tenant();
    const auto second = neighbour(who);
    const auto other = tenant();
    create(who, "alice");
    create(second, "bob");
    create(other, "carol");
    BOOST_TEST(ctl({"account", "remove", who.account, "--yes"}).exit == 0);
    BOOST_TEST(!has(ctl({"account", "list"}).out, who.account));
    BOOST_TEST(!has(ctl({"domain", "list"}).out, who.domain));
    BOOST_TEST(!has(ctl({"domain", "list"}).out, second.domain));
    BOOST_TEST(answers::refusal(list(who)) == "401 unauthorized: Forbidden");
    BOOST_TEST(answers::page(list(other)).total_count == 1);
}

// stdout has the key and nothing else, for scripts.
BOOST_FIXTURE_TEST_CASE(a_key_is_shown_once, Operator)
{
    const auto who = tenant();
    const auto added = ctl({"key", "add", "--account", who.account, "--label", "for the story"});
    BOOST_TEST(added.exit == 0);
    BOOST_TEST(std::regex_match(added.out, std::regex{"mbx-[a-z2-7]{49}\n"}), added.out);
    const auto key = added.out.substr(0, 53);
    const auto id = key.substr(4, 10);

    const auto listed = ctl({"key", "list"});
    BOOST_TEST(has(listed.out, id));
    BOOST_TEST(has(listed.out, "for the story"));
    BOOST_TEST(!has(listed.out, key.substr(14)));
    BOOST_TEST(!has(ctl({"key", "list", "--account", tenant().account}).out, id));
    BOOST_TEST(has(ctl({"key", "list", "--account", who.account}).out, id));

    BOOST_TEST(ctl({"key", "revoke", id}).exit == 0);
    BOOST_TEST(is_sentence(ctl({"key", "revoke", "aaaaaaaaaa"}), 1, {"aaaaaaaaaa"}));
    BOOST_TEST(call(key, "GET", who.mailboxes()).status == 401);
}

BOOST_FIXTURE_TEST_CASE(keys_differ, Operator)
{
    const auto who = tenant();
    const auto first = story::add_key(stack, {"--account", who.account});
    const auto second = story::add_key(stack, {"--account", who.account});
    BOOST_TEST(first.substr(4, 10) != second.substr(4, 10));
    BOOST_TEST(first.substr(14, 32) != second.substr(14, 32));
}

BOOST_FIXTURE_TEST_CASE(a_key_until_a_day, Operator)
{
    const auto who = tenant();
    const auto key = story::add_key(stack, {"--account", who.account, "--expires", "2099-12-31"});
    const auto expires = std::stoll(stack.value("SELECT expires_at FROM api_key WHERE id = "
                                                + stack::quote(key.substr(4, 10))));
    // Any time of that day or its end, in UTC.
    BOOST_TEST(expires >= 4102358400);
    BOOST_TEST(expires <= 4102444800 + 86400);
}

namespace {

struct Refused {
    const char* why;
    Arguments arguments;  // {account} and {domain} are the story's own
    int exit;
    std::vector<std::string> words;
};

std::ostream& operator<<(std::ostream& out, const Refused& row)
{
    return out << row.why;
}

const Refused kRefused[] = {
    {"nothing", {}, 2, {"--help"}},
    {"a command that is none", {"frobnicate"}, 2, {"frobnicate"}},
    {"a subject without a verb", {"account"}, 2, {"account"}},
    {"a verb that is none", {"account", "frobnicate"}, 2, {"frobnicate"}},
    {"an option that is none", {"account", "list", "--frobnicate"}, 2, {"frobnicate"}},
    {"an account without a name", {"account", "add"}, 2, {}},
    {"an account's setting that is none",
     {"account", "set", "{account}", "color=blue"},
     1,
     {"color"}},
    {"an account's setting without a value",
     {"account", "set", "{account}", "max_mailboxes"},
     2,
     {"NAME=VALUE"}},
    {"an account to suspend that is not there", {"account", "suspend", "nobody"}, 1, {"nobody"}},
    {"a domain to suspend that is not there",
     {"domain", "suspend", "new.example.org"},
     1,
     {"new.example.org"}},
    {"a domain to resume that is none", {"domain", "resume", "not a domain"}, 1, {"not a domain"}},
    {"an account with two names", {"account", "add", "one", "two"}, 2, {}},
    {"an account with an empty name", {"account", "add", ""}, 1, {}},
    {"an account with a line's end", {"account", "add", "a\nb"}, 1, {}},
    {"a domain without an account", {"domain", "add", "new.example.org"}, 2, {"--account"}},
    {"a domain of nobody",
     {"domain", "add", "new.example.org", "--account", "nobody"},
     1,
     {"nobody"}},
    {"a domain that is not there", {"domain", "remove", "new.example.org"}, 1, {"new.example.org"}},
    {"records of a domain that is not there",
     {"domain", "dns", "new.example.org", "--host", "mail.example.org"},
     1,
     {"new.example.org"}},
    {"records without a server", {"domain", "dns", "samples.mailgun.org"}, 2, {"--host"}},
    {"records for a server that is none",
     {"domain", "dns", "samples.mailgun.org", "--host", "https://mail"},
     1,
     {"https://mail"}},
    {"a key without an account", {"key", "add"}, 2, {"--account"}},
    {"a key of nobody", {"key", "add", "--account", "nobody"}, 1, {"nobody"}},
    {"a key for a domain that is not there",
     {"key", "add", "--account", "{account}", "--domain", "new.example.org"},
     1,
     {"new.example.org"}},
    {"a key for another account's domain",
     {"key", "add", "--account", "{account}", "--domain", "samples.mailgun.org"},
     1,
     {"samples.mailgun.org"}},
    {"a key that has expired",
     {"key", "add", "--account", "{account}", "--expires", "2001-01-01"},
     2,
     {"--expires"}},
    {"a key for no day",
     {"key", "add", "--account", "{account}", "--expires", "soon"},
     2,
     {"--expires"}},
    {"a key for a day that is none",
     {"key", "add", "--account", "{account}", "--expires", "2099-02-30"},
     2,
     {"--expires"}},
    {"a key for less than a day",
     {"key", "add", "--account", "{account}", "--expires", "-1"},
     2,
     {"--expires"}},
    {"a key from nowhere",
     {"key", "add", "--account", "{account}", "--from", "somewhere"},
     1,
     {"somewhere"}},
    {"a key from too many bits",
     {"key", "add", "--account", "{account}", "--from", "10.0.0.0/33"},
     1,
     {"10.0.0.0/33"}},
    {"a key that is none", {"key", "revoke", "nosuchkey2"}, 1, {"nosuchkey2"}},
    {"keys of nobody", {"key", "list", "--account", "nobody"}, 1, {"nobody"}},
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Operator, a_mistake_gets_a_sentence, data::make(kRefused), row)
{
    const auto who = tenant();
    const auto before = snapshot();
    Arguments arguments = row.arguments;
    for (auto& argument : arguments) {
        argument = argument == "{account}" ? who.account : argument;
    }
    BOOST_TEST(is_sentence(ctl(arguments), row.exit, row.words));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(help_teaches, Operator)
{
    struct Topic {
        Arguments command;
        std::vector<std::string> words;
    };
    const Topic topics[] = {
        {{},
         {"account add", "account list", "account remove", "domain add", "domain dns",
          "domain list", "domain remove", "key add", "key list", "key revoke", "migrate", "check",
          "--config", "--help", "curl"}},
        {{"account", "remove"}, {"--yes"}},
        {{"account", "set"}, {"max_mailboxes"}},
        {{"account", "suspend"}, {"--disabled", "450"}},
        {{"domain", "set"}, {"on_duplicate", "allow_delete_all", "max_mailboxes", "quota_bytes"}},
        {{"domain", "suspend"}, {"--disabled", "450"}},
        {{"mailbox", "list"}, {"DOMAIN", "--deleted", "--json"}},
        {{"mailbox", "add"}, {"ADDRESS", "--password-file"}},
        {{"mailbox", "quota"}, {"SIZE", "none", "default"}},
        {{"mailbox", "suspend"}, {"--disabled", "450"}},
        {{"why"}, {"ADDRESS", "--password", "--password-file", "--json", "WRONG"}},
        {{"audit"}, {"ADDRESS", "DOMAIN", "KEY", "--last", "--json"}},
        {{"domain", "add"}, {"DOMAIN", "--account", "--no-postmaster"}},
        {{"domain", "dns"}, {"DOMAIN", "--host"}},
        {{"domain", "remove"}, {"DOMAIN", "--yes"}},
        {{"key", "add"},
         {"--account", "--domain", "--read-only", "--expires", "--from", "--label"}},
        {{"key", "list"}, {"--account"}},
        {{"key", "revoke"}, {"ID"}},
        {{"help", "key", "revoke"}, {"ID"}},
        {{"migrate"}, {"--db-user", "--db-password-file"}},
    };
    for (const auto& topic : topics) {
        // Help works without a configuration.
        Arguments arguments{stack.setting("MAILBOXCTL")};
        arguments.insert(arguments.end(), topic.command.begin(), topic.command.end());
        arguments.push_back("--help");
        const auto help = process::run(arguments);
        BOOST_TEST_CONTEXT(process::quoted(arguments))
        {
            BOOST_TEST(help.exit == 0);
            BOOST_TEST(help.err.empty());
            for (const auto& word : topic.words) {
                BOOST_TEST(has(help.out, word), word << " is not in: " << help.out);
            }
        }
    }
    const auto of_service = process::run({stack.service(), "--help"});
    BOOST_TEST(of_service.exit == 0);
    BOOST_TEST(has(of_service.out, "--config"));
    const auto version = process::run({stack.service(), "--version"});
    BOOST_TEST(version.exit == 0);
    BOOST_TEST(has(version.out, "mailboxd"));
}

BOOST_FIXTURE_TEST_CASE(check_says_that_all_is_well_or_what_is_not, Operator)
{
    BOOST_TEST(ctl({"check"}).exit == 0);

    const auto with = [&](const fs::path& file) {
        return process::run({stack.setting("MAILBOXCTL"), "--config", file, "check"});
    };
    BOOST_TEST(with(configuration({{"ctl_db_user", "mailboxd_nobody"}})).exit == 1);
    BOOST_TEST(with(configuration({{"db_socket", "/nowhere/mysql.sock"}})).exit == 1);
    const auto unknown = with(configuration({{"wrokers", "4"}}));
    BOOST_TEST((unknown.exit == 1 || unknown.exit == 2));
    BOOST_TEST(has(unknown.err, "wrokers"));
    const auto absent = with("/nowhere/mailboxd.conf");
    BOOST_TEST((absent.exit == 1 || absent.exit == 2));
    BOOST_TEST(has(absent.err, "/nowhere/mailboxd.conf"));
}

BOOST_FIXTURE_TEST_CASE(migrate_again_changes_nothing, Operator)
{
    const auto before = snapshot();
    const Arguments migrate{"migrate", "--db-user", "mailboxd_migrate", "--db-password-file",
                            stack.directory() / "secrets" / "mailboxd_migrate"};
    BOOST_TEST(ctl(migrate).exit == 0);
    BOOST_TEST(snapshot() == before);
    // The service's user must not create tables; with nothing to migrate, it need not.
    const auto version = stack.value("SELECT MAX(version) FROM schema_version");
    stack.sql(
        "CREATE TABLE schema_version_kept AS SELECT * FROM schema_version; DELETE FROM schema_version");
    BOOST_TEST(is_sentence(ctl({"migrate"}), 1));
    BOOST_TEST(ctl(migrate).exit == 0);
    BOOST_TEST(stack.value("SELECT MAX(version) FROM schema_version") == version);
    BOOST_TEST(snapshot() == before);
    stack.sql("DROP TABLE schema_version_kept");
}

// `mailboxd -t` runs before a start or a reload.
BOOST_FIXTURE_TEST_CASE(the_service_tests_its_configuration, Operator)
{
    const auto test = [&](const fs::path& file) {
        return process::run({stack.service(), "--config", file, "-t"});
    };
    BOOST_TEST(test(stack.setting("MAILBOXD_CONF")).exit == 0);

    // It reports all problems at once, each with its line.
    const auto broken =
        test(configuration({{"workers", "none"}, {"max_limit", "-1"}, {"wrokers", "4"}}));
    BOOST_TEST(broken.exit == 2);
    for (const char* word : {"workers", "max_limit", "wrokers"}) {
        BOOST_TEST(has(broken.err, word), broken.err);
    }
    const auto no_database = test(configuration({{"db_socket", "/nowhere/mysql.sock"}}));
    BOOST_TEST(no_database.exit != 0);
    BOOST_TEST(has(no_database.err, "/nowhere/mysql.sock"), no_database.err);
    BOOST_TEST(test(configuration({{"db_user", "mailboxd_nobody"}})).exit != 0);
    BOOST_TEST(test("/nowhere/mailboxd.conf").exit == 2);

    const auto secret = stack.directory() / (story::unique("empty") + ".secret");
    std::ofstream{secret} << "not the password\n";
    const auto wrong = test(configuration({{"db_password_file", secret}}));
    BOOST_TEST(wrong.exit != 0);
    BOOST_TEST(!has(wrong.err, "not the password"), wrong.err);
}

BOOST_FIXTURE_TEST_CASE(the_service_tests_the_schemas_version, Operator)
{
    const auto test = [&] {
        return process::run({stack.service(), "--config", stack.setting("MAILBOXD_CONF"), "-t"});
    };
    stack.sql(
        "CREATE TABLE schema_version_kept AS SELECT * FROM schema_version; DELETE FROM schema_version");
    const auto ended = test();
    stack.sql(
        "INSERT INTO schema_version SELECT * FROM schema_version_kept; DROP TABLE schema_version_kept");
    BOOST_TEST(ended.exit != 0);
    BOOST_TEST(has(ended.err, "migrate"), ended.err);
    BOOST_TEST(test().exit == 0);
}

BOOST_AUTO_TEST_SUITE_END()
