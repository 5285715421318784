// load.h - our own HTTP client, for what wrk and h2load cannot do: another request each time, and
// an open loop.
//
// Over connections that are kept, to loopback, in one thread. Throws std::runtime_error where
// nothing listens or an answer is no HTTP with a Content-Length.
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
    // Told the status when the answer is there; 0: none came.
    std::function<void(int status)> answered = {};
};

// The next request; nothing ends the run when the last answer is there.
using Next = std::function<std::optional<Request>()>;

struct Result {
    std::vector<double> milliseconds;  // of each answer that was a 200
    std::map<int, std::vector<double>>
        others;  // by their status, of those that were not; 0: no answer
    double seconds = 0;

    double rate() const { return static_cast<double>(milliseconds.size()) / seconds; }
    std::uint64_t errors() const;
    std::string described_errors() const;  // `3 times 503, 1 without an answer`
};

std::string get(const std::string& target, const std::string& key);
std::string with_form(const std::string& method, const std::string& target, const std::string& key,
                      const std::string& form);

// Each connection sends its next request when the answer to the last one is there.
Result closed_loop(int port, int connections, std::chrono::duration<double> duration,
                   const Next& next);

// The calling thread comes before the rest of this machine as long as this lives, so that its own
// waiting for a processor does not count as the service's. Without the right to that (sched(7))
// nothing changes.
class AheadOfAll {
public:
    AheadOfAll();
    ~AheadOfAll();
    AheadOfAll(const AheadOfAll&) = delete;
    AheadOfAll& operator=(const AheadOfAll&) = delete;
};

// Requests come at random times, so many a second on average, whatever the service does; each one's
// time counts from when it was due, not from when a connection was free for it.
Result open_loop(int port, double rate, std::chrono::duration<double> duration, const Next& next);

// One request after another over one connection, until there are no more: the time of each.
Result one_by_one(int port, const std::vector<std::string>& requests);

}  // namespace load
