// dpkg_test.cc - which version of a package is installed, and which of two versions is older.

#include "peers/dpkg.h"

#include <boost/test/unit_test.hpp>

#include <cstdlib>

#include "support/support.h"

BOOST_AUTO_TEST_SUITE(dpkg)

BOOST_AUTO_TEST_CASE(an_installed_package)
{
    const auto itself = dpkg::installed("dpkg");
    BOOST_TEST_REQUIRE(itself.has_value());
    BOOST_TEST(itself->name == "dpkg");
    BOOST_TEST(itself->version.starts_with("1."), itself->version);
    BOOST_TEST(itself->maintainer.find('@') != std::string::npos, itself->maintainer);
    BOOST_TEST(!dpkg::installed("no-such-package"));
}

// A removed package whose configuration files are still there is not installed.
BOOST_AUTO_TEST_CASE(what_another_database_says)
{
    const support::Directory directory;
    directory.write(
        "status",
        "Package: nginx\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1.22.1-9\nMaintainer: A <a@debian.org>\n\n"
        "Package: postfix\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.7.9-0+deb12u1\nMaintainer: B <b@debian.org>\nDescription: x\n");
    ::setenv("DPKG_ADMINDIR", directory.path("").c_str(), 1);
    const auto nginx = dpkg::installed("nginx");
    const auto postfix = dpkg::installed("postfix");
    ::unsetenv("DPKG_ADMINDIR");
    BOOST_TEST(!nginx);
    BOOST_TEST_REQUIRE(postfix.has_value());
    BOOST_TEST(postfix->version == "3.7.9-0+deb12u1");
    BOOST_TEST(postfix->maintainer == "B <b@debian.org>");
}

BOOST_AUTO_TEST_CASE(older)
{
    struct Case {
        const char* left;
        const char* right;
        bool is_older;
        const char* because;
    };
    for (const auto& [left, right, is_older, because] :
         {Case{"1.22.1-9+deb12u9", "1.22.1-9+deb12u10", true, "numbers are compared as numbers"},
          {"1.22.1-9+deb12u10", "1.22.1-9+deb12u9", false, "the same the other way round"},
          {"1.22.1-9+deb12u10", "1.22.1-9+deb12u10", false, "the same version"},
          {"1.22.1-9", "1.22.1-9+deb12u1", true, "without a security revision"},
          {"1.22.1-9+deb12u10~local1", "1.22.1-9+deb12u10", true, "a tilde sorts before the end"},
          {"2.4.1", "1:2.3.19", true, "an epoch goes first"},
          {"3.7.11-0+deb12u1", "3.10.13-0+deb13u1", true, "3.7 is older than 3.10"}})
        BOOST_TEST(dpkg::is_older(left, right) == is_older,
                   left << " " << right << ": " << because);
}

BOOST_AUTO_TEST_SUITE_END()
