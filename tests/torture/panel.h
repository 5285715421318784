// panel.h - a control panel that provisions over HTTP while faults happen: it creates customers
// with a domain, a key and a mailbox, changes them and removes them again.
//
// It repeats each request with the same Idempotency-Key until it has an answer. So each creation
// must be answered 200 in the end, and be made once. A request that had no answer when the round
// ended may have been carried out or not, but only completely.

#pragma once

#include "torture/world.h"

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace torture {

class Panel {
public:
    explicit Panel(World& world);

    // Runs on a thread of its own until the round is over, for a limited number of customers.
    void work(const std::atomic<bool>& is_over, const std::string& label);
    // At the end of the round, when all parts answer: compares the answers with the tables, and
    // forgets the customers.
    void compare();

private:
    enum class State { absent, present, unknown };
    struct Customer {
        std::string account;
        std::string domain;
        std::string id{};  // of the account, as the API says it
        State account_state = State::absent;
        State domain_state = State::absent;
        std::string label;
    };
    enum class Outcome { done, untouched, unknown };

    Outcome repeat(const Customer& customer, const std::atomic<bool>& is_over,
                   const std::string& what, const std::string& method, const std::string& target,
                   const http::Fields& fields, std::string* answer = nullptr);
    void serve(Customer& customer, const std::atomic<bool>& is_over);

    World& world_;
    std::string key_;
    std::vector<Customer> customers_;
    std::size_t last_ = 0;
};

}  // namespace torture
