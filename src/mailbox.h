// mailbox.h - the values: Domain, Address, Mailbox.
//
// Text from outside goes in once, and what comes out cannot be nonsense: lower-case,
// within the lengths of RFC 5321 4.5.3.1, and of characters that IMAP, POP3, SMTP and
// the published clients' URLs all carry. Complains with Invalid, whose sentence names
// the rule.
#pragma once

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
    // A host name of letters, digits and hyphens (RFC 1123 2.1), at most 253 bytes, an
    // internationalised one as A-labels; one trailing dot is dropped. Nothing otherwise.
    static std::optional<Domain> parse(std::string_view text);
    const std::string& name() const { return name_; }

private:
    explicit Domain(std::string name) : name_{std::move(name)} {}
    std::string name_;
};

class Address {
public:
    // A bare local part or a full address in `domain`. Throws Invalid, whose sentence calls it that parameter.
    static Address parse(std::string_view text, const Domain& domain, std::string_view parameter = "mailbox");

    const std::string& local_part() const { return local_part_; }
    const std::string& domain() const { return domain_; }
    std::string text() const { return local_part_ + "@" + domain_; }

private:
    Address(std::string local_part, std::string domain)
        : local_part_{std::move(local_part)}, domain_{std::move(domain)}
    {
    }
    std::string local_part_;
    std::string domain_;
};

// What the API has a mailbox as, depending on the path. As credentials it has a login, too, and its password may be left
// to the service.
enum class As { mailbox, credentials };

// Of an account, a domain, a mailbox; the strictest of the three counts. no_login: nobody
// logs in, mail still arrives; disabled: that, and mail has to wait outside.
enum class State { active, no_login, disabled };
std::string_view text(State state);  // as the tables have it

// A domain as its account's keys see it.
struct Hosted {
    std::string name;
    std::int64_t created_at;   // seconds since 1970-01-01 UTC
    bool is_active;
};

// A row of the list.
struct Mailbox {
    std::string local_part;
    std::int64_t created_at;   // seconds since 1970-01-01 UTC
    std::int64_t size_bytes;
};

}  // namespace mailbox
