// mail_sending_story.cc - the limit of messages that a mailbox may send: what counts, the answer to
// a message over the limit, and that check and why notice when nobody can send.

#include "system/harness/mail.h"

#include <algorithm>
#include <memory>
#include <regex>

#include <boost/test/unit_test.hpp>

namespace {

struct Sending : mail::Story {
    Sending() : who{tenant()}, alice{who.address("alice")}
    {
        BOOST_TEST_REQUIRE(create(who, "alice").status == 200);
        BOOST_TEST_REQUIRE(create(who, "bob").status == 200);
    }

    // Sends MAIL and this many RCPT, and checks the answers.
    mail::Smtp begun(const std::string& from, int recipients) const
    {
        auto session = submission(from);
        BOOST_TEST(session.ask("MAIL FROM:<" + from + ">").starts_with("250 "));
        for (int i = 0; i < recipients; ++i) {
            const auto answer = session.ask("RCPT TO:<you" + std::to_string(i) + "@example.net>");
            BOOST_TEST(answer.starts_with("250 "), answer);
        }
        return session;
    }
    std::string send(const std::string& from, int recipients) const
    {
        return begun(from, recipients).data(mail::message("Hello"));
    }
    std::string counted(const std::string& address) const
    {
        return stack.value(
            "SELECT COALESCE(MAX(recipients), 0) FROM sending_rate WHERE kind = 'mailbox' AND name = "
            + stack::quote(address));
    }
    void set_counted(const std::string& address, int recipients) const
    {
        stack.sql("REPLACE INTO sending_rate VALUES ('mailbox', " + stack::quote(address)
                  + ", UNIX_TIMESTAMP(), " + std::to_string(recipients) + ")");
    }

    story::Tenant who;
    std::string alice;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_sending, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(an_aborted_message_is_not_counted, Sending)
{
    {
        auto session = begun(alice, 201);
        session.ask("RSET");
        BOOST_TEST(session.ask("MAIL FROM:<" + alice + ">").starts_with("250 "));
        BOOST_TEST(session.ask("RCPT TO:<you@example.net>").starts_with("250 "));
        BOOST_TEST(session.ask("DATA").starts_with("354 "));
    }  // hangs up in the middle of the message
    BOOST_TEST(counted(alice) == "0");
    BOOST_TEST(send(alice, 3).starts_with("250 "));
    BOOST_TEST(counted(alice) == "3");
}

BOOST_FIXTURE_TEST_CASE(a_refusal_says_the_limit_and_when_to_try_again, Sending)
{
    const auto much = begun(alice, 201).ask("DATA");
    BOOST_TEST(much.starts_with("550 5.5.3 "), much);
    BOOST_TEST(much.find("This mailbox may send to 200 recipients an hour; this message has 201")
                   != std::string::npos,
               much);
    set_counted(alice, 199);
    BOOST_TEST(send(alice, 1).starts_with("250 "));
    const auto late = begun(alice, 1).ask("DATA");
    BOOST_TEST(
        std::regex_search(
            late,
            std::regex{
                "^450 4\\.7\\.1 .*may send to 200 recipients an hour and has sent to 200; this message has 1:"
                " try again at [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"}),
        late);
    for (const auto& text : {much, late}) {
        BOOST_TEST(text.find("SASL") == std::string::npos, text);
        BOOST_TEST(text.find(inside(alice).substr(0, 32)) == std::string::npos, text);
    }
    // Other mailboxes, and mail to this one, are not limited by it.
    BOOST_TEST(send(who.address("bob"), 1).starts_with("250 "));
    BOOST_TEST(smtp().send("you@example.net", {alice}, mail::message("Hello")).starts_with("250 "));
}

BOOST_FIXTURE_TEST_CASE(another_mailbox_of_the_name_has_the_same_limit, Sending)
{
    set_counted(alice, 200);
    BOOST_TEST(remove(who, "alice").status == 200);
    BOOST_TEST(create(who, "alice").status == 200);
    const auto answer = begun(alice, 1).ask("DATA");
    BOOST_TEST(answer.starts_with("450 4.7.1 "), answer);
}

BOOST_FIXTURE_TEST_CASE(sessions_at_the_same_time_do_not_send_more, Sending)
{
    constexpr std::size_t kSessions = 4;
    set_counted(alice, 180);
    std::vector<std::string> answers(kSessions);
    std::vector<std::unique_ptr<mail::Smtp>> sessions;
    // At DATA, each session has been told that there is room.
    for (std::size_t i = 0; i < kSessions; ++i)
        sessions.push_back(std::make_unique<mail::Smtp>(begun(alice, 9)));
    for (auto& session : sessions) BOOST_TEST(session->ask("DATA").starts_with("354 "));
    mail::in_parallel(kSessions, kSessions, [&](std::size_t n) {
        answers[n] = sessions[n]->ask("Subject: Hello\r\n\r\nHello\r\n.");
    });
    const auto sent = std::count_if(answers.begin(), answers.end(),
                                    [](const auto& answer) { return answer.starts_with("250 "); });
    BOOST_TEST(sent == 2);
    for (const auto& answer : answers)
        BOOST_TEST((answer.starts_with("250 ") || answer.starts_with("450 4.7.1 ")), answer);
    BOOST_TEST(counted(alice) == "198");
}

BOOST_FIXTURE_TEST_CASE(check_and_why_notice_that_nobody_can_send, Sending)
{
    BOOST_TEST(stack.mailboxctl({"why", alice}).out.find("sending: yes") != std::string::npos);
    stack.sql("REVOKE UPDATE ON sending_rate FROM 'mailboxd_postfix'@'localhost'");
    const auto answer = begun(alice, 1).data(mail::message("Hello"));
    const auto check = stack.mailboxctl({"check"});
    const auto why = stack.mailboxctl({"why", alice});
    stack.sql("GRANT UPDATE ON sending_rate TO 'mailboxd_postfix'@'localhost'");
    BOOST_TEST(answer.starts_with("451 4.3.0 "), answer);
    BOOST_TEST(check.exit == 1);
    BOOST_TEST(check.out.find("WRONG    Postfix: what mailboxes send cannot be counted")
                   != std::string::npos,
               check.out);
    BOOST_TEST(why.exit == 1);
    BOOST_TEST(why.out.find("sending: no, it cannot be counted (451)") != std::string::npos,
               why.out);
    BOOST_TEST(send(alice, 1).starts_with("250 "));
    BOOST_TEST(stack.mailboxctl({"check"}).out.find("ok       Postfix\n") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
