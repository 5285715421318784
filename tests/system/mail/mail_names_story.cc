// mail_names_story.cc - every name that the API accepts can log in and receive mail: tried with
// every printable ASCII character in every position of a name.

#include "system/harness/mail.h"

#include <sstream>
#include <string>

#include <boost/test/unit_test.hpp>

namespace {

constexpr std::string_view kAnywhere = "abcdefghijklmnopqrstuvwxyz0123456789_$&'=^`{|}~";

struct Mailbox {
    story::Tenant tenant;
    std::string name;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_names, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(every_printable_character, mail::Story,
                        *story::shows("parameters: mailbox"))
{
    const auto who = tenant();
    const auto neighbour =
        this->neighbour(who);  // a domain in which capital letters get mailboxes of their own
    std::vector<Mailbox> tried;
    std::vector<http::Request> requests;
    for (char c = ' '; c <= '~'; ++c) {
        const std::string letter{c};
        const std::vector<std::string> each{letter + "first", "mid" + letter + "dle",
                                            "last" + letter};
        const std::vector<std::string> all_in_one{letter + "x" + letter + "x" + letter};
        const auto& tenant = mail::lower(letter) == letter ? who : neighbour;
        for (const auto& name :
             kAnywhere.find(mail::lower(letter)) == std::string_view::npos ? each : all_in_one) {
            tried.push_back({tenant, name});
            requests.push_back({"POST",
                                tenant.mailboxes(),
                                {{"Authorization", http::basic(tenant.key)}},
                                http::form({{"mailbox", name}, {"password", story::kPassword}})});
        }
    }
    const auto answered = http::send_all_patiently(stack.server(), requests);
    std::vector<Mailbox> mailboxes;
    for (std::size_t n = 0; n < tried.size(); ++n) {
        if (answered[n].status == 200) {
            mailboxes.push_back(tried[n]);
        } else {
            BOOST_TEST(answers::is_refused(answered[n], 400, {"'mailbox'"}), tried[n].name);
        }
    }
    BOOST_TEST(mailboxes.size()
               == kAnywhere.size() + 26 + 3);  // 26 capital letters; mid.dle, mid-dle, last-

    auto smtp = this->smtp();
    BOOST_TEST(smtp.ask("MAIL FROM:<you@example.net>").starts_with("250 "));
    for (const auto& [tenant, name] : mailboxes) {
        const auto answer = smtp.ask("RCPT TO:<" + tenant.address(name) + ">");
        BOOST_TEST(answer.starts_with("250 "), name << ": " << answer);
    }
    BOOST_TEST(smtp.data(mail::message("Hello")).starts_with("250 "));

    std::vector<std::string> failed(mailboxes.size());
    mail::in_parallel(mailboxes.size(), 4, [&](std::size_t n) {
        const auto address = mailboxes[n].tenant.address(mailboxes[n].name);
        mail::Imap imap{endpoint("IMAP")};
        mail::Pop3 pop3{endpoint("POP3")};
        const auto of_imap = imap.login(address, story::kPassword);
        const auto of_pop3 = pop3.login(address, story::kPassword);
        if (!of_imap.starts_with("OK ") || !of_pop3.starts_with("+OK ")) {
            failed[n] = address + ": " + of_imap + ", " + of_pop3;
        }
    });
    for (const auto& each : failed) {
        BOOST_TEST(each.empty(), each);
    }
    std::string missing;
    process::eventually(
        [&] {
        missing.clear();
        for (const auto& [tenant, name] : mailboxes) {
            const auto address = tenant.address(mail::lower(name));
            missing += messages(address) == 1 ? "" : " " + address;
        }
        return missing.empty();
        },
        std::chrono::seconds{20});
    // A first login in the moment of the delivery may have left a count of none until the next
    // change.
    std::istringstream uncounted{missing};
    for (std::string address; uncounted >> address;) {
        BOOST_TEST(process::eventually([&] { return imap(address).select() == 1U; },
                                       std::chrono::seconds{60}),
                   "no message for " << address);
    }
}

// A domain beyond ASCII is known by both of its forms: in the API, whose answers keep the form of
// the request, and at each login.
BOOST_FIXTURE_TEST_CASE(a_domain_in_unicode, mail::Story)
{
    const auto who = tenant();
    const auto letters = story::unique("b");
    const auto unicode = letters
                         + "\xC3\xBC"
                           "cher.example",
               upper = mail::upper(letters)
                       + "\xC3\x9C"
                         "CHER.Example";
    BOOST_TEST(
        stack.mailboxctl({"domain", "add", unicode, "--account", who.account, "--no-postmaster"})
            .exit
        == 0);
    const auto ascii =
        stack.value("SELECT COALESCE(MAX(name), '') FROM domain WHERE HEX(unicode_name) = HEX("
                    + stack::quote(unicode) + ")");
    BOOST_TEST_REQUIRE(ascii.starts_with("xn--"), ascii);
    BOOST_TEST(
        story::is_sentence(stack.mailboxctl({"domain", "add", ascii, "--account", who.account}), 1,
                           {ascii, "already"}));
    const story::Tenant in_unicode{who.account, letters + "%C3%BCcher.example", who.key},
        in_ascii{who.account, ascii, who.key};

    BOOST_TEST(create(in_unicode, "anna").status == 200);
    BOOST_TEST(create(in_unicode, "berta@" + upper).status == 200);
    BOOST_TEST(create(in_unicode, "clara@" + ascii).status == 200);
    BOOST_TEST(answers::is_refused(create(in_ascii, "anna@" + unicode), 409, {"anna@" + unicode}));
    // Each list is requested twice, so that the second may come from a worker's cache.
    for (int n = 0; n < 2; ++n) {
        BOOST_TEST(story::has(list(in_unicode).body, "anna@" + unicode));
        BOOST_TEST(!story::has(list(in_unicode).body, ascii));
        BOOST_TEST(story::has(list(in_ascii).body, "anna@" + ascii));
        BOOST_TEST(!story::has(list(in_ascii).body, unicode));
    }
    BOOST_TEST(change(in_ascii, "clara%40" + in_unicode.domain, "another password").status == 200);
    BOOST_TEST(story::has(remove(in_unicode, "clara").body, "clara@" + unicode));
    const auto shown = stack.mailboxctl({"mailbox", "show", "anna@" + upper});
    BOOST_TEST(story::has(shown.out, "anna@" + unicode), shown.out + shown.err);
    for (const char* none : {"i%E2%99%A5ny.example", "%F0%9F%98%80.example"}) {
        BOOST_TEST(answers::is_refused(list({who.account, none, who.key}), 404, {"IDNA 2008"}),
                   none);
    }
    BOOST_TEST(story::is_sentence(
        stack.mailboxctl({"domain", "add", "i\xE2\x99\xA5ny.example", "--account", who.account}), 1,
        {"IDNA 2008"}));

    deliver("anna@" + ascii, mail::message("Hello"));
    for (const auto& domain : {ascii, unicode, upper}) {
        const auto address = "anna@" + domain;
        BOOST_TEST(this->imap(address).select() == 1U, domain);
        BOOST_TEST(this->pop3(address).messages() == 1U, domain);
        auto client = submission(address);
        BOOST_TEST(client.send("anna@" + ascii, {"berta@" + ascii}, mail::message("From " + domain))
                       .starts_with("250 "),
                   domain);
    }
    BOOST_TEST(is_refused("anna@" + unicode, "a wrong password"));
    BOOST_TEST(is_refused("nobody@" + unicode, story::kPassword));
    BOOST_TEST(is_refused("ann\xC3\xA4@" + unicode, story::kPassword));
    BOOST_TEST(is_refused("anna@b\xFC"
                          "cher.example",
                          story::kPassword));
}

// A user who learns a mailbox's name inside Dovecot can create a mailbox of that name, but gets
// none of the other's mail.
BOOST_FIXTURE_TEST_CASE(another_mailboxs_name_inside, mail::Story)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    const auto name = inside(alice).substr(0, 32);
    BOOST_TEST(create(who, name, "Mallory's password").status == 200);
    deliver(alice, mail::message("Hello"));
    BOOST_TEST(this->imap(alice).select() == 1U);
    BOOST_TEST(this->imap(who.address(name), "Mallory's password").select() == 0U);
    BOOST_TEST(smtp()
                   .send("you@example.net", {who.address(name)}, mail::message("Hello"))
                   .starts_with("550 5.1.1 "));
}

BOOST_AUTO_TEST_SUITE_END()
