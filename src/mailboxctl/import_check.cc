#include "mailboxctl/import_check.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>
#include <utility>

#include "base/strings.h"
#include "db/domain_names.h"
#include "mailboxctl/import_passwords.h"

namespace import_check {
namespace {

using import_row::Kind;
using import_row::Problem;
using import_row::Read;
using import_row::Row;
using import_values::Bad;

std::string text_of(const store::Quota& quota)
{
    if (!quota) return "default";
    return *quota == store::kNoQuota ? "none" : std::to_string(*quota);
}

// In the table of names: a mailbox and an alias may have the same address.
std::string mailbox_key(const std::string& address)
{
    return "m " + address;
}
std::string alias_key(const std::string& address)
{
    return "a " + address;
}

}  // namespace

std::string_view text(Verdict verdict)
{
    switch (verdict) {
    case Verdict::is_new: return "new";
    case Verdict::same: return "same";
    case Verdict::different: return "different";
    case Verdict::bad: break;
    }
    return "bad";
}

// --- names ----------------------------------------------------------------------------

namespace {

std::uint64_t number_of(std::string_view name)
{
    const auto number = std::hash<std::string_view>{}(name);
    return number == 0 ? 1 : number;
}

}  // namespace

// The upper 8 bits of a number choose the table, the lower 32 the place. The place is a fraction of
// the table's size, which need not be a power of two then, and may grow by a quarter.
std::size_t Seen::Table::place_of(std::uint64_t number) const
{
    const auto fraction = static_cast<std::uint64_t>(static_cast<std::uint32_t>(number));
    auto place = static_cast<std::size_t>((fraction * numbers.size()) >> 32);
    while (numbers[place] != 0 && numbers[place] != number)
        place = place + 1 == numbers.size() ? 0 : place + 1;
    return place;
}

void Seen::Table::grow()
{
    constexpr std::size_t kFirst = 16;
    Table larger;
    const auto size = std::max(kFirst, numbers.size() + numbers.size() / 4);
    larger.numbers.resize(size);
    larger.lines.resize(size);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (numbers[i] == 0) continue;
        const auto place = larger.place_of(numbers[i]);
        larger.numbers[place] = numbers[i];
        larger.lines[place] = lines[i];
    }
    numbers = std::move(larger.numbers);
    lines = std::move(larger.lines);
}

std::int64_t Seen::note(std::string_view name, std::int64_t line)
{
    const auto number = number_of(name);
    auto& table = tables_[number >> 56];
    // At most four fifths are in use, because a search then looks at a dozen places.
    if ((table.count + 1) * 5 > table.numbers.size() * 4) table.grow();
    const auto place = table.place_of(number);
    if (table.numbers[place] == number) return table.lines[place];
    ++table.count;
    table.numbers[place] = number;
    table.lines[place] = static_cast<std::uint32_t>(line);
    return line;
}

bool Seen::has(std::string_view name) const
{
    const auto number = number_of(name);
    const auto& table = tables_[number >> 56];
    return table.count > 0 && table.numbers[table.place_of(number)] == number;
}

std::size_t Seen::bytes() const
{
    return std::accumulate(tables_.begin(), tables_.end(), std::size_t{0},
                           [](std::size_t sum, const Table& table) {
        return sum + table.numbers.capacity() * sizeof(std::uint64_t)
               + table.lines.capacity() * sizeof(std::uint32_t);
    });
}

// --- accounts and domains -------------------------------------------------------------

Checker::Checker(db::Connection& connection, std::string account, import_values::Hashes hashes,
                 const Config& config)
    : connection_{connection},
      account_name_{std::move(account)}, hashes_{std::move(hashes)}, config_{config}
{
    refresh();
}

void Checker::refresh()
{
    admin::Admin{connection_}.account_id(account_name_);  // refuses a name that nothing has
    const auto found = bulk::find_account(connection_, account_name_);
    if (!found) throw admin::Refused("the account " + account_name_ + " was removed just now");
    account_ = *found;
    new_mailboxes_ = new_aliases_ = 0;
    places_.clear();
}

Place& Checker::place_of(const std::string& domain)
{
    if (const auto known = places_.find(domain); known != places_.end()) return known->second;
    auto& place = places_[domain];
    place.name = domain;
    place.found = bulk::find_domain(connection_, domain);
    if (place.found && place.found->account != account_name_)
        place.obstacle = "the domain " + domain + " belongs to the account " + place.found->account
                         + ", not to " + account_name_;
    return place;
}

void Checker::take_allowance(Place& place)
{
    const auto check = [&](const char* whose, std::int64_t count, const admin::Limit& most) {
        if (!most || count < *most) return;
        throw Bad("", std::string{"the "} + whose + "'s allowance is used up: max_mailboxes is "
                          + std::to_string(*most));
    };
    if (place.found)
        check("domain", place.found->mailboxes + place.new_mailboxes, place.found->max_mailboxes);
    check("account", account_.mailboxes + new_mailboxes_, account_.max_mailboxes);
    ++place.new_mailboxes;
    ++new_mailboxes_;
}

void Checker::take_alias_allowance(Place* place)
{
    const auto check = [&](const char* whose, std::int64_t count, const admin::Limit& most) {
        if (!most || count < *most) return;
        throw Bad("", std::string{"the "} + whose + "'s allowance is used up: max_aliases is "
                          + std::to_string(*most));
    };
    if (place != nullptr && place->found)
        check("domain", place->found->aliases + place->new_aliases, place->found->max_aliases);
    check("account", account_.aliases + new_aliases_, account_.max_aliases);
    if (place != nullptr) ++place->new_aliases;
    ++new_aliases_;
}

// --- mailboxes ------------------------------------------------------------------------

Parsed Checker::parse(const Read& read) const
{
    if (read.problem) return {.problem = *read.problem};
    if (read.row.kind != Kind::mailbox) return {};
    try {
        return {.wanted = import_values::mailbox_of(read.row, hashes_, config_)};
    } catch (const Bad& bad) {
        return {.problem = {read.row.line, bad.column, bad.what()}};
    }
}

bool Checker::was_new(std::int64_t line) const
{
    const auto at = static_cast<std::size_t>(line);
    return at < new_lines_.size() && new_lines_[at];
}

void Checker::note_new(std::int64_t line)
{
    const auto at = static_cast<std::size_t>(line);
    if (at >= new_lines_.size()) new_lines_.resize(std::max(at + 1, new_lines_.size() * 2));
    new_lines_[at] = true;
}

Mailbox Checker::placed(const Read& read, Parsed parsed)
{
    Mailbox mailbox;
    mailbox.line = read.row.line;
    if (!parsed.wanted) {
        mailbox.problem = std::move(parsed.problem);
        return mailbox;
    }
    try {
        auto& wanted = *parsed.wanted;
        auto& place = place_of(wanted.address.domain());
        if (!place.obstacle.empty()) throw Bad("address", place.obstacle);
        if (place.found && place.found->name != place.name)
            throw Bad("address", place.name + " is an alias domain of " + place.found->name
                                     + "; mailboxes belong to " + place.found->name);
        const auto first = seen_.note(mailbox_key(wanted.address.ascii()), read.row.line);
        if (first != read.row.line)
            throw Bad("address", "'" + import_values::shown(read.row.address) + "' is "
                                     + wanted.address.ascii() + ", which line "
                                     + std::to_string(first) + " has already");
        mailbox.place = &place;
        mailbox.wanted = std::move(wanted);
        mailbox.verdict = Verdict::is_new;
    } catch (const Bad& bad) {
        mailbox.problem = {read.row.line, bad.column, bad.what()};
    }
    return mailbox;
}

// Notes the aliases and alias domains that a row may add, because rows before it may need them.
void Checker::announce(const Row& row, const Parsed& parsed)
{
    if (parsed.wanted) {
        for (const auto& each : parsed.wanted->aliases) announced_.note(each.ascii(), row.line);
    }
    if (row.kind == Kind::mailbox) return;
    try {
        if (row.kind == Kind::alias_domain) {
            const auto named = import_values::alias_domain_of(row);
            alias_domains_.emplace(named.name.name(), named.domain.name());
        } else {
            const auto pattern = import_values::alias_of(row).pattern;
            if (pattern.domain)
                announced_.note(pattern.local_part + "@" + pattern.domain->name(), row.line);
        }
    } catch (const Bad&) {
        // The function for such a row says what is wrong.
    }
}

std::vector<Mailbox> Checker::mailboxes(const std::vector<Read>& rows, std::vector<Parsed> parsed)
{
    std::vector<Mailbox> all;
    all.reserve(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& read = rows[i];
        auto of_row = parsed.empty() ? parse(read) : std::move(parsed[i]);
        if (!read.problem) announce(read.row, of_row);
        if (read.problem || read.row.kind == Kind::mailbox)
            all.push_back(placed(read, std::move(of_row)));
    }
    find_existing(all);
    compare(all);
    for (auto& mailbox : all) {
        if (mailbox.verdict != Verdict::is_new) continue;
        try {
            const auto& wanted = *mailbox.wanted;
            if (wanted.needs_password && !hashes_.makes_passwords)
                throw Bad("", "there is neither a password nor a hash; with --passwords FILE the "
                              "mailbox gets a new password, which FILE tells");
            take_allowance(*mailbox.place);
            note_new(mailbox.line);
        } catch (const Bad& bad) {
            mailbox.verdict = Verdict::bad;
            mailbox.problem = {mailbox.line, bad.column, bad.what()};
        }
    }
    return all;
}

void Checker::find_existing(std::vector<Mailbox>& all)
{
    std::map<Place*, std::vector<Mailbox*>> by_domain;
    for (auto& mailbox : all) {
        const bool is_asked = next_look_ == NextLook::asks_again || !was_new(mailbox.line);
        if (is_asked && mailbox.place != nullptr && mailbox.place->found
            && mailbox.place->found->mailboxes > 0)
            by_domain[mailbox.place].push_back(&mailbox);
    }
    for (const auto& [place, mailboxes] : by_domain) {
        std::vector<std::string> names;
        std::map<std::string_view, Mailbox*> by_name;
        for (auto* const each : mailboxes) {
            names.push_back(each->wanted->address.local_part());
            by_name[each->wanted->address.local_part()] = each;
        }
        for (auto& found : bulk::existing(connection_, place->found->id, names)) {
            auto& mailbox = *by_name.at(found.local_part);
            mailbox.existing = std::move(found);
            mailbox.verdict = Verdict::same;
        }
    }
}

// Compares what the rows give with what the mailboxes have. Plain passwords need a hash each.
void Checker::compare(std::vector<Mailbox>& all)
{
    std::vector<import_passwords::Compared> passwords;
    std::vector<Mailbox*> of_passwords;
    for (auto& mailbox : all) {
        if (!mailbox.existing) continue;
        const auto& wanted = *mailbox.wanted;
        const auto& is = *mailbox.existing;
        if (!wanted.hash.empty() && wanted.hash != is.hash) {
            mailbox.differences.emplace_back("another hash");
            mailbox.has_other_password = true;
        }
        if (wanted.quota && *wanted.quota != is.quota_bytes)
            mailbox.differences.push_back("quota " + text_of(is.quota_bytes) + " instead of "
                                          + text_of(*wanted.quota));
        if (wanted.state && *wanted.state != is.state)
            mailbox.differences.push_back("state " + std::string{mailbox::text(is.state)}
                                          + " instead of "
                                          + std::string{mailbox::text(*wanted.state)});
        if (wanted.password.empty() || compares_ == Compares::no_passwords) continue;
        passwords.push_back({wanted.password, &is.hash});
        of_passwords.push_back(&mailbox);
    }
    import_passwords::compare(passwords);
    for (std::size_t i = 0; i < passwords.size(); ++i) {
        if (passwords[i].is_same) continue;
        of_passwords[i]->has_other_password = true;
        of_passwords[i]->differences.emplace_back(passwords[i].is_comparable
                                                      ? "another password"
                                                      : "a hash that only Dovecot can verify");
    }
    for (auto& mailbox : all) {
        if (!mailbox.differences.empty()) mailbox.verdict = Verdict::different;
    }
}

// --- aliases --------------------------------------------------------------------------

// Returns the name of the domain that rows make this name stand for.
std::string Checker::own_name(const std::string& domain) const
{
    const auto other = alias_domains_.find(domain);
    return other == alias_domains_.end() ? domain : other->second;
}

void Checker::look_up(const std::vector<Read>& rows, const First& first)
{
    holders_.clear();
    std::map<std::int64_t, std::set<std::string>> names;
    std::set<std::int64_t> of_aliases;
    const auto add = [&](const std::string& domain, const std::string& local_part) -> std::int64_t {
        const auto& place = place_of(own_name(domain));
        if (!place.found || !place.obstacle.empty()) return 0;
        names[place.found->id].insert(local_part);
        return place.found->id;
    };
    const auto add_alias = [&](const std::string& domain, const std::string& local_part) {
        if (const auto id = add(domain, local_part); id != 0) of_aliases.insert(id);
    };
    for (const auto& read : rows) {
        if (read.problem) continue;
        try {
            if (read.row.kind == Kind::alias) {
                const auto alias = import_values::alias_of(read.row);
                if (alias.pattern.domain)
                    add_alias(alias.pattern.domain->name(), alias.pattern.local_part);
                for (const auto& each : alias.targets) add(each.domain.name(), each.local_part);
            } else if (read.row.kind == Kind::mailbox && !read.row.aliases.empty()) {
                const auto mailbox = import_values::mailbox_of(read.row, hashes_, config_);
                add(mailbox.address.domain(), mailbox.address.local_part());
                for (const auto& each : mailbox.aliases)
                    add_alias(each.domain(), each.local_part());
            }
        } catch (const Bad&) {
            // The function for such a row says what is wrong.
        }
    }
    if (first) first(of_aliases);
    for (const auto& [id, of_domain] : names) {
        const std::vector<std::string> all(of_domain.begin(), of_domain.end());
        for (std::size_t begin = 0; begin < all.size(); begin += bulk::kAtOnce) {
            const auto end = std::min(all.size(), begin + bulk::kAtOnce);
            holders_[id].merge(bulk::holders(connection_, id,
                                             {all.begin() + static_cast<std::ptrdiff_t>(begin),
                                              all.begin() + static_cast<std::ptrdiff_t>(end)}));
        }
    }
}

const bulk::Holders* Checker::holders_of(const Place& place, const std::string& local_part) const
{
    if (!place.found) return nullptr;
    const auto of_domain = holders_.find(place.found->id);
    if (of_domain == holders_.end()) return nullptr;
    const auto found = of_domain->second.find(local_part);
    return found == of_domain->second.end() ? nullptr : &found->second;
}

std::optional<bulk::NewAlias::Target> Checker::unchained(const alias::Target& target,
                                                         const bulk::Domain& of_alias)
{
    const auto name = target.domain.name();
    if (alias_domains_.contains(name)) return std::nullopt;
    const auto& place = place_of(name);
    if (place.found && place.obstacle.empty()) {
        const auto* const known = holders_of(place, target.local_part);
        if (known == nullptr || known->storage_id.empty() || known->has_alias) return std::nullopt;
        return bulk::NewAlias::Target{known->storage_id,
                                      target.local_part + "@" + place.found->name};
    }
    // The import may have added the domain since it was looked for.
    const auto found = bulk::find_domain(connection_, name);
    const bool is_outside = !found || found->account != account_name_;
    if (!is_outside || !of_alias.forwards_outside
        || !mailbox::obstacle_to_hosting(target.domain).empty())
        return std::nullopt;
    return bulk::NewAlias::Target{"", target.local_part + "@" + name};
}

std::optional<bulk::NewAlias> Checker::unchained(const Alias& alias)
{
    if (alias.verdict != Verdict::is_new || alias.place == nullptr || !alias.place->found)
        return std::nullopt;
    const auto& wanted = *alias.wanted;
    if (alias_domains_.contains(wanted.pattern.domain->name())) return std::nullopt;
    const auto& name = wanted.pattern.local_part;
    const auto* const known = holders_of(*alias.place, name);
    if (known == nullptr || known->has_alias || !known->storage_id.empty()) return std::nullopt;
    const auto actions = wanted.actions();
    bulk::NewAlias made{.local_part = name,
                        .description = wanted.description,
                        .expression = alias::expression_of(wanted.pattern),
                        .actions = strings::joined(actions, "\n"),
                        .has_stop = wanted.has_stop,
                        .targets = {}};
    for (const auto& each : wanted.targets) {
        auto target = unchained(each, *alias.place->found);
        if (!target) return std::nullopt;
        made.targets.push_back(*std::move(target));
    }
    try {
        alias::pattern_of(made.expression);
        alias::actions_of(actions);
    } catch (const mailbox::Invalid&) {
        return std::nullopt;  // alias::Changes says what is wrong
    }
    return made;
}

void Checker::note_alias(const Alias& alias)
{
    if (alias.place == nullptr || !alias.place->found) return;
    holders_[alias.place->found->id][alias.wanted->pattern.local_part].has_alias = true;
}

std::optional<alias::Alias> Checker::existing_alias(const Alias& alias)
{
    if (alias.place == nullptr) return bulk::catch_all_of_account(connection_, account_.id);
    const auto& name = alias.wanted->pattern.local_part;
    if (!alias.place->found) return std::nullopt;
    if (const auto* const known = holders_of(*alias.place, name); known && !known->has_alias)
        return std::nullopt;
    return alias::find(connection_, alias.place->found->name, name);
}

std::vector<Alias> Checker::aliases(const Row& row)
{
    std::vector<Alias> all;
    try {
        if (row.kind == Kind::alias) {
            all.push_back(checked(import_values::alias_of(row), row.line, "address"));
        } else if (!row.aliases.empty()) {
            const auto mailbox = import_values::mailbox_of(row, hashes_, config_);
            for (const auto& each : mailbox.aliases)
                all.push_back(
                    checked(import_values::alias_to(each, mailbox.address), row.line, "aliases"));
        }
    } catch (const Bad& bad) {
        all.push_back({.problem = {row.line, bad.column, bad.what()}});
    }
    return all;
}

Alias Checker::checked(import_values::Alias wanted, std::int64_t line, std::string_view column)
{
    Alias alias;
    try {
        std::string address = wanted.text();
        if (wanted.pattern.domain) {
            const auto name = own_name(wanted.pattern.domain->name());
            alias.place = &place_of(name);
            if (!alias.place->obstacle.empty()) throw Bad(column, alias.place->obstacle);
            const auto& own = alias.place->found ? alias.place->found->name : name;
            address = wanted.pattern.local_part + "@" + own;
        }
        const auto first = seen_.note(alias_key(address), line);
        if (first != line)
            throw Bad(column, "line " + std::to_string(first) + " has the alias " + address
                                  + " already; one row has all targets of an alias");
        alias.wanted = std::move(wanted);
        alias.existing = existing_alias(alias);
        check_targets(*alias.wanted, alias.place, column == "address" ? "targets" : column);
        alias.verdict = Verdict::is_new;
        if (alias.existing) compare(alias);
        else take_alias_allowance(alias.place);
    } catch (const Bad& bad) {
        alias.verdict = Verdict::bad;
        alias.problem = {line, bad.column, bad.what()};
    }
    return alias;
}

// An address outside needs the operator's permission for the alias's domain, which a domain that
// the import adds does not have.
void Checker::check_outside(const alias::Target& target, const Place* of_alias,
                            std::string_view column)
{
    const auto shown = "'" + import_values::shown(target.text()) + "'";
    if (of_alias == nullptr)
        throw Bad(column, shown
                              + " is on another server, where the catch-all of an account cannot "
                                "send to");
    if (!of_alias->found || !of_alias->found->forwards_outside)
        throw Bad(column, shown + " is on another server, and aliases of " + of_alias->name
                              + " may not send there; mailboxctl domain set " + of_alias->name
                              + " forward_outside=yes permits it once the domain is there");
    if (const auto why = mailbox::obstacle_to_hosting(target.domain); !why.empty())
        throw Bad(column, shown + " cannot be on another server: " + std::string{why});
}

bool Checker::has_name(const Place& place, const std::string& local_part)
{
    if (const auto* const known = holders_of(place, local_part))
        return known->has_alias || !known->storage_id.empty();
    return bulk::has_name(connection_, place.found->id, local_part);
}

void Checker::check_targets(const import_values::Alias& wanted, const Place* of_alias,
                            std::string_view column)
{
    for (const auto& target : wanted.targets) {
        const auto name = own_name(target.domain.name());
        const auto& place = place_of(name);
        const auto& own = place.found ? place.found->name : name;
        const auto address = target.local_part + "@" + own;
        const bool is_ours = place.obstacle.empty();
        if (is_ours && (seen_.has(mailbox_key(address)) || seen_.has(alias_key(address)))) continue;
        if (is_ours && place.found && has_name(place, target.local_part)) continue;
        // An alias of a later row is not noted yet. The writing pass comes back to this row.
        if (is_ours && announced_.has(address)) continue;
        if (!is_ours || (!place.found && place.new_mailboxes + place.new_aliases == 0)) {
            check_outside(target, of_alias, column);
            continue;
        }
        throw Bad(column, "'" + import_values::shown(target.text())
                              + "' is neither a mailbox nor an alias of the account, nor does the "
                                "import add it");
    }
}

void Checker::compare(Alias& alias)
{
    const auto stored_name = [&](const std::string& domain) {
        const auto name = own_name(domain);
        const auto& place = place_of(name);
        return place.found ? place.found->name : name;
    };
    std::set<std::string> wanted, is;
    for (const auto& each : alias.wanted->targets)
        wanted.insert(each.local_part + "@" + stored_name(each.domain.name()));
    bool is_whole = true;
    for (const auto& each : alias::targets(connection_, alias.existing->number)) {
        is.insert(each.address);
        is_whole = is_whole && each.is_there;
    }
    if (wanted != is)
        alias.differences.push_back("targets " + strings::joined(is, " ") + " instead of "
                                    + strings::joined(wanted, " "));
    else if (!is_whole) alias.differences.emplace_back("a target that was deleted and added again");
    if (alias::has_stop(alias.existing->actions) != alias.wanted->has_stop)
        alias.differences.emplace_back(alias.wanted->has_stop ? "no stop" : "stop");
    if (!alias.wanted->description.empty()
        && alias.wanted->description != alias.existing->description)
        alias.differences.emplace_back("another description");
    alias.verdict = alias.differences.empty() ? Verdict::same : Verdict::different;
}

AliasDomain Checker::alias_domain(const Row& row)
{
    AliasDomain checked;
    try {
        auto wanted = import_values::alias_domain_of(row);
        const auto name = wanted.name.name();
        const auto first = seen_.note("d " + name, row.line);
        if (first != row.line)
            throw Bad("address", name + " stands in line " + std::to_string(first) + " already");
        if (alias_domains_.contains(wanted.domain.name()))
            throw Bad("targets", wanted.domain.name() + " is an alias domain itself, by "
                                     + (wanted.domain.name() == name ? "this" : "another")
                                     + " row");
        const auto& domain = place_of(wanted.domain.name());
        if (!domain.obstacle.empty()) throw Bad("targets", domain.obstacle);
        if (domain.found && domain.found->name != domain.name)
            throw Bad("targets",
                      domain.name + " is an alias domain itself, of " + domain.found->name);
        const auto own = bulk::find_domain(connection_, name);
        if (own && own->name == name) throw Bad("address", name + " is a domain already");
        if (const auto place = places_.find(name);
            place != places_.end() && place->second.new_mailboxes > 0)
            throw Bad("address", "other rows add mailboxes to " + name);
        checked.verdict = Verdict::is_new;
        if (own && own->name == domain.name) checked.verdict = Verdict::same;
        else if (own) {
            if (own->account != account_name_)
                throw Bad("address",
                          name + " is an alias domain of another account's " + own->name);
            checked.verdict = Verdict::different;
            checked.differences.push_back("stands for " + own->name + " instead of " + domain.name);
        }
        checked.wanted = std::move(wanted);
    } catch (const Bad& bad) {
        checked.problem = {row.line, bad.column, bad.what()};
    }
    return checked;
}

}  // namespace import_check
