// turn.h - how a change takes turns with other changes to hash passwords.
//
// A handler waits for its turn before each hash. The worker's Turn may end the request there by
// throwing. Nothing has been changed by then, because the transaction begins after the last hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace turn {

// Thrown when other changes come first. The same request is served again later, with the hashes
// that were made so far.
struct Paused {};
// Thrown when nginx has closed the connection, so that no one would receive an answer.
struct Abandoned {};

class Turn {
public:
    virtual ~Turn() = default;

    // Sets the account that the request's work is charged to.
    virtual void set_account(std::int64_t account_id) = 0;

    // Returns the hashes that have been made, in the request's order, including those from before a
    // pause.
    virtual const std::vector<std::string>& hashes() const = 0;

    // Returns when the next hash may be made. `left` is the number of hashes still to be made.
    // Throws Paused, Abandoned, or http::Error 503 if they cannot be made in time.
    virtual void wait_for_hash(std::size_t left) = 0;
    // Adds a hash that was just made.
    virtual void add(std::string hash) = 0;

    // Notes that no more hashes follow, so that another change may use the processor.
    virtual void end_hashing() = 0;
};

// The turn of a request that keeps no other waiting: it never pauses.
class Alone final : public Turn {
public:
    void set_account(std::int64_t) override {}
    const std::vector<std::string>& hashes() const override { return hashes_; }
    void wait_for_hash(std::size_t) override {}
    void add(std::string hash) override { hashes_.push_back(std::move(hash)); }
    void end_hashing() override {}

private:
    std::vector<std::string> hashes_;
};

}  // namespace turn
