// mail_life_story.cc - which sessions a new password, a suspension and a deletion end, over every
// protocol. Other sessions continue.

#include "system/harness/mail.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <ostream>
#include <set>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
namespace fs = std::filesystem;

namespace {

// alice and bob are logged in over every protocol, and each is in the middle of sending a message.
struct Life : mail::Story {
    struct Sessions {
        mail::Imap imap;
        mail::Pop3 pop3;
        mail::Smtp submission;
        mail::Smtp sending;
    };

    Life() : who{tenant()}
    {
        for (const char* name : {"alice", "bob"}) {
            BOOST_TEST_REQUIRE(create(who, name).status == 200);
        }
        alice = who.address("alice");
        bob = who.address("bob");
    }

    Sessions open(const std::string& address, const std::string& password = story::kPassword) const
    {
        Sessions all{imap(address, password), pop3(address, password),
                     submission(address, password), submission(address, password)};
        for (const auto& line :
             {"MAIL FROM:<" + address + ">", "RCPT TO:<" + bob + ">", std::string{"DATA"}}) {
            all.sending.ask(line);
        }
        return all;
    }

    void check_ended(Sessions& sessions, const std::string& address) const
    {
        const auto begin = std::chrono::steady_clock::now();
        BOOST_TEST(sessions.imap.end().starts_with("* BYE "));
        BOOST_TEST(sessions.pop3.end().starts_with("-ERR "));
        const auto took = std::chrono::steady_clock::now() - begin;
        BOOST_TEST_MESSAGE("IMAP and POP3 ended after "
                           << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
                           << " ms");
        // A submission session is not ended from outside, but it accepts no more messages.
        BOOST_TEST(
            sessions.submission.ask("MAIL FROM:<" + address + ">").starts_with("421 4.7.0 "));
        BOOST_CHECK_THROW(sessions.submission.ask("NOOP"), std::exception);
        BOOST_TEST(sessions.sending.ask("Subject: Too late\r\n\r\n.").starts_with("421 4.7.0 "));
    }

    static void check_going_on(Sessions& sessions, const std::string& address)
    {
        BOOST_TEST(sessions.imap.ask("NOOP").result.starts_with("OK "));
        BOOST_TEST(sessions.pop3.ask("NOOP").starts_with("+OK"));
        BOOST_TEST(sessions.submission.ask("MAIL FROM:<" + address + ">").starts_with("250 "));
        BOOST_TEST(sessions.sending.ask("Subject: In time\r\n\r\n.").starts_with("250 "));
    }

    bool logs_in(const std::string& address, const std::string& password = story::kPassword) const
    {
        return mail::Imap{endpoint("IMAP")}.login(address, password).starts_with("OK ");
    }

    process::Ended ctl(const process::Arguments& arguments) const
    {
        return stack.mailboxctl(arguments);
    }

    story::Tenant who;
    std::string alice;
    std::string bob;
};

struct Change {
    const char* why;
    void (*make)(const Life& life);
    bool ends_bob;
};

std::ostream& operator<<(std::ostream& out, const Change& row)
{
    return out << row.why;
}

const Change kChanges[] =
    {
        {"another password by the API",
         [](const Life& l) { BOOST_TEST(l.change(l.who, "alice", "Looking-Glass").status == 200); },
         false},
        {"a deletion by the API",
         [](const Life& l) { BOOST_TEST(l.remove(l.who, "alice").status == 200); }, false},
        {"a suspension",
         [](const Life& l) {
    BOOST_TEST(l.ctl({"mailbox", "suspend", l.alice}).exit == 0);
         },
         false},
        {"a suspension of the domain",
         [](const Life& l) {
    BOOST_TEST(l.ctl({"domain", "suspend", l.who.domain}).exit == 0);
         },
         true},
             {"a suspension of the account",
              [](const Life& l) {
    BOOST_TEST(l.ctl({"account", "suspend", l.who.account, "--disabled"}).exit == 0);
              },
              true},
    {"a removal of the domain",
     [](const Life& l) {
    BOOST_TEST(l.ctl({"domain", "remove", l.who.domain, "--yes"}).exit == 0);
     },
     true},
    };

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_life, *mail::needs_mail())

BOOST_DATA_TEST_CASE_F(Life, a_change_ends_sessions, data::make(kChanges), row)
{
    auto alices = open(alice);
    auto bobs = open(bob);
    row.make(*this);
    check_ended(alices, alice);
    if (row.ends_bob) {
        check_ended(bobs, bob);
    } else {
        check_going_on(bobs, bob);
    }
    BOOST_TEST(!logs_in(alice));
}

// A session that begins with the new password is not disturbed when the older ones end.
BOOST_FIXTURE_TEST_CASE(a_session_with_the_new_password, Life)
{
    auto old = open(alice);
    BOOST_TEST(change(who, "alice", "Looking-Glass").status == 200);
    auto young = open(alice, "Looking-Glass");
    check_ended(old, alice);
    // Enough time for the checks that the janitor repeats: the table shows that no session is left
    // to end.
    stack.sql("UPDATE session_end SET since = since - 121");
    BOOST_TEST(
        process::eventually([&] { return stack.value("SELECT COUNT(*) FROM session_end") == "0"; },
                            std::chrono::seconds{30}));
    check_going_on(young, alice);
    BOOST_TEST(!logs_in(alice));
}

// The oldest published client creates its mailbox anew in each run. With on_duplicate=update such a
// POST sets a new password.
BOOST_FIXTURE_TEST_CASE(a_password_by_post, Life)
{
    BOOST_TEST(ctl({"domain", "set", who.domain, "on_duplicate=update"}).exit == 0);
    auto old = open(alice);
    BOOST_TEST(create(who, "alice", "Looking-Glass").status == 200);
    auto young = open(alice, "Looking-Glass");
    check_ended(old, alice);
    check_going_on(young, alice);
}

BOOST_FIXTURE_TEST_CASE(in_the_midst_of_a_long_answer, Life)
{
    const auto letter = mail::message("Long", std::string(8 << 20, 'x') + "\r\n");
    expected = {// the size that the first session reports, which is no longer stored
                "foreign key constraint fails"};
    auto imap = this->imap(alice);
    BOOST_TEST(imap.append("INBOX", letter).starts_with("OK "));
    http::Connection reader{stack.port("IMAP_PORT")};
    reader.receive_line();
    reader.send("a LOGIN " + alice + " \"" + story::kPassword
                + "\"\r\nb SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\n");
    std::string line;
    do {
        line = reader.receive_line();
    } while (line.find("FETCH") == std::string::npos);
    // From here on the server waits until the client reads.
    BOOST_TEST(remove(who, "alice").status == 200);
    BOOST_TEST(process::eventually([&] {
        return doveadm({"who", "*@" + who.domain}).out.find(who.domain) == std::string::npos;
    }));
    BOOST_TEST(reader.receive_all(http::kDeadline).size() < letter.size());
}

BOOST_FIXTURE_TEST_CASE(over_tls, Life)
{
    mail::Imap imap{endpoint("IMAPS", mail::Tls::from_the_start)};
    BOOST_TEST(imap.login(alice, story::kPassword).starts_with("OK "));
    BOOST_TEST(change(who, "alice", "Looking-Glass").status == 200);
    BOOST_CHECK_THROW(while (true) imap.ask("NOOP"), std::exception);
    BOOST_TEST(!logs_in(alice));
}

// The janitor is stopped, changes are made, and the janitor is started again.
struct Away : mail::Breaking {
    static constexpr std::size_t kMailboxes = 100;

    Away() : who{tenant()}
    {
        for (std::size_t i = 0; i < kMailboxes; ++i) {
            names.push_back("m" + std::to_string(i));
        }
        for_all("POST", names);
    }

    // Sends one change for each of these mailboxes, eight at a time.
    void for_all(const std::string& method, const std::vector<std::string>& some,
                 const std::string& password = story::kPassword) const
    {
        constexpr std::size_t kAtOnce = 8;
        for (std::size_t begin = 0; begin < some.size(); begin += kAtOnce) {
            std::vector<http::Request> requests;
            for (std::size_t i = begin; i < std::min(begin + kAtOnce, some.size()); ++i) {
                http::Request request;
                request.method = method;
                request.target = method == "POST" ? who.mailboxes() : who.mailbox(some[i]);
                request.headers = {{"Authorization", "Basic " + http::base64("api:" + who.key)}};
                if (method == "POST") {
                    request.body = http::form({{"mailbox", some[i]}, {"password", password}});
                } else if (method == "PUT") {
                    request.body = http::form({{"password", password}});
                }
                requests.push_back(request);
            }
            for (const auto& answer : http::send_all_patiently(stack.server(), requests)) {
                BOOST_TEST(answer.status == 200, answers::text(answer));
            }
        }
    }

    fs::path home(const std::string& address) const
    {
        const auto id = inside(address).substr(0, 32);
        return fs::path{stack.setting("STORE")} / id.substr(0, 2) / id;
    }

    story::Tenant who;
    std::vector<std::string> names;
};

BOOST_FIXTURE_TEST_CASE(a_thousand_changes_while_the_janitor_is_away, Away)
{
    std::vector<mail::Imap> sessions;
    mail::Smtp lmtp{endpoint("LMTP"), "LHLO"};
    for (const auto& name : names) {
        BOOST_TEST(lmtp.send("you@example.net", {inside(who.address(name))}, mail::message("Hello"))
                       .starts_with("250 "));
        sessions.push_back(imap(who.address(name)));
    }
    const auto janitor = stack.part("janitor");
    ::kill(janitor, SIGKILL);

    // The first 50 get a new password, 18 times each. The next 25 are deleted; the 25 after those
    // are deleted and created again. The others stay as they are. They are the last of each kind.
    const std::vector<std::string> passwords(names.begin(), names.begin() + 45);
    const std::vector<std::string> deleted(names.begin() + 50, names.begin() + 70);
    const std::vector<std::string> made_again(names.begin() + 75, names.begin() + 95);
    for (int i = 0; i < 20; ++i) {
        for_all("PUT", passwords, "Looking-Glass-" + std::to_string(i));
    }
    for_all("DELETE", deleted);
    for_all("DELETE", made_again);
    for_all("POST", made_again);
    for_all("PUT", made_again, "Looking-Glass");
    for_all("PUT", made_again, "Looking-Glass");
    const auto changes = passwords.size() * 20 + deleted.size() + made_again.size() * 4;
    BOOST_TEST(changes == 1000U);
    for (auto& session : sessions) {
        BOOST_TEST(session.ask("NOOP").result.starts_with("OK "));
    }

    stack.sql("UPDATE session_end SET since = since - 3600");  // the janitor was away for an hour
    stack.up();
    const auto is_changed = [&](std::size_t i) {
        return i < 45 || (i >= 50 && i < 70) || (i >= 75 && i < 95);
    };
    for (std::size_t i = 0; i < names.size(); ++i) {
        BOOST_TEST_CONTEXT(names[i])
        {
            if (is_changed(i)) {
                BOOST_TEST(sessions[i].end().starts_with("* BYE "));
            } else {
                BOOST_TEST(sessions[i].ask("NOOP").result.starts_with("OK "));
            }
        }
    }
    // No mail was touched: deleted mailboxes can be restored, and the others are unchanged.
    for (const auto& name : names) {
        const auto address = who.address(name);
        const bool is_new = std::count(made_again.begin(), made_again.end(), name) > 0;
        if (!inside(address).empty() && !is_new) {
            BOOST_TEST(fs::exists(home(address) / "Maildir"), name);
        }
    }
    const auto of_deleted = stack.sql("SELECT storage_id FROM deleted_mailbox WHERE domain = "
                                      + stack::quote(who.domain));
    BOOST_TEST(of_deleted.size() == deleted.size() + made_again.size());
    for (const auto& row : of_deleted) {
        BOOST_TEST(fs::exists(fs::path{stack.setting("STORE")} / row.at(0).substr(0, 2) / row.at(0)
                              / "Maildir"),
                   row.at(0));
    }
}

BOOST_AUTO_TEST_SUITE_END()
