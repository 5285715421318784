// parallel_story.cc - many requests at once: the database's keys decide who wins, and the counters
// stay right.

#include "system/harness/story.h"

#include <map>
#include <ostream>
#include <set>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using story::shows;

namespace {

http::Request request(const story::Tenant& who, const std::string& method,
                      const std::string& target, const http::Body& body = {})
{
    return {method, target, {{"Authorization", http::basic(who.key)}}, body};
}

http::Request creation(const story::Tenant& who, const std::string& name)
{
    return request(who, "POST", who.mailboxes(),
                   http::form({{"mailbox", name}, {"password", story::kPassword}}));
}

std::map<int, int> statuses(const std::vector<http::Answer>& answers)
{
    std::map<int, int> counts;
    for (const auto& answer : answers) {
        ++counts[answer.status];
        const auto found = answers::breach(answer);
        BOOST_TEST(found.empty(), found);
    }
    return counts;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(parallel)

// Each worker caches pages. No cached page may be older than the last acknowledged change.
BOOST_FIXTURE_TEST_CASE(a_list_sees_what_was_acknowledged_whichever_worker_answers, story::Story)
{
    const auto who = tenant();
    const std::vector<http::Request> lists(12, request(who, "GET", who.mailboxes()));
    const auto seen = [&] {
        std::set<std::vector<std::string>> all;
        for (const auto& answer : http::send_all(stack.server(), lists)) {
            std::vector<std::string> names;
            for (const auto& item : answers::page(answer).items) names.push_back(item.mailbox);
            all.insert(names);
        }
        return all;
    };
    const auto kept = "kept@" + who.domain, other = "other@" + who.domain;
    using Seen = std::set<std::vector<std::string>>;
    BOOST_TEST(stack.server().send(creation(who, "kept")).status == 200);
    BOOST_TEST((seen() == Seen{{kept}}));
    for (int i = 0; i < 25; ++i) {
        BOOST_TEST(stack.server().send(creation(who, "other")).status == 200);
        BOOST_TEST((seen() == Seen{{kept, other}}));
        BOOST_TEST(stack.server().send(request(who, "DELETE", who.mailboxes() + "/other")).status
                   == 200);
        BOOST_TEST((seen() == Seen{{kept}}));
    }
}

BOOST_FIXTURE_TEST_CASE(one_of_100_creations_of_a_name_succeeds, story::Story,
                        *shows("status: 409 mailbox exists, on POST"))
{
    const auto who = tenant();
    const auto answers = http::send_all_patiently(
        stack.server(), std::vector<http::Request>(100, creation(who, "alice")));
    auto counts = statuses(answers);
    BOOST_TEST(counts[200] == 1);
    BOOST_TEST(counts[409] == 99);
    const auto page = answers::page(list(who));
    BOOST_TEST(page.total_count == 1);
    BOOST_TEST(page.items.size() == 1U);
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM audit_log WHERE local_part = 'alice' AND"
                           " domain = "
                           + stack::quote(who.domain))
               == "1");
}

BOOST_FIXTURE_TEST_CASE(a_hundred_names_are_a_hundred_mailboxes, story::Story,
                        *shows("answers: items in the order of creation"))
{
    const auto who = tenant();
    std::vector<http::Request> requests;
    for (int i = 0; i < 100; ++i) {
        requests.push_back(creation(who, "user" + std::to_string(i)));
    }
    auto counts = statuses(http::send_all_patiently(stack.server(), requests));
    BOOST_TEST(counts[200] == 100);
    const auto names = answers::page(list(who)).names();
    BOOST_TEST(names.size() == 100U);
    BOOST_TEST((std::set<std::string>{names.begin(), names.end()}).size() == 100U);
}

BOOST_FIXTURE_TEST_CASE(one_of_50_deletions_succeeds, story::Story,
                        *shows("status: 404 mailbox, on PUT and DELETE"))
{
    const auto who = tenant();
    create(who, "alice");
    auto counts = statuses(http::send_all_patiently(
        stack.server(),
        std::vector<http::Request>(50, request(who, "DELETE", who.mailbox("alice")))));
    BOOST_TEST(counts[200] == 1);
    BOOST_TEST(counts[404] == 49);
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM deleted_mailbox WHERE local_part = 'alice' AND"
                           " domain = "
                           + stack::quote(who.domain))
               == "1");
}

namespace {

struct Allowance {
    const char* level;
    const char* message;
};

std::ostream& operator<<(std::ostream& out, const Allowance& row)
{
    return out << row.level;
}

const Allowance kAllowances[] = {
    {"domain", "The domain's allowance is used up: max_mailboxes is 100."},
    {"account", "The account's allowance is used up: max_mailboxes is 100."},
};

}  // namespace

// The limit of an account with two domains: the row of one domain cannot serialise these requests.
BOOST_TEST_DECORATOR(*shows("status: 409 allowance used up"))
BOOST_DATA_TEST_CASE_F(story::Story, the_allowance_holds_against_a_crowd, data::make(kAllowances),
                       row)
{
    constexpr int kCrowd = 200;
    const auto who = tenant();
    const bool is_account = row.level == std::string{"account"};
    const auto other = is_account ? neighbour(who) : who;
    BOOST_TEST(stack
                   .mailboxctl({row.level, "set", is_account ? who.account : who.domain,
                                "max_mailboxes=100"})
                   .exit
               == 0);
    std::vector<http::Request> requests;
    for (int i = 0; i < kCrowd; ++i) {
        requests.push_back(creation(i % 2 == 0 ? who : other, "user" + std::to_string(i)));
    }
    const auto answers = http::send_all_patiently(stack.server(), requests);
    auto counts = statuses(answers);
    BOOST_TEST(counts[200] == 100);
    BOOST_TEST(counts[409] == 100);
    for (const auto& answer : answers) {
        BOOST_TEST(
            (answer.status == 200
             || answers::refusal(answer) == std::string{"409 allowance_used_up: "} + row.message),
            answers::text(answer));
    }
    const auto there = stack.value(
        "SELECT COUNT(*) FROM mailbox m JOIN domain d ON d.id = m.domain_id JOIN account a ON a.id = d.account_id"
        " WHERE a.name = "
        + stack::quote(who.account));
    BOOST_TEST(there == "100");
}

// When the account has room for one more mailbox, a creation waits for another one, even in another
// domain, and then counts it.
BOOST_FIXTURE_TEST_CASE(the_allowance_of_an_account_is_used_in_turns, story::Story,
                        *shows("status: 409 allowance used up"))
{
    const auto who = tenant();
    const auto other = neighbour(who);
    BOOST_TEST(stack.mailboxctl({"account", "set", who.account, "max_mailboxes=1"}).exit == 0);
    // An open transaction that another creation would have before its COMMIT.
    auto creation_elsewhere = stack.connect_to_database();
    creation_elsewhere.execute(
        "START TRANSACTION; UPDATE domain SET mailboxes = mailboxes + 1 WHERE name = "
        + stack::quote(other.domain)
        + "; UPDATE account SET creations = creations + 1 WHERE name = "
        + stack::quote(who.account));
    auto answer =
        std::async(std::launch::async, [&] { return stack.server().send(creation(who, "alice")); });
    // InnoDB repeats its last answer to a query within 100 ms, so the interval is longer.
    BOOST_TEST(process::eventually(
        [&] {
        return stack.value(
                   "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
               == "1";
        },
        std::chrono::seconds{30}, std::chrono::milliseconds{150}));
    creation_elsewhere.execute("COMMIT");
    BOOST_TEST(answers::refusal(answer.get())
               == "409 allowance_used_up: The account's allowance is used up: max_mailboxes is 1.");
    stack.sql("UPDATE domain SET mailboxes = 0 WHERE name = " + stack::quote(other.domain));
}

// Creations, changes, deletions and lists of a few names in one domain, all at once. In every
// order, each answer is one that the contract allows and the counter equals the number of rows.
BOOST_FIXTURE_TEST_CASE(a_crowd_of_everything, story::Story,
                        *shows("answers: both from one consistent view"))
{
    const auto who = tenant();
    std::vector<http::Request> requests;
    for (int i = 0; i < 50; ++i) {
        const auto name = "user" + std::to_string(i % 5);
        requests.push_back(creation(who, name));
        requests.push_back(request(who, "DELETE", who.mailbox(name)));
        requests.push_back(
            request(who, "PUT", who.mailbox(name), http::form({{"password", "Looking-Glass"}})));
        requests.push_back(request(who, "GET", who.mailboxes()));
    }
    const auto answers = http::send_all_patiently(stack.server(), requests);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        const auto& answer = answers[i];
        const int refused = i % 4 == 0 ? 409 : 404;
        BOOST_TEST((answer.status == 200 || (i % 4 != 3 && answer.status == refused)),
                   requests[i].method << " was answered " << answers::text(answer));
        if (requests[i].method == "GET" && answer.status == 200) {
            const auto page = answers::page(answer);
            // Count and items come from one consistent view.
            BOOST_TEST(page.total_count == static_cast<std::int64_t>(page.items.size()));
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
