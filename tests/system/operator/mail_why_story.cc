// mail_why_story.cc - mailboxctl why names each cause of trouble and the remedy, and the remedy
// works. Its statements about Postfix and Dovecot agree with those programs.

#include "system/harness/mail.h"
#include "system/harness/terminal.h"

#include <fstream>
#include <ostream>
#include <regex>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using process::Arguments;
using process::Ended;

namespace {

const std::string kTime = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z";

struct Why : mail::Story {
    Why() : who{tenant()}, alice{who.address("alice")}, key{who.key.substr(4, 10)}
    {
        BOOST_TEST_REQUIRE(create(who, "alice").status == 200);
    }

    Ended why(const std::string& address, const Arguments& more = {},
              const std::string& input = "") const
    {
        Arguments arguments{"why", address};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return stack.mailboxctl(arguments, input);
    }
    void ctl(const Arguments& arguments) const
    {
        const auto ended = stack.mailboxctl(arguments);
        BOOST_TEST(ended.exit == 0, ended.err);
    }
    // Replaces {alice}, {domain}, {account} and {key} by the story's own; {time} stands for any
    // time.
    std::string fill(const std::string& text) const
    {
        return mail::fill(text, {{"{alice}", alice},
                                 {"{domain}", who.domain},
                                 {"{account}", who.account},
                                 {"{key}", key},
                                 {"{time}", kTime}});
    }
    boost::test_tools::assertion_result has(const std::string& text,
                                            const std::string& pattern) const
    {
        boost::test_tools::assertion_result result{
            std::regex_search(text, std::regex{fill(pattern)})};
        result.message() << fill(pattern) << " is not in:\n" << text;
        return result;
    }
    // Runs why with this line instead of the stack's for a setting.
    Ended why_with(const std::string& setting, const std::string& line) const
    {
        const auto file = stack.directory() / (story::unique("why") + ".conf");
        std::ofstream{file} << std::regex_replace(story::configuration(stack, {}),
                                                  std::regex{"(^|\n)" + setting + " = [^\n]*"},
                                                  "\n" + line);
        return process::run({stack.setting("MAILBOXCTL"), "--config", file, "why", alice});
    }

    story::Tenant who;
    std::string alice;
    std::string key;
};

struct Trouble {
    const char* why;
    std::vector<Arguments> commands;  // that cause the trouble
    std::string statement;            // SQL that causes it
    std::string line;                 // the expected line: its mark, the cause and the remedy
    std::string verdict;
    std::vector<Arguments> cure{};  // empty: the remedy is the one in the line
};

std::ostream& operator<<(std::ostream& out, const Trouble& row)
{
    return out << row.why;
}

const std::string kSuspended = " is suspended since {time}, by the operator: nobody can log in";
const std::string kWaits = ", and mail is deferred \\(450\\)";
const std::string kArrives = "; mail still arrives";

const Trouble kTroubles[] = {
    {"a suspended account",
     {{"account", "suspend", "{account}"}},
     "",
     "WRONG  account +{account}" + kSuspended + kArrives
         + "\n +-> mailboxctl account resume {account}",
     "mail in: yes; login: no, the account is suspended; sending: no, the account is suspended; API: no, the account is suspended \\(403\\)"},
    {"a disabled account",
     {{"account", "suspend", "{account}", "--disabled"}},
     "",
     "WRONG  account +{account}" + kSuspended + kWaits
         + "\n +-> mailboxctl account resume {account}",
     "mail in: no, the account is suspended \\(450\\); login: no"},
    {"a suspended domain",
     {{"domain", "suspend", "{domain}"}},
     "",
     "WRONG  domain +{domain}" + kSuspended + kArrives + "\n +-> mailboxctl domain resume {domain}",
     "mail in: yes; login: no, the domain is suspended; sending: .*; API: lists only, the domain is suspended \\(403\\)"},
    {"a disabled domain",
     {{"domain", "suspend", "{domain}", "--disabled"}},
     "",
     "WRONG  domain +{domain}" + kSuspended + kWaits + "\n +-> mailboxctl domain resume {domain}",
     "mail in: no, the domain is suspended \\(450\\)"},
    {"a suspended mailbox",
     {{"mailbox", "suspend", "{alice}"}},
     "",
     "WRONG  mailbox +{alice}" + kSuspended + kArrives + "\n +-> mailboxctl mailbox resume {alice}",
     "mail in: yes; login: no, the mailbox is suspended; sending: no, the mailbox is suspended; API: yes"},
    {"a disabled mailbox",
     {{"mailbox", "suspend", "{alice}", "--disabled"}},
     "",
     "WRONG  mailbox +{alice}" + kSuspended + kWaits + "\n +-> mailboxctl mailbox resume {alice}",
     "mail in: no, the mailbox is suspended \\(450\\)"},
    {"a full mailbox",
     {},
     "UPDATE mailbox SET size_bytes = 4096, quota_bytes = 4096 WHERE local_part = 'alice'",
     "WRONG  size +4096 of 4096 bytes, by its own quota: it is full.*\n +-> mailboxctl mailbox quota {alice} SIZE",
     "mail in: no, the mailbox is full \\(552\\); login: yes; sending: yes; API: yes",
     {{"mailbox", "quota", "{alice}", "1G"}}},
    {"a mailbox that is full by the domain's quota",
     {{"domain", "set", "{domain}", "quota_bytes=1K"}},
     "UPDATE mailbox SET size_bytes = 1025 WHERE local_part = 'alice'",
     "WRONG  size +1025 of 1024 bytes, by the domain's quota: it is full.*\n +-> mailboxctl mailbox quota {alice} SIZE",
     "mail in: no, the mailbox is full \\(552\\)",
     {{"mailbox", "quota", "{alice}", "none"}}},
    {"much that was sent",
     {},
     "INSERT INTO sending_rate SELECT 'mailbox', CONCAT(local_part, '@', (SELECT name FROM domain WHERE id = domain_id)), UNIX_TIMESTAMP(), 200"
     " FROM mailbox WHERE local_part = 'alice'",
     "WRONG  sent +200 of 200 recipients in an hour: further ones are refused \\(450\\) until {time}\n +-> wait",
     "mail in: yes; login: yes; sending: no, not before {time} \\(450\\); API: yes",
     {{"mailbox", "show", "{alice}"}}},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_why, *mail::needs_mail())

BOOST_DATA_TEST_CASE_F(Why, each_cause_of_trouble_is_named, data::make(kTroubles), row)
{
    const auto filled = [&](Arguments arguments) {
        for (auto& argument : arguments) {
            argument = fill(argument);
        }
        return arguments;
    };
    for (const auto& command : row.commands) {
        ctl(filled(command));
    }
    if (!row.statement.empty()) {
        // A statement that changes mailboxes must not read `domain`, because its triggers change
        // it.
        stack.sql(row.statement + " AND domain_id = "
                  + stack.value("SELECT id FROM domain WHERE name = " + stack::quote(who.domain)));
    }
    const auto found = why(alice);
    BOOST_TEST(found.exit == 1);
    BOOST_TEST(has(found.out, row.line));
    BOOST_TEST(has(found.out, "\n" + row.verdict + ".*\n$"));
    BOOST_TEST(!has(found.out, "WRONG(.*\n)*WRONG"));

    // The story carries out the remedy that the line names.
    if (!row.cure.empty()) {
        for (const auto& command : row.cure) {
            ctl(filled(command));
        }
        stack.sql("UPDATE sending_rate SET since = since - 3600");
    } else {
        std::smatch match;
        BOOST_TEST_REQUIRE(std::regex_search(found.out, match,
                                             std::regex{"-> mailboxctl (\\S+) (\\S+) (\\S+)\n"}));
        ctl({match[1], match[2], match[3]});
    }
    const auto cured = why(alice);
    BOOST_TEST(cured.exit == 0);
    BOOST_TEST(cured.out.ends_with("\nmail in: yes; login: yes; sending: yes; API: yes\n"),
               cured.out);
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_in_use, Why)
{
    deliver(alice, mail::message("Hello"));
    const auto reader = imap(alice);
    const auto sender = submission(alice);
    BOOST_TEST(process::eventually([&] {
        return stack.value(
                   "SELECT COUNT(*) FROM mailbox_activity WHERE last_login > 0 AND last_delivery > 0 AND"
                   " storage_id = "
                   + stack::quote(inside(alice).substr(0, 32)))
               == "1";
    }));
    const auto found = why(alice);
    BOOST_TEST(found.exit == 0);
    for (const std::string line :
         {"ok     account +{account} is active", "ok     domain +{domain} is active",
          "ok     mailbox +{alice} is active", "ok     allowance +domain has 1, no limit",
          "ok     size +[1-9][0-9]* bytes, no quota",
          "ok     last used +login: {time}, delivery: {time}",
          "ok     password +the last one was set {time}, by key {key} from 127.0.0.1",
          "ok     Dovecot +knows it and accepts logins",
          "ok     sessions +1 open: imap from 127.0.0.1",
          "ok     sent +0 of 200 recipients in an hour", "ok     API keys +1 valid"}) {
        BOOST_TEST(has(found.out, "\n" + line));
    }
    // Compared with Postfix's own lookups.
    for (const auto& address :
         {alice, who.address("alice+tag"), who.address("alice+caf\xC3\xA9")}) {
        const auto name = postmap({address}, "mailboxd-addresses.cf").front();
        BOOST_TEST(!name.empty());
        BOOST_TEST(has(why(address).out, "Postfix +accepts mail for it as " + name + "\n"));
    }
    ctl({"mailbox", "suspend", alice, "--disabled"});
    const auto refused = postmap({alice}, "mailboxd-recipients.cf").front();
    BOOST_TEST(has(why(alice).out, "Postfix +answers RCPT with " + refused + "\n"));
    BOOST_TEST(refused.starts_with("450 "));
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_is_not_there, Why)
{
    const auto never = why(who.address("bob"));
    BOOST_TEST(never.exit == 1);
    BOOST_TEST(has(never.out,
                   "WRONG  mailbox +there is none.*\n +-> mailboxctl mailbox add bob@{domain}\n"));
    BOOST_TEST(has(
        never.out,
        "\nmail in: no, there is no mailbox; login: no, there is no mailbox; sending: no, there is no mailbox; API: yes\n$"));
    BOOST_TEST(has(never.out, "note   Postfix +finds no such mailbox: RCPT is refused \\(550\\)"));

    remove(who, "alice");
    const auto deleted = why(alice);
    BOOST_TEST(deleted.exit == 1);
    BOOST_TEST(has(
        deleted.out,
        "WRONG  deleted +deleted {time} by key {key}, with 0 bytes; it can be restored until {time}\n"
        " +-> mailboxctl mailbox restore {alice}\n"));
    create(who, "alice");
    const auto again = why(alice);
    BOOST_TEST(again.exit == 0);
    BOOST_TEST(has(
        again.out,
        "note   deleted +an earlier mailbox of this name was deleted {time}.*\n +-> mailboxctl mailbox restore {alice} --as NAME\n"));

    remove(who, "alice");
    const auto of_domain = " WHERE domain = " + stack::quote(who.domain);
    stack.sql("UPDATE deleted_mailbox SET deleted_at = deleted_at - 7 * 86400" + of_domain);
    BOOST_TEST(has(
        why(alice).out,
        "WRONG  deleted +deleted .*; it can no longer be restored\n +-> mailboxctl mailbox add {alice}\n"));
    stack.sql("DELETE FROM deleted_mailbox" + of_domain);
    BOOST_TEST(
        has(why(alice).out,
            "WRONG  deleted +deleted {time}, by key {key} from 127.0.0.1; its mail is removed\n"));

    ctl({"domain", "set", who.domain, "max_mailboxes=0"});
    BOOST_TEST(has(
        why(alice).out,
        "WRONG  allowance +domain has 0 of 0: no mailbox can be added \\(409\\)\n +-> mailboxctl domain set {domain} max_mailboxes=NUMBER"));
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_is_not_there, Why)
{
    const auto never = why("alice@absent.example");
    BOOST_TEST(never.exit == 1);
    BOOST_TEST(has(
        never.out,
        "WRONG  domain +absent.example is not one of our domains\n +-> mailboxctl domain add absent.example --account NAME\n"));
    ctl({"domain", "remove", who.domain, "--yes"});
    const auto removed = why(alice);
    BOOST_TEST(removed.exit == 1);
    BOOST_TEST(has(
        removed.out,
        "WRONG  domain +{domain} was removed {time}, by the operator\n +-> mailboxctl domain restore {domain} restores it with all mailboxes;"
        " for a new one: mailboxctl domain add {domain} --account NAME\n"));
    BOOST_TEST(has(
        removed.out,
        "WRONG  deleted +deleted {time} by the operator.*; it can be restored until {time} once the removed domain exists again"
        " and belongs to the same customer\n +-> mailboxctl mailbox restore {alice} --of-removed-domain\n"));
}

// The previous domain may have belonged to another customer: no advice leads to its mail without a
// warning.
BOOST_FIXTURE_TEST_CASE(a_domain_of_somebody_else_by_now, Why)
{
    const auto other = story::unique("other-");
    ctl({"account", "add", other});
    ctl({"domain", "remove", who.domain, "--yes"});
    ctl({"domain", "add", who.domain, "--account", other, "--no-postmaster"});
    const auto earlier =
        "note   deleted +an earlier mailbox of this name was deleted {time} by the operator, with 0 bytes, before the domain was removed"
        " and added again; the domain now belongs to the account "
        + other
        + "; it can be restored until {time}\n"
          " +-> only if the mail belongs to that account: mailboxctl mailbox restore {alice} ";
    const auto absent = why(alice);
    BOOST_TEST(absent.exit == 1);
    BOOST_TEST(has(absent.out, earlier + "--of-removed-domain\n"));
    BOOST_TEST(
        has(absent.out, "\nWRONG  mailbox +there is none\n +-> mailboxctl mailbox add {alice}\n"));
    BOOST_TEST(!has(absent.out, "WRONG(.*\n)*WRONG"));

    BOOST_TEST(stack
                   .mailboxctl({"mailbox", "add", alice, "--password-file", "-"},
                               std::string{story::kPassword} + "\n")
                   .exit
               == 0);
    const auto present = why(alice);
    BOOST_TEST(present.exit == 0);
    BOOST_TEST(has(present.out, earlier + "--as NAME --of-removed-domain\n"));
    // A deleted mailbox of the current domain is the one to restore.
    ctl({"mailbox", "remove", alice});
    BOOST_TEST(has(
        why(alice).out,
        "WRONG  deleted +deleted {time} by the operator, with 0 bytes; it can be restored until {time}\n"
        " +-> mailboxctl mailbox restore {alice}\n"));
    ctl({"domain", "remove", who.domain, "--yes"});  // the story's key no longer sees the domain
}

// Log lines of one mailbox are not attributed to another that has the address now.
BOOST_FIXTURE_TEST_CASE(an_address_that_had_several, Why)
{
    const auto id = inside(alice).substr(0, 32);
    ctl({"mailbox", "suspend", alice});
    remove(who, "alice");
    // A key must not create a name that is suspended.
    BOOST_TEST(stack
                   .mailboxctl({"mailbox", "add", alice, "--password-file", "-"},
                               {.input = std::string{story::kPassword} + "\n"})
                   .exit
               == 0);
    BOOST_TEST(has(why(alice).out, "the last one was set {time}, by the operator"));
    const std::string restored =
        "since before it was restored {time}, by the operator: nobody can log in";
    ctl({"mailbox", "restore", alice, "--as", "alice-old"});
    // The mailbox beside it still has its own history.
    BOOST_TEST(has(why(alice).out, "the last one was set {time}, by the operator"));
    const auto old = why(who.address("alice-old")).out;
    BOOST_TEST(has(old, "WRONG  mailbox +alice-old@{domain} is suspended " + restored));
    BOOST_TEST(has(old, "the last one was set before it was restored {time}, by the operator\n"));

    ctl({"mailbox", "remove", who.address("alice-old")});
    ctl({"mailbox", "restore", who.address("alice-old")});
    BOOST_TEST(has(why(who.address("alice-old")).out, restored));
    BOOST_TEST(inside(who.address("alice-old")).substr(0, 32) == id);
    change(who, "alice-old", "Looking-Glass");
    ctl({"mailbox", "suspend", who.address("alice-old"), "--disabled"});
    const auto changed = why(who.address("alice-old")).out;
    BOOST_TEST(has(changed, "the last one was set {time}, by key {key} from"));
    BOOST_TEST(has(changed, kSuspended));
}

// A customer chooses the name, and root pastes the printed command into a shell.
BOOST_FIXTURE_TEST_CASE(a_name_that_a_shell_would_run, Why)
{
    const std::string name = "x`touch`&'$ifs'|{reboot}&";
    const auto nasty = who.address(name);
    BOOST_TEST_REQUIRE(create(who, name).status == 200);
    const auto id =
        stack.value("SELECT storage_id FROM mailbox WHERE local_part = " + stack::quote(name)
                    + " AND domain_id ="
                      " (SELECT id FROM domain WHERE name = "
                    + stack::quote(who.domain) + ")");
    ctl({"mailbox", "quota", nasty, "1K"});
    stack.sql("UPDATE mailbox SET size_bytes = 2048 WHERE storage_id = " + stack::quote(id));
    ctl({"mailbox", "suspend", nasty});
    std::string advised = why(nasty, {"--password-file", "-"}, "Looking-Glass\n").out;
    const auto removed = stack.mailboxctl({"mailbox", "remove", nasty});
    advised += why(nasty).out;
    stack.sql("DELETE FROM deleted_mailbox WHERE storage_id = " + stack::quote(id));
    advised += why(nasty).out;
    advised += "-> " + removed.out.substr(removed.out.find("mailboxctl "));

    // The shell must split each printed command into the intended words.
    int lines = 0;
    for (std::string::size_type at = advised.find("-> mailboxctl "); at != std::string::npos;
         at = advised.find("-> mailboxctl ", at + 1)) {
        const auto line = advised.substr(at + 3, advised.find('\n', at) - at - 3);
        const auto words =
            process::run({"sh", "-c", "mailboxctl() { printf '%s\\n' \"$@\"; }; " + line});
        BOOST_TEST(words.err.empty(), line << ": " << words.err);
        if (line.find("touch") == std::string::npos) continue;
        ++lines;
        BOOST_TEST(words.out.find("\n" + nasty + "\n") != std::string::npos,
                   line << ": " << words.out);
    }
    // resume, quota, passwd, restore, add, resume of the name twice, and what remove prints
    BOOST_TEST(lines == 8);
}

BOOST_FIXTURE_TEST_CASE(an_account_without_a_key, Why)
{
    ctl({"key", "revoke", key});
    const auto found = why(alice);
    BOOST_TEST(has(
        found.out,
        "note   API keys +none is valid for the domain\n +-> mailboxctl key add --account {account}\n"));
    BOOST_TEST(has(found.out, "API: no, there is no key \\(401\\)\n$"));
    stack.sql("UPDATE api_key SET revoked_at = NULL WHERE id = "
              + stack::quote(key));  // the checks after each story need a key
}

BOOST_FIXTURE_TEST_CASE(an_address_in_other_words, Why)
{
    BOOST_TEST(
        has(why(mail::upper(alice)).out, "^note   address +" + mail::upper(alice)
                                             + " is {alice}: upper and lower case are the same\n"));
    const auto tagged = why("Alice+Shop@" + who.domain);
    BOOST_TEST(tagged.exit == 0);
    BOOST_TEST(has(
        tagged.out,
        "^note   address +mail to Alice\\+Shop@{domain} is that of {alice}; nobody can log in with an address that has a \\+\n"));
    BOOST_TEST(has(tagged.out, "Postfix +accepts mail for it as " + inside(alice)));
    for (const auto& wrong : {std::string{"alice"}, "+shop@" + who.domain, "al ice@" + who.domain,
                              std::string{"alice@"}}) {
        BOOST_TEST(story::is_sentence(why(wrong), 1), wrong);
    }
}

// Hashes that an import has stored.
BOOST_FIXTURE_TEST_CASE(a_hash_of_another_scheme, Why)
{
    const auto with = [&](const std::string& hash) {
        stack.sql("UPDATE mailbox SET password = " + stack::quote(hash)
                  + " WHERE storage_id = " + stack::quote(inside(alice).substr(0, 32)));
        return why(alice);
    };
    BOOST_TEST(!has(why(alice).out, "password hash"));
    const auto old = with("{SHA512-CRYPT}$6$x");
    BOOST_TEST(old.exit == 0);
    BOOST_TEST(has(old.out, "ok     password hash +an old one, SHA512-CRYPT; mailboxctl rehash"));
    const auto weak = with("{CRYPT}$1$x");
    BOOST_TEST(weak.exit == 0);
    BOOST_TEST(has(
        weak.out,
        "note   password hash +a weak one, MD5-CRYPT: Dovecot 2.4 refuses .*\n +-> mailboxctl mailbox passwd {alice}\n"));
    BOOST_TEST(has(with("$6$x").out, "note   password hash +it has no \\{SCHEME\\} in front"));
    const auto unknown = with("{LANMAN}x");
    BOOST_TEST(unknown.exit == 1);
    BOOST_TEST(
        has(unknown.out, "WRONG  password hash +Dovecot does not know its scheme, LANMAN\n"));
    BOOST_TEST(has(unknown.out, "login: no, Dovecot cannot verify the password;"));
}

BOOST_FIXTURE_TEST_CASE(a_password, Why)
{
    const auto right = why(alice, {"--password-file", "-"}, std::string{story::kPassword} + "\n");
    BOOST_TEST(right.exit == 0);
    BOOST_TEST(has(right.out, "ok     password given +is right\n"));
    const auto wrong = why(alice, {"--password-file", "-"}, "Looking-Glass\n");
    BOOST_TEST(wrong.exit == 1);
    BOOST_TEST(has(wrong.out,
                   "WRONG  password given +is wrong\n +-> mailboxctl mailbox passwd {alice}\n"));
    BOOST_TEST(has(
        wrong.out,
        "\nmail in: yes; login: no, not with this password; sending: no, not with this password; API: yes\n"));
    BOOST_TEST(wrong.out.find("Looking-Glass") == std::string::npos);
    BOOST_TEST(story::is_sentence(why(alice, {"--password", story::kPassword}), 2, {"usage"}));

    process::Terminal terminal{{stack.setting("MAILBOXCTL"), "--config",
                                stack.setting("MAILBOXD_CONF"), "why", alice, "--password"}};
    terminal.await("Password of " + alice + ": ");
    terminal.type(std::string{story::kPassword} + "\n");
    BOOST_TEST(terminal.end() == 0);
    BOOST_TEST(terminal.shown().find("is right") != std::string::npos, terminal.shown());
    BOOST_TEST(terminal.shown().find(story::kPassword) == std::string::npos, terminal.shown());
}

BOOST_FIXTURE_TEST_CASE(for_programs, Why)
{
    ctl({"mailbox", "suspend", alice});
    const auto found = why(alice, {"--json"});
    BOOST_TEST(found.exit == 1);
    const std::string point =
        R"re(\{"point":"[^"]+","result":"(ok|note|WRONG|\?)","says":"[^"]+","advice":(null|"[^"]+")\})re";
    BOOST_TEST(has(
        found.out,
        R"re(^\{"asked":"{alice}","mailbox":"{alice}","mail_in":"yes","login":"no, the mailbox is suspended",)re"
        R"re("sending":"no, the mailbox is suspended","api":"yes","points":\[\n()re"
            + point + ",\n)+" + point + "\n\\]\\}\n$"));
    BOOST_TEST(has(
        found.out,
        R"re("point":"mailbox","result":"WRONG","says":"[^"]+","advice":"mailboxctl mailbox resume {alice}")re"));
}

BOOST_FIXTURE_TEST_CASE(without_dovecot, Why)
{
    const auto absent = why_with("doveadm", "");
    BOOST_TEST(absent.exit == 0, absent.err);
    BOOST_TEST(
        has(absent.out, "\\?      Dovecot +was not asked: the setting doveadm is missing\n"));
    BOOST_TEST(has(
        absent.out,
        "login: yes, according to the tables; sending: yes, according to the tables; API: yes\n$"));
    const auto silent = why_with("doveadm", "doveadm = 1");
    BOOST_TEST(silent.exit == 1);
    BOOST_TEST(has(silent.out, "WRONG  Dovecot +.+\n +-> check that it runs"));
    BOOST_TEST(has(
        silent.out,
        "\nmail in: accepted, and queued until Dovecot answers; login: not known, Dovecot does not answer;"));

    // The errors are no fault of Dovecot's.
    expected.emplace_back("Invalid authentication attempt to HTTP API");
    const auto wrong_key = stack.directory() / (story::unique("key") + ".txt");
    std::ofstream{wrong_key} << "another\n";
    for (const auto& unasked :
         {why_with("doveadm_key_file", "doveadm_key_file = /nowhere/key"),
          why_with("doveadm_key_file", "doveadm_key_file = " + wrong_key.string())}) {
        BOOST_TEST(unasked.exit == 0);
        BOOST_TEST(has(
            unasked.out,
            "\\?      Dovecot +was not asked: .*(/nowhere/key|401).*\n +-> run this as root; .*doveadm_key_file"));
        BOOST_TEST(has(
            unasked.out,
            "\nmail in: yes; login: yes, according to the tables; sending: yes, according to the tables; API: yes\n$"));
    }
}

BOOST_AUTO_TEST_SUITE_END()
