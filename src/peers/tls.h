// tls.h - the certificate that a server shows, judged as a client would.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tls {

struct Shown {
    std::string problem;          // why a client would refuse it; empty if it would not
    std::int64_t valid_from = 0;  // seconds since 1970
    std::int64_t valid_until = 0;
};

// Connects and sends only what TLS and the start of the protocol require. For a URL of a plain
// protocol (smtp, imap, pop3) it uses STARTTLS or STLS, which the server must offer. `ca_file` has
// the authorities to trust; empty: the system's.
Shown certificate(const std::string& url, const std::string& ca_file,
                  std::chrono::seconds deadline);

}  // namespace tls
