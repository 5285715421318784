// journal.h - what somebody may rely on who asks for mailboxes and keeps what was answered.
//
// Journal: of names that one client has for itself, so that all about them is known exactly, but
// for those whose last answer left it open; these are left alone until all is at rest, and are then
// settled by what is there. Contest: of names that several want at once, where only sums are known.
// Both tell a breach of the promise as a sentence; empty: none.

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

// What an answer says of a change.
enum class Meaning {
    done,
    exists,     // not carried out, since there is such a mailbox
    absent,     // or none
    untouched,  // not carried out, since it could not be
    unknown,    // carried out or not, or still to be
    wrong       // nothing that may be answered
};
Meaning meaning(int status, std::string_view code);

struct Counts {
    int created = 0;
    int changed = 0;
    int deleted = 0;
    bool operator==(const Counts&) const = default;
};
std::string text(const Counts& counts);

// Whether the mailbox that is there has this password; as an optional: whether there is one.
using HasPassword = std::function<bool(const std::string&)>;
using Found = std::optional<HasPassword>;

class Journal {
public:
    explicit Journal(const std::vector<std::string>& names);

    bool is_certain(const std::vector<std::string>& names) const;
    // What the answer to the step that is called `label` says, which was taken only where all its
    // names were certain. Of a message the label is its subject.
    std::string note(const plan::Step& step, Meaning meaning, const std::string& label);
    std::string compare_with_list(const std::set<std::string>& listed) const;

    // At rest. What was in doubt is certain then.
    std::vector<std::string> settle(const std::map<std::string, Found>& found);
    std::size_t in_doubt() const;

    struct Record {
        std::optional<std::string> password{};  // nothing: there is no such mailbox
        std::string former{};                   // the one before; empty: none
        Counts done{};
        int generation = 0;                // 1, and 1 more for each change in this life
        std::string label{};               // of the step that was last answered
        std::vector<std::string> mails{};  // accepted in this life
        struct Doubt {
            std::string label;
            plan::Action action;
            std::optional<std::string> after;  // how it is if it was carried out
        };
        std::optional<Doubt> doubt{};
        bool is_breached = false;  // nobody knows any more how it should be
    };
    const std::map<std::string, Record>& records() const { return records_; }

private:
    static void carry_out(Record& record, plan::Action action, std::optional<std::string> after);

    std::map<std::string, Record> records_;
};

class Contest {
public:
    void note(std::size_t client, const plan::Step& step, Meaning meaning);
    // `counted`: by the audit log, since the beginning.
    std::string settle(const std::string& name, const Counts& counted, const Found& found);

private:
    struct Record {
        Counts done{};
        Counts unknown{};
        std::map<std::size_t, std::string> last{};  // password that each client was told to be set
        std::set<std::string> doubtful{};           // passwords of which nobody was told
    };
    static constexpr std::size_t kSettled = 1000;  // whose password was found to be set

    std::mutex one_at_a_time_;
    std::map<std::string, Record> records_;
};

}  // namespace journal
