// provisioning_test.cc - accounts, domains and keys over the API, in process: who may do what, and
// what each call changes.

#include "db/accounts.h"
#include "mailboxd/api.h"
#include "mailboxd/routes.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "db/session.h"
#include "support/served.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using namespace served;
using support::unique;

namespace {

// Returns the text of a member that is found by its path, as in "subaccount.id"; "null" for null.
std::string member(const http::Response& response, const std::string& path)
{
    auto node = json::parse(response.body);
    BOOST_TEST_REQUIRE(node.has_value(), response.body);
    for (std::size_t begin = 0; begin <= path.size();) {
        const auto end = std::min(path.find('.', begin), path.size());
        const auto name = path.substr(begin, end - begin);
        const auto found = std::find_if(node->members.begin(), node->members.end(),
                                        [&](const auto& each) { return each.name == name; });
        BOOST_TEST_REQUIRE((found != node->members.end()), path << " in " << response.body);
        node = json::Node{found->value};
        begin = end + 1;
    }
    return node->text;
}

std::size_t count(const http::Response& response, const std::string& array)
{
    const auto node = json::parse(response.body);
    for (const auto& each : node.value().members)
        if (each.name == array) return each.value.members.size();
    return 0;
}

struct Provisioning : Served {
    Provisioning() : admin{connection}, account_id{admin.account_id(account)}
    {
        operator_key = key_of({.account_id = 0,
                               .domain = {},
                               .is_read_only = false,
                               .expires_at = 0,
                               .addresses = {client},
                               .label = ""});
    }
    std::string key_of(const admin::NewKey& wanted) { return admin.add_key(wanted).text(); }
    http::Response as(const std::string& its_key, const Call& call)
    {
        return serve(call, basic("api:" + its_key));
    }
    http::Response by_operator(const std::string& method, const std::string& target,
                               const std::string& body = {}, const std::string& account_of = {})
    {
        return as(operator_key, {.method = method,
                                 .target = target,
                                 .type = body.empty() ? "" : kForm,
                                 .body = body,
                                 .on_behalf_of = account_of});
    }
    http::Response by_account(const std::string& method, const std::string& target,
                              const std::string& body = {})
    {
        return serve(
            {.method = method, .target = target, .type = body.empty() ? "" : kForm, .body = body});
    }
    std::string id() const { return std::to_string(account_id); }

    db::Connection connection = database.connect();
    admin::Admin admin;
    std::int64_t account_id;
    std::string operator_key;
};

constexpr char kAccounts[] = "/v5/accounts/subaccounts";

}  // namespace

BOOST_AUTO_TEST_SUITE(provisioning)

// --- accounts ---------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(an_account_is_created_shown_changed_and_deleted, Provisioning)
{
    const auto name = unique("customer-");
    const auto made = by_operator("POST", kAccounts, "name=" + name + "&max_domains=2");
    BOOST_TEST(made.status == 200);
    const auto made_id = member(made, "subaccount.id");
    BOOST_TEST(member(made, "subaccount.name") == name);
    BOOST_TEST(member(made, "subaccount.status") == "open");
    BOOST_TEST(member(made, "subaccount.created_at").ends_with(" GMT"));
    const auto item = std::string{kAccounts} + "/" + made_id;
    BOOST_TEST(member(by_operator("GET", item), "subaccount.max_domains") == "2");
    const auto changed =
        by_operator("PUT", item, "max_mailboxes=7&max_domains=3&name=" + name + "-b");
    BOOST_TEST(member(changed, "subaccount.max_mailboxes") == "7");
    BOOST_TEST(member(changed, "subaccount.max_domains") == "3");
    BOOST_TEST(member(changed, "subaccount.name") == name + "-b");
    BOOST_TEST(member(by_operator("POST", item + "/disable"), "subaccount.status") == "disabled");
    BOOST_TEST(member(by_operator("POST", item + "/enable"), "subaccount.status") == "open");
    BOOST_TEST(outcome(by_operator("DELETE", kAccounts)) == "400 bad_parameter");
    BOOST_TEST(outcome(by_operator("DELETE", kAccounts, "", made_id)) == "200");
    BOOST_TEST(outcome(by_operator("GET", item)) == "404 account_not_found");
    BOOST_TEST(outcome(by_operator("DELETE", kAccounts, "", made_id)) == "404 account_not_found");
}

BOOST_FIXTURE_TEST_CASE(a_name_may_stand_in_the_query_and_is_taken_once, Provisioning)
{
    const auto name = unique("customer-");
    BOOST_TEST(outcome(by_operator("POST", kAccounts + ("?name=" + name))) == "200");
    BOOST_TEST(text(by_operator("POST", kAccounts, "name=" + name))
               == R"(409 {"message":"There is an account )" + name
                      + R"( already","code":"account_exists"})");
    BOOST_TEST(outcome(by_operator("POST", kAccounts, "name=operator")) == "400 bad_name");
    BOOST_TEST(outcome(by_operator("POST", kAccounts, "name=a%20b")) == "400 bad_name");
    BOOST_TEST(outcome(by_operator("POST", kAccounts)) == "400 bad_parameter");
    BOOST_TEST(outcome(by_operator("POST", kAccounts, "name=x&max_domains=-1"))
               == "400 bad_parameter");
}

BOOST_FIXTURE_TEST_CASE(accounts_are_listed_by_the_begin_of_their_name, Provisioning)
{
    const auto begin = unique("list_");
    for (const char* end : {"-a", "-b", "-c"}) admin.add_account(begin + end);
    admin.set_account_state(begin + "-b", mailbox::State::no_login);
    const auto list = [&](const std::string& query) {
        return by_operator("GET", kAccounts + ("?filter=" + begin + query));
    };
    BOOST_TEST(member(list(""), "total") == "3");
    BOOST_TEST(count(list("&limit=2"), "subaccounts") == 2U);
    BOOST_TEST(count(list("&limit=2&skip=2"), "subaccounts") == 1U);
    BOOST_TEST(member(list("&enabled=false"), "total") == "1");
    BOOST_TEST(member(list("&enabled=1"), "total") == "2");
    BOOST_TEST(list("&sort=desc&limit=1").body.find(begin + "-c") != std::string::npos);
    BOOST_TEST(list("&sort[0]=asc&limit=1").body.find(begin + "-a") != std::string::npos);
    BOOST_TEST(outcome(list("&sort=up")) == "400 bad_parameter");
    // `_` is no wildcard.
    BOOST_TEST(member(by_operator("GET", kAccounts + std::string{"?filter=l_st_"}), "total")
               == "0");
}

BOOST_FIXTURE_TEST_CASE(an_account_with_mailboxes_is_deleted_only_if_the_request_says_so,
                        Provisioning)
{
    store.create(grant(), {mailbox("alice"), mailbox("bob")}, actor);
    const auto refused = by_operator("DELETE", kAccounts, "", id());
    BOOST_TEST(outcome(refused) == "409 has_mailboxes");
    BOOST_TEST(refused.body.find("2 mailboxes") != std::string::npos);
    BOOST_TEST(rows() == 2);
    BOOST_TEST(
        outcome(by_operator("DELETE", kAccounts + std::string{"?with_mailboxes=yes"}, "", id()))
        == "200");
    BOOST_TEST(rows() == 0);
}

// --- domains ----------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_domain_gets_its_postmaster, Provisioning)
{
    const auto name = unique("made-") + ".example";
    const auto made = by_operator("POST", "/v3/domains",
                                  "name=" + name + "&smtp_password=correct-horse&quota_bytes=2G"
                                      + "&max_mailboxes=5&wildcard=false&spam_action=disabled",
                                  id());
    BOOST_TEST(made.status == 200, made.body);
    BOOST_TEST(member(made, "message") == "Domain has been created");
    BOOST_TEST(member(made, "domain.smtp_login") == "postmaster@" + name);
    BOOST_TEST(made.body.find("correct-horse") == std::string::npos);
    BOOST_TEST(member(made, "domain.quota_bytes") == "2147483648");
    const auto shown = by_operator("GET", "/v4/domains/" + name);
    BOOST_TEST(member(shown, "domain.mailboxes") == "1");
    BOOST_TEST(member(shown, "domain.max_mailboxes") == "5");
    BOOST_TEST(count(shown, "sending_dns_records") == 2U);
    BOOST_TEST(outcome(by_operator("POST", "/v3/domains", "name=" + name, id()))
               == "409 domain_exists");
    BOOST_TEST(outcome(by_operator("DELETE", "/v4/domains/" + name)) == "200");
    BOOST_TEST(outcome(by_operator("GET", "/v4/domains/" + name)) == "404 domain_not_found");
}

BOOST_FIXTURE_TEST_CASE(a_password_that_the_service_makes_is_shown_once, Provisioning)
{
    const auto name = unique("made-") + ".example";
    const auto made = by_operator("POST", "/v4/domains", "name=" + name + "&smtp_password=", id());
    BOOST_TEST(member(made, "domain.smtp_password").size() >= 20U);
    BOOST_TEST(by_operator("GET", "/v4/domains/" + name).body.find("smtp_password")
               == std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_domain_is_changed, Provisioning)
{
    const auto item = "/v4/domains/" + domain.name();
    const auto changed = by_operator(
        "PUT", item, "state=disabled&on_duplicate=update&allow_delete_all=yes&quota_bytes=none");
    BOOST_TEST(member(changed, "message") == "Domain has been updated");
    BOOST_TEST(member(changed, "domain.state") == "disabled");
    BOOST_TEST(changed.body.find("\"is_disabled\":true") != std::string::npos);
    BOOST_TEST(member(changed, "domain.on_duplicate") == "update");
    BOOST_TEST(member(by_operator("PUT", item, "state=active"), "domain.state") == "active");
    BOOST_TEST(outcome(by_operator("PUT", item, "state=gone")) == "400 bad_parameter");
    BOOST_TEST(outcome(by_operator("PUT", item, "quota_bytes=x")) == "400 bad_parameter");
    BOOST_TEST(outcome(by_operator("PUT", item, "smtp_password=correct-horse"))
               == "404 mailbox_not_found");
    store.create(grant(), {mailbox("postmaster")}, actor);
    BOOST_TEST(outcome(by_operator("PUT", item, "smtp_password=correct-horse")) == "200");
    BOOST_TEST(has_password("postmaster", "correct-horse"));
    BOOST_TEST(session_ends("postmaster") == 1);
    BOOST_TEST(outcome(by_operator("PUT", item, "smtp_password=x")) == "400 bad_password");
}

BOOST_FIXTURE_TEST_CASE(an_account_adds_domains_as_far_as_max_domains, Provisioning)
{
    const auto name = [&] { return unique("own-") + ".example"; };
    const auto first = name(), second = name();
    BOOST_TEST(outcome(by_account("POST", "/v3/domains", "name=" + first)) == "403 operator_only");
    BOOST_TEST(outcome(by_account("DELETE", "/v3/domains/" + domain.name()))
               == "403 operator_only");
    admin.set_account(account, "max_domains", "2");
    BOOST_TEST(outcome(by_account("POST", "/v3/domains", "name=" + first)) == "200");
    BOOST_TEST(outcome(by_account("POST", "/v3/domains", "name=" + second))
               == "409 allowance_used_up");
    for (const char* limit : {"max_mailboxes=5", "quota_bytes=none", "state=active"}) {
        BOOST_TEST(outcome(by_account("PUT", "/v3/domains/" + first, limit))
                   == "403 operator_only");
    }
    // What the original has and we do not is ignored.
    BOOST_TEST(outcome(by_account("PUT", "/v3/domains/" + first, "web_scheme=https")) == "200");
    BOOST_TEST(outcome(by_account("DELETE", "/v3/domains/" + first)) == "200");
    store.create(grant(), {mailbox("alice")}, actor);
    const auto refused = by_account("DELETE", "/v3/domains/" + domain.name());
    BOOST_TEST(outcome(refused) == "409 has_mailboxes");
    BOOST_TEST(refused.body.find("1 mailbox,") != std::string::npos);
    BOOST_TEST(outcome(by_account("DELETE", "/v3/domains/" + domain.name() + "?with_mailboxes=yes"))
               == "200");
}

BOOST_FIXTURE_TEST_CASE(the_operator_finds_every_domain_and_narrows_a_request, Provisioning)
{
    const Tenant other;
    const auto other_id = std::to_string(admin.account_id(other.account));
    BOOST_TEST(outcome(by_operator("GET", "/v3/domains/" + other.domain.name())) == "200");
    BOOST_TEST(outcome(by_operator("GET", "/v3/domains/" + other.domain.name(), "", other_id))
               == "200");
    BOOST_TEST(outcome(by_operator("GET", "/v3/domains/" + other.domain.name(), "", id()))
               == "404 domain_not_found");
    BOOST_TEST(member(by_operator("GET", "/v3/domains", "", id()), "total_count") == "1");
    BOOST_TEST(outcome(by_operator("GET", "/v3/domains", "", "4000000000"))
               == "404 account_not_found");
    for (const char* wrong : {"0", "x", "-1", "1.5", "99999999999999999999"}) {
        BOOST_TEST(outcome(by_operator("GET", "/v3/domains", "", wrong))
                   == "404 account_not_found");
        BOOST_TEST(outcome(by_operator("GET", collection(), "", wrong)) == "404 domain_not_found");
    }
    BOOST_TEST(outcome(by_operator("POST", collection(), "mailbox=alice&password=correct-horse"))
               == "200");
    BOOST_TEST(member(by_operator("GET", collection()), "total_count") == "1");
    BOOST_TEST(outcome(by_operator("POST", "/v3/domains", "name=" + unique("x-") + ".example"))
               == "400 bad_parameter");
}

// --- keys -------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_key_is_created_listed_used_and_deleted, Provisioning)
{
    const auto made = by_account("POST", "/v1/keys",
                                 "role=basic&description=for+reading&kind=user&user_name=Ann");
    BOOST_TEST(made.status == 200, made.body);
    const auto secret = member(made, "key.secret"), key_id = member(made, "key.id");
    BOOST_TEST(member(made, "key.role") == "basic");
    BOOST_TEST(member(made, "key.created_at").size() == 19U);
    BOOST_TEST(made.body.find("expires_at") == std::string::npos);
    BOOST_TEST(outcome(as(secret, {.target = collection()})) == "200");
    BOOST_TEST(outcome(as(secret, {"POST", collection(), kForm, "mailbox=a&password=secret1"}))
               == "403 read_only");
    const auto list = by_account("GET", "/v1/keys");
    BOOST_TEST(list.body.find(key_id) != std::string::npos);
    BOOST_TEST(list.body.find(secret) == std::string::npos);
    BOOST_TEST(member(by_account("GET", "/v1/keys?limit=1"), "total_count") == "2");
    BOOST_TEST(count(by_account("GET", "/v1/keys?limit=1"), "items") == 1U);
    // A key that may only read may delete itself, and no other.
    BOOST_TEST(outcome(as(secret, {.method = "DELETE", .target = "/v1/keys/" + key.id()}))
               == "403 read_only");
    BOOST_TEST(outcome(as(secret, {.method = "DELETE", .target = "/v1/keys/" + key_id})) == "200");
    BOOST_TEST(outcome(as(secret, {.target = collection()})) == "401 unauthorized");
    BOOST_TEST(outcome(by_account("DELETE", "/v1/keys/" + key_id)) == "404 key_not_found");
}

BOOST_FIXTURE_TEST_CASE(no_key_creates_one_that_may_do_more, Provisioning)
{
    const auto second = mailbox::Domain::parse(unique("second-") + ".example").value();
    admin.add_domain(second, account);
    constexpr std::int64_t kYear = 31'557'600;
    const auto now = grant().now;
    const auto narrow = key_of({.account_id = account_id,
                                .domain = domain,
                                .is_read_only = false,
                                .expires_at = now + kYear,
                                .addresses = {"192.0.2.0/24"},
                                .label = ""});
    const auto make = [&](const std::string& body) {
        return as(narrow, {"POST", "/v1/keys", kForm, "role=admin" + body});
    };
    const auto made = make("");
    BOOST_TEST(member(made, "key.domain_name") == domain.name());
    BOOST_TEST(member(made, "key.addresses") == "192.0.2.0/24");
    BOOST_TEST(!member(made, "key.expires_at").empty());
    BOOST_TEST(outcome(make("&domain_name=" + second.name())) == "403 exceeds_own_key");
    BOOST_TEST(outcome(make("&expiration=40000000")) == "403 exceeds_own_key");
    BOOST_TEST(outcome(make("&expiration=60")) == "200");
    BOOST_TEST(outcome(make("&addresses=192.0.2.9")) == "200");
    BOOST_TEST(outcome(make("&addresses=192.0.2.0/23")) == "403 exceeds_own_key");
    BOOST_TEST(outcome(make("&addresses=192.0.2.9,198.51.100.1")) == "403 exceeds_own_key");
    BOOST_TEST(outcome(make("&addresses=here")) == "400 bad_parameter");
    // A key for one domain sees and deletes the keys of that domain only.
    BOOST_TEST(as(narrow, {.target = "/v1/keys"}).body.find(key.id()) == std::string::npos);
    BOOST_TEST(outcome(as(narrow, {.method = "DELETE", .target = "/v1/keys/" + key.id()}))
               == "404 key_not_found");
    for (const char* wrong : {"role=operator", "role=sending", "role=", "kind=x&role=admin",
                              "role=admin&expiration=x", "role=admin&domain_name=@"}) {
        BOOST_TEST(outcome(by_account("POST", "/v1/keys", wrong)) == "400 bad_parameter", wrong);
    }
}

BOOST_FIXTURE_TEST_CASE(the_operator_makes_keys_for_accounts_only, Provisioning)
{
    BOOST_TEST(outcome(by_operator("POST", "/v1/keys", "role=admin")) == "400 bad_parameter");
    BOOST_TEST(member(by_operator("POST", "/v1/keys", "role=admin", id()), "key.subaccount_id")
               == id());
    BOOST_TEST(member(by_operator("POST", "/v1/keys", "role=admin&domain_name=" + domain.name()),
                      "key.subaccount_id")
               == id());
    BOOST_TEST(by_operator("GET", "/v1/keys", "", id()).body.find(key.id()) != std::string::npos);
    BOOST_TEST(outcome(by_operator("DELETE", "/v1/keys/" + key.id())) == "200");
}

BOOST_FIXTURE_TEST_CASE(an_operator_key_works_from_its_addresses_only, Provisioning)
{
    client = "198.51.100.7";
    BOOST_TEST(outcome(by_operator("GET", kAccounts)) == "401 unauthorized");
}

// A list, an empty value or a value that cannot be read must not make a key that may do more.
BOOST_FIXTURE_TEST_CASE(what_narrows_a_key_is_never_ignored, Provisioning)
{
    for (const char* body :
         {R"({"role":"basic","addresses":["10.0.0.1"]})",
          R"({"role":"admin","domain_name":["a.example"]})",
          R"({"role":"admin","domain_name":{"a":1}})", R"({"role":"admin","expiration":5.5})",
          R"({"role":"admin","expiration":1e400})", R"({"role":"admin","domain_name":null})"}) {
        BOOST_TEST(outcome(serve({"POST", "/v1/keys", kJson, body})) == "400 bad_parameter", body);
    }
    for (const char* body :
         {"role=basic&addresses[]=10.0.0.1", "role=basic&addresses[0]=10.0.0.1",
          "role=basic&addresses=", "role=basic&addresses=,", "role=admin&domain_name[]=a.example",
          "role=admin&domain_name=", "role=admin&expiration[]=5",
          "role=basic&addresses=127.0.0.1%00x", "role=basic&addresses=%ff%fe",
          "role=basic&addresses=127.0.0.1%00%C3%A9", "role=basic&description=%ff"}) {
        BOOST_TEST(outcome(by_account("POST", "/v1/keys", body)) == "400 bad_parameter", body);
    }
    BOOST_TEST(member(by_account("GET", "/v1/keys"), "total_count") == "1");
}

BOOST_FIXTURE_TEST_CASE(a_text_that_no_table_can_hold_is_a_mistake_of_the_caller, Provisioning)
{
    for (const char* target :
         {"/v1/audit?key=%C3%A9", "/v1/audit?domain=%C3%A9", "/v1/audit?address=%C3%A9@a.example",
          "/v5/accounts/subaccounts?filter=%C3%A9"}) {
        BOOST_TEST(outcome(by_operator("GET", target)) == "400 bad_parameter", target);
    }
    BOOST_TEST(outcome(by_account("DELETE", "/v1/keys/%C3%A9")) == "404 key_not_found");
    BOOST_TEST(outcome(by_operator("PUT", "/v4/domains/" + domain.name(), "quota_bytes=%ff%fe"))
               == "400 bad_parameter");
}

BOOST_FIXTURE_TEST_CASE(an_account_has_at_most_a_thousand_keys, Provisioning)
{
    database.execute(
        "INSERT INTO api_key (id, hash, account_id, created_at)"
        " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 998)"
        " SELECT CONCAT('t', LPAD(? MOD 1000, 3, '0'), LPAD(i, 6, '0')), UNHEX(SHA2(UUID(), 256)), ?, 1 FROM n",
        {account_id, account_id});
    BOOST_TEST(outcome(by_account("POST", "/v1/keys", "role=basic")) == "200");
    BOOST_TEST(outcome(by_account("POST", "/v1/keys", "role=basic")) == "409 allowance_used_up");
    database.execute("DELETE FROM api_key WHERE account_id = ? AND created_at = 1", {account_id});
}

// Otherwise a customer would get rid of limits and suspensions by removing his domain.
BOOST_FIXTURE_TEST_CASE(a_domain_that_is_added_again_keeps_the_operators_decisions, Provisioning)
{
    admin.set_account(account, "max_domains", "5");
    const auto item = "/v4/domains/" + domain.name();
    BOOST_TEST(outcome(by_operator("PUT", item, "max_mailboxes=3&quota_bytes=1G")) == "200");
    store.create(grant(), {mailbox("spam")}, actor);
    BOOST_TEST(
        outcome(by_operator("PUT", "/v3/" + domain.name() + "/mailboxes/spam", "state=no_login"))
        == "200");
    BOOST_TEST(outcome(by_account("DELETE", item + "?with_mailboxes=yes")) == "200");
    const auto again = by_account("POST", "/v4/domains", "name=" + domain.name());
    BOOST_TEST(member(again, "domain.max_mailboxes") == "3");
    BOOST_TEST(member(again, "domain.quota_bytes") == "1073741824");
    BOOST_TEST(outcome(post("mailbox=spam&password=correct-horse")) == "403 suspended");
    // The operator adds it as he says.
    BOOST_TEST(outcome(by_account("DELETE", item)) == "200");
    BOOST_TEST(by_operator("POST", "/v4/domains", "name=" + domain.name(), id())
                   .body.find(R"("max_mailboxes":null)")
               != std::string::npos);
}

// The name may change hands between the look at the key and the removal.
BOOST_FIXTURE_TEST_CASE(only_the_domain_that_was_meant_is_removed, Provisioning)
{
    BOOST_CHECK_THROW(admin.remove_domain(domain, admin::Mailboxes::may_be_removed, domain_id + 1),
                      admin::Refused);
    BOOST_TEST(admin.find_domain(domain.name()).has_value());
    BOOST_TEST(counter() == 0);
}

// --- who may do what --------------------------------------------------------------------

namespace {

// Returns a request for the pattern, with this domain and these ids.
std::string target_of(const routes::Path& path, const std::string& domain, const std::string& item)
{
    std::string target{path.pattern};
    const auto replace = [&](const std::string& part, const std::string& by) {
        const auto place = target.find(part);
        if (place != std::string::npos) target.replace(place, part.size(), by);
    };
    replace("<domain>", domain);
    for (const char* part : {"<mailbox>", "<login>", "<id>"}) replace(part, item);
    return target;
}

}  // namespace

// Every method and path of the route table, with every kind of key, on what belongs to somebody
// else: the answer is the same as for something that does not exist, and nothing changes.
BOOST_FIXTURE_TEST_CASE(no_key_reaches_another_account, Provisioning)
{
    Tenant other;
    other.store.create(other.grant(), {other.mailbox("alice")}, other.actor);
    const auto other_id = std::to_string(admin.account_id(other.account));
    admin.set_account(account, "max_domains", "9");
    const auto kind = [&](bool is_read_only, std::optional<mailbox::Domain> its_domain) {
        return key_of({.account_id = account_id,
                       .domain = std::move(its_domain),
                       .is_read_only = is_read_only,
                       .expires_at = 0,
                       .addresses = {},
                       .label = ""});
    };
    const std::map<std::string, std::string> keys{
        {"admin", key.text()}, {"basic", kind(true, {})}, {"narrowed", kind(false, domain)}};
    const auto before = other.audit();
    for (const auto& path : routes::all()) {
        const bool is_of_domain = path.pattern.find("<domain>") != std::string_view::npos;
        const bool has_item = path.pattern.find('<') != std::string_view::npos;
        for (const auto& method : path.methods) {
            for (const auto& [name, its_key] : keys) {
                const auto ask = [&](const std::string& foreign_domain, const std::string& item,
                                     const std::string& on_behalf) {
                    const auto response =
                        as(its_key, {.method = std::string{method.name},
                                     .target = target_of(path, foreign_domain, item),
                                     .type = "",
                                     .body = "",
                                     .on_behalf_of = on_behalf});
                    auto text = std::to_string(response.status) + " " + response.body;
                    for (const auto& word : {foreign_domain, item, on_behalf}) {
                        for (auto at = text.find(word); !word.empty() && at != std::string::npos;
                             at = text.find(word))
                            text.replace(at, word.size(), "*");
                    }
                    return text;
                };
                BOOST_TEST_CONTEXT(method.name << ' ' << path.pattern << " with the key " << name)
                {
                    if (is_of_domain) {
                        const auto foreign = ask(other.domain.name(), "alice", "");
                        BOOST_TEST(foreign == ask("absent.example", "alice", ""));
                        BOOST_TEST(foreign.substr(0, 1) == "4");
                    } else if (has_item) {
                        const auto foreign = path.pattern.starts_with("/v1/keys")
                                                 ? ask("", other.key.id(), "")
                                                 : ask("", other_id, "");
                        BOOST_TEST(foreign == ask("", "4000000000", ""));
                        BOOST_TEST(foreign.substr(0, 1) == "4");
                    } else {
                        const auto foreign = ask("", "", other_id);
                        BOOST_TEST(foreign == ask("", "", "4000000000"));
                        BOOST_TEST(foreign.substr(0, 1) == "4");
                    }
                }
            }
        }
    }
    BOOST_TEST(other.audit() == before, boost::test_tools::per_element());
    BOOST_TEST(other.rows() == 1);
}

// A key that is unknown, revoked or expired gets 401 everywhere, one of a suspended account 403.
BOOST_FIXTURE_TEST_CASE(a_key_that_is_not_in_force_is_refused_everywhere, Provisioning)
{
    const auto revoked =
        key_of({.account_id = account_id, .domain = {}, .addresses = {}, .label = ""});
    admin.revoke_key(revoked.substr(4, 10));
    const auto expired = key_of(
        {.account_id = account_id, .domain = {}, .expires_at = 1, .addresses = {}, .label = ""});
    const Tenant suspended;
    admin.set_account_state(suspended.account, mailbox::State::no_login);
    for (const auto& path : routes::all()) {
        for (const auto& method : path.methods) {
            const Call call{.method = std::string{method.name},
                            .target = target_of(path, domain.name(), "1")};
            BOOST_TEST_CONTEXT(method.name << ' ' << path.pattern)
            {
                BOOST_TEST(outcome(as(revoked, call)) == "401 unauthorized");
                BOOST_TEST(outcome(as(expired, call)) == "401 unauthorized");
                BOOST_TEST(outcome(as(api_key::Key::generate().text(), call))
                           == "401 unauthorized");
                BOOST_TEST(outcome(as(suspended.key.text(), call)) == "403 suspended");
            }
        }
    }
}

// --- repeated requests ------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_repeated_request_gets_the_same_answer, Provisioning)
{
    const auto name = unique("once-");
    const auto ask =
        [&](const std::string& target, const std::string& body, const std::string& key_of_request) {
        return as(operator_key, {.method = "POST",
                                 .target = target,
                                 .type = kForm,
                                 .body = body,
                                 .on_behalf_of = target == kAccounts ? "" : id(),
                                 .idempotency_key = key_of_request});
    };
    struct Create {
        std::string target, body, other;
    };
    const std::vector<Create> creates{
        {kAccounts, "name=" + name, "name=" + name + "&x=1"},
        {"/v3/domains", "name=" + name + ".example", "name=" + name + ".example&x=1"},
        {"/v1/keys", "role=admin", "role=basic"},
        {collection(), "mailbox=" + name + "&password=correct-horse",
         "mailbox=" + name + "&password=correct-horsf"},
        {"/v3/domains/" + domain.name() + "/credentials", "login=" + name + "2",
         "login=" + name + "3"}};
    for (const auto& [target, body, other] : creates) {
        BOOST_TEST_CONTEXT(target)
        {
            const auto first = ask(target, body, target + "-1");
            BOOST_TEST(first.status == 200, first.body);
            BOOST_TEST(text(ask(target, body, target + "-1")) == text(first));
            BOOST_TEST(outcome(ask(target, other, target + "-1")) == "422 idempotency_key_reused");
            BOOST_TEST(ask(target, body, target + "-2").body != first.body);
        }
    }
    BOOST_TEST(rows() == 2);
    BOOST_TEST(outcome(ask(kAccounts, "name=" + name, "a b")) == "400 bad_idempotency_key");
    BOOST_TEST(outcome(ask(kAccounts, "name=" + name, std::string(256, 'x')))
               == "400 bad_idempotency_key");
}

// A kept answer reveals nothing without the caller's key, and is forgotten after a day.
BOOST_FIXTURE_TEST_CASE(a_kept_answer_is_encrypted_and_ends_after_a_day, Provisioning)
{
    const auto login = unique("login-");
    const Call call{.method = "POST",
                    .target = "/v3/domains/" + domain.name() + "/credentials",
                    .type = kForm,
                    .body = "login=" + login,
                    .idempotency_key = login};
    const auto first = serve(call);
    const auto kept =
        database.text("SELECT answer FROM idempotent_request WHERE name = ?", {login});
    BOOST_TEST(!kept.empty());
    BOOST_TEST(kept.find("password") == std::string::npos);
    BOOST_TEST(text(serve(call)) == text(first));
    database.execute("UPDATE idempotent_request SET created_at = created_at - 86400 WHERE name = ?",
                     {login});
    BOOST_TEST(outcome(serve(call)) == "409 mailbox_exists");
}

BOOST_FIXTURE_TEST_CASE(a_refused_request_keeps_nothing, Provisioning)
{
    store.create(grant(), {mailbox("alice")}, actor);
    const Call call{.method = "POST",
                    .target = collection(),
                    .type = kForm,
                    .body = "mailbox=alice&password=correct-horse",
                    .idempotency_key = unique("again-")};
    BOOST_TEST(outcome(serve(call)) == "409 mailbox_exists");
    remove("alice");
    BOOST_TEST(outcome(serve(call)) == "200");
}

// Two equal requests at the same time: one is carried out, and both get its answer.
BOOST_FIXTURE_TEST_CASE(equal_requests_at_the_same_time_are_one, Provisioning)
{
    const auto name = unique("both-");
    constexpr std::size_t kRequests = 4;
    std::vector<std::string> answers(kRequests);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kRequests; ++i) {
        threads.emplace_back([&, i] {
            auto own_session = database::session(config);
            api::Api server{config, own_session};
            api::Trace own_trace;
            turn::Alone turn;
            answers[i] = server
                             .serve({.method = "POST",
                                     .target = "/v1/keys",
                                     .authorization = basic("api:" + key.text()),
                                     .content_type = kForm,
                                     .content_encoding = "",
                                     .client = client,
                                     .body = Secret{std::string_view{"role=admin"}},
                                     .on_behalf_of = "",
                                     .idempotency_key = name},
                                    own_trace, turn)
                             .body;
        });
    }
    for (auto& thread : threads) thread.join();
    for (const auto& answer : answers) BOOST_TEST(answer == answers[0]);
    BOOST_TEST(member(by_account("GET", "/v1/keys"), "total_count") == "2");
}

// --- reports ----------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(sums_are_kept_through_every_change, Provisioning)
{
    store.create(grant(), {mailbox("alice"), mailbox("bob")}, actor);
    const auto report = [&](std::string_view name, const char* bytes) {
        const auto user = storage_id(name) + "@" + domain.name();
        database.execute(
            "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (?, CAST(? AS SIGNED), 1)"
            " ON DUPLICATE KEY UPDATE bytes = VALUES(bytes)",
            {user, std::string_view{bytes}});
    };
    const auto sum = [&] {
        return member(by_account("GET", "/v4/domains/" + domain.name()), "domain.size_bytes");
    };
    report("alice", "1000");
    report("bob", "500");
    BOOST_TEST(sum() == "1500");
    report("alice", "200");
    BOOST_TEST(sum() == "700");
    BOOST_TEST(outcome(put("alice", "password=correct-horse")) == "200");
    remove("bob");
    BOOST_TEST(sum() == "200");
    BOOST_TEST(member(by_operator("GET", kAccounts + ("/" + id())), "subaccount.size_bytes")
               == "200");
    const auto by_account_ = by_account("GET", "/v1/usage");
    BOOST_TEST(
        text(by_account_)
        == R"(200 {"items":[{"account":")" + account
               + R"(","domain":null,"domains":1,"mailboxes":1,"size_bytes":200,"max_mailboxes":null}],"total_count":1})");
    const auto by_domain = by_account("GET", "/v1/usage?by=domain");
    BOOST_TEST(by_domain.body.find("\"domain\":\"" + domain.name() + "\"") != std::string::npos);
    BOOST_TEST(outcome(by_account("GET", "/v1/usage?by=year")) == "400 bad_parameter");
    BOOST_TEST(
        outcome(by_operator("DELETE", "/v4/domains/" + domain.name() + "?with_mailboxes=yes"))
        == "200");
    admin.restore_domain(domain, std::chrono::hours{1});
    BOOST_TEST(member(by_operator("GET", "/v4/domains/" + domain.name()), "domain.size_bytes")
               == "200");
}

BOOST_FIXTURE_TEST_CASE(an_account_sees_its_own_entries_of_the_audit_log, Provisioning)
{
    const Tenant other;
    post("mailbox=alice&password=correct-horse");
    by_operator("POST", collection(), "mailbox=bob&password=correct-horse");
    const auto own = by_account("GET", "/v1/audit");
    BOOST_TEST(own.body.find("\"what\":\"alice\"") != std::string::npos);
    BOOST_TEST(own.body.find("\"what\":\"bob\"") != std::string::npos);
    BOOST_TEST(own.body.find(other.key.id()) == std::string::npos);
    const auto alice = by_account("GET", "/v1/audit?address=alice@" + domain.name());
    BOOST_TEST(count(alice, "items") == 1U);
    BOOST_TEST(alice.body.find("\"client\":\"192.0.2.1\"") != std::string::npos);
    // The address of the operator's panel is not shown to customers.
    const auto bob = by_account("GET", "/v1/audit?address=bob@" + domain.name());
    BOOST_TEST(bob.body.find("\"client\":null") != std::string::npos);
    BOOST_TEST(count(by_account("GET", "/v1/audit?key=" + key.id() + "&limit=1"), "items") == 1U);
    BOOST_TEST(count(by_account("GET", "/v1/audit?since=9999999999"), "items") == 0U);
    BOOST_TEST(count(by_account("GET", "/v1/audit?domain=" + other.domain.name()), "items") == 0U);
    BOOST_TEST(count(by_operator("GET", "/v1/audit?domain=" + other.domain.name()), "items") > 0U);
    for (const char* wrong : {"?address=alice", "?since=today", "?domain=@", "?limit=x"}) {
        BOOST_TEST(by_account("GET", std::string{"/v1/audit"} + wrong).status == 400, wrong);
    }
}

// A domain that changed hands does not show what its former owner did.
BOOST_FIXTURE_TEST_CASE(a_new_owner_does_not_see_what_was_before, Provisioning)
{
    post("mailbox=secret-name&password=correct-horse");
    const Tenant next;
    admin.remove_domain(domain);
    admin.add_domain(domain, next.account);
    database.execute("UPDATE domain SET created_at = created_at + 10 WHERE name = ?",
                     {domain.name()});
    const auto seen = serve({.target = "/v1/audit"}, basic("api:" + next.key.text()));
    BOOST_TEST(seen.body.find("secret-name") == std::string::npos);
}

// A restored domain may have belonged to somebody else meanwhile.
BOOST_FIXTURE_TEST_CASE(what_another_account_did_in_a_restored_domain_is_not_shown, Provisioning)
{
    const Tenant other;
    admin.remove_domain(domain);
    admin.add_domain(domain, other.account);
    const auto theirs = basic("api:" + other.key.text());
    BOOST_TEST(outcome(serve({"POST", collection(), kForm, "mailbox=hidden&password=correct-horse"},
                             theirs))
               == "200");
    admin.remove_domain(domain);
    admin.restore_domain(
        domain, std::chrono::hours{1},
        database.number("SELECT MIN(id) FROM deleted_domain WHERE name = ?", {domain.name()}));
    const auto seen = by_account("GET", "/v1/audit?domain=" + domain.name());
    BOOST_TEST(seen.body.find("domain-restore") != std::string::npos);
    BOOST_TEST(seen.body.find("hidden") == std::string::npos);
    BOOST_TEST(seen.body.find(other.key.id()) == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
