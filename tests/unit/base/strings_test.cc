// strings_test.cc - numbers, words and lists in text.

#include "base/strings.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <set>

#include "support/support.h"

namespace data = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(strings_of_text)

struct Number : support::Row {
    std::string text;
    std::optional<std::uint64_t> value;
};

constexpr std::uint64_t kGreatest = 1000;
const Number kNumbers[] = {
    {"least", "0", 0},
    {"some", "42", 42},
    {"greatest", "1000", 1000},
    {"leading zeros", "0042", 42},
    {"above the greatest", "1001", std::nullopt},
    {"above any number", "18446744073709551616", std::nullopt},
    {"no text", "", std::nullopt},
    {"minus", "-1", std::nullopt},
    {"minus zero", "-0", std::nullopt},
    {"plus", "+1", std::nullopt},
    {"blank before", " 1", std::nullopt},
    {"blank after", "1 ", std::nullopt},
    {"line end", "1\n", std::nullopt},
    {"a unit", "1K", std::nullopt},
    {"a fraction", "1.5", std::nullopt},
    {"hexadecimal", "0x10", std::nullopt},
    {"a word", "one", std::nullopt},
};

BOOST_DATA_TEST_CASE(whole_numbers_are_digits, data::make(kNumbers), row)
{
    BOOST_TEST((strings::whole_number(row.text, kGreatest) == row.value), row.text);
}

BOOST_AUTO_TEST_CASE(whole_numbers_have_64_bits)
{
    BOOST_TEST((strings::whole_number("18446744073709551615") == 18'446'744'073'709'551'615U));
    BOOST_TEST(!strings::whole_number("18446744073709551616"));
}

struct Split : support::Row {
    std::string text;
    std::string separators;
    std::vector<std::string> words;
};

const Split kSplits[] = {
    {"no text", "", " ", {}},
    {"separators alone", " , ", " ,", {}},
    {"one word", "one", " ", {"one"}},
    {"separators around", "  one ", " ", {"one"}},
    {"separators in a row count as one", "one, two", ", ", {"one", "two"}},
    {"lines", "one two\n\nthree\n", "\n", {"one two", "three"}},
};

BOOST_DATA_TEST_CASE(words_stand_between_separators, data::make(kSplits), row)
{
    BOOST_TEST(strings::words(row.text, row.separators) == row.words,
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(words_stand_between_blanks)
{
    BOOST_TEST(strings::words("one\ttwo\r\nthree")
                   == (std::vector<std::string>{"one", "two", "three"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(texts_are_joined_in_their_order)
{
    BOOST_TEST(strings::joined(std::vector<std::string>{}, ", ") == "");
    BOOST_TEST(strings::joined(std::vector<std::string>{"b"}, ", ") == "b");
    BOOST_TEST(strings::joined(std::vector<std::string>{"", "b", ""}, ", ") == ", b, ");
    BOOST_TEST(strings::joined(std::set<std::string>{"b", "a"}, ", ") == "a, b");
}

BOOST_AUTO_TEST_SUITE_END()
