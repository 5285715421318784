#include "mailboxd/fields.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>

#include "base/strings.h"
#include "mail/password.h"
#include "mail/unicode.h"
#include "mailboxd/form.h"
#include "mailboxd/provisioning_fields.h"

namespace fields {
namespace {

using http::Error;
using http::Request;
using mailbox::Address;
using mailbox::As;
using mailbox::Domain;

constexpr std::size_t kMaxMailboxesAtOnce = 100;

// --- one parameter ----------------------------------------------------------------------

// All values of the parameter, in order.
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

// The name of a parameter, for a sentence. The caller may have invented it, so it may be anything.
std::string shown_name(std::string_view name)
{
    constexpr std::size_t kMaxLength = 64;
    const bool can_be_shown = !name.empty() && name.size() <= kMaxLength && strings::is_utf8(name)
                              && !strings::has_control_character(name);
    return can_be_shown ? "'" + std::string{name} + "'" : "a";
}

[[noreturn]] void refuse_missing(std::string_view parameter)
{
    throw Error(400, parameter == "password" ? "password_missing" : "mailbox_missing",
                "'" + std::string{parameter} + "' parameter is missing");
}

// --- the parameter that names a mailbox ---------------------------------------------------

// Its own name on the paths of this API. `mailbox` is accepted on all of them.
std::string_view own_name(As as)
{
    return as == As::credentials ? "login" : "mailbox";
}

// Which of the two names the caller uses.
std::string_view used_name(const Fields& fields, As as)
{
    const auto own = own_name(as);
    if (!has(fields, "mailbox")) return own;
    if (own != "mailbox" && has(fields, own)) {
        throw Error(400, "bad_parameter",
                    "'" + std::string{own}
                        + "' and 'mailbox' parameters mean the same: give one of them");
    }
    return "mailbox";
}

// The fields of the body. A mailbox's name in the query string does not count, but must not
// contradict the body.
Fields of_body(const Request& request, As as)
{
    const auto query = of_query(request);
    auto fields = form::parse(request, as);
    for (const auto name : {std::string_view{"mailbox"}, own_name(as)}) {
        if (has(query, name) && has(fields, name)) {
            throw Error(400, "bad_parameter",
                        "'" + std::string{name}
                            + "' parameter is given in the query string and in the body");
        }
    }
    return fields;
}

// --- the password that the service makes --------------------------------------------------

// Refuses any parameter that is not one of `known`: it may be a misspelled `password`.
void refuse_unknown(const Fields& fields, const std::vector<std::string_view>& known)
{
    for (const auto& [name, value] : fields) {
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        throw Error(
            400, "bad_parameter",
            shown_name(name)
                + " parameter is not known here. Without 'password' a password would be made, so nothing "
                  "was changed: spell it 'password', or leave it out");
    }
}

// Returns if the request may leave its password to the service. Throws 400 otherwise.
void check_password_may_be_missing(const Request& request, const Fields& body, As as,
                                   const std::vector<std::string_view>& known)
{
    if (as != As::credentials) refuse_missing("password");
    refuse_unknown(body, known);
    refuse_unknown(of_query(request), known);
}

void check_counts(std::size_t names, std::size_t passwords, std::string_view parameter)
{
    if (passwords != 0 && names != passwords) {
        throw Error(400, "bad_parameter",
                    "'" + std::string{parameter}
                        + "' and 'password' parameters must be given equally often: "
                        + std::to_string(names) + " and " + std::to_string(passwords));
    }
    if (names > kMaxMailboxesAtOnce) {
        throw Error(400, "bad_parameter", "At most 100 mailboxes can be created in one request");
    }
}

}  // namespace

Fields of_query(const Request& request)
{
    Fields fields;
    http::parse_urlencoded(request.query, "query string", fields);
    form::join_arrays(fields, As::credentials);
    for (const std::string name : {"password", "smtp_password"}) {
        if (!has(fields, name)) continue;
        throw Error(400, "password_in_url",
                    "'" + name + "' parameter must be in the body: URLs are logged");
    }
    return fields;
}

Fields of_list(const Request& request)
{
    auto fields = of_query(request);
    for (auto& field : form::parse(request)) fields.push_back(std::move(field));
    return fields;
}

store::Selection selection(const Fields& fields)
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
        // A whole domain name in Unicode is searched in the form that the tables have.
        const auto domain =
            unicode::is_ascii(part->text()) ? std::nullopt : Domain::parse(part->text());
        selection.begin_of_name = domain ? domain->name() : strings::lower_case(part->text());
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

Address address(std::string_view text, const Domain& domain, std::string_view parameter)
{
    try {
        return Address::parse(text, domain, parameter);
    } catch (const mailbox::Invalid& invalid) {
        throw Error(400, "bad_mailbox", invalid.what());
    }
}

Address address_in_path(std::string_view segment, const Domain& domain, As as)
{
    return address(segment, domain, own_name(as));
}

void check_password(std::string_view text, const Address& owner, const Config& config)
{
    try {
        password::check(text, owner, config);
    } catch (const mailbox::Invalid& invalid) {
        throw Error(400, "bad_password", invalid.what());
    }
}

NewMailboxes new_mailboxes(const Request& request, const Domain& domain, As as,
                           const Config& config)
{
    NewMailboxes wanted{
        .body = of_body(request, as), .addresses = {}, .passwords = {}, .settings = {}};
    const auto parameter = used_name(wanted.body, as);
    const auto names = all(wanted.body, parameter);
    if (names.empty()) refuse_missing(parameter);
    wanted.passwords = all(wanted.body, "password");
    // `system` is a parameter of the original.
    if (wanted.passwords.empty())
        check_password_may_be_missing(request, wanted.body, as,
                                      {"mailbox", "login", "system", "quota_bytes", "state"});
    check_counts(names.size(), wanted.passwords.size(), parameter);
    wanted.settings = mailbox_settings(wanted.body, names.size());
    std::set<std::string> seen;
    for (std::size_t i = 0; i < names.size(); ++i) {
        auto parsed = address(names[i], domain, parameter);
        if (!wanted.passwords.empty()) check_password(wanted.passwords[i], parsed, config);
        if (!seen.insert(parsed.local_part()).second) {
            throw Error(400, "bad_parameter",
                        "'" + std::string{parameter} + "' parameter names " + parsed.text()
                            + " twice");
        }
        wanted.addresses.push_back(std::move(parsed));
    }
    return wanted;
}

MailboxChange mailbox_change(const Request& request, const Address& address, const Domain& domain,
                             As as)
{
    using Password = MailboxChange::Password;
    const auto body = of_mailbox(request, address, domain, as);
    MailboxChange change;
    change.settings = mailbox_settings(body);
    if (const auto* given = only(body, "password")) {
        change.password = Password::given;
        change.given_password = Secret{given->text()};
    } else if (!change.settings.quota_bytes && !change.settings.state) {
        check_password_may_be_missing(request, body, as, {"mailbox", "login"});
        change.password = Password::made;
    }
    return change;
}

Fields of_mailbox(const Request& request, const Address& address, const Domain& domain, As as)
{
    auto body = of_body(request, as);
    const auto query = of_query(request);
    for (const auto* given : {&std::as_const(body), &query}) {
        for (const auto& [name, value] : *given) {
            if (name != "mailbox" && name != own_name(as)) continue;
            const auto named = fields::address(value.text(), domain, name);
            if (named.text() == address.text()) continue;
            throw Error(400, "bad_parameter",
                        "'" + name + "' parameter names " + named.text() + ", but the path names "
                            + address.text());
        }
    }
    return body;
}

void expect_none(const Request& request, As as)
{
    const auto query = of_query(request);
    const auto body = of_body(request, as);
    for (const auto* given : {&query, &body}) {
        if (given->empty()) continue;
        throw Error(
            400, "bad_parameter",
            shown_name(given->front().first)
                + " parameter is not allowed here, because this request would delete all "
                  "credentials of the domain. Nothing was deleted. To delete one, name it in the path");
    }
}

}  // namespace fields
