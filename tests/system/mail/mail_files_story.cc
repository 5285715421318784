// mail_files_story.cc - the configuration files for Dovecot and Postfix, asked with the programs'
// own tools: `doveadm auth test`, `doveadm user`, `postmap -q`.

#include "system/harness/mail.h"

#include <ostream>

#include <boost/test/unit_test.hpp>

namespace {

// Each character that a name may have.
constexpr char kEveryCharacter[] = "abcdefghijklmnopqrstuvwxyz0123456789._-$&'=^`{|}~";

struct Files : mail::Story {
    std::string fill(const std::string& text, const story::Tenant& who) const
    {
        return mail::fill(text, {{"{domain}", who.domain},
                                 {"{DOMAIN}", mail::upper(who.domain)},
                                 {"{inside}", inside(who.address("alice"))}});
    }

    // Returns the results of `doveadm auth test`, run in parallel, because each refusal takes two
    // seconds.
    std::vector<process::Ended> log_in(
        const std::vector<std::pair<std::string, std::string>>& attempts) const
    {
        std::vector<process::Ended> ended(attempts.size());
        mail::in_parallel(attempts.size(), attempts.size(), [&](std::size_t n) {
            ended[n] = doveadm(
                {"auth", "test", "-x", "service=imap", attempts[n].first, attempts[n].second});
        });
        return ended;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_files, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(active_mailboxes_may_log_in, Files)
{
    const auto who = tenant();
    const auto other = tenant();
    const std::string odd_password = "p\xC3\xA4ss\"w'rd\\ %u {0} $";
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(create(who, "odd", odd_password).status == 200);
    BOOST_TEST(create(who, kEveryCharacter).status == 200);
    BOOST_TEST(create(other, "bob").status == 200);

    struct Row {
        std::string user;
        std::string password;
        std::string mailbox{};  // the mailbox that logs in; empty if none may
    };
    const Row rows[] = {
        {"alice@{domain}", story::kPassword, "alice"},
        {"ALICE@{domain}", story::kPassword, "alice"},
        {"Alice@{DOMAIN}", story::kPassword, "alice"},
        {std::string{kEveryCharacter} + "@{domain}", story::kPassword, kEveryCharacter},
        {mail::upper(kEveryCharacter) + "@{DOMAIN}", story::kPassword, kEveryCharacter},
        {"odd@{domain}", odd_password, "odd"},

        {"alice@{domain}", "Correct horse battery"},
        {"alice@{domain}", ""},
        {"alice@{domain}", std::string{story::kPassword} + " "},
        {"alice@{domain}", std::string{story::kPassword}.substr(1)},
        {"alice@{domain}", stored_password(who, "alice")},
        {"odd@{domain}", story::kPassword},
        {"{inside}", story::kPassword},
        {"nobody@{domain}", story::kPassword},
        {"bob@{domain}", story::kPassword},
        {"alice@" + other.domain, story::kPassword},
        {"alice@example.net", story::kPassword},
        {"alice@sub.{domain}", story::kPassword},
        {"alice@{domain}.", story::kPassword},
        {"alice", story::kPassword},
        {"alice@", story::kPassword},
        {"@{domain}", story::kPassword},
        {"alice@{domain}@{domain}", story::kPassword},
        {"alice+tag@{domain}", story::kPassword},
        {"alice @{domain}", story::kPassword},
        {" alice@{domain}", story::kPassword},
        {"alice@{domain} ", story::kPassword},
        {"alice'@{domain}", story::kPassword},
        {"alice\"@{domain}", story::kPassword},
        {"alice\\@{domain}", story::kPassword},
        {"alice%@{domain}", story::kPassword},
        {"alic%@{domain}", story::kPassword},
        {"alic_@{domain}", story::kPassword},
        {"%u", story::kPassword},
        {"%Ln@{domain}", story::kPassword},
        {"'='@{domain}", story::kPassword},
        {"'|'1'='1'@{domain}", story::kPassword},
        {"x@'|'1'='1", story::kPassword},
        {"alic\xC3\xA9@{domain}", story::kPassword},
        {"alice*{domain}@{domain}", story::kPassword},
    };
    std::vector<std::pair<std::string, std::string>> attempts;
    for (const auto& row : rows) {
        attempts.emplace_back(fill(row.user, who), row.password);
    }
    const auto ended = log_in(attempts);
    for (std::size_t n = 0; n < attempts.size(); ++n) {
        const auto& text = ended[n].out;
        BOOST_TEST_CONTEXT(attempts[n].first << " with " << attempts[n].second << ": " << text
                                             << ended[n].err)
        {
            const auto& name = rows[n].mailbox;
            BOOST_TEST(ended[n].exit == (name.empty() ? 77 : 0));
            BOOST_TEST((name.empty()
                        || text.find("user=" + login_name(who.address(name)) + "\n")
                               != std::string::npos));
        }
    }
}

// Only Postfix's questions about quotas and an operator's doveadm use a mailbox's address.
BOOST_FIXTURE_TEST_CASE(a_lookup_finds_the_mail_folder, Files)
{
    const auto who = tenant();
    const auto other = neighbour(who);
    for (const char* name : {"alice", kEveryCharacter}) {
        BOOST_TEST(create(who, name).status == 200);
        const auto address = who.address(name);
        const auto inside = this->inside(address);
        const auto storage = inside.substr(0, inside.find('@'));
        const auto home = "/" + storage.substr(0, 2) + "/" + storage + "\n";
        for (const std::string service : {"imap", "pop3", "lmtp", "quota-status", "doveadm"}) {
            const bool by_address = service == "quota-status" || service == "doveadm";
            for (const auto& [user, is_known] :
                 {std::pair{inside, true}, std::pair{mail::upper(inside), true},
                  std::pair{address, by_address}, std::pair{storage + "@" + other.domain, false},
                  std::pair{storage, false}, std::pair{std::string{"nobody@"} + who.domain, false},
                  std::pair{name + std::string{"'@"} + who.domain, false}}) {
                const auto ended = doveadm({"user", "-x", "service=" + service, user});
                BOOST_TEST_CONTEXT(service << " " << user << ": " << ended.out << ended.err)
                {
                    BOOST_TEST(ended.exit == (is_known ? 0 : 67));
                    BOOST_TEST((ended.out.find(home) != std::string::npos) == is_known);
                }
            }
        }
    }
}

namespace {

struct Question {
    std::string key;
    bool is_address;  // an address of alice
    bool is_ours;     // in a domain of ours
};

const Question kQuestions[] = {
    {"alice@{domain}", true, true},
    {"ALICE@{DOMAIN}", true, true},
    {"alice+tag@{domain}", true, true},
    {"alice+@{domain}", true, true},
    {"alice+a+b@{domain}", true, true},
    {"{inside}", false, true},
    {"nobody@{domain}", false, true},
    {"+alice@{domain}", false, true},
    {"alice @{domain}", false, true},
    {"alice'@{domain}", false, true},
    {"alice\"@{domain}", false, true},
    {"alice\\@{domain}", false, true},
    {"alice%@{domain}", false, true},
    {"alic%@{domain}", false, true},
    {"alic_@{domain}", false, true},
    {"%u@{domain}", false, true},
    {"' or '1'='1@{domain}", false, true},
    {"alic\xC3\xA9@{domain}", false, true},
    {"alice\xFF@{domain}", false, true},
    {"alice@sub.{domain}", false, false},
    {"alice@{domain}.", false, false},
    {"alice@example.net", false, false},
    {"alice@b\xC3\xBC"
     "cher.example",
     false, false},
    {"alice", false, false},
    {"alice@", false, false},
    {"alice@'", false, false},
    {"alice@%s", false, false},
};

std::ostream& operator<<(std::ostream& out, const Question& row)
{
    return out << row.key;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(postfix_finds_our_addresses, Files)
{
    const auto who = tenant();
    BOOST_TEST(create(who, "alice").status == 200);
    const auto name = inside(who.address("alice"));
    const auto to_dovecot = "mailboxd:inet:127.0.0.1:" + stack.setting("LMTP_PORT");
    std::vector<std::string> keys;
    for (const auto& question : kQuestions) {
        keys.push_back(fill(question.key, who));
    }
    const auto addresses = postmap(keys, "mailboxd-addresses.cf");
    const auto transports = postmap(keys, "mailboxd-transport.cf");
    const auto recipients = postmap(keys, "mailboxd-recipients.cf");
    for (std::size_t n = 0; n < keys.size(); ++n) {
        BOOST_TEST_CONTEXT(kQuestions[n])
        {
            BOOST_TEST(addresses[n] == (kQuestions[n].is_address ? name : ""));
            BOOST_TEST(transports[n] == (kQuestions[n].is_ours ? to_dovecot : ""));
            BOOST_TEST((recipients[n] == "DUNNO" || !kQuestions[n].is_address));
        }
    }

    BOOST_TEST(create(who, kEveryCharacter).status == 200);
    const auto every = who.address(kEveryCharacter);
    BOOST_TEST(postmap({every}, "mailboxd-addresses.cf").front() == inside(every));

    const std::vector<std::string> domains{who.domain,
                                           mail::upper(who.domain),
                                           "sub." + who.domain,
                                           who.domain + ".",
                                           "example.net",
                                           "'",
                                           "%s",
                                           "b\xC3\xBC"
                                           "cher.example"};
    const std::vector<std::string> ours{who.domain, who.domain, "", "", "", "", "", ""};
    BOOST_TEST(postmap(domains, "mailboxd-domains.cf") == ours, boost::test_tools::per_element());
}

// Account, domain and mailbox each have a state; the strictest one counts.
BOOST_FIXTURE_TEST_CASE(the_strictest_state_counts, Files)
{
    struct Row {
        std::string table;
        std::string state;
        bool takes_mail;
    };
    const Row rows[] = {
        {"account", "no_login", true}, {"account", "disabled", false},
        {"domain", "no_login", true},  {"domain", "disabled", false},
        {"mailbox", "no_login", true}, {"mailbox", "disabled", false},
    };
    std::vector<std::string> addresses;
    std::vector<std::pair<std::string, std::string>> attempts;
    for (const auto& row : rows) {
        const auto who = tenant();
        BOOST_TEST(create(who, "alice").status == 200);
        const std::string column = row.table == "mailbox" ? "storage_id" : "name";
        const auto value = row.table == "account"  ? who.account
                           : row.table == "domain" ? who.domain
                                                   : inside(who.address("alice")).substr(0, 32);
        stack.sql("UPDATE " + row.table + " SET state = '" + row.state + "' WHERE " + column + " = "
                  + stack::quote(value));
        addresses.push_back(who.address("alice"));
        attempts.emplace_back(addresses.back(), story::kPassword);
    }
    const auto ended = log_in(attempts);
    const auto names = postmap(addresses, "mailboxd-addresses.cf");
    auto smtp = this->smtp();
    BOOST_TEST(smtp.ask("MAIL FROM:<you@example.net>").starts_with("250 "));
    for (std::size_t n = 0; n < addresses.size(); ++n) {
        BOOST_TEST_CONTEXT(rows[n].table << " " << rows[n].state)
        {
            BOOST_TEST(ended[n].exit == 77);
            const auto answer = smtp.ask("RCPT TO:<" + addresses[n] + ">");
            BOOST_TEST(answer.starts_with(rows[n].takes_mail ? "250 " : "450 4.2.1 "), answer);
            // Mail that was accepted earlier is still delivered.
            BOOST_TEST(names[n] == inside(addresses[n]));
            BOOST_TEST(doveadm({"user", "-x", "service=lmtp", names[n]}).exit == 0);
        }
    }
}

// The login name is valid until the next change that ends sessions.
BOOST_FIXTURE_TEST_CASE(a_login_name_is_valid_until_the_next_change, Files)
{
    const auto who = tenant();
    BOOST_TEST(create(who, "alice").status == 200);
    const auto alice = who.address("alice");
    const auto first = login_name(alice);
    const auto is_good = [&](const std::string& name) {
        const auto answer = postmap({name}, "mailboxd-logins.cf").front();
        BOOST_TEST((answer.empty() || answer.starts_with("421 4.7.0 ")), answer);
        for (const auto* service : {"imap", "pop3"}) {
            BOOST_TEST(doveadm({"user", "-x", std::string{"service="} + service, name}).exit
                       == (answer.empty() ? 0 : 67));
        }
        return answer.empty();
    };
    const auto sender = [&] { return postmap({alice}, "mailboxd-senders.cf").front(); };
    BOOST_TEST(is_good(first));
    BOOST_TEST(sender() == first);
    BOOST_TEST(postmap({"ALICE+tag@" + who.domain}, "mailboxd-senders.cf").front() == first);

    BOOST_TEST(change(who, "alice", "Looking-Glass").status == 200);
    const auto second = login_name(alice);
    BOOST_TEST(second != first);
    BOOST_TEST(!is_good(first));
    BOOST_TEST(is_good(second));
    BOOST_TEST(sender() == second);

    BOOST_TEST(stack.mailboxctl({"mailbox", "suspend", alice}).exit == 0);
    BOOST_TEST(stack.mailboxctl({"mailbox", "resume", alice}).exit == 0);
    BOOST_TEST(!is_good(second));
    const auto third = login_name(alice);
    for (const auto& [level, name] :
         {std::pair{"account", who.account}, std::pair{"domain", who.domain}}) {
        BOOST_TEST(is_good(third));
        BOOST_TEST(stack.mailboxctl({level, "suspend", name}).exit == 0);
        BOOST_TEST(!is_good(third));
        BOOST_TEST(stack.mailboxctl({level, "resume", name}).exit == 0);
    }
    BOOST_TEST(remove(who, "alice").status == 200);
    BOOST_TEST(!is_good(third));
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(!is_good(third));
    BOOST_TEST(is_good(login_name(alice)));

    // Postfix does not ask about recipients without a mailbox.
    for (const char* other :
         {"root", "you@example.net", "j\xC3\xB6rg@example.net", "0123456789abcdef0123456789abcdef",
          "0123456789abcdef0123456789abcd\xC3\xB6.1@example.net", "'"}) {
        BOOST_TEST(postmap({other}, "mailboxd-logins.cf").front().empty(), other);
    }
}

BOOST_AUTO_TEST_SUITE_END()
