// mail_beside_story.cc - adds our domains to a Postfix and a Dovecot that already serve another
// domain, with the guide's commands and mailboxd.conf for Dovecot. The other domain's users are
// served as before.
//
// beside/ has the configuration from before: own.example with bob, from a password file, and
// alias.example. bob submits mail through a service of that server that does not check his sender.

#include "system/harness/mail.h"

#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

namespace fs = std::filesystem;

namespace {

constexpr char kBob[] = "bob@own.example";
constexpr char kBobsPassword[] = "under the old oak";

std::string file(const fs::path& path)
{
    std::ifstream stream{path};
    BOOST_TEST_REQUIRE(stream.good(), path);
    return {std::istreambuf_iterator<char>{stream}, {}};
}

using Values = std::vector<std::pair<std::string, std::string>>;

// Returns the text with each @NAME@ replaced by its value.
std::string filled(std::string text, const Values& values)
{
    for (const auto& [name, value] : values) {
        const auto place = "@" + name + "@";
        for (auto at = text.find(place); at != std::string::npos;
             at = text.find(place, at + value.size())) {
            text.replace(at, place.size(), value);
        }
    }
    return text;
}

std::uint16_t free_port()
{
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    BOOST_TEST_REQUIRE((::bind(socket, any, size) == 0 && ::getsockname(socket, any, &size) == 0));
    ::close(socket);
    return ntohs(address.sin_port);
}

// The folder and the two servers in it, which end with this object.
struct Servers {
    Servers() : directory{fs::temp_directory_path() / story::unique("mailboxd-beside")}
    {
        fs::create_directory(directory);
        fs::permissions(directory, fs::perms{0755});
    }
    ~Servers()
    {
        if (running) {
            running->end();
        }
        fs::remove_all(directory);
    }
    Servers(const Servers&) = delete;
    Servers& operator=(const Servers&) = delete;

    void start()
    {
        running = std::make_unique<process::Child>(
            mail::as_root({fs::absolute("tests/system/beside/run"), directory}));
        BOOST_TEST_REQUIRE(running->read_line(std::chrono::seconds{60}) == "ready");
    }

    std::string directory;
    std::unique_ptr<process::Child> running;
};

struct Beside : story::Breaking {
    Beside()
    {
        const auto& directory = servers.directory;
        const Values values{
            {"DIR", directory},
            {"SMTP", std::to_string(smtp_port)},
            {"IMAP", std::to_string(imap_port)},
            {"POP3", std::to_string(pop3_port)},
            {"DB_SOCKET", stack.setting("DB_SOCKET")},
            {"DB_NAME", stack.setting("DB_NAME")},
            {"STORE", directory + "/store"},
            {"STORE_USER", "nobody"},
            {"STORE_GROUP", "nogroup"},
            {"SUBMISSION", std::to_string(submission_port)},
        };
        const fs::path ours{"sql"};
        const fs::path theirs{"tests/system/beside"};
        const std::string dovecot = mail::dovecot_is_24() ? "dovecot-2.4" : "dovecot";
        const auto write =
            [&](const std::string& name, const std::string& text, const Values& more) {
            std::ofstream{directory + "/" + name} << filled(filled(text, more), values);
        };
        fs::create_directory(directory + "/etc");
        fs::create_directory(directory + "/mailboxd");
        for (const auto& entry : fs::directory_iterator{ours / dovecot}) {
            write("mailboxd/" + entry.path().filename().string(), file(entry.path()),
                  {{"FILES", directory + "/mailboxd"},
                   {"DB_PASSWORD", stack.secret("mailboxd_dovecot")},
                   {"DOVEADM_KEY", "a key"}});
        }
        write("etc/main.cf", file(theirs / "main.cf"), {});
        write("etc/master.cf", file(theirs / "master.cf"), {});
        write("postfix-db-password", stack.secret("mailboxd_postfix"), {});
        configure_postfix();
        write("dovecot.conf", file(theirs / (dovecot + ".conf")), {});
        write("passwords",
              std::string{kBob} + ":{PLAIN}" + kBobsPassword + ":8:8::@DIR@/own/bob::\n", {});

        servers.start();
        for (const auto port : {smtp_port, submission_port, imap_port, pop3_port}) {
            BOOST_TEST_REQUIRE(process::eventually([&] { return listens(port); }), "port " << port);
        }
    }

    // Runs the guide's commands for a Postfix that already has users.
    void configure_postfix() const
    {
        const auto& directory = servers.directory;
        const auto on_port = [](std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); };
        process::Arguments command{"env",
                                   "SOURCES=" + fs::current_path().string(),
                                   "SMTP=" + on_port(smtp_port),
                                   "SUBMISSION=" + on_port(submission_port),
                                   "bash",
                                   "tests/system/guide/on-postfix.sh",
                                   directory,
                                   "beside"};
        for (const auto& [name, value] :
             Values{{"DB_SOCKET", stack.setting("DB_SOCKET")},
                    {"DB_NAME", stack.setting("DB_NAME")},
                    {"DOMAINS", "!own.example !alias.example static:all"},
                    {"MAILBOXCTL", stack.setting("MAILBOXCTL")},
                    {"MAILBOXD_CONF", stack.setting("MAILBOXD_CONF")},
                    {"STORE_USER", ::geteuid() == 0 ? "nobody" : stack.setting("DB_ADMIN_USER")},
                    {"QUOTA_STATUS", "unix:" + directory + "/run/mailboxd-quota-status"}}) {
            command.push_back(name + "=" + value);
        }
        const auto ended = process::run(mail::as_root(command));
        BOOST_TEST_REQUIRE(ended.exit == 0, ended.out << ended.err);
    }

    static bool listens(std::uint16_t port)
    {
        try {
            const http::Connection connection{port};
            return true;
        } catch (const std::exception&) {
            return false;
        }
    }

    mail::Smtp smtp() const { return mail::Smtp{{smtp_port}}; }
    std::string send(const std::string& to, const std::string& subject) const
    {
        return smtp().send("you@example.net", {to}, mail::message(subject));
    }

    // True if this is the newest message over IMAP and POP3 has as many messages.
    bool is_newest(const std::string& user, const std::string& password,
                   const std::string& subject) const
    {
        mail::Imap imap{{imap_port}};
        mail::Pop3 pop3{{pop3_port}};
        if (!imap.login(user, password).starts_with("OK ")
            || !pop3.login(user, password).starts_with("+OK")) {
            return false;
        }
        const auto count = imap.select();
        return count > 0
               && imap.message(count).find("Subject: " + subject + "\r\n") != std::string::npos
               && pop3.messages() == count;
    }

    bool arrives(const std::string& user, const std::string& password,
                 const std::string& subject) const
    {
        return process::eventually([&] { return is_newest(user, password, subject); },
                                   std::chrono::seconds{30}, std::chrono::milliseconds{200});
    }

    std::string submit(const std::string& user, const std::string& password, const std::string& to,
                       const std::string& subject) const
    {
        mail::Smtp client{{submission_port}};
        const auto answer = client.login(user, password);
        return answer.starts_with("235 ") ? client.send(user, {to}, mail::message(subject))
                                          : answer;
    }

    std::vector<std::string> log_of(const std::string& name) const
    {
        return stack::Log{servers.directory + "/log/" + name + ".log"}.lines_since(0);
    }

    // The logs must not have lines about the other users that would be missing without us.
    void check_logs() const
    {
        for (const auto* name : {"postfix", "dovecot"}) {
            for (const auto& line : log_of(name)) {
                const auto has = [&line](const char* word) {
                    return line.find(word) != std::string::npos;
                };
                if ((has("own.example") || has("alias.example"))
                    && !has("SASL PLAIN authentication failed")) {
                    for (const auto* word :
                         {"sql", "proxymap", "mailboxd-", "rror", "arning", "unknown user"}) {
                        BOOST_TEST(!has(word), line);
                    }
                }
            }
        }
    }

    Servers servers;
    std::uint16_t smtp_port = free_port();
    std::uint16_t submission_port = free_port();
    std::uint16_t imap_port = free_port();
    std::uint16_t pop3_port = free_port();
};

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_beside, *mail::needs_mail())

BOOST_FIXTURE_TEST_CASE(beside_a_mail_server_that_has_users_already, Beside)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    const std::string alices = story::kPassword;
    const std::string bobs = kBobsPassword;

    // Mail to both domains, and to each of bob's addresses.
    BOOST_TEST(send(alice, "For alice").starts_with("250 "));
    BOOST_TEST(arrives(alice, alices, "For alice"));
    BOOST_TEST(send(kBob, "For bob").starts_with("250 "));
    BOOST_TEST(arrives(kBob, bobs, "For bob"));
    BOOST_TEST(send("info@alias.example", "For info").starts_with("250 "));
    BOOST_TEST(arrives(kBob, bobs, "For info"));
    BOOST_TEST(submit(kBob, bobs, alice, "From bob").starts_with("250 "));
    BOOST_TEST(arrives(alice, alices, "From bob"));
    BOOST_TEST(submit(alice, alices, kBob, "From alice").starts_with("250 "));
    BOOST_TEST(arrives(kBob, bobs, "From alice"));
    BOOST_TEST(submit(kBob, bobs, kBob, "To himself").starts_with("250 "));
    BOOST_TEST(arrives(kBob, bobs, "To himself"));

    // Unknown recipients are refused as before.
    BOOST_TEST(send("nobody@own.example", "").starts_with("550 5.1.1 "));
    BOOST_TEST(send("nobody@alias.example", "").starts_with("550 5.1.1 "));
    BOOST_TEST(send(who.address("nobody"), "").starts_with("550 5.1.1 "));
    BOOST_TEST(submit(kBob, "another tree", alice, "").starts_with("535 "));
    // Our users may send from their own address only. The others may send as before, but not from
    // an address of ours.
    const auto send_from =
        [&](const std::string& user, const std::string& password, const std::string& from) {
        mail::Smtp client{{submission_port}};
        BOOST_TEST(client.login(user, password).starts_with("235 "));
        return client.send(from, {kBob}, mail::message("From " + from));
    };
    BOOST_TEST(send_from(kBob, bobs, alice).starts_with("553 5.7.1 "));
    for (const auto* from : {kBob, "info@alias.example", "bob@elsewhere.example", ""}) {
        const auto answer = send_from(kBob, bobs, from);
        BOOST_TEST(answer.starts_with("250 "), from << ": " << answer);
    }
    for (const auto* from : {kBob, "info@alias.example", "bob@elsewhere.example"}) {
        const auto answer = send_from(alice, alices, from);
        BOOST_TEST(answer.starts_with("553 5.7.1 "), from << ": " << answer);
    }
    check_logs();
    // Nothing went wrong, and Postfix's log knows what is in the mailbox.
    for (const auto& line : log_of("dovecot")) {
        BOOST_TEST(line.find("Error") == std::string::npos, line);
    }
    BOOST_TEST(answers::page(list(who)).items.at(0).size_bytes > 0);
}

BOOST_FIXTURE_TEST_CASE(the_others_are_served_while_our_database_is_away, Beside)
{
    const auto who = tenant();
    const auto alice = who.address("alice");
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(send(alice, "Before").starts_with("250 "));
    BOOST_TEST(arrives(alice, story::kPassword, "Before"));
    const auto database = stack.part("mariadb");
    ::kill(database, SIGKILL);
    BOOST_TEST_REQUIRE(process::eventually([&] { return !process::is_alive(database); }));

    BOOST_TEST(send(alice, "Not now").starts_with("451 4.3."));
    BOOST_TEST(send(kBob, "For bob").starts_with("250 "));
    BOOST_TEST(arrives(kBob, kBobsPassword, "For bob"));
    BOOST_TEST(send("info@alias.example", "For info").starts_with("250 "));
    BOOST_TEST(arrives(kBob, kBobsPassword, "For info"));
    BOOST_TEST(submit(kBob, kBobsPassword, kBob, "To himself").starts_with("250 "));
    BOOST_TEST(arrives(kBob, kBobsPassword, "To himself"));
    check_logs();

    stack.up();
    // The commands that the service manager runs after a start of the database.
    for (const auto& command :
         {process::Arguments{"postfix", "-c", servers.directory + "/etc", "reload"},
          process::Arguments{"doveadm", "-c", servers.directory + "/dovecot.conf", "reload"}}) {
        BOOST_TEST(process::run(mail::as_root(command)).exit == 0);
    }
    BOOST_TEST(send(alice, "After").starts_with("250 "));
    BOOST_TEST(arrives(alice, story::kPassword, "After"));
}

BOOST_AUTO_TEST_SUITE_END()
