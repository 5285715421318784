// statement_test.cc - what a statement can be made from, and that a connection does not confuse
// two.

#include "db/statement.h"

#include <boost/test/unit_test.hpp>

#include <string>
#include <type_traits>

#include "support/database.h"

namespace {

// Text that a program makes while it runs may be gone, or another, when its address is seen again.
static_assert(!std::is_constructible_v<db::Statement, std::string>);
static_assert(!std::is_constructible_v<db::Statement, const char*>);
static_assert(std::is_constructible_v<db::Statement, const char (&)[9]>);
static_assert(std::is_constructible_v<db::Statement, const db::Text<8>&>);

constexpr db::Text kOne{"SELECT 1"};
constexpr auto kOneAndTwo = kOne + " UNION " + kOne + " + 1";

BOOST_AUTO_TEST_SUITE(statement)

BOOST_AUTO_TEST_CASE(text_is_put_together)
{
    BOOST_TEST(db::Statement{"SELECT 1"}.text() == std::string{"SELECT 1"});
    BOOST_TEST(db::Statement{kOne}.text() == std::string{"SELECT 1"});
    BOOST_TEST(db::Statement{kOneAndTwo}.text() == std::string{"SELECT 1 UNION SELECT 1 + 1"});
}

BOOST_AUTO_TEST_CASE(there_are_as_many_places_as_values)
{
    BOOST_TEST(std::string{db::places<1>().characters} == "?");
    BOOST_TEST(std::string{db::places<2>().characters} == "?, ?");
    BOOST_TEST(std::string{db::places<5>().characters} == "?, ?, ?, ?, ?");
}

BOOST_AUTO_TEST_CASE(a_text_is_found_again_by_what_it_says)
{
    auto connection = database::shared().connect();
    std::string text = "SELECT 1 FROM DUAL WHERE 1 = ?";
    BOOST_TEST(connection.query_text(text, {std::int64_t{1}}).count() == 1U);
    text.replace(text.find("= ?"), 3, "< ?");
    BOOST_TEST(connection.query_text(text, {std::int64_t{1}}).count() == 0U);
    BOOST_TEST(connection.query_text(text, {std::int64_t{2}}).count() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
