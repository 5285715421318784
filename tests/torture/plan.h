// plan.h - the plan of a torture run: which client sends which requests, and which faults happen.
// The seed determines it in advance: the same seed gives the same plan on the same kind of stack.
// The exact timing is up to the machine.

#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace plan {

// Returns the same numbers with every library, unlike std's distributions.
class Random {
public:
    explicit Random(std::uint64_t seed) : engine_{seed} {}
    std::size_t below(std::size_t count) { return static_cast<std::size_t>(engine_() % count); }
    bool is_one_in(std::size_t count) { return below(count) == 0; }

private:
    std::mt19937_64 engine_;
};

enum class Action { create, change, remove, remove_all, list, mail };

struct Step {
    Action action = Action::list;
    std::vector<std::string>
        names{};  // local parts; several for a POST of several, all possible ones for remove_all
    std::string password{};       // of the first; the others have one more digit
    bool as_credentials = false;  // which of the two APIs' paths is used
    bool is_contested = false;    // other clients use the name, too
};

struct Fault {
    std::string kind;
    std::size_t at = 0;                // after this many steps of all clients
    std::chrono::milliseconds hold{};  // how long it lasts at least
    std::size_t victim = 0;            // chooses one of several, modulo their number
    bool is_mended_at_once = true;     // otherwise at the end of the round
};

struct Round {
    std::vector<std::vector<Step>> clients;
    std::vector<Fault> faults;
};

struct Extent {
    std::size_t clients = 8;
    std::size_t steps = 60;  // of each client in a round
    std::size_t faults = 5;  // in a round
    // Kinds of faults. Each kind comes once before one comes again.
    std::vector<std::string> kinds{};
    bool has_mail = false;
    std::size_t hold = 1200;  // ms; how long a fault lasts at most
    // One fault in twelve lasts ten times as long: longer than any timeout of those that wait.
    bool has_long_holds = false;
};

// Local parts that only client number `client` of a domain uses, and those that all clients of a
// domain use.
std::vector<std::string> own_names(std::size_t client);
std::vector<std::string> contested_names();

// A client's number in its domain, because clients of different domains use the same names; and
// whether the client is alone in its domain, so that it may delete all mailboxes.
struct Place {
    std::size_t number = 0;
    bool is_alone = false;
};

// `places[i]` is the place of client i.
Round round(std::uint64_t seed, std::size_t number, const Extent& extent,
            const std::vector<Place>& places);

std::string password_of(const Step& step, std::size_t index);
std::string text(const Step& step);

}  // namespace plan
