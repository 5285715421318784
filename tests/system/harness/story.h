// story.h - what every story stands on: its own account, domain and key, calls
// with that key, and the checks that hold for every answer and after every story.
//
// Each answer that passes through call() is checked for what the contract says
// of every answer: exact Content-Type, Content-Length, X-Request-Id,
// Cache-Control, compact JSON with one newline. After each story the counters
// of all domains equal their rows, and the service has logged no error.

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

// Names the row of the contract (a line of tests/contract.txt) that a story shows:
// BOOST_FIXTURE_TEST_CASE(name, Story, *shows("answers: GET"))
// The label keeps no copy of its text, so that has to be a literal.
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

    std::string mailboxes(std::string_view prefix = "") const;  // the path of the collection
    std::string mailbox(std::string_view name, std::string_view prefix = "") const;
    std::string address(std::string_view name) const;
};

bool has(const std::string& text, const std::string& part);

// mailboxctl refused with a sentence that has these words: on stderr, for people, nothing on
// stdout.
boost::test_tools::assertion_result is_sentence(const process::Ended& ended, int exit,
                                                const std::vector<std::string>& words = {});

// Does the stored hash belong to this password? By libsodium, not by our code.
bool is_hash_of(const std::string& stored, const std::string& password);
// A row's text, with {domain} and {auth} (the header lines of a whole request) filled in.
std::string fill(std::string text, const Tenant& tenant);
std::string unique(std::string_view prefix);    // a name that no other story uses
http::Body hundred(const std::string& prefix);  // mailboxes to create, as many as a request may

// One of "account", "domain", "key" add as an operator would do it; stdout without its newline.
std::string add_key(const stack::Stack& stack, const process::Arguments& arguments);
Tenant add_tenant(const stack::Stack& stack);
Tenant add_neighbour(const stack::Stack& stack,
                     const Tenant& tenant);  // another domain of the same account
// A sentence for each counter of a domain, or of a range of one, that is not the number of its
// rows.
std::vector<std::string> wrong_counters(const stack::Stack& stack);

// The stack's own configuration file with these settings, in place of its own or added.
using Settings = std::vector<std::pair<std::string, std::string>>;
std::string configuration(const stack::Stack& stack, const Settings& settings);

struct Story {
    explicit Story(stack::Stack& its_stack = stack::shared());
    void teardown();
    void check_counters() const;
    void show_log_of_failure() const;

    Tenant tenant();
    Tenant neighbour(const Tenant& tenant);  // another domain of the same account, and its key

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
    std::string snapshot() const;  // of all tables: equal to another one if nothing was changed

    stack::Stack& stack;
    stack::Log log;
    std::size_t log_begin;
    std::vector<Tenant> tenants;
};

// A story that breaks the house, of which the service may complain. It begins with a whole one, and
// leaves one behind: what has ended is started again, on the same data.
struct Breaking : Story {
    static constexpr std::size_t kWorkers = 5;  // two in each pool, and one more for changes

    Breaking();
    void teardown();

    // A change on a connection and a thread of its own, to be held in the middle.
    std::future<http::Answer> start_change(const Tenant& tenant, const std::string& name) const;

    // Changes the settings of the service, which has to be told. The next start of the
    // stack writes its own again.
    void configure(const Settings& settings) const;
    void reconfigure(const Settings& settings)
        const;  // and reloads it: all workers have them, and serve, when it returns

    // Holds every change in the tenant's domain until released.
    class Hold {
    public:
        Hold(const Breaking& story, const Tenant& tenant);
        void await(int waiting) const;  // until so many changes wait
        void release();

    private:
        const stack::Stack& stack_;
        stack::DatabaseConnection database_;
    };
};

}  // namespace story
