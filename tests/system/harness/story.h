// story.h - the fixtures of the stories: an account, a domain and a key of their own, calls with
// that key, and checks after every answer and every story.
//
// call() checks the contract's rules for every answer: exact Content-Type, Content-Length,
// X-Request-Id, Cache-Control, compact JSON with one newline. After each story the counters of all
// domains must equal the numbers of their rows, and the service must not have logged an error.

#pragma once

#include "system/harness/answers.h"
#include "system/harness/http.h"
#include "system/harness/stack.h"

#include <future>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/test/tree/decorator.hpp>

namespace story {

// Names the rule (a line of tests/contract.txt) that a story shows:
//
//   BOOST_FIXTURE_TEST_CASE(name, Story, *shows("answers: GET"))
//
// The argument must be a literal, because the label does not copy it.
template <std::size_t Size>
boost::unit_test::label shows(const char (&row)[Size])
{
    return boost::unit_test::label{row};
}

inline constexpr char kPassword[] = "correct horse battery";

struct Tenant {
    std::string account;
    std::string domain;
    std::string key;

    std::string mailboxes(std::string_view prefix = "") const;  // the collection's path
    std::string mailbox(std::string_view name, std::string_view prefix = "") const;
    std::string address(std::string_view name) const;
};

bool has(const std::string& text, const std::string& part);

// True if mailboxctl ended with this status, printed nothing to stdout, and printed a message with
// all of these words to stderr.
boost::test_tools::assertion_result is_sentence(const process::Ended& ended, int exit,
                                                const std::vector<std::string>& words = {});

// True if the stored hash belongs to this password. Asks libsodium, not our code.
bool is_hash_of(const std::string& stored, const std::string& password);
// Replaces {domain} by the tenant's domain and {auth} by the header lines that carry its key.
std::string fill(std::string text, const Tenant& tenant);
std::string unique(std::string_view prefix);  // returns a name that no other story uses
// to create 100 mailboxes, the most that a request may
http::Body hundred(const std::string& prefix);

// Runs "account add", "domain add" or "key add" as an operator would. Returns stdout without its
// newline.
std::string add_key(const stack::Stack& stack, const process::Arguments& arguments);
Tenant add_tenant(const stack::Stack& stack);
// Adds another domain to the tenant's account, with a key.
Tenant add_neighbour(const stack::Stack& stack, const Tenant& tenant);
// Returns a message for each counter, of a domain or of a range of ids, that differs from the
// number of its rows.
std::vector<std::string> wrong_counters(const stack::Stack& stack);

// Returns the stack's configuration file with these settings replaced or added.
using Settings = std::vector<std::pair<std::string, std::string>>;
std::string configuration(const stack::Stack& stack, const Settings& settings);

struct Story {
    explicit Story(stack::Stack& its_stack = stack::shared());
    void teardown();
    void check_counters() const;
    void show_log_of_failure() const;

    Tenant tenant();
    Tenant neighbour(const Tenant& tenant);  // another domain of the same account, with its key

    http::Answer call(const std::string& key, const std::string& method, const std::string& target,
                      const http::Body& body = {}, const http::Fields& headers = {}) const;
    http::Answer send(const http::Request& request) const;
    http::Answer send_bytes(std::string_view bytes) const;

    http::Answer create(const Tenant& tenant, const std::string& name,
                        const std::string& password = kPassword) const;
    http::Answer list(const Tenant& tenant, const std::string& query = "") const;
    http::Answer change(const Tenant& tenant, const std::string& name,
                        const std::string& password) const;
    http::Answer remove(const Tenant& tenant, const std::string& name) const;

    std::string stored_password(const Tenant& tenant, const std::string& name) const;
    std::string snapshot() const;  // a checksum of all tables, to see that nothing was changed

    stack::Stack& stack;
    stack::Log log;
    std::size_t log_begin;
    std::vector<Tenant> tenants;
};

// For stories that break parts of the stack, so that the service may log errors. Each begins with a
// working stack. Afterwards the programs that ended are started again, on the same data.
struct Breaking : Story {
    static constexpr std::size_t kWorkers = 5;  // two in each pool, and one more for changes

    Breaking();
    void teardown();

    // Starts a change on a connection and a thread of its own.
    std::future<http::Answer> start_change(const Tenant& tenant, const std::string& name) const;

    // Writes these settings to the service's configuration file; the service reads it on a reload.
    // The next start of the stack restores the file.
    void configure(const Settings& settings) const;
    // Writes the settings and reloads. Returns when all workers have them and accept requests.
    void reconfigure(const Settings& settings) const;

    // Blocks every change in the tenant's domain until it is released.
    class Hold {
    public:
        Hold(const Breaking& story, const Tenant& tenant);
        void await(int waiting) const;  // waits until that many changes wait
        void release();

    private:
        const stack::Stack& stack_;
        stack::DatabaseConnection database_;
    };
};

}  // namespace story
