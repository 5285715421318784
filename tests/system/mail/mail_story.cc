// mail_story.cc - the life of a mailbox that the API creates: it receives mail, is read, and sends,
// from the first message to the last.

#include "system/harness/mail.h"

#include <regex>

#include <boost/test/unit_test.hpp>

namespace {

struct Life : mail::Story {
    // Returns the sizes of all messages together, as IMAP reports them, over all folders with mail.
    static std::int64_t sizes(mail::Imap& imap)
    {
        std::int64_t sum = 0;
        const std::regex form{"RFC822.SIZE ([0-9]+)"};
        std::smatch match;
        for (const auto& line : imap.ask("FETCH 1:* RFC822.SIZE").lines) {
            if (std::regex_search(line, match, form)) {
                sum += std::stoll(match[1]);
            }
        }
        return sum;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mails, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(a_life, Life)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    const auto bob = who.address("bob");
    BOOST_TEST(create(who, "alice", "Wonderland 1865").status == 200);
    BOOST_TEST(create(who, "bob").status == 200);

    const auto letter = mail::message("Hello");
    deliver(alice, letter);
    auto imap = this->imap(alice, "Wonderland 1865");
    BOOST_TEST_REQUIRE(imap.select() == 1U);
    const auto received = imap.message(1);
    BOOST_TEST(received.ends_with(letter), received);
    auto pop3 = this->pop3(alice, "Wonderland 1865");
    BOOST_TEST_REQUIRE(pop3.messages() == 1U);
    BOOST_TEST(pop3.message(1) == received);

    const auto reply = mail::message("Re: Hello", "Hello yourself.\r\n");
    BOOST_TEST(submission(alice, "Wonderland 1865").send(alice, {bob}, reply).starts_with("250 "));
    BOOST_TEST_REQUIRE(process::eventually([&] { return messages(bob) == 1; }));
    auto of_bob = this->imap(bob);
    BOOST_TEST_REQUIRE(of_bob.select() == 1U);
    BOOST_TEST(of_bob.message(1).ends_with(reply));

    deliver(alice, mail::message("Hello again"));
    imap.ask("NOOP");
    const auto size = sizes(imap);
    BOOST_TEST(size > static_cast<std::int64_t>(received.size()));
    BOOST_TEST(size_of(who, "alice") == size);
    BOOST_TEST(counted(alice) == size);
    BOOST_TEST(size_of(who, "bob") == counted(bob));

    BOOST_TEST(change(who, "alice", "Looking-Glass 1871").status == 200);
    BOOST_TEST(is_refused(alice, "Wonderland 1865"));
    BOOST_TEST(this->imap(alice, "Looking-Glass 1871").select() == 2U);
    BOOST_TEST(this->pop3(alice, "Looking-Glass 1871").messages() == 2U);
    submission(alice, "Looking-Glass 1871");

    BOOST_TEST(remove(who, "alice").status == 200);
    BOOST_TEST(smtp().send("you@example.net", {alice}, letter).starts_with("550 5.1.1 "));
    BOOST_TEST(is_refused(alice, "Looking-Glass 1871"));

    BOOST_TEST(create(who, "alice", "Sylvie and Bruno 1889").status == 200);
    BOOST_TEST(this->imap(alice, "Sylvie and Bruno 1889").select() == 0U);
    BOOST_TEST(size_of(who, "alice") == 0);
    BOOST_TEST(is_refused(alice, "Looking-Glass 1871"));
    deliver(alice, letter);
    BOOST_TEST(this->pop3(alice, "Sylvie and Bruno 1889").messages() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
