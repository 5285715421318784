// mail_quota_story.cc - a full mailbox gets no more mail. The limit is the domain's quota or the
// mailbox's own. Mail is refused at RCPT, or at the end of the message if its size was not known
// before.

#include "system/harness/mail.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;

namespace {

struct Quota : mail::Story {
    Quota() : who{tenant()}, alice{who.address("alice")}
    {
        BOOST_TEST_REQUIRE(create(who, "alice").status == 200);
    }

    void set_domain(const std::string& quota) const
    {
        BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "quota_bytes=" + quota}).exit
                   == 0);
    }
    void set_mailbox(const std::string& quota) const
    {
        BOOST_TEST(stack.mailboxctl({"mailbox", "quota", alice, quota}).exit == 0);
    }

    story::Tenant who;
    std::string alice;
};

struct Limits {
    const char* why;
    const char* domain;
    const char* mailbox;
    bool is_full;  // with one message of more than 100 bytes
};

std::ostream& operator<<(std::ostream& out, const Limits& row)
{
    return out << row.why;
}

const Limits kLimits[] = {
    {"no quota at all", "none", "default", false},
    {"the domain's", "100", "default", true},
    {"the domain's, with room", "1G", "default", false},
    {"its own", "none", "100", true},
    {"its own, smaller than the domain's", "1G", "100", true},
    {"its own, larger than the domain's", "100", "1G", false},
    {"none of its own, in spite of the domain's", "100", "none", false},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_quota, *mail::needs_mail())

BOOST_DATA_TEST_CASE_F(Quota, the_quota_that_counts, data::make(kLimits), row)
{
    deliver(alice, mail::message("Hello"));
    set_domain(row.domain);
    set_mailbox(row.mailbox);
    auto smtp = this->smtp();
    smtp.ask("MAIL FROM:<you@example.net>");
    const auto answer = smtp.ask("RCPT TO:<" + alice + ">");
    BOOST_TEST(answer.starts_with(row.is_full ? "552 5.2.2 " : "250 "), answer);
    const auto says = stack.mailboxctl({"why", alice}).out;
    BOOST_TEST(
        (says.find(row.is_full ? "\nmail in: no, the mailbox is full (552);" : "\nmail in: yes;")
         != std::string::npos),
        says);
}

namespace {

// Returns a message of about this size.
std::string letter(std::size_t size)
{
    return mail::message("Hello", std::string(size, 'x') + "\r\n");
}

}  // namespace

// The client does not announce the size, for one recipient or several.
BOOST_FIXTURE_TEST_CASE(a_message_is_refused_once_it_is_known_to_be_too_large, Quota)
{
    const auto bob = who.address("bob");
    BOOST_TEST_REQUIRE(create(who, "bob").status == 200);
    set_mailbox("4000");
    deliver(alice, letter(1500));
    for (const auto& recipients : {std::vector{alice}, {bob, alice}, {alice, bob}}) {
        BOOST_TEST_CONTEXT(recipients.size() << " recipients")
        {
            auto client = submission(bob);
            for (const std::size_t size : {2500, 9000}) {
                const auto answer = smtp().send("you@example.net", recipients, letter(size));
                BOOST_TEST(answer.starts_with("552 5.2.2 "), answer);
                BOOST_TEST(answer.ends_with(": " + alice), answer);
                const auto of_user = client.send(bob, recipients, letter(size));
                BOOST_TEST(of_user.starts_with("552 5.2.2 "), of_user);
                client.ask("RSET");
            }
        }
    }
    BOOST_TEST(messages(alice) == 1U);
    BOOST_TEST(messages(bob) == 0U);
    BOOST_TEST(smtp().send("you@example.net", {bob, alice}, letter(500)).starts_with("250 "));
    BOOST_TEST(smtp().send("you@example.net", {bob}, letter(9000)).starts_with("250 "));
    // A client that announces the size is refused earlier, even if the mailbox never had so much
    // room.
    for (const char* size : {"2500", "9000"}) {
        auto client = smtp();
        client.ask("MAIL FROM:<you@example.net> SIZE=" + std::string{size});
        BOOST_TEST(client.ask("RCPT TO:<" + alice + ">").starts_with("552 5.2.2 "), size);
        BOOST_TEST(client.ask("RCPT TO:<" + bob + ">").starts_with("250 "), size);
    }
}

// The message was accepted while quotas could not be asked. Its sender gets a report at once
// instead of after days.
BOOST_FIXTURE_TEST_CASE(a_message_that_was_accepted_and_is_too_large_is_reported_at_once,
                        mail::Breaking)
{
    const auto who = tenant();
    const auto alice = who.address("alice"), bob = who.address("bob");
    for (const char* name : {"alice", "bob"}) BOOST_TEST_REQUIRE(create(who, name).status == 200);
    BOOST_TEST(stack.mailboxctl({"mailbox", "quota", alice, "4000"}).exit == 0);
    auto client = submission(bob);
    stop_dovecot();
    BOOST_TEST(client.send(bob, {alice}, letter(9000)).starts_with("250 "));
    stack.up();
    mail::flush(stack);
    BOOST_TEST(process::eventually([&] { return messages(bob) == 1; }, std::chrono::seconds{30}));
    auto reader = imap(bob);
    reader.select();
    const auto report = reader.message(1);
    BOOST_TEST(report.find("Status: 5.2.2") != std::string::npos, report);
    BOOST_TEST(report.find(inside(alice).substr(0, 32)) == std::string::npos, report);
    BOOST_TEST(process::eventually([&] { return mail::is_queue_empty(stack); }));
}

BOOST_AUTO_TEST_SUITE_END()
