// mail_reports_story.cc - the reports that Postfix sends about mail that it had accepted. They name
// addresses, never the names inside Dovecot.

#include "system/harness/mail.h"

#include <boost/test/unit_test.hpp>

namespace {

struct Reports : mail::Breaking {
    Reports() : who{tenant()}
    {
        for (const char* name : {"alice", "bob", "carl"}) {
            BOOST_TEST_REQUIRE(create(who, name).status == 200);
            ids.push_back(inside(who.address(name)).substr(0, 32));
        }
    }

    // Waits until alice has this many messages and returns the newest.
    std::string report(std::size_t count)
    {
        const auto alice = who.address("alice");
        BOOST_TEST_REQUIRE(process::eventually([&] { return messages(alice) >= count; },
                                               std::chrono::seconds{30}));
        auto reader = imap(alice);
        reader.select();
        return reader.message(count);
    }

    void check(const std::string& report, const std::vector<std::string>& words) const
    {
        for (const auto& id : ids) BOOST_TEST(report.find(id) == std::string::npos, report);
        for (const auto& word : words)
            BOOST_TEST(report.find(word) != std::string::npos, word << " is not in:\n" << report);
    }

    story::Tenant who;
    std::vector<std::string> ids;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_reports, *mail::needs_mail())

// Accepted while Dovecot is away, and refused when it is back.
BOOST_FIXTURE_TEST_CASE(of_mailboxes_that_have_gone, Reports)
{
    const auto alice = who.address("alice");
    auto client = submission(alice);
    stop_dovecot();
    for (const char* name : {"bob", "carl"}) {
        BOOST_TEST(
            client.send(alice, {who.address(name)}, mail::message("For " + std::string{name}))
                .starts_with("250 "));
    }
    for (const char* name : {"bob", "carl"}) BOOST_TEST(remove(who, name).status == 200);
    stack.up();
    BOOST_TEST(stack.mailboxctl({"erase", who.address("carl"), "--yes"}).exit == 0);
    mail::flush(stack);
    BOOST_TEST_REQUIRE(
        process::eventually([&] { return messages(alice) == 2; }, std::chrono::seconds{30}));
    const auto first = report(1), second = report(2);
    const bool bob_is_first = first.find("bob@") != std::string::npos;
    check(bob_is_first ? first : second,
          {"Final-Recipient: rfc822; " + who.address("bob") + "\r\n",
           "<" + who.address("bob") + "> (expanded from", "User doesn't exist: this mailbox"});
    check(bob_is_first ? second : first, {"Final-Recipient: rfc822; erased-mailbox@" + who.domain});
}

BOOST_FIXTURE_TEST_CASE(of_mail_that_arrived, Reports)
{
    const auto alice = who.address("alice");
    auto client = submission(alice);
    client.ask("MAIL FROM:<" + alice + "> RET=HDRS ENVID=1");
    BOOST_TEST(client.ask("RCPT TO:<" + who.address("bob") + "> NOTIFY=SUCCESS,DELAY,FAILURE")
                   .starts_with("250 "));
    BOOST_TEST(client.data(mail::message("Tell me")).starts_with("250 "));
    check(report(1), {"Final-Recipient: rfc822; " + who.address("bob") + "\r\n"});
}

// The headers of the stored message, which a reader may forward.
BOOST_FIXTURE_TEST_CASE(in_headers_of_a_message, Reports)
{
    deliver(who.address("alice"), mail::message("Hello"));
    const auto from_outside = report(1);
    check(from_outside, {"X-Original-To: " + who.address("alice") + "\r\n",
                         "client.example.net (unknown [127.0.0.1])"});
    // The IP address of the sender's device must not reach the recipients.
    BOOST_TEST(submission(who.address("bob"))
                   .send(who.address("bob"), {who.address("alice")}, mail::message("Hi"))
                   .starts_with("250 "));
    const auto from_bob = report(2);
    check(from_bob, {"Received: from authenticated-user by localhost (Postfix) with ESMTPA id "});
    BOOST_TEST(from_bob.find("client.example.net") == std::string::npos, from_bob);
}

BOOST_AUTO_TEST_SUITE_END()
