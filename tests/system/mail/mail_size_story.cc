// mail_size_story.cc - the size in the list follows the mailbox: each delivery, and each message
// that is added or removed over IMAP or POP3.

#include "system/harness/mail.h"

#include <boost/test/unit_test.hpp>

namespace {

struct Size : mail::Story {
    Size() : who{tenant()}, alice{who.address("alice")}
    {
        BOOST_TEST_REQUIRE(create(who, "alice").status == 200);
    }

    std::int64_t listed() const { return size_of(who, "alice"); }
    bool becomes(std::int64_t size) const
    {
        return process::eventually([&] { return listed() == size; });
    }
    // Delivers a message by LMTP, as Postfix does. Returns the mailbox's size afterwards.
    std::int64_t deliver_one() const
    {
        const auto before = listed();
        mail::Smtp lmtp{endpoint("LMTP"), "LHLO"};
        BOOST_TEST_REQUIRE(lmtp.send("you@example.net", {inside(alice)}, mail::message("Hello"))
                               .starts_with("250 "));
        BOOST_TEST_REQUIRE(process::eventually([&] { return listed() > before; }));
        return listed();
    }

    story::Tenant who;
    std::string alice;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_size, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(after_each_delivery, Size)
{
    BOOST_TEST(listed() == 0);
    for (int i = 0; i < 3; ++i) {
        const auto size = deliver_one();
        BOOST_TEST(size == counted(alice));
    }
}

// The session stays open; Dovecot reports its changes within a few seconds.
BOOST_FIXTURE_TEST_CASE(while_a_reader_is_at_work, Size)
{
    const auto one = deliver_one();
    auto imap = this->imap(alice);
    imap.select();
    BOOST_TEST(imap.ask("COPY 1 Trash").result.starts_with("OK "));
    BOOST_TEST(becomes(2 * one));
    BOOST_TEST(counted(alice) == 2 * one);
}

BOOST_FIXTURE_TEST_CASE(when_a_reader_leaves, Size)
{
    const auto one = deliver_one();
    const auto two = deliver_one();
    const auto draft = mail::message("Later");
    const auto size_of_draft = static_cast<std::int64_t>(draft.size());
    {
        auto imap = this->imap(alice);
        imap.select();
        BOOST_TEST(imap.append("Drafts", draft).starts_with("OK "));
        BOOST_TEST(imap.ask("MOVE 2 Trash").result.starts_with("OK "));
        imap.ask("LOGOUT");
    }
    BOOST_TEST(becomes(two + size_of_draft));
    {
        auto imap = this->imap(alice);
        imap.select("Trash");
        BOOST_TEST(imap.expunge().starts_with("OK "));
        imap.ask("LOGOUT");
    }
    BOOST_TEST(becomes(one + size_of_draft));
    {
        auto imap = this->imap(alice);
        imap.ask("DELETE Drafts");
        imap.ask("LOGOUT");
    }
    BOOST_TEST(becomes(one));
    auto pop3 = this->pop3(alice);
    BOOST_TEST(pop3.ask("DELE 1").starts_with("+OK"));
    BOOST_TEST(listed() == one);
    BOOST_TEST(pop3.ask("QUIT").starts_with("+OK"));
    BOOST_TEST(becomes(0));
    BOOST_TEST(counted(alice) == 0);
}

// The connection ends without a logout, as when the network fails.
BOOST_FIXTURE_TEST_CASE(when_a_reader_is_cut_off, Size)
{
    const auto draft = mail::message("Later");
    BOOST_TEST(imap(alice).append("INBOX", draft).starts_with("OK "));
    BOOST_TEST(becomes(static_cast<std::int64_t>(draft.size())));
}

// A session belongs to the mailbox that it began with, not to the one that has the address now.
BOOST_FIXTURE_TEST_CASE(of_a_mailbox_made_again, Size)
{
    deliver_one();
    const auto old = inside(alice).substr(0, 32);
    const mail::Halt janitor{stack};  // the janitor would end the session
    auto imap = this->imap(alice);
    imap.select();
    BOOST_TEST(remove(who, "alice").status == 200);
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(imap.append("INBOX", mail::message("Too late")).starts_with("OK "));
    imap.ask("LOGOUT");
    expected = {"foreign key constraint fails"};
    // Dovecot logs its attempt.
    BOOST_TEST(!dovecot.expect(dovecot_begin, {"foreign key constraint fails", old}).empty());
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM mailbox_usage WHERE storage_id IN ("
                           + stack::quote(old) + ", " + stack::quote(inside(alice).substr(0, 32))
                           + ")")
               == "0");
    BOOST_TEST(listed() == 0);
    BOOST_TEST(this->imap(alice).select() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
