// mixed_story.cc - all kinds of requests of both APIs, good and bad, with a database outage among
// them. One worker reads and one writes, and both must survive. scripts/run-valgrind runs memcheck
// on these two.

#include "system/harness/story.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include <boost/test/unit_test.hpp>

using process::eventually;

namespace {

struct One {
    stack::Stack one{{"--no-mail", "--workers", "1"}};
};

struct Mixed : One, story::Story {
    Mixed() : Story{one}
    {
        // The hashes use very little memory, because the story examines our memory and not
        // libsodium's. Short timeouts make the outage noticed soon.
        const auto text = story::configuration(
            stack, {{"argon2_memory_kib", "8"}, {"argon2_passes", "1"}, {"db_timeout", "3"}});
        std::ofstream{stack.setting("MAILBOXD_CONF")} << text;
        const auto old = stack.workers();
        ::kill(stack.master(), SIGHUP);
        BOOST_TEST_REQUIRE(stack.await_workers(old));
        who = tenant();
        BOOST_TEST_REQUIRE(
            stack.mailboxctl({"domain", "set", who.domain, "allow_delete_all=yes"}).exit == 0);
    }
    void teardown() const
    {
        check_counters();
        show_log_of_failure();
    }

    // A request, and the statuses that it must get with and without a database.
    struct Call {
        int status;
        int without;
        http::Answer answer;
    };
    static constexpr int kKinds = 20;
    Call ask(int number) const
    {
        const auto name = "user" + std::to_string(number / kKinds);
        const auto mailboxes = who.mailboxes("/v3");
        const std::string domain = "/v3/domains/" + who.domain;
        const auto credentials = domain + "/credentials";
        auto mistyped = who.key;
        mistyped[20] = mistyped[20] == 'a' ? 'b' : 'a';
        switch (number % kKinds) {
        case 0: return {200, 503, create(who, name)};
        case 1: return {409, 503, create(who, name)};
        case 2:
            return {
                200, 503,
                call(who.key, "POST", mailboxes,
                     http::multipart({{"mailbox", name + "-m"}, {"password", story::kPassword}}))};
        case 3:
            return {200, 503,
                    call(who.key, "POST", mailboxes,
                         http::json(R"([{"mailbox":")" + name
                                    + R"(-j","password":"correct horse"},{"mailbox":")" + name
                                    + R"(-k","password":"correct horse"}])"))};
        case 4: return {200, 503, list(who)};
        case 5: return {200, 503, list(who, "?limit=1000&skip=1")};
        case 6: return {200, 503, change(who, name, "Looking-Glass")};
        case 7: return {404, 503, change(who, "nobody", "Looking-Glass")};
        case 8: return {200, 503, call(who.key, "GET", credentials)};
        case 9:
            return {200, 503,
                    call(who.key, "POST", credentials, http::form({{"login", name + "-c"}}))};
        case 10: return {200, 503, call(who.key, "PUT", credentials + "/" + name + "-c")};
        case 11: return {200, 503, call(who.key, "GET", "/v4/domains")};
        case 12: return {200, 503, call(who.key, "GET", domain)};
        case 13:
            return {400, 503,
                    call(who.key, "POST", mailboxes,
                         http::json(R"({"mailbox":"\ud83d","password":[)"))};
        case 14: return {401, 401, call(mistyped, "GET", mailboxes)};
        case 15: return {405, 405, call(who.key, "PATCH", mailboxes)};
        case 16: return {415, 503, call(who.key, "POST", mailboxes, {"text/plain", "mailbox=bob"})};
        case 17:
            return {404, 503, call(who.key, "GET", "/v3/absent.example.org/mailboxes?skip=100000")};
        case 18: return {200, 503, remove(who, name)};
        default:
            return {200, 503,
                    number / kKinds % 5 == 4 ? call(who.key, "POST", mailboxes, story::hundred("h"))
                                             : call(who.key, "DELETE", credentials)};
        }
    }

    // The database hangs for several requests; afterwards all connections are lost.
    void outage(int number) const
    {
        {
            const process::Stopped stopped{{stack.part("mariadb")}};
            for (int kind = 0; kind < kKinds; ++kind) {
                const auto called = ask(number + kind);
                BOOST_TEST(called.answer.status == called.without,
                           "kind " << (number + kind) % kKinds << ": "
                                   << answers::text(called.answer));
            }
        }
        BOOST_TEST_REQUIRE(eventually([&] { return list(who).status == 200; }));
        for (const auto& row : stack.sql(
                 "SELECT id FROM information_schema.processlist WHERE user = 'mailboxd_api'")) {
            stack.sql("KILL " + row.at(0));
        }
    }

    story::Tenant who;
};

int requests()
{
    const char* const given = std::getenv("TEST_MIXED_REQUESTS");
    return given == nullptr ? 300 : std::atoi(given);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(mixed)

BOOST_FIXTURE_TEST_CASE(requests_of_all_kinds, Mixed)
{
    const auto workers = stack.workers();
    const auto count = requests();
    for (int i = 0; i < count; ++i) {
        if (i == count / 2) {
            outage(i);
        }
        const auto called = ask(i);
        BOOST_TEST(called.answer.status == called.status,
                   "kind " << i % kKinds << ": " << answers::text(called.answer));
    }
    BOOST_TEST(stack.workers() == workers, boost::test_tools::per_element());
    stack.down();
    stack.up();
}

BOOST_AUTO_TEST_SUITE_END()
