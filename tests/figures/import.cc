// import.cc - prints how fast `mailboxctl import` adds mailboxes beside LOAD DATA of the same rows
// into a bare table of the same server, and how much memory the command needs. It asserts nothing
// about time.
//
// In the environment: TEST_IMPORT_ROWS (200000), TEST_IMPORT_ROUNDS (3), TEST_IMPORT_POOL
// (innodb_buffer_pool_size, 128M).

#define BOOST_TEST_MODULE figures
#include <boost/test/unit_test.hpp>

#include "figures/figures.h"
#include "system/harness/story.h"

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>

#include <sys/resource.h>
#include <unistd.h>

using figures::Clock;
using figures::median;
using figures::print;
using figures::since;
using figures::text;

namespace {

constexpr std::chrono::seconds kDeadline{3600};

std::string wanted(const char* name, const char* otherwise)
{
    const char* const value = std::getenv(name);
    return value == nullptr || *value == '\0' ? otherwise : value;
}

double seconds(const timeval& time)
{
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Of one run: elapsed seconds, and processor seconds of the server and of the command.
struct Cost {
    double elapsed = 0;
    double server = 0;
    double command = 0;
};

struct Measured {
    Measured() : stack{{"--no-mail", "--workers", "1"}, "innodb_buffer_pool_size = " + pool}
    {
        stack.up();
    }

    process::Ended sql(const std::string& statements) const
    {
        auto ended = process::run({stack::client_program(), "--no-defaults", "--skip-column-names",
                                   "--socket", stack.setting("DB_SOCKET"), "--user",
                                   stack.setting("DB_ADMIN_USER"), stack.setting("DB_NAME")},
                                  {.input = statements, .deadline = kDeadline});
        BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
        return ended;
    }

    double server_time() const
    {
        std::string line;
        std::getline(std::ifstream{"/proc/" + stack.setting("MARIADB_PID") + "/stat"}, line);
        std::istringstream fields{line.substr(line.rfind(')') + 1)};
        std::string skipped;
        for (int i = 0; i < 11; ++i) fields >> skipped;
        double user = 0, system = 0;
        fields >> user >> system;
        return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }

    // Waits until everything that was changed is in the files, so that no run pays for the one
    // before it.
    void settle() const
    {
        sql("SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0, innodb_max_dirty_pages_pct = 0");
        BOOST_TEST(process::eventually(
            [&] {
            return stoi(sql("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE "
                            "VARIABLE_NAME = 'INNODB_BUFFER_POOL_PAGES_DIRTY'")
                            .out)
                   < 100;
            },
            kDeadline, std::chrono::milliseconds{200}));
        sql("SET GLOBAL innodb_max_dirty_pages_pct = 90");
    }

    template <typename Run>
    Cost cost_of(Run run) const
    {
        settle();
        rusage before{}, after{};
        ::getrusage(RUSAGE_CHILDREN, &before);
        const auto server = server_time();
        const auto begin = Clock::now();
        run();
        Cost cost{.elapsed = since(begin), .server = server_time() - server};
        ::getrusage(RUSAGE_CHILDREN, &after);
        cost.command = seconds(after.ru_utime) + seconds(after.ru_stime) - seconds(before.ru_utime)
                       - seconds(before.ru_stime);
        return cost;
    }

    // Names in random order, with hashes of SHA512-CRYPT's form: import does not verify them.
    void write_rows(const std::string& domain, const std::filesystem::path& file)
    {
        constexpr std::string_view kCrypt =
            "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        std::vector<int> order(static_cast<std::size_t>(rows));
        std::iota(order.begin(), order.end(), 0);
        std::shuffle(order.begin(), order.end(), random);
        const auto characters = [&](std::size_t count) {
            std::string all;
            while (all.size() < count) {
                auto bits = random();
                for (int i = 0; i < 10 && all.size() < count; ++i, bits >>= 6)
                    all += kCrypt[bits & 63];
            }
            return all;
        };
        std::ofstream out{file};
        out << "address,hash\n";
        for (const int i : order)
            out << "user" << i << '@' << domain << ",$6$" << characters(16) << '$' << characters(86)
                << '\n';
    }

    // Returns the most memory that the process had since its program began, in KiB; 0 after its
    // end.
    static double memory_of(pid_t pid)
    {
        std::ifstream status{"/proc/" + std::to_string(pid) + "/status"};
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("VmHWM:")) return std::stod(line.substr(line.find(':') + 1));
        }
        return 0;
    }

    void mailboxctl(const process::Arguments& arguments)
    {
        process::Arguments all{stack.setting("MAILBOXCTL"), "--config",
                               stack.setting("MAILBOXD_CONF")};
        all.insert(all.end(), arguments.begin(), arguments.end());
        process::Child child{all};
        double last = 0;
        BOOST_TEST(process::eventually(
            [&] {
            const auto now = memory_of(child.pid());
            if (now > 0) last = now;
            return now == 0;
            },
            kDeadline, std::chrono::milliseconds{20}));
        BOOST_TEST_REQUIRE(child.end() == 0, process::quoted(arguments));
        memory = std::max(memory, last);
    }

    const int rows = std::stoi(wanted("TEST_IMPORT_ROWS", "200000"));
    const int rounds = std::stoi(wanted("TEST_IMPORT_ROUNDS", "3"));
    const std::string pool = wanted("TEST_IMPORT_POOL", "128M");
    std::mt19937_64 random{20261201};
    double memory = 0;  // the most that a command had, in KiB
    stack::Stack stack;
};

std::string described(const Cost& cost, int rows)
{
    return text(cost.elapsed, " s, ", 1) + text(rows / cost.elapsed, " rows/s; server ", 0)
           + text(cost.server, " s, command ", 1) + text(cost.command, " s", 1);
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(rows_with_hashes_beside_load_data, Measured)
{
    std::cout << rows << " rows, a buffer pool of " << pool << ":\n";
    std::vector<double> elapsed, server;
    const auto file = stack.directory() / "rows.csv";
    const std::filesystem::path loaded = stack.directory() / "mariadb/tmp/rows.txt";
    for (int round = 1; round <= rounds; ++round) {
        // Every round begins with empty tables.
        sql("SET foreign_key_checks = 0; TRUNCATE mailbox; TRUNCATE mailbox_range; TRUNCATE "
            "audit_log; UPDATE domain SET mailboxes = 0, last_id = 0");
        const std::string domain = "round" + std::to_string(round) + ".example";
        write_rows(domain, file);
        mailboxctl({"account", "add", "figures" + std::to_string(round)});
        const process::Arguments import{"import", file, "--account",
                                        "figures" + std::to_string(round)};
        auto check = import;
        check.emplace_back("--dry-run");
        const auto checking = cost_of([&] { mailboxctl(check); });
        const auto importing = cost_of([&] { mailboxctl(import); });
        sql("SELECT * FROM mailbox INTO OUTFILE '" + loaded.string()
            + "'; DROP TABLE IF EXISTS bare; CREATE TABLE bare LIKE mailbox");
        const auto loading = cost_of([&] {
            sql("LOAD DATA INFILE '" + loaded.string() + "' INTO TABLE bare CHARACTER SET ascii");
        });
        BOOST_TEST(sql("SELECT COUNT(*) FROM bare").out == std::to_string(rows) + "\n");
        sql("DROP TABLE bare");
        std::filesystem::remove(loaded);
        print("check alone (--dry-run)", described(checking, rows));
        print("import", described(importing, rows));
        print("LOAD DATA", described(loading, rows));
        elapsed.push_back(loading.elapsed / importing.elapsed);
        server.push_back(loading.server / importing.server);
        print("import's rows a second / LOAD DATA's", text(elapsed.back(), "", 2));
    }
    print("median of rows a second / LOAD DATA's", text(median(elapsed), "", 2));
    print("median of LOAD DATA's processor time in the server / import's",
          text(median(server), "", 2));
    print("most memory of the command", text(memory / 1024, " MB", 1));
}
