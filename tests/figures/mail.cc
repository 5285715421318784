// mail.cc - prints figures about mail: how soon a new mailbox works, what many logins at once cost,
// and what an idle stack uses. It asserts nothing about time.

#define BOOST_TEST_MODULE figures
#include <boost/test/unit_test.hpp>

#include "figures/figures.h"
#include "system/harness/mail.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <fstream>
#include <future>
#include <iomanip>
#include <iostream>
#include <map>
#include <numeric>
#include <sstream>
#include <thread>

#include <sodium.h>
#include <unistd.h>

namespace fs = std::filesystem;
using figures::Clock;
using figures::median;
using figures::print;
using figures::since;
using figures::text;

namespace {

constexpr int kMailboxes = 100;
constexpr int kLogins = 300;
constexpr int kRounds = 5;

struct Figures : mail::Story {
    void teardown() {}  // under load Dovecot logs that it queues, which is what is measured here

    // Returns the processes of a part. Its first process leads a session that contains the others.
    std::vector<std::string> processes(const std::string& part) const
    {
        std::string leader;
        std::ifstream{stack.directory() / "run" / (part + ".part")} >> leader;
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator{"/proc"}) {
            const auto fields = fields_of(entry.path());
            if (fields.size() > 3 && fields[3] == leader) {
                found.push_back(entry.path().filename());
            }
        }
        return found;
    }

    // Returns the fields of /proc/PID/stat after the name.
    static std::vector<std::string> fields_of(const fs::path& process)
    {
        std::string line;
        std::getline(std::ifstream{process / "stat"}, line, '\0');
        std::istringstream stream{line.substr(line.rfind(')') + 1)};
        std::vector<std::string> fields;
        for (std::string field; stream >> field;) {
            fields.push_back(field);
        }
        return fields;
    }

    // Returns the CPU seconds of a part, including its ended processes.
    double processor(const std::string& part) const
    {
        double ticks = 0;
        for (const auto& process : processes(part)) {
            const auto fields = fields_of("/proc/" + process);
            for (std::size_t i = 11; fields.size() > 14 && i < 15; ++i) {
                ticks += std::stod(fields[i]);
            }
        }
        return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
    }

    // Returns the proportional set size (PSS) of these processes in MiB.
    static double mebibytes(const std::vector<std::string>& processes)
    {
        process::Arguments command{"cat"};
        for (const auto& process : processes) {
            command.push_back("/proc/" + process + "/smaps_rollup");
        }
        std::istringstream stream{process::run(mail::as_root(command)).out};
        double kibibytes = 0;
        for (std::string line; std::getline(stream, line);) {
            if (line.starts_with("Pss:")) {
                kibibytes += std::stod(line.substr(4));
            }
        }
        return kibibytes / 1024;
    }

    double authentication_mebibytes() const
    {
        std::vector<std::string> found;
        for (const auto& process : processes("dovecot")) {
            std::string name;
            std::ifstream{"/proc/" + process + "/comm"} >> name;
            if (name.starts_with("auth")) {
                found.push_back(process);
            }
        }
        return mebibytes(found);
    }

    static std::uint64_t switches(const std::vector<std::string>& processes)
    {
        std::uint64_t sum = 0;
        for (const auto& process : processes) {
            std::error_code gone;
            for (const auto& thread : fs::directory_iterator{"/proc/" + process + "/task", gone}) {
                std::ifstream status{thread.path() / "status"};
                for (std::string line; std::getline(status, line);) {
                    if (line.find("voluntary_ctxt_switches:") != std::string::npos) {
                        sum += std::stoull(line.substr(line.find(':') + 1));
                    }
                }
            }
        }
        return sum;
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(nothing_to_do, Figures)
{
    constexpr int kSeconds = 20;
    const std::vector<std::string> parts{"mariadb", "mailboxd", "dovecot",
                                         "janitor", "postfix",  "nginx"};
    // Waits until the processes of the start have ended by themselves.
    std::this_thread::sleep_for(std::chrono::seconds{30});
    std::map<std::string, std::uint64_t> before;
    for (const auto& part : parts) {
        before[part] = switches(processes(part));
    }
    std::this_thread::sleep_for(std::chrono::seconds{kSeconds});
    std::cout
        << "The whole stack while nothing is asked of it: processes, memory, times in a second that one wakes\n";
    double memory = 0;
    double wakes = 0;
    std::size_t count = 0;
    for (const auto& part : parts) {
        const auto all = processes(part);
        const auto its_wakes =
            static_cast<double>(switches(all) - std::min(switches(all), before[part])) / kSeconds;
        const auto its_memory = mebibytes(all);
        print(part,
              text(all.size(), ", ", 0) + text(its_memory, " MiB, ", 0) + text(its_wakes, "", 1));
        memory += its_memory;
        wakes += its_wakes;
        count += all.size();
    }
    print("together", text(count, ", ", 0) + text(memory, " MiB, ", 0) + text(wakes, "", 1));
}

BOOST_FIXTURE_TEST_CASE(a_new_mailbox, Figures)
{
    const auto who = tenant();
    std::vector<double> accepted;
    std::vector<double> opened;
    for (int i = 0; i < kMailboxes; ++i) {
        const auto name = "user" + std::to_string(i);
        BOOST_TEST_REQUIRE(create(who, name).status == 200);
        const auto answered = Clock::now();
        auto message = std::async(std::launch::async, [&] {
            while (!smtp()
                        .send("you@example.net", {who.address(name)}, mail::message("First"))
                        .starts_with("250 ")) {}
            return since(answered);
        });
        while (!mail::Imap{endpoint("IMAP")}
                    .login(who.address(name), story::kPassword)
                    .starts_with("OK ")) {}
        opened.push_back(since(answered));
        accepted.push_back(message.get());
    }
    std::cout << "From the API's answer to a POST, " << kMailboxes << " times: median, maximum\n";
    for (const auto& [what, times] : {std::pair{"to the first message that is accepted", accepted},
                                      std::pair{"to the first login over IMAP", opened}}) {
        print(what, text(median(times) * 1000, " ms, ", 0)
                        + text(*std::max_element(times.begin(), times.end()) * 1000, " ms", 0));
    }
}

BOOST_FIXTURE_TEST_CASE(many_logins, Figures)
{
    const auto who = tenant();
    for (int i = 0; i < kMailboxes; ++i) {
        BOOST_TEST_REQUIRE(create(who, "user" + std::to_string(i)).status == 200);
    }
    const auto hash = stored_password(who, "user0");
    const auto cores = std::thread::hardware_concurrency();
    const auto verify = [&hash](unsigned times) {
        for (unsigned i = 0; i < times; ++i) {
            BOOST_TEST_REQUIRE(story::is_hash_of(hash, story::kPassword));
        }
    };

    std::vector<double> by_time;
    std::vector<double> by_processor;
    std::vector<double> memory;
    for (int round = 0; round < kRounds; ++round) {
        const auto before = std::clock();
        verify(20);
        const auto one = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC / 20;
        auto begin = Clock::now();
        std::vector<std::future<void>> hashes;
        for (unsigned i = 0; i < cores; ++i) {
            hashes.push_back(std::async(std::launch::async, verify, kLogins / cores));
        }
        for (auto& each : hashes) {
            each.get();
        }
        const auto hashing = since(begin);

        std::vector<std::unique_ptr<mail::Pop3>> clients;
        for (int i = 0; i < kLogins; ++i) {
            clients.push_back(std::make_unique<mail::Pop3>(endpoint("POP3")));
            BOOST_TEST_REQUIRE(
                clients.back()
                    ->ask("USER " + who.address("user" + std::to_string(i % kMailboxes)))
                    .starts_with("+OK"));
        }
        const auto used = processor("dovecot");
        begin = Clock::now();
        std::atomic<bool> is_over{false};
        auto watcher = std::async(std::launch::async, [&] {
            double most = 0;
            while (!is_over) {
                most = std::max(most, authentication_mebibytes());
                std::this_thread::sleep_for(std::chrono::milliseconds{100});
            }
            return most;
        });
        std::vector<std::string> answers(kLogins);
        mail::in_parallel(kLogins, kLogins, [&](std::size_t i) {
            answers[i] = clients[i]->ask(std::string{"PASS "} + story::kPassword);
        });
        by_time.push_back(since(begin) / hashing);
        by_processor.push_back((processor("dovecot") - used) / (one * kLogins));
        is_over = true;
        memory.push_back(watcher.get());
        for (const auto& answer : answers) {
            BOOST_TEST(answer.starts_with("+OK"), answer);
        }
    }
    std::cout << kLogins << " logins over POP3 at once, beside as many hashes on " << cores
              << " cores: median of " << kRounds << " rounds, and all\n";
    const auto print_all = [](const std::string& what, const std::vector<double>& values,
                              const std::string& unit, int digits) {
        std::string all;
        for (const auto value : values) {
            all += (all.empty() ? "" : " ") + text(value, "", digits);
        }
        print(what, text(median(values), unit, digits) + " (" + all + ")");
    };
    print_all("their time, to that of the hashes (aim: at most 1.2)", by_time, "", 2);
    print_all("Dovecot's processor time, to that of the hashes", by_processor, "", 2);
    print_all("memory of the authentication processes, at most (aim: at most 120 MiB)", memory,
              " MiB", 0);
}
