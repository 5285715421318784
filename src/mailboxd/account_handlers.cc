#include "mailboxd/account_handlers.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "mailboxd/admission.h"
#include "mailboxd/answers.h"
#include "mailboxd/change.h"
#include "mailboxd/fields.h"
#include "mailboxd/once.h"
#include "mailboxd/provisioning_answers.h"
#include "mailboxd/provisioning_fields.h"

namespace handlers {
namespace {

using admission::Caller;
using admission::Purpose;
using api::Exchange;
using http::Error;
using http::Response;

// Admits the operator and returns the account in the path. With X-Mailgun-On-Behalf-Of, there is no
// account but the one that the header names.
admin::Account account_in_path(const Exchange& exchange, Purpose purpose)
{
    const auto caller = admission::admit_operator(exchange, purpose);
    const auto& text = exchange.match.item;
    const auto number = strings::whole_number(text, std::numeric_limits<std::uint32_t>::max());
    const auto id = static_cast<std::int64_t>(number.value_or(0));
    const bool is_in_scope = caller.account_id == 0 || caller.account_id == id;
    auto found = api::reading(exchange, [&](admin::Admin& admin) {
        return is_in_scope ? admin.find_account(id) : std::nullopt;
    });
    if (!found) admission::refuse_unknown_account(text);
    return *std::move(found);
}

Response set_state(const Exchange& exchange, mailbox::State state)
{
    const auto account = account_in_path(exchange, Purpose::write);
    fields::of_list(exchange.request);  // refuses a body that cannot be read
    api::Change{exchange}.admin.set_account_state(account.id, state);
    const auto changed =
        api::reading(exchange, [&](admin::Admin& admin) { return admin.find_account(account.id); });
    if (!changed) admission::refuse_unknown_account(exchange.match.item);
    return {.body = answers::account(*changed)};
}

}  // namespace

Response list_accounts(const Exchange& exchange)
{
    const auto caller = admission::admit_operator(exchange, Purpose::read);
    const auto selection =
        fields::account_selection(fields::of_list(exchange.request), exchange.config);
    const auto page = api::reading(exchange, [&](admin::Admin& admin) {
        if (caller.account_id == 0) return admin.accounts(selection);
        admin::AccountPage own;
        if (auto account = admin.find_account(caller.account_id))
            own = {.total = 1, .items = {*std::move(account)}};
        return own;
    });
    return {.body = answers::accounts(page)};
}

// The original has the name in the query string, some clients have it in the body.
Response create_account(const Exchange& exchange)
{
    admission::admit_operator(exchange, Purpose::write);
    const auto given = fields::of_list(exchange.request);
    const auto settings = fields::account_settings(given);
    if (!settings.name) throw Error(400, "bad_parameter", "'name' parameter is missing");
    return once::answered(exchange, given, [&](const once::Once& once) {
        Response response;
        api::Change change{exchange, once.steps()};
        change.admin.add_account(settings, [&](db::Connection& connection, const auto& account) {
            response.body = answers::account(account);
            once.keep(connection, response.body);
        });
        return response;
    });
}

Response show_account(const Exchange& exchange)
{
    return {.body = answers::account(account_in_path(exchange, Purpose::read))};
}

Response change_account(const Exchange& exchange)
{
    const auto account = account_in_path(exchange, Purpose::write);
    const auto settings = fields::account_settings(fields::of_list(exchange.request));
    return {.body =
                answers::account(api::Change{exchange}.admin.change_account(account.id, settings))};
}

Response disable_account(const Exchange& exchange)
{
    return set_state(exchange, mailbox::State::no_login);
}

Response enable_account(const Exchange& exchange)
{
    return set_state(exchange, mailbox::State::active);
}

// The account is named by the header only, so a request without it must not delete anything.
Response delete_account(const Exchange& exchange)
{
    const auto caller = admission::admit_operator(exchange, Purpose::write);
    if (caller.account_id == 0 || exchange.match.has_trailing_slash) {
        throw Error(400, "bad_parameter",
                    "X-Mailgun-On-Behalf-Of must name the account that is to be deleted");
    }
    const auto mailboxes = fields::removed_mailboxes(fields::of_list(exchange.request));
    api::Change{exchange}.admin.remove_account(caller.account_id, mailboxes);
    return {.body = answers::message("Subaccount successfully deleted")};
}

}  // namespace handlers
