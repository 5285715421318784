// several_story.cc - several mailboxes in one POST: all are created, or none.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using answers::is_refused;
using answers::refusal;
using answers::text;
using story::shows;

namespace {

// Takes pairs of name and password.
http::Body as_array(const http::Fields& pairs)
{
    std::string array;
    for (const auto& [name, password] : pairs) {
        array += (array.empty() ? "[" : ",")
                 + ("{\"mailbox\":\"" + name + "\",\"password\":\"" + password + "\"}");
    }
    return http::json(array + "]");
}

http::Fields repeated(const http::Fields& pairs)
{
    http::Fields fields;
    for (const auto& [name, password] : pairs) {
        fields.emplace_back("mailbox", name);
        fields.emplace_back("password", password);
    }
    return fields;
}

http::Body as_form(const http::Fields& pairs)
{
    return http::form(repeated(pairs));
}

http::Body as_multipart(const http::Fields& pairs)
{
    return http::multipart(repeated(pairs));
}

// All names first, then all passwords; they are paired in order.
http::Body as_form_in_turn(const http::Fields& pairs)
{
    http::Fields fields;
    for (const auto& pair : pairs) {
        fields.emplace_back("mailbox", pair.first);
    }
    for (const auto& pair : pairs) {
        fields.emplace_back("password", pair.second);
    }
    return http::form(fields);
}

const auto kForms = {as_form, as_form_in_turn, as_multipart, as_array};

http::Fields many(int count)
{
    http::Fields pairs;
    for (int i = 0; i < count; ++i) {
        pairs.emplace_back("user" + std::to_string(i), "password " + std::to_string(i));
    }
    return pairs;
}

struct Several : story::Story {
    http::Answer post(const story::Tenant& who, const http::Body& body) const
    {
        return call(who.key, "POST", who.mailboxes(), body);
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(several)

BOOST_TEST_DECORATOR(*shows("several: all of them are created, in order"))
BOOST_DATA_TEST_CASE_F(Several, they_are_created_in_order, data::make(kForms), body)
{
    const auto who = tenant();
    const http::Fields pairs{
        {"zoe", "password of zoe"}, {"Alice", "password of alice"}, {"bob", "password of bob"}};
    BOOST_TEST(text(post(who, body(pairs))) == "200 {\"message\":\"Created 3 mailboxes\"}\n");
    const std::vector expected{who.address("zoe"), who.address("alice"), who.address("bob")};
    BOOST_TEST(answers::page(list(who)).names() == expected, boost::test_tools::per_element());
    for (const char* name : {"zoe", "alice", "bob"}) {
        BOOST_TEST(
            story::is_hash_of(stored_password(who, name), std::string{"password of "} + name));
    }
    BOOST_TEST(stack.value("SELECT COUNT(*) FROM audit_log WHERE action = 'create' AND domain = "
                           + stack::quote(who.domain))
               == "3");
}

BOOST_FIXTURE_TEST_CASE(a_hundred_at_once, Several, *shows("several: at most 100"))
{
    const auto who = tenant();
    BOOST_TEST(text(post(who, as_array(many(100))))
               == "200 {\"message\":\"Created 100 mailboxes\"}\n");
    BOOST_TEST(answers::page(list(who)).total_count == 100);
}

BOOST_TEST_DECORATOR(*shows("several: at most 100"))
BOOST_DATA_TEST_CASE_F(Several, a_hundred_and_one_are_too_many, data::make(kForms), body)
{
    const auto who = tenant();
    const auto before = snapshot();
    BOOST_TEST(is_refused(post(who, body(many(101))), 400, {"100"}));
    BOOST_TEST(snapshot() == before);
}

namespace {

struct Refused {
    const char* why;
    http::Fields pairs;
    int status;
    std::vector<std::string> words;
};

std::ostream& operator<<(std::ostream& out, const Refused& row)
{
    return out << row.why;
}

// The mailbox "taken" exists, and the limit allows three more.
const Refused kRefused[] = {
    {"the first is taken",
     {{"taken", "password"}, {"bob", "password"}},
     409,
     {"mailbox_exists", "taken@"}},
    {"the last is taken",
     {{"bob", "password"}, {"taken", "password"}},
     409,
     {"mailbox_exists", "taken@"}},
    {"one is no name", {{"bob", "password"}, {"no such", "password"}}, 400, {"'mailbox'"}},
    {"one is no password", {{"bob", "password"}, {"carol", "1234"}}, 400, {"'password'"}},
    {"one name twice", {{"bob", "password"}, {"bob", "password"}}, 400, {"bob"}},
    {"one name twice, in another case", {{"bob", "password"}, {"BOB", "password"}}, 400, {"bob"}},
    {"more than are allowed",
     {{"a", "password"}, {"b", "password"}, {"c", "password"}, {"d", "password"}},
     409,
     {"allowance_used_up", "4"}},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("several: all or none") * shows("several: one name twice"))
BOOST_DATA_TEST_CASE_F(Several, none_is_created_if, data::make(kRefused) * data::make(kForms), row,
                       body)
{
    const auto who = tenant();
    create(who, "taken");
    stack.sql("UPDATE domain SET max_mailboxes = 4 WHERE name = " + stack::quote(who.domain));
    const auto before = snapshot();
    BOOST_TEST(is_refused(post(who, body(row.pairs)), row.status, row.words));
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(one_name_twice_in_two_spellings, Several, *shows("several: one name twice"))
{
    const auto who = tenant();
    const auto before = snapshot();
    for (const auto& body : {as_form, as_multipart, as_array}) {
        BOOST_TEST(is_refused(
            post(who, body({{"bob", "password"}, {who.address("Bob"), "password"}})), 400));
    }
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(unequal_counts, Several, *shows("several: unequal counts"))
{
    const auto who = tenant();
    const auto before = snapshot();
    const http::Fields two_names{{"mailbox", "a"}, {"mailbox", "b"}, {"password", "password"}};
    const http::Fields two_passwords{
        {"mailbox", "a"}, {"password", "password"}, {"password", "password"}};
    for (const auto& fields : {two_names, two_passwords}) {
        BOOST_TEST(is_refused(post(who, http::form(fields)), 400));
        BOOST_TEST(is_refused(post(who, http::multipart(fields)), 400));
    }
    BOOST_TEST(is_refused(
        post(who, http::json(R"([{"mailbox":"a","password":"password"},{"mailbox":"b"}])")), 400,
        {"password"}));
    BOOST_TEST(snapshot() == before);
}

// Two batches with the same names: in any order, each is done completely or not at all.
BOOST_FIXTURE_TEST_CASE(crowds_that_overlap, Several, *shows("several: all or none"))
{
    const auto who = tenant();
    std::vector<http::Request> requests;
    for (int i = 0; i < 20; ++i) {
        const auto own = std::to_string(i);
        // In both directions, so that two batches could deadlock.
        http::Fields pairs{
            {"a" + own, "password"}, {"shared", "password"}, {"b" + own, "password"}};
        if (i % 2 == 1) {
            std::swap(pairs.front(), pairs.back());
        }
        requests.push_back(
            {"POST", who.mailboxes(), {{"Authorization", http::basic(who.key)}}, as_array(pairs)});
    }
    int done = 0;
    for (const auto& answer : http::send_all_patiently(stack.server(), requests)) {
        if (answer.status == 200) {
            ++done;
        } else {
            BOOST_TEST(refusal(answer)
                       == "409 mailbox_exists: Mailbox already exists: " + who.address("shared"));
        }
    }
    BOOST_TEST(done == 1);
    BOOST_TEST(answers::page(list(who)).total_count == 3);
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_overwrites, Several,
                        *shows("creating what exists: on_duplicate=update"))
{
    const auto who = tenant();
    const auto other = neighbour(who);
    create(who, "alice", "the first one");
    create(other, "alice", "the first one");
    const auto storage = [&] {
        return stack.value(
            "SELECT m.storage_id FROM mailbox m JOIN domain d ON d.id = m.domain_id WHERE"
            " m.local_part = 'alice' AND d.name = "
            + stack::quote(who.domain));
    };
    const auto first = storage();

    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "on_duplicate=update"}).exit == 0);
    BOOST_TEST(text(create(who, "alice", "the second one"))
               == "200 {\"message\":\"Created 1 mailboxes\"}\n");
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "the second one"));
    BOOST_TEST(storage() == first);
    BOOST_TEST(text(post(who, as_form({{"bob", "password"}, {"alice", "the third one"}})))
               == "200 {\"message\":\"Created 2 mailboxes\"}\n");
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "the third one"));
    BOOST_TEST(answers::page(list(who)).total_count == 2);

    // Other domains keep their setting.
    BOOST_TEST(is_refused(create(other, "alice", "the second one"), 409, {"mailbox_exists"}));
    BOOST_TEST(story::is_hash_of(stored_password(other, "alice"), "the first one"));

    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "on_duplicate=reject"}).exit == 0);
    BOOST_TEST(is_refused(create(who, "alice", "the fourth one"), 409, {"mailbox_exists"}));
    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "on_duplicate=perhaps"}).exit != 0);
    BOOST_TEST(stack.mailboxctl({"domain", "set", who.domain, "colour=green"}).exit != 0);
}

BOOST_AUTO_TEST_SUITE_END()
