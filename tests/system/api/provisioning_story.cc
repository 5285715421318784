// provisioning_story.cc - accounts, domains and keys over HTTP, through nginx: who may do what, and
// what the audit log has of it. tests/unit/mailboxd/provisioning_test.cc has the rules in detail.

#include "system/harness/story.h"

#include <string>
#include <vector>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using story::shows;

namespace {

constexpr char kAccounts[] = "/v5/accounts/subaccounts";

struct Provisioning : story::Story {
    Provisioning() : who{tenant()}, operator_key{story::add_key(stack, {"--operator"})} {}

    http::Answer by_operator(const std::string& method, const std::string& target,
                             const http::Body& body = {}, const http::Fields& headers = {}) const
    {
        return call(operator_key, method, target, body, headers);
    }
    std::string account_id() const
    {
        return stack.value("SELECT id FROM account WHERE name = " + stack::quote(who.account));
    }
    http::Fields on_behalf() const { return {{"X-Mailgun-On-Behalf-Of", account_id()}}; }
    std::string domain_path(const std::string& end = "") const
    {
        return "/v4/domains/" + who.domain + end;
    }
    std::string name(const char* begin) const { return story::unique(begin); }

    story::Tenant who;
    std::string operator_key;
};

bool has_code(const http::Answer& answer, int status, const std::string& code)
{
    return answer.status == status && story::has(answer.body, "\"code\":\"" + code + "\"");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(provisioning_calls)

BOOST_FIXTURE_TEST_CASE(every_list_has_a_head, Provisioning)
{
    BOOST_TEST(create(who, "alice").status == 200);
    for (const std::string& target :
         {std::string{kAccounts}, kAccounts + ("/" + account_id()), std::string{"/v4/domains"},
          domain_path(), domain_path("/tracking"), std::string{"/v1/keys"},
          std::string{"/v1/usage"}, std::string{"/v1/audit"}, who.mailbox("alice", "/v3"),
          "/v3/" + who.domain + "/deleted"}) {
        BOOST_TEST(by_operator("GET", target).status == 200, target);
        BOOST_TEST(by_operator("HEAD", target).status == 200, target);
    }
}

BOOST_FIXTURE_TEST_CASE(a_domain_is_verified_and_a_mailbox_restored, Provisioning)
{
    BOOST_TEST(call(who.key, "PUT", domain_path("/verify")).status == 200);
    BOOST_TEST(create(who, "alice").status == 200);
    BOOST_TEST(remove(who, "alice").status == 200);
    const auto id = stack.value("SELECT storage_id FROM deleted_mailbox WHERE domain = "
                                + stack::quote(who.domain));
    BOOST_TEST(call(who.key, "POST", "/v3/" + who.domain + "/deleted/" + id + "/restore").status
               == 200);
    BOOST_TEST(answers::page(list(who)).total_count == 1);
    const http::Fields repeated{{"Idempotency-Key", name("key")}};
    BOOST_TEST(call(who.key, "POST", "/v1/keys", http::form({{"role", "basic"}}), repeated).status
               == 200);
    BOOST_TEST(
        has_code(call(who.key, "POST", "/v1/keys", http::form({{"role", "admin"}}), repeated), 422,
                 "idempotency_key_reused"));
}

BOOST_FIXTURE_TEST_CASE(only_the_operator_has_accounts, Provisioning,
                        *shows("accounts: for the operator only")
                            * shows("accounts: DELETE without X-Mailgun-On-Behalf-Of"))
{
    const auto item = kAccounts + ("/" + account_id());
    for (const auto& [method, target] :
         std::vector<std::pair<std::string, std::string>>{{"GET", kAccounts},
                                                          {"POST", kAccounts},
                                                          {"DELETE", kAccounts},
                                                          {"GET", item},
                                                          {"PUT", item},
                                                          {"POST", item + "/disable"},
                                                          {"POST", item + "/enable"}}) {
        BOOST_TEST(has_code(call(who.key, method, target), 403, "operator_only"), target);
    }
    BOOST_TEST(has_code(by_operator("DELETE", kAccounts), 400, "bad_parameter"));
    BOOST_TEST(list(who).status == 200);
}

BOOST_FIXTURE_TEST_CASE(domains_as_max_domains_allows, Provisioning,
                        *shows("domains: POST as max_domains allows")
                            * shows("domains: POST of one that another account has")
                            * shows("domains: settings for the operator only")
                            * shows("domains: tracking"))
{
    const auto other = tenant();
    const auto add = [&](const std::string& domain) {
        return call(who.key, "POST", "/v4/domains", http::form({{"name", domain}}));
    };
    BOOST_TEST(has_code(add(name("own") + ".example.org"), 403, "operator_only"));
    BOOST_TEST(stack.mailboxctl({"account", "set", who.account, "max_domains=2"}).exit == 0);
    BOOST_TEST(has_code(add(other.domain), 409, "domain_exists"));
    const auto own = name("own") + ".example.org";
    BOOST_TEST(add(own).status == 200);
    BOOST_TEST(has_code(add(name("own") + ".example.org"), 409, "allowance_used_up"));
    BOOST_TEST(
        has_code(call(who.key, "PUT", "/v4/domains/" + own, http::form({{"max_mailboxes", "9"}})),
                 403, "operator_only"));
    BOOST_TEST(story::has(call(who.key, "GET", "/v3/domains/" + own + "/tracking").body,
                          R"("click":{"active":false})"));
    BOOST_TEST(call(who.key, "DELETE", "/v3/domains/" + own).status == 200);
}

BOOST_FIXTURE_TEST_CASE(keys_that_may_less, Provisioning,
                        *shows("keys: none that may do more than its maker")
                            * shows("keys: none of the operator")
                            * shows("keys: DELETE of itself by one that only reads")
                            * shows("provisioning: a basic key only reads"))
{
    const auto narrow = story::add_key(stack, {"--account", who.account, "--domain", who.domain});
    const auto second = neighbour(who);
    BOOST_TEST(has_code(call(narrow, "POST", "/v1/keys",
                             http::form({{"role", "admin"}, {"domain_name", second.domain}})),
                        403, "exceeds_own_key"));
    BOOST_TEST(has_code(by_operator("POST", "/v1/keys", http::form({{"role", "admin"}})), 400,
                        "bad_parameter"));
    BOOST_TEST(has_code(call(who.key, "POST", "/v1/keys", http::form({{"role", "operator"}})), 400,
                        "bad_parameter"));
    const auto basic = story::add_key(stack, {"--account", who.account, "--read-only"});
    for (const char* target : {"/v4/domains", "/v1/keys"})
        BOOST_TEST(has_code(call(basic, "POST", target), 403, "read_only"), target);
    BOOST_TEST(call(basic, "GET", "/v1/keys").status == 200);
    BOOST_TEST(call(basic, "DELETE", "/v1/keys/" + basic.substr(4, 10)).status == 200);
    BOOST_TEST(call(basic, "GET", "/v1/keys").status == 401);
}

BOOST_FIXTURE_TEST_CASE(an_operator_key_is_bound_to_addresses, Provisioning,
                        *shows("provisioning: a key of the operator from its addresses only"))
{
    const auto elsewhere =
        story::add_key(stack, {"--operator", "--addresses", "192.0.2.0/24,2001:db8::/32"});
    BOOST_TEST(call(elsewhere, "GET", kAccounts).status == 401);
    BOOST_TEST(call(elsewhere, "GET", who.mailboxes()).status == 401);
    BOOST_TEST(by_operator("GET", kAccounts).status == 200);
    const auto wrong = stack.mailboxctl({"key", "add", "--operator", "--account", who.account});
    BOOST_TEST(wrong.exit == 2);
    BOOST_TEST(stack.mailboxctl({"key", "add", "--operator", "--domain", who.domain}).exit == 2);
    BOOST_TEST(stack.mailboxctl({"key", "add"}).exit == 2);
    BOOST_TEST(story::has(stack.mailboxctl({"key", "list"}).out, "everything"));
}

// What belongs to others and what does not exist get the same answer, but for the name in it.
BOOST_FIXTURE_TEST_CASE(an_account_learns_nothing_of_others, Provisioning,
                        *shows("provisioning: a key of an account learns nothing of others"))
{
    const auto other = tenant();
    BOOST_TEST(create(other, "alice").status == 200);
    const auto other_id =
        stack.value("SELECT id FROM account WHERE name = " + stack::quote(other.account));
    const auto ask = [&](const std::string& method, const std::string& target,
                         const http::Fields& headers = {}) {
        const auto answer = call(who.key, method, target, {}, headers);
        return std::to_string(answer.status) + " " + answer.body;
    };
    const auto with = [](std::string text, const std::string& name) {
        const auto place = text.find(name);
        return place == std::string::npos ? text : text.replace(place, name.size(), "*");
    };
    const std::string absent = "absent.example.org";
    for (const char* end : {"", "/verify", "/tracking", "/credentials"}) {
        for (const char* method : {"GET", "PUT", "DELETE"}) {
            BOOST_TEST(with(ask(method, "/v4/domains/" + other.domain + end), other.domain)
                           == with(ask(method, "/v4/domains/" + absent + end), absent),
                       method << end);
        }
    }
    const std::string no_key = "aaaaaaaaaa", key_id = other.key.substr(4, 10);
    BOOST_TEST(with(ask("DELETE", "/v1/keys/" + key_id), key_id)
               == with(ask("DELETE", "/v1/keys/" + no_key), no_key));
    for (const char* target : {"/v1/keys", "/v1/usage", "/v1/audit", "/v4/domains"}) {
        BOOST_TEST(
            with(ask("GET", target, {{"X-Mailgun-On-Behalf-Of", other_id}}), other_id)
            == with(ask("GET", target, {{"X-Mailgun-On-Behalf-Of", "4000000000"}}), "4000000000"));
        const auto seen = ask("GET", target);
        BOOST_TEST(!story::has(seen, other.domain), seen);
        BOOST_TEST(!story::has(seen, other.account), seen);
    }
    BOOST_TEST(list(other).status == 200);
}

BOOST_FIXTURE_TEST_CASE(
    each_change_is_in_the_audit_log, Provisioning,
    *shows("provisioning: each change is in the audit log, with key and address"))
{
    const auto account = name("customer");
    const auto domain = name("made") + ".example.org";
    const auto made = by_operator("POST", kAccounts, http::form({{"name", account}}));
    BOOST_TEST_REQUIRE(made.status == 200);
    const auto id = stack.value("SELECT id FROM account WHERE name = " + stack::quote(account));
    const http::Fields behalf{{"X-Mailgun-On-Behalf-Of", id}};
    const auto item = kAccounts + ("/" + id);
    BOOST_TEST(by_operator("PUT", item, http::form({{"max_domains", "1"}})).status == 200);
    BOOST_TEST(by_operator("POST", "/v4/domains", http::form({{"name", domain}}), behalf).status
               == 200);
    BOOST_TEST(
        by_operator("PUT", "/v4/domains/" + domain, http::form({{"quota_bytes", "1G"}})).status
        == 200);
    BOOST_TEST(
        by_operator("PUT", "/v4/domains/" + domain, http::form({{"state", "disabled"}})).status
        == 200);
    BOOST_TEST(by_operator("POST", "/v1/keys", http::form({{"role", "basic"}}), behalf).status
               == 200);
    BOOST_TEST(by_operator("POST", item + "/disable").status == 200);
    BOOST_TEST(by_operator("POST", item + "/enable").status == 200);
    BOOST_TEST(by_operator("DELETE", "/v4/domains/" + domain).status == 200);
    BOOST_TEST(by_operator("DELETE", kAccounts, {}, behalf).status == 200);
    const auto actions = stack.value(
        "SELECT GROUP_CONCAT(action ORDER BY at, id SEPARATOR ' ') FROM audit_log WHERE actor = "
        + stack::quote(operator_key.substr(4, 10)) + " AND client = '127.0.0.1'");
    BOOST_TEST(actions
               == "account-add account-set domain-add create domain-set domain-disable key-add "
                  "account-suspend account-resume domain-remove account-remove");
}

BOOST_AUTO_TEST_SUITE_END()
