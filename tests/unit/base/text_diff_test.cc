// text_diff_test.cc - differences of texts, and merging two changes of one.

#include "base/text_diff.h"

#include <boost/test/unit_test.hpp>

namespace {

BOOST_AUTO_TEST_SUITE(text_diff_suite)

BOOST_AUTO_TEST_CASE(the_unified_format)
{
    BOOST_TEST(text_diff::unified("a\nb\n", "a\nb\n", "x", "y") == "");
    BOOST_TEST(text_diff::unified("a\nb\nc\n", "a\nB\nc\n", "x", "y", 1)
               == "--- x\n+++ y\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
    BOOST_TEST(text_diff::unified("a\nb\nc\n", "a\nb\nc\nd\n", "x", "y", 0)
               == "--- x\n+++ y\n@@ -3,0 +4 @@\n+d\n");
    BOOST_TEST(text_diff::unified("", "a\n", "x", "y") == "--- x\n+++ y\n@@ -0,0 +1 @@\n+a\n");
    BOOST_TEST(text_diff::unified("a", "a\n", "x", "y")
               == "--- x\n+++ y\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
    // Far changes have hunks of their own.
    BOOST_TEST(text_diff::unified("1\n2\n3\n4\n5\n", "0\n2\n3\n4\n6\n", "x", "y", 1)
               == "--- x\n+++ y\n@@ -1,2 +1,2 @@\n-1\n+0\n 2\n@@ -4,2 +4,2 @@\n 4\n-5\n+6\n");
}

struct Merge {
    const char* base;
    const char* left;
    const char* right;
    const char* merged;  // nullptr: a conflict
    const char* why;
};
const Merge kMerges[] = {
    {"a\nb\nc\n", "A\nb\nc\n", "a\nb\nC\n", "A\nb\nC\n", "changes in different lines"},
    {"a\nb\n", "a\nB\n", "a\nB\n", "a\nB\n", "the same change"},
    {"a\nb\n", "a\nX\n", "a\nY\n", nullptr, "different changes of one line"},
    {"a\n", "a\nx\n", "a\ny\n", nullptr, "different lines at the same place"},
    {"a\nours\n", "a\nours\ntheirs\n", "a\n", "a\ntheirs\n", "appended after what is taken out"},
    {"a\nours\nb\n", "a\ntheirs\nours\nb\n", "a\nb\n", "a\ntheirs\nb\n", "inserted before it"},
    {"a\nours\nb\n", "a\nmine\nb\n", "a\nb\n", nullptr, "changed and taken out"},
    {"a\nb", "a\nb\nc\n", "A\nb", "A\nb\nc\n", "no line end"},
    {"", "a\n", "", "a\n", "one side alone"},
};

BOOST_AUTO_TEST_CASE(merging)
{
    for (const auto& [base, left, right, expected, why] : kMerges) {
        for (const auto& result :
             {text_diff::merged(base, left, right), text_diff::merged(base, right, left)}) {
            BOOST_TEST(result.has_value() == (expected != nullptr), why);
            if (result && expected != nullptr) BOOST_TEST(*result == expected, why);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
