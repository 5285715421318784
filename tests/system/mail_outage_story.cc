// mail_outage_story.cc - the database is away while mail arrives: whoever sends is told to wait, and nothing is lost.

#include "mail.h"

#include <filesystem>
#include <future>
#include <system_error>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;

namespace {

struct Outage : mail::Breaking {
    // Dovecot's helpers that are connected already would keep their first client waiting for up to a minute. A reload
    // makes the sockets anew, and a Postfix that begins to serve somebody while there is none hangs up.
    void forget_connections() const
    {
        const auto socket = house.directory() / "dovecot" / "run" / "postfix";
        const auto before = fs::last_write_time(socket);
        BOOST_TEST_REQUIRE(doveadm({"reload"}).exit == 0);
        BOOST_TEST_REQUIRE(process::eventually([&] {
            std::error_code error;
            const auto now = fs::last_write_time(socket, error);
            return !error && now != before;
        }));
    }

    bool is_any_bounced() const
    {
        for (const auto& line : postfix.lines_since(postfix_begin)) {
            if (line.find("status=bounced") != std::string::npos) {
                return true;
            }
        }
        return false;
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_outage, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(the_database_is_away_while_mail_arrives, Outage)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    deliver(alice, mail::message("Before"));
    auto session = imap(alice);
    forget_connections();
    stop_database();

    // Who was in before reads on. A minute after its reload Dovecot ends what is left from before.
    BOOST_TEST(session.select() == 1U);
    BOOST_TEST(session.message(1).find("Subject: Before") != std::string::npos);

    for (int i = 0; i < 2; ++i) {
        // Temporary, each of them: nobody bounces a message or asks for another password.
        BOOST_TEST(smtp().send("you@example.net", {alice}, mail::message("Meanwhile")).starts_with("451 4.3."));
        BOOST_TEST(smtp().send("you@example.net", {who.address("nobody")}, mail::message("To nobody")).starts_with("451 4.3."));
        BOOST_TEST(mail::Smtp{endpoint("SUBMISSION")}.welcome().starts_with("451 4.3."));
        BOOST_TEST(mail::Smtp{endpoint("SUBMISSIONS", mail::Tls::from_the_start)}.welcome().starts_with("451 4.3."));
        auto by_pop3 = std::async(std::launch::async, [&] {
            return mail::Pop3{endpoint("POP3")}.login(alice, story::kPassword);
        });
        BOOST_TEST(mail::Imap{endpoint("IMAP")}.login(alice, story::kPassword).starts_with("NO [UNAVAILABLE]"));
        BOOST_TEST(by_pop3.get().starts_with("-ERR [SYS/TEMP]"));
    }
    house.up();
    deliver(alice, mail::message("After"));
    BOOST_TEST(pop3(alice).messages() == 2U);
    submission(alice);
    BOOST_TEST(!is_any_bounced());
}

BOOST_FIXTURE_TEST_CASE(what_was_accepted_is_delivered_when_all_is_back, Outage)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    stop_dovecot();
    const auto letter = mail::message("Accepted");
    BOOST_TEST(smtp().send("you@example.net", {alice}, letter).starts_with("250 "));
    const auto mark = postfix.mark();
    stop_database();
    mail::flush(house);
    // Tried in vain, without Dovecot or without the database.
    BOOST_TEST(!postfix.expect(mark, {"status=deferred"}).empty());
    BOOST_TEST(!mail::is_queue_empty(house));

    house.up();
    mail::flush(house);
    BOOST_TEST_REQUIRE(process::eventually([&] { return messages(alice) == 1; }, std::chrono::seconds{30}));
    BOOST_TEST(process::eventually([&] { return mail::is_queue_empty(house); }));
    auto reader = pop3(alice);
    BOOST_TEST_REQUIRE(reader.messages() == 1U);
    BOOST_TEST(reader.message(1).ends_with(letter));
    BOOST_TEST(!is_any_bounced());
}

BOOST_AUTO_TEST_SUITE_END()
