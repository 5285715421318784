// address.h - the values: Domain, Address, Mailbox.
//
// Text from outside goes in once, and what comes out cannot be nonsense: lower-case,
// within the lengths of RFC 5321 4.5.3.1, and of characters that IMAP, POP3, SMTP and
// the published clients' URLs all carry. Complains with Invalid, whose sentence names
// the rule.
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
    // A host name of letters, digits and hyphens (RFC 1123 2.1), at most 253 bytes; one trailing
    // dot is dropped. An internationalised one is taken as A-labels or in UTF-8, where it has to be
    // valid by IDNA 2008. Empty otherwise.
    static std::optional<Domain> parse(std::string_view text);

    // As the tables and the DNS have it: A-labels.
    const std::string& name() const { return name_; }
    // As whoever named it wrote it, for answers: U-labels if it had a letter beyond ASCII,
    // otherwise name().
    const std::string& text() const { return unicode_.empty() ? name_ : unicode_; }

    auto operator<=>(const Domain&) const = default;

private:
    Domain(std::string name, std::string unicode)
        : name_{std::move(name)}, unicode_{std::move(unicode)}
    {
    }
    std::string name_;
    std::string unicode_;  // empty: named by its A-labels
};

// Returns why a domain of this name must not be added; empty if it may. It has to be one that mail
// servers elsewhere can send to, and no word that a path of the API or a map of Postfix uses. Only
// whoever adds a domain asks: parse() still takes such a name, so a domain from before this rule
// keeps working.
std::string_view obstacle_to_hosting(const Domain& domain);
// Whether it is such a word: then it disturbs other domains, too.
bool is_word(const Domain& domain);

class Address {
public:
    // A bare local part or a full address in `domain`, which may be written in another form there.
    // Throws Invalid, whose sentence calls it that parameter.
    static Address parse(std::string_view text, const Domain& domain,
                         std::string_view parameter = "mailbox");

    const std::string& local_part() const { return local_part_; }
    const std::string& domain() const { return domain_.name(); }
    // As the mail servers have it: A-labels.
    std::string ascii() const { return local_part_ + "@" + domain_.name(); }
    // For answers: the domain as the address was written, or as it was named beside it.
    std::string text() const { return local_part_ + "@" + domain_.text(); }

private:
    Address(std::string local_part, Domain domain)
        : local_part_{std::move(local_part)}, domain_{std::move(domain)}
    {
    }
    std::string local_part_;
    Domain domain_;
};

// What the API has a mailbox as, depending on the path. As credentials it has a login, too, and its
// password may be left to the service.
enum class As { mailbox, credentials };

// Of an account, a domain, a mailbox; the strictest of the three counts. no_login: nobody
// logs in, mail still arrives; disabled: that, and mail has to wait outside.
enum class State { active, no_login, disabled };
std::string_view text(State state);     // as the tables have it
State state_of(std::string_view text);  // of such a text; throws std::logic_error for any other
// Returns the state that is in force after `wanted` was asked for. Suspending never weakens: what
// is disabled stays disabled when it is suspended with no_login. Only `active` ends a suspension.
State after(State now, State wanted);

// A domain as its account's keys see it.
struct Hosted {
    std::string name;
    std::int64_t created_at;  // seconds since 1970-01-01 UTC
    bool is_active;
};

// A row of the list.
struct Mailbox {
    std::string local_part;
    std::int64_t created_at;  // seconds since 1970-01-01 UTC
    std::int64_t size_bytes;
};

}  // namespace mailbox
