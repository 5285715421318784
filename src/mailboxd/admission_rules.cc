#include "mailboxd/admission_rules.h"

#include <string>

#include "base/ip_range.h"
#include "base/metrics.h"
#include "mailboxd/http.h"

namespace admission {
namespace {

using metrics::Event;

// The answer is the same for every reason.
[[noreturn]] void refuse_key(Event reason)
{
    metrics::count(reason);
    throw http::Error(401, "unauthorized", "Forbidden");
}

}  // namespace

void check_key(const std::optional<grants::Grant>& grant, std::string_view client)
{
    if (!grant) refuse_key(Event::key_unknown);
    if (grant->key_is_revoked) refuse_key(Event::key_revoked);
    if (grant->key_expires_at != 0 && grant->key_expires_at <= grant->now)
        refuse_key(Event::key_expired);
    if (!grant->key_addresses.empty() && !ip_range::is_in_ranges(client, grant->key_addresses))
        refuse_key(Event::key_address);
    // From here on the caller has a valid key.
    if (!grant->account_is_active) throw http::Error(403, "suspended", "The account is suspended.");
}

void check_scope(const grants::Grant& grant)
{
    if (!grant.key_is_read_only) return;
    metrics::count(Event::key_scope);
    throw http::Error(403, "read_only", "This key may only read.");
}

void check(const std::optional<grants::Grant>& grant, std::string_view client,
           std::string_view domain, Purpose purpose)
{
    check_key(grant, client);
    if (grant->domain_id == 0)
        throw http::Error(404, "domain_not_found", "Domain not found: " + std::string{domain});
    if (purpose == Purpose::read) return;
    check_scope(*grant);
    if (!grant->domain_is_active && !grant->key_is_of_operator)
        throw http::Error(403, "suspended",
                          "The domain is suspended: its mailboxes can be listed, not changed.");
}

}  // namespace admission
