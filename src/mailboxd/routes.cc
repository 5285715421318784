#include "mailboxd/routes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "mailboxd/http.h"

namespace routes {
namespace {

using In = Method::In;
using mailbox::As;
using Versions = std::vector<std::string_view>;

std::string allow_header_of(const std::vector<Method>& methods)
{
    std::string names;
    for (const auto& method : methods) {
        if (method.allowed_in == In::some_domains) continue;
        names += (names.empty() ? "" : ", ") + std::string{method.name};
        if (method.name == "GET") names += ", HEAD";
    }
    return "Allow: " + names;
}

Path row(std::string_view pattern, Versions versions, As as, std::vector<Method> methods)
{
    auto allow = allow_header_of(methods);
    return {pattern, std::move(versions), as, std::move(methods), std::move(allow)};
}

// The original's base was /v2 and later /v3. Its clients request domains under /v4 too.
const Versions kOfMailboxes{"v2", "v3"};
const Versions kOfDomains{"v2", "v3", "v4"};
const Versions kNone;  // the version is part of the pattern

// What a request's segments say if they fit a pattern.
struct Fit {
    std::string domain;
    std::string item;
    bool has_trailing_slash = false;
};

using Segments = std::vector<std::string>;

// Returns empty if the segments from `begin` on do not fit. A pattern that ends with a fixed word
// is a collection, and a slash after a collection changes nothing.
std::optional<Fit> fit(std::string_view pattern, Segments::const_iterator begin,
                       Segments::const_iterator end)
{
    Fit fit;
    auto segment = begin;
    bool is_collection = false;
    while (!pattern.empty()) {
        pattern.remove_prefix(1);  // the slash
        const auto part = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(part.size());
        is_collection = part.front() != '<';
        if (segment == end || segment->empty() || (is_collection && part != *segment))
            return std::nullopt;
        if (part == "<domain>") fit.domain = *segment;
        else if (!is_collection) fit.item = *segment;
        ++segment;
    }
    fit.has_trailing_slash = is_collection && end - segment == 1 && segment->empty();
    if (segment != end && !fit.has_trailing_slash) return std::nullopt;
    return fit;
}

// A path of two segments is tried without a version too: /v3/mailboxes lists a domain named "v3".
std::optional<Fit> fit(const Path& path, const Segments& segments)
{
    const auto& versions = path.versions;
    const bool has_version =
        !segments.empty()
        && std::find(versions.begin(), versions.end(), segments.front()) != versions.end();
    if (has_version) {
        if (auto found = fit(path.pattern, segments.begin() + 1, segments.end())) return found;
        if (segments.size() != 2) return std::nullopt;
    }
    return fit(path.pattern, segments.begin(), segments.end());
}

}  // namespace

// /domains/mailboxes is the list of a domain named "domains", because its row comes first.
const std::vector<Path>& all()
{
    static const std::vector<Path> paths{
        row("/<domain>/mailboxes", kOfMailboxes, As::mailbox,
            {{"GET", Operation::list_mailboxes}, {"POST", Operation::create_mailboxes}}),
        row("/<domain>/mailboxes/<mailbox>", kOfMailboxes, As::mailbox,
            {{"GET", Operation::show_mailbox},
             {"PUT", Operation::change_mailbox},
             {"DELETE", Operation::delete_mailbox}}),
        row("/<domain>/deleted", kOfMailboxes, As::mailbox, {{"GET", Operation::list_deleted}}),
        row("/<domain>/deleted/<id>/restore", kOfMailboxes, As::mailbox,
            {{"POST", Operation::restore_mailbox}}),
        row("/domains/<domain>/credentials", kOfDomains, As::credentials,
            {{"GET", Operation::list_mailboxes},
             {"POST", Operation::create_mailboxes},
             {"DELETE", Operation::delete_all_mailboxes, In::some_domains}}),
        row("/domains/<domain>/credentials/<login>", kOfDomains, As::credentials,
            {{"PUT", Operation::change_mailbox}, {"DELETE", Operation::delete_mailbox}}),
        row("/domains", kOfDomains, As::credentials,
            {{"GET", Operation::list_domains}, {"POST", Operation::create_domain}}),
        row("/domains/<domain>", kOfDomains, As::credentials,
            {{"GET", Operation::show_domain},
             {"PUT", Operation::change_domain},
             {"DELETE", Operation::delete_domain}}),
        row("/domains/<domain>/verify", kOfDomains, As::credentials,
            {{"PUT", Operation::verify_domain}}),
        row("/domains/<domain>/tracking", kOfDomains, As::credentials,
            {{"GET", Operation::show_tracking}}),
        row("/v5/accounts/subaccounts", kNone, As::mailbox,
            {{"GET", Operation::list_accounts},
             {"POST", Operation::create_account},
             {"DELETE", Operation::delete_account}}),
        row("/v5/accounts/subaccounts/<id>", kNone, As::mailbox,
            {{"GET", Operation::show_account}, {"PUT", Operation::change_account}}),
        row("/v5/accounts/subaccounts/<id>/disable", kNone, As::mailbox,
            {{"POST", Operation::disable_account}}),
        row("/v5/accounts/subaccounts/<id>/enable", kNone, As::mailbox,
            {{"POST", Operation::enable_account}}),
        row("/v1/keys", kNone, As::mailbox,
            {{"GET", Operation::list_keys}, {"POST", Operation::create_key}}),
        row("/v1/keys/<id>", kNone, As::mailbox, {{"DELETE", Operation::delete_key}}),
        row("/v3/routes", kNone, As::mailbox,
            {{"GET", Operation::list_routes}, {"POST", Operation::create_route}}),
        row("/v3/routes/match", kNone, As::mailbox, {{"GET", Operation::match_route}}),
        row("/v3/routes/<id>", kNone, As::mailbox,
            {{"GET", Operation::show_route},
             {"PUT", Operation::change_route},
             {"DELETE", Operation::delete_route}}),
        row("/v1/usage", kNone, As::mailbox, {{"GET", Operation::show_usage}}),
        row("/v1/audit", kNone, As::mailbox, {{"GET", Operation::show_audit}}),
    };
    return paths;
}

Match find(const std::vector<std::string>& path, std::string_view method)
{
    const auto name = method == "HEAD" ? "GET" : method;
    for (const auto& candidate : all()) {
        auto found = fit(candidate, path);
        if (!found) continue;
        const auto& methods = candidate.methods;
        const auto at = std::find_if(methods.begin(), methods.end(),
                                     [&](const Method& each) { return each.name == name; });
        return {&candidate, at == methods.end() ? nullptr : &*at, std::move(found->domain),
                std::move(found->item), found->has_trailing_slash};
    }
    throw http::Error(404, "not_found", "Not found");
}

Operation operation_of(const Match& match)
{
    if (match.method == nullptr) refuse_method();
    return match.method->operation;
}

void refuse_method()
{
    throw http::Error(405, "method_not_allowed", "Method not allowed");
}

std::string_view allow_header(std::string_view pattern)
{
    for (const auto& path : all()) {
        if (path.pattern == pattern) return path.allow_header;
    }
    return {};
}

metrics::Operation counted_as(Operation operation)
{
    using Counted = metrics::Operation;
    switch (operation) {
    case Operation::list_mailboxes:
    case Operation::list_deleted: return Counted::list;
    case Operation::show_mailbox: return Counted::show;
    case Operation::create_mailboxes: return Counted::create;
    case Operation::change_mailbox: return Counted::change;
    case Operation::delete_mailbox: return Counted::remove;
    case Operation::delete_all_mailboxes: return Counted::empty;
    case Operation::restore_mailbox: return Counted::restore;
    case Operation::list_domains:
    case Operation::show_domain:
    case Operation::create_domain:
    case Operation::change_domain:
    case Operation::verify_domain:
    case Operation::delete_domain:
    case Operation::show_tracking: return Counted::domains;
    case Operation::list_accounts:
    case Operation::create_account:
    case Operation::delete_account:
    case Operation::show_account:
    case Operation::change_account:
    case Operation::disable_account:
    case Operation::enable_account: return Counted::accounts;
    case Operation::list_keys:
    case Operation::create_key:
    case Operation::delete_key: return Counted::keys;
    case Operation::list_routes:
    case Operation::create_route:
    case Operation::match_route:
    case Operation::show_route:
    case Operation::change_route:
    case Operation::delete_route: return Counted::routes;
    case Operation::show_usage: return Counted::usage;
    case Operation::show_audit: return Counted::audit;
    }
    return Counted::none;
}

}  // namespace routes
