// mail_tls_story.cc - passwords are accepted over TLS only; in clear only on a loopback listener
// that is configured for it.

#include "system/harness/mail.h"

#include <fstream>
#include <iterator>

#include <boost/test/unit_test.hpp>

namespace {

// Configures the servers as an operator's, without the stack's exception for its own listeners. A
// connection from 127.0.0.2 to 127.0.0.1 is not one of the server to itself, which Dovecot would
// call secure.
struct AsInstalled : mail::Story {
    AsInstalled()
    {
        const std::string_view exception = mail::dovecot_is_24() ? "auth_allow_cleartext = yes\n"
                                                                 : "disable_plaintext_auth = no\n";
        std::ifstream file{stack.setting("DOVECOT_CONF")};
        original.assign(std::istreambuf_iterator<char>{file}, {});
        auto text = original;
        const auto at = text.find(exception);
        BOOST_TEST_REQUIRE(at != std::string::npos);
        configure(text.erase(at, exception.size()), "encrypt");
    }

    void teardown()
    {
        configure(original, "may");
        mail::Story::teardown();
    }

    void configure(const std::string& of_dovecot, const std::string& of_submission) const
    {
        std::ofstream{stack.setting("DOVECOT_CONF")} << of_dovecot;
        BOOST_TEST_REQUIRE(doveadm({"reload"}).exit == 0);
        const auto directory = stack.setting("POSTFIX_CONF");
        const auto listener = "127.0.0.1:" + stack.setting("SUBMISSION_PORT") + "/inet";
        for (const auto& command :
             {process::Arguments{"postconf", "-c", directory, "-P",
                                 listener + "/smtpd_tls_security_level=" + of_submission},
              process::Arguments{"postfix", "-c", directory, "reload"}}) {
            BOOST_TEST_REQUIRE(process::run(mail::as_root(command)).exit == 0);
        }
        const bool in_clear = of_submission == "may";
        BOOST_TEST_REQUIRE(process::eventually([&] {
            return (mail::Imap{from_elsewhere("IMAP")}.greeting().find("LOGINDISABLED")
                    == std::string::npos)
                       == in_clear
                   && (mail::Smtp{from_elsewhere("SUBMISSION")}.welcome().find("AUTH")
                       != std::string::npos)
                          == in_clear;
        }));
    }

    mail::Endpoint from_elsewhere(const std::string& name) const
    {
        auto endpoint = this->endpoint(name);
        endpoint.source = "127.0.0.2";
        return endpoint;
    }

    std::string original;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_tls, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(everything_works_encrypted, mail::Story)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    for (const auto& [submission, tls] : {std::pair{"SUBMISSION", mail::Tls::starttls},
                                          {"SUBMISSIONS", mail::Tls::from_the_start}}) {
        mail::Smtp smtp{endpoint(submission, tls)};
        BOOST_TEST(smtp.login(alice, story::kPassword).starts_with("235 "));
        BOOST_TEST(smtp.send(alice, {alice}, mail::message("Hello")).starts_with("250 "));
    }
    // Mail from others may come encrypted, too.
    mail::Smtp smtp{endpoint("SMTP", mail::Tls::starttls)};
    BOOST_TEST(smtp.send("you@example.net", {alice}, mail::message("Hello")).starts_with("250 "));
    BOOST_TEST(process::eventually([&] { return messages(alice) == 3; }));
    for (const auto& [port, tls] :
         {std::pair{"IMAP", mail::Tls::starttls}, {"IMAPS", mail::Tls::from_the_start}}) {
        mail::Imap imap{endpoint(port, tls)};
        BOOST_TEST(imap.login(alice, story::kPassword).starts_with("OK "));
        BOOST_TEST(imap.select() == 3U);
    }
    for (const auto& [port, tls] :
         {std::pair{"POP3", mail::Tls::starttls}, {"POP3S", mail::Tls::from_the_start}}) {
        mail::Pop3 pop3{endpoint(port, tls)};
        BOOST_TEST(pop3.login(alice, story::kPassword).starts_with("+OK "));
        BOOST_TEST(pop3.messages() == 3U);
    }
}

BOOST_FIXTURE_TEST_CASE(no_password_comes_in_clear, AsInstalled)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);

    mail::Imap imap{from_elsewhere("IMAP")};
    BOOST_TEST(imap.greeting().find("AUTH=") == std::string::npos, imap.greeting());
    BOOST_TEST(imap.login(alice, story::kPassword).starts_with("NO [PRIVACYREQUIRED]"));
    const auto authenticate = imap.ask("AUTHENTICATE PLAIN AGEAYg==").result;
    BOOST_TEST(authenticate.starts_with("NO [PRIVACYREQUIRED]"), authenticate);
    mail::Pop3 pop3{from_elsewhere("POP3")};
    const auto user = pop3.ask("USER " + alice);
    BOOST_TEST(
        user.starts_with(mail::dovecot_is_24() ? "-ERR [AUTH] Cleartext" : "-ERR [AUTH] Plaintext"),
        user);
    mail::Smtp smtp{from_elsewhere("SUBMISSION")};
    BOOST_TEST(smtp.login(alice, story::kPassword).starts_with("530 5.7.0 Must issue a STARTTLS"));
    BOOST_TEST(
        smtp.ask("MAIL FROM:<" + alice + ">").starts_with("530 5.7.0 Must issue a STARTTLS"));

    BOOST_TEST(mail::Imap{endpoint("IMAP", mail::Tls::starttls)}
                   .login(alice, story::kPassword)
                   .starts_with("OK "));
    BOOST_TEST(mail::Pop3{endpoint("POP3", mail::Tls::starttls)}
                   .login(alice, story::kPassword)
                   .starts_with("+OK "));
    BOOST_TEST(mail::Smtp{endpoint("SUBMISSION", mail::Tls::starttls)}
                   .login(alice, story::kPassword)
                   .starts_with("235 "));
}

// RFC 8997: a password must not be sent over TLS 1.0 or 1.1, nor without a certificate. Other
// servers may use what they have, because the alternative is mail in clear.
BOOST_FIXTURE_TEST_CASE(no_login_over_old_tls, mail::Story)
{
    const auto agrees = [&](const std::string& name, const process::Arguments& options) {
        process::Arguments command{"openssl",  "s_client",
                                   "-connect", "127.0.0.1:" + stack.setting(name + "_PORT"),
                                   "-quiet",   "-no_ign_eof"};
        if (name != "SUBMISSIONS") command.insert(command.end(), {"-starttls", "smtp"});
        command.insert(command.end(), options.begin(), options.end());
        return process::run(command, {.input = "QUIT\r\n"}).exit == 0;
    };
    const process::Arguments any{"-cipher", "ALL:@SECLEVEL=0"};
    for (const std::string name : {"SUBMISSION", "SUBMISSIONS"}) {
        for (const char* version : {"-tls1", "-tls1_1"})
            BOOST_TEST(!agrees(name, {version, any[0], any[1]}), name << " " << version);
        for (const char* cipher : {"aNULL:@SECLEVEL=0", "eNULL:@SECLEVEL=0", "3DES:@SECLEVEL=0"}) {
            BOOST_TEST(!agrees(name, {"-tls1_2", "-cipher", cipher}), name << " " << cipher);
        }
        for (const char* version : {"-tls1_2", "-tls1_3"})
            BOOST_TEST(agrees(name, {version}), name << " " << version);
    }
    for (const char* version : {"-tls1", "-tls1_2", "-tls1_3"})
        BOOST_TEST(agrees("SMTP", {version, any[0], any[1]}), version);
    expected = {"TLS library problem"};
}

BOOST_AUTO_TEST_SUITE_END()
