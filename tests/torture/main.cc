// main.cc - `make torture`: the requested number of rounds on a stack with mail; if root runs it,
// with a disk that can be filled.

#include "torture/torture.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <random>
#include <stdexcept>
#include <string_view>

namespace {

constexpr char kUsage[] =
    R"(Usage: torture [rounds=N] [seed=N] [clients=N] [steps=N] [faults=N] [hold=MS] [only=KIND] [mail=no] [disk=no] [cluster=yes]

Starts a whole stack, lets clients create, change, delete and list mailboxes, and kills, stops and fills what the service
lives on meanwhile; after each round compares what was answered with what is there. make torture ROUNDS= SEED= calls it.

  rounds    how many (10)
  seed      of the plan: the same seed, on the same kind of stack, has the same requests in the same order for each client,
            and the same faults. What coincides is the machine's affair, and differs. (at random; it is printed)
  clients   that change mailboxes, besides one that only lists and a stranger (8)
  steps     of each client in a round (60)
  faults    in a round (5)
  hold      how long each lasts at most; one in twelve ten times as long (1200)
  only      this kind of fault, by its name in what is printed (all of them, in turn)
  mail=no   without Dovecot and Postfix
  disk=no   without a full disk, for which root mounts a small file system that only this program and its stack see
  cluster=yes  with three database nodes and HAProxy, which break, too; as root each node in a network of its own, so that it
            can be cut off (no full disk then). make cluster-test has it

The exit code is 0 if nothing was found, 1 if something was, which is told with seed, round, client and step; the stack's
directory stays then. TEST_KEEP=1 in the environment keeps it in any case.
)";

constexpr std::size_t kTold = 30;

struct Wanted {
    torture::Options options{};
    bool has_mail = true;
    bool has_disk = true;
    bool is_cluster = false;
};

std::uint64_t number(std::string_view name, std::string_view text, std::uint64_t least)
{
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < least)
        throw std::invalid_argument{std::string{name} + " is a number, at least "
                                    + std::to_string(least)};
    return value;
}

Wanted read(int argc, char** argv)
{
    Wanted wanted;
    wanted.options.seed = std::random_device{}() % 1'000'000;
    wanted.options.extent.has_long_holds = true;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const auto name = word.substr(0, word.find('='));
        const auto value = name.size() < word.size() ? word.substr(name.size() + 1) : "";
        // make passes NAME= for variables that are not set.
        if (value.empty() && name.size() < word.size()) continue;
        if (name == "rounds") wanted.options.rounds = number(name, value, 1);
        else if (name == "seed") wanted.options.seed = number(name, value, 0);
        else if (name == "clients") wanted.options.extent.clients = number(name, value, 1);
        else if (name == "steps") wanted.options.extent.steps = number(name, value, 1);
        else if (name == "faults") wanted.options.extent.faults = number(name, value, 0);
        else if (name == "hold") wanted.options.extent.hold = number(name, value, 1);
        else if (name == "only") wanted.options.only = value;
        else if (word == "mail=no") wanted.has_mail = false;
        else if (word == "disk=no") wanted.has_disk = false;
        else if (word == "cluster=yes") wanted.is_cluster = true;
        else throw std::invalid_argument{"there is no option " + std::string{word}};
    }
    return wanted;
}

// Runs the commands of docs/cluster.md on this stack.
void run_page(const stack::Stack& stack)
{
    const char* sources = std::getenv("SOURCES");
    if (sources == nullptr) return;
    const auto ended = process::run(
        {"bash", std::string{sources} + "/tests/system/guide/on-cluster.sh", stack.directory()});
    if (ended.exit != 0)
        throw std::runtime_error{"the commands of docs/cluster.md fail:\n" + ended.out + ended.err};
    std::cout << "The commands of docs/cluster.md work." << std::endl;
}

int run(const Wanted& wanted)
{
    const auto obstacle = wanted.is_cluster ? "cluster=yes"
                          : wanted.has_disk ? faults::Disk::obstacle()
                                            : "disk=no";
    if (!obstacle.empty())
        std::cout << "The disk will not be full (" << obstacle << ")." << std::endl;
    if (wanted.is_cluster) {
        const auto why = faults::Network::obstacle();
        if (why.empty()) const faults::Network network;
        else std::cout << "No node will be cut off (" << why << ")." << std::endl;
    }
    std::cout << "Starting a stack." << std::endl;
    process::Arguments arguments{"--workers", "3"};
    if (!wanted.has_mail) arguments.emplace_back("--no-mail");
    if (wanted.is_cluster) arguments.insert(arguments.end(), {"--cluster", "3"});
    stack::Stack stack{arguments};
    std::optional<faults::Disk> disk;
    if (obstacle.empty()) disk.emplace(stack);
    if (wanted.is_cluster) run_page(stack);
    if (!stack.has_setting("SMTP_PORT")) std::cout << "There will be no mail." << std::endl;
    std::cout << "seed " << wanted.options.seed << ", in " << stack.directory().string()
              << std::endl;

    const auto outcome = torture::run(stack, disk ? &*disk : nullptr, wanted.options, std::cout);
    std::cout << "\nrequests: " << torture::text(outcome.requests)
              << "\nfaults: " << torture::text(outcome.faults) << "\nin doubt: " << outcome.in_doubt
              << " mailboxes, of which " << outcome.carried_out << " were changed\n";
    // The first violations matter most, because later ones may be consequences.
    const auto told = std::min(outcome.breaches.size(), kTold);
    for (std::size_t i = 0; i < told; ++i) std::cout << "BREACH: " << outcome.breaches[i] << "\n";
    std::cout << outcome.breaches.size() << " breaches, seed " << wanted.options.seed << std::endl;
    if (outcome.breaches.empty()) return 0;
    stack.keep();
    std::cout << "What is left is in " << stack.directory().string() << std::endl;
    return 1;
}

}  // namespace

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN);  // a write to a closed connection is an error, not our end
    // make puts its own arguments before --help.
    if (std::any_of(argv, argv + argc,
                    [](std::string_view word) { return word == "--help" || word == "-h"; })) {
        std::cout << kUsage;
        return 0;
    }
    try {
        return run(read(argc, argv));
    } catch (const std::invalid_argument& error) {
        std::cerr << "torture: " << error.what() << "; --help tells what there is\n";
    } catch (const std::exception& error) {
        std::cerr << "torture: " << error.what() << "\n";
    }
    return 2;
}
