// mail_quota_story.cc - whose mailbox is full gets no mail more: by the domain's quota or its own, refused at RCPT; what was
// accepted all the same waits.

#include "mail.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;

namespace {

struct Quota : mail::Story {
    Quota() : who{tenant()}, alice{who.address("alice")} { BOOST_TEST_REQUIRE(create(who, "alice").status == 200); }

    void set_domain(const std::string& quota) const { BOOST_TEST(house.mailboxctl({"domain", "set", who.domain, "quota_bytes=" + quota}).exit == 0); }
    void set_mailbox(const std::string& quota) const { BOOST_TEST(house.mailboxctl({"mailbox", "quota", alice, quota}).exit == 0); }

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

BOOST_DATA_TEST_CASE_F(Quota, whose_counts, data::make(kLimits), row)
{
    deliver(alice, mail::message("Hello"));
    set_domain(row.domain);
    set_mailbox(row.mailbox);
    auto smtp = this->smtp();
    smtp.ask("MAIL FROM:<you@example.net>");
    const auto answer = smtp.ask("RCPT TO:<" + alice + ">");
    BOOST_TEST(answer.starts_with(row.is_full ? "552 5.2.2 " : "250 "), answer);
    const auto says = house.mailboxctl({"why", alice}).out;
    BOOST_TEST((says.find(row.is_full ? "\nmail in: no, the mailbox is full (552);" : "\nmail in: yes;") != std::string::npos), says);
}

// Two are told that there is room, and there is for one of them only.
BOOST_FIXTURE_TEST_CASE(what_was_accepted_is_not_bounced, mail::Breaking)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST_REQUIRE(create(who, "alice").status == 200);
    const auto set_quota = [&](const std::string& quota) { BOOST_TEST(house.mailboxctl({"mailbox", "quota", alice, quota}).exit == 0); };
    const auto letter = mail::message("Hello", std::string(3000, 'x') + "\r\n");
    set_quota("4000");
    auto first = smtp();
    auto second = smtp();
    for (auto* client : {&first, &second}) {
        client->ask("MAIL FROM:<you@example.net>");
        BOOST_TEST(client->ask("RCPT TO:<" + alice + ">").starts_with("250 "));
    }
    BOOST_TEST(first.data(letter).starts_with("250 "));
    BOOST_TEST(process::eventually([&] { return messages(alice) == 1; }));
    BOOST_TEST(second.data(letter).starts_with("250 "));
    BOOST_TEST(!postfix.expect(postfix_begin, {"orig_to=<" + alice + ">", "status=deferred"}).empty());
    // From now on who says how large the message is hears it at once.
    auto third = smtp();
    third.ask("MAIL FROM:<you@example.net> SIZE=3000");
    BOOST_TEST(third.ask("RCPT TO:<" + alice + ">").starts_with("552 5.2.2 "));

    set_quota("8000");
    mail::flush(house);
    BOOST_TEST(process::eventually([&] { return messages(alice) == 2; }));
    BOOST_TEST(process::eventually([&] { return mail::is_queue_empty(house); }));
    for (const auto& line : postfix.lines_since(postfix_begin)) {
        BOOST_TEST(line.find("status=bounced") == std::string::npos, line);
    }
}

BOOST_AUTO_TEST_SUITE_END()
