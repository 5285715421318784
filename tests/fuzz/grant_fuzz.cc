// grant_fuzz.cc - from the database's columns about a key to the decision: the first violated rule
// decides.

#include "db/grants.h"
#include "fuzz/targets.h"
#include "mail/api_key.h"
#include "mailboxd/admission_rules.h"

namespace fuzz {
namespace {

// The bits of the input, one for each question; after the end each is `no`.
class Bits {
public:
    explicit Bits(std::string_view bytes) : bytes_{bytes} {}
    bool next()
    {
        const auto index = position_ / 8;
        if (index >= bytes_.size()) return false;
        return (static_cast<unsigned char>(bytes_[index]) >> (position_++ % 8) & 1) != 0;
    }

private:
    std::string_view bytes_;
    std::size_t position_ = 0;
};

int status_of(const std::optional<grants::Grant>& grant, admission::Purpose purpose)
{
    try {
        admission::check(grant, "192.0.2.1", "samples.mailgun.org", purpose);
        return 200;
    } catch (const http::Error& error) {
        return error.status;
    }
}

}  // namespace

void grant(std::string_view input)
{
    const auto key = api_key::Key::generate();
    expect(api_key::Key::parse(key.text()).has_value(), "a generated key is a key");
    Bits bits{input};
    const bool is_known = !bits.next();
    const bool is_expired = bits.next();
    const bool never_expires = bits.next();
    const bool has_addresses = bits.next();
    const bool is_called_from_one = bits.next();
    grants::Grant grant;
    grant.now = 1000;
    if (!never_expires) grant.key_expires_at = is_expired ? 1000 : 1001;
    if (has_addresses)
        grant.key_addresses =
            is_called_from_one ? "198.51.100.0/24 192.0.2.0/24" : "198.51.100.0/24";
    grant.key_is_revoked = bits.next();
    grant.account_is_active = !bits.next();
    grant.domain_id = bits.next() ? 0 : 1;
    grant.key_is_read_only = bits.next();
    grant.domain_is_active = !bits.next();
    const auto purpose = bits.next() ? admission::Purpose::write : admission::Purpose::read;

    int wanted = 200;
    if (!is_known || grant.key_is_revoked || (is_expired && !never_expires)
        || (has_addresses && !is_called_from_one)) {
        wanted = 401;
    } else if (grant.account_is_active && grant.domain_id == 0) {
        wanted = 404;
    } else if (!grant.account_is_active
               || (purpose == admission::Purpose::write
                   && (grant.key_is_read_only || !grant.domain_is_active))) {
        wanted = 403;
    }
    expect(status_of(is_known ? std::optional{grant} : std::nullopt, purpose) == wanted,
           "the first rule that is broken decides");
    const auto random = api_key::random_hex(input.size() % 17);
    expect(random.size() == 2 * (input.size() % 17), "two digits a byte");
}

}  // namespace fuzz
