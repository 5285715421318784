// audit_story.cc - every change by tool or API is written to the audit log in the same transaction:
// if the log cannot be written, nothing is changed. The commands are compared with mailboxctl
// --help, so a new command needs a row here.

#include "system/harness/story.h"

#include <set>
#include <sstream>

#include <boost/test/unit_test.hpp>

using process::Arguments;
using Actions = std::vector<std::string>;

namespace {

struct Command {
    // {account}, {domain}, {key} and {secrets} are the story's own; {new} is an unused name.
    Arguments words;
    Actions actions{};  // what it writes to the log; empty if it changes nothing
    std::string input{};
};

const std::string kNewPassword = "Looking-Glass\n";

// In an order in which each command succeeds.
const Command kCommands[] = {
    {{"account", "add", "{new}"}, {"account-add"}},
    {{"account", "list"}},
    {{"account", "set", "{account}", "max_mailboxes=100"}, {"account-set"}},
    {{"account", "suspend", "{account}"}, {"account-suspend"}},
    {{"account", "suspend", "{account}", "--disabled"}, {"account-disable"}},
    {{"account", "resume", "{account}"}, {"account-resume"}},
    {{"domain", "add", "{new}.example.org", "--account", "{account}"}, {"domain-add", "create"}},
    {{"domain", "list"}},
    {{"domain", "dns", "{domain}", "--host", "mail.example.org"}},
    {{"domain", "set", "{domain}", "max_mailboxes=100"}, {"domain-set"}},
    {{"domain", "set", "{domain}", "quota_bytes=1G"}, {"domain-set"}},
    {{"domain", "set", "{domain}", "on_duplicate=update"}, {"domain-set"}},
    {{"domain", "suspend", "{domain}"}, {"domain-suspend"}},
    {{"domain", "suspend", "{domain}", "--disabled"}, {"domain-disable"}},
    {{"domain", "resume", "{domain}"}, {"domain-resume"}},
    {{"mailbox", "add", "alice@{domain}", "--password-file", "-"}, {"create"}, kNewPassword},
    {{"mailbox", "list", "{domain}"}},
    {{"mailbox", "show", "alice@{domain}"}},
    {{"mailbox", "passwd", "alice@{domain}", "--password-file", "-"}, {"password"}, kNewPassword},
    {{"mailbox", "quota", "alice@{domain}", "1G"}, {"quota"}},
    {{"mailbox", "suspend", "alice@{domain}"}, {"suspend"}},
    {{"mailbox", "suspend", "alice@{domain}", "--disabled"}, {"disable"}},
    {{"mailbox", "resume", "alice@{domain}"}, {"resume"}},
    {{"alias", "add", "sales@{domain}", "alice@{domain}"}, {"alias-add"}},
    {{"alias", "list", "{domain}"}},
    {{"alias", "remove", "sales@{domain}"}, {"alias-remove"}},
    {{"domain", "alias", "add", "alias.{domain}", "{domain}"}, {"domain-alias-add"}},
    {{"domain", "alias", "list"}},
    {{"domain", "alias", "remove", "alias.{domain}"}, {"domain-alias-remove"}},
    {{"import", "-", "--account", "{account}"},
     {"create", "quota", "suspend"},
     "address,hash,quota,state\nimported@{domain},{SSHA}DUq4XPl1KfuvN5DECT+fk8/9W7C3yEmU,1G,no_login\n"},
    {{"export", "{domain}"}},
    {{"why", "alice@{domain}"}},
    {{"mailbox", "remove", "alice@{domain}"}, {"delete"}},
    {{"mailbox", "restore", "alice@{domain}"}, {"restore"}},
    {{"erase", "alice@{domain}", "--yes"}, {"delete", "erase"}},
    {{"key", "add", "--account", "{account}"}, {"key-add"}},
    {{"key", "list"}},
    {{"key", "revoke", "{key}"}, {"key-revoke"}},
    {{"audit"}},
    {{"check"}},
    {{"status"}},
    {{"password-schemes"}},
    {{"migrate", "--db-user", "mailboxd_migrate", "--db-password-file",
      "{secrets}/mailboxd_migrate"}},
    {{"domain", "remove", "{domain}", "--yes"}, {"domain-remove"}},
    {{"domain", "restore", "{domain}"}, {"domain-restore"}},
    {{"domain", "remove", "{domain}", "--yes"}, {"domain-remove"}},
    {{"account", "remove", "{account}", "--yes"}, {"domain-remove", "account-remove"}},
};

// Commands without an entry of their own. The janitor finishes deletions that are already in the
// log. A recount changes no mailbox, nor does mail that comes from another server; the policy
// services only answer. A hash that is replaced is of the same password. A comparison only reads.
// setup makes account, domain and key as the commands do, and needs a machine of its own.
const std::set<std::string> kOfNobody{
    "fill-in",        "setup", "janitor",      "mailbox adopt", "mailbox recount",
    "postfix-policy", "pull",  "quota-policy", "rehash",        "verify-import"};

std::string named(const Arguments& words)
{
    const std::set<std::string> pairs{"account", "domain", "mailbox", "key", "alias"};
    if (!pairs.contains(words[0])) return words[0];
    const auto pair = words[0] + " " + words[1];
    return pair == "domain alias" ? pair + " " + words[2] : pair;
}

struct Log : story::Breaking {
    Log() : who{tenant()}, key{who.key.substr(4, 10)} {}

    std::string count() const { return stack.value("SELECT COUNT(*) FROM audit_log"); }
    // Returns the entries after the first `before`, as `action actor`.
    Actions since(const std::string& before) const
    {
        Actions found;
        for (
            const auto& row : stack.sql(
                "SELECT CONCAT(action, ' ', actor, ' ', client) FROM audit_log ORDER BY at, id LIMIT 1000 OFFSET "
                + before)) {
            found.push_back(row.at(0));
        }
        return found;
    }
    // Does the work while the log refuses entries, which must change nothing, and then again.
    template <typename Work>
    void check(Work work, const Actions& actions)
    {
        const auto before = snapshot();
        stack.sql(
            "CREATE TRIGGER audit_log_full BEFORE INSERT ON audit_log FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the log is full'");
        const bool was_done = work();
        stack.sql("DROP TRIGGER audit_log_full");
        BOOST_TEST(was_done == actions.empty());
        BOOST_TEST(snapshot() == before, "something was changed without an entry in the log");
        if (actions.empty()) return;
        const auto entries = count();
        BOOST_TEST(work());
        BOOST_TEST(since(entries) == actions, boost::test_tools::per_element());
    }

    story::Tenant who;
    std::string key;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(audit)

BOOST_FIXTURE_TEST_CASE(each_command_is_in_the_list, story::Story)
{
    std::set<std::string> listed = kOfNobody;
    for (const auto& command : kCommands) {
        listed.insert(named(command.words));
    }
    std::istringstream help{process::run({stack.setting("MAILBOXCTL"), "--help"}).out};
    std::set<std::string> commands;
    bool is_among_them = false;
    for (std::string line; std::getline(help, line);) {
        if (line.starts_with("Commands ")) {
            is_among_them = true;
        } else if (line.empty()) {
            is_among_them = false;
        } else if (is_among_them) {
            std::istringstream words{line};
            Arguments three(3);
            words >> three[0] >> three[1] >> three[2];
            commands.insert(named(three));
        }
    }
    BOOST_TEST(commands == listed, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(of_each_command, Log)
{
    for (const auto& command : kCommands) {
        const std::pair<std::string, std::string> values[] = {
            {"{new}", story::unique("new")},
            {"{account}", who.account},
            {"{domain}", who.domain},
            {"{key}", key},
            {"{secrets}", stack.directory() / "secrets"}};
        const auto filled = [&](std::string text) {
            for (const auto& [mark, value] : values) {
                if (const auto at = text.find(mark); at != std::string::npos)
                    text.replace(at, mark.size(), value);
            }
            return text;
        };
        Arguments arguments;
        for (const auto& word : command.words) arguments.push_back(filled(word));
        const auto input = filled(command.input);
        Actions by_operator;
        for (const auto& action : command.actions) {
            by_operator.push_back(action + " operator ");
        }
        BOOST_TEST_CONTEXT(process::quoted(arguments))
        {
            // This stack has no mail, so erase leaves work to the janitor. Its exit status says so.
            const auto is_done = [](const process::Ended& ended) {
                return ended.exit == 0
                       || ended.out.find("left_to_the_janitor") != std::string::npos;
            };
            check([&] { return is_done(stack.mailboxctl(arguments, input)); }, by_operator);
        }
    }
    tenants.clear();  // they were removed
}

BOOST_FIXTURE_TEST_CASE(of_each_call, Log)
{
    const auto by_key = [&](const std::string& action) {
        return action + " " + key + " 127.0.0.1";
    };
    const auto several = [](const std::vector<std::string>& names) {
        http::Fields fields;
        for (const auto& name : names) {
            fields.emplace_back("mailbox", name);
            fields.emplace_back("password", story::kPassword);
        }
        return http::form(fields);
    };
    const auto is_done = [](const http::Answer& answer) { return answer.status == 200; };
    check([&] { return is_done(create(who, "alice")); }, {by_key("create")});
    check(
        [&] {
        return is_done(call(who.key, "POST", who.mailboxes(), several({"bob", "carol", "dora"})));
        },
        {by_key("create"), by_key("create"), by_key("create")});
    check([&] { return is_done(change(who, "alice", "Looking-Glass")); }, {by_key("password")});
    check([&] { return is_done(remove(who, "bob")); }, {by_key("delete")});
    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "on_duplicate=update"}).exit == 0);
    check([&] { return is_done(create(who, "alice")); }, {by_key("password")});
    check(
        [&] {
        return is_done(call(who.key, "POST", who.mailboxes(), several({"carol", "eve", "dora"})));
        },
        {by_key("password"), by_key("create"), by_key("password")});

    std::string route;
    const auto its_expression = "match_recipient('sales@" + who.domain + "')";
    const auto its_action = "forward('" + who.address("alice") + "')";
    check(
        [&] {
        const auto answer =
            call(who.key, "POST", "/v3/routes",
                 http::form({{"expression", its_expression}, {"action", its_action}}));
        if (is_done(answer)) route = answer.body.substr(answer.body.find("\"id\":\"") + 6, 24);
        return is_done(answer);
        },
        {by_key("alias-add")});
    check(
        [&] {
        return is_done(
            call(who.key, "PUT", "/v3/routes/" + route, http::form({{"action", its_action}})));
        },
        {by_key("alias-set")});
    check([&] { return is_done(call(who.key, "DELETE", "/v3/routes/" + route)); },
          {by_key("alias-remove")});

    // Reads and refusals are not in the log.
    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "on_duplicate=reject"}).exit == 0);
    const auto before = snapshot();
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(create(who, "alice").status == 409);
    BOOST_TEST(call(who.key, "POST", who.mailboxes(), several({"frank", "alice"})).status == 409);
    BOOST_TEST(create(who, "no name").status == 400);
    BOOST_TEST(change(who, "nobody", "Looking-Glass").status == 404);
    BOOST_TEST(remove(who, "nobody").status == 404);
    BOOST_TEST(snapshot() == before);
}

BOOST_AUTO_TEST_SUITE_END()
