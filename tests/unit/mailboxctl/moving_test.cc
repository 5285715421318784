// moving_test.cc - the file of logins at another server.

#include "mailboxctl/moving.h"

#include <boost/test/unit_test.hpp>

#include <filesystem>

#include "db/accounts.h"
#include "support/support.h"

namespace {

namespace fs = std::filesystem;

struct File {
    std::string with(const std::string& text) const
    {
        const auto path = directory.write("logins", text);
        fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
        return path;
    }
    support::Directory directory;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(logins_elsewhere)

BOOST_FIXTURE_TEST_CASE(lines, File)
{
    const moving::Logins logins{
        with("Alice@example.org\tse cret\r\n\nbob@example.org\tweb12\tp\n*boss\tmaster\n")};
    BOOST_TEST(logins.of("alice@example.org")->user == "Alice@example.org");
    BOOST_TEST(logins.of("alice@example.org")->password == "se cret");
    BOOST_TEST(logins.of("bob@example.org")->user == "web12");
    BOOST_TEST(logins.of("carol@example.org")->user == "carol@example.org*boss");
    BOOST_TEST(logins.of("carol@example.org")->password == "master");
}

BOOST_FIXTURE_TEST_CASE(nobody_else, File)
{
    BOOST_TEST(!moving::Logins{with("a@b\tp\n")}.of("c@b").has_value());
}

BOOST_FIXTURE_TEST_CASE(bad_files, File)
{
    for (const std::string text : {"a@b p\n", "a@b\tx\ty\tz\n", "\tp\n"})
        BOOST_CHECK_THROW(moving::Logins{with(text)}, admin::Refused);
    const auto open = with("a@b\tp\n");
    fs::permissions(open, fs::perms::others_read, fs::perm_options::add);
    BOOST_CHECK_THROW(moving::Logins{open}, admin::Refused);
    BOOST_CHECK_THROW(moving::Logins{directory.path("absent")}, admin::Refused);
}

BOOST_AUTO_TEST_SUITE_END()
