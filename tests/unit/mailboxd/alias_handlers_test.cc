// alias_handlers_test.cc - routes over the API, in process, and what Postfix's functions make of
// them.

#include "mailboxd/alias_handlers.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/strings.h"
#include "db/accounts.h"
#include "db/aliases.h"
#include "db/domain_names.h"
#include "db/lifecycle.h"
#include "peers/postfix_lookups.h"
#include "support/served.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using namespace served;
using support::unique;

namespace {

constexpr char kRoutes[] = "/v3/routes";

std::string encoded(std::string_view text)
{
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string all;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        all += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
    return all;
}

struct Routes : Served {
    Routes() : connection{database.connect()}, admin{connection}
    {
        for (const char* name : {"alice", "bob", "carol"})
            store.create(grant(), {mailbox(name)}, actor);
    }

    std::string at(const std::string& name) const { return name + "@" + domain.name(); }
    std::string forward(const std::string& name) const { return "forward('" + at(name) + "')"; }
    static std::string body(const std::string& expression, const std::vector<std::string>& actions)
    {
        std::string text = expression.empty() ? "" : "expression=" + encoded(expression);
        for (const auto& action : actions) text += "&action=" + encoded(action);
        return text;
    }
    // `name`: of the domain; empty: its catch-all.
    std::string expression(const std::string& name) const
    {
        return "match_recipient('" + (name.empty() ? ".*" : name) + "@" + domain.name() + "')";
    }
    http::Response create(const std::string& name, const std::vector<std::string>& actions)
    {
        return serve({"POST", kRoutes, kForm, body(expression(name), actions)});
    }
    // Returns the id of a new route.
    std::string made(const std::string& name, const std::vector<std::string>& targets,
                     bool has_stop = false)
    {
        std::vector<std::string> actions;
        for (const auto& target : targets) actions.push_back(forward(target));
        if (has_stop) actions.emplace_back("stop()");
        const auto response = create(name, actions);
        BOOST_TEST_REQUIRE(response.status == 200, response.body);
        constexpr std::string_view kId = "\"id\":\"";
        return response.body.substr(response.body.find(kId) + kId.size(), 24);
    }
    static std::string item(const std::string& id) { return std::string{kRoutes} + "/" + id; }

    // Returns the names of the mailboxes that get mail for the address, sorted, or `nobody`; not
    // those on other servers.
    std::string recipients(const std::string& name, std::string at_domain = {})
    {
        if (at_domain.empty()) at_domain = domain.name();
        std::set<std::string> names;
        const auto found =
            database.text("SELECT COALESCE(mail_recipients(?, ?), '')", {name, at_domain});
        for (const auto& each : strings::words(found, ",")) {
            if (each.ends_with(".forward.invalid")) continue;
            names.insert(database.text("SELECT local_part FROM mailbox WHERE storage_id = ?",
                                       {each.substr(0, 32)}));
        }
        return names.empty() ? "nobody" : strings::joined(names, " ");
    }
    std::string access(const std::string& name)
    {
        return database.text("SELECT COALESCE(mail_access(?, ?), 'nothing')",
                             {name, domain.name()});
    }
    // Returns the name of the mailbox that may send from the address, or `nobody`.
    std::string sender(const std::string& name)
    {
        const auto login =
            database.text("SELECT COALESCE(mail_sender(?, ?), '')", {name, domain.name()});
        return login.empty() ? "nobody"
                             : database.text("SELECT local_part FROM mailbox WHERE storage_id = ?",
                                             {login.substr(0, 32)});
    }
    std::int64_t aliases_of_domain()
    {
        return database.number("SELECT aliases FROM domain WHERE id = ?", {domain_id});
    }
    std::int64_t aliases_of_account()
    {
        return database.number("SELECT aliases FROM account WHERE name = ?", {account});
    }

    db::Connection connection;
    admin::Admin admin;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(routes_of_mail)

// --- the calls --------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_route_is_created_shown_changed_and_deleted, Routes)
{
    const auto created = serve(
        {"POST", kRoutes, kForm,
         body(expression("sales"), {forward("alice"), "stop()"}) + "&priority=10&description=d"});
    BOOST_TEST(created.status == 200);
    const auto id = created.body.substr(created.body.find("\"id\":\"") + 6, 24);
    const auto created_at = created.body.substr(created.body.find("\"created_at\":\"") + 14, 29);
    const auto members = R"("actions":[")" + forward("alice")
                         + R"json(","stop()"],"created_at":")json" + created_at
                         + R"(","description":"d","expression":")" + expression("sales")
                         + R"(","id":")" + id + R"(","priority":10)";
    BOOST_TEST(text(created)
               == R"(200 {"message":"Route has been created","route":{)" + members + "}}");
    BOOST_TEST(text(serve({"GET", item(id)})) == R"(200 {"route":{)" + members + "}}");
    BOOST_TEST(text(serve({"GET", kRoutes}))
               == R"(200 {"items":[{)" + members + R"(}],"total_count":1})");
    BOOST_TEST(text(serve({"GET", "/v3/routes/match?address=" + at("sales")}))
               == R"(200 {"route":{)" + members + "}}");
    const auto changed = serve({"PUT", item(id), kForm, "priority=3&description="});
    BOOST_TEST(changed.body.starts_with(R"({"actions":[")" + forward("alice")));
    BOOST_TEST(changed.body.find(R"("description":"",)") != std::string::npos);
    BOOST_TEST(
        changed.body.find(R"("priority":3,"message":"Route has been updated","route":{"actions")")
        != std::string::npos);
    BOOST_TEST(text(serve({"DELETE", item(id)}))
               == R"(200 {"id":")" + id + R"(","message":"Route has been deleted"})");
    BOOST_TEST(text(serve({"GET", item(id)}))
               == R"(404 {"message":"Route not found","code":"route_not_found"})");
    BOOST_TEST(outcome(serve({"DELETE", item(id)})) == "404 route_not_found");
    BOOST_TEST(text(serve({"GET", kRoutes})) == R"(200 {"items":[],"total_count":0})");
    const std::vector<std::string> rows = audit();
    BOOST_TEST(rows.size() == 6U);
    BOOST_TEST(rows[3] == "alias-add sales");
    BOOST_TEST(rows[4] == "alias-set sales");
    BOOST_TEST(rows[5] == "alias-remove sales");
}

struct Body : support::Row {
    std::string type;
    std::string body;  // {D} stands for the domain
};
const Body kBodies[] = {
    {{"repeated parameters"},
     kForm,
     "expression=match_recipient('x@{D}')&action=forward('alice@{D}')&action=forward('bob@{D}')"},
    {{"a list of a form"},
     kForm,
     "expression=match_recipient('x@{D}')&action[]=forward('alice@{D}')&action[]=forward('bob@{D}')"},
    {{"a numbered list"},
     kForm,
     "expression=match_recipient('x@{D}')&action[0]=forward('alice@{D}')&action[1]=forward('bob@{D}')"},
    {{"one action with two addresses"},
     kForm,
     "expression=match_recipient('x@{D}')&action=forward('alice@{D}, bob@{D}')"},
    {{"JSON"},
     kJson,
     R"json({"expression":"match_recipient('x@{D}')","action":["forward('alice@{D}')","forward('bob@{D}')"],"priority":0})json"},
};

BOOST_DATA_TEST_CASE_F(Routes, the_ways_in_which_clients_write_actions, data::make(kBodies), row)
{
    const auto response = serve({"POST", kRoutes, row.type, target(row.body)});
    BOOST_TEST(response.status == 200, response.body);
    BOOST_TEST(recipients("x") == "alice bob");
}

// What published clients send, and which members of the answer they read. {R} stands for a route's
// id.
struct Sent : support::Row {
    Call call;
    std::vector<std::string> read;
};
constexpr char kMultipart[] = "multipart/form-data; boundary=b";
std::string parts(const std::vector<std::pair<std::string, std::string>>& fields)
{
    std::string body;
    for (const auto& [name, value] : fields)
        body +=
            "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
    return body + "--b--\r\n";
}
const Sent kSent[] = {
    {{"mailgun-go 5: CreateRoute"},
     {"POST", "", kForm,
      "priority=0&description=&expression=match_recipient%28%22x%40{D}%22%29&action=forward%28%22alice%40{D}%22%29&action=stop%28%29"},
     {"\"message\":\"", "\"route\":{", "\"priority\":0", "\"created_at\":\""}},
    {{"mailgun.js 14: create without a priority of 0"},
     {"POST", "", kMultipart,
      parts({{"expression", "match_recipient('x@{D}')"},
             {"action", "forward('alice@{D}')"},
             {"action", "stop()"}})},
     {"\"route\":{", "\"priority\":0", "\"description\":\"\""}},
    {{"mailgun-php: create"},
     {"POST", "", "multipart/form-data; boundary=\"b\"",
      parts({{"priority", "0"},
             {"expression", "match_recipient('x@{D}')"},
             {"action", "forward('alice@{D}')"},
             {"description", "d"}})},
     {"\"route\":{", "\"id\":\""}},
    {{"mailgun-go 5: ListRoutes"}, {"GET", "?limit=100"}, {"\"total_count\":1", "\"items\":[{"}},
    {{"mailgun-go 5: the page after the last"}, {"GET", "?limit=100&skip=1"}, {"\"items\":[]"}},
    {{"mailgun-go 5: GetRoute"}, {"GET", "/{R}"}, {"\"route\":{"}},
    {{"mailgun-go 5: UpdateRoute, which reads no route"},
     {"PUT", "/{R}", kForm, "priority=3"},
     {R"({"actions":[)", "\"id\":\"{R}\"", "\"priority\":3,\"message\":"}},
    {{"mailgun-php: update, which reads the id of the whole"},
     {"PUT", "/{R}", kMultipart, parts({{"priority", "3"}, {"action", "forward('alice@{D}')"}})},
     {"\"id\":\"{R}\"", "\"message\":\"Route has been updated\""}},
    {{"mailgun-php: update of nothing, a form without parts"},
     {"PUT", "/{R}", kMultipart, "--b--\r\n"},
     {"\"message\":\"Route has been updated\""}},
    {{"a generated client: JSON with the id"},
     {"PUT", "/{R}", kJson,
      R"json({"id":"{R}","priority":2,"action":["forward('alice@{D}')"]})json"},
     {"\"priority\":2"}},
    {{"mailgun-php: delete, a form without parts"},
     {"DELETE", "/{R}", kMultipart, "--b--\r\n"},
     {"\"message\":\"Route has been deleted\"", "\"id\":\"{R}\""}},
    {{"mailgun-java: match"}, {"GET", "/match?address=sales%40{D}"}, {"\"route\":{"}},
};

BOOST_DATA_TEST_CASE_F(Routes, what_published_clients_send_and_read, data::make(kSent), row)
{
    const auto id = made("sales", {"alice"});
    const auto filled = [&](std::string text) {
        text = target(text);
        for (auto at = text.find("{R}"); at != std::string::npos; at = text.find("{R}"))
            text.replace(at, 3, id);
        return text;
    };
    auto call = row.call;
    call.target = kRoutes + filled(call.target);
    call.body = filled(call.body);
    const auto response = serve(call);
    BOOST_TEST(response.status == 200, response.body);
    for (const auto& each : row.read)
        BOOST_TEST(response.body.find(filled(each)) != std::string::npos, each << response.body);
}

const Refused kRefused[] = {
    {{"no expression"}, {"POST", "", kForm, "action=forward('alice@{D}')"}, "400 bad_parameter"},
    {{"no action"}, {"POST", "", kForm, "expression=catch_all()"}, "400 bad_parameter"},
    {{"an expression that is not supported"},
     {"POST", "", kForm, "expression=match_header('x','y')&action=forward('alice@{D}')"},
     "400 bad_expression"},
    {{"an action that is not supported"},
     {"POST", "", kForm, "expression=catch_all()&action=forward('https://example.org')"},
     "400 bad_action"},
    {{"a list of JSON that has a number"},
     {"POST", "", kJson, R"json({"expression":"catch_all()","action":[1]})json"},
     "400 bad_action"},
    {{"a target without a mailbox"},
     {"POST", "", kForm, "expression=match_recipient('x@{D}')&action=forward('nobody@{D}')"},
     "400 bad_target"},
    {{"a target elsewhere"},
     {"POST", "", kForm, "expression=match_recipient('x@{D}')&action=forward('a@example.net')"},
     "400 bad_target"},
    {{"a domain of nobody"},
     {"POST", "", kForm, "expression=match_recipient('x@no.example')&action=forward('alice@{D}')"},
     "404 domain_not_found"},
    {{"itself as a target"},
     {"POST", "", kForm, "expression=match_recipient('alice@{D}')&action=forward('alice@{D}')"},
     "409 route_loop"},
    {{"a priority that is no number"},
     {"POST", "", kForm, "expression=catch_all()&action=forward('alice@{D}')&priority=high"},
     "400 bad_parameter"},
    {{"a priority that is too large"},
     {"POST", "", kForm, "expression=catch_all()&action=forward('alice@{D}')&priority=2147483648"},
     "400 bad_parameter"},
    {{"a priority twice"},
     {"POST", "", kForm,
      "expression=catch_all()&action=forward('alice@{D}')&priority=1&priority=2"},
     "400 bad_parameter"},
    {{"a description with a control character"},
     {"POST", "", kForm, "expression=catch_all()&action=forward('alice@{D}')&description=%01"},
     "400 bad_parameter"},
    {{"a description that is too long"},
     {"POST", "", kForm,
      "expression=catch_all()&action=forward('alice@{D}')&description=" + std::string(1001, 'd')},
     "400 bad_parameter"},
    {{"no address to match"}, {"GET", "/match"}, "400 bad_parameter"},
    {{"an address to match that is none"}, {"GET", "/match?address=alice"}, "400 bad_parameter"},
    {{"an address that matches nothing"},
     {"GET", "/match?address=alice@{D}"},
     "404 route_not_found"},
    {{"an id of nobody"}, {"GET", "/0123456789abcdef01234567"}, "404 route_not_found"},
    {{"an id in Unicode"}, {"GET", "/%C3%A9"}, "404 route_not_found"},
    {{"another method"}, {"PATCH", ""}, "405 method_not_allowed"},
};

BOOST_DATA_TEST_CASE_F(Routes, a_refused_request_changes_nothing, data::make(kRefused), row)
{
    auto call = row.call;
    call.target = target(kRoutes + call.target);
    call.body = target(call.body);
    const auto response = serve(call);
    BOOST_TEST(outcome(response) == row.outcome, response.body);
    BOOST_TEST(aliases_of_account() == 0);
    BOOST_TEST(
        database.number("SELECT COUNT(*) FROM alias_target t JOIN alias a ON a.id = t.alias_id"
                        " WHERE a.domain_id = ?",
                        {domain_id})
        == 0);
    BOOST_TEST(audit().size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(an_expression_has_one_route, Routes)
{
    made("sales", {"alice"});
    BOOST_TEST(outcome(create("sales", {forward("bob")})) == "409 route_exists");
    BOOST_TEST(outcome(create("SALES", {forward("bob")})) == "409 route_exists");
    made("", {"alice"});
    BOOST_TEST(outcome(create("", {forward("bob")})) == "409 route_exists");
    const auto other = made("info", {"bob"});
    BOOST_TEST(
        outcome(serve({"PUT", item(other), kForm, body(expression("sales"), {forward("bob")})}))
        == "409 route_exists");
    BOOST_TEST(recipients("info") == "bob");
    BOOST_TEST(aliases_of_domain() == 3);
}

BOOST_FIXTURE_TEST_CASE(a_route_can_be_repeated_by_its_idempotency_key, Routes)
{
    const Call call{.method = "POST",
                    .target = kRoutes,
                    .type = kForm,
                    .body = body(expression("sales"), {forward("alice")}),
                    .idempotency_key = "once"};
    const auto first = serve(call);
    BOOST_TEST(first.status == 200);
    BOOST_TEST(text(serve(call)) == text(first));
    BOOST_TEST(aliases_of_domain() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_list_has_pages_in_the_order_of_creation, Routes)
{
    for (const char* name : {"c", "a", "b"}) made(name, {"alice"});
    const auto names = [&](const std::string& query) {
        std::string found;
        const auto response = json::parse(serve({"GET", kRoutes + query}).body).value();
        for (const auto& each : response.members) {
            if (each.name == "total_count") found += each.value.text;
            if (each.name != "items") continue;
            for (const auto& route : each.value.members)
                for (const auto& member : route.value.members)
                    if (member.name == "expression") found += member.value.text.substr(17, 1) + " ";
        }
        return found;
    };
    BOOST_TEST(names("") == "c a b 3");
    BOOST_TEST(names("?limit=2") == "c a 3");
    BOOST_TEST(names("?limit=2&skip=2") == "b 3");
    BOOST_TEST(names("?skip=9") == "3");
    BOOST_TEST(outcome(serve({"GET", "/v3/routes?limit=1001"})) == "400 bad_limit");
}

BOOST_FIXTURE_TEST_CASE(routes_have_allowances, Routes)
{
    admin.set_domain(domain, "max_aliases", "1");
    made("a", {"alice"});
    BOOST_TEST(
        text(create("b", {forward("alice")}))
        == R"(409 {"message":"The domain's allowance is used up: max_aliases is 1","code":"allowance_used_up"})");
    admin.set_domain(domain, "max_aliases", "none");
    admin.set_account(account, "max_aliases", "2");
    made("b", {"alice"});
    BOOST_TEST(
        text(create("c", {forward("alice")}))
        == R"(409 {"message":"The account's allowance is used up: max_aliases is 2","code":"allowance_used_up"})");
    BOOST_TEST(aliases_of_account() == 2);
    BOOST_TEST(recipients("c") == "nobody");
}

// --- who may do what ---------------------------------------------------------------------

struct TwoAccounts : Routes {
    http::Response as_other(const Call& call)
    {
        return serve(call, basic("api:" + other.key.text()));
    }
    database::Tenant other;
};

BOOST_FIXTURE_TEST_CASE(another_account_neither_sees_nor_uses_anything, TwoAccounts)
{
    const auto id = made("sales", {"alice"});
    for (const std::string method : {"GET", "PUT", "DELETE"}) {
        const auto foreign = as_other({method, item(id)});
        const auto absent = as_other({method, item("0123456789abcdef01234567")});
        BOOST_TEST(text(foreign) == text(absent));
        BOOST_TEST(foreign.status == 404);
    }
    BOOST_TEST(text(as_other({"GET", kRoutes})) == R"(200 {"items":[],"total_count":0})");
    BOOST_TEST(outcome(as_other({"GET", "/v3/routes/match?address=" + at("sales")}))
               == "404 route_not_found");
    const auto in_foreign =
        as_other({"POST", kRoutes, kForm, body(expression("x"), {"forward('a@b.example')"})});
    BOOST_TEST(outcome(in_foreign) == "404 domain_not_found");
    const auto expression_of_other = "match_recipient('x@" + other.domain.name() + "')";
    const auto to = [&](const std::string& address) {
        auto answer = text(as_other(
            {"POST", kRoutes, kForm, body(expression_of_other, {"forward('" + address + "')"})}));
        BOOST_TEST(answer.starts_with("400"));
        return answer.erase(answer.find(address), address.size());
    };
    BOOST_TEST(to(at("alice")) == to(at("nobody")));
    BOOST_TEST(to(at("sales")) == to("nobody@no.example"));
    BOOST_TEST(recipients("sales") == "alice");
}

BOOST_FIXTURE_TEST_CASE(a_key_for_one_domain_sees_the_routes_of_that_one, Routes)
{
    const auto second = mailbox::Domain::parse(unique("second-") + ".example").value();
    admin.add_domain(second, account);
    const auto narrowed = admin.add_key({.account_id = admin.account_id(account),
                                         .domain = second,
                                         .is_read_only = false,
                                         .expires_at = 0,
                                         .addresses = {},
                                         .label = ""});
    const auto as_narrowed = [&](const Call& call) {
        return serve(call, basic("api:" + narrowed.text()));
    };
    const auto id = made("sales", {"alice"});
    BOOST_TEST(outcome(as_narrowed({"GET", item(id)})) == "404 route_not_found");
    BOOST_TEST(text(as_narrowed({"GET", kRoutes})) == R"(200 {"items":[],"total_count":0})");
    BOOST_TEST(
        outcome(as_narrowed({"POST", kRoutes, kForm, body(expression("x"), {forward("alice")})}))
        == "404 domain_not_found");
    const auto its = "match_recipient('x@" + second.name() + "')";
    BOOST_TEST(outcome(as_narrowed({"POST", kRoutes, kForm, body(its, {forward("alice")})}))
               == "400 bad_target");
    BOOST_TEST(outcome(serve({"POST", kRoutes, kForm, body(its, {forward("alice")})})) == "200");
    BOOST_TEST(as_narrowed({"GET", kRoutes}).body.find("\"total_count\":1") != std::string::npos);
    // It has no catch_all(), which is for all domains.
    const auto address = "postmaster@" + second.name();
    grants::Grant its_grant;
    its_grant.domain_id = admin.domain_id(second.name());
    store.create(its_grant, {{mailbox::Address::parse("postmaster", second), "{PLAIN}x"}}, actor);
    const std::vector<std::string> to_it{"forward('" + address + "')"};
    BOOST_TEST(outcome(as_narrowed({"POST", kRoutes, kForm, body("catch_all()", to_it)}))
               == "400 bad_expression");
    BOOST_TEST(outcome(as_narrowed({"POST", kRoutes, kForm,
                                    body("match_recipient('.*@" + second.name() + "')", to_it)}))
               == "200");
    BOOST_TEST(recipients("anything", second.name()) == "postmaster");
    BOOST_TEST(recipients("anything") == "nobody");
}

BOOST_FIXTURE_TEST_CASE(a_suspended_domain_and_a_reading_key_change_nothing, Routes)
{
    const auto id = made("sales", {"alice"});
    const auto reader = admin.add_key({.account_id = admin.account_id(account),
                                       .domain = {},
                                       .is_read_only = true,
                                       .expires_at = 0,
                                       .addresses = {},
                                       .label = ""});
    BOOST_TEST(outcome(serve({"DELETE", item(id)}, basic("api:" + reader.text())))
               == "403 read_only");
    BOOST_TEST(serve({"GET", item(id)}, basic("api:" + reader.text())).status == 200);
    admin.set_domain_state(domain, mailbox::State::no_login);
    BOOST_TEST(outcome(create("x", {forward("alice")})) == "403 suspended");
    BOOST_TEST(outcome(serve({"PUT", item(id), kForm, "priority=1"})) == "403 suspended");
    BOOST_TEST(outcome(serve({"DELETE", item(id)})) == "403 suspended");
    BOOST_TEST(serve({"GET", item(id)}).status == 200);
    BOOST_TEST(recipients("sales") == "alice");
}

// A suspension belongs to the name, so a route must not get mail for it.
BOOST_FIXTURE_TEST_CASE(a_suspended_name_gets_no_route, Routes)
{
    life::Changes changes{connection};
    const auto id = made("bob", {"carol"});
    for (const auto state : {mailbox::State::no_login, mailbox::State::disabled}) {
        for (const char* name : {"alice", "bob"}) changes.set_state(address(name), state);
        BOOST_TEST(outcome(create("alice", {forward("carol")})) == "403 suspended");
        BOOST_TEST(outcome(serve({"PUT", item(id), kForm, "priority=1"})) == "403 suspended");
    }
    BOOST_TEST(access("bob").starts_with("450"));
    for (const char* name : {"alice", "bob"}) store.remove(grant(), address(name), actor);
    // A name without a mailbox is nobody's until the operator resumes it.
    BOOST_TEST(outcome(create("alice", {forward("carol")})) == "403 suspended");
    made("", {"carol"});
    for (const char* name : {"alice", "bob"}) {
        BOOST_TEST(access(name) == "nothing");
        BOOST_TEST(recipients(name) == "nobody");
        BOOST_TEST(sender(name) == "nobody");
    }
    BOOST_TEST(access("anything") == "DUNNO");
    changes.set_state(address("alice"), mailbox::State::active);
    BOOST_TEST(outcome(create("alice", {forward("carol")})) == "200");
    BOOST_TEST(access("alice") == "DUNNO");
}

BOOST_FIXTURE_TEST_CASE(a_route_sends_to_at_most_500_mailboxes, Routes)
{
    std::vector<store::NewMailbox> many;
    for (int i = 0; i < 300; ++i) many.push_back(mailbox("u" + std::to_string(i)));
    for (std::size_t i = 0; i < many.size(); i += 100)
        store.create(grant(),
                     {many.begin() + static_cast<std::ptrdiff_t>(i),
                      many.begin() + static_cast<std::ptrdiff_t>(i) + 100},
                     actor);
    const auto group = [](int begin) {
        std::vector<std::string> names;
        for (int i = begin; i < begin + 90; ++i) names.push_back("u" + std::to_string(i % 300));
        return names;
    };
    for (const int number : {0, 1, 2}) made("group" + std::to_string(number), group(90 * number));
    const auto id = made("all", {"group0", "group1"});
    made("everyone", {"all", "alice"});
    for (int i = 0; i < 300; ++i)
        many[static_cast<std::size_t>(i)] = mailbox("v" + std::to_string(i));
    for (std::size_t i = 0; i < many.size(); i += 100)
        store.create(grant(),
                     {many.begin() + static_cast<std::ptrdiff_t>(i),
                      many.begin() + static_cast<std::ptrdiff_t>(i) + 100},
                     actor);
    std::vector<std::string> actions{forward("group0"), forward("group1"), forward("group2")};
    std::string others;
    for (const int number : {0, 1, 2}) {
        std::vector<std::string> names;
        for (int i = 90 * number; i < 90 * number + 90; ++i)
            names.push_back("v" + std::to_string(i));
        made("more" + std::to_string(number), names);
        actions.push_back(forward("more" + std::to_string(number)));
    }
    BOOST_TEST(outcome(serve({"PUT", item(id), kForm, body("", actions)}))
               == "409 too_many_mailboxes");
    actions.pop_back();
    BOOST_TEST(outcome(serve({"PUT", item(id), kForm, body("", actions)})) == "200");
    // The route that leads to it counts, too.
    store.create(grant(), {mailbox("w1")}, actor);
    BOOST_TEST(
        database.number(
            "SELECT COUNT(DISTINCT t.storage_id) FROM alias_recipient t JOIN alias a ON a.id = t.alias_id"
            " WHERE a.domain_id = ? AND a.local_part = 'everyone'",
            {domain_id})
        == 451);
}

// What another request has changed since the caller read the route stays.
BOOST_FIXTURE_TEST_CASE(two_changes_at_once_are_both_made, Routes)
{
    const auto id = made("sales", {"alice"});
    const auto read_before = alias::find(connection, id).value();
    BOOST_TEST(serve({"PUT", item(id), kForm,
                      body(expression("orders"), {forward("bob"), "stop()"}) + "&priority=7"})
                   .status
               == 200);
    alias::Settings settings;
    settings.description = "later";
    const auto changed = alias::Changes{connection}.change({.whose = {}, .is_operator = true},
                                                           read_before, settings);
    BOOST_TEST(changed.expression == expression("orders"));
    BOOST_TEST(changed.actions == (std::vector<std::string>{forward("bob"), "stop()"}),
               boost::test_tools::per_element());
    BOOST_TEST(changed.priority == 7);
    BOOST_TEST(changed.description == "later");
    BOOST_TEST(recipients("orders") == "bob");
    BOOST_TEST(recipients("sales") == "nobody");
}

BOOST_FIXTURE_TEST_CASE(a_route_does_not_leave_a_suspended_domain, Routes)
{
    const auto second = mailbox::Domain::parse(unique("second-") + ".example").value();
    admin.add_domain(second, account);
    const auto id = made("sales", {"alice"});
    admin.set_domain_state(domain, mailbox::State::no_login);
    for (const auto& its_expression :
         {"match_recipient('sales@" + second.name() + "')", std::string{"catch_all()"}})
        BOOST_TEST(outcome(serve({"PUT", item(id), kForm, body(its_expression, {})}))
                   == "403 suspended");
    BOOST_TEST(recipients("sales") == "alice");
}

// Domains of one account that are restored into two must not pass mail on to each other.
BOOST_FIXTURE_TEST_CASE(no_route_leads_into_another_account, TwoAccounts)
{
    const auto second = mailbox::Domain::parse(unique("second-") + ".example").value();
    admin.add_domain(second, account);
    grants::Grant its_grant;
    its_grant.domain_id = admin.domain_id(second.name());
    store.create(its_grant, {{mailbox::Address::parse("yuri", second), "{PLAIN}x"}}, actor);
    const auto add =
        [&](const std::string& name, const std::string& its_domain, const std::string& target) {
        const auto response = serve({"POST", kRoutes, kForm,
                                     body("match_recipient('" + name + "@" + its_domain + "')",
                                          {"forward('" + target + "')"})});
        BOOST_TEST_REQUIRE(response.status == 200, response.body);
    };
    add("x", domain.name(), "yuri@" + second.name());
    add("z", second.name(), "x@" + domain.name());
    add(".*", second.name(), at("alice"));
    BOOST_TEST(recipients("z", second.name()) == "yuri");
    const auto third = admin.add_account(unique("third-"));
    admin.remove_account(account);
    admin.restore_domain(domain, config.deleted_for, 0, other.account);
    admin.restore_domain(second, config.deleted_for, 0,
                         database.text("SELECT name FROM account WHERE id = ?", {third}));
    BOOST_TEST(recipients("x") == "nobody");
    BOOST_TEST(recipients("z", second.name()) == "nobody");
    BOOST_TEST(recipients("anything", second.name()) == "nobody");
    BOOST_TEST(recipients("alice") == "alice");
    BOOST_TEST(sender("x") == "nobody");
    for (const auto& each :
         alias::targets(connection, alias::find(connection, domain.name(), "x")->number))
        BOOST_TEST(!each.is_there);
}

BOOST_FIXTURE_TEST_CASE(a_route_of_a_removed_domain_passes_nothing_on, Routes)
{
    const auto second = mailbox::Domain::parse(unique("second-") + ".example").value();
    admin.add_domain(second, account);
    const auto its = "match_recipient('info@" + second.name() + "')";
    BOOST_TEST(serve({"POST", kRoutes, kForm, body(its, {forward("alice")})}).status == 200);
    BOOST_TEST(serve({"POST", kRoutes, kForm,
                      body(expression("chain"), {"forward('info@" + second.name() + "')"})})
                   .status
               == 200);
    BOOST_TEST(recipients("chain") == "alice");
    admin.remove_domain(second);
    BOOST_TEST(recipients("chain") == "nobody");
    admin.restore_domain(second, config.deleted_for);
    BOOST_TEST(recipients("chain") == "alice");
}

// --- what mail does ------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_mailbox_gets_its_own_mail_unless_there_is_a_stop, Routes)
{
    const auto id = made("alice", {"bob"});
    BOOST_TEST(recipients("alice") == "alice bob");
    BOOST_TEST(serve({"PUT", item(id), kForm, body("", {forward("bob"), "stop()"})}).status == 200);
    BOOST_TEST(recipients("alice") == "bob");
    BOOST_TEST(serve({"PUT", item(id), kForm, body("", {forward("carol")})}).status == 200);
    BOOST_TEST(recipients("alice") == "alice carol");
    BOOST_TEST(serve({"DELETE", item(id)}).status == 200);
    BOOST_TEST(recipients("alice") == "alice");
}

BOOST_FIXTURE_TEST_CASE(a_new_mailbox_with_the_address_of_a_route_gets_its_own_mail, Routes)
{
    made("dave", {"bob"});
    made("erin", {"bob"}, true);
    store.create(grant(), {mailbox("dave"), mailbox("erin")}, actor);
    BOOST_TEST(recipients("dave") == "bob dave");
    BOOST_TEST(recipients("erin") == "bob");
    store.remove(grant(), address("dave"), actor);
    BOOST_TEST(recipients("dave") == "bob");
}

BOOST_FIXTURE_TEST_CASE(a_target_is_the_mailbox_and_not_its_name, Routes)
{
    const auto id = made("sales", {"alice", "bob"});
    const auto old = storage_id("bob");
    store.remove(grant(), address("bob"), actor);
    store.create(grant(), {mailbox("bob")}, actor);
    BOOST_TEST(recipients("sales") == "alice");
    // A change that gives no action binds nothing.
    BOOST_TEST(serve({"PUT", item(id), kForm, "description=x"}).status == 200);
    BOOST_TEST(recipients("sales") == "alice");
    BOOST_TEST(serve({"PUT", item(id), kForm, body("", {forward("alice"), forward("bob")})}).status
               == 200);
    BOOST_TEST(recipients("sales") == "alice bob");
    store.remove(grant(), address("alice"), actor);
    store.remove(grant(), address("bob"), actor);
    BOOST_TEST(recipients("sales") == "nobody");
    BOOST_TEST(access("sales") == "nothing");
    life::Changes{connection}.restore({.address = address("alice"), .name = address("alison")},
                                      config.deleted_for);
    BOOST_TEST(recipients("sales") == "alison");
}

BOOST_FIXTURE_TEST_CASE(a_route_that_is_a_target_is_bound_likewise, Routes)
{
    const auto inner = made("inner", {"alice"});
    made("outer", {"inner"});
    BOOST_TEST(recipients("outer") == "alice");
    BOOST_TEST(serve({"PUT", item(inner), kForm, body("", {forward("bob")})}).status == 200);
    BOOST_TEST(recipients("outer") == "bob");
    BOOST_TEST(serve({"DELETE", item(inner)}).status == 200);
    made("inner", {"carol"});
    BOOST_TEST(recipients("outer") == "nobody");
    BOOST_TEST(recipients("inner") == "carol");
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_is_a_target_passes_on_what_its_route_says, Routes)
{
    made("team", {"alice"});
    const auto id = made("alice", {"bob"});
    BOOST_TEST(recipients("team") == "alice bob");
    BOOST_TEST(serve({"PUT", item(id), kForm, body("", {forward("bob"), "stop()"})}).status == 200);
    BOOST_TEST(recipients("team") == "bob");
}

BOOST_FIXTURE_TEST_CASE(a_chain_has_at_most_three_routes, Routes)
{
    made("c", {"alice"});
    made("b", {"c"});
    made("a", {"b"});
    BOOST_TEST(recipients("a") == "alice");
    BOOST_TEST(outcome(create("z", {forward("a")})) == "409 chain_too_long");
    const auto x = made("x", {"bob"});
    made("y", {"x"});
    BOOST_TEST(outcome(serve({"PUT", item(x), kForm, body("", {forward("b")})}))
               == "409 chain_too_long");
    BOOST_TEST(recipients("y") == "bob");
}

BOOST_FIXTURE_TEST_CASE(a_loop_is_refused_and_harmless, Routes)
{
    const auto a = made("a", {"alice"});
    const auto b = made("b", {"a"});
    BOOST_TEST(outcome(serve({"PUT", item(a), kForm, body("", {forward("b")})}))
               == "409 route_loop");
    made("alice", {"bob"});
    BOOST_TEST(outcome(create("bob", {forward("alice")})) == "409 route_loop");
    database.execute(
        "UPDATE alias_target t JOIN alias a ON a.id = t.alias_id JOIN alias b ON b.public_id = ?"
        " SET t.kind = 'alias', t.storage_id = NULL, t.target_id = b.id"
        " WHERE a.public_id = ? AND t.number = 1",
        {b, a});
    BOOST_TEST(recipients("a") == "nobody");
    BOOST_TEST(recipients("b") == "nobody");
}

BOOST_FIXTURE_TEST_CASE(a_catch_all_takes_what_has_no_name, Routes)
{
    made("", {"carol"});
    made("sales", {"alice"});
    store.create(grant(), {mailbox("postmaster")}, actor);
    BOOST_TEST(recipients("anything") == "carol");
    BOOST_TEST(recipients("any+thing") == "carol");
    BOOST_TEST(recipients("alice") == "alice");
    BOOST_TEST(recipients("alice+x") == "alice");
    BOOST_TEST(recipients("sales") == "alice");
    BOOST_TEST(recipients("abuse") == "postmaster");
    // The name of a mailbox inside Dovecot, and one that it may have had, are nobody's address.
    BOOST_TEST(recipients(storage_id("alice")) == "nobody");
    BOOST_TEST(recipients(std::string(32, 'a')) == "nobody");
    BOOST_TEST(recipients("") == "nobody");
    BOOST_TEST(recipients(" alice") == "nobody");
    BOOST_TEST(recipients("alice ") == "nobody");
    // A name whose alias leads nowhere is not the catch-all's.
    made("dead", {"bob"});
    store.remove(grant(), address("bob"), actor);
    BOOST_TEST(recipients("dead") == "nobody");
}

BOOST_FIXTURE_TEST_CASE(a_catch_all_of_an_account_is_for_all_its_domains, TwoAccounts)
{
    BOOST_TEST(serve({"POST", kRoutes, kForm, body("catch_all()", {forward("carol")})}).status
               == 200);
    const auto second = mailbox::Domain::parse(unique("second-") + ".example").value();
    admin.add_domain(second, account);
    BOOST_TEST(recipients("x") == "carol");
    BOOST_TEST(recipients("x", second.name()) == "carol");
    BOOST_TEST(recipients("x", other.domain.name()) == "nobody");
    made("", {"bob"});
    BOOST_TEST(recipients("x") == "bob");
    BOOST_TEST(recipients("x", second.name()) == "carol");
    BOOST_TEST(aliases_of_account() == 2);
    admin.remove_account(account);
    BOOST_TEST(database.number("SELECT COUNT(*) FROM alias WHERE domain_id = 0 AND local_part = ''"
                               " AND account_id NOT IN (SELECT id FROM account)")
               == 0);
}

BOOST_FIXTURE_TEST_CASE(system_addresses_reach_postmaster, Routes)
{
    BOOST_TEST(recipients("abuse") == "nobody");
    store.create(grant(), {mailbox("postmaster")}, actor);
    for (const char* name : {"abuse", "ABUSE", "ftp", "hostmaster", "news", "noc", "security",
                             "usenet", "uucp", "webmaster", "www", "abuse+x"})
        BOOST_TEST(recipients(strings::lower_case(name)) == "postmaster");
    BOOST_TEST(recipients("sales") == "nobody");
    made("abuse", {"alice"});
    BOOST_TEST(recipients("abuse") == "alice");
    store.create(grant(), {mailbox("webmaster")}, actor);
    BOOST_TEST(recipients("webmaster") == "webmaster");
    made("postmaster", {"bob"}, true);
    BOOST_TEST(recipients("noc") == "bob");
    admin.set_domain(domain, "system_addresses", "no");
    BOOST_TEST(recipients("noc") == "nobody");
    BOOST_TEST(recipients("abuse") == "alice");
}

// --- other servers ----------------------------------------------------------------------

namespace {

struct Outside : TwoAccounts {
    Outside() { permit("yes"); }
    void permit(const std::string& answer) { admin.set_domain(domain, "forward_outside", answer); }
    http::Response create_outside(const std::string& name, const std::string& target,
                                  const std::vector<std::string>& others = {})
    {
        std::vector<std::string> actions{"forward('" + target + "')"};
        for (const auto& each : others) actions.push_back(forward(each));
        return create(name, actions);
    }
    // Returns what Postfix sends mail for the address to, other servers only.
    std::string outside(const std::string& name)
    {
        std::set<std::string> found;
        const auto all =
            database.text("SELECT COALESCE(mail_recipients(?, ?), '')", {name, domain.name()});
        for (const auto& each : strings::words(all, ",")) {
            const auto marker = each.find('@');
            if (!each.ends_with(".forward.invalid")) continue;
            const auto target =
                postfix_lookups::find(connection, "forward", strings::lower_case(each));
            found.insert(target.value_or("nothing for " + each.substr(0, marker)));
        }
        return strings::joined(found, " ");
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_permitted_domain_sends_to_other_servers, Outside)
{
    BOOST_TEST(create_outside("sales", "Bob+x@Elsewhere.example", {"alice"}).status == 200);
    BOOST_TEST(recipients("sales") == "alice");
    BOOST_TEST(outside("sales") == "Bob+x@elsewhere.example");
    BOOST_TEST(access("sales") == "DUNNO");
    BOOST_TEST(sender("sales") == "nobody");
    BOOST_TEST(create_outside("only", "bob@elsewhere.example").status == 200);
    BOOST_TEST(access("only") == "DUNNO");
    BOOST_TEST(sender("only") == "nobody");
    // Through another alias, and for a catch-all.
    BOOST_TEST(create("chain", {forward("sales"), forward("only")}).status == 200);
    BOOST_TEST(outside("chain") == "Bob+x@elsewhere.example bob@elsewhere.example");
    BOOST_TEST(create("", {"forward('c@elsewhere.example')"}).status == 200);
    BOOST_TEST(outside("anything") == "c@elsewhere.example");
    // The same address by two aliases gets one copy.
    BOOST_TEST(create_outside("again", "bob@elsewhere.example", {"only"}).status == 200);
    BOOST_TEST(database.text("SELECT mail_recipients('again', ?)", {domain.name()}).find(',')
               == std::string::npos);
    // An address of another account counts as any other elsewhere.
    BOOST_TEST(create_outside("theirs", "nobody@" + other.domain.name()).status == 200);
    BOOST_TEST(outside("theirs") == "nobody@" + other.domain.name());
}

// An error in a look-up stops the mail of all domains for a minute (Postfix before 3.9).
BOOST_FIXTURE_TEST_CASE(the_longest_address_fits, Outside)
{
    const auto label = std::string(60, 'd') + ".";
    const auto address =
        std::string(64, 'a') + "@" + label + label + std::string(59, 'e') + ".example";
    BOOST_TEST(create_outside("sales", address).status == 200);
    BOOST_TEST(outside("sales") == address);
    BOOST_TEST(outcome(create_outside("more", address + "x")) == "400 bad_action");
    // Also one that an earlier state of the program accepted.
    const auto longest = std::string(64, 'a') + "@" + std::string(253, 'd');
    database.execute("UPDATE alias_target SET address = ? WHERE kind = 'outside' AND address = ?",
                     {longest, address});
    BOOST_TEST(outside("sales") == longest);
}

// Its owner must not read elsewhere what cannot be read here.
BOOST_FIXTURE_TEST_CASE(what_is_suspended_sends_nothing_to_other_servers, Outside)
{
    BOOST_TEST(create_outside("mixed", "bob@elsewhere.example", {"bob"}).status == 200);
    BOOST_TEST(create_outside("only", "bob@elsewhere.example").status == 200);
    BOOST_TEST(create("chain", {forward("only")}).status == 200);
    BOOST_TEST(create("alice", {"forward('bob@elsewhere.example')", "stop()"}).status == 200);
    const auto leaves = [&](const std::string& name) {
        const auto number = alias::find(connection, domain.name(), name)->number;
        return postfix_lookups::find(connection, "forwarding",
                                     "bob=elsewhere.example@" + std::to_string(number)
                                         + ".forward.invalid")
            .value_or("nothing")
            .substr(0, 3);
    };
    const auto expect = [&](const std::string& names, const std::string& answer) {
        for (const auto& name : strings::words(names, " "))
            BOOST_TEST(leaves(name) == answer, name);
    };
    expect("mixed only alice", "OK");
    constexpr db::Statement kAccount{"UPDATE account SET state = ? WHERE name = ?"};
    constexpr db::Statement kDomain{"UPDATE domain SET state = ? WHERE name = ?"};
    for (const auto& [statement, whose] :
         {std::pair{kAccount, account}, {kDomain, domain.name()}}) {
        database.execute(statement, {"no_login", whose});
        expect("mixed only alice", "450");
        BOOST_TEST(access("mixed") == "DUNNO");
        for (const std::string name : {"only", "chain", "alice"})
            BOOST_TEST(access(name).substr(0, 3) == "450", name);
        database.execute(statement, {"active", whose});
    }
    database.execute(
        "UPDATE mailbox SET state = 'no_login' WHERE domain_id = ? AND local_part = 'alice'",
        {domain_id});
    expect("alice", "450");
    expect("mixed only", "OK");
    BOOST_TEST(access("alice").substr(0, 3) == "450");
    BOOST_TEST(access("only") == "DUNNO");
}

// Mail by an alias of another account gets the same answers as a stranger's.
BOOST_FIXTURE_TEST_CASE(an_alias_reaches_no_more_than_strangers_do, Outside)
{
    const auto leaves = [&](const std::string& target) {
        const auto name = unique("x");
        BOOST_TEST_REQUIRE(create_outside(name, target).status == 200);
        const auto marked = database.text("SELECT mail_recipients(?, ?)", {name, domain.name()});
        return postfix_lookups::find(connection, "forwarding", strings::lower_case(marked))
            .value_or("nothing")
            .substr(0, 3);
    };
    BOOST_TEST(leaves("someone@elsewhere.example") == "OK");
    const auto theirs = "Alice@" + other.domain.name();
    other.store.create(other.grant(), {other.mailbox("alice")}, other.actor);
    BOOST_TEST(leaves(theirs) == "OK");
    BOOST_TEST(leaves(other.storage_id("alice") + "@" + other.domain.name()) == "550");
    database.execute("UPDATE mailbox SET state = 'disabled' WHERE storage_id = ?",
                     {other.storage_id("alice")});
    BOOST_TEST(leaves(theirs) == "450");
}

BOOST_FIXTURE_TEST_CASE(without_the_permission_nothing_leaves, Outside)
{
    const auto sentence = [&](const std::string& target) {
        return R"(400 {"message":")" + target
               + " is neither a mailbox nor a route of this account, and the operator does not permit "
               + domain.name()
               + R"node( to send to other servers (forward_outside)","code":"bad_target"})node";
    };
    BOOST_TEST(create_outside("sales", "bob@elsewhere.example", {"alice"}).status == 200);
    BOOST_TEST(create_outside("only", "bob@elsewhere.example").status == 200);
    permit("no");
    BOOST_TEST(text(create_outside("x", "bob@elsewhere.example"))
               == sentence("bob@elsewhere.example"));
    BOOST_TEST(text(create_outside("x", "nobody@" + other.domain.name()))
               == sentence("nobody@" + other.domain.name()));
    BOOST_TEST(recipients("sales") == "alice");
    BOOST_TEST(outside("sales") == "");
    BOOST_TEST(access("only") == "nothing");
    const auto nowhere = alias::leading_nowhere(connection, 10000);
    BOOST_TEST(std::count(nowhere.begin(), nowhere.end(), at("only")) == 1);
    const auto number = alias::find(connection, domain.name(), "only")->number;
    BOOST_TEST(!postfix_lookups::find(connection, "forward",
                                      "bob=elsewhere.example@" + std::to_string(number)
                                          + ".forward.invalid"));
    permit("yes");
    BOOST_TEST(outside("only") == "bob@elsewhere.example");
}

BOOST_FIXTURE_TEST_CASE(targets_that_no_server_has_are_refused, Outside)
{
    for (const std::string target :
         {"a@localhost", "a@mailboxes", "a@127.0.0.1", "a@1.forward.invalid"})
        BOOST_TEST(outcome(create_outside("x", target)) == "400 bad_target", target);
    BOOST_TEST(outcome(create_outside("x", at("nobody"))) == "400 bad_target");
    // The catch-all of all domains belongs to none that could have the permission.
    const auto all =
        serve({"POST", kRoutes, kForm, body("catch_all()", {"forward('bob@elsewhere.example')"})});
    BOOST_TEST(outcome(all) == "400 bad_target");
    BOOST_TEST(all.body.find("catch_all() sends to no other server") != std::string::npos);
}

// A route that moves to another domain needs that one's permission.
BOOST_FIXTURE_TEST_CASE(the_permission_is_the_domains, Outside)
{
    const auto second = mailbox::Domain::parse(unique("second-") + ".example").value();
    admin.add_domain(second, account);
    BOOST_TEST(create_outside("sales", "bob@elsewhere.example").status == 200);
    const auto id = alias::find(connection, domain.name(), "sales")->id;
    const auto moved = body("match_recipient('sales@" + second.name() + "')", {});
    BOOST_TEST(outcome(serve({"PUT", item(id), kForm, moved})) == "400 bad_target");
    BOOST_TEST(outside("sales") == "bob@elsewhere.example");
    admin.set_domain(second, "forward_outside", "yes");
    BOOST_TEST(serve({"PUT", item(id), kForm, moved}).status == 200);
    BOOST_TEST(outside("sales") == "");
    // A mailbox behind the alias of a domain without it is reached, other servers are not.
    BOOST_TEST(create_outside("mixed", "bob@elsewhere.example", {"alice"}).status == 200);
    admin.remove_domain(domain);
    admin.restore_domain(domain, config.deleted_for);
    BOOST_TEST(outside("mixed") == "bob@elsewhere.example");
    BOOST_TEST(admin.domain_details(domain_id).value().forwards_outside);
}

BOOST_FIXTURE_TEST_CASE(an_alias_domain_has_the_same_addresses, TwoAccounts)
{
    const auto alias = mailbox::Domain::parse(unique("alias-") + ".example").value();
    domain_names::add(connection, alias, domain);
    made("sales", {"bob"});
    made("", {"carol"});
    BOOST_TEST(recipients("alice", alias.name()) == "alice");
    BOOST_TEST(recipients("sales", alias.name()) == "bob");
    BOOST_TEST(recipients("other", alias.name()) == "carol");
    BOOST_TEST(serve({"POST", kRoutes, kForm,
                      body("match_recipient('info@" + alias.name() + "')",
                           {"forward('alice@" + alias.name() + "')"})})
                   .status
               == 200);
    BOOST_TEST(recipients("info") == "alice");
    BOOST_CHECK_THROW(domain_names::add(connection, alias, other.domain), admin::Refused);
    BOOST_CHECK_THROW(domain_names::add(connection, other.domain, domain), admin::Refused);
    BOOST_CHECK_THROW(admin.add_domain(alias, account), admin::Refused);
    BOOST_TEST(domain_names::remove(connection, alias) == domain.name());
    BOOST_CHECK_THROW(domain_names::remove(connection, alias), admin::Refused);
    BOOST_CHECK_THROW(domain_names::remove(connection, domain), admin::Refused);
    BOOST_TEST(recipients("alice", alias.name()) == "nobody");
}

BOOST_FIXTURE_TEST_CASE(a_removed_domain_comes_back_with_its_routes, Routes)
{
    const auto alias = mailbox::Domain::parse(unique("alias-") + ".example").value();
    domain_names::add(connection, alias, domain);
    const auto id = made("sales", {"alice"});
    made("", {"sales"});
    admin.set_domain(domain, "max_aliases", "7");
    admin.set_domain(domain, "system_addresses", "no");
    admin.remove_domain(domain);
    BOOST_TEST(aliases_of_account() == 0);
    BOOST_TEST(outcome(serve({"GET", item(id)})) == "404 route_not_found");
    BOOST_TEST(text(serve({"GET", kRoutes})) == R"(200 {"items":[],"total_count":0})");
    BOOST_TEST(recipients("sales", alias.name()) == "nobody");
    admin.restore_domain(domain, config.deleted_for);
    BOOST_TEST(aliases_of_domain() == 2);
    BOOST_TEST(aliases_of_account() == 2);
    BOOST_TEST(serve({"GET", item(id)}).status == 200);
    BOOST_TEST(recipients("sales") == "alice");
    BOOST_TEST(recipients("anything", alias.name()) == "alice");
    const auto details = admin.domain_details(domain_id).value();
    BOOST_TEST(details.max_aliases.value_or(0) == 7);
    BOOST_TEST(!details.has_system_addresses);
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_is_restored_into_another_account_takes_its_routes_along,
                        TwoAccounts)
{
    made("sales", {"alice"});
    admin.remove_account(account);
    admin.restore_domain(domain, config.deleted_for, 0, other.account);
    BOOST_TEST(recipients("sales") == "alice");
    BOOST_TEST(as_other({"GET", kRoutes}).body.find("\"total_count\":1") != std::string::npos);
    BOOST_TEST(as_other({"GET", kRoutes}).body.find("sales@") != std::string::npos);
}

// --- what Postfix is told -------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_sender_is_the_mailbox_or_the_only_one_that_an_alias_leads_to, TwoAccounts)
{
    store.create(grant(), {mailbox("postmaster")}, actor);
    made("one", {"alice"});
    made("two", {"alice", "carol"});
    made("chain", {"one"});
    made("bob", {"alice"}, true);
    made("", {"carol"});
    BOOST_TEST(sender("alice") == "alice");
    BOOST_TEST(sender("alice+x") == "alice");
    BOOST_TEST(sender("one") == "alice");
    BOOST_TEST(sender("chain") == "alice");
    BOOST_TEST(sender("two") == "nobody");
    BOOST_TEST(sender("bob") == "bob");
    BOOST_TEST(sender("abuse") == "postmaster");
    BOOST_TEST(sender("anything") == "nobody");
    BOOST_TEST(sender("") == "nobody");
}

BOOST_FIXTURE_TEST_CASE(mail_waits_only_if_every_mailbox_is_disabled, Routes)
{
    life::Changes changes{connection};
    made("one", {"alice"});
    made("two", {"alice", "bob"});
    made("", {"alice"});
    changes.set_quota(address("carol"), 1'000'000);
    BOOST_TEST(access("alice") == "DUNNO");
    BOOST_TEST(access("carol") == "mailboxd_quota");
    BOOST_TEST(access("one") == "DUNNO");
    changes.set_state(address("alice"), mailbox::State::disabled);
    for (const char* name : {"alice", "one", "anything"})
        BOOST_TEST(access(name).starts_with("450"));
    BOOST_TEST(access("two") == "DUNNO");
    changes.set_state(address("bob"), mailbox::State::disabled);
    BOOST_TEST(access("two").starts_with("450"));
    changes.set_state(address("alice"), mailbox::State::active);
    changes.set_state(address("bob"), mailbox::State::active);
    admin.set_domain_state(domain, mailbox::State::disabled);
    for (const char* name : {"alice", "one", "two", "anything"})
        BOOST_TEST(access(name).starts_with("450"));
}

BOOST_FIXTURE_TEST_CASE(mail_of_an_alias_is_refused_if_its_only_mailbox_is_full, Routes)
{
    made("one", {"alice"});
    made("two", {"alice", "bob"});
    database.execute("UPDATE mailbox SET quota_bytes = 100, size_bytes = 100 WHERE storage_id = ?",
                     {storage_id("alice")});
    BOOST_TEST(access("one").starts_with("552"));
    BOOST_TEST(access("two") == "DUNNO");
}

// An argument that no address has must not become an error of the database, because Postfix answers
// everybody with 451 after one.
BOOST_FIXTURE_TEST_CASE(any_text_can_be_asked_about, Routes)
{
    made("", {"carol"});
    for (const auto& name :
         {std::string(3000, 'x'), std::string{"a\"b\\c'd"}, std::string{"%"},
          std::string{"alic\xC3\xA9"}, std::string{"alic\xE9"}, std::string{"alice+\xC3\xA9"},
          std::string(64, 'x') + "+" + std::string(2000, 'y')}) {
        BOOST_CHECK_NO_THROW(recipients(name));
        BOOST_CHECK_NO_THROW(access(name));
        BOOST_CHECK_NO_THROW(sender(name));
        BOOST_CHECK_NO_THROW(recipients("x", name));
    }
    BOOST_TEST(recipients(std::string(65, 'x')) == "nobody");
    BOOST_TEST(recipients(std::string(64, 'x')) == "carol");
}

BOOST_AUTO_TEST_SUITE_END()
