// calls_story.cc - the four calls, as existing clients make them.

#include "system/harness/story.h"

#include <chrono>
#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using answers::text;
using story::shows;

namespace {

constexpr char kCreated[] = "200 {\"message\":\"Created 1 mailboxes\"}\n";
constexpr char kChanged[] = "200 {\"message\":\"Password changed\"}\n";

std::string deleted(const std::string& address)
{
    return "200 {\"message\":\"Mailbox has been deleted\",\"spec\":\"" + address + "\"}\n";
}

struct Form {
    const char* name;
    http::Body (*body)(const http::Fields&);
};

std::ostream& operator<<(std::ostream& out, const Form& form)
{
    return out << form.name;
}

const Form kForms[] = {
    {"urlencoded", http::form},
    {"multipart", http::multipart},
};

const char* const kPrefixes[] = {"", "/v2", "/v3"};

}  // namespace

BOOST_AUTO_TEST_SUITE(calls)

BOOST_TEST_DECORATOR(*shows("paths: /<domain>/mailboxes")
                     * shows("paths: /<domain>/mailboxes/<mailbox>")
                     * shows("paths: under /v2 and /v3") * shows("answers: GET")
                     * shows("answers: POST") * shows("answers: PUT") * shows("answers: DELETE")
                     * shows("bodies: urlencoded") * shows("bodies: multipart")
                     * shows("bodies: all of them on PUT") * shows("answers: 200 for every success")
                     * shows("answers: spec is the full address"))
BOOST_DATA_TEST_CASE_F(story::Story, a_mailbox_is_created_listed_changed_and_deleted,
                       data::make(kPrefixes) * data::make(kForms), prefix, form)
{
    const auto who = tenant();
    const auto alice = who.address("alice");

    BOOST_TEST(text(call(who.key, "POST", who.mailboxes(prefix),
                         form.body({{"mailbox", "alice"}, {"password", "Wonderland 1865"}})))
               == kCreated);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "Wonderland 1865"));

    const auto listed = answers::page(call(who.key, "GET", who.mailboxes(prefix)));
    BOOST_TEST(listed.total_count == 1);
    BOOST_TEST(listed.names() == std::vector{alice}, boost::test_tools::per_element());

    BOOST_TEST(text(call(who.key, "PUT", who.mailbox("alice", prefix),
                         form.body({{"password", "Looking-Glass 1871"}})))
               == kChanged);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "Looking-Glass 1871"));

    BOOST_TEST(text(call(who.key, "DELETE", who.mailbox("alice", prefix))) == deleted(alice));
    BOOST_TEST(text(call(who.key, "GET", who.mailboxes(prefix)))
               == "200 {\"total_count\":0,\"items\":[]}\n");
}

BOOST_FIXTURE_TEST_CASE(a_list_is_the_documented_one_to_the_byte, story::Story,
                        *shows("answers: GET") * shows("answers: created_at")
                            * shows("answers: size_bytes")
                            * shows("answers: compact, members in the order shown, one newline"))
{
    const auto who = tenant();
    BOOST_TEST(text(create(who, "alice")) == kCreated);
    // The time of the original's sample, whose day has one digit.
    stack.sql("UPDATE mailbox SET created_at = 1317896556 WHERE domain_id ="
              " (SELECT id FROM domain WHERE name = "
              + stack::quote(who.domain) + ")");
    BOOST_TEST(text(list(who))
               == "200 {\"total_count\":1,\"items\":[{\"size_bytes\":0,\"created_at\":"
                  "\"Thu, 06 Oct 2011 10:22:36 GMT\",\"mailbox\":\""
                      + who.address("alice") + "\"}]}\n");
}

BOOST_FIXTURE_TEST_CASE(created_at_is_now, story::Story, *shows("answers: created_at"))
{
    using std::chrono::system_clock;
    const auto who = tenant();
    const auto before = system_clock::to_time_t(system_clock::now());
    create(who, "alice");
    const auto after = system_clock::to_time_t(system_clock::now());
    const auto created = answers::seconds(answers::page(list(who)).items.at(0).created_at);
    BOOST_TEST(created >= before);
    BOOST_TEST(created <= after);
}

BOOST_FIXTURE_TEST_CASE(the_size_is_what_the_mail_store_wrote, story::Story,
                        *shows("answers: size_bytes"))
{
    const auto who = tenant();
    create(who, "empty");
    create(who, "full");
    // More than a double can represent exactly, and more than 32 bits.
    const auto username = stack::quote(stack.value(
        "SELECT CONCAT(m.storage_id, '@', d.name) FROM mailbox m JOIN domain d ON d.id = m.domain_id"
        " WHERE m.local_part = 'full' AND d.name = "
        + stack::quote(who.domain)));
    // Dovecot's dict service writes it like this: one insert, then updates.
    stack.sql("INSERT INTO mailbox_usage (username, bytes, messages) VALUES (" + username
              + ", 1, 1)");
    BOOST_TEST(answers::page(list(who)).items.at(1).size_bytes == 1);
    stack.sql("UPDATE mailbox_usage SET bytes = 9007199254740993 WHERE username = " + username);
    const auto listed = answers::page(list(who));
    BOOST_TEST_REQUIRE(listed.items.size() == 2U);
    BOOST_TEST(listed.items[0].size_bytes == 0);
    BOOST_TEST(listed.items[1].size_bytes == 9007199254740993);
}

namespace {

struct Name {
    const char* why;
    std::string in_path;  // "@" alone stands for the tenant's domain
};

std::ostream& operator<<(std::ostream& out, const Name& name)
{
    return out << name.why;
}

const Name kNames[] = {
    {"the bare name", "alice"},
    {"the full address, raw", "alice@"},
    {"the full address, encoded", "alice%40"},
    {"a lower-case escape", "alic%65%40"},
    {"upper case", "ALICE"},
    {"every letter encoded", "%61%6C%69%63%65"},
};

}  // namespace

BOOST_TEST_DECORATOR(*shows("paths: bare name or full address, raw or encoded"))
BOOST_DATA_TEST_CASE_F(story::Story, the_path_names_the_mailbox_in_every_spelling,
                       data::make(kNames), row)
{
    const auto who = tenant();
    const bool is_full = row.in_path.ends_with('@') || row.in_path.ends_with("%40");
    const auto path = who.mailbox(row.in_path + (is_full ? who.domain : ""));
    create(who, "alice");
    BOOST_TEST(text(call(who.key, "PUT", path, http::form({{"password", "Looking-Glass"}})))
               == kChanged);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "Looking-Glass"));
    BOOST_TEST(text(call(who.key, "DELETE", path)) == deleted(who.address("alice")));
}

BOOST_FIXTURE_TEST_CASE(a_full_address_creates_the_same_mailbox, story::Story,
                        *shows("parameters: mailbox"))
{
    const auto who = tenant();
    BOOST_TEST(text(create(who, who.address("alice"))) == kCreated);
    BOOST_TEST(answers::page(list(who)).names() == std::vector{who.address("alice")},
               boost::test_tools::per_element());
    BOOST_TEST(answers::is_refused(create(who, "alice"), 409));
}

BOOST_FIXTURE_TEST_CASE(names_are_stored_in_lower_case, story::Story, *shows("parameters: mailbox"))
{
    const auto who = tenant();
    BOOST_TEST(text(create(who, "Alice")) == kCreated);
    BOOST_TEST(answers::page(list(who)).names() == std::vector{who.address("alice")},
               boost::test_tools::per_element());
    BOOST_TEST(answers::is_refused(create(who, "aLICE"), 409));
}

BOOST_FIXTURE_TEST_CASE(the_domain_is_compared_without_case_and_trailing_dot, story::Story,
                        *shows("paths: domain without regard to case, one trailing dot dropped"))
{
    const auto who = tenant();
    std::string upper = who.domain;
    for (char& c : upper) {
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    for (const auto& spelling : {upper, who.domain + ".", upper + "."}) {
        BOOST_TEST_CONTEXT(spelling)
        {
            const auto path = "/" + spelling + "/mailboxes";
            BOOST_TEST(text(call(who.key, "POST", path,
                                 http::form({{"mailbox", "alice"}, {"password", "Wonderland"}})))
                       == kCreated);
            BOOST_TEST(answers::page(call(who.key, "GET", path)).names()
                           == std::vector{who.address("alice")},
                       boost::test_tools::per_element());
            BOOST_TEST(text(call(who.key, "DELETE", path + "/alice"))
                       == deleted(who.address("alice")));
        }
    }
    BOOST_TEST(answers::is_refused(call(who.key, "GET", "/" + who.domain + "../mailboxes"), 404));
}

BOOST_FIXTURE_TEST_CASE(a_trailing_slash_is_the_collection, story::Story,
                        *shows("paths: trailing / on the collection"))
{
    const auto who = tenant();
    const auto path = who.mailboxes() + "/";
    BOOST_TEST(text(call(who.key, "POST", path,
                         http::form({{"mailbox", "alice"}, {"password", "Wonderland"}})))
               == kCreated);
    BOOST_TEST(answers::page(call(who.key, "GET", path)).total_count == 1);
    BOOST_TEST(text(call(who.key, "GET", path + "?limit=0"))
               == "200 {\"total_count\":1,\"items\":[]}\n");
}

BOOST_FIXTURE_TEST_CASE(nothing_else_ever_acts_on_the_collection, story::Story,
                        *shows("paths: a DELETE on the collection"))
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    for (const char* method : {"DELETE", "PUT", "PATCH", "OPTIONS"}) {
        for (const auto& path : {who.mailboxes(), who.mailboxes() + "/", who.mailboxes() + "/?"}) {
            BOOST_TEST_CONTEXT(method << ' ' << path)
            {
                const auto answer =
                    call(who.key, method, path, http::form({{"password", "Looking-Glass"}}));
                BOOST_TEST(answers::refusal(answer)
                           == "405 method_not_allowed: Method not allowed");
                BOOST_TEST(answer.header("Allow") == "GET, HEAD, POST");
            }
        }
    }
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(a_new_domain_has_its_postmaster, story::Story)
{
    const auto who = tenant();
    const auto domain = story::unique("post") + ".example.org";
    const auto ended = stack.mailboxctl({"domain", "add", domain, "--account", who.account});
    BOOST_TEST_REQUIRE(ended.exit == 0, ended.err);
    const story::Tenant its{who.account, domain, who.key};
    BOOST_TEST(answers::page(list(its)).names() == std::vector{its.address("postmaster")},
               boost::test_tools::per_element());
}

// A mailbox that is deleted and created again is a new mailbox: it must not get the old mail.
BOOST_FIXTURE_TEST_CASE(a_name_made_again_is_another_mailbox, story::Story)
{
    const auto who = tenant();
    const std::string storage =
        "SELECT storage_id FROM mailbox WHERE local_part = 'alice' AND domain_id ="
        " (SELECT id FROM domain WHERE name = "
        + stack::quote(who.domain) + ")";
    create(who, "alice");
    const auto first = stack.value(storage);
    const auto hash = stored_password(who, "alice");
    BOOST_TEST(text(remove(who, "alice")) == deleted(who.address("alice")));
    BOOST_TEST(answers::is_refused(remove(who, "alice"), 404));

    BOOST_TEST(stack.value("SELECT COUNT(*) FROM deleted_mailbox WHERE local_part = 'alice' AND"
                           " storage_id = "
                           + stack::quote(first) + " AND password = " + stack::quote(hash)
                           + " AND deleted_by = " + stack::quote(who.key.substr(4, 10)))
               == "1");
    BOOST_TEST(
        stack.value("SELECT COUNT(*) FROM session_end WHERE storage_id = " + stack::quote(first))
        == "1");
    BOOST_TEST(text(create(who, "alice")) == kCreated);
    BOOST_TEST(stack.value(storage) != first);
}

// A client that lost the answer sends the request again.
BOOST_FIXTURE_TEST_CASE(a_repeated_request_after_a_lost_answer, story::Story,
                        *shows("lost answer: a repeated POST")
                            * shows("lost answer: a repeated PUT")
                            * shows("lost answer: a repeated DELETE"))
{
    const auto who = tenant();
    BOOST_TEST(text(create(who, "alice")) == kCreated);
    BOOST_TEST(answers::refusal(create(who, "alice"))
               == "409 mailbox_exists: Mailbox already exists: " + who.address("alice"));
    BOOST_TEST(text(change(who, "alice", "Looking-Glass")) == kChanged);
    BOOST_TEST(text(change(who, "alice", "Looking-Glass")) == kChanged);
    BOOST_TEST(story::is_hash_of(stored_password(who, "alice"), "Looking-Glass"));
    BOOST_TEST(text(remove(who, "alice")) == deleted(who.address("alice")));
    BOOST_TEST(answers::refusal(remove(who, "alice"))
               == "404 mailbox_not_found: Mailbox not found: " + who.address("alice"));
}

BOOST_FIXTURE_TEST_CASE(every_change_is_in_the_audit_log_and_nothing_else_is, story::Story)
{
    const auto who = tenant();
    const auto entries = [&] {
        return stack.value("SELECT COUNT(*) FROM audit_log WHERE local_part = 'alice' AND"
                           " client = '127.0.0.1' AND actor = "
                           + stack::quote(who.key.substr(4, 10))
                           + " AND domain = " + stack::quote(who.domain));
    };
    create(who, "alice");
    BOOST_TEST(entries() == "1");
    change(who, "alice", "Looking-Glass");
    BOOST_TEST(entries() == "2");
    remove(who, "alice");
    BOOST_TEST(entries() == "3");

    const auto before = snapshot();
    list(who);
    remove(who, "alice");
    change(who, "alice", "Looking-Glass");
    create(who, "alice", "1234");
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(every_request_has_an_id_of_its_own, story::Story,
                        *shows("answers: X-Request-Id, Cache-Control and Content-Length"))
{
    const auto who = tenant();
    const auto first = list(who).header("X-Request-Id");
    const auto second = list(who).header("X-Request-Id");
    BOOST_TEST(first != second);
    // The operator finds the request in the log by this id.
    BOOST_TEST(!log.expect(log_begin, {first}).empty());
}

BOOST_AUTO_TEST_SUITE_END()
