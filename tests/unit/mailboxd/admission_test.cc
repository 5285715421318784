// admission_test.cc - the order in which a request is refused, given what the database says about
// its key.

#include "mailboxd/admission_rules.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>

#include "db/grants.h"
#include "mailboxd/http.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using admission::Purpose;
using grants::Grant;
using support::complaint;

namespace {

// A flaw of a grant, and the refusal that it causes.
struct Flaw : support::Row {
    void (*apply)(std::optional<Grant>& grant);
    std::string complaint;
    Purpose least = Purpose::read;  // write: it does not matter for reading
};

// In the order in which they are reported: a caller without a valid key learns nothing else.
const Flaw kFlaws[] =
    {
        {"no such key", [](std::optional<Grant>& grant) { grant.reset(); }, "401 unauthorized"},
        {"revoked",
         [](std::optional<Grant>& grant) {
    if (grant) grant->key_is_revoked = true;
         },
         "401 unauthorized"},
        {"expired",
         [](std::optional<Grant>& grant) {
    if (grant) grant->key_expires_at = 999;
         },
         "401 unauthorized"},
           {"expires in this second",
            [](std::optional<Grant>& grant) {
    if (grant) grant->key_expires_at = 1000;
            },
            "401 unauthorized"},
    {"from elsewhere",
     [](std::optional<Grant>& grant) {
    if (grant) grant->key_addresses = "198.51.100.0/24";
     },
     "401 unauthorized"},
    {"the account is not active",
     [](std::optional<Grant>& grant) {
    if (grant) grant->account_is_active = false;
     },
     "403 suspended"},
    {"no domain for this key",
     [](std::optional<Grant>& grant) {
    if (grant) grant->domain_id = 0;
     },
     "404 domain_not_found"},
    {"read-only",
     [](std::optional<Grant>& grant) {
    if (grant) grant->key_is_read_only = true;
     },
     "403 read_only", Purpose::write},
    {"the domain is not active",
     [](std::optional<Grant>& grant) {
    if (grant) grant->domain_is_active = false;
     },
     "403 suspended", Purpose::write},
    };

std::optional<Grant> good_grant()
{
    Grant grant;
    grant.now = 1000;
    grant.account_is_active = true;
    grant.domain_id = 7;
    grant.domain_is_active = true;
    return grant;
}

std::string result_of(const std::optional<Grant>& grant, Purpose purpose)
{
    return complaint([&] { admission::check(grant, "192.0.2.1", "example.org", purpose); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(auth)

BOOST_AUTO_TEST_CASE(a_right_key_may)
{
    BOOST_TEST(result_of(good_grant(), Purpose::read) == "accepted");
    BOOST_TEST(result_of(good_grant(), Purpose::write) == "accepted");
}

BOOST_DATA_TEST_CASE(a_key_with_one_flaw, data::make(kFlaws), flaw)
{
    auto grant = good_grant();
    flaw.apply(grant);
    BOOST_TEST(result_of(grant, Purpose::write) == flaw.complaint);
    BOOST_TEST(result_of(grant, Purpose::read)
               == (flaw.least == Purpose::read ? flaw.complaint : "accepted"));
}

BOOST_AUTO_TEST_CASE(of_two_flaws_the_first_is_told)
{
    for (std::size_t first = 0; first < std::size(kFlaws); ++first) {
        for (std::size_t second = first + 1; second < std::size(kFlaws); ++second) {
            auto grant = good_grant();
            kFlaws[first].apply(grant);
            kFlaws[second].apply(grant);
            BOOST_TEST(result_of(grant, Purpose::write) == kFlaws[first].complaint,
                       kFlaws[first].why << ", and " << kFlaws[second].why);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_key_that_ends_later_is_in_force)
{
    auto grant = good_grant();
    grant->key_expires_at = 1001;
    BOOST_TEST(result_of(grant, Purpose::write) == "accepted");
}

BOOST_AUTO_TEST_CASE(a_key_from_where_it_may)
{
    auto grant = good_grant();
    grant->key_addresses = "198.51.100.0/24 192.0.2.0/24";
    BOOST_TEST(result_of(grant, Purpose::write) == "accepted");
}

BOOST_AUTO_TEST_CASE(the_messages_are_those_of_the_contract)
{
    const auto message = [](const std::optional<Grant>& grant) {
        try {
            admission::check(grant, "192.0.2.1", "Example.org.", Purpose::read);
            return std::string{};
        } catch (const http::Error& error) {
            return std::string{error.what()};
        }
    };
    BOOST_TEST(message({}) == "Forbidden");
    auto grant = good_grant();
    grant->domain_id = 0;
    BOOST_TEST(message(grant) == "Domain not found: Example.org.");
}

BOOST_AUTO_TEST_SUITE_END()
