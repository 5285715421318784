// mail_integrations_story.cc - the modules for WHMCS and FOSSBilling: their functions are called
// from PHP as the host application calls them, against the running service, and the passwords are
// tried over IMAP.

#include "system/harness/mail.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
namespace ut = boost::unit_test;

namespace {

boost::test_tools::assertion_result has_php(ut::test_unit_id /*id*/)
{
    const auto ended = process::run({"sh", "-c", "php -m 2>/dev/null | grep -qx curl"});
    boost::test_tools::assertion_result result{ended.exit == 0};
    if (!result) result.message() << "PHP is not installed; scripts/install-deps integrations";
    return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mail_integrations, *mail::needs_mail() * ut::precondition(has_php))

BOOST_DATA_TEST_CASE_F(mail::Story, a_module_does_what_its_host_asks,
                       data::make({"whmcs", "fossbilling"}), module)
{
    expected = {"foreign key constraint fails"};  // a session of a customer who is removed
    const char* const sources = std::getenv("TEST_SOURCE_DIR");
    const auto script = std::filesystem::path{sources == nullptr ? "." : sources}
                        / "tests/integrations" / (std::string{module} + ".php");
    const auto ended =
        process::run({"env", "NO_PROXY=*", "BASE_URL=" + stack.setting("API_URL"),
                      "OPERATOR_KEY=" + story::add_key(stack, {"--operator"}),
                      "IMAP_URL=imap://127.0.0.1:" + std::to_string(stack.port("IMAP_PORT")), "php",
                      script.string()});
    BOOST_TEST(ended.exit == 0, ended.out + ended.err);
    BOOST_TEST(ended.out.ends_with("all checks passed\n"), ended.out);
}

BOOST_AUTO_TEST_SUITE_END()
