#include "mailboxd/provisioning_fields.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "mail/unicode.h"

namespace fields {
namespace {

using http::Error;
using mailbox::Domain;

std::string required(const Fields& fields, std::string_view name)
{
    auto given = text(fields, name);
    if (!given || given->empty()) refuse_missing_parameter(name);
    return *std::move(given);
}

std::string lower(const std::string& value)
{
    return strings::lower_case(value);
}

std::optional<bool> yes_or_no(const Fields& fields, std::string_view name)
{
    const auto given = text(fields, name);
    if (!given) return std::nullopt;
    constexpr std::array<std::string_view, 3> kYes{"yes", "true", "1"}, kNo{"no", "false", "0"};
    const auto value = lower(*given);
    if (std::find(kYes.begin(), kYes.end(), value) != kYes.end()) return true;
    if (std::find(kNo.begin(), kNo.end(), value) != kNo.end()) return false;
    refuse(name, "yes or no");
}

mailbox::State state_in(std::string_view text)
{
    for (const auto each :
         {mailbox::State::active, mailbox::State::no_login, mailbox::State::disabled}) {
        if (text == mailbox::text(each)) return each;
    }
    refuse("state", "active, no_login or disabled");
}

std::optional<mailbox::State> state(const Fields& fields)
{
    const auto given = text(fields, "state");
    if (!given) return std::nullopt;
    return state_in(*given);
}

// A mailbox without a limit is shown with 0, so a client may send that again.
store::Quota quota_in(const std::string& text)
{
    return text == "0" ? store::kNoQuota : admin::quota_of_mailbox(text);
}

std::int64_t number(const Fields& fields, std::string_view name, std::int64_t fallback,
                    std::int64_t greatest)
{
    const auto given = text(fields, name);
    if (!given) return fallback;
    const auto value = strings::whole_number(*given, static_cast<std::uint64_t>(greatest));
    if (!value) refuse(name, "a whole number from 0 to " + std::to_string(greatest));
    return static_cast<std::int64_t>(*value);
}

}  // namespace

admin::AccountSettings account_settings(const Fields& fields)
{
    admin::AccountSettings settings;
    settings.name = text(fields, "name");
    if (const auto value = text(fields, "max_mailboxes"))
        settings.max_mailboxes = admin::limit_of("max_mailboxes", *value);
    if (const auto value = text(fields, "max_aliases"))
        settings.max_aliases = admin::limit_of("max_aliases", *value);
    if (only(fields, "max_domains") != nullptr) {
        settings.max_domains =
            number(fields, "max_domains", 0, std::numeric_limits<std::uint32_t>::max());
    }
    return settings;
}

admin::AccountSelection account_selection(const Fields& fields, const Config& config)
{
    constexpr std::int64_t kDefault = 10;
    admin::AccountSelection selection;
    selection.limit = number(fields, "limit", std::min<std::int64_t>(kDefault, config.max_limit),
                             config.max_limit);
    selection.skip = number(fields, "skip", 0, std::numeric_limits<std::int64_t>::max());
    selection.prefix = text(fields, "filter").value_or("");
    if (!unicode::is_ascii(selection.prefix))
        refuse("filter", "in ASCII, as the names of accounts are");
    selection.is_active = yes_or_no(fields, "enabled");
    // PHP's client writes the one order as a list.
    const auto* const as_list = only(fields, "sort[0]");
    const std::optional<std::string> order =
        as_list != nullptr ? checked("sort", as_list->text()) : text(fields, "sort");
    if (order && *order == "desc") {
        selection.order = admin::AccountSelection::Order::by_name_descending;
    } else if (order && *order != "asc") {
        refuse("sort", "asc or desc");
    }
    return selection;
}

mailbox::Domain new_domain(const Fields& fields)
{
    const auto name = required(fields, "name");
    auto domain = Domain::parse(name);
    if (!domain) refuse("name", "a domain name such as example.org");
    return *std::move(domain);
}

admin::DomainSettings domain_settings(const Fields& fields)
{
    admin::DomainSettings settings;
    if (const auto value = text(fields, "max_mailboxes"))
        settings.max_mailboxes = admin::limit_of("max_mailboxes", *value);
    if (const auto value = text(fields, "quota_bytes"))
        settings.quota_bytes = admin::quota_of(*value);
    if (const auto value = text(fields, "on_duplicate")) {
        if (*value != "reject" && *value != "update") refuse("on_duplicate", "reject or update");
        settings.updates_duplicates = *value == "update";
    }
    settings.allows_delete_all = yes_or_no(fields, "allow_delete_all");
    if (const auto value = text(fields, "max_aliases"))
        settings.max_aliases = admin::limit_of("max_aliases", *value);
    settings.has_system_addresses = yes_or_no(fields, "system_addresses");
    settings.forwards_outside = yes_or_no(fields, "forward_outside");
    settings.state = state(fields);
    return settings;
}

std::optional<Secret> smtp_password(const Fields& fields)
{
    const auto* given = only(fields, "smtp_password");
    if (given == nullptr || given->text().empty()) return std::nullopt;
    return Secret{given->text()};
}

admin::NewKey new_key(const Fields& fields, std::int64_t now)
{
    admin::NewKey key;
    const auto role = required(fields, "role");
    if (role != "admin" && role != "basic") refuse("role", "admin or basic");
    key.is_read_only = role == "basic";
    if (const auto domain = text(fields, "domain_name")) {
        key.domain = Domain::parse(*domain);
        if (!key.domain) refuse("domain_name", "a domain name such as example.org");
    }
    key.kind = text(fields, "kind").value_or("user");
    if (key.kind != "user" && key.kind != "domain" && key.kind != "web")
        refuse("kind", "user, domain or web");
    key.label = text(fields, "description").value_or("");
    key.user_name = text(fields, "user_name").value_or("");
    // A century, so that the sum stays a number.
    constexpr std::int64_t kLongest = 3'155'760'000;
    const auto seconds = number(fields, "expiration", 0, kLongest);
    if (seconds > 0) key.expires_at = now + seconds;
    if (const auto addresses = text(fields, "addresses")) {
        key.addresses = strings::words(*addresses, " ,");
        if (key.addresses.empty()) refuse("addresses", "at least one address or range");
    }
    return key;
}

store::MailboxSettings mailbox_settings(const Fields& fields)
{
    store::MailboxSettings settings{.state = state(fields)};
    if (const auto value = text(fields, "quota_bytes")) settings.quota_bytes = quota_in(*value);
    return settings;
}

namespace {

// The values for `count` mailboxes; empty: the parameter is missing.
std::vector<std::string> for_each_mailbox(const Fields& fields, std::string_view name,
                                          std::size_t count)
{
    std::vector<std::string> values;
    for (const auto& [field, value] : fields) {
        if (field == name) values.push_back(checked(name, value.text()));
    }
    if (values.size() == 1) values.resize(count, values.front());
    if (!values.empty() && values.size() != count) {
        throw Error(400, "bad_parameter",
                    "'" + std::string{name}
                        + "' parameter must be given once, or once for each of the "
                        + std::to_string(count) + " mailboxes; it is given "
                        + std::to_string(values.size()) + " times");
    }
    return values;
}

}  // namespace

std::vector<store::MailboxSettings> mailbox_settings(const Fields& fields, std::size_t count)
{
    std::vector<store::MailboxSettings> all(count);
    const auto quotas = for_each_mailbox(fields, "quota_bytes", count);
    const auto states = for_each_mailbox(fields, "state", count);
    for (std::size_t i = 0; i < count; ++i) {
        if (!quotas.empty() && !quotas[i].empty()) all[i].quota_bytes = quota_in(quotas[i]);
        if (!states.empty() && !states[i].empty()) all[i].state = state_in(states[i]);
    }
    return all;
}

Selected selected(const Fields& fields, const Config& config)
{
    Selected selected{.page = page(fields, config), .prefix = {}};
    if (const auto* prefix = only(fields, "q")) {
        if (!strings::is_utf8(prefix->text()) || strings::has_control_character(prefix->text()))
            refuse("q", "valid UTF-8 without control characters");
        selected.prefix = strings::lower_case(prefix->text());
    }
    selected.has_details = yes_or_no(fields, "details").value_or(false);
    return selected;
}

admin::Mailboxes removed_mailboxes(const Fields& fields)
{
    return yes_or_no(fields, "with_mailboxes").value_or(false) ? admin::Mailboxes::may_be_removed
                                                               : admin::Mailboxes::must_not_exist;
}

}  // namespace fields
