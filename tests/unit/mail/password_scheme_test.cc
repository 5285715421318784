// password_scheme_test.cc - the scheme of a stored hash, and what Dovecot does with it.

#include "mail/password_scheme.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

#include "mail/login_name.h"
#include "support/support.h"

namespace {

namespace data = boost::unit_test::data;
using password_scheme::Strength;

struct Stored : support::Row {
    std::string hash;
    std::string scheme;
    Strength strength;
};
// The strengths were tried with doveadm auth test of Dovecot 2.3.19 and 2.4.1.
const Stored kStored[] = {
    {"ours", "{ARGON2ID}$argon2id$v=19$m=8,t=1,p=1$x$y", "ARGON2ID", Strength::current},
    {"a second name of 2.4", "{ARGON2}$argon2id$v=19$x", "ARGON2ID", Strength::current},
    {"the older Argon2", "{ARGON2I}$argon2i$v=19$x", "ARGON2I", Strength::old},
    {"bcrypt", "{BLF-CRYPT}$2y$05$x", "BLF-CRYPT", Strength::old},
    {"lower case", "{sha512-crypt}$6$x$y", "SHA512-CRYPT", Strength::old},
    {"crypt with its method", "{CRYPT}$6$x$y", "SHA512-CRYPT", Strength::old},
    {"crypt, weak", "{CRYPT}$1$x$y", "MD5-CRYPT", Strength::weak},
    {"crypt, weakest", "{CRYPT}abJnggxhB/yWI", "DES-CRYPT", Strength::weak},
    {"crypt, yescrypt", "{CRYPT}$y$j9T$x", "CRYPT", Strength::old},
    {"a second name", "{MD5}$1$x$y", "MD5-CRYPT", Strength::weak},
    {"with its encoding", "{PLAIN-MD5.HEX}5ebe2294ecd0e0f08eab7690d2a6ee69", "PLAIN-MD5",
     Strength::weak},
    {"base64", "{SSHA.b64}x", "SSHA", Strength::old},
    {"2.4 takes SHA1", "{SHA}x", "SHA1", Strength::old},
    {"2.4 refuses HMAC-MD5", "{HMAC-MD5}x", "HMAC-MD5", Strength::weak},
    {"but not CRAM-MD5", "{CRAM-MD5}x", "CRAM-MD5", Strength::old},
    {"clear text", "{CLEARTEXT}x", "PLAIN", Strength::old},
    {"Dovecot no longer knows it", "{LANMAN}x", "LANMAN", Strength::unknown},
    {"no scheme", "$6$x$y", "", Strength::unknown},
    {"nothing", "", "", Strength::unknown},
    {"half a scheme", "{SHA", "", Strength::unknown},
};

struct Name : support::Row {
    std::string user;
    bool is_ours;
};
constexpr char kId[] = "0123456789abcdef0123456789abcdef";
const Name kNames[] = {
    {"a login", std::string{kId} + ".7@example.org", true},
    {"a name for deliveries", std::string{kId} + "@example.org", false},
    {"an address", "alice@example.org", false},
    {"upper case", "0123456789ABCDEF0123456789abcdef.7@example.org", false},
    {"too short an id", "0123456789abcdef.7@example.org", false},
    {"no domain", std::string{kId} + ".7", false},
    {"no number", std::string{kId} + ".-7@example.org", false},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(password_schemes_of_hashes)

BOOST_DATA_TEST_CASE(a_hash_has_a_scheme, data::make(kStored), row)
{
    BOOST_TEST(password_scheme::of(row.hash) == row.scheme);
    BOOST_TEST((password_scheme::strength(row.scheme) == row.strength));
}

BOOST_DATA_TEST_CASE(a_login_has_a_name, data::make(kNames), row)
{
    const auto name = login_name::parse(row.user);
    BOOST_TEST(name.has_value() == row.is_ours);
    if (name) BOOST_TEST(name->generation == 7);
    if (name) BOOST_TEST(name->storage_id == kId);
}

BOOST_AUTO_TEST_SUITE_END()
