// mail_smuggling_story.cc - only <CR><LF>.<CR><LF> ends a message. Otherwise a message could carry
// a second one with a forged sender through a server that saw no end there (CVE-2023-51764). BDAT
// is off where Postfix has flaws of that kind in it.

#include "system/harness/mail.h"

#include <ostream>

#include <boost/test/unit_test.hpp>

namespace {

struct Spelling {
    const char* why;
    std::string end;
    bool is_end = false;
};

const Spelling kSpellings[] = {
    {"CRLF.CRLF", "\r\n.\r\n", true}, {"CRLF.LF", "\r\n.\n"}, {"CRLF.CR", "\r\n.\r"},
    {"LF.CRLF", "\n.\r\n"},           {"LF.LF", "\n.\n"},     {"LF.CR", "\n.\r"},
    {"CR.CRLF", "\r.\r\n"},           {"CR.LF", "\r.\n"},     {"CR.CR", "\r.\r"},
};

struct Smuggling : mail::Story {
    Smuggling() : who{tenant()}
    {
        for (const char* name : {"alice", "bob"})
            BOOST_TEST_REQUIRE(create(who, name).status == 200);
        is_old = process::run({"postconf", "-dh", "mail_version"}).out.starts_with("3.7.");
    }

    // A connection in clear that sends raw bytes.
    struct Talk {
        explicit Talk(const mail::Endpoint& endpoint) : connection{endpoint.port} { answer(); }
        std::string ask(const std::string& line)
        {
            connection.send(line + "\r\n");
            return answer();
        }
        std::string answer()
        {
            std::string line = connection.receive_line();
            while (line.size() > 3 && line[3] == '-') line = connection.receive_line();
            return line;
        }
        http::Connection connection;
    };

    // Sends a message that continues, after a possible end, with the commands of another message.
    void send(Talk& talk, const std::string& from, const Spelling& spelling) const
    {
        const auto bob = who.address("bob");
        BOOST_TEST_REQUIRE(talk.ask("MAIL FROM:<" + from + ">").starts_with("250 "));
        BOOST_TEST_REQUIRE(talk.ask("RCPT TO:<" + bob + ">").starts_with("250 "));
        BOOST_TEST_REQUIRE(talk.ask("DATA").starts_with("354 "));
        talk.connection.send("Subject: first\r\n\r\nOne." + spelling.end + "MAIL FROM:<" + from
                             + ">\r\nRCPT TO:<" + bob
                             + ">\r\nDATA\r\nSubject: second\r\n\r\nTwo.\r\n.\r\nQUIT\r\n");
        talk.connection.receive_all();
    }

    void try_all(const std::function<void(const Spelling&)>& deliver_by)
    {
        const auto bob = who.address("bob");
        std::size_t expected_count = 0;
        for (const auto& row : kSpellings) {
            deliver_by(row);
            expected_count += row.is_end ? 2 : 1;
            BOOST_TEST(process::eventually([&] { return messages(bob) >= expected_count; }),
                       row.why << " lost a message");
            BOOST_TEST(process::eventually([&] { return mail::is_queue_empty(stack); }));
            BOOST_TEST(messages(bob) == expected_count, row.why);
            expected_count = messages(bob);
        }
    }

    story::Tenant who;
    bool is_old = false;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_smuggling, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(by_any_end_of_data_from_others, Smuggling)
{
    try_all([&](const Spelling& spelling) {
        Talk talk{endpoint("SMTP")};
        talk.ask("EHLO client.example.net");
        send(talk, "you@example.net", spelling);
    });
}

BOOST_FIXTURE_TEST_CASE(by_any_end_of_data_from_a_user, Smuggling)
{
    const auto alice = who.address("alice");
    try_all([&](const Spelling& spelling) {
        Talk talk{endpoint("SUBMISSION")};
        talk.ask("EHLO client.example.net");
        BOOST_TEST_REQUIRE(
            talk.ask("AUTH PLAIN "
                     + http::base64(std::string{'\0'} + alice + '\0' + story::kPassword))
                .starts_with("235 "));
        send(talk, alice, spelling);
    });
}

BOOST_FIXTURE_TEST_CASE(by_chunks, Smuggling)
{
    const auto has = [&](mail::Smtp& client) {
        return client.welcome().find("CHUNKING") != std::string::npos;
    };
    auto smtp = this->smtp();
    auto submission = this->submission(who.address("alice"));
    mail::Smtp old_client{endpoint("SMTP"), "HELO"};
    for (auto* client : {&smtp, &submission, &old_client}) {
        BOOST_TEST((!is_old || !has(*client)), client->welcome());
        client->ask("MAIL FROM:<"
                    + std::string{client == &submission ? who.address("alice") : "you@example.net"}
                    + ">");
        client->ask("RCPT TO:<" + who.address("bob") + ">");
        if (is_old) BOOST_TEST(client->ask("BDAT 10 LAST").starts_with("5"));
    }
}

BOOST_AUTO_TEST_SUITE_END()
