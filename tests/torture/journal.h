// journal.h - what clients may rely on: they record the answers, and compare them with what is
// found later.
//
// Journal: for names that one client alone uses. It knows their exact state, except after an answer
// that leaves it open. Such a name is not used again until the end of the round, when the state
// that is found settles it. Contest: for names that several clients use at once, where only sums
// are known. Both return a violation as a sentence; empty if there is none.

#pragma once

#include "torture/plan.h"

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace journal {

// What an answer says about a change.
enum class Meaning {
    done,
    exists,     // not made, because the mailbox exists
    absent,     // not made, because there is no such mailbox
    untouched,  // not made, because it was not possible
    unknown,    // made, not made, or still to be made
    wrong       // an answer that is not allowed
};
Meaning meaning(int status, std::string_view code);

struct Counts {
    int created = 0;
    int changed = 0;
    int deleted = 0;
    bool operator==(const Counts&) const = default;
};
std::string text(const Counts& counts);

// Returns whether the mailbox that was found has this password. As an optional: whether there is a
// mailbox.
using HasPassword = std::function<bool(const std::string&)>;
using Found = std::optional<HasPassword>;

class Journal {
public:
    explicit Journal(const std::vector<std::string>& names);

    bool is_certain(const std::vector<std::string>& names) const;
    // Records the answer to the step `label`. A step is taken only if the state of all its names is
    // known. For a message the label is its subject.
    std::string note(const plan::Step& step, Meaning meaning, const std::string& label);
    std::string compare_with_list(const std::set<std::string>& listed) const;

    // At the end of a round: compares with what was found. Afterwards no name is in doubt.
    std::vector<std::string> settle(const std::map<std::string, Found>& found);
    std::size_t in_doubt() const;

    struct Record {
        std::optional<std::string> password{};  // empty: there is no such mailbox
        std::string former{};                   // the previous password; empty if there was none
        Counts done{};
        int generation = 0;                // 1, and 1 more for each change since the creation
        std::string label{};               // of the last step that was answered
        std::vector<std::string> mails{};  // accepted since the creation
        struct Doubt {
            std::string label;
            plan::Action action;
            std::optional<std::string> after;  // the state if the open change was made
        };
        std::optional<Doubt> doubt{};
        bool is_breached = false;  // a violation was found, so the state is unknown
    };
    const std::map<std::string, Record>& records() const { return records_; }

private:
    static void carry_out(Record& record, plan::Action action, std::optional<std::string> after);

    std::map<std::string, Record> records_;
};

class Contest {
public:
    void note(std::size_t client, const plan::Step& step, Meaning meaning);
    // `counted` is the audit log's numbers since the beginning.
    std::string settle(const std::string& name, const Counts& counted, const Found& found);

private:
    struct Record {
        Counts done{};
        Counts unknown{};
        std::map<std::size_t, std::string> last{};  // the last acknowledged password of each client
        std::set<std::string> doubtful{};           // passwords of changes without an answer
    };
    // the client number for a password that was found to be set
    static constexpr std::size_t kSettled = 1000;

    std::mutex one_at_a_time_;
    std::map<std::string, Record> records_;
};

}  // namespace journal
