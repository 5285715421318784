// address.h - the values: Domain, Address, Mailbox.
//
// Text from outside is parsed once; the value is then always valid: in lower case, within the
// lengths of RFC 5321 4.5.3.1, and of characters that IMAP, POP3, SMTP and the published clients'
// URLs can all carry. Throws Invalid with a sentence that names the broken rule.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace mailbox {

struct Invalid : std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

class Domain {
public:
    // Accepts a host name of letters, digits and hyphens (RFC 1123 2.1), at most 253 bytes, and
    // drops one trailing dot. Accepts an internationalised name as A-labels, or in UTF-8 if it is
    // valid by IDNA 2008. Empty for anything else.
    static std::optional<Domain> parse(std::string_view text);

    // Returns the name as A-labels, as it stands in the tables and the DNS.
    const std::string& name() const { return name_; }
    // Returns the name as the caller wrote it, for answers: U-labels if the text had a letter
    // beyond ASCII, otherwise name().
    const std::string& text() const { return unicode_.empty() ? name_ : unicode_; }

    auto operator<=>(const Domain&) const = default;

private:
    Domain(std::string name, std::string unicode)
        : name_{std::move(name)}, unicode_{std::move(unicode)}
    {
    }
    std::string name_;
    std::string unicode_;  // empty if the text was ASCII
};

// Returns the reason why a domain of this name must not be added; empty if it may be added. Mail
// servers elsewhere must be able to send to it, and it must not be a reserved word. Only adding a
// domain checks this: parse() still accepts such a name, so a domain from before this rule keeps
// working.
std::string_view obstacle_to_hosting(const Domain& domain);
// Returns whether the name is a reserved word: one that stands in the API's paths or in Postfix's
// maps. A domain with such a name disturbs other domains, too.
bool is_word(const Domain& domain);

class Address {
public:
    // Parses a local part or a full address in `domain`; the address may write the domain as
    // A-labels or in UTF-8. Throws Invalid, whose sentence names the parameter.
    static Address parse(std::string_view text, const Domain& domain,
                         std::string_view parameter = "mailbox");

    const std::string& local_part() const { return local_part_; }
    const std::string& domain() const { return domain_.name(); }
    // Returns the address with A-labels, as the mail servers use it.
    std::string ascii() const { return local_part_ + "@" + domain_.name(); }
    // Returns the address for answers, with the domain as it was written.
    std::string text() const { return local_part_ + "@" + domain_.text(); }

private:
    Address(std::string local_part, Domain domain)
        : local_part_{std::move(local_part)}, domain_{std::move(domain)}
    {
    }
    std::string local_part_;
    Domain domain_;
};

// How the API presents a mailbox, depending on the path. Credentials also have a login, and the
// service may choose their password.
enum class As { mailbox, credentials };

// The state of an account, a domain or a mailbox; the strictest of the three applies. no_login:
// logins are refused, mail still arrives. disabled: logins are refused, and mail waits at the
// sender's server.
enum class State { active, no_login, disabled };
// Returns the state's text in the tables.
std::string_view text(State state);
// Returns the state that has this text. Throws std::logic_error for any other text.
State state_of(std::string_view text);
// Returns the state that applies after `wanted` was requested. Suspending never weakens: `disabled`
// stays `disabled` when no_login is requested. Only `active` ends a suspension.
State after(State now, State wanted);

// A domain, as the keys of its account see it.
struct Hosted {
    std::string name;
    std::int64_t created_at;  // seconds since 1970-01-01 UTC
    bool is_active;
};

// An entry of a domain's list.
struct Mailbox {
    std::string local_part;
    std::int64_t created_at;  // seconds since 1970-01-01 UTC
    std::int64_t size_bytes;
};

}  // namespace mailbox
