// world.h - the participants of a torture run and their findings: accounts, domains and keys;
// clients that make changes and keep a journal, a client that only lists, and a stranger.

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

// The findings of all threads.
class Findings {
public:
    void breach(const std::string& sentence);
    void count(const std::string& outcome);  // the outcome of a request
    std::vector<std::string> breaches() const;
    std::map<std::string, std::size_t> take_counts();

private:
    mutable std::mutex one_at_a_time_;
    std::vector<std::string> breaches_;
    std::map<std::string, std::size_t> counts_;
};

// Limits the steps of the clients to a number that grows, so that faults happen while they work.
class Gate {
public:
    void begin();                     // closes the gate and resets the number of steps
    void open_to(std::size_t steps);  // allows this many steps in all
    void pass();                      // waits until a step is allowed, and counts it
    void await(std::size_t steps);    // waits until this many steps were taken

private:
    std::mutex one_at_a_time_;
    std::condition_variable changed_;
    std::size_t limit_ = 0;
    std::size_t taken_ = 0;
};

struct Client {
    std::size_t index;  // among all clients
    plan::Place place;
    std::string domain;
    std::string key;
    std::string key_id;
    journal::Journal journal;
};

struct Domain {
    std::string name;
    std::set<std::string> names{};    // all names that clients use there
    std::set<std::string> key_ids{};  // of the keys that may change mailboxes there
    std::unique_ptr<journal::Contest> contest = std::make_unique<journal::Contest>();
};

// An answer, and what it says about a change.
struct Asked {
    http::Answer answer;
    journal::Meaning meaning;
    std::string said;  // for messages: "409 mailbox_exists: …", "no answer"
};

struct World {
    World(stack::Stack& its_stack, const faults::Disk* disk, std::size_t clients_wanted);

    Asked ask(const std::string& key, const std::string& method, const std::string& target,
              const http::Body& body = {}, const http::Fields& headers = {});
    // Lists a domain and checks the answer's form; empty if there was no answer.
    std::optional<std::set<std::string>> list(const std::string& key, const Domain& domain,
                                              bool as_credentials, const std::string& label);
    Domain& domain(const std::string& name);

    // Each of these runs on a thread of its own.
    void take_steps(Client& client, const std::vector<plan::Step>& steps, const std::string& label);
    void read_only(const std::atomic<bool>& is_over, const std::string& label);
    void be_a_stranger(const std::atomic<bool>& is_over, const std::string& label);
    // Another account sends batches of 100 mailboxes without pause, up to a maximum number.
    void be_a_flood(const std::atomic<bool>& is_over, const std::string& label);

    // Checks that each batch was created completely or not at all, in agreement with its answer.
    // Forgets the batches.
    void compare_batches();

    stack::Stack& stack;
    std::vector<Domain> domains;
    std::vector<Client> clients;
    faults::Faults faults;
    Findings findings;
    Gate gate;
    std::atomic<bool> is_any_open{false};  // a change had no answer

private:
    Asked ask_for(const Client& client, const plan::Step& step);
    // Returns true if the stack could not do it.
    bool take_step(Client& client, const plan::Step& step, const std::string& label);
    bool send_mail(Client& client, const plan::Step& step, const std::string& label);

    story::Tenant first_;
    std::string reading_key_;
    story::Tenant stranger_;

    struct Batch {
        std::string prefix;  // of the batch's local parts
        journal::Meaning meaning;
        std::string label;
    };
    story::Tenant flood_;
    std::mutex one_at_a_time_;
    std::vector<Batch> batches_;
    std::size_t last_batch_ = 0;
};

}  // namespace torture
