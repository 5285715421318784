// idempotency.h - the answers of requests that a client may repeat (Idempotency-Key), for a day.
//
// The answer is written in the transaction of the change. So it is there exactly if the change was
// made, and of two equal requests at the same time the second waits for the first. Throws
// db::Error.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/connection.h"

namespace idempotency {

// Another transaction has claimed the same name, and was committed.
struct Claimed {};

// A request that may be repeated: who sent it, the name that the client gave it, and what it asks.
struct Claim {
    std::string key_id;
    std::string name;
    std::string request;  // hexadecimal, 64 characters; equal for equal requests
};

struct Kept {
    std::string request;
    std::string answer;
};

// Returns what is kept under the name; empty if nothing is, or if it is older than a day.
std::optional<Kept> find(db::Connection& connection, const Claim& claim);

// The first step of the change's transaction. Throws Claimed.
void claim(db::Connection& connection, const Claim& claim);
// The last step.
void keep(db::Connection& connection, const Claim& claim, std::string_view answer);

}  // namespace idempotency
