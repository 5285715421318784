#include "mail/address.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "mail/unicode.h"

namespace mailbox {
namespace {

constexpr std::size_t kMaxLocalPart = 64;  // RFC 5321 4.5.3.1.1
constexpr std::size_t kMaxAddress = 254;   // the path of 4.5.3.1.3 without its angle brackets
constexpr std::size_t kMaxDomain = 253;    // RFC 1035 2.3.4 as text
constexpr std::size_t kMaxLabel = 63;
constexpr std::string_view kAlphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789";
// RFC 5321's atom without those that some part of the mail system or a published client
// reads as something else: + (address extension), / ? # % (URLs), * (wildcard when
// sessions are ended), ! and % (source routes, to Postfix).
constexpr std::string_view kAtom = "abcdefghijklmnopqrstuvwxyz0123456789_-$&'=^`{|}~";

bool consists_of(std::string_view text, std::string_view allowed)
{
    return text.find_first_not_of(allowed) == std::string_view::npos;
}

// True if every part between dots satisfies `is_part`.
template <typename Predicate>
bool all_parts(std::string_view text, Predicate is_part)
{
    for (std::size_t begin = 0;;) {
        const auto end = text.find('.', begin);
        if (!is_part(text.substr(begin, end - begin))) return false;
        if (end == std::string_view::npos) return true;
        begin = end + 1;
    }
}

bool is_label(std::string_view label)
{
    return !label.empty() && label.size() <= kMaxLabel
           && consists_of(label, std::string{kAlphanumeric} + "-") && label.front() != '-'
           && label.back() != '-';
}

// Words that paths and maps use themselves. All are single labels and would be refused for that
// reason, but they have their own sentence because a domain of such a name harms others.
constexpr std::array kWords = std::to_array<std::string_view>({
    // mailboxd/routes.cc, nginx/
    "mailboxes",   "deleted", "restore", "domains", "credentials", "verify", "tracking", "accounts",
    "subaccounts", "enable",  "disable", "keys",    "usage",       "audit",  "routes",   "match",
    "v",           "v1",      "v2",      "v3",      "v4",          "v5",
    "mailboxd",  // the transport in sql/postfix/mailboxd-master.cf
});

// RFC 6761 keeps these out of the DNS. `check` asks about a name in `invalid`, because no mailbox
// can have it.
constexpr std::array<std::string_view, 2> kNoTopLevels{"localhost", "invalid"};

// Returns the rule that the local part breaks; empty if none.
std::string_view broken_rule(const std::string& local)
{
    if (local.size() > kMaxLocalPart) return "the part before the @ is longer than 64 bytes";
    if (!consists_of(local, std::string{kAtom} + ".")) {
        return "the part before the @ may have letters a to z, digits and . _ - $ & ' = ^ ` { | } ~";
    }
    if (local.front() == '-') return "it must not begin with a hyphen";
    if (!all_parts(local, [](std::string_view atom) { return !atom.empty(); }))
        return "a dot must stand between other characters";
    return {};
}

}  // namespace

std::optional<Domain> Domain::parse(std::string_view text)
{
    if (!text.empty() && text.back() == '.') text.remove_suffix(1);
    const bool is_ascii = unicode::is_ascii(text);
    auto name = is_ascii ? strings::lower_case(text) : unicode::a_labels(text).value_or("");
    if (name.size() > kMaxDomain || !all_parts(name, is_label)) return std::nullopt;
    auto written = is_ascii ? std::string{} : unicode::u_labels(name).value_or("");
    return Domain{std::move(name), std::move(written)};
}

bool is_word(const Domain& domain)
{
    return std::find(kWords.begin(), kWords.end(), domain.name()) != kWords.end();
}

std::string_view obstacle_to_hosting(const Domain& domain)
{
    const std::string_view name = domain.name();
    if (is_word(domain)) {
        return "paths of the API and maps of Postfix use that word themselves";
    }
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos)
        return "a mail domain has at least two labels, as in example.org";
    const auto top_level = name.substr(dot + 1);
    // RFC 3696 2: no top-level domain is a number. Programs that read addresses as C does take 0x7f
    // for a number, too.
    if (std::string_view{"0123456789"}.find(top_level.front()) != std::string_view::npos) {
        return "its last label begins with a digit, so programs read the name as an IP address";
    }
    if (name.find("xn--") != std::string_view::npos && !unicode::u_labels(domain.name())) {
        return "a label that begins with xn-- is not valid by IDNA 2008";
    }
    if (std::find(kNoTopLevels.begin(), kNoTopLevels.end(), top_level) != kNoTopLevels.end()) {
        return "its last label is reserved for names that are not in the DNS (RFC 6761)";
    }
    return {};
}

Address Address::parse(std::string_view text, const Domain& domain, std::string_view parameter)
{
    const auto its = "'" + std::string{parameter} + "' parameter is ";
    const auto at = text.rfind('@');
    std::optional<Domain> named;
    if (at != std::string_view::npos) {
        named = Domain::parse(text.substr(at + 1));
        if (!named || named->name() != domain.name()) {
            const auto* const rule = named || unicode::is_ascii(text.substr(at + 1))
                                         ? ""
                                         : ", and no domain name by IDNA 2008";
            throw Invalid(its + "not valid: its domain is not " + domain.text() + rule);
        }
    }
    auto local = strings::lower_case(text.substr(0, at));
    if (local.empty()) throw Invalid(its + "empty");
    if (const auto rule = broken_rule(local); !rule.empty())
        throw Invalid(its + "not valid: " + std::string{rule});
    if (local.size() + 1 + domain.name().size() > kMaxAddress) {
        throw Invalid(its + "not valid: the whole address is longer than 254 bytes");
    }
    return Address{std::move(local), named ? *std::move(named) : domain};
}

std::string_view text(State state)
{
    switch (state) {
    case State::active: return "active";
    case State::no_login: return "no_login";
    case State::disabled: return "disabled";
    }
    throw std::logic_error("no state");
}

State state_of(std::string_view text)
{
    for (const auto state : {State::active, State::no_login, State::disabled}) {
        if (text == mailbox::text(state)) return state;
    }
    throw std::logic_error(std::string{text} + " is no state");
}

State after(State now, State wanted)
{
    return wanted == State::active ? wanted : std::max(now, wanted);
}

}  // namespace mailbox
