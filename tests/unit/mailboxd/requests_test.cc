// requests_test.cc - every row of support/requests.h through serve(): bodies that are accepted, and
// values that are refused without any change.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

#include "support/requests.h"
#include "support/served.h"

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;
using namespace served;

namespace {

std::string encoded(std::string_view text)
{
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string all;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        all += '%';
        all += kDigits[byte >> 4U];
        all += kDigits[byte & 15U];
    }
    return all;
}

// Returns the value with {domain} replaced.
std::string fill(std::string value, std::string_view domain)
{
    constexpr std::string_view kPlace = "{domain}";
    if (const auto place = value.find(kPlace); place != std::string::npos) {
        value.replace(place, kPlace.size(), domain);
    }
    return value;
}

void check_refused(const http::Response& answer, const requests::Value& row)
{
    BOOST_TEST(answer.status == 400);
    const auto body = text(answer);
    for (const auto& word : row.words) {
        BOOST_TEST(body.find(word) != std::string::npos, "no '" << word << "' in " << body);
    }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(requests_in_process)

BOOST_DATA_TEST_CASE_F(Served, a_body_creates_a_mailbox, data::make(requests::forms()), row)
{
    BOOST_TEST(text(post(row.bytes, row.type)) == R"(200 {"message":"Created 1 mailboxes"})");
    BOOST_TEST(names() == Strings{"alice"}, per_element());
    BOOST_TEST(has_password("alice", "correct horse"));
}

BOOST_DATA_TEST_CASE_F(Alice, a_body_changes_a_password, data::make(requests::forms()), row)
{
    if (row.bytes.starts_with('[')) {
        BOOST_TEST(put("alice", row.bytes, row.type).status == 400);  // several are for POST only
        check_untouched();
        return;
    }
    BOOST_TEST(text(put("alice", row.bytes, row.type)) == R"(200 {"message":"Password changed"})");
    BOOST_TEST(has_password("alice", "correct horse"));
}

BOOST_DATA_TEST_CASE_F(Alice, a_bad_mailbox_name_is_refused, data::make(requests::bad_mailboxes()),
                       row)
{
    const auto before = audit();
    const auto name = encoded(fill(row.value, domain.name()));
    check_refused(post("mailbox=" + name + "&password=correct+horse"), row);
    check_untouched();
    BOOST_TEST(audit() == before, per_element());
}

BOOST_DATA_TEST_CASE_F(Alice, a_bad_password_is_refused, data::make(requests::bad_passwords()), row)
{
    const auto before = audit();
    const auto password = fill(row.value, domain.name());
    const auto changed = put("alice", "password=" + encoded(password));
    check_refused(changed, row);
    if (password.size() > 5) {
        BOOST_TEST(changed.body.find(password) == std::string::npos, "the answer has the password");
    }
    check_untouched();
    BOOST_TEST(audit() == before, per_element());
    BOOST_TEST(remove("alice").status == 200);
    const auto without = audit();
    check_refused(post("mailbox=alice&password=" + encoded(password)), row);
    BOOST_TEST(rows() == 0);
    BOOST_TEST(counter() == 0);
    BOOST_TEST(audit() == without, per_element());
}

BOOST_DATA_TEST_CASE_F(Alice, a_bad_page_is_refused, data::make(requests::bad_queries()), row)
{
    check_refused(get("?" + row.value), row);
}

BOOST_AUTO_TEST_SUITE_END()
