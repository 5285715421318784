// unicode_test.cc - text in one spelling. What is a domain name in Unicode, mailbox_test.cc has.

#include "mail/unicode.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

#include "support/support.h"

namespace data = boost::unit_test::data;

namespace {

struct Spelling : support::Row {
    std::string given;
    std::string composed;
};

const Spelling kSpellings[] = {
    {"nothing", "", ""},
    {"ASCII", "secret \x7F", "secret \x7F"},
    {"composed already", "caf\xC3\xA9", "caf\xC3\xA9"},
    {"a letter and its accent", "cafe\xCC\x81", "caf\xC3\xA9"},
    {"two marks in another order", "q\xCC\x87\xCC\xA3", "q\xCC\xA3\xCC\x87"},
    {"Hangul by its parts", "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C"},
    {"an Angstrom sign is a letter", "\xE2\x84\xAB", "\xC3\x85"},
    {"full width stays (no NFKC)", "\xEF\xBC\xA1", "\xEF\xBC\xA1"},
    {"a no-break space stays",
     "a\xC2\xA0"
     "b",
     "a\xC2\xA0"
     "b"},
    {"the letter that grows most", "\xF0\x9D\x85\xA0",
     "\xF0\x9D\x85\x98\xF0\x9D\x85\xA5\xF0\x9D\x85\xAE"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(unicode)

BOOST_DATA_TEST_CASE(text_is_composed, data::make(kSpellings), row)
{
    BOOST_TEST(::unicode::composed(row.given).text() == row.composed);
}

BOOST_AUTO_TEST_CASE(long_text_is_composed_too)
{
    std::string given, expected;
    for (int i = 0; i < 2000; ++i) {
        given += "\xF0\x9D\x85\xA0";
        expected += "\xF0\x9D\x85\x98\xF0\x9D\x85\xA5\xF0\x9D\x85\xAE";
    }
    BOOST_TEST((::unicode::composed(given).text() == expected));
}

BOOST_AUTO_TEST_SUITE_END()
