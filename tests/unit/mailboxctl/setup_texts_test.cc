// setup_texts_test.cc - the configuration files of other programs, as setup reads and changes them.

#include <boost/test/unit_test.hpp>

#include "mailboxctl/setup/conf_text.h"
#include "mailboxctl/setup/dovecot_text.h"
#include "mailboxctl/setup/main_cf.h"
#include "mailboxctl/setup/master_cf.h"
#include "mailboxctl/setup/nginx_text.h"

namespace {

BOOST_AUTO_TEST_SUITE(setup_texts)

BOOST_AUTO_TEST_CASE(main_cf_is_read)
{
    const std::string text = "# a = 1\na = 2\nb=x,\n  y\n# between\n\n\tz\nc =\na = 3\n";
    BOOST_TEST(main_cf::value(text, "a").value() == "3");
    BOOST_TEST(main_cf::value(text, "b").value() == "x, y z");
    BOOST_TEST(main_cf::value(text, "c").value() == "");
    BOOST_TEST(!main_cf::value(text, "d"));
    BOOST_TEST(main_cf::names(text) == (std::vector<std::string>{"a", "b", "c", "a"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(main_cf_is_changed_in_one_place)
{
    BOOST_TEST(main_cf::with("a = 1\n# c\nb = 2\n", "b", "3") == "a = 1\n# c\nb = 3\n");
    BOOST_TEST(main_cf::with("a = 1\n  2\nb = 2\n", "a", "3") == "a = 3\nb = 2\n");
    BOOST_TEST(main_cf::with("a = 1\n  2\n", "a", "1 2") == "a = 1\n  2\n");
    BOOST_TEST(main_cf::with("a = 1", "b", "2") == "a = 1\nb = 2\n");
    BOOST_TEST(main_cf::with("a = 1\n", "b", "") == "a = 1\nb =\n");
    BOOST_TEST(main_cf::with("", "b", "2") == "b = 2\n");
}

const char kMaster[] = "# comment\n"
                       "smtp      inet  n       -       y       -       -       smtpd\n"
                       "#submission inet n       -       y       -       -       smtpd\n"
                       "127.0.0.1:submission inet n - y - - smtpd\n"
                       "  -o syslog_name=postfix/submission\n"
                       "#  -o smtpd_sasl_auth_enable=no\n"
                       "  -o { smtpd_recipient_restrictions = permit_sasl_authenticated, reject }\n"
                       "bounce    unix  -       -       y       -       0       bounce\n";

BOOST_AUTO_TEST_CASE(master_cf_is_read)
{
    const auto services = master_cf::services(kMaster);
    BOOST_TEST_REQUIRE(services.size() == 3U);
    BOOST_TEST(services[0].name == "smtp/inet");
    BOOST_TEST(services[0].has_chroot);
    BOOST_TEST(services[1].name == "127.0.0.1:submission/inet");
    BOOST_TEST(services[2].program == "bounce");
    const std::string submission = "127.0.0.1:submission/inet";
    BOOST_TEST(master_cf::option(kMaster, submission, "syslog_name").value()
               == "postfix/submission");
    BOOST_TEST(master_cf::option(kMaster, submission, "smtpd_recipient_restrictions").value()
               == "permit_sasl_authenticated, reject");
    BOOST_TEST(!master_cf::option(kMaster, submission, "smtpd_sasl_auth_enable"));
    BOOST_TEST(!master_cf::option(kMaster, "absent/inet", "syslog_name"));
}

BOOST_AUTO_TEST_CASE(master_cf_is_changed_in_one_place)
{
    const auto has = [](const std::string& text, const std::string& part) {
        return text.find(part) != std::string::npos;
    };
    const auto no_chroot = master_cf::without_chroot(kMaster, "smtp/inet");
    BOOST_TEST(has(no_chroot, "smtp      inet  n       -       n       -       -       smtpd\n"));
    BOOST_TEST(no_chroot.size() == std::string{kMaster}.size());
    const auto bounce = master_cf::with_option(kMaster, "bounce/unix", "a", "b");
    BOOST_TEST(bounce == std::string{kMaster} + "    -o a=b\n");
    BOOST_TEST(master_cf::with_option(bounce, "bounce/unix", "a", "b") == bounce);
    BOOST_TEST(has(master_cf::with_option(bounce, "bounce/unix", "a", "c d"), "-o { a = c d }\n"));
    const auto changed =
        master_cf::with_option(kMaster, "127.0.0.1:submission/inet", "syslog_name", "x");
    BOOST_TEST(has(changed, "  -o syslog_name=x\n#  -o smtpd_sasl_auth_enable=no\n"));
    BOOST_TEST(master_cf::with_option(kMaster, "absent/inet", "a", "b") == kMaster);
}

const char kNginx[] = "user  www;\n"
                      "http {\n"
                      "    map $x $y { default \"}\"; }\n"
                      "    server { listen 80; server_name a.example; }\n"
                      "    server {\n"
                      "        listen 443 ssl http2; # server_name b.example; }\n"
                      "        server_name mail.example.org ${name};\n"
                      "        ssl_certificate /c.pem; ssl_certificate_key '/k.pem';\n"
                      "        location / { return 200 '}'; }\n"
                      "    }\n"
                      "}\n";

BOOST_AUTO_TEST_CASE(servers_of_nginx)
{
    const auto servers = nginx_text::servers(kNginx);
    BOOST_TEST_REQUIRE(servers.size() == 2U);
    BOOST_TEST(!servers[0].has_tls());
    BOOST_TEST(servers[1].has_tls());
    BOOST_TEST(servers[1].names[0] == "mail.example.org");
    BOOST_TEST(servers[1].certificate == "/c.pem");
    BOOST_TEST(servers[1].key == "/k.pem");
    BOOST_TEST(nginx_text::directive(kNginx, "user") == "www");
    BOOST_TEST(nginx_text::directive(kNginx, "listen") == "");
    const std::string changed = nginx_text::with_line(kNginx, "mail.example.org", "include x;");
    BOOST_TEST(changed.size()
               == std::string{kNginx}.size() + std::string{"    include x;\n"}.size());
    BOOST_TEST((changed.find("'}'; }\n    include x;\n    }\n}\n") != std::string::npos), changed);
    BOOST_TEST(nginx_text::with_line(kNginx, "a.example", "include x;") == kNginx);  // no TLS
}

BOOST_AUTO_TEST_CASE(blocks_of_dovecot)
{
    const char printed[] =
        "# 2.3\nprotocols = imap\npassdb {\n  driver = pam\n}\nservice lmtp {\n"
        "  unix_listener /var/spool/postfix/private/lmtp {\n    mode = 0600\n  }\n}\n"
        "service auth {\n  unix_listener auth-userdb {\n  }\n}\n";
    BOOST_TEST(dovecot_text::blocks(printed, "service lmtp", "unix_listener").at(0)
               == "unix_listener /var/spool/postfix/private/lmtp");
    BOOST_TEST(dovecot_text::blocks(printed, "service auth", "unix_listener").size() == 1U);
    BOOST_TEST(dovecot_text::blocks(printed, "", "passdb").at(0) == "passdb");
}

BOOST_AUTO_TEST_CASE(settings_of_mailboxd)
{
    const std::string text = "# store = /a\nstore = /b  # here\n#mail_host = x\n";
    BOOST_TEST(conf_text::value(text, "store").value() == "/b");
    BOOST_TEST(!conf_text::value(text, "mail_host"));
    BOOST_TEST(conf_text::with(text, "mail_host", "y")
               == "# store = /a\nstore = /b  # here\nmail_host = y\n");
    BOOST_TEST(conf_text::with("a = 1", "b", "2") == "a = 1\nb = 2\n");
    BOOST_TEST(conf_text::without("a = 1\n", "a") == "#a = 1\n");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
