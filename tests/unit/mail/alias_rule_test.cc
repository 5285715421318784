// alias_rule_test.cc - which expressions and actions of a route are understood, and what they mean.

#include "mail/alias_rule.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "support/support.h"

namespace data = boost::unit_test::data;

namespace {

// Returns `name@domain`, `@domain` for a catch-all, `@` for all domains, or `refused`.
std::string meaning(std::string_view expression)
{
    try {
        const auto pattern = alias::pattern_of(expression);
        return pattern.local_part + "@" + (pattern.domain ? pattern.domain->name() : "");
    } catch (const mailbox::Invalid&) {
        return "refused";
    }
}

// Returns the targets with blanks between them, and `stop` at the end if there is one.
std::string meaning(const std::vector<std::string>& actions)
{
    try {
        const auto found = alias::actions_of(actions);
        std::string all;
        for (const auto& target : found.targets) all += target.text() + " ";
        return all + (found.has_stop ? "stop" : "");
    } catch (const mailbox::Invalid&) {
        return "refused";
    }
}

struct Expression : support::Row {
    std::string text;
    std::string means;
};
const Expression kExpressions[] = {
    {{"double quotes"}, R"(match_recipient("sales@example.org"))", "sales@example.org"},
    {{"single quotes"}, "match_recipient('sales@example.org')", "sales@example.org"},
    {{"upper case"}, "match_recipient('Sales@Example.ORG')", "sales@example.org"},
    {{"blanks"}, " match_recipient ( 'sales@example.org' ) ", "sales@example.org"},
    {{"anchors"}, "match_recipient('^sales@example.org$')", "sales@example.org"},
    {{"escaped dots"}, R"(match_recipient("first\.last@example\.org"))", "first.last@example.org"},
    {{"a catch-all of a domain"}, "match_recipient('.*@example.org')", "@example.org"},
    {{"the same with anchors"}, R"(match_recipient("^.*@example\.org$"))", "@example.org"},
    {{"a catch-all of an account"}, "catch_all()", "@"},
    {{"the same with blanks"}, " catch_all ( ) ", "@"},
    {{"a domain in Unicode"}, "match_recipient('x@bücher.example')", "x@xn--bcher-kva.example"},
    {{"nothing"}, "", "refused"},
    {{"no function"}, "sales@example.org", "refused"},
    {{"no quotes"}, "match_recipient(sales@example.org)", "refused"},
    {{"unequal quotes"}, "match_recipient('sales@example.org\")", "refused"},
    {{"a quote within"}, "match_recipient('sa'les@example.org')", "refused"},
    {{"an alternative"}, "match_recipient('(a|b)@example.org')", "refused"},
    {{"an alternative without parentheses"}, "match_recipient('a|b@example.org')", "refused"},
    {{"an expression in the middle"}, "match_recipient('sales.*@example.org')", "refused"},
    {{"an expression before a name"}, "match_recipient('.*sales@example.org')", "refused"},
    {{"everything"}, "match_recipient('.*')", "refused"},
    {{"an extension"}, R"(match_recipient("^sales\+(.*)@example.org$"))", "refused"},
    {{"a class"}, "match_recipient('[a-z]@example.org')", "refused"},
    {{"an escape with a meaning"}, R"(match_recipient("\w@example.org"))", "refused"},
    {{"a backslash at the end"}, R"(match_recipient("sales@example.org\"))", "refused"},
    {{"two conditions"}, "match_recipient('a@example.org') and catch_all()", "refused"},
    {{"a header"}, "match_header('subject', '.*')", "refused"},
    {{"an argument of catch_all"}, "catch_all('example.org')", "refused"},
    {{"no domain"}, "match_recipient('sales@')", "refused"},
    {{"no name"}, "match_recipient('@example.org')", "refused"},
    {{"two @"}, "match_recipient('a@b@example.org')", "refused"},
    {{"a name that no mailbox may have"}, "match_recipient('a b@example.org')", "refused"},
    {{"too long"}, "match_recipient('" + std::string(500, 'a') + "@example.org')", "refused"},
};

// Returns an address of this many bytes.
std::string long_address(std::size_t size)
{
    const auto label = std::string(60, 'd') + ".";
    const auto begin = std::string(64, 'a') + "@" + label + label;
    const std::string end = ".example";
    return begin + std::string(size - begin.size() - end.size(), 'e') + end;
}

struct Action : support::Row {
    std::vector<std::string> actions;
    std::string means;
};
const Action kActions[] = {
    {{"one"}, {"forward('bob@example.org')"}, "bob@example.org "},
    {{"double quotes"}, {R"(forward("bob@example.org"))"}, "bob@example.org "},
    {{"two and stop"},
     {"forward('a@example.org')", "forward('b@example.org')", "stop()"},
     "a@example.org b@example.org stop"},
    {{"a list"}, {"forward('a@example.org, b@example.org')"}, "a@example.org b@example.org "},
    {{"twice the same"},
     {"forward('a@example.org')", "forward('A@EXAMPLE.org')"},
     "a@example.org "},
    {{"stop first"}, {"stop()", "forward('a@example.org')"}, "a@example.org stop"},
    {{"a name of another server"}, {"forward('a+b=c/d@example.net')"}, "a+b=c/d@example.net "},
    {{"the longest address"}, {"forward('" + long_address(254) + "')"}, long_address(254) + " "},
    {{"none"}, {}, "refused"},
    {{"only stop"}, {"stop()"}, "refused"},
    {{"a URL"}, {"forward('https://example.org/hook')"}, "refused"},
    {{"a URL in a list"}, {"forward('a@example.org, http://example.org')"}, "refused"},
    {{"store"}, {"store()"}, "refused"},
    {{"an argument of stop"}, {"forward('a@example.org')", "stop('x')"}, "refused"},
    {{"nothing"}, {"forward('')"}, "refused"},
    {{"no @"}, {"forward('alice')"}, "refused"},
    {{"no name"}, {"forward('@example.org')"}, "refused"},
    {{"an option"}, {"forward('-x@example.org')"}, "refused"},
    {{"a source route"}, {"forward('a%example.net@example.org')"}, "refused"},
    {{"an older source route"}, {"forward('example.net!a@example.org')"}, "refused"},
    {{"a dot at the beginning"}, {"forward('.a@example.org')"}, "refused"},
    {{"a dot at the end"}, {"forward('a.@example.org')"}, "refused"},
    {{"two dots"}, {"forward('a..b@example.org')"}, "refused"},
    {{"a long address"}, {"forward('" + long_address(255) + "')"}, "refused"},
    {{"a quoted name"}, {R"(forward('"a b"@example.org'))"}, "refused"},
    {{"a line end"}, {"forward('a@example.org')\nstop()"}, "refused"},
    {{"two in one"}, {"forward('a@example.org') stop()"}, "refused"},
    {{"too long"}, {"forward('" + std::string(4000, ' ') + "a@example.org')"}, "refused"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(alias_rules)

BOOST_DATA_TEST_CASE(an_expression, data::make(kExpressions), row)
{
    BOOST_TEST(meaning(row.text) == row.means);
}

BOOST_DATA_TEST_CASE(actions, data::make(kActions), row)
{
    BOOST_TEST(meaning(row.actions) == row.means);
}

BOOST_AUTO_TEST_CASE(a_pattern_is_written_as_it_is_read)
{
    for (const std::string expression : {R"(match_recipient("sales@example.org"))",
                                         R"(match_recipient(".*@example.org"))", "catch_all()"})
        BOOST_TEST(alias::expression_of(alias::pattern_of(expression)) == expression);
}

BOOST_AUTO_TEST_CASE(a_route_has_at_most_100_targets)
{
    const auto many = [](int count) {
        std::string list;
        for (int i = 0; i < count; ++i) list += "u" + std::to_string(i) + "@example.org,";
        return std::vector<std::string>{"forward('" + list + "')"};
    };
    BOOST_TEST(alias::actions_of(many(100)).targets.size() == 100U);
    BOOST_CHECK_THROW(alias::actions_of(many(101)), mailbox::Invalid);
}

BOOST_AUTO_TEST_SUITE_END()
