// mail_forward_story.cc - aliases that lead to other servers: who may have them, what arrives,
// where bounces go, and what waits.
//
// No mail leaves the machine. The other server is this one: a domain of another account, which an
// alias reaches like any address elsewhere.

#include "system/harness/mail.h"

#include <algorithm>
#include <regex>

#include <boost/test/unit_test.hpp>

namespace {

struct Forwarding : mail::Story {
    Forwarding() : who{tenant()}, elsewhere{tenant()}
    {
        BOOST_TEST_REQUIRE(create(who, "alice").status == 200);
        for (const char* name : {"bob", "carol"})
            BOOST_TEST_REQUIRE(create(elsewhere, name).status == 200);
    }
    // Other stories expect that every alias leads to a mailbox, and look at Postfix without SRS.
    void teardown()
    {
        mail::Story::teardown();
        const auto account =
            stack.value("SELECT id FROM account WHERE name = " + stack::quote(who.account));
        stack.sql("DELETE FROM alias WHERE account_id = " + account);
        stack.sql("UPDATE domain SET forward_outside = 0 WHERE account_id = " + account);
    }

    http::Answer route(const std::string& name, const std::vector<std::string>& targets) const
    {
        http::Fields fields{{"expression", "match_recipient('" + who.address(name) + "')"}};
        for (const auto& target : targets)
            fields.emplace_back("action", "forward(\"" + target + "\")");
        return call(who.key, "POST", "/v3/routes", http::form(fields));
    }
    void permit(const std::string& answer) const
    {
        const auto ended =
            stack.mailboxctl({"domain", "set", who.domain, "forward_outside=" + answer});
        BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
    }
    // Permits it, and sends mail for sales@ to these addresses.
    void forward(const std::vector<std::string>& targets) const
    {
        permit("yes");
        const auto answer = route("sales", targets);
        BOOST_TEST_REQUIRE(answer.status == 200, answer.body);
    }
    // Returns the number by which Postfix names the alias sales@.
    std::string number() const
    {
        return stack.value(
            "SELECT a.id FROM alias a JOIN domain d ON d.id = a.domain_id WHERE d.name = "
            + stack::quote(who.domain) + " AND a.local_part = 'sales'");
    }
    std::string marked(const std::string& target) const
    {
        return std::regex_replace(target, std::regex{"@"}, "=") + "@" + number()
               + ".forward.invalid";
    }

    std::string send(mail::Smtp& session, const std::string& from, const std::string& to,
                     const std::string& subject) const
    {
        return session.send(from, {to}, mail::message(subject, "Hello.\r\n"));
    }
    // Waits until the mailbox has this many messages, and returns the last one.
    std::string last_message(const std::string& address, std::size_t count = 1) const
    {
        BOOST_TEST(process::eventually([&] { return imap(address).select() == count; }));
        auto session = imap(address);
        return session.select() == count ? session.message(count) : std::string{};
    }
    static std::string return_path(const std::string& message)
    {
        std::smatch found;
        std::regex_search(message, found, std::regex{"Return-Path: <([^>]*)>"});
        return found.empty() ? "none" : found[1].str();
    }
    static bool is_rewritten(const std::string& sender, const std::string& original)
    {
        const auto at = original.find('@');
        return std::regex_match(sender, std::regex{"SRS0=[^=]+=[^=]+=" + original.substr(at + 1)
                                                   + "=" + original.substr(0, at) + "@localhost"});
    }
    std::string rcpt(mail::Smtp session, const std::string& address) const
    {
        BOOST_TEST(session.ask("MAIL FROM:<>").starts_with("250 "));
        return session.ask("RCPT TO:<" + address + ">");
    }

    story::Tenant who, elsewhere;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_forward, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(the_operator_permits_it, Forwarding, *story::shows("routes: other servers"))
{
    const auto bob = elsewhere.address("bob");
    BOOST_TEST(route("sales", {bob}).status == 400);
    BOOST_TEST(
        route("sales", {"someone@example.net"}).body
        == "{\"message\":\"someone@example.net is neither a mailbox nor a route of this account, and the operator does"
           " not permit "
               + who.domain
               + " to send to other servers (forward_outside)\",\"code\":\"bad_target\"}\n");
    forward({bob});
    BOOST_TEST(rcpt(smtp(), who.address("sales")).starts_with("250 "));
    const auto check = stack.mailboxctl({"check"});
    BOOST_TEST(check.out.find("ok       forwarding\n") != std::string::npos, check.out);
    const auto why = stack.mailboxctl({"why", who.address("sales")});
    BOOST_TEST(why.out.find("leads to " + bob) != std::string::npos, why.out);
    permit("no");
    BOOST_TEST(rcpt(smtp(), who.address("sales")).starts_with("550 "));
    const auto lost = stack.mailboxctl({"why", who.address("sales")});
    BOOST_TEST(lost.exit == 1);
    BOOST_TEST(lost.out.find("may not send to other servers any more") != std::string::npos,
               lost.out);
}

BOOST_FIXTURE_TEST_CASE(the_copy_elsewhere_has_a_sender_of_this_server, Forwarding,
                        *story::shows("routes: other servers"))
{
    forward({who.address("alice"), elsewhere.address("bob")});
    auto session = smtp();
    BOOST_TEST(
        send(session, "You@example.net", who.address("sales"), "copies").starts_with("250 "));
    const auto here = last_message(who.address("alice"));
    BOOST_TEST(return_path(here) == "You@example.net");
    const auto copy = last_message(elsewhere.address("bob"));
    BOOST_TEST(is_rewritten(return_path(copy), "You@example.net"), return_path(copy));
    BOOST_TEST(copy.find("Subject: copies\r\n") != std::string::npos, copy);
    // A report has no sender, and nothing can make it loop.
    BOOST_TEST(send(session, "", who.address("sales"), "report").starts_with("250 "));
    BOOST_TEST(return_path(last_message(elsewhere.address("bob"), 2)) == "");
}

BOOST_FIXTURE_TEST_CASE(a_bounce_goes_to_the_original_sender, Forwarding,
                        *story::shows("routes: other servers"))
{
    forward({elsewhere.address("bob")});
    const auto carol = elsewhere.address("carol");
    auto session = submission(carol);
    BOOST_TEST(send(session, carol, who.address("sales"), "question").starts_with("250 "));
    const auto sender = return_path(last_message(elsewhere.address("bob")));
    BOOST_TEST_REQUIRE(is_rewritten(sender, carol), sender);
    auto other_server = smtp();
    BOOST_TEST(send(other_server, "", sender, "bounce").starts_with("250 "));
    BOOST_TEST(last_message(carol).find("Subject: bounce\r\n") != std::string::npos);
    // It is for reports, which have no sender: whoever gets forwarded mail knows such an address.
    auto stranger = smtp();
    BOOST_TEST(
        send(stranger, "you@example.net", sender, "advertisement").starts_with("550 5.7.1 "));
    // Nobody can make up such an address and have mail relayed by it.
    auto forged = sender;
    forged.replace(5, 4, sender.substr(5, 4) == "AAAA" ? "BBBB" : "AAAA");
    BOOST_TEST(rcpt(smtp(), forged).starts_with("550 "), forged);
}

BOOST_FIXTURE_TEST_CASE(only_aliases_reach_the_service_that_forwards, Forwarding,
                        *story::shows("routes: other servers"))
{
    forward({elsewhere.address("bob")});
    const auto target = marked(elsewhere.address("bob"));
    BOOST_TEST(rcpt(smtp(), target).starts_with("55"), rcpt(smtp(), target));
    auto user = submission(who.address("alice"));
    BOOST_TEST(user.ask("MAIL FROM:<" + who.address("alice") + ">").starts_with("250 "));
    BOOST_TEST(user.ask("RCPT TO:<" + target + ">").starts_with("550 5.1.1 "));
    const auto inner = [&] { return mail::Smtp{endpoint("FORWARD")}; };
    BOOST_TEST(rcpt(inner(), target).starts_with("250 "));
    for (const auto& address :
         {elsewhere.address("bob"), std::string{"someone@example.net"},
          marked("someone@example.net"), who.address("alice"),
          "bob=" + elsewhere.domain + "@0.forward.invalid",
          "bob=" + elsewhere.domain + "@forward.invalid", target + ".example", number()}) {
        BOOST_TEST(rcpt(inner(), address).starts_with("5"), address);
    }
    permit("no");
    BOOST_TEST(rcpt(inner(), target).starts_with("5"));
}

// Everybody can name any sender. What comes back for it must not reach what nobody can send to.
BOOST_FIXTURE_TEST_CASE(bounces_reach_no_names_inside, Forwarding,
                        *story::shows("routes: other servers"))
{
    forward({elsewhere.address("bob")});
    const auto id = stack.value(
        "SELECT m.storage_id FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE d.name = "
        + stack::quote(who.domain));
    std::size_t count = 0;
    for (const auto& name : {id + "@" + who.domain, marked(elsewhere.address("bob"))}) {
        auto session = smtp();
        BOOST_TEST(send(session, name, who.address("sales"), "forged").starts_with("250 "));
        const auto sender = return_path(last_message(elsewhere.address("bob"), ++count));
        BOOST_TEST_REQUIRE(is_rewritten(sender, name), sender);
        BOOST_TEST(rcpt(smtp(), sender).starts_with("550 "), sender);
    }
}

// Two accounts cannot see that their aliases lead to each other.
BOOST_FIXTURE_TEST_CASE(a_loop_of_two_accounts_ends, Forwarding,
                        *story::shows("routes: other servers"))
{
    const auto loop = elsewhere.address("loop");
    forward({loop, elsewhere.address("bob")});
    BOOST_TEST_REQUIRE(
        stack.mailboxctl({"domain", "set", elsewhere.domain, "forward_outside=yes"}).exit == 0);
    const auto made = call(elsewhere.key, "POST", "/v3/routes",
                           http::form({{"expression", "match_recipient('" + loop + "')"},
                                       {"action", "forward('" + who.address("sales") + "')"}}));
    BOOST_TEST_REQUIRE(made.status == 200, made.body);
    const auto carol = elsewhere.address("carol");
    auto session = submission(carol);
    BOOST_TEST(send(session, carol, who.address("sales"), "round").starts_with("250 "));
    // Once by the first pass, once by the third; the fourth is refused.
    const auto report = last_message(carol);
    BOOST_TEST(report.find("Mail passes aliases at most three times") != std::string::npos, report);
    BOOST_TEST(imap(elsewhere.address("bob")).select() == 2U);
    stack.sql("DELETE FROM alias WHERE local_part = 'loop'");
    stack.sql("UPDATE domain SET forward_outside = 0 WHERE name = "
              + stack::quote(elsewhere.domain));
}

// What exceeds the limit waits, and arrives later.
BOOST_FIXTURE_TEST_CASE(a_limit_applies_to_what_leaves, Forwarding,
                        *story::shows("routes: other servers"))
{
    forward({elsewhere.address("bob"), who.address("alice")});
    stack.sql("REPLACE INTO sending_rate VALUES ('forwarded', " + stack::quote(who.domain)
              + ", UNIX_TIMESTAMP(), 1000)");
    const auto begin = postfix.mark();
    auto session = smtp();
    BOOST_TEST(send(session, "you@example.net", who.address("sales"), "late").starts_with("250 "));
    BOOST_TEST(postfix.expect(begin, {"may send 1000 messages an hour to other servers"}) != "");
    last_message(who.address("alice"));
    BOOST_TEST(imap(elsewhere.address("bob")).select() == 0U);
    stack.sql("UPDATE sending_rate SET recipients = 0 WHERE kind = 'forwarded' AND name = "
              + stack::quote(who.domain));
    mail::flush(stack);
    last_message(elsewhere.address("bob"));
    BOOST_TEST(
        stack.value("SELECT recipients FROM sending_rate WHERE kind = 'forwarded' AND name = "
                    + stack::quote(who.domain))
        == "1");
}

namespace {

// postsrsd is away while this exists.
class WithoutSrs {
public:
    explicit WithoutSrs(stack::Stack& stack) : stack_{stack}
    {
        // A process of its own serves each connection.
        const auto program = stack.part("srs");
        process::run(mail::as_root({"kill", "-KILL", "--", std::to_string(-program)}));
        BOOST_TEST_REQUIRE(process::eventually([&] { return !process::is_alive(program); }));
    }
    ~WithoutSrs() { stack_.up(); }
    WithoutSrs(const WithoutSrs&) = delete;
    WithoutSrs& operator=(const WithoutSrs&) = delete;

private:
    stack::Stack& stack_;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_message_waits_while_its_sender_cannot_be_rewritten, Forwarding,
                        *story::shows("routes: other servers"))
{
    forward({elsewhere.address("bob"), who.address("alice")});
    const auto begin = postfix.mark();
    expected = {"127.0.0.1:" + stack.setting("SRS_PORT"), "sender_canonical_maps", "TCP map",
                "status=deferred"};
    {
        const WithoutSrs away{stack};
        auto session = smtp();
        BOOST_TEST(
            send(session, "you@example.net", who.address("sales"), "late").starts_with("250 "));
        last_message(who.address("alice"));
        BOOST_TEST(postfix.expect(begin, {"mailboxd-forward", "status=deferred"}) != "");
        const auto check = stack.mailboxctl({"check"});
        BOOST_TEST(check.out.find("WRONG    forwarding: ") != std::string::npos, check.out);
    }
    mail::flush(stack);
    const auto copy = last_message(elsewhere.address("bob"));
    BOOST_TEST(is_rewritten(return_path(copy), "you@example.net"), return_path(copy));
}

// Who sent the mail learns the address that it could not be sent to.
BOOST_FIXTURE_TEST_CASE(a_report_names_the_target, Forwarding,
                        *story::shows("routes: other servers"))
{
    const auto bob = elsewhere.address("bob"), carol = elsewhere.address("carol");
    forward({bob});
    stack.sql("REPLACE INTO sending_rate VALUES ('forwarded', " + stack::quote(who.domain)
              + ", UNIX_TIMESTAMP(), 1000)");
    const auto begin = postfix.mark();
    auto session = submission(carol);
    BOOST_TEST(send(session, carol, who.address("sales"), "lost").starts_with("250 "));
    BOOST_TEST(postfix.expect(begin, {"may send 1000 messages an hour to other servers"}) != "");
    permit("no");
    mail::flush(stack);
    const auto report = last_message(carol);
    BOOST_TEST(report.find(bob) != std::string::npos, report);
    BOOST_TEST(report.find("forward.invalid") == std::string::npos, report);
}

BOOST_AUTO_TEST_SUITE_END()
