#include "mailboxd/handlers.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "base/strings.h"
#include "db/grants.h"
#include "mail/api_key.h"
#include "mail/password.h"
#include "mail/unicode.h"
#include "mailboxd/admission.h"
#include "mailboxd/answers.h"
#include "mailboxd/form.h"

namespace api {
namespace {

using http::Error;
using http::Fields;
using http::Response;
using mailbox::Address;
using mailbox::Domain;

constexpr std::size_t kMaxMailboxesAtOnce = 100;

// A mailbox is called differently on the paths that lead to it, and that is all that they differ
// in: the Mailboxes API's own, and that of SMTP credentials, which the original has today.
struct Words {
    mailbox::As as;
    std::string_view parameter;  // that names it; `mailbox` does, too
    std::string_view created;    // behind their number
    std::string_view deleted;
};

// Everything a handler works with.
struct Exchange {
    const Words& words;
    const http::Request& request;
    const Config& config;
    store::Store& store;
    pages::Pages& pages;
    const api_key::Key& key;
    const std::string& domain_text;       // as in the path
    const std::optional<Domain>& domain;  // nothing: no domain can have that name
    Trace& trace;
    turn::Turn& turn;
};

// --- who ------------------------------------------------------------------------------

// The grant of this key for the path's domain; throws 401, 403, 404. The log line says
// what the answer must not: whether the domain exists at all.
grants::Grant admitted(const Exchange& exchange, admission::Purpose purpose)
{
    const std::string_view name = exchange.domain ? std::string_view{exchange.domain->name()} : "";
    const auto grant = exchange.store.grant(exchange.key, name);
    if (grant && grant->domain_id == 0)
        exchange.trace.detail =
            exchange.store.has_domain(name) ? "foreign-domain" : "unknown-domain";
    const bool is_invalid = !exchange.domain && !unicode::is_ascii(exchange.domain_text);
    admission::admit(grant, exchange.request.client,
                     exchange.domain_text + (is_invalid ? " is no domain name by IDNA 2008" : ""),
                     purpose);
    exchange.turn.belongs_to(grant->account_id);
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
            throw Error(400, "bad_parameter",
                        "'" + std::string{name} + "' parameter is given more than once");
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
    return values;
}

bool has(const Fields& fields, std::string_view name)
{
    return std::any_of(fields.begin(), fields.end(),
                       [&](const auto& field) { return field.first == name; });
}

// Every proxy on the way logs URLs, so a password in one is refused.
Fields query_fields(const http::Request& request)
{
    Fields fields;
    http::parse_urlencoded(request.query, "query string", fields);
    form::join_arrays(fields, mailbox::As::credentials);
    if (has(fields, "password")) {
        throw Error(400, "password_in_url",
                    "'password' parameter must be in the body: URLs are logged");
    }
    return fields;
}

// A mailbox's name in the query string does not count, but must not contradict the body.
Fields body_fields(const Exchange& exchange)
{
    const auto query = query_fields(exchange.request);
    auto fields = form::parse(exchange.request, exchange.words.as);
    for (const auto name : {std::string_view{"mailbox"}, exchange.words.parameter}) {
        if (has(query, name) && has(fields, name)) {
            throw Error(400, "bad_parameter",
                        "'" + std::string{name}
                            + "' parameter is given in the query string and in the body");
        }
    }
    return fields;
}

// The name of a parameter that a caller has invented, for a sentence.
std::string quoted(std::string_view name)
{
    constexpr std::size_t kMaxLength = 64;
    const bool can_be_shown = !name.empty() && name.size() <= kMaxLength && strings::is_utf8(name)
                              && !strings::has_control_character(name);
    return can_be_shown ? "'" + std::string{name} + "'" : "a";
}

// Refuses what is not one of `known`, before a password is made: it may be a misspelt `password`.
void refuse_unknown(const Fields& fields, const std::vector<std::string_view>& known)
{
    for (const auto& [name, value] : fields) {
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        throw Error(
            400, "bad_parameter",
            quoted(name)
                + " parameter is not known here. Without 'password' a password would be made, so nothing "
                  "was changed: spell it 'password', or leave it out");
    }
}

// Of the two names that the parameter may have, the one that is used.
std::string_view name_parameter(const Fields& fields, const Words& words)
{
    if (!has(fields, "mailbox")) return words.parameter;
    if (words.parameter != "mailbox" && has(fields, words.parameter)) {
        throw Error(400, "bad_parameter",
                    "'" + std::string{words.parameter}
                        + "' and 'mailbox' parameters mean the same: give one of them");
    }
    return "mailbox";
}

std::int64_t number(const Fields& fields, std::string_view name, std::int64_t otherwise,
                    std::int64_t greatest)
{
    const auto* given = only(fields, name);
    if (given == nullptr) return otherwise;
    const auto value = strings::whole_number(given->text(), static_cast<std::uint64_t>(greatest));
    if (!value) {
        throw Error(400, name == "limit" ? "bad_limit" : "bad_skip",
                    "'" + std::string{name} + "' parameter must be a whole number from 0 to "
                        + std::to_string(greatest));
    }
    return static_cast<std::int64_t>(*value);
}

// The parameters of a list: in the query, or in the body of a GET.
Fields list_fields(const http::Request& request)
{
    auto fields = query_fields(request);
    for (auto& field : form::parse(request)) fields.push_back(std::move(field));
    return fields;
}

store::Page page_of(const Fields& fields, const Config& config)
{
    return {
        number(fields, "limit", std::min<std::int64_t>(100, config.max_limit), config.max_limit),
        number(fields, "skip", 0, std::numeric_limits<std::int64_t>::max())};
}

Address address_of(std::string_view text, const Domain& domain, std::string_view parameter)
{
    try {
        return Address::parse(text, domain, parameter);
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

[[noreturn]] void refuse_missing(std::string_view parameter)
{
    throw Error(400, parameter == "password" ? "password_missing" : "mailbox_missing",
                "'" + std::string{parameter} + "' parameter is missing");
}

struct Wanted {
    std::vector<Address> addresses{};
    std::vector<std::string_view> passwords{};
    std::vector<Secret> generated{};  // the passwords, where it is left to us to make them
};

// With a generated password, which has to come back from a pause together with its hash.
constexpr char kBeforeGenerated = ' ';

std::string_view hash_of(std::string_view made)
{
    return made.substr(0, made.find(kBeforeGenerated));
}

Secret generated_password(const Exchange& exchange, std::size_t index, const Address& owner)
{
    const auto& made = exchange.turn.hashes();
    if (index >= made.size()) return password::generate(owner, exchange.config);
    return Secret{std::string_view{made[index]}.substr(made[index].find(kBeforeGenerated) + 1)};
}

Wanted wanted_mailboxes(const Exchange& exchange, const Fields& fields)
{
    const auto& domain = *exchange.domain;
    const auto parameter = name_parameter(fields, exchange.words);
    const auto names = all(fields, parameter);
    if (names.empty()) refuse_missing(parameter);
    Wanted wanted{.passwords = all(fields, "password")};
    const bool is_ours_to_make =
        wanted.passwords.empty() && exchange.words.as == mailbox::As::credentials;
    if (wanted.passwords.empty() && !is_ours_to_make) refuse_missing("password");
    if (is_ours_to_make) {
        refuse_unknown(fields, {"mailbox", "login", "system"});  // `system` is the original's
        refuse_unknown(query_fields(exchange.request), {"mailbox", "login", "system"});
    }
    if (!is_ours_to_make && names.size() != wanted.passwords.size()) {
        throw Error(400, "bad_parameter",
                    "'" + std::string{parameter}
                        + "' and 'password' parameters must be given equally often: "
                        + std::to_string(names.size()) + " and "
                        + std::to_string(wanted.passwords.size()));
    }
    if (names.size() > kMaxMailboxesAtOnce) {
        throw Error(400, "bad_parameter", "At most 100 mailboxes can be created in one request");
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto address = address_of(names[i], domain, parameter);
        if (is_ours_to_make) {
            wanted.generated.push_back(generated_password(exchange, i, address));
            wanted.passwords.push_back(wanted.generated.back().text());
        }
        check_password(wanted.passwords[i], address, exchange.config);
        if (!seen.insert(address.local_part()).second) {
            throw Error(400, "bad_parameter",
                        "'" + std::string{parameter} + "' parameter names " + address.text()
                            + " twice");
        }
        wanted.addresses.push_back(std::move(address));
    }
    return wanted;
}

// The expensive part, which waits for its turn before each hash. After a pause it goes on where it
// was.
std::vector<store::NewMailbox> hashed(const Exchange& exchange, const Wanted& wanted)
{
    auto& turn = exchange.turn;
    const auto count = wanted.addresses.size();
    while (turn.hashes().size() < count) {
        const auto next = turn.hashes().size();
        turn.wait_for_hash(count - next);
        auto made = password::hash(wanted.passwords[next], exchange.config);
        if (!wanted.generated.empty())
            made += kBeforeGenerated + std::string{wanted.passwords[next]};
        turn.add(std::move(made));
    }
    turn.is_hashed();
    std::vector<store::NewMailbox> mailboxes;
    for (std::size_t i = 0; i < count; ++i)
        mailboxes.push_back({wanted.addresses[i], std::string{hash_of(turn.hashes()[i])}});
    return mailboxes;
}

Address address_in_path(const Exchange& exchange)
{
    return address_of(exchange.request.path.back(), *exchange.domain, exchange.words.parameter);
}

// The fields of a body that changes the mailbox in the path. Refuses a parameter that names another
// mailbox, in the body or in the query: the caller may mean that one.
Fields item_fields(const Exchange& exchange, const Address& address)
{
    auto fields = body_fields(exchange);
    const auto query = query_fields(exchange.request);
    for (const auto* given : {&std::as_const(fields), &query}) {
        for (const auto& [name, value] : *given) {
            if (name != "mailbox" && name != exchange.words.parameter) continue;
            const auto named = address_of(value.text(), *exchange.domain, name);
            if (named.text() == address.text()) continue;
            throw Error(400, "bad_parameter",
                        "'" + name + "' parameter names " + named.text() + ", but the path names "
                            + address.text());
        }
    }
    return fields;
}

// --- do it ----------------------------------------------------------------------------

Response listing(const store::Listing& listing, const Domain& domain, const Words& words)
{
    return {.body = answers::listing(listing.total, listing.items, domain.text(), words.as)};
}

// The list in the common case: for a key that may, a page that is not empty. As it was kept, if it
// still holds.
std::optional<Response> granted_listing(const Exchange& exchange, const Domain& domain,
                                        const store::Page& page)
{
    const auto name = pages::name(exchange.key, domain, page, exchange.words.as);
    const auto* kept = exchange.pages.find(name);
    if (kept != nullptr && exchange.store.confirm(exchange.key, kept->version))
        return Response{.body = kept->body};
    const auto found = exchange.store.list(exchange.key, domain, page);
    if (!found) return std::nullopt;
    auto response = listing(found->listing, domain, exchange.words);
    exchange.pages.keep({.name = name, .version = found->version, .body = response.body});
    return response;
}

Response list_mailboxes(const Exchange& exchange)
{
    store::Page page;
    try {
        page = page_of(list_fields(exchange.request), exchange.config);
    } catch (const Error&) {
        admitted(exchange, admission::Purpose::read);  // who has no right key learns that first
        throw;
    }
    if (exchange.domain) {
        if (auto known = granted_listing(exchange, *exchange.domain, page))
            return *std::move(known);
    }
    const auto grant = admitted(exchange, admission::Purpose::read);
    return listing(exchange.store.page(grant.domain_id, *exchange.domain, page), *exchange.domain,
                   exchange.words);
}

void expect_created(const Exchange& exchange, const store::Created& done)
{
    switch (done.outcome) {
    case store::Created::Outcome::already_exists:
        throw Error(409, "mailbox_exists", store::sentence(done));
    case store::Created::Outcome::domain_is_full:
    case store::Created::Outcome::account_is_full:
        throw Error(409, "allowance_used_up", store::sentence(done));
    case store::Created::Outcome::no_such_domain:
        throw Error(404, "domain_not_found", "Domain not found: " + exchange.domain_text);
    case store::Created::Outcome::yes: break;
    }
}

// What would be refused anyway is refused before the hashing.
Response create_mailbox(const Exchange& exchange)
{
    const auto grant = admitted(exchange, admission::Purpose::write);
    const auto fields = body_fields(exchange);
    const auto wanted = wanted_mailboxes(exchange, fields);
    if (exchange.turn.hashes().empty())
        expect_created(exchange, exchange.store.foresee(grant, wanted.addresses));
    expect_created(exchange,
                   exchange.store.create(grant, hashed(exchange, wanted), actor(exchange)));
    const auto message = "Created " + std::to_string(wanted.addresses.size()) + " "
                         + std::string{exchange.words.created};
    if (wanted.generated.empty()) return {.body = answers::message(message)};
    answers::Logins logins;
    for (std::size_t i = 0; i < wanted.generated.size(); ++i) {
        logins.emplace_back(wanted.addresses[i].text(), wanted.generated[i].text());
    }
    return {.body = answers::generated(message, logins)};
}

[[noreturn]] void mailbox_not_found(const Address& address)
{
    throw Error(404, "mailbox_not_found", "Mailbox not found: " + address.text());
}

Response change_password(const Exchange& exchange)
{
    const auto grant = admitted(exchange, admission::Purpose::write);
    const auto address = address_in_path(exchange);
    const auto fields = item_fields(exchange, address);
    const auto* given = only(fields, "password");
    const bool is_ours_to_make = given == nullptr && exchange.words.as == mailbox::As::credentials;
    if (given == nullptr && !is_ours_to_make) refuse_missing("password");
    if (is_ours_to_make) {
        refuse_unknown(fields, {"mailbox", "login"});
        refuse_unknown(query_fields(exchange.request), {"mailbox", "login"});
    }
    const auto generated =
        is_ours_to_make ? password::generate(address, exchange.config) : Secret{};
    const auto password = is_ours_to_make ? generated.text() : given->text();
    check_password(password, address, exchange.config);
    if (!exchange.store.has_mailbox(grant, address)) mailbox_not_found(address);
    exchange.turn.wait_for_hash(1);
    const auto hash = password::hash(password, exchange.config);
    exchange.turn.is_hashed();
    if (exchange.store.change_password(grant, address, hash, actor(exchange))
        == store::Changed::no_such_mailbox) {
        mailbox_not_found(address);
    }
    constexpr std::string_view kChanged = "Password changed";
    return {.body = is_ours_to_make ? answers::generated(kChanged, {{address.text(), password}})
                                    : answers::message(kChanged)};
}

Response delete_mailbox(const Exchange& exchange)
{
    const auto grant = admitted(exchange, admission::Purpose::write);
    const auto address = address_in_path(exchange);
    item_fields(exchange, address);
    if (exchange.store.remove(grant, address, actor(exchange)) == store::Changed::no_such_mailbox) {
        mailbox_not_found(address);
    }
    return {.body = answers::deleted(exchange.words.deleted, address.text())};
}

[[noreturn]] void refuse_method()
{
    throw Error(405, "method_not_allowed", "Method not allowed");
}

// Only where the domain allows it. A slash behind the collection may be a login that was left
// empty, and any parameter may be a selector, however it is spelt: neither must delete all of them.
// The deletion gets half of the request's time; the rest is for a database that is slow just then.
Response delete_all(const Exchange& exchange)
{
    const auto grant = admitted(exchange, admission::Purpose::write);
    if (!grant.domain_may_be_emptied || exchange.request.path.back().empty()) refuse_method();
    const auto query = query_fields(exchange.request);
    const auto fields = body_fields(exchange);
    for (const auto* given : {&query, &fields}) {
        if (given->empty()) continue;
        throw Error(
            400, "bad_parameter",
            quoted(given->front().first)
                + " parameter is not allowed here, because this request would delete all "
                  "credentials of the domain. Nothing was deleted. To delete one, name it in the path");
    }
    const auto last_begin = std::chrono::steady_clock::now()
                            + std::chrono::milliseconds{exchange.config.request_deadline} / 2;
    const auto done =
        exchange.store.remove_all(grant, *exchange.domain, actor(exchange), last_begin);
    if (!done.is_all) {
        throw Error(
            503, "not_finished",
            std::to_string(done.removed)
                + " credentials have been deleted, and there may be more: send the request again");
    }
    return {.body = json::object({{"message", "All domain credentials have been deleted"},
                                  {"count", done.removed}})};
}

// As the original documents them. Its `include_subaccounts` changes nothing, because accounts have
// none here.
store::Selection selection_of(const Fields& fields)
{
    store::Selection selection;
    if (has(fields, "authority")) {
        throw Error(
            400, "bad_parameter",
            "'authority' parameter is not supported, because domains have no authority here: leave it out");
    }
    if (const auto* part = only(fields, "search")) {
        if (!strings::is_utf8(part->text()) || strings::has_control_character(part->text())) {
            throw Error(400, "bad_parameter",
                        "'search' parameter must be valid UTF-8 without control characters");
        }
        const bool is_ascii = std::all_of(part->text().begin(), part->text().end(),
                                          [](char c) { return (c & 0x80) == 0; });
        const auto domain =
            is_ascii ? std::nullopt
                     : Domain::parse(part->text());  // as names are stored, if it is a whole one
        selection.part_of_name = domain ? domain->name() : strings::lower_case(part->text());
    }
    if (const auto* state = only(fields, "state")) {
        selection.state = state->text();
        constexpr std::array<std::string_view, 3> kStates{"active", "unverified", "disabled"};
        if (std::find(kStates.begin(), kStates.end(), selection.state) == kStates.end()) {
            throw Error(400, "bad_parameter",
                        "'state' parameter must be active, unverified or disabled");
        }
    }
    if (const auto* sort = only(fields, "sort")) {
        using Order = store::Selection::Order;
        if (sort->text() == "name" || sort->text() == "name:asc") selection.order = Order::by_name;
        else if (sort->text() == "name:desc") selection.order = Order::by_name_descending;
        else
            throw Error(400, "bad_parameter",
                        "'sort' parameter must be name, name:asc or name:desc");
    }
    return selection;
}

Response list_domains(const Exchange& exchange)
{
    admission::recognize(exchange.store.grant(exchange.key, ""), exchange.request.client);
    const auto fields = list_fields(exchange.request);
    const auto domains = exchange.store.domains(exchange.key.id(), page_of(fields, exchange.config),
                                                selection_of(fields));
    return {.body = answers::domains(domains.total, domains.items)};
}

Response show_domain(const Exchange& exchange)
{
    const auto grant = admitted(exchange, admission::Purpose::read);
    return {.body = answers::domain(
                {exchange.domain->text(), grant.domain_created_at, grant.domain_is_active})};
}

// --- the table ------------------------------------------------------------------------

struct Path {
    std::string_view pattern;
    std::string_view allow;  // the header for a method that it does not have; what only some
                             // domains allow is not in it
};

struct Route {
    const Path& path;
    std::string_view method;  // GET: HEAD, too
    Response (*handler)(const Exchange&);
    const Words& words;
};

constexpr Path kMailboxes{"/<domain>/mailboxes", "Allow: GET, HEAD, POST"};
constexpr Path kMailbox{"/<domain>/mailboxes/<mailbox>", "Allow: PUT, DELETE"};
constexpr Path kCredentials{"/domains/<domain>/credentials", "Allow: GET, HEAD, POST"};
constexpr Path kCredential{"/domains/<domain>/credentials/<login>", "Allow: PUT, DELETE"};
constexpr Path kDomains{"/domains", "Allow: GET, HEAD"};
constexpr Path kDomain{"/domains/<domain>", "Allow: GET, HEAD"};

constexpr Words kAsMailbox{mailbox::As::mailbox, "mailbox", "mailboxes",
                           "Mailbox has been deleted"};
constexpr Words kAsCredentials{mailbox::As::credentials, "login", "credentials pair(s)",
                               "Credentials have been deleted"};

// The first that fits counts: /domains/mailboxes are the mailboxes of a domain of that name.
constexpr std::array kRoutes{
    Route{kMailboxes, "GET", list_mailboxes, kAsMailbox},
    Route{kMailboxes, "POST", create_mailbox, kAsMailbox},
    Route{kMailbox, "PUT", change_password, kAsMailbox},
    Route{kMailbox, "DELETE", delete_mailbox, kAsMailbox},
    Route{kCredentials, "GET", list_mailboxes, kAsCredentials},
    Route{kCredentials, "POST", create_mailbox, kAsCredentials},
    Route{kCredentials, "DELETE", delete_all, kAsCredentials},
    Route{kCredential, "PUT", change_password, kAsCredentials},
    Route{kCredential, "DELETE", delete_mailbox, kAsCredentials},
    Route{kDomains, "GET", list_domains, kAsCredentials},
    Route{kDomain, "GET", show_domain, kAsCredentials},
};

// Whether the path is one of the pattern, and which part of it names the domain. A slash behind a
// collection is the collection.
bool fits(std::string_view pattern, const std::vector<std::string>& path, std::size_t& domain_at)
{
    std::size_t at = 0;
    bool is_collection = false;
    while (!pattern.empty()) {
        pattern.remove_prefix(1);  // the slash
        const auto part = pattern.substr(0, pattern.find('/'));
        pattern.remove_prefix(part.size());
        is_collection = part.front() != '<';
        if (at == path.size() || path[at].empty() || (is_collection && part != path[at]))
            return false;
        if (part == "<domain>") domain_at = at;
        ++at;
    }
    return at == path.size() || (is_collection && at + 1 == path.size() && path[at].empty());
}

Response dispatch(const http::Request& request, const Config& config, store::Store& store,
                  pages::Pages& pages, Trace& trace, turn::Turn& turn)
{
    std::size_t domain_at = 0;
    const auto* const first = std::find_if(kRoutes.begin(), kRoutes.end(), [&](const Route& route) {
        return fits(route.path.pattern, request.path, domain_at);
    });
    if (first == kRoutes.end()) throw Error(404, "not_found", "Not found");
    trace.route = first->path.pattern;
    const auto method = request.method == "HEAD" ? "GET" : request.method;
    const auto* const route = std::find_if(first, kRoutes.end(), [&](const Route& candidate) {
        return &candidate.path == &first->path && candidate.method == method;
    });
    const auto key = api_key::Key::from_header(request.authorization);
    if (!key) throw Error(401, "unauthorized", "Forbidden");
    trace.key_id = key->id();
    if (route == kRoutes.end()) refuse_method();
    const auto& domain_text = request.path[domain_at];
    return route->handler({route->words, request, config, store, pages, *key, domain_text,
                           Domain::parse(domain_text), trace, turn});
}

// --- how the service is ----------------------------------------------------------------

// Not of the API: nginx asks for them where nobody but this machine does (mailboxd-health.conf),
// and with these two targets only. So they want no key. That a worker answers is what the first one
// tells.
constexpr std::string_view kAlive = "/healthz";
constexpr std::string_view kReady = "/readyz";

Response alive()
{
    return {.body = answers::message("Alive")};
}

// It reads a table: a Galera node that has lost the others answers whatever needs none.
Response ready(store::Store& store)
{
    try {
        if (store.schema_version() > 0) return {.body = answers::message("Ready")};
        return {.status = 503,
                .body = answers::error("The database has no tables yet", "database_empty")};
    } catch (const db::Error& error) {
        logging::error("database")("error", error.what());
        return {.status = 503,
                .body = answers::error("The database cannot be asked", "database_absent")};
    }
}

std::string_view allow_header(std::string_view pattern)
{
    return std::find_if(kRoutes.begin(), kRoutes.end(),
                        [&](const Route& route) { return route.path.pattern == pattern; })
        ->path.allow;
}

std::string_view header_for(int status, std::string_view code, std::string_view route)
{
    switch (status) {
    case 415:
        return code == "unsupported_encoding" ? "Accept-Encoding: identity"
                                              : "";  // RFC 9110 12.5.3
    case 401: return "WWW-Authenticate: Basic realm=\"mailboxes\"";
    case 405: return allow_header(route);
    case 503: return "Retry-After: 1";
    default: return {};
    }
}

Response refusal(int status, std::string_view message, std::string_view code, const Trace& trace)
{
    return {.status = status,
            .body = answers::error(message, code),
            .extra_header = header_for(status, code, trace.route)};
}

}  // namespace

http::Response Api::serve(http::Raw raw, Trace& trace, turn::Turn& turn)
{
    try {
        if (raw.target == kAlive || raw.target == kReady) {
            trace.route = raw.target == kAlive ? kAlive : kReady;
            return trace.route == kAlive ? alive() : ready(store_);
        }
        const auto request = http::parse(std::move(raw));
        return dispatch(request, config_, store_, pages_, trace, turn);
    } catch (const Error& error) {
        return refusal(error.status, error.what(), error.code, trace);
    } catch (const store::InDoubt& error) {
        // Not 503, which says that nothing was done. It is what nginx says of a service that does
        // not answer.
        logging::error("database")("error", error.what());
        return refusal(
            504,
            "The service did not answer in time; the request may or may not have been carried out",
            "no_answer", trace);
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
