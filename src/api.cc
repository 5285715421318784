#include "api.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "auth.h"
#include "form.h"
#include "json.h"
#include "log.h"
#include "password.h"

namespace api {
namespace {

using http::Error;
using http::Fields;
using http::Response;
using mailbox::Address;
using mailbox::Domain;

constexpr std::size_t kMaxMailboxesAtOnce = 100;

// Everything a handler works with.
struct Exchange {
    const http::Request& request;
    const Config& config;
    store::Store& store;
    pages::Pages& pages;
    const auth::Key& key;
    const std::string& domain_text;         // as in the path
    const std::optional<Domain>& domain;    // nothing: no domain can have that name
    Trace& trace;
};

// --- who ------------------------------------------------------------------------------

// The grant of this key for the path's domain; throws 401, 403, 404. The log line says
// what the answer must not: whether the domain exists at all.
auth::Grant admitted(const Exchange& exchange, auth::Purpose purpose)
{
    const std::string_view name = exchange.domain ? std::string_view{exchange.domain->name()} : "";
    const auto grant = exchange.store.grant(exchange.key.id(), name);
    if (grant && grant->domain_id == 0) exchange.trace.detail = exchange.store.has_domain(name) ? "foreign-domain" : "unknown-domain";
    auth::admit(exchange.key, grant, exchange.request.client, exchange.domain_text, purpose);
    return *grant;
}

store::Actor actor(const Exchange& exchange)
{
    return {exchange.key.id(), exchange.request.client};
}

// --- which ----------------------------------------------------------------------------

const Secret* only(const Fields& fields, std::string_view name)
{
    const Secret* found = nullptr;
    for (const auto& [field, value] : fields) {
        if (field != name) continue;
        if (found != nullptr) {
            throw Error(400, "bad_parameter", "'" + std::string{name} + "' parameter is given more than once");
        }
        found = &value;
    }
    return found;
}

std::vector<std::string_view> all(const Fields& fields, std::string_view name)
{
    std::vector<std::string_view> values;
    for (const auto& [field, value] : fields) {
        if (field == name) values.push_back(value.text());
    }
    if (values.empty()) {
        throw Error(400, name == "mailbox" ? "mailbox_missing" : "password_missing",
                    "'" + std::string{name} + "' parameter is missing");
    }
    return values;
}

bool has(const Fields& fields, std::string_view name)
{
    return std::any_of(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
}

// Every proxy on the way logs URLs, so a password in one is refused.
Fields query_fields(const http::Request& request)
{
    Fields fields;
    http::parse_urlencoded(request.query, "query string", fields);
    if (has(fields, "password")) {
        throw Error(400, "password_in_url", "'password' parameter must be in the body: URLs are logged");
    }
    return fields;
}

// A mailbox's name in the query string does not count, but must not contradict the body.
Fields body_fields(const http::Request& request)
{
    const auto query = query_fields(request);
    auto fields = form::parse(request);
    if (has(query, "mailbox") && has(fields, "mailbox")) {
        throw Error(400, "bad_parameter", "'mailbox' parameter is given in the query string and in the body");
    }
    return fields;
}

std::int64_t number(const Fields& fields, std::string_view name, std::int64_t otherwise, std::int64_t greatest)
{
    const auto* given = only(fields, name);
    if (given == nullptr) return otherwise;
    const auto text = given->text();
    std::uint64_t value = 0;  // unsigned, so that -0 is no number
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > static_cast<std::uint64_t>(greatest)) {
        throw Error(400, name == "limit" ? "bad_limit" : "bad_skip",
                    "'" + std::string{name} + "' parameter must be a whole number from 0 to " + std::to_string(greatest));
    }
    return static_cast<std::int64_t>(value);
}

store::Page page_of(const http::Request& request, const Config& config)
{
    auto fields = query_fields(request);
    for (auto& field : form::parse(request)) fields.push_back(std::move(field));
    return {number(fields, "limit", std::min<std::int64_t>(100, config.max_limit), config.max_limit),
            number(fields, "skip", 0, std::numeric_limits<std::int64_t>::max())};
}

Address address_of(std::string_view text, const Domain& domain)
{
    try {
        return Address::parse(text, domain);
    } catch (const mailbox::Invalid& invalid) {
        throw Error(400, "bad_mailbox", invalid.what());
    }
}

void check_password(std::string_view text, const Address& owner, const Config& config)
{
    try {
        password::check(text, owner, config);
    } catch (const mailbox::Invalid& invalid) {
        throw Error(400, "bad_password", invalid.what());
    }
}

std::vector<store::NewMailbox> new_mailboxes(const Fields& fields, const Domain& domain, const Config& config)
{
    const auto names = all(fields, "mailbox");
    const auto passwords = all(fields, "password");
    if (names.size() != passwords.size()) {
        throw Error(400, "bad_parameter", "'mailbox' and 'password' parameters must be given equally often: "
                                              + std::to_string(names.size()) + " and " + std::to_string(passwords.size()));
    }
    if (names.size() > kMaxMailboxesAtOnce) {
        throw Error(400, "bad_parameter", "At most 100 mailboxes can be created in one request");
    }
    std::vector<store::NewMailbox> mailboxes;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto address = address_of(names[i], domain);
        check_password(passwords[i], address, config);
        if (!seen.insert(address.local_part()).second) {
            throw Error(400, "bad_parameter", "'mailbox' parameter names " + address.text() + " twice");
        }
        mailboxes.push_back({std::move(address), {}});
    }
    // From here on only valid values; now the expensive part.
    for (std::size_t i = 0; i < mailboxes.size(); ++i) mailboxes[i].password_hash = password::hash(passwords[i], config);
    return mailboxes;
}

// --- do it ----------------------------------------------------------------------------

Response listing(const store::Listing& listing, const Domain& domain)
{
    return {.body = json::listing(listing.total, listing.items, domain.name())};
}

// The list in the common case: for a key that may, a page that is not empty. As it was kept, if it still holds.
std::optional<Response> granted_listing(const Exchange& exchange, const Domain& domain, const store::Page& page)
{
    const auto is_right_key = [&](std::string_view hash) { return auth::is_same_secret(exchange.key.sha256(), hash); };
    const auto name = pages::name(exchange.key.id(), domain, page);
    if (const auto* kept = exchange.pages.find(name)) {
        const auto key_hash = exchange.store.confirm(exchange.key.id(), kept->version);
        if (key_hash && is_right_key(*key_hash)) return Response{.body = kept->body};
    }
    const auto found = exchange.store.list(exchange.key.id(), domain, page);
    if (!found || !is_right_key(found->key_hash)) return std::nullopt;
    auto response = listing(found->listing, domain);
    exchange.pages.keep({.name = name, .version = found->version, .body = response.body});
    return response;
}

Response list_mailboxes(const Exchange& exchange)
{
    store::Page page;
    try {
        page = page_of(exchange.request, exchange.config);
    } catch (const Error&) {
        admitted(exchange, auth::Purpose::read);  // who has no right key learns that first
        throw;
    }
    if (exchange.domain) {
        if (auto known = granted_listing(exchange, *exchange.domain, page)) return *std::move(known);
    }
    const auto grant = admitted(exchange, auth::Purpose::read);
    return listing(exchange.store.page(grant.domain_id, *exchange.domain, page), *exchange.domain);
}

Response create_mailbox(const Exchange& exchange)
{
    const auto grant = admitted(exchange, auth::Purpose::write);
    const auto mailboxes = new_mailboxes(body_fields(exchange.request), *exchange.domain, exchange.config);
    const auto done = exchange.store.create(grant, mailboxes, actor(exchange));
    switch (done.outcome) {
    case store::Created::Outcome::already_exists:
        throw Error(409, "mailbox_exists", store::sentence(done));
    case store::Created::Outcome::domain_is_full:
    case store::Created::Outcome::account_is_full:
        throw Error(409, "allowance_used_up", store::sentence(done));
    case store::Created::Outcome::no_such_domain:
        throw Error(404, "domain_not_found", "Domain not found: " + exchange.domain_text);
    case store::Created::Outcome::yes:
        break;
    }
    return {.body = json::message("Created " + std::to_string(mailboxes.size()) + " mailboxes")};
}

[[noreturn]] void mailbox_not_found(const Address& address)
{
    throw Error(404, "mailbox_not_found", "Mailbox not found: " + address.text());
}

Response change_password(const Exchange& exchange)
{
    const auto grant = admitted(exchange, auth::Purpose::write);
    const auto address = address_of(exchange.request.path[2], *exchange.domain);
    const auto fields = body_fields(exchange.request);
    const auto* password = only(fields, "password");
    if (password == nullptr) throw Error(400, "password_missing", "'password' parameter is missing");
    check_password(password->text(), address, exchange.config);
    const auto hash = password::hash(password->text(), exchange.config);
    if (exchange.store.change_password(grant, address, hash, actor(exchange)) == store::Changed::no_such_mailbox) {
        mailbox_not_found(address);
    }
    return {.body = json::message("Password changed")};
}

Response delete_mailbox(const Exchange& exchange)
{
    const auto grant = admitted(exchange, auth::Purpose::write);
    const auto address = address_of(exchange.request.path[2], *exchange.domain);
    body_fields(exchange.request);
    if (exchange.store.remove(grant, address, actor(exchange)) == store::Changed::no_such_mailbox) {
        mailbox_not_found(address);
    }
    return {.body = json::deleted("Mailbox has been deleted", address.text())};
}

// --- the table ------------------------------------------------------------------------

struct Route {
    std::string_view pattern;
    std::string_view method;
    Response (*handler)(const Exchange&);
};

constexpr std::string_view kCollection = "/<domain>/mailboxes";
constexpr std::string_view kItem = "/<domain>/mailboxes/<mailbox>";

constexpr std::array kRoutes{
    Route{kCollection, "GET", list_mailboxes},
    Route{kCollection, "HEAD", list_mailboxes},
    Route{kCollection, "POST", create_mailbox},
    Route{kItem, "PUT", change_password},
    Route{kItem, "DELETE", delete_mailbox},
};

std::string_view allow_header(std::string_view pattern)
{
    return pattern == kCollection ? "Allow: GET, HEAD, POST" : "Allow: PUT, DELETE";
}

// The pattern that the path fits; throws 404. A slash behind the collection is the collection.
std::string_view pattern_of(const std::vector<std::string>& path)
{
    if (path.size() >= 2 && path.size() <= 3 && !path[0].empty() && path[1] == "mailboxes") {
        return path.size() == 2 || path[2].empty() ? kCollection : kItem;
    }
    throw Error(404, "not_found", "Not found");
}

Response dispatch(const http::Request& request, const Config& config, store::Store& store, pages::Pages& pages, Trace& trace)
{
    trace.route = pattern_of(request.path);
    const auto* const route = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& candidate) {
        return candidate.pattern == trace.route && candidate.method == request.method;
    });
    const auto key = auth::Key::from_header(request.authorization);
    if (!key) throw Error(401, "unauthorized", "Forbidden");
    trace.key_id = key->id();
    if (route == kRoutes.end()) throw Error(405, "method_not_allowed", "Method not allowed");
    const auto domain = Domain::parse(request.path[0]);
    return route->handler({request, config, store, pages, *key, request.path[0], domain, trace});
}

// --- how the service is ----------------------------------------------------------------

// Not of the API: nginx asks for them where nobody but this machine does (mailboxd-health.conf), and with these two targets
// only. So they want no key. That a worker answers is what the first one tells.
constexpr std::string_view kAlive = "/healthz";
constexpr std::string_view kReady = "/readyz";

Response alive()
{
    return {.body = json::message("Alive")};
}

// It reads a table: a Galera node that has lost the others answers whatever needs none.
Response ready(store::Store& store)
{
    try {
        if (store.schema_version() > 0) return {.body = json::message("Ready")};
        return {.status = 503, .body = json::error("The database has no tables yet", "database_empty")};
    } catch (const db::Error& error) {
        logging::error("database")("error", error.what());
        return {.status = 503, .body = json::error("The database cannot be asked", "database_absent")};
    }
}

std::string_view header_for(int status, std::string_view route)
{
    switch (status) {
    case 401: return "WWW-Authenticate: Basic realm=\"mailboxes\"";
    case 405: return allow_header(route);
    case 503: return "Retry-After: 1";
    default: return {};
    }
}

Response refusal(int status, std::string_view message, std::string_view code, const Trace& trace)
{
    return {.status = status, .body = json::error(message, code), .extra_header = header_for(status, trace.route)};
}

}  // namespace

http::Response Api::serve(http::Raw raw, Trace& trace)
{
    try {
        if (raw.target == kAlive || raw.target == kReady) {
            trace.route = raw.target == kAlive ? kAlive : kReady;
            return trace.route == kAlive ? alive() : ready(store_);
        }
        const auto request = http::parse(std::move(raw));
        return dispatch(request, config_, store_, pages_, trace);
    } catch (const Error& error) {
        return refusal(error.status, error.what(), error.code, trace);
    } catch (const db::Error& error) {
        logging::error("database")("error", error.what());
        return refusal(503, "Temporarily unavailable", "unavailable", trace);
    } catch (const std::exception& fault) {
        logging::error("fault")("route", trace.route)("error", fault.what());
        auto response = refusal(500, "Internal error", "internal_error", trace);
        response.worker_is_sound = false;
        return response;
    }
}

}  // namespace api
