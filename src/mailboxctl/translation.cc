#include "mailboxctl/translation.h"

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>
#include <utility>

#include "base/strings.h"

namespace translation {
namespace {

using import_row::Kind;
using import_row::Row;

std::string domain_of(std::string_view address)
{
    const auto at = address.rfind('@');
    return std::string{at == std::string_view::npos ? address : address.substr(at + 1)};
}

// PostfixAdmin's address for absence messages: alice#example.org@autoreply.example.org.
bool is_absence_message(std::string_view target, std::string_view address)
{
    const auto at = address.rfind('@');
    if (at == std::string_view::npos) return false;
    const auto name =
        std::string{address.substr(0, at)} + "#" + std::string{address.substr(at + 1)};
    return target.substr(0, target.rfind('@')) == name;
}

// mailcow's addresses that throw mail away or teach its filter.
bool is_local_service(std::string_view target)
{
    return target == "null@localhost" || target == "spam@localhost" || target == "ham@localhost";
}

}  // namespace

std::string quota_of(std::string_view text, std::int64_t unit)
{
    if (text == "0" || text == "-1" || text.empty()) return "none";
    const auto number = strings::whole_number(text);
    const auto greatest =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / unit);
    if (!number || *number > greatest) return std::string{text};
    if (*number == 0) return "none";
    return std::to_string(*number * static_cast<std::uint64_t>(unit));
}

std::string date_of(std::string_view text)
{
    static constexpr std::array<std::string_view, 3> kUnknown{
        "2000-01-01 00:00:00", "1970-01-01 01:01:01", "1970-01-01 00:00:00"};
    if (text.starts_with("0000-") || text.find("-00") != std::string_view::npos) return {};
    if (std::find(kUnknown.begin(), kUnknown.end(), text) != kUnknown.end()) return {};
    return std::string{text.substr(0, text.find('.'))};
}

bool is_own_transport(std::string_view transport)
{
    const auto name = strings::lower_case(transport.substr(0, transport.find(':')));
    return name.empty() || name == "virtual" || name == "dovecot" || name == "lmtp"
           || name == "maildrop";
}

std::vector<std::string> addresses_of(std::string_view list)
{
    auto all = strings::words(list, ", \t\r\n");
    for (auto& each : all) each = strings::lower_case(each);
    return all;
}

std::string path_below(const std::string& root, std::string_view usual, std::string_view path)
{
    std::string all = root.empty() ? std::string{usual} : root;
    while (all.ends_with('/')) all.pop_back();
    while (path.starts_with('/')) path.remove_prefix(1);
    while (path.ends_with('/')) path.remove_suffix(1);
    return all + "/" + std::string{path};
}

void Translation::note(std::string_view table, std::string_view what, std::string_view subject)
{
    note_count(table, what, 1);
    notes_[places_.at({std::string{table}, std::string{what}})].subjects.emplace_back(subject);
}

void Translation::note_count(std::string_view table, std::string_view what, std::int64_t count)
{
    const auto [place, is_new] =
        places_.emplace(std::pair{std::string{table}, std::string{what}}, notes_.size());
    if (is_new) notes_.push_back({std::string{table}, std::string{what}});
    notes_[place->second].count += count;
}

void Translation::note_others(const source_tables::Tables& tables,
                              const std::map<std::string, std::string>& known,
                              const std::vector<std::string_view>& prefixes)
{
    for (const auto& [table, rows] : tables.others) {
        if (rows == 0) continue;
        const auto is_near = std::any_of(prefixes.begin(), prefixes.end(),
                                         [&](auto prefix) { return table.starts_with(prefix); });
        if (const auto found = known.find(table); found != known.end())
            note_count(table, found->second, rows);
        else if (is_near) note_count(table, "not imported", rows);
        else note("other tables", "not about mail, not imported", table);
    }
}

void Translation::note_columns(std::string_view table, const source_tables::Row& row,
                               const std::vector<Column>& columns, std::string_view subject)
{
    for (const auto& column : columns) {
        const auto& value = row[column.name];
        if (std::find(column.usual.begin(), column.usual.end(), value) == column.usual.end())
            note(table, std::string{column.name} + ": " + std::string{column.what}, subject);
    }
}

void Translation::domain(std::string_view table, std::string_view name, Use use)
{
    const auto lower = strings::lower_case(name);
    domains_[lower] = use;
    domains_table_ = table;
    if (use == Use::off)
        note(table, "inactive domain: its mailboxes become disabled, its aliases are left out",
             lower);
    if (use == Use::elsewhere)
        note(table, "mail of the domain is delivered by another server: nothing of it is imported",
             lower);
}

bool Translation::is_hosted(std::string_view table, std::string_view address)
{
    const auto domain = domains_.find(domain_of(address));
    if (domain != domains_.end() && domain->second != Use::elsewhere) return true;
    note(table,
         domain == domains_.end() ? "left out: its domain is not in the table of domains"
                                  : "left out: its domain is delivered by another server",
         address);
    return false;
}

Row* Translation::mailbox(std::string_view table, std::string_view address,
                          std::string_view created, std::string_view number)
{
    const auto lower = strings::lower_case(address);
    if (!is_hosted(table, lower)) return nullptr;
    auto& box = boxes_.emplace_back();
    box.row.kind = Kind::mailbox;
    box.row.address = lower;
    box.row.created_at = date_of(created);
    // The sequence of creation is the order of lists. An unknown date becomes that of the import,
    // so it comes last.
    constexpr std::size_t kDigits = 20;
    box.created = box.row.created_at;
    if (box.created.empty())
        box.created = "~" + std::string(kDigits - std::min(kDigits, number.size()), '0')
                      + std::string{number};
    box.row.state = domains_.find(domain_of(lower))->second == Use::off ? "disabled" : "active";
    mailboxes_.insert(lower);
    used_domains_.insert(domain_of(lower));
    return &box.row;
}

void Translation::forward(const Forward& forward)
{
    const auto address = strings::lower_case(forward.address);
    const bool is_self = forward.targets.size() == 1 && forward.targets.front() == address;
    if (!forward.is_active) {
        if (!is_self) note(forward.table, "inactive alias: left out", address);
        return;
    }
    if (!is_hosted(forward.table, address)) return;
    if (domains_.find(domain_of(address))->second == Use::off) {
        if (!is_self) note(forward.table, "alias of an inactive domain: left out", address);
        return;
    }
    auto& alias = aliases_[address];
    alias.table = forward.table;
    if (alias.description.empty()) alias.description = forward.description;
    alias.targets.insert(alias.targets.end(), forward.targets.begin(), forward.targets.end());
}

void Translation::alias_domain(std::string_view table, std::string_view name,
                               std::string_view target, bool is_active)
{
    const auto lower = strings::lower_case(name);
    if (!is_active) return note(table, "inactive alias domain: left out", lower);
    if (!is_hosted(table, "@" + strings::lower_case(target))) return;
    alias_domains_.emplace(lower, strings::lower_case(target));
}

// An alias of @old.example to @new.example, as older releases wrote an alias domain.
void Translation::add_catch_all_of_domain(const std::string& address, const Alias& alias)
{
    const auto name = address.substr(1), target = alias.targets.front().substr(1);
    const auto is_of_domain = [&](const auto& each) {
        return domain_of(each) == name && each != address;
    };
    const bool is_used = std::any_of(mailboxes_.begin(), mailboxes_.end(), is_of_domain)
                         || std::any_of(aliases_.begin(), aliases_.end(),
                                        [&](const auto& each) { return is_of_domain(each.first); });
    if (!address.starts_with('@') || alias.targets.size() > 1 || is_used)
        return note(alias.table,
                    "left out: it leads to a whole domain, and is no alias domain because its "
                    "domain has addresses of its own",
                    address);
    alias_domains_.emplace(name, target);
}

void Translation::add_alias(const std::string& address, Alias& alias)
{
    auto& targets = alias.targets;
    const auto drop = [&](auto is_one, std::string_view what) {
        if (std::erase_if(targets, is_one) > 0) note(alias.table, what, address);
    };
    drop([&](const auto& each) { return is_absence_message(each, address); },
         "an absence message was on: it is not imported");
    drop(is_local_service, "a target that throws mail away or teaches a filter: left out");
    const bool has_mailbox = mailboxes_.contains(address);
    const bool keeps = std::erase(targets, address) > 0;
    if (targets.empty()) {
        if (!keeps || !has_mailbox) note(alias.table, "left out: no target remains", address);
        return;
    }
    if (std::any_of(targets.begin(), targets.end(),
                    [](const auto& each) { return each.starts_with('@'); }))
        return add_catch_all_of_domain(address, alias);
    auto& row = alias_rows_.emplace_back();
    row.kind = Kind::alias;
    row.address = address;
    std::vector<std::string> once;
    for (auto& each : targets) {
        if (std::find(once.begin(), once.end(), each) == once.end()) once.push_back(each);
    }
    row.targets = strings::joined(once, " ");
    // Before, the alias was asked first: without the own address in it, the mailbox got nothing.
    if (has_mailbox) row.stop = keeps ? "no" : "yes";
    row.description = alias.description;
    used_domains_.insert(domain_of(address));
}

void Translation::note_empty_domains()
{
    for (const auto& [name, use] : domains_) {
        const bool is_used = used_domains_.contains(name) || alias_domains_.contains(name);
        if (use != Use::elsewhere && !is_used)
            note(domains_table_,
                 "without mailboxes and aliases: not added; mailboxctl domain add adds it", name);
    }
}

Translated Translation::finish()
{
    for (auto& [address, alias] : aliases_) add_alias(address, alias);
    std::sort(boxes_.begin(), boxes_.end(), [](const Box& left, const Box& right) {
        return std::tie(left.created, left.row.address)
               < std::tie(right.created, right.row.address);
    });
    Translated all;
    for (auto& box : boxes_) all.rows.push_back(std::move(box.row));
    for (auto& row : alias_rows_) all.rows.push_back(std::move(row));
    for (const auto& [name, target] : alias_domains_) {
        auto& row = all.rows.emplace_back();
        row.kind = Kind::alias_domain;
        row.address = name;
        row.targets = target;
    }
    std::int64_t line = 0;
    for (auto& row : all.rows) row.line = ++line;
    note_empty_domains();
    all.notes = std::move(notes_);
    return all;
}

}  // namespace translation
