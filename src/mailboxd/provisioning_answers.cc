#include "mailboxd/provisioning_answers.h"

#include <ctime>

#include "base/json.h"
#include "mailboxd/answers.h"

namespace answers {
namespace {

using json::array;
using json::Members;
using json::Value;
using json::Written;

Value or_null(const std::optional<std::int64_t>& number)
{
    return number ? Value{*number} : Value{};
}

Value or_null(const std::string& text)
{
    return text.empty() ? Value{} : Value{text};
}

// `open` and `disabled` are the original's words.
Written members_of(const admin::Account& account)
{
    const bool is_active = account.state == mailbox::State::active;
    return json::value_of({{"id", std::to_string(account.id)},
                           {"name", account.name},
                           {"status", std::string{is_active ? "open" : "disabled"}},
                           {"created_at", date(account.created_at)},
                           {"updated_at", date(account.updated_at)},
                           {"features", Written{"{}"}},
                           {"state", std::string{mailbox::text(account.state)}},
                           {"max_mailboxes", or_null(account.max_mailboxes)},
                           {"max_domains", account.max_domains},
                           {"aliases", account.aliases},
                           {"max_aliases", or_null(account.max_aliases)},
                           {"domains", account.domains},
                           {"mailboxes", account.mailboxes},
                           {"size_bytes", account.size_bytes}});
}

Written members_of(const DomainAnswer& answer)
{
    const auto& domain = answer.domain;
    const bool is_active = domain.state == mailbox::State::active;
    Members members{{"created_at", date(domain.created_at)},
                    {"id", std::to_string(domain.id)},
                    {"is_disabled", !is_active},
                    {"name", std::string{answer.text}},
                    {"require_tls", false},
                    {"skip_verification", false},
                    {"smtp_login", "postmaster@" + std::string{answer.text}},
                    {"spam_action", std::string{"disabled"}},
                    {"state", std::string{mailbox::text(domain.state)}},
                    {"type", std::string{"custom"}},
                    {"use_automatic_sender_security", false},
                    {"web_prefix", std::string{"email"}},
                    {"web_scheme", std::string{"http"}},
                    {"wildcard", false},
                    {"subaccount_id", std::to_string(domain.account_id)},
                    {"max_mailboxes", or_null(domain.max_mailboxes)},
                    {"quota_bytes", or_null(domain.quota_bytes)},
                    {"on_duplicate", std::string{domain.updates_duplicates ? "update" : "reject"}},
                    {"allow_delete_all", domain.allows_delete_all},
                    {"aliases", domain.aliases},
                    {"max_aliases", or_null(domain.max_aliases)},
                    {"system_addresses", domain.has_system_addresses},
                    {"forward_outside", domain.forwards_outside},
                    {"mailboxes", domain.mailboxes},
                    {"size_bytes", domain.size_bytes}};
    if (!answer.smtp_password.empty())
        members.emplace_back("smtp_password", std::string{answer.smtp_password});
    return json::value_of(members);
}

// An MX record has no name in the original, and the others have no priority.
std::string record(const dns::Record& record, const resolver::Found& found)
{
    Members members{{"is_active", found.valid == resolver::Valid::valid},
                    {"cached", array(found.values, json::quoted)},
                    {"record_type", record.type},
                    {"valid", std::string{resolver::text(found.valid)}},
                    {"value", record.value}};
    if (record.priority.empty()) members.emplace_back("name", record.name);
    else members.emplace_back("priority", record.priority);
    return json::value_of(members).json;
}

Written records(const std::vector<dns::Record>& all, const std::vector<resolver::Found>& found,
                std::size_t first)
{
    std::size_t number = first;
    return array(all, [&](const dns::Record& each) {
        const auto at = number++;
        return record(each, at < found.size() ? found[at] : resolver::Found{});
    });
}

// Without a zone: the time is UTC. mailgun-go reads exactly this form.
std::string key_date(std::int64_t seconds)
{
    const std::time_t time = seconds;
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc)};
}

// A key that does not expire has no `expires_at`: some clients cannot read null there.
Members members_of(const admin::KeyDetails& key)
{
    const bool is_of_operator = key.account_id == 0;
    const std::string role = is_of_operator ? "operator" : "admin";
    Members members{
        {"id", key.id},
        {"description", key.label},
        {"kind", key.kind},
        {"role", key.is_read_only ? std::string{"basic"} : role},
        {"created_at", key_date(key.created_at)},
        {"updated_at", key_date(key.revoked_at == 0 ? key.created_at : key.revoked_at)},
        {"is_disabled", false},
        {"domain_name", key.domain ? Value{*key.domain} : Value{}},
        {"requestor", Value{}},
        {"user_name", or_null(key.user_name)},
        {"subaccount_id", is_of_operator ? Value{} : Value{std::to_string(key.account_id)}},
        {"addresses", or_null(key.addresses)}};
    if (key.expires_at != 0) members.emplace_back("expires_at", key_date(key.expires_at));
    return members;
}

}  // namespace

std::string account(const admin::Account& account)
{
    return json::object({{"subaccount", members_of(account)}});
}

std::string accounts(const admin::AccountPage& page)
{
    const auto items =
        array(page.items, [](const admin::Account& each) { return members_of(each).json; });
    return json::object({{"subaccounts", items}, {"total", page.total}});
}

std::string domain(const DomainAnswer& answer)
{
    Members members{{"domain", members_of(answer)}};
    if (!answer.message.empty()) members.emplace_back("message", std::string{answer.message});
    members.emplace_back("receiving_dns_records", records(answer.receiving, answer.found, 0));
    members.emplace_back("sending_dns_records",
                         records(answer.sending, answer.found, answer.receiving.size()));
    return json::object(members);
}

std::string keys(std::int64_t total, const std::vector<admin::KeyDetails>& keys)
{
    const auto items = array(
        keys, [](const admin::KeyDetails& each) { return json::value_of(members_of(each)).json; });
    return json::object({{"total_count", total}, {"items", items}});
}

std::string new_key(const admin::KeyDetails& key, std::string_view secret)
{
    auto members = members_of(key);
    members.emplace_back("secret", std::string{secret});
    return json::object(
        {{"message", std::string{"Key has been created"}}, {"key", json::value_of(members)}});
}

std::string usage(const usage::Page& page)
{
    const auto items = array(page.rows, [](const usage::Row& row) {
        return json::value_of({{"account", row.account},
                               {"domain", row.domain ? Value{*row.domain} : Value{}},
                               {"domains", row.domains},
                               {"mailboxes", row.mailboxes},
                               {"size_bytes", row.size_bytes},
                               {"max_mailboxes", or_null(row.max_mailboxes)}})
            .json;
    });
    return json::object({{"items", items}, {"total_count", page.total}});
}

// `at` is the time as RFC 2822 has it, and `at_microseconds` the exact one.
std::string audit(const std::vector<audit::Entry>& entries)
{
    constexpr std::int64_t kMicroseconds = 1'000'000;
    const auto items = array(entries, [](const audit::Entry& entry) {
        return json::value_of({{"at", date(entry.at / kMicroseconds)},
                               {"at_microseconds", entry.at},
                               {"actor", entry.actor},
                               {"client", or_null(entry.client)},
                               {"action", entry.action},
                               {"domain", or_null(entry.domain)},
                               {"what", or_null(entry.what)}})
            .json;
    });
    return json::object({{"items", items}});
}

namespace {

std::string address(const std::string& local_part, std::string_view domain)
{
    return local_part + "@" + std::string{domain};
}

Value date_or_null(std::int64_t seconds)
{
    return seconds == 0 ? Value{} : Value{date(seconds)};
}

Written members_of(const store::Details& mailbox, std::string_view domain, mailbox::As as)
{
    Members members{{"mailbox", address(mailbox.local_part, domain)}};
    if (as == mailbox::As::credentials)
        members.emplace_back("login", address(mailbox.local_part, domain));
    const Members rest{{"created_at", date(mailbox.created_at)},
                       {"size_bytes", mailbox.size_bytes},
                       {"messages", mailbox.messages},
                       {"quota_bytes", or_null(mailbox.quota_bytes)},
                       {"state", mailbox.state},
                       {"last_login", date_or_null(mailbox.last_login)},
                       {"last_delivery", date_or_null(mailbox.last_delivery)}};
    members.insert(members.end(), rest.begin(), rest.end());
    return json::value_of(members);
}

}  // namespace

std::string mailbox(const store::Details& mailbox, std::string_view domain)
{
    return json::object({{"mailbox", members_of(mailbox, domain, mailbox::As::mailbox)}});
}

std::string detailed_listing(const store::DetailedListing& listing, std::string_view domain,
                             mailbox::As as)
{
    const auto items = array(listing.items, [&](const store::Details& each) {
        return members_of(each, domain, as).json;
    });
    return json::object({{"total_count", listing.total}, {"items", items}});
}

std::string deleted_mailboxes(const life::DeletedPage& page, std::string_view domain,
                              std::chrono::seconds grace)
{
    const auto items = array(page.items, [&](const life::Deleted& each) {
        return json::value_of({{"mailbox", address(each.local_part, domain)},
                               {"deleted_at", date(each.deleted_at)},
                               {"restorable_until", date(each.deleted_at + grace.count())},
                               {"size_bytes", each.size_bytes},
                               {"id", each.storage_id}})
            .json;
    });
    return json::object({{"total_count", page.total}, {"items", items}});
}

std::string no_tracking()
{
    constexpr const char* kOff =
        R"({"open":{"active":false,"place_at_the_top":false},"click":{"active":false},)"
        R"("unsubscribe":{"active":false,"html_footer":"","text_footer":""}})";
    return json::object({{"tracking", Written{kOff}}});
}

}  // namespace answers
