// operator_story.cc - answers that report a limit or a fault: 429, 500, 504.

#include "system/harness/story.h"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include <boost/test/unit_test.hpp>
#include <unistd.h>

namespace fs = std::filesystem;
using answers::is_refused;
using answers::refusal;
using story::shows;

namespace {

struct Operator : story::Breaking {
    // Edits one of nginx's files as an operator would and reloads nginx. The next start of the
    // stack restores the file.
    void edit(const std::string& file, const std::string& from, const std::string& to) const
    {
        const auto path = stack.directory() / "nginx" / file;
        std::ifstream original{path};
        std::stringstream stream;
        stream << original.rdbuf();
        std::string text = stream.str();
        const auto at = text.find(from);
        BOOST_TEST_REQUIRE(at != std::string::npos, file << " has no " << from);
        text.replace(at, from.size(), to);
        std::ofstream{path} << text;
    }

    // Returns the size of a process's address space in KiB. AddressSanitizer's is 20 TB.
    static std::uint64_t memory_of(pid_t pid)
    {
        std::uint64_t pages = 0;
        std::ifstream{"/proc/" + std::to_string(pid) + "/statm"} >> pages;
        BOOST_TEST_REQUIRE(pages > 0U);
        return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
    }

    void reload_nginx() const
    {
        const auto master = stack.part("nginx");
        const auto old = process::children(master);
        ::kill(master, SIGHUP);
        BOOST_TEST_REQUIRE(process::eventually([&] {
            const auto now = process::children(master);
            return !now.empty() && std::none_of(now.begin(), now.end(), [&](pid_t pid) {
                return std::find(old.begin(), old.end(), pid) != old.end();
            });
        }));
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(operators)

BOOST_FIXTURE_TEST_CASE(a_limit_for_each_key, Operator, *shows("status: 429 a limit set in nginx"))
{
    const auto who = tenant();
    const auto other = tenant();
    edit("mailboxd-http.conf", "rate=50r/s", "rate=1r/s");
    edit("mailboxd-limits.conf", "burst=100 ", "burst=10 ");
    const auto nginx = (stack.directory() / "nginx").string();
    edit("nginx.conf", nginx + "/mailboxd-server.conf\";",
         nginx + "/mailboxd-server.conf\"; include \"" + nginx + "/mailboxd-limits.conf\";");
    reload_nginx();

    std::map<int, int> counts;
    for (int i = 0; i < 30; ++i) {
        const auto answer = list(who);
        ++counts[answer.status];
        if (answer.status != 200) {
            BOOST_TEST(is_refused(answer, 429, {"too_many_requests"}));
            BOOST_TEST(!answer.header("Retry-After").empty());
        }
    }
    BOOST_TEST(counts[200] >= 10);
    BOOST_TEST(counts[429] > 0);
    // The limit is of this key, not of the address that both keys are used from.
    BOOST_TEST(list(other).status == 200);
}

// A process without enough memory cannot hash. That is a fault of ours, and a new process solves
// it.
BOOST_FIXTURE_TEST_CASE(a_fault_of_ours, Operator, *shows("status: 500 a fault of ours"))
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    // What the idle service uses, and half of what one hash needs.
    const auto bound = memory_of(stack.master()) + (1U << 19);
    configure({{"argon2_memory_kib", "1048576"}});
    ::kill(stack.master(), SIGTERM);
    BOOST_TEST_REQUIRE(process::eventually([&] { return !process::is_alive(stack.master()); }));
    process::Child service{{"sh", "-c", "ulimit -v $0; exec \"$1\" --config \"$2\"",
                            std::to_string(bound), stack.service(),
                            stack.setting("MAILBOXD_CONF")}};
    const auto expect = [&](const std::string& words) {
        std::string line;
        while (line.find(words) == std::string::npos) {
            line = service.read_line();
        }
        return line;
    };
    expect("info ready");
    for (int i = 0; i < 2; ++i) {
        BOOST_TEST(refusal(change(who, "alice", "Looking-Glass"))
                   == "500 internal_error: Internal error");
        expect("error fault");
        expect("worker-exit");
    }
    BOOST_TEST(snapshot() == before);
    BOOST_TEST(list(who).status == 200);
    ::kill(service.pid(), SIGTERM);
    BOOST_TEST(service.end() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_service_that_takes_too_long, Operator,
                        *shows("answers: those that nginx makes itself"))
{
    const auto who = tenant();
    edit("mailboxd-server.conf", "fastcgi_read_timeout 35s", "fastcgi_read_timeout 1s");
    reload_nginx();
    {
        const process::Stopped stopped{stack.workers()};
        BOOST_TEST(is_refused(list(who), 504, {"no_answer", "may or may not"}));
    }
    BOOST_TEST(list(who).status == 200);
}

// nginx's own 500: it is configured to store a body and cannot.
BOOST_FIXTURE_TEST_CASE(a_fault_of_nginx, Operator,
                        *shows("answers: those that nginx makes itself"))
{
    const auto who = tenant();
    edit("mailboxd-server.conf", "client_body_buffer_size 512k", "client_body_buffer_size 1k");
    reload_nginx();
    fs::remove_all(stack.directory() / "nginx" / "tmp" / "body");
    BOOST_TEST(refusal(create(who, std::string(20'000, 'a')))
               == "500 internal_error: Internal error");
    BOOST_TEST(list(who).status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
