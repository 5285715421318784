// dovecot_test.cc - what is asked of Dovecot, and what is made of its answers.

#include "peers/dovecot.h"

#include <filesystem>

#include <unistd.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/dovecot.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;
using dovecot::answer;
using Strings = std::vector<std::string>;

namespace {

// A server that answers everything the same.
dovecot::Server::Reply always(std::string text)
{
    return [text = std::move(text)](const std::string& /*body*/) { return text; };
}

std::string complaint(const std::string& reply)
{
    dovecot::Server server{always(reply)};
    const dovecot::Client client{server.config(), std::chrono::seconds{reply == "wait" ? 1 : 20}};
    try {
        client.sessions();
        return "accepted";
    } catch (const dovecot::Unasked& failed) {
        return std::string{"unasked: "} + failed.what();
    } catch (const dovecot::Failed& failed) {
        return failed.what();
    }
}

struct Broken : support::Row {
    std::string reply;
    std::string word;
    bool tells_of_dovecot = false;
};

const Broken kBroken[] = {
    {"nothing", "", "not by HTTP"},
    {"another protocol", "* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n\r\n", "not by HTTP"},
    {"the wrong key", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "doveadm_key_file"},
    {"no such page", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404"},
    {"an end in the head", "HTTP/1.1 200 OK\r\nContent-Le", "not understood"},
    {"an end in the body", answer("[[\"doveadmResponse\",[{\"user"), "not understood"},
    {"no JSON", answer("<html>"), "not understood"},
    {"an empty list", answer("[]"), "not understood"},
    {"no list", answer("{\"doveadmResponse\":[]}"), "not understood"},
    {"an answer of two parts", answer("[[\"doveadmResponse\",[]]]"), "not understood"},
    {"a refusal", answer("[[\"error\",{\"type\":\"unknownMethod\", \"exitCode\":0},\"who\"]]"),
     "unknownMethod", true},
    {"silence", "wait", "does not answer", true},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(doveadms)

BOOST_AUTO_TEST_CASE(a_request_to_the_byte)
{
    dovecot::Server server{always(answer("[[\"doveadmResponse\",[],\"who\"]]"))};
    BOOST_TEST(dovecot::Client{server.config()}.sessions().empty());
    BOOST_TEST(
        server.requests()
            == Strings{"POST /doveadm/v1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\nAuthorization: X-Dovecot-API QWxhZGRpbidz\r\n"
                       "Content-Type: application/json\r\nContent-Length: 44\r\n\r\n"
                       "[[\"who\",{\"separateConnections\":true},\"who\"]]"},
        per_element());
}

BOOST_AUTO_TEST_CASE(who_is_connected)
{
    dovecot::Server server{always(answer(
        R"x([["doveadmResponse",[{"username":"a.1@b","service":"imap","pid":"12","ip":"192.0.2.1"},)x"
        R"x({"username":"c.2@d","service":"pop3","pid":"13","ip":"2001:db8::1"}],"who"]])x"))};
    const auto sessions = dovecot::Client{server.config()}.sessions();
    BOOST_TEST_REQUIRE(sessions.size() == 2U);
    BOOST_TEST((Strings{sessions[0].user, sessions[0].service, sessions[0].address})
                   == (Strings{"a.1@b", "imap", "192.0.2.1"}),
               per_element());
    BOOST_TEST((Strings{sessions[1].user, sessions[1].service, sessions[1].address})
                   == (Strings{"c.2@d", "pop3", "2001:db8::1"}),
               per_element());
}

// In one request as many as fit, and who is gone already is no failure.
BOOST_AUTO_TEST_CASE(an_end_to_many)
{
    dovecot::Users users;
    Strings names;
    for (int i = 0; i < 250; ++i) names.push_back("u" + std::to_string(i) + "@d");
    users.connected = {"u7@d", "other@d"};
    dovecot::Server server{[&](const std::string& body) { return users.reply(body); }};
    const dovecot::Client client{server.config()};
    client.kick(names);
    BOOST_TEST(server.requests().size() == 3U);
    BOOST_TEST(users.kicked == names, per_element());
    BOOST_TEST(users.connected == Strings{"other@d"}, per_element());
    client.kick({});
    BOOST_TEST(server.requests().size() == 3U);
}

BOOST_AUTO_TEST_CASE(an_end_that_is_refused)
{
    dovecot::Server server{
        always(answer("[[\"error\",{\"type\":\"exitCode\", \"exitCode\":75},\"kick\"]]"))};
    BOOST_CHECK_THROW(dovecot::Client{server.config()}.kick({"a@b"}), dovecot::Failed);
}

BOOST_AUTO_TEST_CASE(what_userdb_says)
{
    dovecot::Server server{always(answer(
        R"([["doveadmResponse",{"alice@b":{"user":"a@b","home":"/srv/mail/aa"}},"user"]])"))};
    const auto settings = dovecot::Client{server.config()}.user("alice@b");
    BOOST_TEST_REQUIRE(settings.has_value());
    BOOST_TEST(settings->at("home") == "/srv/mail/aa");
    BOOST_TEST(
        server.requests().front().ends_with("[[\"user\",{\"userMask\":[\"alice@b\"]},\"user\"]]"));
}

BOOST_AUTO_TEST_CASE(what_userdb_says_to_a_service)
{
    dovecot::Server server{
        always(answer(R"([["doveadmResponse",{"a.1@b":{"home":"/srv/mail/aa"}},"user"]])"))};
    BOOST_TEST(dovecot::Client{server.config()}.user("a.1@b", "imap").has_value());
    BOOST_TEST(server.requests().front().ends_with(
        R"([["user",{"userMask":["a.1@b"],"authInfo":["service=imap"]},"user"]])"));
}

// As when its database is away: not the same as nobody.
// Over all folders.
BOOST_AUTO_TEST_CASE(how_much_there_is)
{
    dovecot::Server server{
        always(answer(R"([["doveadmResponse",[{"mailbox":"INBOX","vsize":"517","messages":"1"},)"
                      R"({"mailbox":"Trash","vsize":"1034","messages":"2"}],"status"]])"))};
    const auto counted = dovecot::Client{server.config()}.count("a@b").value();
    BOOST_TEST(counted.bytes == 1551);
    BOOST_TEST(counted.messages == 3);
    BOOST_TEST(server.requests().front().ends_with(
        R"([["mailboxStatus",{"user":"a@b","field":["vsize","messages"],"mailboxMask":["*"]},"status"]])"));
}

BOOST_AUTO_TEST_CASE(how_much_there_is_of_who_never_had_mail)
{
    dovecot::Server server{always(answer(R"([["doveadmResponse",[],"status"]])"))};
    BOOST_TEST(dovecot::Client{server.config()}.count("a@b").value().bytes == 0);
}

BOOST_AUTO_TEST_CASE(how_much_there_is_of_nobody)
{
    dovecot::Server server{
        always(answer(R"([["error",{"type":"exitCode","exitCode":67},"status"]])"))};
    BOOST_TEST(!dovecot::Client{server.config()}.count("nobody@b").has_value());
}

BOOST_AUTO_TEST_CASE(what_is_no_count)
{
    for (const char* folder :
         {R"({"mailbox":"INBOX","messages":"1"})", R"({"vsize":"a lot","messages":"1"})",
          R"({"vsize":"1","messages":""})"}) {
        dovecot::Server server{
            always(answer(R"([["doveadmResponse",[)" + std::string{folder} + R"(],"status"]])"))};
        BOOST_CHECK_THROW(dovecot::Client{server.config()}.count("a@b"), dovecot::Failed);
    }
    dovecot::Server server{
        always(answer(R"([["error",{"type":"exitCode","exitCode":75},"status"]])"))};
    BOOST_CHECK_THROW(dovecot::Client{server.config()}.count("a@b"), dovecot::Failed);
}

BOOST_AUTO_TEST_CASE(a_userdb_that_does_not_know_at_present)
{
    dovecot::Server server{
        always(answer(R"([["error",{"type":"exitCode", "exitCode":75},"user"]])"))};
    BOOST_CHECK_THROW(dovecot::Client{server.config()}.user("alice@b"), dovecot::Failed);
}

BOOST_DATA_TEST_CASE(whom_userdb_does_not_know,
                     data::make({R"([["error",{"type":"exitCode", "exitCode":67},"user"]])",
                                 R"([["doveadmResponse",{},"user"]])"}),
                     text)
{
    dovecot::Server server{always(answer(text))};
    BOOST_TEST(!dovecot::Client{server.config()}.user("nobody@b").has_value());
}

BOOST_DATA_TEST_CASE(an_answer_that_is_none, data::make(kBroken), row)
{
    const auto text = complaint(row.reply);
    BOOST_TEST(text.find(row.word) != std::string::npos, text);
    BOOST_TEST(text.starts_with("unasked: ") == !row.tells_of_dovecot, text);
    BOOST_TEST(text.find("Aladdin") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(nobody_is_there)
{
    const support::Directory directory;
    Config config;
    BOOST_CHECK_THROW(dovecot::Client{config}, dovecot::Failed);
    config.doveadm = directory.path("absent");
    config.doveadm_key_file = directory.write("key", "k\n");
    BOOST_CHECK_THROW(dovecot::Client{config}.sessions(), dovecot::Failed);
    config.doveadm = "1";  // a port that only root may take, and nobody does
    BOOST_CHECK_THROW(dovecot::Client{config}.sessions(), dovecot::Failed);
    config.doveadm_key_file = directory.path("absent");
    BOOST_CHECK_THROW(dovecot::Client{config}, Config::Problems);
}

// That is no news of Dovecot, as a socket is that nobody listens at.
BOOST_AUTO_TEST_CASE(a_socket_for_others)
{
    const support::Directory directory;
    Config config;
    config.doveadm = directory.path("http");
    config.doveadm_key_file = directory.write("key", "k\n");
    const dovecot::Client client{config};
    const auto is_unasked = [&] {
        try {
            client.sessions();
        } catch (const dovecot::Failed& failed) {
            return dynamic_cast<const dovecot::Unasked*>(&failed) != nullptr ? 1 : 2;
        }
        return 0;
    };
    BOOST_TEST(is_unasked() == 2);
    std::filesystem::permissions(directory.path(""), std::filesystem::perms::none);
    support::Process stranger{[&] {
        constexpr uid_t kNobody = 65534;
        if (::geteuid() == 0 && ::setuid(kNobody) != 0) return 3;
        return is_unasked();
    }};
    BOOST_TEST(stranger.wait() == 1);
    std::filesystem::permissions(directory.path(""), std::filesystem::perms::owner_all);
}

BOOST_AUTO_TEST_SUITE_END()
