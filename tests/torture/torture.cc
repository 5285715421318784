#include "torture/torture.h"

#include "torture/panel.h"
#include "torture/rest.h"
#include "torture/world.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <future>
#include <iomanip>
#include <stdexcept>
#include <thread>
#include <vector>

namespace torture {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Each client is busy when a fault strikes. Of the steps until the next fault, half are taken
// during the fault and half after it.
void strike_all(World& world, const std::vector<plan::Fault>& faults, std::size_t steps,
                const std::string& label)
{
    constexpr auto kMending = 1500ms;  // about the time that restarting a part takes
    for (std::size_t i = 0; i < faults.size(); ++i) {
        const auto& fault = faults[i];
        const auto next = i + 1 < faults.size() ? faults[i + 1].at : steps;
        const auto middle = (fault.at + next) / 2;
        world.gate.open_to(fault.at);
        world.gate.await(fault.at);
        auto open = std::min(fault.at + world.clients.size(), steps);
        world.gate.open_to(open);
        auto struck = std::async(std::launch::async, [&] { world.faults.strike(fault); });
        const auto pace = (fault.hold + kMending) / (middle - fault.at + 1);
        while (struck.wait_for(pace) == std::future_status::timeout) {
            if (open < middle) world.gate.open_to(++open);
        }
        try {
            struck.get();
        } catch (const std::exception& error) {
            world.findings.breach(label + ": " + fault.kind
                                  + " could not be made or mended: " + error.what());
        }
    }
    world.gate.open_to(steps);
}

void work(World& world, Panel& panel, const plan::Round& round, const std::string& label)
{
    std::size_t steps = 0;
    for (const auto& each : round.clients) steps += each.size();
    world.gate.begin();
    std::atomic<bool> is_over{false};
    std::jthread reader{[&] { world.read_only(is_over, label); }};
    std::jthread stranger{[&] { world.be_a_stranger(is_over, label); }};
    std::jthread flood{[&] { world.be_a_flood(is_over, label); }};
    std::jthread provisioning{[&] { panel.work(is_over, label); }};
    std::jthread second_flood{[&] { world.be_a_flood(is_over, label); }};
    {
        std::vector<std::jthread> clients;
        for (auto& client : world.clients) {
            clients.emplace_back(
                [&] { world.take_steps(client, round.clients[client.index], label); });
        }
        strike_all(world, round.faults, steps, label);
    }
    is_over = true;
}

std::vector<std::string> kinds(const World& world, const std::string& only)
{
    const auto all = world.faults.kinds();
    if (only.empty()) return all;
    if (std::find(all.begin(), all.end(), only) != all.end()) return {only};
    std::string names;
    for (const auto& name : all) names += (names.empty() ? "" : ", ") + name;
    throw std::invalid_argument{"this stack has no fault " + only + ", but " + names};
}

// No worker may end by a fault of its own or report one.
void look_at_log(World& world, const stack::Log& log, std::size_t mark, const std::string& label)
{
    for (const auto& line : log.lines_since(mark)) {
        for (const char* word :
             {"error fault ", "fatal ", "cause=SIGSEGV", "cause=SIGABRT", "cause=SIGBUS"}) {
            if (line.find(word) != std::string::npos)
                world.findings.breach(label + ": the log has " + line);
        }
    }
}

}  // namespace

std::string text(const std::map<std::string, std::size_t>& counts)
{
    std::string text;
    for (const auto& [name, count] : counts)
        text += (text.empty() ? "" : ", ") + name + ": " + std::to_string(count);
    return text;
}

Outcome run(stack::Stack& stack, const faults::Disk* disk, const Options& options,
            std::ostream& progress)
{
    World world{stack, disk, options.extent.clients};
    Panel panel{world};
    auto extent = options.extent;
    extent.kinds = kinds(world, options.only);
    extent.has_mail = stack.has_setting("SMTP_PORT");
    std::vector<plan::Place> places;
    for (const auto& client : world.clients) places.push_back(client.place);

    Outcome outcome;
    const auto log = stack.log();
    for (std::size_t i = 0; i < options.rounds && outcome.breaches.empty(); ++i) {
        const auto begin = Clock::now();
        const auto mark = log.mark();
        const auto label = "seed " + std::to_string(options.seed) + ", round " + std::to_string(i);
        const auto round = plan::round(options.seed, i, extent, places);
        plan::Random random{options.seed + i};
        Doubts doubts;
        try {
            work(world, panel, round, label);
            come_to_rest(world, label);
            doubts = compare(world, label, random);
            panel.compare();
            look_at_log(world, log, mark, label);
            if (i + 1 == options.rounds) check(world);
        } catch (const std::exception& error) {
            world.findings.breach(label + ": " + error.what());
        }
        std::map<std::string, std::size_t> faults;
        for (const auto& fault : round.faults) ++faults[fault.kind];
        const auto requests = world.findings.take_counts();
        for (const auto& [name, count] : faults) outcome.faults[name] += count;
        for (const auto& [name, count] : requests) outcome.requests[name] += count;
        outcome.in_doubt += doubts.all;
        outcome.carried_out += doubts.carried_out;
        outcome.breaches = world.findings.breaches();
        progress << "round " << i << ": " << text(requests) << "; " << text(faults)
                 << "; in doubt: " << doubts.all << ", carried out: " << doubts.carried_out
                 << "; breaches: " << outcome.breaches.size() << "; " << std::fixed
                 << std::setprecision(1)
                 << std::chrono::duration<double>(Clock::now() - begin).count() << " s"
                 << std::endl;
    }
    return outcome;
}

}  // namespace torture
