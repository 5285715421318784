// fill_in_test.cc - templates and their values.

#include "base/fill_in.h"

#include <boost/test/unit_test.hpp>

namespace {

BOOST_AUTO_TEST_SUITE(fill_in_suite)

BOOST_AUTO_TEST_CASE(values_replace_names)
{
    const fill_in::Values values{{"A", "1"}, {"B_C", "@A@"}, {"EMPTY", ""}};
    const std::pair<const char*, const char*> rows[] = {
        {"x = @A@\n", "x = 1\n"},
        {"@A@@A@", "11"},
        {"@B_C@ @A@\n", "@A@ 1\n"},  // a value is not filled in again
        {"[@EMPTY@]\n", "[]\n"},
        {"a@A@b@X@c\n", "a1b@X@c\n"},      // an unknown name stays
        {"me@host @A@\n", "me@host 1\n"},  // an address before a name
        {"  # @A@\n@A@\n#@A@", "  # @A@\n1\n#@A@"},
        {"\n\n@A@", "\n\n1"},
        {"", ""},
        {"@", "@"},
    };
    for (const auto& [text, expected] : rows) BOOST_TEST(fill_in::filled(text, values) == expected);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
