#include "mailboxctl/import_values.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "base/strings.h"
#include "db/accounts.h"
#include "mail/password.h"
#include "mail/password_hash.h"

namespace import_values {
namespace {

using import_row::Row;
using mailbox::Address;
using mailbox::Domain;

constexpr std::string_view kSeparators = ", \t\r\n";

// Returns the sentence of a value of mail/ without its beginning, "'mailbox' parameter is ".
std::string without_parameter(std::string sentence)
{
    for (const std::string_view start : {"parameter is not valid: ", "parameter is "}) {
        if (const auto at = sentence.find(start); at != std::string::npos)
            return sentence.substr(at + start.size());
    }
    return sentence;
}

Domain domain_of(std::string_view text, std::string_view column)
{
    auto domain = Domain::parse(text);
    if (!domain) throw Bad(column, "'" + shown(text) + "' is not a domain name");
    if (const auto why = mailbox::obstacle_to_hosting(*domain); !why.empty())
        throw Bad(column, "'" + shown(text) + "' cannot be a domain: " + std::string{why});
    return *std::move(domain);
}

Address address_of(std::string_view text, std::string_view column)
{
    const auto at = text.rfind('@');
    if (at == std::string_view::npos)
        throw Bad(column, "'" + shown(text) + "' is not an address: it has no @");
    const auto domain = domain_of(text.substr(at + 1), column);
    try {
        return Address::parse(text, domain);
    } catch (const mailbox::Invalid& invalid) {
        throw Bad(column, "'" + shown(text) + "' is not an address for a mailbox: "
                              + without_parameter(invalid.what()));
    }
}

std::optional<store::Quota> quota_of(const std::string& text)
{
    if (text.empty()) return std::nullopt;
    if (text == "0") return store::Quota{store::kNoQuota};
    try {
        return admin::quota_of_mailbox(text);
    } catch (const admin::Refused&) {
        throw Bad("quota", "'" + shown(text)
                               + "' is not a quota; use a number of bytes, a size such as 500M, "
                                 "none for no limit, or default for that of its domain");
    }
}

std::optional<mailbox::State> state_of(const std::string& text)
{
    if (text.empty()) return std::nullopt;
    for (const auto state :
         {mailbox::State::active, mailbox::State::no_login, mailbox::State::disabled}) {
        if (text == mailbox::text(state)) return state;
    }
    throw Bad("state", "'" + shown(text) + "' is not a state; use active, no_login or disabled");
}

std::int64_t created_at_of(const std::string& text)
{
    if (text.empty()) return 0;
    const auto time = time_of(text);
    if (!time)
        throw Bad("created_at", "'" + shown(text)
                                    + "' is not a date; use seconds since 1970 or a form such as "
                                      "2011-09-27T20:24:22Z, and nothing if it is not known");
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch());
    constexpr std::chrono::hours kTolerance{24};  // another time zone
    if (std::chrono::seconds{*time} > now + kTolerance)
        throw Bad("created_at", "'" + shown(text) + "' is in the future");
    return *time;
}

// Sets the password or the hash.
void set_secret(Mailbox& mailbox, const Row& row, const Hashes& hashes, const Config& config)
{
    if (!row.password.empty() && !row.hash.empty())
        throw Bad("hash", "there are a password and a hash; give one of them");
    mailbox.password = row.password;
    auto column = std::string_view{"password"};
    if (!row.hash.empty()) {
        column = "hash";
        auto understood = password_hash::understand(row.hash, hashes.schemes, hashes.scheme);
        // A mark before the hash is how some systems suspend a login.
        if (understood.is_locked)
            mailbox.state =
                std::max(mailbox.state.value_or(mailbox::State::active), mailbox::State::no_login);
        switch (understood.kind) {
        case password_hash::Understood::Kind::stored:
            mailbox.hash = std::move(understood.text);
            mailbox.scheme = std::move(understood.scheme);
            return;
        case password_hash::Understood::Kind::plain:
            mailbox.password = std::move(understood.text);
            break;
        case password_hash::Understood::Kind::unknown:
            if (!hashes.makes_passwords) throw Bad("hash", understood.text);
            mailbox.lost_hash = understood.text;
            mailbox.needs_password = true;
            return;
        }
    }
    if (mailbox.password.empty()) {
        mailbox.needs_password = true;
        return;
    }
    try {
        password::check(mailbox.password, mailbox.address, config);
    } catch (const mailbox::Invalid& invalid) {
        // Without the value: the sentence stands in a report.
        throw Bad(column, "the password cannot be used: " + without_parameter(invalid.what()));
    }
}

void check_maildir(const std::string& path)
{
    if (path.empty()) return;
    struct stat about {};
    if (!path.starts_with('/'))
        throw Bad("maildir", "'" + shown(path) + "' is not an absolute path");
    if (::lstat(path.c_str(), &about) != 0)
        throw Bad("maildir", "'" + shown(path) + "' does not exist or cannot be reached");
    if (S_ISLNK(about.st_mode)) throw Bad("maildir", "'" + shown(path) + "' is a symbolic link");
    if (!S_ISDIR(about.st_mode)) throw Bad("maildir", "'" + shown(path) + "' is not a folder");
}

void check_utf8(const Row& row)
{
    for (const auto* text : {&row.address, &row.hash, &row.quota, &row.state, &row.created_at,
                             &row.aliases, &row.targets, &row.stop, &row.description}) {
        if (!strings::is_utf8(*text))
            throw Bad("", "the row is not valid UTF-8; is it Latin-1? iconv -f LATIN1 -t UTF-8 "
                          "converts the file");
        if (strings::has_control_character(*text)) throw Bad("", "the row has a control character");
    }
}

void refuse_values(const Row& row, const char* what,
                   std::initializer_list<std::pair<const char*, const std::string*>> others)
{
    check_utf8(row);
    for (const auto& [name, value] : others) {
        if (!value->empty()) throw Bad(name, std::string{what} + " has no " + name);
    }
}

}  // namespace

std::string shown(std::string_view text)
{
    constexpr std::size_t kLongest = 80;
    std::string all;
    for (const char c : text.substr(0, kLongest)) {
        const bool is_printable = c >= ' ' && c <= '~';
        all += is_printable ? c : '?';
    }
    return all + (text.size() > kLongest ? "…" : "");
}

Mailbox mailbox_of(const Row& row, const Hashes& hashes, const Config& config)
{
    check_utf8(row);
    if (row.address.empty()) throw Bad("address", "there is no address");
    Mailbox mailbox{.address = address_of(row.address, "address")};
    mailbox.quota = quota_of(row.quota);
    mailbox.state = state_of(row.state);
    mailbox.created_at = created_at_of(row.created_at);
    set_secret(mailbox, row, hashes, config);
    for (const auto& each : strings::words(row.aliases, kSeparators))
        mailbox.aliases.push_back(address_of(each, "aliases"));
    for (const auto& [name, value] :
         {std::pair{"stop", &row.stop}, {"description", &row.description}}) {
        if (!value->empty())
            throw Bad(name, std::string{"a mailbox has no "} + name
                                + "; only an alias has, whose "
                                  "row has targets");
    }
    check_maildir(row.maildir);
    mailbox.maildir = row.maildir;
    return mailbox;
}

std::string Alias::text() const
{
    return pattern.local_part + "@" + (pattern.domain ? pattern.domain->text() : "*");
}

std::vector<std::string> Alias::actions() const
{
    std::vector<std::string> all;
    for (const auto& target : targets) all.push_back(alias::action_of(target));
    if (has_stop) all.emplace_back("stop()");
    return all;
}

Alias alias_of(const Row& row)
{
    refuse_values(row, "an alias",
                  {{"password", &row.password},
                   {"hash", &row.hash},
                   {"quota", &row.quota},
                   {"state", &row.state},
                   {"aliases", &row.aliases},
                   {"maildir", &row.maildir}});
    Alias alias{.pattern = {}, .targets = {}, .has_stop = row.stop == "yes"};
    if (row.stop != "yes" && row.stop != "no" && !row.stop.empty())
        throw Bad("stop", "'" + shown(row.stop) + "' is neither yes nor no");
    if (row.address.starts_with('@')) {
        if (row.address != "@*") alias.pattern.domain = domain_of(row.address.substr(1), "address");
    } else {
        const auto address = address_of(row.address, "address");
        alias.pattern = {address.local_part(), *Domain::parse(address.domain())};
    }
    for (const auto& word : strings::words(row.targets, kSeparators)) {
        auto target = alias::target_of(word);
        if (!target)
            throw Bad("targets", "'" + shown(word) + "' is not an address that mail can go to");
        target->local_part = strings::lower_case(target->local_part);
        const auto is_same = [&](const alias::Target& other) {
            return other.local_part == target->local_part
                   && other.domain.name() == target->domain.name();
        };
        if (std::none_of(alias.targets.begin(), alias.targets.end(), is_same))
            alias.targets.push_back(*std::move(target));
    }
    if (alias.targets.empty()) throw Bad("targets", "an alias needs a target");
    if (alias.targets.size() > alias::kMaxTargets)
        throw Bad("targets", "there are " + std::to_string(alias.targets.size())
                                 + " targets; an alias has at most "
                                 + std::to_string(alias::kMaxTargets));
    constexpr std::size_t kLongestDescription = 250;  // of 1000 bytes, if each needs four
    if (strings::characters(row.description) > kLongestDescription)
        throw Bad("description", "it is longer than 250 characters");
    alias.description = row.description;
    return alias;
}

Alias alias_to(const Address& address, const Address& mailbox)
{
    const auto domain = [](const Address& of) { return *Domain::parse(of.domain()); };
    return {.pattern = {address.local_part(), domain(address)},
            .targets = {{mailbox.local_part(), domain(mailbox)}}};
}

AliasDomain alias_domain_of(const Row& row)
{
    if (row.address.empty()) throw Bad("address", "there is no address");
    if (row.targets.empty())
        throw Bad("address",
                  "'" + shown(row.address)
                      + "' is not an address: it has no @. (For an alias domain, targets "
                        "names the domain that it stands for.)");
    refuse_values(row, "an alias domain",
                  {{"password", &row.password},
                   {"hash", &row.hash},
                   {"quota", &row.quota},
                   {"state", &row.state},
                   {"aliases", &row.aliases},
                   {"maildir", &row.maildir},
                   {"stop", &row.stop}});
    return {domain_of(row.address, "address"), domain_of(row.targets, "targets")};
}

namespace {

std::optional<int> number(std::string_view text, std::size_t at, std::size_t length)
{
    if (at + length > text.size()) return std::nullopt;
    const auto found = strings::whole_number(text.substr(at, length));
    return found ? std::optional{static_cast<int>(*found)} : std::nullopt;
}

// The seconds of 20:24:22, or of an offset as +02:00 without its sign.
std::optional<std::int64_t> clock_of(std::string_view text)
{
    constexpr std::size_t kFull = 8, kShort = 5;
    if (text.size() != kFull && text.size() != kShort) return std::nullopt;
    const auto hours = number(text, 0, 2);
    const auto minutes = number(text, 3, 2);
    const auto seconds = text.size() == kFull ? number(text, 6, 2) : std::optional{0};
    if (!hours || !minutes || !seconds || text[2] != ':'
        || (text.size() == kFull && text[5] != ':'))
        return std::nullopt;
    if (*hours > 23 || *minutes > 59 || *seconds > 60) return std::nullopt;
    return (*hours * 60 + *minutes) * 60 + *seconds;
}

std::optional<std::int64_t> seconds_of(int year, int month, int day, std::int64_t clock)
{
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok() || year < 1970) return std::nullopt;
    return std::chrono::sys_days{date}.time_since_epoch() / std::chrono::seconds{1} + clock;
}

// 27 Sep 2011 20:24:22 GMT, after the day of the week.
std::optional<std::int64_t> mail_time_of(std::string_view text)
{
    constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto words = strings::words(text);
    if (words.size() < 4 || words.size() > 5) return std::nullopt;
    const auto day = strings::whole_number(words[0], 31);
    const auto month = std::find(kMonths.begin(), kMonths.end(), words[1]);
    const auto year = strings::whole_number(words[2], 9999);
    const auto clock = clock_of(words[3]);
    const bool is_utc = words.size() == 4 || words[4] == "GMT" || words[4] == "UTC"
                        || words[4] == "+0000" || words[4] == "-0000";
    if (!day || month == kMonths.end() || !year || !clock || !is_utc) return std::nullopt;
    return seconds_of(static_cast<int>(*year), static_cast<int>(month - kMonths.begin()) + 1,
                      static_cast<int>(*day), *clock);
}

}  // namespace

std::optional<std::int64_t> time_of(std::string_view text)
{
    constexpr std::uint64_t kLast = 253'402'300'799;  // of the year 9999
    if (const auto seconds = strings::whole_number(text, kLast))
        return static_cast<std::int64_t>(*seconds);
    if (const auto comma = text.find(", "); comma == 3) return mail_time_of(text.substr(5));
    const auto year = number(text, 0, 4), month = number(text, 5, 2), day = number(text, 8, 2);
    if (!year || !month || !day || text[4] != '-' || text[7] != '-') return std::nullopt;
    constexpr std::size_t kDate = 10;
    if (text.size() == kDate) return seconds_of(*year, *month, *day, 0);
    if (text[kDate] != 'T' && text[kDate] != ' ') return std::nullopt;
    auto rest = text.substr(kDate + 1);
    std::int64_t offset = 0;
    if (rest.ends_with('Z')) {
        rest.remove_suffix(1);
    } else if (const auto sign = rest.find_first_of("+-"); sign != std::string_view::npos) {
        const auto size = clock_of(rest.substr(sign + 1));
        if (!size) return std::nullopt;
        offset = rest[sign] == '+' ? *size : -*size;
        rest = rest.substr(0, sign);
    }
    if (const auto dot = rest.find('.'); dot != std::string_view::npos) rest = rest.substr(0, dot);
    const auto clock = clock_of(rest);
    if (!clock) return std::nullopt;
    const auto seconds = seconds_of(*year, *month, *day, *clock);
    return seconds ? std::optional{*seconds - offset} : std::nullopt;
}

}  // namespace import_values
