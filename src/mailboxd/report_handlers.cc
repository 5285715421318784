#include "mailboxd/report_handlers.h"

#include <cstdint>
#include <limits>
#include <string>

#include "base/strings.h"
#include "db/audit.h"
#include "db/session.h"
#include "db/usage.h"
#include "mail/unicode.h"
#include "mailboxd/admission.h"
#include "mailboxd/fields.h"
#include "mailboxd/provisioning_answers.h"

namespace handlers {
namespace {

using admission::Purpose;
using api::Exchange;
using http::Error;
using http::Response;

// Everything that is looked for here is ASCII in the tables.
std::string text(const http::Fields& fields, std::string_view name)
{
    const auto* given = fields::only(fields, name);
    if (given == nullptr) return {};
    if (!unicode::is_ascii(given->text())) {
        throw Error(400, "bad_parameter",
                    "'" + std::string{name}
                        + "' parameter must be in ASCII; write a domain with xn--");
    }
    return std::string{given->text()};
}

}  // namespace

Response show_usage(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::read);
    const auto given = fields::of_list(exchange.request);
    const auto by = text(given, "by");
    if (!by.empty() && by != "account" && by != "domain")
        throw Error(400, "bad_parameter", "'by' parameter must be account or domain");
    const auto page = fields::page(given, exchange.config);
    const store::Whose whose{.account_id = caller.account_id,
                             .domain_id = caller.grant.key_domain_id};
    const auto found = db::reading(exchange.store.session(), [&](db::Connection& connection) {
        return by == "domain" ? usage::by_domain(connection, whose, page)
                              : usage::by_account(connection, whose, page);
    });
    return {.body = answers::usage(found)};
}

Response show_audit(const Exchange& exchange)
{
    const auto caller = admission::admit_to_account(exchange, Purpose::read);
    const auto given = fields::of_list(exchange.request);
    audit::Selection selection{.account_id = caller.account_id,
                               .domain_id = caller.grant.key_domain_id,
                               .domain = text(given, "domain"),
                               .what = {},
                               .actor = text(given, "key")};
    if (const auto address = text(given, "address"); !address.empty()) {
        const auto at = address.rfind('@');
        if (at == std::string::npos || at == 0)
            throw Error(400, "bad_parameter", "'address' parameter must be an address");
        selection.what = strings::lower_case(address.substr(0, at));
        selection.domain = address.substr(at + 1);
    }
    if (!selection.domain.empty()) {
        const auto domain = mailbox::Domain::parse(selection.domain);
        if (!domain) throw Error(400, "bad_parameter", "'domain' parameter must be a domain name");
        selection.domain = domain->name();
    }
    if (const auto since = text(given, "since"); !since.empty()) {
        constexpr std::uint64_t kMicroseconds = 1'000'000;
        const auto seconds =
            strings::whole_number(since, std::numeric_limits<std::int64_t>::max() / kMicroseconds);
        if (!seconds) {
            throw Error(400, "bad_parameter",
                        "'since' parameter must be a number of seconds since 1970");
        }
        selection.since = static_cast<std::int64_t>(*seconds * kMicroseconds);
    }
    selection.limit = fields::page(given, exchange.config).limit;
    const auto entries = db::reading(exchange.store.session(), [&](db::Connection& connection) {
        return audit::selected(connection, selection);
    });
    return {.body = answers::audit(entries)};
}

}  // namespace handlers
