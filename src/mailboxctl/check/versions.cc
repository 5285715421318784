#include "mailboxctl/check/versions.h"

#include <algorithm>
#include <array>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/strings.h"

namespace check {
namespace {

// A release of Debian, and the first revision there that has the fix.
struct Fix {
    std::string_view package;
    std::string_view release;  // what the versions of this Debian begin with
    const char* fixed;
    const char* fault;
};

constexpr char kMaps[] =
    "lets a request overflow a buffer where a map has a regular expression, as in"
    " mailboxd-http.conf (CVE-2026-42533)";
constexpr char kQueries[] =
    "escapes names wrongly in queries to MySQL (CVE-2026-40018), and lets clients use up memory"
    " before they log in (CVE-2026-42391)";
constexpr char kOldBdat[] =
    "lets a client fill the memory by BDAT, and before 3.7.10 does not know the protection against"
    " forged messages that mailboxd-main.cf sets (CVE-2023-51764)";
constexpr char kEndOfData[] =
    "lets a client go on with a second message after smtpd_end_of_data_restrictions, our limit for"
    " sending, refused the first, and lets it fill the memory by BDAT";

// From the changelogs of the packages.
constexpr std::array kFixes{
    Fix{"nginx", "1.22.1-", "1.22.1-9+deb12u10", kMaps},
    Fix{"nginx", "1.26.3-", "1.26.3-3+deb13u8", kMaps},
    Fix{"dovecot-core", "1:2.3.19.1+", "1:2.3.19.1+dfsg1-2.1+deb12u7", kQueries},
    Fix{"dovecot-core", "1:2.4.1+", "1:2.4.1+dfsg1-6+deb13u7", kQueries},
    Fix{"postfix", "3.7.", "3.7.11-0+deb12u1", kOldBdat},
    Fix{"postfix", "3.10.", "3.10.13-0+deb13u1", kEndOfData},
};

std::string program(const std::string& package)
{
    return package == "dovecot-core" ? "Dovecot" : package == "postfix" ? "Postfix" : package;
}

bool is_of_debian(const dpkg::Package& package)
{
    static const std::regex address{R"(@([\w.-]+\.)?debian\.(org|net)>)"};
    return std::regex_search(package.maintainer, address);
}

Result judge(const dpkg::Package& package)
{
    const auto its_name = program(package.name) + " " + package.version;
    const auto has_name = [&](const Fix& fix) { return fix.package == package.name; };
    if (!is_of_debian(package)) {
        const auto* const fix = std::find_if(kFixes.begin(), kFixes.end(), has_name);
        return unknown("not asked: " + its_name + " is not Debian's, but of " + package.maintainer
                       + ". Find out whether it "
                       + (fix == kFixes.end() ? "has known faults" : fix->fault));
    }
    const auto* const fix = std::find_if(kFixes.begin(), kFixes.end(), [&](const Fix& each) {
        return has_name(each) && package.version.starts_with(each.release);
    });
    if (fix == kFixes.end())
        return unknown("not asked: " + its_name + " is not of Debian 12 or 13");
    if (!dpkg::is_older(package.version, fix->fixed)) return ok();
    return wrong(its_name + " " + fix->fault + "; " + fix->fixed
                 + " does not: apt-get update && apt-get install --only-upgrade " + package.name);
}

}  // namespace

Result judge_versions(const std::vector<dpkg::Package>& packages)
{
    if (packages.empty())
        return unknown("not asked: dpkg knows no nginx, Dovecot or Postfix on this machine");
    Result all;
    std::vector<std::string> wrong_ones, unknown_ones;
    for (const auto& package : packages) {
        const auto found = judge(package);
        if (found.verdict == Verdict::wrong) wrong_ones.push_back(found.message);
        if (found.verdict == Verdict::unknown) unknown_ones.push_back(found.message);
    }
    if (!wrong_ones.empty()) return wrong(strings::joined(wrong_ones, ". "));
    if (!unknown_ones.empty()) return unknown(strings::joined(unknown_ones, ". "));
    return ok();
}

Result versions()
try {
    std::vector<dpkg::Package> packages;
    for (const char* name : {"nginx", "dovecot-core", "postfix"}) {
        if (auto package = dpkg::installed(name)) packages.push_back(*package);
    }
    return judge_versions(packages);
} catch (const std::runtime_error& error) {
    return unknown(std::string{"not asked: "} + error.what());
}

}  // namespace check
