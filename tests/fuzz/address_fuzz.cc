// address_fuzz.cc - domains and addresses.

#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "fuzz/targets.h"
#include "mail/address.h"

namespace fuzz {
namespace {

using mailbox::Address;
using mailbox::Domain;

bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

std::string upper_case(std::string_view text)
{
    std::string upper{text};
    for (char& c : upper) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return upper;
}

// Returns the parts between dots: one more than there are dots.
std::vector<std::string> parts_of(std::string_view text)
{
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == '.') parts.emplace_back();
        else parts.back() += c;
    }
    return parts;
}

bool is_label(const std::string& label)
{
    return !label.empty() && label.size() < 64 && label.front() != '-' && label.back() != '-'
           && std::all_of(label.begin(), label.end(),
                          [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

bool is_domain(std::string_view name)
{
    const auto labels = parts_of(name);
    return name.size() <= 253 && std::all_of(labels.begin(), labels.end(), is_label);
}

bool is_atom(const std::string& atom)
{
    constexpr std::string_view kAllowed = "_-$&'=^`{|}~";
    return !atom.empty() && std::all_of(atom.begin(), atom.end(), [&](char c) {
        return is_letter_or_digit(c) || kAllowed.find(c) != std::string_view::npos;
    });
}

bool is_local_part(std::string_view local)
{
    const auto atoms = parts_of(local);
    return !local.empty() && local.size() <= 64 && local.front() != '-'
           && std::all_of(atoms.begin(), atoms.end(), is_atom);
}

std::optional<Address> parsed(std::string_view text, const Domain& domain)
{
    try {
        return Address::parse(text, domain);
    } catch (const mailbox::Invalid& invalid) {
        const std::string sentence = invalid.what();
        expect(sentence.starts_with("'mailbox' parameter"), "a refusal names the parameter");
        expect(std::all_of(sentence.begin(), sentence.end(),
                           [](char c) { return c >= ' ' && c <= '~'; }),
               "a refusal is plain text");
        return std::nullopt;
    }
}

void check_same(std::string_view text, const Address& address, const Domain& domain)
{
    const auto again = parsed(text, domain);
    expect(again && again->text() == address.text() && again->local_part() == address.local_part(),
           "every spelling of an address is the same address");
}

std::optional<Domain> check_domain(std::string_view text)
{
    const auto domain = Domain::parse(text);
    const auto lower =
        strings::lower_case(text.ends_with('.') ? text.substr(0, text.size() - 1) : text);
    expect(domain.has_value() == is_domain(lower),
           "a domain is accepted exactly if the rules say so");
    if (!domain) return domain;
    expect(domain->name() == lower, "a domain is itself in lower case, without the dot at its end");
    for (const auto& spelling :
         {domain->name(), domain->name() + ".", upper_case(domain->name())}) {
        const auto again = Domain::parse(spelling);
        expect(again && again->name() == domain->name(),
               "every spelling of a domain is the same domain");
    }
    return domain;
}

void check_address(std::string_view text, const Domain& domain)
{
    const auto address = parsed(text, domain);
    const auto at = text.rfind('@');
    const auto local = strings::lower_case(text.substr(0, at));
    const auto named = at == std::string_view::npos ? domain : Domain::parse(text.substr(at + 1));
    const bool is_right = named && named->name() == domain.name() && is_local_part(local)
                          && local.size() + 1 + domain.name().size() <= 254;
    expect(address.has_value() == is_right, "an address is accepted exactly if the rules say so");
    if (!address) return;
    expect(address->local_part() == local && address->domain() == domain.name(),
           "an address is its parts in lower case");
    expect(address->text() == local + "@" + domain.name(), "its text is both of them");
    check_same(local, *address, domain);
    check_same(upper_case(local), *address, domain);
    check_same(address->text(), *address, domain);
    check_same(upper_case(address->text()) + ".", *address, domain);
}

}  // namespace

void address(std::string_view input)
{
    auto text = input;
    const auto domain = check_domain(take_line(text));
    check_address(text, domain ? *domain : *Domain::parse("samples.mailgun.org"));
}

}  // namespace fuzz
