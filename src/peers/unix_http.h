// unix_http.h - HTTP over a unix socket: what the service's own process answers there.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

namespace unix_http {

// No answer with status 200 came. The sentence names the socket and says why.
struct Failed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Returns the body of the answer to GET. Throws Failed, at the latest after `deadline`.
std::string get(const std::string& socket, const std::string& path,
                std::chrono::milliseconds deadline);

}  // namespace unix_http
