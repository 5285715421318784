// password_test.cc - which passwords are taken, and that the hash is the one Dovecot will verify.

#include "mail/password.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <sched.h>
#include <sodium.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>

#include "support/support.h"

namespace data = boost::unit_test::data;
using support::bytes;

namespace {

constexpr std::string_view kScheme = "{ARGON2ID}";

mailbox::Address owner(std::string_view local_part = "alice")
{
    return mailbox::Address::parse(local_part, *mailbox::Domain::parse("example.org"));
}

bool is_accepted(std::string_view text, const Config& config = {})
{
    try {
        password::check(text, owner(), config);
        return true;
    } catch (const mailbox::Invalid&) {
        return false;
    }
}

// Verified by the library, not by us, as a program that reads the column would.
bool is_hash_of(const std::string& stored, std::string_view text)
{
    return stored.starts_with(kScheme)
           && crypto_pwhash_str_verify(stored.c_str() + kScheme.size(), text.data(), text.size())
                  == 0;
}

std::string times(int count, std::string_view text)
{
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
}

Config cheap()
{
    Config config;
    config.argon2_memory_kib = 8;
    config.argon2_passes = 1;
    return config;
}

// Decomposed and composed, as a program on macOS and a keyboard write it.
const std::string kDecomposed = "cafe\xCC\x81", kComposed = "caf\xC3\xA9";

struct Text : support::Row {
    std::string text;
};

const Text kGood[] = {
    {"five characters", "abcde"},
    {"128 characters", std::string(128, 'x')},
    {"spaces", "     "},
    {"every sign", " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
    {"five characters of two bytes", times(5, "\xC3\xA9")},
    {"128 characters of four bytes", times(128, "\xF0\x9F\x98\x80")},
    {"a no-break space, the first after the control characters", "abcd\xC2\xA0"},
    {"U+0800, whose bytes look like control characters", "abcd\xE0\xA0\x80"},
    {"the mailbox's name and more", "alice1"},
    {"the mailbox's name in it", "xalice"},
    {"another address", "bob@example.org"},
    {"another domain", "example.com"},
};

const Text kBad[] = {
    {"nothing", ""},
    {"four characters", "abcd"},
    {"four characters of two bytes, which are eight", times(4, "\xC3\xA9")},
    {"four characters once they are composed", kDecomposed},
    {"129 characters", std::string(129, 'x')},
    {"129 characters of two bytes", times(129, "\xC3\xA9")},
    {"Latin-1", "caf\xE9"
                "123"},
    {"an overlong character", "abcde\xC0\xAF"},
    {"a surrogate", "abcde\xED\xA0\x80"},
    {"a character cut short", "abcde\xC3"},
    {"a NUL would end C text", bytes("abc\0def")},
    {"a NUL at the end", bytes("abcdef\0")},
    {"a tab", "abc\tdef"},
    {"a line feed", "abcdef\n"},
    {"a carriage return", "abc\rdef"},
    {"an escape", "abc\x1B"
                  "def"},
    {"the last of C0", "abc\x1F"
                       "def"},
    {"DEL", "abc\x7F"
            "def"},
    {"the first of C1", "abc\xC2\x80"
                        "def"},
    {"NEL", "abc\xC2\x85"
            "def"},
    {"the last of C1", "abcdef\xC2\x9F"},
    {"the mailbox's name", "alice"},
    {"the mailbox's name in capitals", "ALICE"},
    {"the address", "alice@example.org"},
    {"the address in capitals", "Alice@Example.org"},
    {"the domain", "example.org"},
    {"the domain in capitals", "EXAMPLE.ORG"},
};

// The kernel's sched_runtime in nanoseconds, from its struct sched_attr (sched_setattr(2)); 0: as
// it comes.
std::uint64_t slice()
{
    std::array<std::uint64_t, 6> attributes{};
    return ::syscall(SYS_sched_getattr, 0, attributes.data(), sizeof attributes, 0) == 0
               ? attributes[3]
               : 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(password)

BOOST_DATA_TEST_CASE(is_taken, data::make(kGood), row)
{
    BOOST_TEST(is_accepted(row.text));
}

BOOST_DATA_TEST_CASE(is_refused, data::make(kBad), row)
{
    BOOST_CHECK_EXCEPTION(password::check(row.text, owner(), Config{}), mailbox::Invalid,
                          [&](const mailbox::Invalid& invalid) {
        return std::string{invalid.what()}.starts_with("'password' parameter");
    });
}

// What somebody typed by mistake is not for the answer, nor for what is between.
BOOST_AUTO_TEST_CASE(a_refusal_does_not_echo)
{
    try {
        password::check("Zq7\tXw9", owner(), Config{});
        BOOST_ERROR("it was taken");
    } catch (const mailbox::Invalid& invalid) {
        BOOST_TEST(std::string{invalid.what()}.find("Zq7") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(the_lengths_are_settings)
{
    Config config;
    config.min_password = 8;
    config.max_password = 10;
    BOOST_TEST(!is_accepted("1234567", config));
    BOOST_TEST(is_accepted("12345678", config));
    BOOST_TEST(is_accepted("1234567890", config));
    BOOST_TEST(!is_accepted("12345678901", config));
    BOOST_CHECK_EXCEPTION(password::check("1", owner(), config), mailbox::Invalid,
                          [](const mailbox::Invalid& invalid) {
        return std::string{invalid.what()}.find("8 to 10") != std::string::npos;
    });
}

BOOST_DATA_TEST_CASE(the_hash_verifies, data::make(kGood), row)
{
    const auto stored = password::hash(row.text, cheap());
    BOOST_TEST(is_hash_of(stored, row.text));
    BOOST_TEST(!is_hash_of(stored, row.text + "x"));
    BOOST_TEST(!is_hash_of(stored, std::string_view{row.text}.substr(1)));
}

// RFC 8265. Dovecot verifies what a keyboard sends.
BOOST_AUTO_TEST_CASE(a_password_is_composed)
{
    BOOST_TEST(is_accepted(kDecomposed + "s"));
    BOOST_TEST(is_accepted(times(128, "e\xCC\x81")));
    BOOST_TEST(!is_accepted(times(129, "e\xCC\x81")));
    BOOST_TEST(is_hash_of(password::hash(kDecomposed, cheap()), kComposed));
    BOOST_TEST(is_hash_of(password::hash(kComposed, cheap()), kComposed));
    BOOST_TEST(!is_hash_of(password::hash(kDecomposed, cheap()), kDecomposed));
}

BOOST_AUTO_TEST_CASE(the_domain_is_no_password_in_either_form)
{
    const auto unicode = mailbox::Address::parse("alice", *mailbox::Domain::parse("b\xC3\xBC"
                                                                                  "cher.example"));
    for (const char* text : {"alice@b\xC3\xBC"
                             "cher.example",
                             "alice@bu\xCC\x88"
                             "cher.example",
                             "alice@xn--bcher-kva.example", "xn--bcher-kva.example"}) {
        BOOST_CHECK_THROW(password::check(text, unicode, Config{}), mailbox::Invalid);
    }
}

BOOST_AUTO_TEST_CASE(the_hash_is_that_of_the_settings)
{
    Config config;
    config.argon2_memory_kib = 64;
    config.argon2_passes = 3;
    BOOST_TEST(
        password::hash("secret", config).starts_with("{ARGON2ID}$argon2id$v=19$m=64,t=3,p=1$"));
    BOOST_TEST(password::hash("secret", Config{})
                   .starts_with("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"));
}

BOOST_AUTO_TEST_CASE(the_least_memory_that_the_configuration_takes_works)
{
    BOOST_TEST(is_hash_of(password::hash("secret", cheap()), "secret"));
}

BOOST_AUTO_TEST_CASE(each_hash_has_its_salt)
{
    BOOST_TEST(password::hash("secret", cheap()) != password::hash("secret", cheap()));
}

// mailbox.password is VARCHAR(255) CHARACTER SET ascii.
BOOST_AUTO_TEST_CASE(the_hash_fits_its_column)
{
    Config config;
    config.argon2_passes = 100;
    config.argon2_memory_kib = 8;
    const auto stored = password::hash(times(128, "\xF0\x9F\x98\x80"), config);
    BOOST_TEST(stored.size() <= 255U);
    BOOST_TEST(stored.find_first_not_of(
                   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/$=,{}")
                   == std::string::npos,
               stored);
}

BOOST_AUTO_TEST_CASE(memory_that_cannot_be_had_is_an_error)
{
    Config config;
    config.argon2_memory_kib = std::size_t{1} << 50;
    BOOST_CHECK_THROW(password::hash("secret", config), std::bad_alloc);
}

BOOST_AUTO_TEST_CASE(who_has_hashed_is_scheduled_as_before)
{
    support::Process hasher{[] {
        const sched_param none{};
        if (::sched_setscheduler(0, SCHED_BATCH, &none) != 0
            || ::setpriority(PRIO_PROCESS, 0, 5) != 0)
            return 1;
        const auto before = slice();
        password::hash("secret", cheap());
        return ::sched_getscheduler(0) == SCHED_BATCH && ::getpriority(PRIO_PROCESS, 0) == 5
                       && slice() == before
                   ? 0
                   : 1;
    }};
    BOOST_TEST(hasher.wait() == 0);
}

BOOST_AUTO_TEST_CASE(whether_it_is_the_stored_one)
{
    const auto stored = password::hash("secret", cheap());
    BOOST_TEST(password::verify("secret", stored).value());
    BOOST_TEST(!password::verify("Secret", stored).value());
    BOOST_TEST(!password::verify("", stored).value());
    BOOST_TEST(!password::verify("secret", "{PLAIN}secret").has_value());
    BOOST_TEST(
        !password::verify("secret", "{ARGON2ID}secret").value());  // nobody can log in by that
    // More memory than there is.
    auto much = stored;
    much.replace(much.find("m=8,"), 4, "m=4294967295,");
    BOOST_TEST(!password::verify("secret", much).value_or(false));
}

BOOST_AUTO_TEST_CASE(a_generated_one_is_long_and_taken)
{
    const auto password = password::generate(owner(), Config{});
    const auto text = password.text();
    BOOST_TEST(text.size() == 24U);
    BOOST_TEST(is_accepted(text));
    BOOST_TEST(text != password::generate(owner(), Config{}).text());
}

// Of five characters one in 33 million is the owner's name, and of one character one in 32.
BOOST_AUTO_TEST_CASE(a_generated_one_is_never_the_owners_name)
{
    Config config;
    config.min_password = config.max_password = 1;
    for (int i = 0; i < 500; ++i) BOOST_TEST(password::generate(owner("a"), config).text() != "a");
}

BOOST_AUTO_TEST_SUITE_END()
