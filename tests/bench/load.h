// load.h - our own HTTP client, for what wrk and h2load cannot do: different requests, and an open
// loop.
//
// It uses persistent connections to loopback in one thread. Throws std::runtime_error if nothing
// listens, or if an answer is not HTTP with a Content-Length.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace load {

struct Request {
    std::string bytes;
    // Called with the answer's status; 0 if none came.
    std::function<void(int status)> answered = {};
};

// Returns the next request; empty ends the run after the last answer.
using Next = std::function<std::optional<Request>()>;

struct Result {
    std::vector<double> milliseconds;           // of each answer with status 200
    std::map<int, std::vector<double>> others;  // number of other answers by status; 0: no answer
    double seconds = 0;

    double rate() const { return static_cast<double>(milliseconds.size()) / seconds; }
    std::uint64_t errors() const;
    std::string described_errors() const;  // for example `3 times 503, 1 without an answer`
};

std::string get(const std::string& target, const std::string& key);
std::string with_form(const std::string& method, const std::string& target, const std::string& key,
                      const std::string& form);

// Each connection sends its next request when its last one is answered.
Result closed_loop(int port, int connections, std::chrono::duration<double> duration,
                   const Next& next);

// Gives the calling thread priority over all others while this object exists, so that its own
// waiting for a processor is not counted as the service's. Without the right to that (sched(7))
// nothing changes.
class AheadOfAll {
public:
    AheadOfAll();
    ~AheadOfAll();
    AheadOfAll(const AheadOfAll&) = delete;
    AheadOfAll& operator=(const AheadOfAll&) = delete;
};

// Sends requests at random times, at this average rate, whatever the service does. A request's time
// counts from when it was due, not from when a connection was free.
Result open_loop(int port, double rate, std::chrono::duration<double> duration, const Next& next);

// Sends the requests one after another over one connection. Returns the time of each.
Result one_by_one(int port, const std::vector<std::string>& requests);

}  // namespace load
