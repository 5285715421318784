// password_hash_test.cc - which hashes of other systems are recognised, and which are not guessed.

#include "mail/password_hash.h"

#include <ostream>
#include <string>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/support.h"

namespace data = boost::unit_test::data;
using password_hash::Understood;

namespace {

const std::string kSha512 =
    "$6$8UewC0QmZbRVYgsR$qhIHMfC6paXYnIdiR.b2sC27roHUYqu.fo5DSeD5Ttg5ozBZcqG.wW5SivvbCjiwH4jAgt5oi5LI/xgGTOOHR.";
const std::string kBlowfish = "2y$05$dhoTnOCDnUZXebc2JgeZL.SbYIsEOWy1wnPnErb3TII3ia9hz8FVW";
const std::string kArgon2 =
    "$argon2id$v=19$m=65536,t=3,p=1$TR42Jw8XMmGDcTw38zew9Q$3Ml18bSwupLzpMOOI7HKJPG0tmLaadaspTMPAQ6kk4o";

struct Stored : support::Row {
    std::string hash;
    std::string stored;
    std::string scheme = {};  // of --scheme
};
const Stored kStored[] = {
    {"SHA512-CRYPT by its form", kSha512, "{SHA512-CRYPT}" + kSha512},
    {"with a number of rounds", "$6$rounds=70000$8UewC0QmZbRVYgsR$" + kSha512.substr(20),
     "{SHA512-CRYPT}$6$rounds=70000$8UewC0QmZbRVYgsR$" + kSha512.substr(20)},
    {"SHA256-CRYPT", "$5$dRBIeGc1GWZl3FrU$AAi1FPWgt5yJ9NDn6.4Nr5iFxw9nJFaqEJGooV7sDI8",
     "{SHA256-CRYPT}$5$dRBIeGc1GWZl3FrU$AAi1FPWgt5yJ9NDn6.4Nr5iFxw9nJFaqEJGooV7sDI8"},
    {"MD5-CRYPT", "$1$ws3zsfd3$FrI/PVJECNTNfSbEWoLLH/",
     "{MD5-CRYPT}$1$ws3zsfd3$FrI/PVJECNTNfSbEWoLLH/"},
    {"BLF-CRYPT of PHP", "$" + kBlowfish, "{BLF-CRYPT}$" + kBlowfish},
    {"ARGON2ID", kArgon2, "{ARGON2ID}" + kArgon2},
    {"DES-CRYPT: 13 characters", "vpvKh.SaNbR6s", "{DES-CRYPT}vpvKh.SaNbR6s"},
    {"a scheme as it is", "{SSHA}DUq4XPl1KfuvN5DECT+fk8/9W7C3yEmU",
     "{SSHA}DUq4XPl1KfuvN5DECT+fk8/9W7C3yEmU"},
    {"in small letters, as some panels write it", "{plain-md5}5d41402abc4b2a76b9719d911017c592",
     "{PLAIN-MD5}5d41402abc4b2a76b9719d911017c592"},
    {"an encoding", "{SHA1.HEX}aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
     "{SHA1.HEX}aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"},
    {"Dovecot reads hexadecimal SHA1, too", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
     "{SHA1}aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", "SHA1"},
    {"MD5 when the operator says so", "5d41402abc4b2a76b9719d911017c592",
     "{PLAIN-MD5}5d41402abc4b2a76b9719d911017c592", "PLAIN-MD5"},
    {"a form comes before --scheme", "$1$ws3zsfd3$FrI/PVJECNTNfSbEWoLLH/",
     "{MD5-CRYPT}$1$ws3zsfd3$FrI/PVJECNTNfSbEWoLLH/", "PLAIN-MD5"},
    {"{CRYPT} with any form of crypt(3)", "{CRYPT}$" + kBlowfish, "{CRYPT}$" + kBlowfish},
};

struct Unknown : support::Row {
    std::string hash;
    std::string sentence;  // a part of it
};
const Unknown kUnknown[] = {
    {"MD5 or a password of 32 characters", "5d41402abc4b2a76b9719d911017c592",
     "--scheme PLAIN-MD5"},
    {"SHA-1 likewise", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", "--scheme SHA1"},
    {"Mailu", "$bcrypt-sha256$v=2,t=2b,r=12$aaaaaaaaaaaaaaaaaaaaaa$bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
     "$bcrypt-sha256$"},
    {"passlib", "$pbkdf2-sha256$29000$abc$def", "$pbkdf2-sha256$"},
    {"Django", "pbkdf2_sha256$260000$abc$def", "pbkdf2_sha256$"},
    {"a scheme that Dovecot lacks", "{BCRYPT-SHA256}abc", "BCRYPT-SHA256"},
    {"cut off", kSha512.substr(0, 60), "SHA512-CRYPT"},
    {"cut off behind a scheme", "{SSHA512}RUWqjXV+oLXRCUEK6hYC", "SSHA512"},
    {"plain text is never guessed", "correct horse", "blanks"},
    {"neither is a word", "secret", "--scheme"},
    {"SHA-crypt with 999,999,999 rounds",
     "$6$rounds=999999999$8UewC0QmZbRVYgsR" + kSha512.substr(kSha512.rfind('$')), "many seconds"},
    {"the same as CRYPT",
     "{CRYPT}$6$rounds=999999999$8UewC0QmZbRVYgsR" + kSha512.substr(kSha512.rfind('$')),
     "many seconds"},
    {"Blowfish with 2^31 rounds", "$2y$31$" + std::string(53, 'a'), "many seconds"},
    {"Argon2 with 4 GiB",
     "$argon2id$v=19$m=4194304,t=1,p=1$" + std::string(22, 'A') + "$" + std::string(43, 'A'),
     "1 GiB"},
    {"Argon2 with many passes",
     "$argon2id$v=19$m=65536,t=100000,p=1$" + std::string(22, 'A') + "$" + std::string(43, 'A'),
     "many seconds"},
    {"Argon2 without numbers",
     "$argon2i$v=19$m=x$" + std::string(22, 'A') + "$" + std::string(43, 'A'), "many seconds"},
    {"PBKDF2 with a billion rounds", "{PBKDF2}$1$abcdefgh$1000000000$" + std::string(40, 'a'),
     "many seconds"},
    {"SCRAM with a billion rounds", "{SCRAM-SHA-256}1000000000,c2FsdA==,a,b", "many seconds"},
    {"yescrypt with 2^30 blocks", "$y$jRT$abcdefgh$" + std::string(43, 'a'), "many seconds"},
    {"nothing", "", "no hash"},
    {"only a mark", "!!", "no hash"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(password_hashes)

BOOST_DATA_TEST_CASE(a_hash_is_stored_with_its_scheme, data::make(kStored), row)
{
    const auto understood =
        password_hash::understand(row.hash, password_hash::usual_schemes(), row.scheme);
    BOOST_TEST((understood.kind == Understood::Kind::stored), understood.text);
    BOOST_TEST(understood.text == row.stored);
    BOOST_TEST(!understood.is_locked);
}

BOOST_DATA_TEST_CASE(another_text_is_explained, data::make(kUnknown), row)
{
    const auto understood = password_hash::understand(row.hash, password_hash::usual_schemes());
    BOOST_TEST((understood.kind == Understood::Kind::unknown));
    BOOST_TEST(understood.text.find(row.sentence) != std::string::npos, understood.text);
}

BOOST_AUTO_TEST_CASE(a_mark_before_a_hash_locks_it)
{
    for (const std::string mark : {"!", "!!", "*"}) {
        const auto understood =
            password_hash::understand(mark + kSha512, password_hash::usual_schemes());
        BOOST_TEST(understood.is_locked);
        BOOST_TEST(understood.text == "{SHA512-CRYPT}" + kSha512);
    }
}

BOOST_AUTO_TEST_CASE(a_plain_password_is_to_be_hashed)
{
    const auto understood =
        password_hash::understand("{PLAIN}correct horse battery", password_hash::usual_schemes());
    BOOST_TEST((understood.kind == Understood::Kind::plain));
    BOOST_TEST(understood.text == "correct horse battery");
}

BOOST_AUTO_TEST_CASE(what_the_column_cannot_hold)
{
    const auto understood = password_hash::understand("{SSHA512}" + std::string(300, 'A'),
                                                      password_hash::usual_schemes());
    BOOST_TEST((understood.kind == Understood::Kind::unknown));
    BOOST_TEST(understood.text.find("255") != std::string::npos, understood.text);
}

BOOST_AUTO_TEST_SUITE_END()
