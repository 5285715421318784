// mail_refusals_story.cc - what SMTP, submission and LMTP refuse, with which words, and at which
// command.

#include "system/harness/mail.h"

#include <ostream>

#include <boost/test/unit_test.hpp>

namespace {

struct Refusals : mail::Story {
    // A domain with alice, bob and dora, who was deleted.
    Refusals() : who{tenant()}
    {
        for (const char* name : {"alice", "bob", "dora"}) {
            BOOST_TEST_REQUIRE(create(who, name).status == 200);
        }
        deleted = inside(who.address("dora"));
        BOOST_TEST_REQUIRE(remove(who, "dora").status == 200);
    }

    std::string fill(const std::string& text) const
    {
        return mail::fill(text, {{"{domain}", who.domain},
                                 {"{inside}", inside(who.address("alice"))},
                                 {"{deleted}", deleted}});
    }

    story::Tenant who;
    std::string deleted;  // dora's name inside Dovecot
};

struct Recipient {
    const char* why;
    std::string address;
    const char* answer;                   // its beginning
    const char* of_submission = nullptr;  // the answer at submission, if it differs
};

std::ostream& operator<<(std::ostream& out, const Recipient& row)
{
    return out << row.why;
}

const Recipient kRecipients[] = {
    {"the mailbox", "alice@{domain}", "250 "},
    {"in capitals", "ALICE@{domain}", "250 "},
    {"with a tag", "alice+tag@{domain}", "250 "},
    {"in quotes", "\"alice\"@{domain}", "250 "},
    {"an unknown one", "nobody@{domain}", "550 5.1.1 "},
    {"a deleted one", "dora@{domain}", "550 5.1.1 "},
    {"a deleted one, with a tag", "dora+tag@{domain}", "550 5.1.1 "},
    {"a tag alone", "+tag@{domain}", "550 5.1.1 "},
    {"its name inside", "{inside}", "550 5.1.1 "},
    {"a deleted one's name inside", "{deleted}", "550 5.1.1 "},
    {"a space at the end", "\"alice \"@{domain}", "550 5.1.1 "},
    {"a space in front", "\" alice\"@{domain}", "550 5.1.1 "},
    {"a quote", "alice'@{domain}", "550 5.1.1 "},
    {"a backslash", "\"alice\\\\\"@{domain}", "550 5.1.1 "},
    {"a statement", "\"' or '1'='1\"@{domain}", "550 5.1.1 "},
    {"a wildcard of LIKE", "alic_@{domain}", "550 5.1.1 "},
    {"a wildcard", "*@{domain}", "550 5.1.1 "},
    {"a letter beyond ASCII", "alic\xC3\xA9@{domain}", "550 5.1.1 "},
    {"a byte that is no UTF-8", "alic\xE9@{domain}", "550 5.1.1 "},
    {"a name of 65 bytes", std::string(65, 'a') + "@{domain}", "550 5.1.1 "},
    {"no name", "@{domain}", "550 5.1.1 "},
    {"a domain below it", "alice@sub.{domain}", "550 5.7.1 ", "250 "},
    {"this machine's address", "alice@[127.0.0.1]", "550 5.1.1 "},
    {"another machine's address", "alice@[192.0.2.1]", "550 5.7.1 ", "250 "},
    {"elsewhere", "you@example.net", "550 5.7.1 ", "250 "},
    {"elsewhere by a route through us", "@{domain}:you@example.net", "550 5.7.1 ", "250 "},
    {"elsewhere by a percent sign", "you%example.net@{domain}", "550 5.7.1 ", "550 5.1.1 "},
    {"elsewhere by an exclamation mark", "example.net!you@{domain}", "550 5.7.1 ", "550 5.1.1 "},
    {"elsewhere within quotes", "\"you@example.net\"@{domain}", "550 5.7.1 ", "550 5.1.1 "},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_refusals, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(of_recipients, Refusals)
{
    for (const auto& row : kRecipients) {
        auto smtp = this->smtp();
        auto submission = this->submission(who.address("alice"));
        smtp.ask("MAIL FROM:<you@example.net>");
        submission.ask("MAIL FROM:<" + who.address("alice") + ">");
        const auto command = "RCPT TO:<" + fill(row.address) + ">";
        const auto of_smtp = smtp.ask(command);
        const auto of_submission = submission.ask(command);
        BOOST_TEST(of_smtp.starts_with(row.answer), row << ": " << of_smtp);
        BOOST_TEST(of_submission.starts_with(row.of_submission != nullptr ? row.of_submission
                                                                          : row.answer),
                   row << " at submission: " << of_submission);
    }
}
// Dovecot takes mail only for the name inside, to which Postfix has bound the address.
BOOST_FIXTURE_TEST_CASE(of_lmtp, Refusals)
{
    mail::Smtp lmtp{endpoint("LMTP"), "LHLO"};
    lmtp.ask("MAIL FROM:<you@example.net>");
    BOOST_TEST(lmtp.ask("RCPT TO:<" + fill("{inside}") + ">").starts_with("250 "));
    for (const std::string address : {"alice@{domain}", "{deleted}", "nobody@{domain}", "alice",
                                      "{inside}x", "alice'@{domain}"}) {
        const auto answer = lmtp.ask("RCPT TO:<" + fill(address) + ">");
        BOOST_TEST(answer.starts_with("550 5.1.1 "), address << ": " << answer);
    }
}

namespace {

struct Sender {
    const char* why;
    std::string address;
    bool is_own;
};

std::ostream& operator<<(std::ostream& out, const Sender& row)
{
    return out << row.why;
}

const Sender kSenders[] = {
    {"the own one", "alice@{domain}", true},
    {"the own one in capitals", "ALICE@{domain}", true},
    {"the own one with a tag", "alice+tag@{domain}", true},
    {"another's", "bob@{domain}", false},
    {"another's with a tag", "bob+tag@{domain}", false},
    {"another's within quotes", "\"bob\"@{domain}", false},
    {"another's by a route", "@{domain}:bob@{domain}", false},
    {"another's by a percent sign", "bob%{domain}@localhost", false},
    {"nobody's", "nobody@{domain}", false},
    {"a deleted one's", "dora@{domain}", false},
    {"elsewhere", "you@example.net", false},
    {"the own name inside", "{inside}", false},
    {"a name alone", "alice", false},
    {"this machine's address", "alice@[127.0.0.1]", false},
};

}  // namespace

// The envelope sender is checked. The From: header is the author's own.
BOOST_FIXTURE_TEST_CASE(of_senders_at_submission, Refusals)
{
    for (const auto& row : kSenders) {
        auto submission = this->submission(who.address("alice"));
        // A reader's confirmation has an empty sender. It must not allow the following message
        // another one.
        BOOST_TEST(submission.ask("MAIL FROM:<>").starts_with("250 "));
        BOOST_TEST(submission.ask("RCPT TO:<" + who.address("bob") + ">").starts_with("250 "));
        submission.ask("RSET");
        const auto answer =
            submission.send(fill(row.address), {who.address("bob")}, mail::message("Hello"));
        BOOST_TEST(answer.starts_with(row.is_own ? "250 " : "553 5.7.1 "), row << ": " << answer);
        BOOST_TEST(
            answer.find(fill("{inside}").substr(0, 32))
                == (row.address == "{inside}" ? answer.find(fill("{inside}")) : std::string::npos),
            answer);
    }
}

// Only the owner of a mailbox, logged in, may send from its address.
BOOST_FIXTURE_TEST_CASE(of_senders_from_outside, Refusals)
{
    const std::pair<const char*, bool> senders[] = {
        {"alice@{domain}", false},          {"ALICE@{domain}", false},
        {"alice+tag@{domain}", false},      {"\"alice\"@{domain}", false},
        {"@{domain}:bob@{domain}", false},  {"bob%{domain}@localhost", false},
        {"nobody@{domain}", true},          {"you@example.net", true},
        {"alice@sub.{domain}", true},       {"", true},
        {"alic\xC3\xA9@example.net", true}, {"{inside}", true},
        {"alic\xE9@example.net", true},
    };
    for (const auto& [sender, is_taken] : senders) {
        const auto answer = smtp().send(fill(sender), {who.address("bob")}, mail::message("Hello"));
        BOOST_TEST(answer.starts_with(is_taken ? "250 " : "550 5.7.1 "), sender << ": " << answer);
    }
}

// Mail to `postmaster` without a domain is always accepted. It goes to the host's own postmaster,
// so it does not evade a mailbox's suspension, and the host's mail does not loop.
BOOST_FIXTURE_TEST_CASE(of_mail_for_the_host_itself, Refusals)
{
    for (const std::string recipient :
         {"postmaster", "Postmaster", "postmaster@localhost", "root@localhost"}) {
        const auto begin = postfix.mark();
        BOOST_TEST(
            smtp().send("you@example.net", {recipient}, mail::message("Hello")).starts_with("250 "),
            recipient);
        BOOST_TEST(
            !postfix.expect(begin, {"to=<root@localhost>", "relay=local", "status=sent"}).empty(),
            recipient);
    }
    for (const std::string recipient :
         {"www-data@localhost", "alice@localhost", "nobody", "{inside}", "root@{domain}"}) {
        const auto answer =
            smtp().send("you@example.net", {fill(recipient)}, mail::message("Hello"));
        BOOST_TEST(answer.starts_with("550 5.1.1 "), recipient << ": " << answer);
    }
}

BOOST_FIXTURE_TEST_CASE(of_clients_without_a_login, Refusals)
{
    for (const char* sender : {"alice@{domain}", "you@example.net", ""}) {
        for (const char* recipient : {"bob@{domain}", "you@example.net"}) {
            mail::Smtp submission{endpoint("SUBMISSION")};
            const auto answer =
                submission.send(fill(sender), {fill(recipient)}, mail::message("Hello"));
            BOOST_TEST(answer[0] == '5', sender << " to " << recipient << ": " << answer);
        }
    }
    // Port 25 offers no login.
    BOOST_TEST(smtp().welcome().find("AUTH") == std::string::npos);
    BOOST_TEST(smtp().login(who.address("alice"), story::kPassword).starts_with("503 5.5.1 "));
}

BOOST_FIXTURE_TEST_CASE(of_passwords, Refusals)
{
    std::string other_password = story::kPassword;
    other_password[0] = 'C';
    std::vector<std::pair<std::string, std::string>> attempts{
        {who.address("alice"), other_password},
        {who.address("dora"), story::kPassword},
        {who.address("nobody"), story::kPassword},
        {inside(who.address("alice")), story::kPassword},
        {"alice", story::kPassword}};
    std::vector<std::string> found(attempts.size());
    mail::in_parallel(attempts.size(), attempts.size(), [&](std::size_t n) {
        const auto refused = is_refused(attempts[n].first, attempts[n].second);
        found[n] = refused ? "" : std::string{refused.message().begin(), refused.message().end()};
    });
    for (std::size_t n = 0; n < attempts.size(); ++n) {
        BOOST_TEST(found[n].empty(), attempts[n].first << ": " << found[n]);
    }
}

BOOST_FIXTURE_TEST_CASE(of_a_message_over_the_limit, Refusals)
{
    constexpr std::size_t kLimit = 51'200'000;
    const auto bob = who.address("bob");
    auto submission = this->submission(who.address("alice"));
    for (auto* client : {&submission}) {
        const auto from = "MAIL FROM:<" + who.address("alice") + "> SIZE=";
        BOOST_TEST(client->ask(from + std::to_string(kLimit)).starts_with("250 "));
        client->ask("RSET");
        BOOST_TEST(client->ask(from + std::to_string(kLimit + 1)).starts_with("552 5.3.4 "));
    }
    std::string body;
    while (body.size() <= kLimit) {
        body += std::string(998, 'x') + "\r\n";
    }
    BOOST_TEST(smtp()
                   .send("you@example.net", {bob}, mail::message("Much", body))
                   .starts_with("552 5.3.4 "));
    BOOST_TEST(messages(bob) == 0U);
    expected = {"queue file size limit exceeded", "mail_stream_cleanup: close error"};
}

BOOST_FIXTURE_TEST_CASE(of_a_full_mailbox, Refusals)
{
    const auto bob = who.address("bob");
    deliver(bob, mail::message("Hello"));
    stack.sql("UPDATE mailbox SET quota_bytes = size_bytes WHERE storage_id = "
              + stack::quote(inside(bob).substr(0, 32)));
    const auto answer = smtp().send("you@example.net", {bob}, mail::message("Once more"));
    BOOST_TEST(answer.starts_with("552 5.2.2 "), answer);
    BOOST_TEST(smtp()
                   .send("you@example.net", {who.address("alice")}, mail::message("Hello"))
                   .starts_with("250 "));
    // Makes room again.
    auto imap = this->imap(bob);
    BOOST_TEST(imap.select() == 1U);
    BOOST_TEST(imap.expunge().starts_with("OK "));
    imap.ask("LOGOUT");
    BOOST_TEST(process::eventually([&] { return messages(bob) == 0; }));
    deliver(bob, mail::message("Again", "Short.\r\n"));
}

BOOST_AUTO_TEST_SUITE_END()
