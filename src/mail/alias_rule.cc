#include "mail/alias_rule.h"

#include <algorithm>

#include "base/strings.h"

namespace alias {
namespace {

using mailbox::Domain;
using mailbox::Invalid;

constexpr std::string_view kCatchAll = "catch_all";
constexpr std::string_view kMatchRecipient = "match_recipient";
constexpr std::string_view kForward = "forward";
constexpr std::string_view kStop = "stop";

[[noreturn]] void refuse_expression()
{
    throw Invalid(
        "'expression' parameter must be match_recipient(\"name@domain\"), match_recipient(\".*@domain\") "
        "or catch_all(); nothing else is supported");
}

[[noreturn]] void refuse_action()
{
    throw Invalid("'action' parameter must be forward(\"name@domain\") or stop(); "
                  "URLs, store() and anything else are not supported");
}

// Returns the text between the parentheses of a call of this function, without blanks around it.
// Empty optional if the text is not such a call.
std::optional<std::string_view> argument_of(std::string_view text, std::string_view function)
{
    text = strings::trimmed(text);
    if (!text.starts_with(function)) return std::nullopt;
    text = strings::trimmed(text.substr(function.size()));
    if (text.size() < 2 || text.front() != '(' || text.back() != ')') return std::nullopt;
    return strings::trimmed(text.substr(1, text.size() - 2));
}

// Returns the text between two equal quotes. Empty optional if there are none, or others within.
std::optional<std::string_view> unquoted(std::string_view text)
{
    if (text.size() < 2) return std::nullopt;
    const char quote = text.front();
    if ((quote != '"' && quote != '\'') || text.back() != quote) return std::nullopt;
    text = text.substr(1, text.size() - 2);
    if (text.find(quote) != std::string_view::npos) return std::nullopt;
    return text;
}

// Returns the only text that a regular expression matches. A dot that is not escaped counts as
// itself, because nobody escapes those of domains. Empty optional if it matches other texts, too.
std::optional<std::string> only_match(std::string_view pattern)
{
    constexpr std::string_view kSpecial = "^$*+?()[]{}|";
    std::string text;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const bool is_escaped = pattern[i] == '\\';
        if (is_escaped && ++i == pattern.size()) return std::nullopt;
        const char c = pattern[i];
        const bool is_letter_or_digit =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (is_escaped ? is_letter_or_digit : kSpecial.find(c) != std::string_view::npos)
            return std::nullopt;
        text += c;
    }
    return text;
}

bool is_stop(std::string_view action)
{
    const auto argument = argument_of(action, kStop);
    return argument && argument->empty();
}

}  // namespace

Pattern pattern_of(std::string_view expression)
{
    if (expression.size() > kMaxExpression) {
        throw Invalid("'expression' parameter must have at most " + std::to_string(kMaxExpression)
                      + " bytes");
    }
    if (const auto nothing = argument_of(expression, kCatchAll)) {
        if (!nothing->empty()) refuse_expression();
        return {};
    }
    const auto argument = argument_of(expression, kMatchRecipient);
    if (!argument) refuse_expression();
    auto regex = unquoted(*argument);
    if (!regex) refuse_expression();
    if (regex->starts_with('^')) regex->remove_prefix(1);
    if (regex->ends_with('$')) regex->remove_suffix(1);
    constexpr std::string_view kAny = ".*@";
    const bool is_catch_all = regex->starts_with(kAny);
    if (is_catch_all) regex->remove_prefix(kAny.size() - 1);
    const auto text = only_match(*regex);
    const auto at = text ? text->rfind('@') : std::string::npos;
    if (at == std::string::npos) refuse_expression();
    auto domain = Domain::parse(text->substr(at + 1));
    if (!domain) {
        throw Invalid("'expression' parameter must have a domain name after the @: "
                      + text->substr(at + 1));
    }
    if (is_catch_all) {
        if (at != 0) refuse_expression();
        return {.local_part = {}, .domain = *std::move(domain)};
    }
    const auto address =
        mailbox::Address::parse(text->substr(0, at), *domain, "expression").local_part();
    return {.local_part = address, .domain = *std::move(domain)};
}

std::string expression_of(const Pattern& pattern)
{
    if (!pattern.domain) return std::string{kCatchAll} + "()";
    const auto name = pattern.local_part.empty() ? ".*" : pattern.local_part;
    return std::string{kMatchRecipient} + "(\"" + name + "@" + pattern.domain->text() + "\")";
}

std::optional<Target> target_of(std::string_view text)
{
    constexpr std::size_t kLongestName = 64;      // RFC 5321 4.5.3.1.1
    constexpr std::size_t kLongestAddress = 254;  // likewise, 4.5.3.1.3
    // ! and % are source routes, to Postfix: it would refuse each message.
    constexpr std::string_view kExcluded = "\"\\(),:;<>[] !%";
    const auto at = text.rfind('@');
    if (at == std::string_view::npos || at == 0 || at > kLongestName) return std::nullopt;
    const auto name = text.substr(0, at);
    const auto is_excluded = [&](char c) {
        return c <= ' ' || c > '~' || c == '@' || kExcluded.find(c) != std::string_view::npos;
    };
    if (std::any_of(name.begin(), name.end(), is_excluded)) return std::nullopt;
    if (name.starts_with('-')) return std::nullopt;  // a mail program could take it for an option
    // Postfix writes such names in quotes, and no table has them like that.
    if (name.starts_with('.') || name.ends_with('.') || name.find("..") != std::string_view::npos)
        return std::nullopt;
    auto domain = Domain::parse(text.substr(at + 1));
    if (!domain || at + 1 + domain->name().size() > kLongestAddress) return std::nullopt;
    return Target{std::string{name}, *std::move(domain)};
}

Actions actions_of(const std::vector<std::string>& actions)
{
    Actions all;
    std::size_t bytes = 0;
    for (const auto& action : actions) {
        bytes += action.size();
        if (action.find('\n') != std::string::npos) refuse_action();
        if (is_stop(action)) {
            all.has_stop = true;
            continue;
        }
        const auto argument = argument_of(action, kForward);
        const auto addresses = argument ? unquoted(*argument) : std::nullopt;
        if (!addresses) refuse_action();
        const auto words = strings::words(*addresses, ", ");
        if (words.empty()) refuse_action();
        for (const auto& word : words) {
            auto target = target_of(word);
            if (!target) refuse_action();
            const auto is_same = [&](const Target& other) {
                return strings::equals_ignoring_case(other.local_part, target->local_part)
                       && other.domain.name() == target->domain.name();
            };
            if (std::none_of(all.targets.begin(), all.targets.end(), is_same))
                all.targets.push_back(*std::move(target));
        }
    }
    if (bytes > kMaxActions) {
        throw Invalid("'action' parameters must have at most " + std::to_string(kMaxActions)
                      + " bytes together");
    }
    if (all.targets.size() > kMaxTargets)
        throw Invalid("a route sends to at most " + std::to_string(kMaxTargets) + " addresses");
    if (all.targets.empty())
        throw Invalid("'action' parameter is missing: a route needs forward(\"name@domain\")");
    return all;
}

bool has_stop(const std::vector<std::string>& actions)
{
    return std::any_of(actions.begin(), actions.end(), is_stop);
}

std::string action_of(const Target& target)
{
    return std::string{kForward} + "(\"" + target.text() + "\")";
}

}  // namespace alias
