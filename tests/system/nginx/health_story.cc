// health_story.cc - /healthz and /readyz distinguish a full pool from an absent database; each
// request writes one line to the log, whose file may be rotated; the service manager gets
// notifications.

#include "system/harness/story.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <boost/test/unit_test.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace fs = std::filesystem;
using process::eventually;
using process::is_alive;

namespace {

struct Health : story::Breaking {
    // Returns the status and the body, as "503 {...}".
    std::string probe(const std::string& target, const std::string& method = "GET") const
    {
        http::Connection connection{stack.directory() / "run" / "health.sock"};
        connection.send(method + " " + target
                        + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        const auto answer = connection.receive_all();
        const auto body = answer.find("\r\n\r\n");
        BOOST_TEST_REQUIRE(answer.starts_with("HTTP/1.1 "), answer);
        BOOST_TEST(answer.find("\r\nContent-Type: application/json\r\n") != std::string::npos,
                   answer);
        BOOST_TEST(answer.find("\r\nCache-Control: no-store\r\n") != std::string::npos, answer);
        return answer.substr(9, 4) + answer.substr(body + 4);
    }

    bool tells(const std::string& target, const std::string& word) const
    {
        return probe(target).find(word) != std::string::npos;
    }

    pid_t database() const { return stack.part("mariadb"); }
};

constexpr char kAlive[] = "200 {\"message\":\"Alive\"}\n";
constexpr char kReady[] = "200 {\"message\":\"Ready\"}\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(health)

BOOST_FIXTURE_TEST_CASE(all_is_well, Health)
{
    const auto mark = log.mark();
    for (const char* method : {"GET", "HEAD"}) {
        for (const std::string pool : {"", "/write"}) {
            BOOST_TEST(probe("/healthz" + pool, method).starts_with("200 "));
            BOOST_TEST(probe("/readyz" + pool, method).starts_with("200 "));
        }
    }
    BOOST_TEST(probe("/healthz") == kAlive);
    BOOST_TEST(probe("/readyz") == kReady);
    BOOST_TEST(!log.expect(mark, {"info request", "key=-", "route=/readyz", "status=200",
                                  " ms=", " db_ms="})
                    .empty());
    for (const char* target : {"/", "/healthzz", "/readyz/", "/healthz/read",
                               "/v3/"
                               "samples.mailgun.org/mailboxes"}) {
        BOOST_TEST(probe(target).starts_with("404 "), target);
    }
}

// From outside, the path is unknown like any other.
BOOST_FIXTURE_TEST_CASE(not_for_the_public, Health)
{
    const auto who = tenant();
    for (const char* target : {"/healthz", "/readyz", "/readyz/write", "/v3/readyz"}) {
        BOOST_TEST(answers::is_refused(call(who.key, "GET", target), 404, {"not_found"}), target);
    }
}

BOOST_FIXTURE_TEST_CASE(the_database_is_absent, Health)
{
    ::kill(database(), SIGKILL);
    BOOST_TEST_REQUIRE(eventually([&] { return !is_alive(database()); }));
    for (const std::string pool : {"", "/write"}) {
        BOOST_TEST(probe("/healthz" + pool) == kAlive);
        BOOST_TEST(tells(
            "/readyz" + pool,
            "503 {\"message\":\"The database cannot be asked\",\"code\":\"database_absent\"}\n"));
    }
    stack.up();
    BOOST_TEST(eventually([&] { return probe("/readyz") == kReady; }));
}

BOOST_FIXTURE_TEST_CASE(every_worker_is_busy, Health)
{
    {
        const process::Stopped stopped{stack.workers()};
        BOOST_TEST(tells("/healthz", "\"code\":\"pool_full\""));
        BOOST_TEST(tells("/readyz", "\"code\":\"no_answer\""));
    }
    BOOST_TEST(eventually([&] { return probe("/readyz") == kReady; }));
}

BOOST_FIXTURE_TEST_CASE(a_database_that_takes_no_changes_is_not_ready, Health)
{
    BOOST_TEST(probe("/readyz") == kReady);
    stack.sql("SET GLOBAL read_only = 1");
    for (const char* target : {"/readyz", "/readyz/write"})
        BOOST_TEST(
            probe(target)
            == "503 {\"message\":\"The database takes no changes\",\"code\":\"database_read_only\"}\n");
    BOOST_TEST(probe("/healthz") == kAlive);
    stack.sql("SET GLOBAL read_only = 0");
    for (const char* target : {"/readyz", "/readyz/write"}) BOOST_TEST(probe(target) == kReady);
}

// A worker of nginx that is killed frees the places of its requests.
BOOST_FIXTURE_TEST_CASE(as_many_requests_wait_as_may, Health)
{
    constexpr std::size_t kPlaces = 512;
    const auto who = tenant();
    reconfigure({{"backlog", std::to_string(kPlaces)}});
    const auto bytes = http::Request{
        "GET",
        who.mailboxes(),
        {{"Authorization", http::basic(who.key)}},
        {}}.bytes();
    for (const bool kills : {true, false}) {
        std::vector<http::Connections> waiting;
        const auto wait = [&](std::size_t count) {
            waiting.push_back(http::open_many(stack.server().port(), count, bytes));
        };
        {
            const process::Stopped stopped{stack.workers()};
            wait(kPlaces * 9 / 10);
            BOOST_TEST(tells("/healthz", "\"code\":\"pool_full\""));
            wait(kPlaces / 10);
            // The next probe may come before the last of these has ended, and then needs a place
            // itself.
            BOOST_TEST(eventually([&] {
                wait(1);
                return tells(
                    "/healthz",
                    "503 {\"message\":\"The service does not run, or as many requests wait as may\",\"code\":\"not_reached\"}\n");
            }));
            if (kills) {
                for (const auto pid : process::children(stack.part("nginx"))) ::kill(pid, SIGKILL);
            }
        }
        BOOST_TEST(eventually([&] { return probe("/readyz") == kReady; }));
    }
}

// The two pools report separately.
BOOST_FIXTURE_TEST_CASE(every_worker_that_writes_is_busy, Health)
{
    const auto who = tenant();
    const auto other = tenant();  // a single account cannot occupy the last worker
    Hold hold{*this, who};
    Hold hold_other{*this, other};
    auto first = start_change(who, "alice");
    auto second = start_change(who, "bob");
    hold.await(2);
    auto third = start_change(other, "alice");
    hold_other.await(3);
    BOOST_TEST(probe("/readyz") == kReady);
    BOOST_TEST(tells("/healthz/write", "\"code\":\"pool_full\""));
    hold.release();
    hold_other.release();
    BOOST_TEST(first.get().status == 200);
    BOOST_TEST(second.get().status == 200);
    BOOST_TEST(third.get().status == 200);
    BOOST_TEST(eventually([&] { return probe("/healthz/write") == kAlive; }));
}

BOOST_FIXTURE_TEST_CASE(there_is_no_service, Health)
{
    ::kill(stack.master(), SIGTERM);
    BOOST_TEST_REQUIRE(eventually([&] { return !is_alive(stack.master()); }));
    for (const char* target : {"/healthz", "/readyz", "/readyz/write"}) {
        BOOST_TEST(tells(
            target,
            "503 {\"message\":\"The service does not run, or as many requests wait as may\",\"code\":\"not_reached\"}\n"));
    }
}

namespace {

std::string contents(const fs::path& path)
{
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

bool file_has(const fs::path& path, const std::string& words)
{
    return eventually([&] { return contents(path).find(words) != std::string::npos; });
}

struct Logging : Health {
    // A folder that the service can reach and write to. If root runs the stack, the service is
    // another user, who cannot enter log/.
    Logging()
    {
        fs::create_directory(folder);
        fs::permissions(folder, fs::perms::all);
        reconfigure({{"log_file", file}});
    }
    ~Logging() { fs::remove_all(folder); }
    Logging(const Logging&) = delete;
    Logging& operator=(const Logging&) = delete;

    fs::path folder = stack.directory() / story::unique("rotated");
    fs::path file = folder / "mailboxd.log";
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(one_line_a_request, Health)
{
    const auto who = tenant();
    const auto mark = log.mark();
    const auto answer = create(who, "alice");
    BOOST_TEST(answer.status == 200);
    const auto line = log.expect(mark, {"info request", "id=" + answer.header("X-Request-Id")});
    for (const std::string word :
         {" client=127.0.0.1 ", " method=POST ", " route=/<domain>/mailboxes ", " status=200 ",
          " ms=", " db_ms="}) {
        BOOST_TEST(line.find(word) != std::string::npos, word << " is not in " << line);
    }
    BOOST_TEST(line.find(" key=-") == std::string::npos);
    BOOST_TEST(line.find(who.key) == std::string::npos);
    BOOST_TEST(line.find(who.domain) == std::string::npos);
    std::size_t count = 0;
    for (const auto& each : log.lines_since(mark)) {
        count += each.find("id=" + answer.header("X-Request-Id")) != std::string::npos ? 1 : 0;
    }
    BOOST_TEST(count == 1U);
}

// Runs the real logrotate with the file that the package installs.
BOOST_FIXTURE_TEST_CASE(the_log_is_rotated, Logging)
{
    const auto who = tenant();
    const auto before = list(who).header("X-Request-Id");
    BOOST_TEST(file_has(file, before));

    std::string rules = contents("conf/mailboxd.logrotate");
    const auto replace = [&](const std::string& from, const std::string& to) {
        const auto at = rules.find(from);
        BOOST_TEST_REQUIRE(at != std::string::npos, from);
        rules.replace(at, from.size(), to);
    };
    replace("/var/log/mailboxd/*.log {", folder.string() + "/*.log {");
    replace("systemctl kill --kill-who=main --signal=USR1 mailboxd.service",
            "kill -USR1 " + std::to_string(stack.master()));
    // In this stack the service has another user, so the folder is writable for all.
    struct stat status {};
    BOOST_TEST_REQUIRE(::stat(file.c_str(), &status) == 0);
    const auto owner = std::to_string(status.st_uid) + " " + std::to_string(status.st_gid);
    replace("su mailboxd mailboxd", "");
    replace("mailboxd mailboxd", owner);
    const auto path = stack.directory() / story::unique("logrotate");
    std::ofstream{path} << rules;
    fs::permissions(path, fs::perms{0644});
    fs::permissions(folder, fs::perms{0755});
    if (::geteuid() == 0) {
        BOOST_TEST_REQUIRE(::chown(folder.c_str(), status.st_uid, status.st_gid) == 0);
    }
    const auto mark = contents(file).size();
    const auto rotated =
        process::run({"logrotate", "--force", "--state", path.string() + ".state", path});
    BOOST_TEST(rotated.exit == 0, rotated.out << rotated.err);
    BOOST_TEST(file_has(file, "info log-reopened"));
    BOOST_TEST(contents(file.string() + ".1").size() >= mark);

    // Every worker writes to the new file, and no worker was replaced.
    for (int i = 0; i < 20; ++i) {
        const auto after = list(who).header("X-Request-Id");
        BOOST_TEST(file_has(file, after));
    }
    BOOST_TEST(contents(file).find("worker-exit") == std::string::npos);
    BOOST_TEST(contents(file).find(before) == std::string::npos);
    fs::remove(path);
    fs::remove(path.string() + ".state");
}

BOOST_FIXTURE_TEST_CASE(a_log_that_cannot_be_opened_again, Logging)
{
    const auto who = tenant();
    const auto moved = folder.string() + ".moved";
    fs::rename(folder, moved);
    ::kill(stack.master(), SIGUSR1);
    BOOST_TEST(file_has(moved + "/mailboxd.log", "error log-not-reopened"));
    const auto id = list(who).header("X-Request-Id");
    BOOST_TEST(file_has(moved + "/mailboxd.log", id));
    BOOST_TEST(contents(moved + "/mailboxd.log").find("log-reopened") == std::string::npos);
    fs::rename(moved, folder);
}

BOOST_FIXTURE_TEST_CASE(a_log_file_that_cannot_be_made_is_no_reason_to_stop, Logging)
{
    const auto who = tenant();
    const auto workers = stack.workers();
    configure({{"log_file", "/nonexistent/mailboxd.log"}});
    ::kill(stack.master(), SIGHUP);
    BOOST_TEST(file_has(
        file,
        "error reload-refused problem=\"log_file: open(/nonexistent/mailboxd.log): No such file or directory\""));
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
    BOOST_TEST(list(who).status == 200);
}

namespace {

// Receives the service's notifications (NOTIFY_SOCKET), as the service manager does.
class Manager {
public:
    explicit Manager(std::string path)
        : path_{std::move(path)}, socket_{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)}
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        BOOST_TEST_REQUIRE(
            ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        fs::permissions(path_, fs::perms{0666});
    }
    ~Manager()
    {
        ::close(socket_);
        fs::remove(path_);
    }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    // Returns the first line of the next datagram; empty if none comes.
    std::string hear() const
    {
        const timeval patience{.tv_sec = 15, .tv_usec = 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        std::string text(200, '\0');
        const auto size = ::recv(socket_, text.data(), text.size(), 0);
        text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return text.substr(0, text.find('\n'));
    }
    // Skips watchdog messages.
    std::string hear_news() const
    {
        std::string news;
        while ((news = hear()) == "WATCHDOG=1") {}
        return news;
    }

private:
    std::string path_;
    int socket_;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(the_service_manager_hears, Health)
{
    ::kill(stack.master(), SIGTERM);
    BOOST_TEST_REQUIRE(eventually([&] { return !is_alive(stack.master()); }));
    const auto path = stack.directory() / "run" / "notify";
    const Manager manager{path};
    process::Child service{{"env", "NOTIFY_SOCKET=" + path.string(), "WATCHDOG_USEC=100000",
                            stack.service(), "--config", stack.setting("MAILBOXD_CONF")}};
    BOOST_TEST(manager.hear() == "READY=1");
    for (int i = 0; i < 5; ++i) {
        BOOST_TEST(manager.hear() == "WATCHDOG=1");
    }
    ::kill(service.pid(), SIGHUP);
    BOOST_TEST(manager.hear_news() == "RELOADING=1");
    BOOST_TEST(manager.hear_news() == "READY=1");
    // The reload ends even if the configuration was refused.
    configure({{"wrokers", "3"}});
    ::kill(service.pid(), SIGHUP);
    BOOST_TEST(manager.hear_news() == "RELOADING=1");
    BOOST_TEST(manager.hear_news() == "READY=1");
    ::kill(service.pid(), SIGTERM);
    BOOST_TEST(manager.hear_news() == "STOPPING=1");
    BOOST_TEST(service.end() == 0);
}

namespace {

// The systemd units, changed to run the programs that were built instead of installed ones.
struct Units {
    Units()
    {
        const auto build = stack::breakable().service().parent_path().string();
        for (const char* name : {"mailboxd.service", "mailboxd.socket", "mailboxd-metrics.socket",
                                 "mailboxd-janitor.service"}) {
            std::string text = contents(fs::path{"systemd"} / name);
            BOOST_TEST_REQUIRE(!text.empty());
            for (std::size_t at = 0; (at = text.find("/usr/sbin", at)) != std::string::npos;) {
                text.replace(at, 9, build);
            }
            files.push_back(folder / name);
            std::ofstream{files.back()} << text;
        }
    }
    ~Units() { fs::remove_all(folder); }
    Units(const Units&) = delete;
    Units& operator=(const Units&) = delete;

    fs::path folder = [] {
        auto path = stack::breakable().directory() / story::unique("units");
        fs::create_directory(path);
        return path;
    }();
    process::Arguments files;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(units_are_clean, Units)
{
    process::Arguments verify{"systemd-analyze", "verify", "--man=no"};
    verify.insert(verify.end(), files.begin(), files.end());
    const auto ended = process::run(verify);
    BOOST_TEST(ended.exit == 0);
    BOOST_TEST((ended.out + ended.err).empty(), ended.out + ended.err);
}

BOOST_FIXTURE_TEST_CASE(units_may_do_little, Units)
{
    for (const auto& file : files) {
        if (!file.ends_with(".service")) {
            continue;
        }
        const auto ended = process::run({"systemd-analyze", "security", "--offline=true",
                                         "--no-pager", "--threshold=15", file});
        BOOST_TEST(ended.exit == 0, ended.out + ended.err);
    }
}

BOOST_AUTO_TEST_SUITE_END()
