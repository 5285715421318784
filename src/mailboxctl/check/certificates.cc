#include "mailboxctl/check/certificates.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

#include "db/accounts.h"
#include "peers/tls.h"

namespace check {
namespace {

// Returns the seconds that a certificate must still be valid for: two weeks, or a sixth of its
// lifetime if that is less.
std::int64_t least_left(const tls::Shown& shown)
{
    constexpr auto kTwoWeeks = std::chrono::seconds{std::chrono::days{14}}.count();
    return std::min(kTwoWeeks, (shown.valid_until - shown.valid_from) / 6);
}

}  // namespace

Result certificates(const Config& config)
{
    if (config.tls_urls.empty()) return unknown("skipped: the setting tls_urls is missing");
    for (const auto& url : config.tls_urls) {
        const auto shown = tls::certificate(url, config.tls_ca_file, std::chrono::seconds{5});
        if (!shown.problem.empty()) return wrong(url + ": " + shown.problem);
        if (shown.valid_until - std::time(nullptr) < least_left(shown)) {
            return wrong(url + " shows a certificate that expires at "
                         + admin::time_text(shown.valid_until)
                         + ": check why it was not renewed, or reload the server that shows it");
        }
    }
    return ok();
}

}  // namespace check
