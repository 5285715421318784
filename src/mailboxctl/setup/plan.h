// plan.h - the list of what `mailboxctl setup` will do, in order, and what keeps it from doing it.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "mailboxctl/setup/journal.h"
#include "mailboxctl/setup/machine.h"
#include "mailboxctl/setup/options.h"

namespace setup {

enum class Kind { install, create, write, run, restart };
const char* name(Kind kind);

// The key and the password that a run has made, until they are shown; for root alone. With --json
// they stay there.
inline constexpr const char* kSecretsFile = "/etc/mailboxd/first-account";

// What the steps share while they are carried out.
struct Work {
    const Machine& machine;
    const Options& options;
    Journal& journal;
    std::vector<std::string> notes;    // for the end, one sentence each
    std::vector<std::string> secrets;  // shown once: lines "name: value"

    // Keeps a secret in a file until it is shown, because it cannot be read again from the
    // database. Call it before the change is committed.
    void keep(const std::string& line);
};

// A program has refused what setup has written. The sentence has the program's own words. Every
// file of this run is put back.
struct Rejected : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The order in which steps are carried out. Everything is written before the first program checks
// it, and everything is checked before the first daemon is reloaded.
enum class Phase { install, create, write, prepare, check, restart, finish };

struct Step {
    Phase phase = Phase::write;
    Kind kind = Kind::run;
    std::string part;
    std::string what;       // for example "the database mailboxd", a path, a unit or a command line
    std::string diff = {};  // of a file that exists already
    std::function<void(Work&)> carry_out;
};

// A file that setup writes.
struct ManagedFile {
    std::string path;
    std::string part;
    Access access;  // if it is new; a file that exists keeps its own
    // Whose file it is. `setup`: all of it is ours. `shared`: the operator's or the package's, with
    // some lines of ours; changes of both are merged.
    enum class Owner { setup, shared } owner = Owner::setup;
    // Returns the text that the file shall have, from what it was before the first run (empty if it
    // was not there). Called when the plan is made and again when it is carried out.
    std::function<std::string(const std::string& original)> text{};
    std::string link = {};          // not empty: a symbolic link that leads there, without a text
    bool comes_by_package = false;  // the package that will be installed brings it
    std::string unit = {};          // has to be reloaded after a change
};

struct Plan {
    std::vector<std::string> obstacles;  // sentences that say what to do; nothing is done then
    std::vector<std::string> notes;
    std::vector<Step> steps;
    bool is_empty() const { return steps.empty(); }
    // Adds a step whose whole text is `what`.
    void add(Phase phase, Kind kind, std::string_view part, std::string what,
             std::function<void(Work&)> carry_out);
};

// What shall become of a file.
struct Decision {
    enum class Verdict {
        same,     // nothing to do
        write,    // `after` is written
        left,     // the operator has edited it, and the new text differs: nothing is done
        foreign,  // it is there, and setup did not write it: an obstacle
    } verdict = Verdict::same;
    std::optional<std::string> before;  // the present text
    std::string after;                  // the text for the disk
    std::string target;                 // setup's own text, without the operator's changes
};
Decision decide(const Machine& machine, const Journal& journal, const ManagedFile& file,
                bool takes_new);

// Adds a step for the file if there is something to do, a note if the operator's text is left, or
// an obstacle. `secrets` are replaced in the diff. Returns true if it will be written.
bool add_file(Plan& plan, const Machine& machine, const Journal& journal, const Options& options,
              const ManagedFile& managed, const std::vector<std::string>& secrets);

// Puts the steps into the order in which they are carried out.
void sort(Plan& plan);

// Prints the plan for people; and as members of a JSON document.
void print(const Plan& plan, std::ostream& out);
json::Members as_json(const Plan& plan);

}  // namespace setup
