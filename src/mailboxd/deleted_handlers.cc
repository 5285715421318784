#include "mailboxd/deleted_handlers.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "db/lifecycle.h"
#include "mailboxd/admission.h"
#include "mailboxd/answers.h"
#include "mailboxd/change.h"
#include "mailboxd/fields.h"
#include "mailboxd/once.h"
#include "mailboxd/provisioning_answers.h"
#include "mailboxd/provisioning_fields.h"

namespace handlers {
namespace {

using admission::Admitted;
using admission::Purpose;
using api::Exchange;
using http::Response;
using mailbox::Address;

life::Restorable restorable_in(const Exchange& exchange, const Admitted& admitted)
{
    return {.domain_id = admitted.grant.domain_id,
            .domain = admitted.domain.name(),
            .prefix = {},
            .grace = exchange.config.deleted_for};
}

bool is_storage_id(std::string_view text)
{
    constexpr std::size_t kLength = 32;
    return text.size() == kLength
           && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Returns the deleted mailbox in the path. Throws http::Error 404 if it cannot be restored.
life::Deleted deleted_in_path(const Exchange& exchange, const Admitted& admitted)
{
    const auto& id = exchange.match.item;
    std::optional<life::Deleted> found;
    if (is_storage_id(id)) {
        found = db::reading(exchange.store.session(), [&](db::Connection& connection) {
            return life::find_deleted(connection, restorable_in(exchange, admitted), id);
        });
    }
    if (!found) {
        throw http::Error(404, "mailbox_not_found",
                          "No mailbox that can be restored has this id: " + id);
    }
    return *std::move(found);
}

}  // namespace

Response list_deleted(const Exchange& exchange)
{
    const auto admitted = admission::admit(exchange, Purpose::read);
    const auto selected = fields::selected(fields::of_list(exchange.request), exchange.config);
    auto which = restorable_in(exchange, admitted);
    which.prefix = selected.prefix;
    const auto page = db::reading(exchange.store.session(), [&](db::Connection& connection) {
        return life::deleted(connection, which, selected.page);
    });
    return {.body = answers::deleted_mailboxes(page, admitted.domain.text(), which.grace)};
}

Response restore_mailbox(const Exchange& exchange)
{
    const auto admitted = admission::admit(exchange, Purpose::write);
    const auto& domain = admitted.domain;
    const auto given = fields::of_list(exchange.request);
    const auto* const new_name = fields::only(given, "mailbox");
    std::optional<Address> name;
    if (new_name != nullptr) name = fields::address(new_name->text(), domain, "mailbox");
    return once::answered(exchange, given, [&](const once::Once& once) -> Response {
        const auto deleted = deleted_in_path(exchange, admitted);
        const auto address = Address::parse(deleted.local_part, domain);
        const auto body =
            answers::deleted("Mailbox has been restored", name.value_or(address).text());
        api::Change change{exchange, once.steps(body)};
        change.mailboxes.restore(
            {.address = address, .storage_id = deleted.storage_id, .name = name},
            exchange.config.deleted_for);
        return {.body = body};
    });
}

}  // namespace handlers
