#include "torture/plan.h"

#include <algorithm>

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kOwnNames = 5;
constexpr std::size_t kMostAtOnce = 4;

// Each part of a plan has a seed of its own, so that a change in one part does not affect others.
std::uint64_t seed_of(std::uint64_t seed, std::size_t round, std::size_t part)
{
    std::seed_seq sequence{static_cast<std::uint32_t>(seed),
                           static_cast<std::uint32_t>(seed >> 32U),
                           static_cast<std::uint32_t>(round), static_cast<std::uint32_t>(part)};
    std::uint32_t words[2];
    sequence.generate(std::begin(words), std::end(words));
    return std::uint64_t{words[0]} << 32U | words[1];
}

Action action(Random& random, bool has_mail)
{
    const auto drawn = random.below(100);
    if (drawn < 36) return Action::create;
    if (drawn < 56) return Action::change;
    if (drawn < 78) return Action::remove;
    return has_mail && drawn < 84 ? Action::mail : Action::list;
}

Step step(Random& random, const Place& place, const Extent& extent, const std::string& password)
{
    static const auto contested = contested_names();
    const auto own = own_names(place.number);
    Step step{.action = action(random, extent.has_mail),
              .password = password,
              .as_credentials = random.is_one_in(3)};
    if (place.is_alone && step.action == Action::remove && random.is_one_in(2)) {
        step.action = Action::remove_all;
        step.names = own;
        return step;
    }
    step.is_contested = !place.is_alone && step.action != Action::mail
                        && step.action != Action::list && random.is_one_in(5);
    const auto& names = step.is_contested ? contested : own;
    const auto first = random.below(names.size());
    const bool is_for_several =
        step.action == Action::create && !step.is_contested && random.is_one_in(4);
    const auto count = is_for_several ? 2 + random.below(kMostAtOnce - 1) : 1;
    for (std::size_t i = 0; i < count; ++i) step.names.push_back(names[(first + i) % names.size()]);
    return step;
}

template <typename Item>
void shuffle(Random& random, std::vector<Item>& items)
{
    for (auto left = items.size(); left > 1; --left)
        std::swap(items[left - 1], items[random.below(left)]);
}

// Returns the kind of fault number `number` of the run. The kinds are dealt like cards and shuffled
// again after all were dealt.
std::string kind(std::uint64_t seed, std::size_t number, std::vector<std::string> kinds)
{
    Random random{seed_of(seed, number / kinds.size(), 999)};
    shuffle(random, kinds);
    return kinds[number % kinds.size()];
}

std::chrono::milliseconds hold(Random& random, const Extent& extent)
{
    const auto time = 20ms + random.below(extent.hold) * 1ms;
    return random.is_one_in(12) && extent.has_long_holds ? time * 10 : time;
}

std::vector<Fault> faults(std::uint64_t seed, std::size_t round, const Extent& extent)
{
    Random random{seed_of(seed, round, 998)};
    const auto steps = extent.clients * extent.steps;
    std::vector<Fault> all;
    for (std::size_t i = 0; i < extent.faults && !extent.kinds.empty(); ++i) {
        all.push_back(
            {.kind = kind(seed, round * extent.faults + i, extent.kinds),
             .at = steps * i / extent.faults + random.below(steps / extent.faults / 2 + 1),
             .hold = hold(random, extent),
             .victim = random.below(1000),
             .is_mended_at_once = !random.is_one_in(4)});
    }
    return all;
}

}  // namespace

std::vector<std::string> own_names(std::size_t client)
{
    std::vector<std::string> names;
    for (std::size_t i = 0; i < kOwnNames; ++i)
        names.push_back("c" + std::to_string(client) + "-" + std::to_string(i));
    return names;
}

std::vector<std::string> contested_names()
{
    return {"anybody", "everybody", "somebody"};
}

Round round(std::uint64_t seed, std::size_t number, const Extent& extent,
            const std::vector<Place>& places)
{
    Round round;
    for (std::size_t client = 0; client < extent.clients; ++client) {
        Random random{seed_of(seed, number, client)};
        std::vector<Step> steps;
        for (std::size_t i = 0; i < extent.steps; ++i) {
            steps.push_back(step(random, places.at(client), extent,
                                 "Pass " + std::to_string(number) + "/" + std::to_string(client)
                                     + "/" + std::to_string(i)));
        }
        round.clients.push_back(std::move(steps));
    }
    round.faults = faults(seed, number, extent);
    return round;
}

std::string password_of(const Step& step, std::size_t index)
{
    return step.password + (index == 0 ? "" : "+" + std::to_string(index));
}

std::string text(const Step& step)
{
    constexpr const char* kActions[] = {"create",     "change", "delete",
                                        "delete all", "list",   "mail to"};
    std::string text = kActions[static_cast<std::size_t>(step.action)];
    if (step.action == Action::list || step.action == Action::remove_all) return text;
    for (const auto& name : step.names) text += " " + name;
    return text
           + (step.action == Action::create || step.action == Action::change
                  ? " with '" + step.password + "'"
                  : "");
}

}  // namespace plan
