// mail_outage_story.cc - the database is away while mail arrives: senders get temporary errors, and
// no mail is lost.

#include "system/harness/mail.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <system_error>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;

namespace {

struct Outage : mail::Breaking {
    // Dovecot's helpers that are already connected would keep their first client waiting for up to
    // a minute. A reload recreates the sockets; a Postfix process that starts in the moment without
    // one hangs up.
    void forget_connections() const
    {
        const auto socket = stack.directory() / "dovecot" / "run" / "postfix";
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

    // Sessions from before continue. A minute after its reload Dovecot ends the processes from
    // before.
    BOOST_TEST(session.select() == 1U);
    BOOST_TEST(session.message(1).find("Subject: Before") != std::string::npos);

    for (int i = 0; i < 2; ++i) {
        // Each error is temporary, so no message bounces and no client asks for another password.
        BOOST_TEST(smtp()
                       .send("you@example.net", {alice}, mail::message("Meanwhile"))
                       .starts_with("451 4.3."));
        BOOST_TEST(smtp()
                       .send("you@example.net", {who.address("nobody")}, mail::message("To nobody"))
                       .starts_with("451 4.3."));
        BOOST_TEST(mail::Smtp{endpoint("SUBMISSION")}.welcome().starts_with("451 4.3."));
        BOOST_TEST(
            mail::Smtp{endpoint("SUBMISSIONS", mail::Tls::from_the_start)}.welcome().starts_with(
                "451 4.3."));
        auto by_pop3 = std::async(std::launch::async, [&] {
            return mail::Pop3{endpoint("POP3")}.login(alice, story::kPassword);
        });
        BOOST_TEST(mail::Imap{endpoint("IMAP")}
                       .login(alice, story::kPassword)
                       .starts_with("NO [UNAVAILABLE]"));
        BOOST_TEST(by_pop3.get().starts_with("-ERR [SYS/TEMP]"));
    }
    stack.up();
    deliver(alice, mail::message("After"));
    BOOST_TEST(pop3(alice).messages() == 2U);
    submission(alice);
    BOOST_TEST(!is_any_bounced());
}

BOOST_FIXTURE_TEST_CASE(accepted_mail_is_delivered_after_the_outage, Outage)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    stop_dovecot();
    const auto letter = mail::message("Accepted");
    BOOST_TEST(smtp().send("you@example.net", {alice}, letter).starts_with("250 "));
    const auto mark = postfix.mark();
    stop_database();
    mail::flush(stack);
    // Delivery was tried while Dovecot or the database was away.
    BOOST_TEST(!postfix.expect(mark, {"status=deferred"}).empty());
    BOOST_TEST(!mail::is_queue_empty(stack));

    stack.up();
    mail::flush(stack);
    BOOST_TEST_REQUIRE(
        process::eventually([&] { return messages(alice) == 1; }, std::chrono::seconds{30}));
    BOOST_TEST(process::eventually([&] { return mail::is_queue_empty(stack); }));
    auto reader = pop3(alice);
    BOOST_TEST_REQUIRE(reader.messages() == 1U);
    BOOST_TEST(reader.message(1).ends_with(letter));
    BOOST_TEST(!is_any_bounced());
}

namespace {

// Returns the commands that systemd runs after a start of the database, adapted to this stack.
std::vector<process::Arguments> after_restart(const stack::Stack& stack)
{
    const char* const sources = std::getenv("TEST_SOURCE_DIR");
    std::ifstream file{fs::path{sources == nullptr ? "." : sources} / "systemd" / "database.conf"};
    std::vector<process::Arguments> commands;
    const std::string begin = "ExecStartPost=-+";
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(begin)) {
            continue;
        }
        const bool is_postfix = line.find("/postfix ") != std::string::npos;
        const auto blank = line.find(' ');
        commands.push_back({line.substr(begin.size(), blank - begin.size()), "-c",
                            stack.setting(is_postfix ? "POSTFIX_CONF" : "DOVECOT_CONF"),
                            line.substr(blank + 1)});
    }
    BOOST_TEST_REQUIRE(commands.size() == 2U);
    return commands;
}

// Restarts the database as its systemd unit would, and nothing else.
class Restarted {
public:
    explicit Restarted(const stack::Stack& stack) : stack_{stack}
    {
        const auto old = stack.part("mariadb");
        std::ifstream file{"/proc/" + std::to_string(old) + "/cmdline"};
        for (std::string word; std::getline(file, word, '\0');) {
            command_.push_back(word);
        }
        ::kill(old, SIGTERM);
        BOOST_TEST_REQUIRE(
            process::eventually([&] { return !process::is_alive(old); }, std::chrono::seconds{60}));
    }
    ~Restarted()
    {
        if (server_) {
            ::kill(server_->pid(), SIGTERM);
            process::eventually([&] { return !process::is_alive(server_->pid()); },
                                std::chrono::seconds{60});
        }
    }
    Restarted(const Restarted&) = delete;
    Restarted& operator=(const Restarted&) = delete;

    void start()
    {
        server_ = std::make_unique<process::Child>(command_);
        BOOST_TEST_REQUIRE(
            process::eventually([&] { return stack_.sql_as("mailboxd_ctl", "SELECT 1").exit == 0; },
                                std::chrono::seconds{60}));
    }

private:
    const stack::Stack& stack_;
    process::Arguments command_;
    std::unique_ptr<process::Child> server_;
};

}  // namespace

// No client asked during the outage: old connections are replaced, and no client gets 451.
BOOST_FIXTURE_TEST_CASE(a_restart_that_nobody_noticed_costs_nothing, Outage)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    deliver(alice, mail::message("Before"));
    submission(alice);
    Restarted database{stack};
    database.start();
    for (int i = 0; i < 3; ++i) {
        const auto answer = smtp().send("you@example.net", {alice}, mail::message("After"));
        BOOST_TEST(answer.starts_with("250 "), answer);
        const auto sent = submission(alice).send(alice, {alice}, mail::message("To me"));
        BOOST_TEST(sent.starts_with("250 "), sent);
    }
}

// A client asked during the outage, and Postfix before 3.9 would not ask the database again for a
// minute.
BOOST_FIXTURE_TEST_CASE(after_a_restart_the_databases_unit_tells_postfix_and_dovecot, Outage)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    deliver(alice, mail::message("Before"));
    Restarted database{stack};
    for (int i = 0; i < 4; ++i) {
        BOOST_TEST(smtp()
                       .send("you@example.net", {alice}, mail::message("Meanwhile"))
                       .starts_with("451 4.3."));
        BOOST_TEST(mail::Smtp{endpoint("SUBMISSION")}.welcome().starts_with("451 4.3."));
    }
    database.start();
    for (const auto& command : after_restart(stack)) {
        const auto ended = process::run(mail::as_root(command));
        BOOST_TEST(ended.exit == 0, process::quoted(command) << ": " << ended.err);
    }
    // The first attempt may still reach a process that the reload ends.
    BOOST_TEST(process::eventually(
        [&] {
        return smtp().send("you@example.net", {alice}, mail::message("After")).starts_with("250 ");
        },
        std::chrono::seconds{5}));
    for (int i = 0; i < 4; ++i) {
        const auto answer = smtp().send("you@example.net", {alice}, mail::message("After"));
        BOOST_TEST(answer.starts_with("250 "), answer);
    }
    const auto sent = submission(alice).send(alice, {alice}, mail::message("To me"));
    BOOST_TEST(sent.starts_with("250 "), sent);
}

BOOST_AUTO_TEST_SUITE_END()
