// routes_test.cc - which row of the table a path fits, and what is derived from the row.

#include "mailboxd/routes.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <vector>

#include "mailboxd/http.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using support::complaint;

namespace {

routes::Match found(std::string_view target, std::string_view method = "GET")
{
    http::Raw raw;
    raw.target = target;
    return routes::find(http::parse(std::move(raw)).path, method);
}

struct Target : support::Row {
    std::string target;
    std::string pattern;
    std::string domain{};
    std::string mailbox{};
};

constexpr char kMailboxes[] = "/<domain>/mailboxes";
constexpr char kMailbox[] = "/<domain>/mailboxes/<mailbox>";
constexpr char kCredentials[] = "/domains/<domain>/credentials";
constexpr char kCredential[] = "/domains/<domain>/credentials/<login>";
constexpr char kDeleted[] = "/<domain>/deleted";
constexpr char kRestore[] = "/<domain>/deleted/<id>/restore";
constexpr char kDomains[] = "/domains";
constexpr char kDomain[] = "/domains/<domain>";

const Target kTargets[] = {
    {"the collection", "/e.org/mailboxes", kMailboxes, "e.org"},
    {"a slash after the collection", "/e.org/mailboxes/", kMailboxes, "e.org"},
    {"a mailbox", "/e.org/mailboxes/alice", kMailbox, "e.org", "alice"},
    {"the original's first base", "/v2/e.org/mailboxes", kMailboxes, "e.org"},
    {"the original's later base", "/v3/e.org/mailboxes/alice", kMailbox, "e.org", "alice"},
    {"a domain named like a version", "/v3/mailboxes", kMailboxes, "v3"},
    {"a domain named like another version", "/v4/mailboxes", kMailboxes, "v4"},
    {"its mailbox, where the word is no version", "/v4/mailboxes/alice", kMailbox, "v4", "alice"},
    {"a domain named like a version, after one", "/v3/v2/mailboxes", kMailboxes, "v2"},
    {"credentials", "/domains/e.org/credentials", kCredentials, "e.org"},
    {"credentials in v4", "/v4/domains/e.org/credentials/", kCredentials, "e.org"},
    {"a login", "/v2/domains/e.org/credentials/alice", kCredential, "e.org", "alice"},
    {"deleted mailboxes", "/v3/e.org/deleted/", kDeleted, "e.org"},
    {"a domain named like a version has deleted ones", "/v3/deleted", kDeleted, "v3"},
    {"a deleted mailbox", "/e.org/deleted/0123/restore", kRestore, "e.org", "0123"},
    {"domains", "/domains", kDomains},
    {"domains in v3", "/v3/domains/", kDomains},
    {"domains in v4", "/v4/domains", kDomains},
    {"a domain", "/v4/domains/e.org", kDomain, "e.org"},
    {"mailboxes of a domain named domains", "/domains/mailboxes", kMailboxes, "domains"},
    {"the same in v3", "/v3/domains/mailboxes", kMailboxes, "domains"},
    {"v4 has no such list, so it is a domain", "/v4/domains/mailboxes", kDomain, "mailboxes"},
    {"a mailbox of a domain named domains", "/domains/mailboxes/credentials", kMailbox, "domains",
     "credentials"},
};

const char* const kNotFound[] = {"/",
                                 "/v3",
                                 "/v3/",
                                 "/v3/e.org",
                                 "/v3/mailboxes/",
                                 "/v3/mailboxes/alice",
                                 "/v3/v2/e.org/mailboxes",
                                 "/v30/e.org/mailboxes",
                                 "/v4/e.org/mailboxes",
                                 "/v5/domains",
                                 "//mailboxes",
                                 "//e.org/mailboxes",
                                 "/e.org/mailboxes//",
                                 "/e.org/mailboxes/alice/",
                                 "/e.org/Mailboxes",
                                 "/e.org/deleted/0123",
                                 "/v4/e.org/deleted",
                                 "/domains/e.org/",
                                 "/domains//credentials"};

}  // namespace

BOOST_AUTO_TEST_SUITE(routing)

BOOST_DATA_TEST_CASE(a_path_that_is_served, data::make(kTargets), row)
{
    const auto match = found(row.target);
    BOOST_TEST(match.path->pattern == row.pattern);
    BOOST_TEST(match.domain == row.domain);
    BOOST_TEST(match.item == row.mailbox);
    BOOST_TEST(match.has_trailing_slash == row.target.ends_with('/'));
}

BOOST_DATA_TEST_CASE(a_path_that_is_not, data::make(kNotFound), target)
{
    BOOST_TEST(complaint([&] { found(target); }) == "404 not_found");
}

BOOST_AUTO_TEST_CASE(a_method_starts_its_operation)
{
    using routes::Operation;
    BOOST_TEST(
        (routes::operation_of(found("/e.org/mailboxes", "GET")) == Operation::list_mailboxes));
    BOOST_TEST(
        (routes::operation_of(found("/e.org/mailboxes", "HEAD")) == Operation::list_mailboxes));
    BOOST_TEST((routes::operation_of(found("/domains/e.org/credentials", "DELETE"))
                == Operation::delete_all_mailboxes));
    for (const auto* method : {"DELETE", "PUT", "get", "GE", ""}) {
        const auto match = found("/e.org/mailboxes", method);
        BOOST_TEST(complaint([&] { routes::operation_of(match); }) == "405 method_not_allowed",
                   method);
    }
}

BOOST_AUTO_TEST_CASE(allow_names_the_methods_that_every_domain_has)
{
    BOOST_TEST(routes::allow_header(kMailboxes) == "Allow: GET, HEAD, POST");
    BOOST_TEST(routes::allow_header(kMailbox) == "Allow: GET, HEAD, PUT, DELETE");
    BOOST_TEST(routes::allow_header(kCredentials) == "Allow: GET, HEAD, POST");
    BOOST_TEST(routes::allow_header(kCredential) == "Allow: PUT, DELETE");
    BOOST_TEST(routes::allow_header(kDeleted) == "Allow: GET, HEAD");
    BOOST_TEST(routes::allow_header(kRestore) == "Allow: POST");
    BOOST_TEST(routes::allow_header(kDomains) == "Allow: GET, HEAD, POST");
    BOOST_TEST(routes::allow_header(kDomain) == "Allow: GET, HEAD, PUT, DELETE");
    BOOST_TEST(routes::allow_header(routes::kAlive) == "");
}

BOOST_AUTO_TEST_CASE(each_row_is_there_once)
{
    std::set<std::string_view> patterns;
    for (const auto& path : routes::all()) {
        BOOST_TEST(patterns.insert(path.pattern).second, path.pattern);
        std::set<std::string_view> methods;
        for (const auto& method : path.methods)
            BOOST_TEST(methods.insert(method.name).second, path.pattern << " " << method.name);
        BOOST_TEST(!methods.contains("HEAD"), path.pattern << ": GET stands for both");
    }
}

BOOST_AUTO_TEST_SUITE_END()
