// world.h - who takes part in a run of torture, and what they find: accounts, domains and keys,
// clients that change and keep a journal, one who may only list, and a stranger.

#pragma once

#include "torture/faults.h"
#include "torture/journal.h"
#include "torture/plan.h"

#include "system/harness/http.h"
#include "system/harness/stack.h"
#include "system/harness/story.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace torture {

// What was found, from all threads.
class Findings {
public:
    void breach(const std::string& sentence);
    void count(const std::string& outcome);  // of a request
    std::vector<std::string> breaches() const;
    std::map<std::string, std::size_t> take_counts();

private:
    mutable std::mutex one_at_a_time_;
    std::vector<std::string> breaches_;
    std::map<std::string, std::size_t> counts_;
};

// Lets clients take steps only up to a number that grows, so that faults find them at work.
class Gate {
public:
    void begin();                     // closed, and no step taken
    void open_to(std::size_t steps);  // no more steps may be taken than that
    void pass();                      // for a step: waits until it may be taken
    void await(std::size_t steps);    // until so many were taken

private:
    std::mutex one_at_a_time_;
    std::condition_variable changed_;
    std::size_t limit_ = 0;
    std::size_t taken_ = 0;
};

struct Client {
    std::size_t index;  // among all
    plan::Place place;
    std::string domain;
    std::string key;
    std::string key_id;
    journal::Journal journal;
};

struct Domain {
    std::string name;
    std::set<std::string> names{};    // the only ones that anybody asks for
    std::set<std::string> key_ids{};  // of those who may change something there
    std::unique_ptr<journal::Contest> contest = std::make_unique<journal::Contest>();
};

// An answer, and what it says of a change.
struct Asked {
    http::Answer answer;
    journal::Meaning meaning;
    std::string said;  // for people: "409 mailbox_exists: …", "no answer"
};

struct World {
    World(stack::Stack& its_stack, const faults::Disk* disk, std::size_t clients_wanted);

    Asked ask(const std::string& key, const std::string& method, const std::string& target,
              const http::Body& body = {});
    // A list, as it has to be whatever else is known; nothing where it was not answered.
    std::optional<std::set<std::string>> list(const std::string& key, const Domain& domain,
                                              bool as_credentials, const std::string& label);
    Domain& domain(const std::string& name);

    // Each on a thread of its own.
    void take_steps(Client& client, const std::vector<plan::Step>& steps, const std::string& label);
    void read_only(const std::atomic<bool>& is_over, const std::string& label);
    void be_a_stranger(const std::atomic<bool>& is_over, const std::string& label);
    // An account of its own sends batches of 100 mailboxes, one after another: as many as it can,
    // up to a number.
    void be_a_flood(const std::atomic<bool>& is_over, const std::string& label);

    // Whether each batch is there whole or not at all, as it was answered. Forgets them.
    void compare_batches();

    stack::Stack& stack;
    std::vector<Domain> domains;
    std::vector<Client> clients;
    faults::Faults faults;
    Findings findings;
    Gate gate;
    std::atomic<bool> is_any_open{false};  // a change that was not answered

private:
    Asked ask_for(const Client& client, const plan::Step& step);
    // Whether the stack could not do it.
    bool take_step(Client& client, const plan::Step& step, const std::string& label);
    bool send_mail(Client& client, const plan::Step& step, const std::string& label);

    story::Tenant first_;
    std::string reading_key_;
    story::Tenant stranger_;

    struct Batch {
        std::string prefix;  // of its local parts
        journal::Meaning meaning;
        std::string label;
    };
    story::Tenant flood_;
    std::mutex one_at_a_time_;
    std::vector<Batch> batches_;
    std::size_t last_batch_ = 0;
};

}  // namespace torture
