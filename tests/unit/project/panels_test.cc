// panels_test.cc - the requests that published clients send for accounts, domains and keys, as
// their sources have them, and what they read from the answers.

#include "db/accounts.h"
#include "mailboxd/api.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "support/served.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using namespace served;

namespace {

constexpr char kMultipart[] = "multipart/form-data; boundary=b";

std::string part(const std::string& name, const std::string& value)
{
    return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
}

std::string parts(const std::vector<std::pair<std::string, std::string>>& fields)
{
    std::string body;
    for (const auto& [name, value] : fields) body += part(name, value);
    return body + "--b--\r\n";
}

// {D}: a domain of the account, {N}: a name that is not taken, {A}: the account's id.
struct Sent : support::Row {
    Call call;
    // What the client reads: members that must be there, each with the JSON that its value begins
    // with.
    std::vector<std::string> read;
    std::string outcome = "200";
};

const Sent kSent[] = {
    {"mailgun.js 14: subaccounts.create",
     {"POST", "/v5/accounts/subaccounts", kMultipart, parts({{"name", "{N}"}})},
     {"\"subaccount\":{", "\"id\":\"", "\"name\":\"{N}\"", "\"status\":\"open\"",
      "\"created_at\":\"", "\"updated_at\":\""}},
    {"mailgun-go 5 and 4, mailgun-ruby: CreateSubaccount",
     {"POST", "/v5/accounts/subaccounts", kForm, "name={N}"},
     {"\"subaccount\":{", "\"id\":\"", "\"status\":\"open\""}},
    {"mailgun-java: the name in the query",
     {"POST", "/v5/accounts/subaccounts?name={N}"},
     {"\"features\":{}"}},
    {"mailgun-go 5: ListSubaccounts",
     {"GET", "/v5/accounts/subaccounts?limit=10"},
     {"\"subaccounts\":[", "\"total\":"}},
    {"mailgun.js 14: subaccounts.list",
     {"GET", "/v5/accounts/subaccounts?limit=10&skip=0&sort=asc&enabled=true"},
     {"\"subaccounts\":[", "\"total\":"}},
    {"mailgun-php: an order as a list, a number for true",
     {"GET", "/v5/accounts/subaccounts?limit=10&skip=0&sort%5B0%5D=asc&enabled=1"},
     {"\"subaccounts\":["}},
    {"mailgun-java: closed and filter",
     {"GET",
      "/v5/accounts/subaccounts?sort=desc&filter=x&limit=5&skip=0&enabled=true&closed=false"},
     {"\"subaccounts\":[]", "\"total\":0"}},
    {"mailgun-go: GetSubaccount",
     {"GET", "/v5/accounts/subaccounts/{A}"},
     {"\"subaccount\":{\"id\":\"{A}\""}},
    {"mailgun.js 14: subaccounts.disable",
     {"POST", "/v5/accounts/subaccounts/{A}/disable"},
     {"\"status\":\"disabled\""}},
    {"mailgun-java: a reason for it",
     {"POST", "/v5/accounts/subaccounts/{A}/disable?reason=unpaid&note=x"},
     {"\"status\":\"disabled\""}},
    {"mailgun-php: enable with a part that names the id",
     {"POST", "/v5/accounts/subaccounts/{A}/enable", kMultipart, parts({{"id", "{A}"}})},
     {"\"status\":\"open\""}},
    {"mailgun-php: disable with no parts",
     {"POST", "/v5/accounts/subaccounts/{A}/disable", kMultipart, "--b--\r\n"},
     {"\"status\":\"disabled\""}},
    {"mailgun.js 14: limits, which there are not",
     {"GET", "/v5/accounts/subaccounts/{A}/limit/custom/monthly"},
     {},
     "404 not_found"},

    {"mailgun-go 5 and Terraform: CreateDomain",
     {"POST", "/v4/domains", kMultipart,
      parts({{"name", "{N}.example"},
             {"spam_action", "disabled"},
             {"web_scheme", "http"},
             {"use_automatic_sender_security", "false"},
             {"dkim_key_size", "1024"},
             {"force_dkim_authority", "false"}})},
     {"\"domain\":{",
      "\"id\":\"",
      "\"name\":\"{N}.example\"",
      "\"smtp_login\":\"postmaster@{N}.example\"",
      "\"smtp_password\":\"",
      "\"spam_action\":\"disabled\"",
      "\"state\":\"active\"",
      "\"type\":\"custom\"",
      "\"web_prefix\":\"",
      "\"web_scheme\":\"http\"",
      "\"is_disabled\":false",
      "\"require_tls\":false",
      "\"skip_verification\":false",
      "\"use_automatic_sender_security\":false",
      "\"wildcard\":false",
      "\"receiving_dns_records\":[",
      "\"sending_dns_records\":[",
      "\"valid\":\"unknown\"",
      "\"cached\":[]",
      "\"is_active\":false"}},
    {"mailgun-go 4: CreateDomain",
     {"POST", "/v3/domains", kForm, "name={N}.example&smtp_password=supersecret&wildcard=true"},
     {"\"domain\":{"}},
    {"mailgun-ruby: a password without a value",
     {"POST", "/v4/domains", kForm,
      "name={N}.example&smtp_password&spam_action=disabled&wildcard=false"},
     {"\"smtp_password\":\""}},
    {"mailgun-python: POST /v3/domains",
     {"POST", "/v3/domains", kForm, "name={N}.example"},
     {"\"domain\":{"}},
    {"mailgun-php: CreateDomain",
     {"POST", "/v4/domains", kMultipart,
      parts({{"name", "{N}.example"}, {"web_scheme", "http"}, {"dkim_key_size", "1024"}})},
     {"\"message\":\"", "\"created_at\":\""}},
    {"mailgun-go 5: ListDomains",
     {"GET", "/v4/domains?limit=100&state=active&sort=name%3Aasc&search=&include_subaccounts=true"},
     {"\"items\":[", "\"total_count\":"}},
    {"mailgun-go 5: GetDomain",
     {"GET", "/v4/domains/{D}?h%3Aextended=true&h%3Awith_dns=false"},
     {"\"domain\":{", "\"created_at\":\""}},
    {"Terraform: tracking, on every read",
     {"GET", "/v3/domains/{D}/tracking"},
     {"\"open\":{\"active\":false", "\"click\":{\"active\":false}",
      "\"unsubscribe\":{\"active\":false"}},
    {"mailgun-go 5: UpdateDomain with no parts",
     {"PUT", "/v4/domains/{D}", kMultipart, "--b--\r\n"},
     {"\"domain\":{"}},
    {"mailgun.js 14: domains.update",
     {"PUT", "/v4/domains/{D}", kMultipart,
      parts({{"spam_action", "disabled"}, {"web_scheme", "https"}, {"wildcard", "true"}})},
     {"\"domain\":{", "\"message\":\"Domain has been updated\""}},
    {"mailgun-python: the name in the body, too",
     {"PUT", "/v3/domains/{D}", kForm, "name={D}&spam_action=disabled"},
     {"\"domain\":{"}},
    {"mailgun.js 14, mailgun-go: verify, a form of nothing",
     {"PUT", "/v4/domains/{D}/verify", kForm, ""},
     {"\"domain\":{", "\"sending_dns_records\":["}},
    {"mailgun-go 4: verify under v3",
     {"PUT", "/v3/domains/{D}/verify", kForm, ""},
     {"\"state\":\""}},
    {"all: a domain that has used mailboxes",
     {"DELETE", "/v3/domains/{D}", kForm, ""},
     {"\"message\":\""},
     "409 has_mailboxes"},

    {"mailgun.js 14: keys.create",
     {"POST", "/v1/keys", kMultipart,
      parts({{"role", "basic"}, {"description", "x"}, {"kind", "user"}})},
     {"\"key\":{", "\"secret\":\"mbx-"}},
    {"mailgun-go 5: CreateAPIKey",
     {"POST", "/v1/keys", kForm,
      "role=admin&description=of+go&domain_name={D}&kind=domain&expiration=3600&user_name=ann&email=a%40b.example"},
     {"\"key\":{", "\"kind\":\"domain\"", "\"domain_name\":\"{D}\"", "\"user_name\":\"ann\"",
      "\"is_disabled\":false", "\"expires_at\":\"", "\"requestor\":null"}},
    {"Terraform: mailgun_api_key",
     {"POST", "/v1/keys", kForm, "role=admin&kind=user&description=terraform"},
     {"\"kind\":\"user\"", "\"description\":\"terraform\"", "\"role\":\"admin\"",
      "\"domain_name\":null", "\"user_name\":null"}},
    {"Terraform of hackthebox: a role that there is not",
     {"POST", "/v1/keys", kForm, "role=sending&kind=domain&domain_name={D}"},
     {"\"message\":\""},
     "400 bad_parameter"},
    {"all: the list, without a limit", {"GET", "/v1/keys"}, {"\"items\":[", "\"total_count\":"}},
    {"mailgun-go 5: the list of a domain",
     {"GET", "/v1/keys?domain_name={D}&kind=domain"},
     {"\"items\":["}},
    {"mailgun.js 14: a public key, which there is not",
     {"POST", "/v1/keys/public"},
     {},
     "405 method_not_allowed"},
    {"mailgun.js 14: subaccounts.destroy, without saying what goes with it",
     {"DELETE", "/v5/accounts/subaccounts", kForm, ""},
     {"\"message\":\""},
     "409 has_mailboxes"},
};

struct Panel : Alice {
    Panel()
    {
        auto connection = database.connect();
        admin::Admin admin{connection};
        account_id = std::to_string(admin.account_id(account));
        operator_key =
            admin.add_key({.account_id = 0, .domain = {}, .addresses = {client}, .label = ""})
                .text();
    }
    std::string filled(std::string text) const
    {
        for (const auto& [mark, by] : {std::pair<std::string, std::string>{"{D}", domain.name()},
                                       {"{N}", name},
                                       {"{A}", account_id}}) {
            for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark))
                text.replace(at, mark.size(), by);
        }
        return text;
    }

    std::string account_id, operator_key, name = support::unique("panel-");
};

}  // namespace

BOOST_AUTO_TEST_SUITE(panels)

BOOST_DATA_TEST_CASE_F(Panel, a_client_is_answered_what_it_reads, data::make(kSent), row)
{
    auto call = row.call;
    call.target = filled(call.target);
    call.body = filled(call.body);
    // Of an account: a client sends the header with every request after it chose one.
    if (call.target.find("/subaccounts") == std::string::npos || call.method == "DELETE")
        call.on_behalf_of = account_id;
    const auto response = serve(call, basic("api:" + operator_key));
    BOOST_TEST(outcome(response) == row.outcome, response.body);
    for (const auto& member : row.read)
        BOOST_TEST(response.body.find(filled(member)) != std::string::npos,
                   filled(member) << " in " << response.body);
    // mailgun-go cannot read a time that is null or empty.
    for (const char* time : {"\"created_at\":null", "\"updated_at\":null", "\"expires_at\":null",
                             "\"created_at\":\"\""})
        BOOST_TEST(response.body.find(time) == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
