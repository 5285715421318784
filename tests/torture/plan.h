// plan.h - what a run of torture does, decided by its seed before it begins: which client asks for
// what, and what breaks meanwhile. The same seed gives the same plan on the same kind of stack;
// when what happens within it is the machine's.

#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace plan {

// The same numbers with every library, which std's distributions are not.
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
        names{};  // local parts; several of them in one POST, all that there may be for remove_all
    std::string password{};       // of the first; the others have a digit more
    bool as_credentials = false;  // the path that it is asked for by
    bool is_contested = false;    // the name is not this client's alone
};

struct Fault {
    std::string kind;
    std::size_t at = 0;                // how many steps of all clients were taken before
    std::chrono::milliseconds hold{};  // how long it lasts, at least
    std::size_t victim = 0;            // which of several, modulo their number
    bool is_mended_at_once = true;     // and not at the round's end
};

struct Round {
    std::vector<std::vector<Step>> clients;
    std::vector<Fault> faults;
};

struct Extent {
    std::size_t clients = 8;
    std::size_t steps = 60;  // of each client in a round
    std::size_t faults = 5;  // in a round
    std::vector<std::string>
        kinds{};  // of faults; in turn, so that each comes before one comes again
    bool has_mail = false;
    std::size_t hold = 1200;  // ms that a fault lasts at most
    bool has_long_holds =
        false;  // one fault in twelve lasts ten times as long: longer than whoever waits for it
};

// Local parts that client number `client` of a domain has for itself, and those that all of a
// domain want.
std::vector<std::string> own_names(std::size_t client);
std::vector<std::string> contested_names();

// Where a client is: which number it has in its domain, since clients of different domains use the
// same names, and whether it has the domain for itself, to delete all that is in it.
struct Place {
    std::size_t number = 0;
    bool is_alone = false;
};

// `places[i]` is that of client i.
Round round(std::uint64_t seed, std::size_t number, const Extent& extent,
            const std::vector<Place>& places);

std::string password_of(const Step& step, std::size_t index);
std::string text(const Step& step);

}  // namespace plan
