// routes_story.cc - the calls for routes over HTTP, through nginx. tests/unit/mailboxd/
// alias_handlers_test.cc has the rules in detail; where mail goes, tests/system/mail/
// mail_alias_story.cc shows.

#include "system/harness/story.h"

#include <string>
#include <vector>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using story::has;
using story::shows;

namespace {

constexpr char kRoutes[] = "/v3/routes";

struct Routes : story::Story {
    Routes() : who{tenant()}
    {
        for (const char* name : {"alice", "bob"})
            BOOST_TEST_REQUIRE(create(who, name).status == 200);
    }
    std::string expression(const std::string& name) const
    {
        return "match_recipient(\"" + who.address(name) + "\")";
    }
    std::string forward(const std::string& name) const
    {
        return "forward(\"" + who.address(name) + "\")";
    }
    http::Answer post(const std::string& expression, const std::vector<std::string>& actions) const
    {
        http::Fields fields{{"expression", expression}};
        for (const auto& action : actions) fields.emplace_back("action", action);
        return call(who.key, "POST", kRoutes, http::form(fields));
    }
    std::string made(const std::string& name, const std::string& target) const
    {
        return id_of(post(expression(name), {forward(target)}));
    }
    std::string id_of(const http::Answer& answer) const
    {
        BOOST_TEST_REQUIRE(answer.status == 200, answer.body);
        constexpr std::string_view kId = "\"id\":\"";
        return answer.body.substr(answer.body.find(kId) + kId.size(), 24);
    }
    static std::string item(const std::string& id) { return std::string{kRoutes} + "/" + id; }
    story::Tenant who;
};

bool has_code(const http::Answer& answer, int status, const std::string& code)
{
    return answer.status == status && has(answer.body, "\"code\":\"" + code + "\"");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(route_calls)

BOOST_FIXTURE_TEST_CASE(a_route_from_beginning_to_end, Routes,
                        *shows("routes: POST") * shows("routes: GET of all")
                            * shows("routes: GET of one") * shows("routes: match")
                            * shows("routes: PUT") * shows("routes: DELETE")
                            * shows("routes: expression and actions come back as they were given"))
{
    const auto its_expression = "match_recipient('^sales@" + who.domain + "$')";
    const auto its_action = " forward ('" + who.address("alice") + "') ";
    const auto created = call(who.key, "POST", kRoutes,
                              http::multipart({{"priority", "10"},
                                               {"description", "orders"},
                                               {"expression", its_expression},
                                               {"action", its_action},
                                               {"action", "stop()"}}));
    const auto id = id_of(created);
    BOOST_TEST(created.body.starts_with(
        "{\"message\":\"Route has been created\",\"route\":{\"actions\":[\"" + its_action
        + "\",\"stop()\"],\"created_at\":\""));
    BOOST_TEST(has(created.body, "\"description\":\"orders\",\"expression\":\"" + its_expression
                                     + "\",\"id\":\"" + id + "\",\"priority\":10}}"));
    const auto route = created.body.substr(created.body.find("\"route\":"));
    const auto all = call(who.key, "GET", kRoutes);
    BOOST_TEST(all.status == 200);
    BOOST_TEST(all.body
               == "{\"items\":[" + route.substr(8, route.size() - 10) + "],\"total_count\":1}\n");
    for (const auto& target :
         {item(id), std::string{kRoutes} + "/match?address=sales%2Bx@" + who.domain}) {
        BOOST_TEST(call(who.key, "GET", target).body == "{" + route, target);
        BOOST_TEST(call(who.key, "HEAD", target).status == 200, target);
    }
    BOOST_TEST(call(who.key, "HEAD", kRoutes).status == 200);
    const auto changed =
        call(who.key, "PUT", item(id), http::form({{"action", forward("bob")}, {"priority", "0"}}));
    BOOST_TEST(changed.status == 200);
    BOOST_TEST(
        has(changed.body, "\"priority\":0,\"message\":\"Route has been updated\",\"route\":{"));
    const auto deleted = call(who.key, "DELETE", item(id));
    BOOST_TEST(deleted.status == 200);
    BOOST_TEST(deleted.body == "{\"id\":\"" + id + "\",\"message\":\"Route has been deleted\"}\n");
    for (const char* method : {"GET", "PUT", "DELETE"})
        BOOST_TEST(has_code(call(who.key, method, item(id)), 404, "route_not_found"), method);
    BOOST_TEST(has_code(call(who.key, "GET", kRoutes + ("/match?address=sales@" + who.domain)), 404,
                        "route_not_found"));
    const auto audited = stack.mailboxctl({"audit", who.address("sales")}).out;
    for (const char* action : {"alias-add", "alias-set", "alias-remove"})
        BOOST_TEST(has(audited, action), audited);
}

BOOST_FIXTURE_TEST_CASE(a_path_without_v3_is_no_route, Routes, *shows("routes: under /v3 only"))
{
    for (const char* path : {"/routes", "/v2/routes", "/v4/routes", "/v3/routes/x/y"})
        BOOST_TEST(call(who.key, "GET", path).status == 404, path);
}

BOOST_FIXTURE_TEST_CASE(what_is_not_supported_is_named, Routes,
                        *shows("routes: expressions") * shows("routes: actions"))
{
    for (const auto& each :
         {expression("a"), "match_recipient('.*@" + who.domain + "')", std::string{"catch_all()"}})
        BOOST_TEST(post(each, {forward("alice")}).status == 200, each);
    for (const auto& each : {"match_recipient('(a|b)@" + who.domain + "')",
                             std::string{"match_header('subject', '.*')"}}) {
        const auto answer = post(each, {forward("alice")});
        BOOST_TEST(has_code(answer, 400, "bad_expression"), answer.body);
        BOOST_TEST(has(answer.body, "catch_all()"));
    }
    for (const char* each : {"forward('https://example.org/hook')", "store()"}) {
        const auto answer = post(expression("b"), {each});
        BOOST_TEST(has_code(answer, 400, "bad_action"), answer.body);
        BOOST_TEST(has(answer.body, "stop()"));
    }
    BOOST_TEST(post(expression("c"), {forward("alice"), "stop()"}).status == 200);
}

BOOST_FIXTURE_TEST_CASE(
    routes_that_are_refused, Routes,
    *shows("routes: one for an expression")
        * shows("routes: to mailboxes and routes of the account, unless the operator permits more")
        * shows("routes: no loop, and no chain of more than three")
        * shows("routes: max_aliases of domain and account")
        * shows("routes: of a suspended domain"))
{
    const auto first = made("first", "alice");
    BOOST_TEST(has_code(post(expression("FIRST"), {forward("bob")}), 409, "route_exists"));
    made("second", "first");
    BOOST_TEST(
        has_code(call(who.key, "PUT", item(first), http::form({{"action", forward("second")}})),
                 409, "route_loop"));
    made("third", "second");
    BOOST_TEST(has_code(post(expression("fourth"), {forward("third")}), 409, "chain_too_long"));
    const auto other = tenant();
    BOOST_TEST(create(other, "carol").status == 200);
    for (const auto& address :
         {other.address("carol"), other.address("nobody"), std::string{"a@example.net"}}) {
        const auto answer = post(expression("x"), {"forward('" + address + "')"});
        BOOST_TEST(has_code(answer, 400, "bad_target"), answer.body);
    }
    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "max_aliases=3"}).exit == 0);
    BOOST_TEST(has_code(post(expression("x"), {forward("bob")}), 409, "allowance_used_up"));
    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "max_aliases=none"}).exit == 0);
    BOOST_TEST(stack.mailboxctl({"account", "set", who.account, "max_aliases=3"}).exit == 0);
    BOOST_TEST(has_code(post(expression("x"), {forward("bob")}), 409, "allowance_used_up"));
    BOOST_TEST(stack.mailboxctl({"account", "set", who.account, "max_aliases=none"}).exit == 0);
    BOOST_TEST(stack.mailboxctl({"domain", "suspend", who.domain}).exit == 0);
    BOOST_TEST(has_code(post(expression("x"), {forward("bob")}), 403, "suspended"));
    BOOST_TEST(has_code(call(who.key, "DELETE", item(first)), 403, "suspended"));
    BOOST_TEST(call(who.key, "GET", item(first)).status == 200);
}

BOOST_FIXTURE_TEST_CASE(a_key_sees_what_is_its_own, Routes, *shows("routes: what the key may see"))
{
    const auto id = made("sales", "alice");
    const auto other = tenant();
    const auto second = neighbour(who);
    const auto narrow =
        story::add_key(stack, {"--account", who.account, "--domain", second.domain});
    const auto reading = story::add_key(stack, {"--account", who.account, "--read-only"});
    for (const auto& key : {other.key, narrow}) {
        for (const char* method : {"GET", "PUT", "DELETE"}) {
            const auto foreign = call(key, method, item(id));
            BOOST_TEST(foreign.body == call(key, method, item("0123456789abcdef01234567")).body);
            BOOST_TEST(foreign.status == 404);
        }
        BOOST_TEST(call(key, "GET", kRoutes).body == "{\"items\":[],\"total_count\":0}\n");
    }
    BOOST_TEST(call(reading, "GET", item(id)).status == 200);
    for (const char* method : {"PUT", "DELETE"})
        BOOST_TEST(has_code(call(reading, method, item(id)), 403, "read_only"), method);
    BOOST_TEST(call(who.key, "DELETE", item(id)).status == 200);
}

BOOST_AUTO_TEST_SUITE_END()
