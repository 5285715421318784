// versions_test.cc - an nginx, Dovecot or Postfix that lacks a fix is named, with the reason.

#include "mailboxctl/check/versions.h"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace {

using check::Verdict;

constexpr char kDebians[] = "Debian Somebody Maintainers <somebody@packages.debian.org>";

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(versions)

BOOST_AUTO_TEST_CASE(of_debian)
{
    struct Case {
        const char* package;
        const char* version;
        const char* fixed;  // empty if nothing is missing
        const char* reason;
    };
    for (const auto& [package, version, fixed, reason] :
         {Case{"nginx", "1.22.1-9", "1.22.1-9+deb12u10", "CVE-2026-42533"},
          {"nginx", "1.22.1-9+deb12u9", "1.22.1-9+deb12u10", "CVE-2026-42533"},
          {"nginx", "1.22.1-9+deb12u10", "", ""},
          {"nginx", "1.22.1-9+deb12u11", "", ""},
          {"nginx", "1.26.3-3+deb13u7", "1.26.3-3+deb13u8", "CVE-2026-42533"},
          {"nginx", "1.26.3-3+deb13u8", "", ""},
          {"nginx", "1.26.3-3+deb13u11", "", ""},
          {"dovecot-core", "1:2.3.19.1+dfsg1-2.1+deb12u6", "1:2.3.19.1+dfsg1-2.1+deb12u7",
           "CVE-2026-40018"},
          {"dovecot-core", "1:2.3.19.1+dfsg1-2.1+deb12u7", "", ""},
          {"dovecot-core", "1:2.4.1+dfsg1-6+deb13u6", "1:2.4.1+dfsg1-6+deb13u7", "CVE-2026-40018"},
          {"dovecot-core", "1:2.4.1+dfsg1-6+deb13u7", "", ""},
          {"postfix", "3.7.9-0+deb12u1", "3.7.11-0+deb12u1", "BDAT"},
          {"postfix", "3.7.11-0+deb12u1", "", ""},
          {"postfix", "3.10.12-0+deb13u2", "3.10.13-0+deb13u1", "smtpd_end_of_data_restrictions"},
          {"postfix", "3.10.13-0+deb13u1", "", ""}}) {
        const auto found = check::judge_versions({{package, version, kDebians}});
        BOOST_TEST_CONTEXT(package << " " << version << ": " << found.message)
        {
            BOOST_TEST((found.verdict == (*fixed == '\0' ? Verdict::ok : Verdict::wrong)));
            if (*fixed == '\0') BOOST_TEST(found.message.empty());
            BOOST_TEST(has(found.message, version) == (*fixed != '\0'));
            BOOST_TEST(has(found.message, fixed));
            BOOST_TEST(has(found.message, reason));
            BOOST_TEST(has(found.message, std::string{"apt-get install --only-upgrade "} + package)
                       == (*fixed != '\0'));
        }
    }
}

BOOST_AUTO_TEST_CASE(all_that_are_too_old_are_named_at_once)
{
    const auto found =
        check::judge_versions({{"nginx", "1.22.1-9+deb12u9", kDebians},
                               {"dovecot-core", "1:2.3.19.1+dfsg1-2.1+deb12u7", kDebians},
                               {"postfix", "3.7.6-0+deb12u2", kDebians}});
    BOOST_TEST((found.verdict == Verdict::wrong));
    BOOST_TEST(has(found.message, "nginx 1.22.1-9+deb12u9"), found.message);
    BOOST_TEST(has(found.message, "Postfix 3.7.6-0+deb12u2"), found.message);
    BOOST_TEST(!has(found.message, "Dovecot"), found.message);
}

BOOST_AUTO_TEST_CASE(of_others_is_not_asked)
{
    auto found = check::judge_versions(
        {{"nginx", "1.26.3-1~bookworm", "NGINX Packaging <nginx-packaging@f5.com>"}});
    BOOST_TEST((found.verdict == Verdict::unknown));
    BOOST_TEST(has(found.message, "not asked: nginx 1.26.3-1~bookworm is not Debian's"),
               found.message);
    BOOST_TEST(has(found.message, "CVE-2026-42533"), found.message);
    // Debian's, but of another release.
    found = check::judge_versions({{"postfix", "3.11.6-1", kDebians}});
    BOOST_TEST((found.verdict == Verdict::unknown));
    BOOST_TEST(has(found.message, "not asked: Postfix 3.11.6-1 is not of Debian 12 or 13"),
               found.message);
    found = check::judge_versions({});
    BOOST_TEST((found.verdict == Verdict::unknown));
    BOOST_TEST(has(found.message, "not asked: "), found.message);
    // What is too old goes first.
    found = check::judge_versions({{"nginx", "1.27.0-1", "X <x@example.org>"},
                                   {"dovecot-core", "1:2.4.1+dfsg1-6", kDebians}});
    BOOST_TEST((found.verdict == Verdict::wrong));
    BOOST_TEST(found.message.starts_with("Dovecot 1:2.4.1+dfsg1-6"), found.message);
}

BOOST_AUTO_TEST_SUITE_END()
