// sockets_test.cc - who can use the sockets of the service is told by name.

#include "mailboxctl/check/sockets.h"

#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>

#include <boost/test/unit_test.hpp>

#include "support/support.h"

namespace ut = boost::unit_test;

namespace {

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

const auto kAsRoot = [](ut::test_unit_id) {
    return boost::test_tools::assertion_result{::geteuid() == 0};
};

// A process of another account under this name, until this goes out of scope.
class Program {
public:
    Program(uid_t user, const char* name)
    {
        int ready[2];
        BOOST_TEST_REQUIRE(::pipe(ready) == 0);
        id_ = ::fork();
        if (id_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::setuid(user) != 0) ::_exit(1);
            ::prctl(PR_SET_NAME, name);
            if (::write(ready[1], "x", 1) != 1) ::_exit(1);
            for (;;) ::pause();
        }
        ::close(ready[1]);
        char byte = 0;
        BOOST_TEST_REQUIRE(::read(ready[0], &byte, 1) == 1);
        ::close(ready[0]);
    }
    ~Program()
    {
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

private:
    pid_t id_;
};

struct Socket {
    Socket()
    {
        config.socket = directory.write("mailboxd.sock", "");  // any file will do
        config.write_socket.clear();
    }
    void belongs_to(uid_t user, gid_t group, mode_t mode) const
    {
        BOOST_TEST_REQUIRE(::chown(config.socket.c_str(), user, group) == 0);
        BOOST_TEST_REQUIRE(::chmod(config.socket.c_str(), mode) == 0);
    }
    std::string found() const
    {
        const auto [verdict, says] = check::sockets(config);
        return std::string{check::text(verdict)} + " " + says;
    }

    support::Directory directory;
    Config config;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sockets_of_nginx)

BOOST_FIXTURE_TEST_CASE(everybody_is_wrong, Socket)
{
    BOOST_TEST_REQUIRE(::chmod(config.socket.c_str(), 0666) == 0);
    BOOST_TEST(has(found(), "WRONG " + config.socket + " can be used by every user"), found());
    BOOST_TEST_REQUIRE(::chmod(config.socket.c_str(), 0600) == 0);
    BOOST_TEST(found() == "ok ");
    config.write_socket = config.socket;
    config.socket = directory.path("absent.sock");
    BOOST_TEST(found() == "ok ");
    BOOST_TEST_REQUIRE(::chmod(config.write_socket.c_str(), 0602) == 0);
    BOOST_TEST(has(found(), "WRONG " + config.write_socket), found());
}

BOOST_FIXTURE_TEST_CASE(the_members_of_a_group_are_named, Socket, *ut::precondition(kAsRoot))
{
    const passwd* const nobody = ::getpwnam("nobody");
    BOOST_TEST_REQUIRE(nobody != nullptr);
    belongs_to(0, nobody->pw_gid, 0660);
    const auto of_group = found();
    BOOST_TEST(has(of_group, "note " + config.socket + " can be used by "), of_group);
    BOOST_TEST(has(of_group, "nobody"), of_group);
    belongs_to(0, nobody->pw_gid, 0600);
    BOOST_TEST(found() == "ok ");
    belongs_to(0, 0, 0660);
    BOOST_TEST(found() == "ok ");
}

// As PHP of Debian runs as the user of nginx.
BOOST_FIXTURE_TEST_CASE(another_program_of_the_same_user_is_named, Socket,
                        *ut::precondition(kAsRoot))
{
    const passwd* const games = ::getpwnam("games");
    BOOST_TEST_REQUIRE(games != nullptr);
    belongs_to(games->pw_uid, 0, 0600);
    BOOST_TEST(found() == "ok ");
    {
        const Program nginx{games->pw_uid, "nginx"};
        BOOST_TEST(found() == "ok ");
        const Program php{games->pw_uid, "php-fpm8.2"};
        BOOST_TEST(
            has(found(),
                "note " + config.socket
                    + " can be used by games, and other programs than nginx run as that user: php-fpm8.2"),
            found());
    }
    BOOST_TEST(found() == "ok ");
}

// As a command of cron, or a part of another stack that starts.
BOOST_FIXTURE_TEST_CASE(a_program_that_ends_at_once_is_not_named, Socket,
                        *ut::precondition(kAsRoot))
{
    const passwd* const games = ::getpwnam("games");
    BOOST_TEST_REQUIRE(games != nullptr);
    belongs_to(games->pw_uid, 0, 0600);
    support::Process starting{[&] {
        for (int i = 0; i < 200; ++i) {
            const Program job{games->pw_uid, "job"};
            ::poll(nullptr, 0, 5);
        }
        return 0;
    }};
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{1};
    while (std::chrono::steady_clock::now() < end) BOOST_TEST(found() == "ok ");
    BOOST_TEST(starting.wait() == 0);
}

BOOST_AUTO_TEST_SUITE_END()
