// reload_story.cc - reloads (SIGHUP), deadlines, and the regular replacement of workers.

#include "system/harness/story.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace fs = std::filesystem;
using answers::is_refused;
using answers::text;
using process::eventually;
using process::is_alive;

namespace {

struct Reload : story::Breaking {
    void hang_up() const { ::kill(stack.master(), SIGHUP); }
};

// Clients on threads of their own that send requests without pause until they are stopped.
class Load {
public:
    Load(const stack::Stack& stack, const story::Tenant& who) : server_{stack.server()}, who_{who}
    {
        for (int i = 0; i < 4; ++i) {
            clients_.emplace_back([this, i](const std::stop_token& stop) { call(i, stop); });
        }
    }

    std::map<int, int> stop()
    {
        for (auto& client : clients_) {
            client.request_stop();
        }
        clients_.clear();
        std::map<int, int> all;
        for (std::size_t status = 0; status < counts_.size(); ++status) {
            if (counts_[status] > 0) {
                all[static_cast<int>(status)] = counts_[status];
            }
        }
        return all;
    }

    int answered() const { return answered_; }

private:
    void call(int number, const std::stop_token& stop)
    {
        const http::Fields key{{"Authorization", http::basic(who_.key)}};
        const auto name = "user" + std::to_string(number);
        const http::Request page{"GET", who_.mailboxes() + "?limit=1", key, {}};
        const std::vector<http::Request> requests{
            {"POST", who_.mailboxes(), key,
             http::form({{"mailbox", name}, {"password", story::kPassword}})},
            {"GET", who_.mailboxes(), key, {}},
            page,
            page,
            page,
            page,
            page,
            page,
            {"DELETE", who_.mailbox(name), key, {}},
        };
        // Only complete rounds, so that no mailbox is left.
        while (!stop.stop_requested()) {
            for (const auto& request : requests) {
                ++counts_.at(static_cast<std::size_t>(server_.send(request).status));
                ++answered_;
            }
        }
    }

    http::Server server_;
    story::Tenant who_;
    std::array<std::atomic<int>, 600> counts_{};
    std::atomic<int> answered_ = 0;
    std::vector<std::jthread> clients_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(reload)

BOOST_FIXTURE_TEST_CASE(
    new_settings_take_effect, Reload,
    *story::shows("parameters: limit's maximum and the lengths of passwords are settings"))
{
    const auto who = tenant();
    const auto mark = log.mark();
    BOOST_TEST(list(who, "?limit=1000").status == 200);
    reconfigure(
        {{"max_limit", "500"}, {"workers", "3"}, {"min_password", "8"}, {"max_password", "9"}});
    BOOST_TEST(!log.expect(mark, {"info reloading"}).empty());
    BOOST_TEST(is_refused(list(who, "?limit=501"), 400, {"limit", "500"}));
    BOOST_TEST(list(who, "?limit=500").status == 200);
    BOOST_TEST(is_refused(create(who, "alice", "1234567"), 400, {"password", "8 to 9"}));
    BOOST_TEST(is_refused(create(who, "alice", "1234567890"), 400, {"password", "8 to 9"}));
    BOOST_TEST(create(who, "alice", "123456789").status == 200);
}

BOOST_FIXTURE_TEST_CASE(broken_settings_change_nothing_and_say_so, Reload)
{
    const auto who = tenant();
    const auto mark = log.mark();
    const auto workers = stack.workers();
    const auto good = story::configuration(stack, {{"max_limit", "500"}});
    configure({{"max_limit", "500"}, {"wrokers", "3"}});
    hang_up();
    BOOST_TEST(!log.expect(mark, {"error reload-refused", "wrokers"}).empty());
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
    BOOST_TEST(list(who, "?limit=1000").status == 200);
    // A later reload with a good configuration works.
    std::ofstream{stack.setting("MAILBOXD_CONF")} << good;
    hang_up();
    BOOST_TEST(stack.await_workers(workers));
    BOOST_TEST(is_refused(list(who, "?limit=501"), 400, {"500"}));
}

BOOST_FIXTURE_TEST_CASE(no_request_is_lost, Reload)
{
    const auto who = tenant();
    Load load{stack, who};
    for (int i = 0; i < 15; ++i) {
        const auto old = stack.workers();
        const int before = load.answered();
        hang_up();
        BOOST_TEST(stack.await_workers(old));
        BOOST_TEST(eventually([&] { return load.answered() > before + 20; }));
    }
    const auto counts = load.stop();
    BOOST_TEST(counts.size() == 1U);
    BOOST_TEST(counts.contains(200));
    BOOST_TEST(answers::page(list(who)).total_count == 0);
}

// nginx answers 502 to clients whose worker was killed; all others get their answer.
BOOST_FIXTURE_TEST_CASE(reloads_and_kills_under_load, Reload)
{
    constexpr int kTimes = 50;
    constexpr int kRequests = 10'000;
    const auto who = tenant();
    Load load{stack, who};
    int killed = 0;
    for (int i = 0; i < kTimes; ++i) {
        const int enough = kRequests / kTimes * (i + 1);
        hang_up();
        const auto workers = stack.workers();
        if (!workers.empty()) {
            ::kill(workers[static_cast<std::size_t>(i) % workers.size()], SIGKILL);
            ++killed;
        }
        BOOST_TEST(eventually([&] { return load.answered() >= enough; }, std::chrono::seconds{60}));
    }
    const auto counts = load.stop();
    int refused = 0;
    std::ostringstream seen;
    for (const auto& [status, count] : counts) {
        // After a lost answer the next requests show the true state.
        BOOST_TEST((status == 200 || status == 502 || status == 404 || status == 409),
                   status << ": " << count);
        refused += status == 502 ? count : 0;
        seen << ", " << status << ' ' << count << " times";
    }
    std::cout << "  " << load.answered() << " requests beside " << kTimes << " reloads and "
              << killed << " kills" << seen.str() << std::endl;
    BOOST_TEST(refused <= killed);
    BOOST_TEST(stack.await_workers());
}

BOOST_FIXTURE_TEST_CASE(a_running_request_is_answered_by_its_old_worker, Reload)
{
    const auto who = tenant();
    const auto old = stack.workers();
    Hold hold{*this, who};
    auto answer = start_change(who, "alice");
    hold.await(1);
    hang_up();
    BOOST_TEST(eventually([&] { return std::count_if(old.begin(), old.end(), is_alive) == 1; }));
    BOOST_TEST(list(who).status == 200);
    hold.release();
    BOOST_TEST(text(answer.get()) == "200 {\"message\":\"Created 1 mailboxes\"}\n");
    BOOST_TEST(stack.await_workers(old));
}

BOOST_FIXTURE_TEST_CASE(in_quick_succession, Reload)
{
    const auto who = tenant();
    const auto old = stack.workers();
    for (int i = 0; i < 50; ++i) {
        hang_up();
    }
    BOOST_TEST(stack.await_workers(old));
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(create(who, "alice").status == 200);
    // Signals that come after SIGTERM do not cancel it.
    ::kill(stack.master(), SIGTERM);
    hang_up();
    BOOST_TEST(eventually([&] { return !is_alive(stack.master()); }));
}

BOOST_FIXTURE_TEST_CASE(a_stuck_worker_is_ended_and_replaced, Reload)
{
    const auto who = tenant();
    reconfigure({{"request_deadline", "2"}, {"stop_grace", "3"}});
    const auto workers = stack.workers();
    const auto before = snapshot();
    const auto mark = log.mark();
    Hold hold{*this, who};
    const auto answer = start_change(who, "alice").get();
    BOOST_TEST(is_refused(answer, 502, {"no_answer", "may or may not"}));
    BOOST_TEST(!log.expect(mark, {"warning worker-exit", "SIGALRM"}).empty());
    hold.release();
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(stack.await_workers());
    BOOST_TEST(stack.workers() != workers);
    BOOST_TEST(create(who, "alice").status == 200);
}

// A change that waits more than a few seconds for another one is refused.
BOOST_FIXTURE_TEST_CASE(a_lock_that_is_held_too_long, Reload,
                        *story::shows("status: 503 the database cannot be asked"))
{
    const auto who = tenant();
    const auto workers = stack.workers();
    const auto before = snapshot();
    Hold hold{*this, who};
    const auto answer = start_change(who, "alice").get();
    BOOST_TEST(is_refused(answer, 503, {"unavailable: Temporarily unavailable"}));
    hold.release();
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
    BOOST_TEST(create(who, "alice").status == 200);
}

BOOST_FIXTURE_TEST_CASE(after_max_requests_a_fresh_one_comes, Reload)
{
    const auto who = tenant();
    reconfigure({{"max_requests", "5"}});
    const auto mark = log.mark();
    const auto workers = stack.workers();
    for (int i = 0; i < 60; ++i) {
        BOOST_TEST(list(who).status == 200);
    }
    BOOST_TEST(!log.expect(mark, {"info worker-exit", "requests=5"}).empty());
    BOOST_TEST(stack.await_workers());
    BOOST_TEST(stack.workers() != workers);
}

// Tables from before a migration are not served. Tables of the next release are, because an upgrade
// may be under way.
BOOST_FIXTURE_TEST_CASE(tables_of_another_release, Reload)
{
    const auto who = tenant();
    const auto name = "old_" + std::to_string(::getpid());
    stack.sql("CREATE DATABASE " + name + "; CREATE TABLE " + name
              + ".schema_version (version INT UNSIGNED NOT NULL PRIMARY KEY);"
                " GRANT SELECT ON "
              + name + ".* TO 'mailboxd_api'@'localhost'");
    const auto mark = log.mark();
    reconfigure({{"db_name", name}});
    BOOST_TEST(is_refused(list(who), 503, {"unavailable"}));
    BOOST_TEST(!log.expect(mark, {"warning database-absent", "schema version 0, older"}).empty());
    stack.sql("REVOKE SELECT ON " + name + ".* FROM 'mailboxd_api'@'localhost'; DROP DATABASE "
              + name + "; INSERT INTO schema_version VALUES (999, 'next', 0)");
    reconfigure({{"db_name", "mailboxd"}});
    BOOST_TEST(list(who).status == 200);
    stack.sql("DELETE FROM schema_version WHERE version = 999");
}

// Workers that wait for a database that hangs have taken no request, so each reload replaces them.
BOOST_FIXTURE_TEST_CASE(while_the_database_hangs_no_generations_pile_up, Reload)
{
    const auto who = tenant();
    const auto database = stack.part("mariadb");
    const auto mark = log.mark();
    ::kill(database, SIGSTOP);
    for (int i = 0; i < 6; ++i) {
        hang_up();
        BOOST_TEST(
            !log.expect(mark, {"info reloading", "generation=" + std::to_string(i + 2)}).empty());
    }
    // The first generation serves and may wait for an answer; all generations in between have
    // ended.
    BOOST_TEST(eventually([&] { return stack.workers().size() <= 2 * kWorkers; }));
    ::kill(database, SIGCONT);
    BOOST_TEST(stack.await_workers());
    BOOST_TEST(list(who).status == 200);
}

BOOST_FIXTURE_TEST_CASE(a_worker_that_ignores_term_is_killed_after_the_grace, Reload)
{
    reconfigure({{"request_deadline", "1"}, {"stop_grace", "2"}});
    const auto mark = log.mark();
    const auto stopped = stack.workers().front();
    ::kill(stopped, SIGSTOP);
    ::kill(stack.master(), SIGTERM);
    BOOST_TEST(eventually([&] { return !is_alive(stack.master()); }));
    BOOST_TEST(!is_alive(stopped));
    BOOST_TEST(
        !log.expect(mark, {"warning", "pid=" + std::to_string(stopped), "stop_grace"}).empty());
}

namespace {

// Only root sees the open files of a process that may write no core (proc(5)).
boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id)
{
    return ::geteuid() == 0;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(no_descriptor_leaks_across_fork, Reload,
                        *boost::unit_test::precondition(is_root))
{
    const auto who = tenant();
    list(who);
    create(who, "alice");
    const auto of_master = process::open_files(stack.master()).size();
    const auto most = [&] {
        std::size_t count = 0;
        for (const auto pid : stack.workers()) {
            count = std::max(count, process::open_files(pid).size());
        }
        return count;
    };
    // Input, two outputs, the listening socket, its events, the database.
    const auto before = most();
    BOOST_TEST(before <= 6U);
    for (int i = 0; i < 5; ++i) {
        reconfigure({});
        list(who);
        change(who, "alice", "Looking-Glass");
    }
    BOOST_TEST(most() <= before);
    BOOST_TEST(process::open_files(stack.master()).size() == of_master);
}

BOOST_FIXTURE_TEST_CASE(a_socket_in_use_is_not_taken_over, Reload)
{
    const auto who = tenant();
    const auto second = process::run({stack.service(), "--config", stack.setting("MAILBOXD_CONF")},
                                     {.deadline = std::chrono::seconds{20}});
    BOOST_TEST(second.exit == 1);
    BOOST_TEST(second.err.find("in use") != std::string::npos, second.err);
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(create(who, "alice").status == 200);
}

BOOST_FIXTURE_TEST_CASE(a_path_too_long_for_a_socket, Reload)
{
    configure({{"socket", "/tmp/" + std::string(110, 'x')}});
    const auto ended =
        process::run({stack.service(), "--config", stack.setting("MAILBOXD_CONF"), "-t"});
    BOOST_TEST(ended.exit == 2);
    BOOST_TEST(ended.err.find("107") != std::string::npos, ended.err);
}

namespace {

// Opens a listening unix socket to hand over, as a service manager does. Its number is above those
// that the service expects, so that a shell can move it there.
int listening(const fs::path& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    BOOST_TEST_REQUIRE(socket >= 0);
    BOOST_TEST_REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address)
                       == 0);
    BOOST_TEST_REQUIRE(::listen(socket, 64) == 0);
    fs::permissions(path, fs::perms{0666});
    const int high = ::fcntl(socket, F_DUPFD, 64);
    ::close(socket);
    return high;
}

// A stand-in for the service manager: it owns the sockets and passes them, from descriptor 3 on, to
// each service that it starts. It replaces the stack's service, which is stopped.
class Manager {
public:
    explicit Manager(const stack::Stack& stack)
        : configuration_{stack.setting("MAILBOXD_CONF")}, reading_{stack.setting("FASTCGI_SOCKET")},
          writing_{stack.setting("FASTCGI_WRITE_SOCKET")}, log_file_{stack.directory() / "log"
                                                                     / "handed-over.log"}
    {
        ::kill(stack.master(), SIGTERM);
        BOOST_TEST_REQUIRE(eventually([&] { return !is_alive(stack.master()); }));
        fs::remove(reading_);
        fs::remove(writing_);
        first_ = listening(reading_);
        second_ = listening(writing_);
    }

    ~Manager()
    {
        ::close(first_);
        ::close(second_);
        fs::remove(reading_);
        fs::remove(writing_);
    }

    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    // Starts the service and returns when it is ready. The log is a file, because an unread pipe
    // would block the service.
    std::unique_ptr<process::Child> start(const fs::path& program) const
    {
        const auto first = std::to_string(first_);
        const auto second = std::to_string(second_);
        const auto command = "exec 3<&" + first + " 4<&" + second + " " + first + "<&- " + second
                             + R"(<&- 2>>"$2"; LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" --config "$1")";
        const std::ofstream to_have_one{log_file_, std::ios::app};
        const stack::Log log{log_file_};
        const auto mark = log.mark();
        auto service = std::make_unique<process::Child>(
            process::Arguments{"bash", "-c", command, program, configuration_, log_file_});
        BOOST_TEST_REQUIRE(!log.expect(mark, {"info ready"}).empty());
        return service;
    }

    static void stop(process::Child& service)
    {
        ::kill(service.pid(), SIGTERM);
        BOOST_TEST(service.end() == 0);
    }

    bool has_sockets() const { return fs::exists(reading_) && fs::exists(writing_); }

private:
    std::string configuration_;
    fs::path reading_;
    fs::path writing_;
    fs::path log_file_;
    int first_ = -1;
    int second_ = -1;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(inherited_sockets, Reload)
{
    const auto who = tenant();
    const Manager manager{stack};
    const auto service = manager.start(stack.service());
    BOOST_TEST(list(who).status == 200);
    BOOST_TEST(create(who, "alice").status == 200);
    Manager::stop(*service);
    BOOST_TEST(manager.has_sockets());
}

// An upgrade of the package: the program is replaced, the old service ends, and the new one starts
// with the same sockets. Clients that connect in between wait in the sockets' queues and are
// answered.
BOOST_FIXTURE_TEST_CASE(an_upgrade_under_load_refuses_nobody, Reload)
{
    constexpr int kTimes = 10;
    const auto who = tenant();
    const Manager manager{stack};
    const auto program = stack.directory() / "mailboxd";
    const auto unpacked = stack.directory() / "mailboxd.dpkg-new";
    fs::copy_file(stack.service(), program);
    auto service = manager.start(program);
    Load load{stack, who};
    for (int i = 0; i < kTimes; ++i) {
        const int before = load.answered();
        BOOST_TEST(eventually([&] { return load.answered() > before + 50; }));
        fs::copy_file(stack.service(), unpacked);
        fs::rename(unpacked, program);
        Manager::stop(*service);
        // At this moment no service runs.
        auto in_the_gap = std::async(std::launch::async, [&] { return list(who).status; });
        service = manager.start(program);
        BOOST_TEST(in_the_gap.get() == 200);
    }
    const auto counts = load.stop();
    for (const auto& [status, count] : counts) {
        BOOST_TEST(status == 200, status << ": " << count);
    }
    std::cout << "  " << load.answered() << " requests beside " << kTimes << " upgrades"
              << std::endl;
    Manager::stop(*service);
    fs::remove(program);
}

BOOST_AUTO_TEST_SUITE_END()
