// mail_story.cc - a mailbox of the API takes mail, is read, and sends.

#include "mail.h"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(mails, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(a_mailbox_from_its_first_message_to_its_last, mail::Story)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(create(who, "bob").status == 200);

    const auto letter = mail::message("Hello");
    deliver(alice, letter);
    auto imap = this->imap(alice);
    BOOST_TEST_REQUIRE(imap.select() == 1U);
    const auto received = imap.message(1);
    BOOST_TEST(received.ends_with(letter), received);
    auto pop3 = this->pop3(alice);
    BOOST_TEST_REQUIRE(pop3.messages() == 1U);
    BOOST_TEST(pop3.message(1) == received);
}

BOOST_AUTO_TEST_SUITE_END()
