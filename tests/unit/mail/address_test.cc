// address_test.cc - what is a domain and what is an address, character by character and length by
// length.

#include "mail/address.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include "mailboxd/routes.h"
#include "support/sources.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using mailbox::Address;
using mailbox::Domain;
using support::bytes;

namespace {

const Domain kExample = *Domain::parse("example.org");

// The local part, or nothing where the text is refused.
std::optional<std::string> local_part(std::string_view text, const Domain& domain = kExample)
{
    try {
        return Address::parse(text, domain).local_part();
    } catch (const mailbox::Invalid&) {
        return std::nullopt;
    }
}

std::string label(std::size_t length)
{
    return std::string(length, 'a');
}

// A domain of so many bytes, in labels of at most 63.
std::string domain_of(std::size_t length)
{
    std::string name;
    while (length > 63) {
        name += label(62) + ".";
        length -= 63;
    }
    return name + label(length);
}

struct Name : support::Row {
    std::string text;
    std::string name = {};
};

const Name kDomains[] = {
    {"two labels", "example.org", "example.org"},
    {"one label", "localhost", "localhost"},
    {"many labels", "a.b.c.d.e.f", "a.b.c.d.e.f"},
    {"capitals", "Example.ORG", "example.org"},
    {"one dot at the end", "example.org.", "example.org"},
    {"a hyphen inside", "my-host.example.org", "my-host.example.org"},
    {"hyphens inside", "a--b.org", "a--b.org"},
    {"an A-label", "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"digits in front (RFC 1123)", "3com.com", "3com.com"},
    {"a label of digits", "123.example.org", "123.example.org"},
    {"a label of 63", label(63) + ".org", label(63) + ".org"},
    {"253 bytes", domain_of(253), domain_of(253)},
    {"253 bytes and the dot", domain_of(253) + ".", domain_of(253)},
};

const Name kNoDomains[] = {
    {"nothing", ""},
    {"a dot", "."},
    {"a dot in front", ".example.org"},
    {"two dots", "example..org"},
    {"two dots at the end", "example.org.."},
    {"a hyphen in front", "-example.org"},
    {"a hyphen at the end", "example-.org"},
    {"a hyphen in front of the last label", "example.-org"},
    {"only a hyphen", "-"},
    {"an underscore", "my_host.example.org"},
    {"a space in front", " example.org"},
    {"a space at the end", "example.org "},
    {"a line end at the end", "example.org\n"},
    {"a NUL would end C text", bytes("example.org\0.evil")},
    {"an @", "alice@example.org"},
    {"a port", "example.org:25"},
    {"a slash", "example.org/mailboxes"},
    {"a wildcard", "*.example.org"},
    {"a per cent sign", "exa%6Dple.org"},
    {"an address literal", "[192.0.2.1]"},
    {"a symbol (IDNA 2008)", "i\xE2\x99\xA5ny.example"},
    {"an emoji (IDNA 2008)", "\xF0\x9F\x98\x80.example"},
    {"a combining mark in front", "\xCC\x88"
                                  "a.example"},
    {"letters of both directions", "a\xD7\x90.example"},
    {"full-width letters", "\xEF\xBD\x85xample.org"},
    {"Latin-1", "b\xFC"
                "cher.example"},
    {"an overlong form", "b\xC0\xAE"
                         "cher.example"},
    {"a dot of another script", "example\xE3\x80\x82org"},
    {"beyond ASCII with an underscore", "b\xC3\xBC_cher.example"},
    {"beyond ASCII with a space", "b\xC3\xBC cher.example"},
    {"beyond ASCII with a NUL", bytes("b\xC3\xBC\0.example")},
    {"beyond ASCII with an empty label", "b\xC3\xBC"
                                         "cher..example"},
    {"too long as A-labels", label(59) + "\xC3\xBC.example"},
    {"a label of 64", label(64) + ".org"},
    {"254 bytes", domain_of(254)},
    {"254 bytes and the dot", domain_of(254) + "."},
};

struct Form : support::Row {
    std::string written;
    std::string name;
    std::string text;
};

const Form kForms[] = {
    {"A-labels", "xn--bcher-kva.example", "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"A-labels in capitals", "XN--Bcher-KVA.example", "xn--bcher-kva.example",
     "xn--bcher-kva.example"},
    {"U-labels",
     "b\xC3\xBC"
     "cher.example",
     "xn--bcher-kva.example",
     "b\xC3\xBC"
     "cher.example"},
    {"U-labels in capitals, and a dot",
     "B\xC3\x9C"
     "CHER.Example.",
     "xn--bcher-kva.example",
     "b\xC3\xBC"
     "cher.example"},
    {"decomposed",
     "bu\xCC\x88"
     "cher.example",
     "xn--bcher-kva.example",
     "b\xC3\xBC"
     "cher.example"},
    {"both forms mixed",
     "b\xC3\xBC"
     "cher.xn--p1ai",
     "xn--bcher-kva.xn--p1ai",
     "b\xC3\xBC"
     "cher.\xD1\x80\xD1\x84"},
    {"sharp s stays one (IDNA 2008)",
     "stra\xC3\x9F"
     "e.example",
     "xn--strae-oqa.example",
     "stra\xC3\x9F"
     "e.example"},
    {"final sigma stays one (IDNA 2008)", "\xCE\xB2\xCF\x8C\xCE\xBB\xCE\xBF\xCF\x82.example",
     "xn--nxasmm1c.example", "\xCE\xB2\xCF\x8C\xCE\xBB\xCE\xBF\xCF\x82.example"},
    {"right to left", "\xD7\x90\xD7\x91.example", "xn--4dbc.example", "\xD7\x90\xD7\x91.example"},
    {"not valid, and from before", "xn--zzzz.example", "xn--zzzz.example", "xn--zzzz.example"},
};

struct Hosted : support::Row {
    std::string text;
    std::string because = {};  // a part of the sentence; empty: it may be added
};

const Hosted kHosted[] = {
    {"two labels", "example.org"},
    {"a name in the test domains", "mail.test"},
    {"a digit in front", "3com.com"},
    {"a digit after the first letter of the last label", "example.a1"},
    {"an internationalised last label", "example.xn--p1ai"},
    {"a word among the labels", "mailboxes.example.org"},
    {"a word with another top level", "mailboxd.org"},
    {"U-labels", "b\xC3\xBC"
                 "cher.example"},
    {"no A-label", "xn--zzzz.example", "IDNA 2008"},
    {"an A-label of a symbol", "xn--iny-zx5a.example", "IDNA 2008"},
    {"one label", "localhost", "at least two labels"},
    {"a top-level domain", "com", "at least two labels"},
    {"one label and the dot", "com.", "at least two labels"},
    {"an IPv4 address", "127.0.0.1", "IP address"},
    {"a short IPv4 address", "127.1", "IP address"},
    {"a hexadecimal number at the end", "example.0x7f", "IP address"},
    {"a number at the end", "example.org.1", "IP address"},
    {"below localhost", "mail.localhost", "RFC 6761"},
    {"below invalid", "nobody.invalid", "RFC 6761"},
    {"what check asks about", "nobody.INVALID.", "RFC 6761"},
    {"a path's word", "mailboxes", "use that word"},
    {"a path's word in capitals", "Domains", "use that word"},
    {"a path's word", "credentials", "use that word"},
    {"a version", "v3", "use that word"},
    {"the transport's word", "mailboxd", "use that word"},
};

const Name kAddresses[] = {
    {"a local part", "alice", "alice"},
    {"one character", "a", "a"},
    {"a digit", "0", "0"},
    {"capitals", "Alice", "alice"},
    {"a full address", "alice@example.org", "alice"},
    {"a full address in capitals", "ALICE@EXAMPLE.ORG", "alice"},
    {"a full address with the dot at its end", "alice@example.org.", "alice"},
    {"dots inside", "bob.bar.baz", "bob.bar.baz"},
    {"a hyphen inside", "bob-bar", "bob-bar"},
    {"a hyphen at the end", "bob-", "bob-"},
    {"a hyphen after a dot", "bob.-bar", "bob.-bar"},
    {"an underscore in front", "_bob", "_bob"},
    {"all signs that may stand there", "a._-$&'=^`{|}~", "a._-$&'=^`{|}~"},
    {"64 bytes", label(64), label(64)},
    {"64 bytes of a full address", label(64) + "@example.org", label(64)},
};

const Name kNoAddresses[] = {
    {"nothing", ""},
    {"an @", "@"},
    {"no local part", "@example.org"},
    {"no domain after the @", "alice@"},
    {"another domain", "alice@example.com"},
    {"a domain above it", "alice@org"},
    {"a domain below it", "alice@mail.example.org"},
    {"a domain that ends like it", "alice@myexample.org"},
    {"a domain that begins like it", "alice@example.org.evil"},
    {"two @", "alice@bob@example.org"},
    {"two domains", "alice@example.org@example.org"},
    {"a dot alone", "."},
    {"a dot in front", ".alice"},
    {"a dot at the end", "alice."},
    {"two dots", "al..ice"},
    {"a dot behind, in a full address", "alice.@example.org"},
    {"a hyphen in front looks like an option", "-alice"},
    {"a hyphen alone", "-"},
    {"an address extension", "alice+tag"},
    {"a source route", "alice%example.com"},
    {"a UUCP route", "example!alice"},
    {"a slash", "al/ice"},
    {"a space in front", " alice"},
    {"a space at the end", "alice "},
    {"a space after the address", "alice@example.org "},
    {"a line end at the end", "alice\n"},
    {"a NUL would end C text", bytes("al\0ice")},
    {"a NUL after the address", bytes("alice@example.org\0")},
    {"a quoted local part", "\"alice\""},
    {"a name with its address", "Alice <alice@example.org>"},
    {"angle brackets", "<alice@example.org>"},
    {"two addresses", "alice,bob"},
    {"another script", "\xC3\xA4lice"},
    {"a letter that looks like another", "\xD0\xB0lice"},
    {"65 bytes", label(65)},
    {"65 bytes of a full address", label(65) + "@example.org"},
};

// As the contract lists them.
constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789._-$&'=^`{|}~";

std::string lowered(char c)
{
    return {c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c};
}

std::optional<std::string> expected_if(bool is_accepted, std::string text)
{
    return is_accepted ? std::optional{std::move(text)} : std::nullopt;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mailbox)

BOOST_DATA_TEST_CASE(a_domain, data::make(kDomains), row)
{
    const auto domain = Domain::parse(row.text);
    BOOST_TEST_REQUIRE(domain.has_value());
    BOOST_TEST(domain->name() == row.name);
}

BOOST_DATA_TEST_CASE(no_domain, data::make(kNoDomains), row)
{
    BOOST_TEST(!Domain::parse(row.text).has_value());
}

BOOST_AUTO_TEST_CASE(every_byte_in_a_domain)
{
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        const auto character = lowered(c);
        const bool is_alphanumeric =
            std::string_view{"abcdefghijklmnopqrstuvwxyz0123456789"}.find(character)
            != std::string_view::npos;
        BOOST_TEST(Domain::parse(std::string{c} + ".org").has_value() == is_alphanumeric,
                   "alone: " << byte);
        BOOST_TEST(Domain::parse(std::string{"a"} + c + "b").has_value()
                       == (is_alphanumeric || c == '-' || c == '.'),
                   "inside: " << byte);
    }
}

BOOST_DATA_TEST_CASE(a_domain_in_both_forms, data::make(kForms), row)
{
    const auto domain = Domain::parse(row.written);
    BOOST_TEST_REQUIRE(domain.has_value());
    BOOST_TEST(domain->name() == row.name);
    BOOST_TEST(domain->text() == row.text);
    const auto address = Address::parse("alice", *domain);
    BOOST_TEST(address.text() == "alice@" + row.text);
    BOOST_TEST(address.ascii() == "alice@" + row.name);
    BOOST_TEST(address.domain() == row.name);
}

BOOST_AUTO_TEST_CASE(an_address_keeps_the_form_that_it_was_written_in)
{
    const auto ascii = Domain::parse("xn--bcher-kva.example").value(),
               unicode = Domain::parse("b\xC3\xBC"
                                       "cher.example")
                             .value();
    BOOST_TEST(Address::parse("alice@b\xC3\x9C"
                              "cher.example",
                              ascii)
                   .text()
               == "alice@" + unicode.text());
    BOOST_TEST(Address::parse("alice@xn--bcher-kva.example", unicode).text()
               == "alice@" + ascii.text());
    BOOST_CHECK_EXCEPTION(Address::parse("alice@i\xE2\x99\xA5ny.example", unicode),
                          mailbox::Invalid,
                          [](const auto& error) {
        return std::string{error.what()}.find("IDNA 2008") != std::string::npos;
    });
}

BOOST_DATA_TEST_CASE(a_domain_that_may_be_added, data::make(kHosted), row)
{
    const auto domain = Domain::parse(row.text);
    BOOST_TEST_REQUIRE(domain.has_value());  // one that is there already keeps working
    const std::string why{mailbox::obstacle_to_hosting(*domain)};
    BOOST_TEST(why.empty() == row.because.empty(), why);
    BOOST_TEST(why.find(row.because) != std::string::npos, why);
    BOOST_TEST(mailbox::is_word(*domain) == (row.because == "use that word"));
}

// The words come from where they are used: the key words from the maps, and the versions and the
// fixed segments from the table of paths.
BOOST_AUTO_TEST_CASE(every_word_of_a_map_or_a_path_is_refused)
{
    std::set<std::string> words;
    const auto collect = [&words](const std::string& text, const std::regex& pattern) {
        for (std::sregex_iterator match{text.begin(), text.end(), pattern}, end; match != end;
             ++match)
            words.insert(match->str(1));
    };
    for (const auto& file :
         std::filesystem::directory_iterator{sources::directory() / "sql/postfix"}) {
        std::istringstream lines{sources::contents(file.path())};
        for (std::string line; std::getline(lines, line);) {
            if (!line.starts_with("#")) collect(line, std::regex{"static:([a-z0-9]+)"});
        }
    }
    for (const auto& path : routes::all()) {
        words.insert(path.versions.begin(), path.versions.end());
        collect(std::string{path.pattern}, std::regex{"/([a-z]+)"});
    }
    for (const char* expected : {"mailboxes", "domains", "credentials", "v2", "v3", "v4"})
        BOOST_TEST(words.contains(expected), expected);
    for (const auto& word : words) BOOST_TEST(mailbox::is_word(Domain::parse(word).value()), word);
}

BOOST_DATA_TEST_CASE(an_address, data::make(kAddresses), row)
{
    const auto address = Address::parse(row.text, kExample);
    BOOST_TEST(address.local_part() == row.name);
    BOOST_TEST(address.domain() == "example.org");
    BOOST_TEST(address.text() == address.local_part() + "@example.org");
}

BOOST_DATA_TEST_CASE(no_address, data::make(kNoAddresses), row)
{
    BOOST_CHECK_EXCEPTION(Address::parse(row.text, kExample), mailbox::Invalid,
                          [](const mailbox::Invalid& invalid) {
        return std::string{invalid.what()}.starts_with("'mailbox' parameter");
    });
}

BOOST_DATA_TEST_CASE(the_sentence_calls_it_what_the_caller_did, data::make(kNoAddresses), row)
{
    BOOST_CHECK_EXCEPTION(Address::parse(row.text, kExample, "login"), mailbox::Invalid,
                          [](const mailbox::Invalid& invalid) {
        return std::string{invalid.what()}.starts_with("'login' parameter");
    });
}

BOOST_AUTO_TEST_CASE(every_byte_in_a_local_part)
{
    for (int byte = 0; byte < 256; ++byte) {
        if (byte == '@') continue;
        const char c = static_cast<char>(byte);
        const auto character = lowered(c);
        const bool is_allowed = kAllowed.find(character) != std::string_view::npos;
        BOOST_TEST((local_part(std::string{c})
                    == expected_if(is_allowed && c != '.' && c != '-', character)),
                   "alone: " << byte);
        BOOST_TEST((local_part(std::string{c} + "a")
                    == expected_if(is_allowed && c != '.' && c != '-', character + "a")),
                   "in front: " << byte);
        BOOST_TEST((local_part(std::string{"a"} + c + "b")
                    == expected_if(is_allowed, "a" + character + "b")),
                   "inside: " << byte);
        BOOST_TEST((local_part(std::string{"a"} + c)
                    == expected_if(is_allowed && c != '.', "a" + character)),
                   "behind: " << byte);
        BOOST_TEST((local_part(std::string{"a"} + c + "@example.org")
                    == expected_if(is_allowed && c != '.', "a" + character)),
                   "in a full address: " << byte);
    }
}

// RFC 5321's path is at most 256, with its angle brackets.
BOOST_AUTO_TEST_CASE(the_whole_address_has_at_most_254_bytes)
{
    const auto long_domain = Domain::parse(domain_of(189)).value();
    const auto longer_domain = Domain::parse(domain_of(190)).value();
    BOOST_TEST(local_part(label(64), long_domain).has_value());
    BOOST_TEST(local_part(label(64) + "@" + domain_of(189), long_domain).has_value());
    BOOST_TEST(!local_part(label(64), longer_domain).has_value());
    BOOST_TEST(!local_part(label(64) + "@" + domain_of(190), longer_domain).has_value());
    BOOST_TEST(local_part(label(63), longer_domain).has_value());
    BOOST_TEST(!local_part("a", Domain::parse(domain_of(253)).value()).has_value());
    BOOST_TEST(local_part("a", Domain::parse(domain_of(252)).value()).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
