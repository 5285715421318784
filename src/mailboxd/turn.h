// turn.h - how the hashing that a change needs takes turns with that of other changes.
//
// A handler asks for its turn before each hash. The worker's Turn may end the request there by
// throwing: nothing has been changed by then, because a transaction begins only after the last
// hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace turn {

// Others come first. The same request is served again later, with the hashes that were made so far.
struct Paused {};
// nginx has closed the connection, so nobody would learn of an answer.
struct Abandoned {};

class Turn {
public:
    virtual ~Turn() = default;

    // The request was found to be of this account, which its work is charged to.
    virtual void belongs_to(std::int64_t account_id) = 0;

    // Hashes that were made before a pause, in the request's order.
    virtual const std::vector<std::string>& hashes() const = 0;

    // Returns when the next hash may be made, of which `left` are missing. Throws Paused,
    // Abandoned, or http::Error 503 if they cannot be made in time.
    virtual void wait_for_hash(std::size_t left) = 0;
    virtual void add(std::string hash) = 0;

    // No more hashes follow, so others may have the processor.
    virtual void is_hashed() = 0;
};

// The turn of a request that nobody else waits behind.
class Alone final : public Turn {
public:
    void belongs_to(std::int64_t) override {}
    const std::vector<std::string>& hashes() const override { return hashes_; }
    void wait_for_hash(std::size_t) override {}
    void add(std::string hash) override { hashes_.push_back(std::move(hash)); }
    void is_hashed() override {}

private:
    std::vector<std::string> hashes_;
};

}  // namespace turn
