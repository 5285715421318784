// tls.h - the certificate that a server shows whoever connects to it, judged as a client does.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tls {

struct Shown {
    std::string problem;          // why a client would not go on; empty: it would
    std::int64_t valid_from = 0;  // seconds since 1970
    std::int64_t valid_until = 0;
};

// Connects and says nothing but what TLS and the protocol's own beginning want. With a URL of a
// plain protocol (smtp, imap, pop3) by STARTTLS or STLS, which must be there. `ca_file` has the
// authorities to trust; empty: the system's.
Shown certificate(const std::string& url, const std::string& ca_file,
                  std::chrono::seconds deadline);

}  // namespace tls
