// torture_test.cc - the plan of a torture run, and the journal: which findings it reports as
// violations.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "torture/journal.h"
#include "torture/plan.h"

namespace data = boost::unit_test::data;
using journal::Contest;
using journal::Counts;
using journal::Found;
using journal::Journal;
using journal::Meaning;
using plan::Action;

namespace {

using Names = std::vector<std::string>;

plan::Step step(Action action, const Names& names, const std::string& password = "")
{
    return {.action = action, .names = names, .password = password};
}

// A mailbox that exists, with this password.
Found there(const std::string& password)
{
    return [password](const std::string& asked) { return asked == password; };
}

// The answers about alice and bob, who were both absent before, and what was found.
struct Case {
    const char* about;
    std::vector<std::pair<plan::Step, Meaning>> told;
    std::map<std::string, Found> found;
    const char* breach;  // words of the first violation; empty: none
};

std::ostream& operator<<(std::ostream& out, const Case& row)
{
    return out << row.about;
}

const auto kMade = std::pair{step(Action::create, {"alice"}, "one"), Meaning::done};
const auto kBoth = step(Action::create, {"alice", "bob"}, "two");
const auto kAll = step(Action::remove_all, {"alice", "bob"});

const Case kCases[] = {
    {"nothing asked, nothing there", {}, {}, ""},
    {"nothing asked, something there", {}, {{"alice", there("one")}}, "alice is there"},
    {"acknowledged and there", {kMade}, {{"alice", there("one")}}, ""},
    {"acknowledged and absent",
     {kMade},
     {},
     "alice is absent, but it was there with 'one' by step 0"},
    {"acknowledged, with another's password",
     {kMade},
     {{"alice", there("three")}},
     "not with that password"},
    {"refused because there was no database, yet created",
     {{step(Action::create, {"alice"}, "one"), Meaning::untouched}},
     {{"alice", there("one")}},
     "alice is there"},
    {"not answered, absent", {{step(Action::create, {"alice"}, "one"), Meaning::unknown}}, {}, ""},
    {"not answered, whole",
     {{step(Action::create, {"alice"}, "one"), Meaning::unknown}},
     {{"alice", there("one")}},
     ""},
    {"not answered, neither",
     {{step(Action::create, {"alice"}, "one"), Meaning::unknown}},
     {{"alice", there("three")}},
     "or there with 'one' by step 0, which was not answered"},
    {"both acknowledged, one there",
     {{kBoth, Meaning::done}},
     {{"alice", there("two")}},
     "bob is absent"},
    {"both not answered, both there",
     {{kBoth, Meaning::unknown}},
     {{"alice", there("two")}, {"bob", there("two+1")}},
     ""},
    {"both not answered, one there",
     {{kBoth, Meaning::unknown}},
     {{"alice", there("two")}},
     "a part of it"},
    {"both not answered, one in the way, the other there",
     {kMade, {kBoth, Meaning::unknown}},
     {{"alice", there("one")}, {"bob", there("two+1")}},
     "bob is there"},
    {"created twice", {kMade, kMade}, {}, "step 1; alice was there with 'one' by step 0"},
    {"in the way, though absent",
     {{step(Action::create, {"alice"}, "one"), Meaning::exists}},
     {},
     "step 0; alice was absent by nobody"},
    {"in the way, as it is", {kMade, {kBoth, Meaning::exists}}, {{"alice", there("one")}}, ""},
    {"changed, and as before",
     {kMade, {step(Action::change, {"alice"}, "new"), Meaning::done}},
     {{"alice", there("one")}},
     "it was there with 'new' by step 1"},
    {"change not answered, as before",
     {kMade, {step(Action::change, {"alice"}, "new"), Meaning::unknown}},
     {{"alice", there("one")}},
     ""},
    {"change not answered, as after",
     {kMade, {step(Action::change, {"alice"}, "new"), Meaning::unknown}},
     {{"alice", there("new")}},
     ""},
    {"change not answered, absent",
     {kMade, {step(Action::change, {"alice"}, "new"), Meaning::unknown}},
     {},
     "alice is absent"},
    {"changed, though absent",
     {{step(Action::change, {"alice"}, "new"), Meaning::done}},
     {},
     "step 0; alice was absent"},
    {"absent, though there",
     {kMade, {step(Action::change, {"alice"}, "new"), Meaning::absent}},
     {},
     "step 1; alice was there"},
    {"deleted, and there",
     {kMade, {step(Action::remove, {"alice"}), Meaning::done}},
     {{"alice", there("one")}},
     "it was absent by step 1"},
    {"delete not answered, absent",
     {kMade, {step(Action::remove, {"alice"}), Meaning::unknown}},
     {},
     ""},
    {"delete of what is absent not answered, there",
     {{step(Action::remove, {"alice"}), Meaning::unknown}},
     {{"alice", there("one")}},
     "alice is there"},
    {"all deleted", {kMade, {kAll, Meaning::done}}, {}, ""},
    {"all deleted, and one there",
     {kMade, {kAll, Meaning::done}},
     {{"alice", there("one")}},
     "it was absent by step 1"},
    {"deletion of all not answered, both there",
     {{kBoth, Meaning::done}, {kAll, Meaning::unknown}},
     {{"alice", there("two")}, {"bob", there("two+1")}},
     ""},
    {"deletion of all not answered, both absent",
     {{kBoth, Meaning::done}, {kAll, Meaning::unknown}},
     {},
     ""},
    {"deletion of all not answered, one there",
     {{kBoth, Meaning::done}, {kAll, Meaning::unknown}},
     {{"alice", there("two")}},
     "a part of it"},
    {"deletion of all, though one was absent, refused",
     {kMade, {kAll, Meaning::absent}},
     {{"alice", there("one")}},
     "step 1"},
    {"an answer that may not be",
     {{step(Action::remove, {"alice"}), Meaning::wrong}},
     {},
     "step 0"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(torture)

BOOST_AUTO_TEST_CASE(an_answer_means)
{
    BOOST_TEST((journal::meaning(200, "") == Meaning::done));
    BOOST_TEST((journal::meaning(409, "mailbox_exists") == Meaning::exists));
    BOOST_TEST((journal::meaning(409, "allowance_used_up") == Meaning::wrong));
    BOOST_TEST((journal::meaning(404, "mailbox_not_found") == Meaning::absent));
    BOOST_TEST((journal::meaning(404, "domain_not_found") == Meaning::wrong));
    BOOST_TEST((journal::meaning(503, "unavailable") == Meaning::untouched));
    BOOST_TEST((journal::meaning(503, "not_finished") == Meaning::unknown));
    BOOST_TEST((journal::meaning(502, "no_answer") == Meaning::unknown));
    BOOST_TEST((journal::meaning(504, "no_answer") == Meaning::unknown));
    BOOST_TEST((journal::meaning(0, "") == Meaning::unknown));
    BOOST_TEST((journal::meaning(500, "internal_error") == Meaning::wrong));
    BOOST_TEST((journal::meaning(401, "unauthorized") == Meaning::wrong));
}

BOOST_DATA_TEST_CASE(answers_are_compared_with_what_is_found, data::make(kCases), row)
{
    Journal journal{{"alice", "bob"}};
    std::vector<std::string> breaches;
    for (std::size_t i = 0; i < row.told.size(); ++i) {
        BOOST_TEST(journal.is_certain(row.told[i].first.names));
        breaches.push_back(
            journal.note(row.told[i].first, row.told[i].second, "step " + std::to_string(i)));
    }
    for (const auto& breach : journal.settle(row.found)) breaches.push_back(breach);
    std::erase(breaches, "");
    const std::string first = breaches.empty() ? "" : breaches.front();
    BOOST_TEST(first.empty() == std::string{row.breach}.empty(), first);
    BOOST_TEST(first.find(row.breach) != std::string::npos, first);
}

BOOST_AUTO_TEST_CASE(a_name_in_doubt_is_not_used_until_it_is_settled)
{
    Journal journal{{"alice", "bob"}};
    journal.note(kBoth, Meaning::unknown, "both");
    BOOST_TEST(!journal.is_certain({"alice"}));
    BOOST_TEST(!journal.is_certain({"bob"}));
    BOOST_TEST(journal.in_doubt() == 2U);
    BOOST_TEST(journal.compare_with_list({"alice"}) == "");  // a list may show either state
    BOOST_TEST(journal.settle({{"alice", there("two")}, {"bob", there("two+1")}}).empty());
    BOOST_TEST(journal.is_certain({"alice", "bob"}));
    BOOST_TEST((journal.records().at("alice").done == Counts{.created = 1}));
}

BOOST_AUTO_TEST_CASE(changes_that_were_made_are_counted)
{
    Journal journal{{"alice"}};
    journal.note(kMade.first, Meaning::done, "");
    journal.note(step(Action::change, {"alice"}, "new"), Meaning::done, "");
    journal.note(step(Action::change, {"alice"}, "newer"), Meaning::untouched, "");
    journal.note(step(Action::change, {"alice"}, "newest"), Meaning::unknown, "");
    BOOST_TEST(journal.settle({{"alice", there("newest")}}).empty());
    const auto& record = journal.records().at("alice");
    BOOST_TEST((record.done == Counts{.created = 1, .changed = 2}));
    BOOST_TEST(record.generation == 3);
    BOOST_TEST(record.former == "new");
    journal.note(step(Action::remove, {"alice"}), Meaning::done, "");
    journal.note(kMade.first, Meaning::done, "");
    BOOST_TEST((record.done == Counts{.created = 2, .changed = 2, .deleted = 1}));
    BOOST_TEST(record.generation == 1);
}

BOOST_AUTO_TEST_CASE(a_list_shows_what_was_acknowledged_before)
{
    Journal journal{{"alice", "bob"}};
    journal.note(kMade.first, Meaning::done, "step 0");
    BOOST_TEST(journal.compare_with_list({"alice"}) == "");
    BOOST_TEST(journal.compare_with_list({})
               == "alice is not listed, but it is there with 'one' by step 0");
    BOOST_TEST(journal.compare_with_list({"alice", "bob"})
               == "bob is listed, but it is absent by nobody");
}

namespace {

// Two clients that use the same name.
struct Contested {
    void told(std::size_t client, Action action, Meaning meaning, const std::string& password = "")
    {
        contest.note(client, step(action, {"x"}, password), meaning);
    }
    std::string found(const Counts& counted, const Found& is)
    {
        return contest.settle("x", counted, is);
    }

    Contest contest;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(one_of_two_creations_succeeds, Contested)
{
    told(0, Action::create, Meaning::done, "one");
    told(1, Action::create, Meaning::exists, "two");
    BOOST_TEST(found({.created = 1}, there("one")) == "");
    BOOST_TEST(found({.created = 1}, there("two")) != "");
    BOOST_TEST(found({.created = 1}, {}) != "");
}

BOOST_FIXTURE_TEST_CASE(two_successful_creations_are_a_violation, Contested)
{
    told(0, Action::create, Meaning::done, "one");
    told(1, Action::create, Meaning::done, "two");
    BOOST_TEST(found({.created = 1}, there("one")) != "");
}

BOOST_FIXTURE_TEST_CASE(an_answer_is_counted_once, Contested)
{
    told(0, Action::create, Meaning::done, "one");
    told(1, Action::change, Meaning::done, "two");
    told(0, Action::change, Meaning::unknown, "three");
    BOOST_TEST(found({.created = 1, .changed = 2}, there("three")) == "");
    // After settling, counting starts from there.
    BOOST_TEST(found({.created = 1, .changed = 2}, there("three")) == "");
    BOOST_TEST(found({.created = 1, .changed = 3}, there("three")) != "");
}

BOOST_FIXTURE_TEST_CASE(a_change_without_an_answer_is_a_violation, Contested)
{
    told(0, Action::create, Meaning::done, "one");
    told(1, Action::remove, Meaning::absent);
    BOOST_TEST(found({.created = 1, .deleted = 1}, {}) != "");
}

// --- The plan -----------------------------------------------------------------------------------

namespace {

const plan::Extent kExtent{.clients = 4,
                           .steps = 50,
                           .faults = 3,
                           .kinds = {"a", "b", "c", "d", "e", "f", "g"},
                           .has_mail = true};
const std::vector<plan::Place> kPlaces{{0}, {0}, {1}, {0, true}};

std::string text(const plan::Round& round)
{
    std::string all;
    for (const auto& client : round.clients) {
        for (const auto& each : client)
            all += plan::text(each) + (each.as_credentials ? "!" : "") + "\n";
    }
    for (const auto& fault : round.faults)
        all += fault.kind + " " + std::to_string(fault.at) + " "
               + std::to_string(fault.hold.count()) + "\n";
    return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_seed_determines_the_plan)
{
    BOOST_TEST(text(plan::round(7, 2, kExtent, kPlaces))
               == text(plan::round(7, 2, kExtent, kPlaces)));
    BOOST_TEST(text(plan::round(7, 2, kExtent, kPlaces))
               != text(plan::round(8, 2, kExtent, kPlaces)));
    BOOST_TEST(text(plan::round(7, 2, kExtent, kPlaces))
               != text(plan::round(7, 3, kExtent, kPlaces)));
}

BOOST_AUTO_TEST_CASE(each_client_has_names_of_its_own)
{
    const auto round = plan::round(1, 0, kExtent, kPlaces);
    for (std::size_t client = 0; client < round.clients.size(); ++client) {
        const auto own = plan::own_names(kPlaces[client].number);
        const auto contested = plan::contested_names();
        for (const auto& each : round.clients[client]) {
            const auto& names = each.is_contested ? contested : own;
            const bool may_be_here =
                kPlaces[client].is_alone ? !each.is_contested : each.action != Action::remove_all;
            BOOST_TEST(may_be_here, plan::text(each));
            BOOST_TEST((std::set<std::string>{each.names.begin(), each.names.end()}.size())
                       == each.names.size());
            for (const auto& name : each.names)
                BOOST_TEST((std::find(names.begin(), names.end(), name) != names.end()), name);
        }
    }
    BOOST_TEST(plan::own_names(0) != plan::own_names(1), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_fault_comes_before_one_comes_again)
{
    std::map<std::string, int> counts;
    for (std::size_t round = 0; round < 7; ++round) {
        std::size_t before = 0;
        for (const auto& fault : plan::round(3, round, kExtent, kPlaces).faults) {
            ++counts[fault.kind];
            BOOST_TEST(fault.at >= before);
            before = fault.at;
        }
        BOOST_TEST(before < kExtent.clients * kExtent.steps);
        for (const auto& [kind, count] : counts)
            BOOST_TEST(count <= static_cast<int>((3 * (round + 1) + 6) / 7), kind);
    }
    for (const auto& [kind, count] : counts) BOOST_TEST(count == 3, kind);
    BOOST_TEST(counts.size() == 7U);
}

BOOST_AUTO_TEST_SUITE_END()
