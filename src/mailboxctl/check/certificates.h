// certificates.h - the certificates that the servers of `tls_urls` show.
#pragma once

#include "base/check_result.h"
#include "base/config.h"

namespace check {

// Connects to each URL as a client does. Wrong if a client would refuse the certificate or if it
// expires soon. Unknown if tls_urls is not set.
Result certificates(const Config& config);

}  // namespace check
