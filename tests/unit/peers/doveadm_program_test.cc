// doveadm_program_test.cc - the other server's address, and the configuration that doveadm gets.

#include "peers/doveadm_program.h"

#include <boost/test/unit_test.hpp>

namespace {

using namespace doveadm_program;

bool has(const std::string& text, const std::string& part)
{
    return text.find("\n" + part + "\n") != std::string::npos;
}

BOOST_AUTO_TEST_SUITE(doveadm_programs)

BOOST_AUTO_TEST_CASE(servers)
{
    const auto plain = server_of("imap://old.example.org");
    BOOST_TEST_REQUIRE(plain.has_value());
    BOOST_TEST(plain->host == "old.example.org");
    BOOST_TEST(plain->port == 143);
    BOOST_TEST((plain->tls == Tls::starttls));
    const auto secure = server_of("imaps://[2001:db8::1]:1993/");
    BOOST_TEST_REQUIRE(secure.has_value());
    BOOST_TEST(secure->host == "2001:db8::1");
    BOOST_TEST(secure->port == 1993);
    BOOST_TEST((secure->tls == Tls::from_the_start));
    for (const std::string bad : {"", "imap://", "http://x", "imap://a b", "imap://x:0",
                                  "imap://x:y", "imap://x:70000", "imap://x\ny", "imaps://user@x"})
        BOOST_TEST(!server_of(bad).has_value(), bad);
}

const Home kHome{"/srv/mail/2e/2e1", {1, 1}, "vmail", "vmail"};

BOOST_AUTO_TEST_CASE(names_and_passwords_are_not_expanded)
{
    const Login login{R"(a%u*m"x)", R"(p%{x}\y"#$z)"};
    const auto old = configuration({"h", 143}, login, Mail::maildir, Syntax::dovecot_2_3, kHome);
    BOOST_TEST(has(old, R"(imapc_user = "a%%u*m\"x")"), old);
    BOOST_TEST(has(old, R"(imapc_password = "p%{x}\\y\"#$z")"), old);
    BOOST_TEST(has(old, "mail_plugins = listescape"), old);
    const auto now = configuration({"h", 143}, login, Mail::maildir, Syntax::dovecot_2_4, kHome);
    BOOST_TEST(has(now, R"(imapc_user = "a%u*m\"x")"), now);
    BOOST_TEST(has(now, R"(imapc_password = "p%%{x}\\y\"#$z")"), now);
    BOOST_TEST(has(now, "mail_path = /srv/mail/2e/2e1/Maildir"), now);
    BOOST_CHECK_THROW(configuration({"h", 143}, {"a\nimapc_host = evil", "p"}, Mail::imap,
                                    Syntax::dovecot_2_3, kHome),
                      std::runtime_error);
}

BOOST_AUTO_TEST_CASE(reasons)
{
    BOOST_TEST(reason({75, "", "doveadm(u): Info: x\ndoveadm(u): Error: it is away\n"})
               == "it is away");
    BOOST_TEST(reason({75, "", ""}) == "doveadm ended with status 75");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
