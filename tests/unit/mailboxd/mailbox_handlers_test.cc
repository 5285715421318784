// mailbox_handlers_test.cc - one mailbox through Api::serve(): its details, its settings, searches,
// suspended names, and deleted mailboxes.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <ctime>
#include <string>
#include <vector>

#include "db/accounts.h"
#include "db/lifecycle.h"
#include "db/session.h"
#include "support/served.h"

namespace data = boost::unit_test::data;
using boost::test_tools::per_element;
using namespace served;

namespace {

// The operator's key, too.
struct Operated : Alice {
    Operated()
    {
        auto connection = database.connect();
        admin::NewKey wanted;
        wanted.addresses = {"192.0.2.0/24"};
        operator_key = admin::Admin{connection}.add_key(wanted).text();
    }
    http::Response by_operator(const Call& call)
    {
        return serve(call, basic("api:" + operator_key));
    }
    http::Response put_by_operator(const std::string& name, const std::string& body,
                                   const std::string& type = kForm)
    {
        return by_operator({"PUT", item(name), type, body});
    }
    http::Response post_by_operator(const std::string& body, const std::string& type = kForm)
    {
        return by_operator({"POST", collection(), type, body});
    }
    // Returns the mailbox's state and its own quota, for example `active -`.
    std::string settings(std::string_view name)
    {
        return database.text(
            "SELECT CONCAT(state, ' ', COALESCE(quota_bytes, '-')) FROM mailbox WHERE domain_id = ? AND local_part = ?",
            {domain_id, name});
    }
    // Returns what all keys have changed in the domain.
    Strings changes()
    {
        return database.column(
            "SELECT CONCAT(action, ' ', local_part) FROM audit_log WHERE domain = ? AND actor <> 'operator' ORDER BY at, id",
            {domain.name()});
    }
    std::string at_domain(const std::string& name) const { return name + "@" + domain.name(); }
    void suspend(std::string_view name, mailbox::State state = mailbox::State::disabled)
    {
        auto connection = database.connect();
        life::Changes{connection}.set_state(address(name), state);
    }

    std::string operator_key;
};

// Alice's mailbox with all that can be shown.
struct Detailed : Operated {
    Detailed()
    {
        const auto storage = storage_id("alice");
        database.execute(
            "UPDATE mailbox SET created_at = 1317155062, quota_bytes = 4096 WHERE storage_id = ?",
            {storage});
        database.execute(
            "INSERT INTO mailbox_usage (username, bytes, messages) VALUES (CONCAT(?, '@', ?), 17, 3)",
            {storage, domain.name()});
        database.execute(
            "INSERT INTO mailbox_activity (storage_id, last_login, last_delivery) VALUES (?, 1317155063, 1317155064)",
            {storage});
    }
    std::string alice() const
    {
        return R"({"mailbox":"alice@)" + domain.name()
               + R"(","created_at":"Tue, 27 Sep 2011 20:24:22 GMT","size_bytes":17,"messages":3,"quota_bytes":4096,)"
                 R"("state":"active","last_login":"Tue, 27 Sep 2011 20:24:23 GMT","last_delivery":"Tue, 27 Sep 2011 20:24:24 GMT"})";
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(api_of_mailboxes)

// --- details ----------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_mailbox_is_shown, Detailed)
{
    BOOST_TEST(text(serve({"GET", item("Alice")})) == "200 {\"mailbox\":" + alice() + "}");
    BOOST_TEST(outcome(serve({"HEAD", item("alice%40" + domain.name())})) == "200");
    BOOST_TEST(outcome(by_operator({"GET", item("alice")})) == "200");
    BOOST_TEST(outcome(serve({"GET", item("a..b")})) == "400 bad_mailbox");
    BOOST_TEST(text(serve({"GET", item("bob")}))
               == R"(404 {"message":"Mailbox not found: bob@)" + domain.name()
                      + R"(","code":"mailbox_not_found"})");
    const auto credential = "/v3/domains/" + domain.name() + "/credentials/alice";
    BOOST_TEST(outcome(serve({"GET", credential})) == "405 method_not_allowed");
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_that_nobody_used_has_nulls, Operated)
{
    const auto body = serve({"GET", item("alice")}).body;
    const std::string end =
        R"("size_bytes":0,"messages":0,"quota_bytes":null,"state":"active","last_login":null,"last_delivery":null}})";
    BOOST_TEST(body.find(end) != std::string::npos, body);
}

BOOST_FIXTURE_TEST_CASE(a_list_shows_details, Detailed)
{
    BOOST_TEST(text(get("?details=yes")) == "200 {\"total_count\":1,\"items\":[" + alice() + "]}");
    BOOST_TEST(text(get("?details=yes&q=al"))
               == "200 {\"total_count\":1,\"items\":[" + alice() + "]}");
    BOOST_TEST(text(get("?details=yes&skip=1")) == R"(200 {"total_count":1,"items":[]})");
    BOOST_TEST(text(get("?details=yes&limit=0")) == R"(200 {"total_count":1,"items":[]})");
    BOOST_TEST(text(get("?details=no")) == text(get()));
    BOOST_TEST(outcome(get("?details=maybe")) == "400 bad_parameter");
    BOOST_TEST(outcome(get("?details=yes&details=yes")) == "400 bad_parameter");
    const auto credentials =
        serve({"GET", "/v3/domains/" + domain.name() + "/credentials?details=yes"}).body;
    BOOST_TEST(credentials.find(R"("mailbox":"alice@)" + domain.name() + R"(","login":"alice@)")
                   != std::string::npos,
               credentials);
}

// A login changes no version of the domain.
BOOST_FIXTURE_TEST_CASE(a_page_with_details_is_never_kept, Detailed)
{
    for (const auto* query : {"?details=yes", "?details=yes&q=a"}) {
        database.run("UPDATE mailbox_activity SET last_login = 1317155063");
        const auto before = get(query).body;
        BOOST_TEST(before.find("20:24:23") != std::string::npos);
        database.run("UPDATE mailbox_activity SET last_login = 1317155099");
        BOOST_TEST(get(query).body.find("20:24:59") != std::string::npos);
    }
}

// --- searching --------------------------------------------------------------------------

namespace {

struct Search : support::Row {
    std::string query;
    int total;
    Strings names;
};

const Search kSearches[] = {
    {"sorted by name, not by creation", "?q=a", 4, {"a_b", "aa", "alice", "axb"}},
    {"the case does not matter", "?q=AL", 1, {"alice"}},
    {"an underscore is a character", "?q=a_", 1, {"a_b"}},
    {"a percent sign is one, too, that no name has", "?q=%25", 0, {}},
    {"a page of the matches", "?q=a&limit=2&skip=1", 4, {"aa", "alice"}},
    {"past the end", "?q=a&skip=4", 4, {}},
    {"no entry", "?q=a&limit=0", 4, {}},
    {"a whole name", "?q=alice", 1, {"alice"}},
    {"the last character that a name can have", "?q=~", 1, {"~"}},
    {"more than any name", "?q=alicealice", 0, {}},
    {"longer than any name can be", "?q=" + std::string(65, 'a'), 0, {}},
    {"not ASCII", "?q=j%C3%B6", 0, {}},
    {"a space", "?q=a%20", 0, {}},
    {"an address is no local part", "?q=alice%40", 0, {}},
    {"empty: all, by creation", "?q=", 6, {"alice", "bob", "axb", "a_b", "aa", "~"}},
};

struct Six : Operated {
    Six()
    {
        for (const auto* name : {"bob", "axb", "a_b", "aa", "~"})
            store.create(grant(), {mailbox(name)}, actor);
    }
    std::string listed(const Search& row) const
    {
        std::string items;
        for (const auto& name : row.names) {
            items +=
                (items.empty() ? "" : ",")
                + (R"({"size_bytes":0,"created_at":"Thu, 01 Jan 1970 00:00:11 GMT","mailbox":")"
                   + at_domain(name) + "\"}");
        }
        return "200 {\"total_count\":" + std::to_string(row.total) + ",\"items\":[" + items + "]}";
    }
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Six, a_search, data::make(kSearches), row)
{
    database.execute("UPDATE mailbox SET created_at = 11 WHERE domain_id = ?", {domain_id});
    BOOST_TEST(text(get(row.query)) == listed(row));
    BOOST_TEST(text(by_operator({"GET", collection() + row.query})) == listed(row));
    BOOST_TEST(text(get(row.query)) == listed(row));  // the second one may be a kept page
}

BOOST_FIXTURE_TEST_CASE(a_wrong_search, Six)
{
    for (const auto* query : {"?q=a&q=b", "?q=%00", "?q=a%FF"})
        BOOST_TEST(outcome(get(query)) == "400 bad_parameter", query);
    BOOST_TEST(outcome(serve({"GET", collection() + "?q=%00"}, "")) == "401 unauthorized");
    const auto wrong = basic("api:" + api_key::Key::generate().text());
    BOOST_TEST(outcome(serve({"GET", collection() + "?q=%00"}, wrong)) == "401 unauthorized");
    BOOST_TEST(outcome(serve({"GET", collection() + "?q=a"}, wrong)) == "401 unauthorized");
    Six other;
    BOOST_TEST(outcome(serve({"GET", other.collection() + "?q=a"})) == "404 domain_not_found");
}

// A change without a new version of the domain shows whether the page was kept.
BOOST_FIXTURE_TEST_CASE(a_search_is_kept_while_its_domain_stays_as_it_is, Six)
{
    const auto shows = [&](std::string_view size) {
        return get("?q=bo").body.find(size) != std::string::npos;
    };
    BOOST_TEST(!shows("4711"));
    database.execute(
        "UPDATE mailbox SET size_bytes = size_bytes, created_at = 4711 WHERE domain_id = ?",
        {domain_id});
    const auto date = "Thu, 01 Jan 1970 01:18:31 GMT";
    BOOST_TEST(!shows(date));
    BOOST_TEST(get("?q=b").body.find(date) != std::string::npos);
    BOOST_TEST(get().body.find(date) != std::string::npos);
    post("mailbox=bobby&password=secret");
    BOOST_TEST(shows("\"total_count\":2"));
    BOOST_TEST(shows("bobby@"));
    database.execute("UPDATE api_key SET revoked_at = 1 WHERE id = ?", {key.id()});
    BOOST_TEST(outcome(get("?q=bo")) == "401 unauthorized");
}

// --- settings ---------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_mailbox_gets_settings, Operated)
{
    constexpr char kUpdated[] = R"(200 {"message":"Mailbox has been updated"})";
    BOOST_TEST(text(put_by_operator("alice", "quota_bytes=2G")) == kUpdated);
    BOOST_TEST(settings("alice") == "active 2147483648");
    BOOST_TEST(session_ends("alice") == 0);
    BOOST_TEST(text(put_by_operator("Alice", "quota_bytes=none")) == kUpdated);
    BOOST_TEST(settings("alice") == "active 0");
    BOOST_TEST(text(put_by_operator("alice", "quota_bytes=default")) == kUpdated);
    BOOST_TEST(settings("alice") == "active -");
    BOOST_TEST(text(put_by_operator("alice", R"({"quota_bytes":4096,"state":"no_login"})", kJson))
               == kUpdated);
    BOOST_TEST(settings("alice") == "no_login 4096");
    BOOST_TEST(session_ends("alice") == 1);
    // What GET shows can be sent again.
    BOOST_TEST(text(put_by_operator("alice", R"({"quota_bytes":0,"state":"active"})", kJson))
               == kUpdated);
    BOOST_TEST(settings("alice") == "active 0");
    BOOST_TEST(text(put_by_operator("alice", "password=another&state=disabled&quota_bytes=1K"))
               == kUpdated);
    BOOST_TEST(has_password("alice", "another"));
    BOOST_TEST(settings("alice") == "disabled 1024");
    BOOST_TEST(text(put_by_operator("alice", "password=secret"))
               == R"(200 {"message":"Password changed"})");
    BOOST_TEST(changes()
                   == (Strings{"create alice", "quota alice", "quota alice", "quota alice",
                               "quota alice", "suspend alice", "quota alice", "resume alice",
                               "password alice", "quota alice", "disable alice", "password alice"}),
               per_element());
    // The rows of one request are one transaction's.
    BOOST_TEST(
        database.number(
            "SELECT COUNT(DISTINCT at) FROM audit_log WHERE domain = ? AND actor <> 'operator'",
            {domain.name()})
        == 8);
}

BOOST_FIXTURE_TEST_CASE(credentials_get_settings, Operated)
{
    const auto credential = "/v3/domains/" + domain.name() + "/credentials/alice";
    BOOST_TEST(text(by_operator({"PUT", credential, kForm, "quota_bytes=5"}))
               == R"(200 {"message":"Mailbox has been updated"})");
    BOOST_TEST(settings("alice") == "active 5");
    BOOST_TEST(password("alice") == "{PLAIN}first");
    const auto made = by_operator({"PUT", credential, kForm, ""});
    BOOST_TEST(made.body.starts_with(R"({"message":"Password changed","note":)"), made.body);
}

BOOST_FIXTURE_TEST_CASE(a_suspension_is_not_weakened, Operated)
{
    put_by_operator("alice", "state=disabled");
    const auto before = changes();
    BOOST_TEST(outcome(put_by_operator("alice", "state=no_login")) == "200");
    BOOST_TEST(settings("alice") == "disabled -");
    BOOST_TEST(changes() == before, per_element());
}

namespace {

const Refused kSettings[] = {
    {"nothing", {"PUT", "alice", kForm, ""}, "400 password_missing"},
    {"something else", {"PUT", "alice", kForm, "quota=1"}, "400 password_missing"},
    {"no size", {"PUT", "alice", kForm, "quota_bytes=1X"}, "400 bad_parameter"},
    {"an empty quota", {"PUT", "alice", kForm, "quota_bytes="}, "400 bad_parameter"},
    {"no state", {"PUT", "alice", kForm, "state=suspended"}, "400 bad_parameter"},
    {"an empty state", {"PUT", "alice", kForm, "state="}, "400 bad_parameter"},
    {"a state twice", {"PUT", "alice", kForm, "state=active&state=active"}, "400 bad_parameter"},
    {"a quota twice", {"PUT", "alice", kForm, "quota_bytes=1&quota_bytes=1"}, "400 bad_parameter"},
    {"an object as quota", {"PUT", "alice", kJson, R"({"quota_bytes":{}})"}, "400 bad_json"},
    {"null as state", {"PUT", "alice", kJson, R"({"state":null})"}, "400 bad_json"},
    {"a wrong password with a quota",
     {"PUT", "alice", kForm, "quota_bytes=1&password=x"},
     "400 bad_password"},
    {"no such mailbox", {"PUT", "bob", kForm, "state=active"}, "404 mailbox_not_found"},
    {"none with a quota", {"PUT", "bob", kForm, "quota_bytes=1"}, "404 mailbox_not_found"},
    {"none with everything",
     {"PUT", "bob", kForm, "quota_bytes=1&state=active&password=secret"},
     "404 mailbox_not_found"},
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Operated, wrong_settings, data::make(kSettings), row)
{
    BOOST_TEST(outcome(by_operator(at(row.call, collection() + "/"))) == row.outcome);
    BOOST_TEST(settings("alice") == "active -");
    check_untouched();
}

BOOST_FIXTURE_TEST_CASE(settings_are_the_operators, Operated)
{
    constexpr char kRefused[] =
        R"(403 {"message":"Only the operator sets quota_bytes and state of a mailbox.","code":"operator_only"})";
    for (const std::string body :
         {"state=active", "quota_bytes=1", "quota_bytes=none&state=no_login"}) {
        BOOST_TEST(text(put("alice", body)) == kRefused, body);
        BOOST_TEST(text(put("alice", body + "&password=another")) == kRefused, body);
        BOOST_TEST(text(post("mailbox=bob&password=secret&" + body)) == kRefused, body);
    }
    BOOST_TEST(settings("alice") == "active -");
    check_untouched();
}

// --- new mailboxes ----------------------------------------------------------------------

namespace {

struct New : support::Row {
    std::string type;
    std::string body;
    std::string bob;
    std::string carol;
};

const std::string kBoth = "mailbox=bob&password=secret-b&mailbox=carol&password=secret-c";

const New kNew[] = {
    {"none", kForm, kBoth, "active -", "active -"},
    {"once for all", kForm, kBoth + "&quota_bytes=1K&state=no_login", "no_login 1024",
     "no_login 1024"},
    {"each its own", kForm, kBoth + "&quota_bytes=1&quota_bytes=none&state=active&state=disabled",
     "active 1", "disabled 0"},
    {"empty is none", kForm,
     kBoth + "&quota_bytes=&quota_bytes=2&state=disabled&state=", "disabled -", "active 2"},
    {"numbered", kForm,
     "mailbox[0]=bob&password[0]=secret-b&mailbox[1]=carol&password[1]=secret-c&quota_bytes[1]=1&quota_bytes[0]=2&state=no_login",
     "no_login 2", "no_login 1"},
    {"in an array, only the second one", kJson,
     R"([{"mailbox":"bob","password":"secret-b"},{"mailbox":"carol","password":"secret-c","quota_bytes":7,"state":"disabled"}])",
     "active -", "disabled 7"},
    {"in an array, one each", kJson,
     R"([{"mailbox":"bob","state":"no_login","password":"secret-b"},{"mailbox":"carol","password":"secret-c","quota_bytes":"1M"}])",
     "no_login -", "active 1048576"},
};

}  // namespace

BOOST_DATA_TEST_CASE_F(Operated, new_ones_with_settings, data::make(kNew), row)
{
    BOOST_TEST(text(post_by_operator(row.body, row.type))
               == R"(200 {"message":"Created 2 mailboxes"})");
    BOOST_TEST(settings("bob") == row.bob);
    BOOST_TEST(settings("carol") == row.carol);
    BOOST_TEST(has_password("bob", "secret-b"));
    BOOST_TEST(has_password("carol", "secret-c"));
}

BOOST_FIXTURE_TEST_CASE(what_a_new_one_gets_is_in_the_audit_log, Operated)
{
    post_by_operator("mailbox=bob&password=secret&quota_bytes=1&state=no_login");
    BOOST_TEST(changes() == (Strings{"create alice", "create bob", "quota bob", "suspend bob"}),
               per_element());
}

BOOST_DATA_TEST_CASE_F(Operated, wrong_settings_of_new_ones,
                       data::make({"&quota_bytes=1&quota_bytes=2&quota_bytes=3", "&state=x",
                                   "&quota_bytes=1X", "&state=active&state=active&state=active",
                                   "&quota_bytes[0]=1"}),
                       settings)
{
    BOOST_TEST(outcome(post_by_operator(kBoth + settings)) == "400 bad_parameter");
    check_untouched();
}

// Where the domain allows that, what exists gets the settings, too.
BOOST_FIXTURE_TEST_CASE(one_that_exists_gets_settings, Operated)
{
    database.execute("UPDATE domain SET on_duplicate = 'update' WHERE id = ?", {domain_id});
    BOOST_TEST(
        outcome(post_by_operator("mailbox=alice&password=secret&quota_bytes=9&state=no_login"))
        == "200");
    BOOST_TEST(settings("alice") == "no_login 9");
    BOOST_TEST(outcome(post_by_operator("mailbox=alice&password=secret")) == "200");
    BOOST_TEST(settings("alice") == "no_login 9");
    BOOST_TEST(outcome(post("mailbox=alice&password=secret")) == "200");
}

// --- suspended names --------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_suspended_name_gets_no_mailbox, Operated)
{
    suspend("alice");
    BOOST_TEST(outcome(remove("alice")) == "200");
    const auto refused = R"(403 {"message":"The operator has suspended this name: alice@)"
                         + domain.name() + R"(","code":"suspended"})";
    BOOST_TEST(text(post("mailbox=alice&password=secret")) == refused);
    BOOST_TEST(text(post("mailbox=bob&password=secret&mailbox=ALICE&password=secret")) == refused);
    BOOST_TEST(text(post_by_operator("mailbox=alice&password=secret&state=active")) == refused);
    BOOST_TEST(
        text(serve({"POST", "/v3/domains/" + domain.name() + "/credentials", kForm, "login=alice"}))
        == refused);
    database.execute("UPDATE domain SET on_duplicate = 'update' WHERE id = ?", {domain_id});
    BOOST_TEST(text(post("mailbox=alice&password=secret")) == refused);
    BOOST_TEST(rows() == 0);
    BOOST_TEST(counter() == 0);
    BOOST_TEST(outcome(post("mailbox=bob&password=secret")) == "200");
    // A name belongs to its domain.
    Served other;
    BOOST_TEST(outcome(other.post("mailbox=alice&password=secret")) == "200");
}

// The look before the hashing is not enough: the name may be suspended after it.
BOOST_FIXTURE_TEST_CASE(a_suspended_name_is_found_twice, Operated)
{
    suspend("alice");
    remove("alice");
    using Outcome = store::Created::Outcome;
    BOOST_TEST((store.foresee(grant(), {address("bob"), address("alice")}).outcome
                == Outcome::name_is_suspended));
    const auto done = store.create(grant(), {mailbox("bob"), mailbox("alice")}, actor);
    BOOST_TEST((done.outcome == Outcome::name_is_suspended));
    BOOST_TEST(done.address->local_part() == "alice");
    BOOST_TEST(rows() == 0);
    BOOST_TEST(counter() == 0);
    // As mailboxctl adds it.
    const auto added =
        store.create(grant(), {mailbox("alice")}, actor, {}, store::SuspendedNames::accepted);
    BOOST_TEST((added.outcome == Outcome::yes));
    BOOST_TEST(settings("alice") == "disabled -");
}

BOOST_FIXTURE_TEST_CASE(the_operators_key_lifts_a_suspension, Operated)
{
    suspend("alice");
    remove("alice");
    // A name without a mailbox has a state, but neither password nor quota.
    BOOST_TEST(outcome(put_by_operator("alice", "state=active&quota_bytes=1"))
               == "404 mailbox_not_found");
    BOOST_TEST(outcome(put_by_operator("alice", "state=active&password=secret"))
               == "404 mailbox_not_found");
    BOOST_TEST(outcome(put("alice", "state=active")) == "403 operator_only");
    BOOST_TEST(outcome(post("mailbox=alice&password=secret")) == "403 suspended");
    BOOST_TEST(text(put_by_operator("alice", "state=active"))
               == R"(200 {"message":"Mailbox has been updated"})");
    BOOST_TEST(changes().back() == "resume alice");
    BOOST_TEST(outcome(post("mailbox=alice&password=secret")) == "200");
    BOOST_TEST(settings("alice") == "active -");
    remove("alice");
    BOOST_TEST(outcome(put_by_operator("alice", "state=active")) == "404 mailbox_not_found");
}

// --- deleted mailboxes ------------------------------------------------------------------

namespace {

struct Deleting : Operated {
    std::string deleted_path() const { return "/v3/" + domain.name() + "/deleted"; }
    http::Response deleted(const std::string& query = "")
    {
        return serve({"GET", deleted_path() + query});
    }
    http::Response restore(const std::string& id, const std::string& body = "")
    {
        return serve({"POST", deleted_path() + "/" + id + "/restore", kForm, body});
    }
    // Creates and deletes a mailbox, as if at that time. Returns its id.
    std::string deleted_one(const std::string& name, std::int64_t at)
    {
        if (name != "alice") store.create(grant(), {mailbox(name)}, actor);
        const auto id = storage_id(name);
        store.remove(grant(), address(name), actor);
        database.execute(
            "UPDATE deleted_mailbox SET deleted_at = ?, size_bytes = 7 WHERE storage_id = ?",
            {at, id});
        return id;
    }
    std::int64_t now() { return database.number("SELECT UNIX_TIMESTAMP()"); }
    std::string shown(const std::string& name, std::int64_t at, const std::string& id) const
    {
        return R"({"mailbox":")" + at_domain(name) + R"(","deleted_at":")" + date_of(at)
               + R"(","restorable_until":")" + date_of(at + 7 * 86'400)
               + R"(","size_bytes":7,"id":")" + id + "\"}";
    }
    static std::string date_of(std::int64_t time)
    {
        char text[40];
        std::tm utc{};
        const std::time_t seconds = time;
        ::gmtime_r(&seconds, &utc);
        return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
    }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(deleted_ones_are_listed, Deleting)
{
    BOOST_TEST(text(deleted()) == R"(200 {"total_count":0,"items":[]})");
    const auto time = now() - 100;
    const auto alice = shown("alice", time, deleted_one("alice", time));
    const auto bob = shown("bob", time + 2, deleted_one("bob", time + 2));
    const auto al = shown("al", time + 1, deleted_one("al", time + 1));
    BOOST_TEST(text(deleted())
               == "200 {\"total_count\":3,\"items\":[" + bob + "," + al + "," + alice + "]}");
    BOOST_TEST(text(deleted("?limit=1&skip=1"))
               == "200 {\"total_count\":3,\"items\":[" + al + "]}");
    BOOST_TEST(text(deleted("?skip=3")) == R"(200 {"total_count":3,"items":[]})");
    BOOST_TEST(text(deleted("?q=AL"))
               == "200 {\"total_count\":2,\"items\":[" + al + "," + alice + "]}");
    BOOST_TEST(text(deleted("?q=a_")) == R"(200 {"total_count":0,"items":[]})");
    BOOST_TEST(outcome(deleted("?limit=x")) == "400 bad_limit");
    BOOST_TEST(outcome(by_operator({"GET", deleted_path() + "/"})) == "200");
    database.execute("UPDATE api_key SET read_only = 1 WHERE id = ?", {key.id()});
    BOOST_TEST(outcome(deleted()) == "200");
    BOOST_TEST(outcome(restore(std::string(32, 'a'))) == "403 read_only");
    Alice other;
    BOOST_TEST(outcome(serve({"GET", "/v3/" + other.domain.name() + "/deleted"}))
               == "404 domain_not_found");
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_restored_is_not_listed, Deleting)
{
    constexpr std::int64_t kWeek = 7 * 86'400;
    const auto time = now();
    const auto late = deleted_one("alice", time - kWeek);
    const auto purged = deleted_one("bob", time);
    database.execute("UPDATE deleted_mailbox SET purged_at = 1 WHERE storage_id = ?", {purged});
    BOOST_TEST(text(deleted()) == R"(200 {"total_count":0,"items":[]})");
    for (const auto& id : {late, purged, std::string(32, '0'), std::string{"x"},
                           std::string{"%C3%B6"}, std::string(33, 'a')}) {
        BOOST_TEST(outcome(restore(id)) == "404 mailbox_not_found", id);
    }
    deleted_one("carol", time - kWeek + 60);
    BOOST_TEST(deleted().body.find("carol@") != std::string::npos);
    config.deleted_for = std::chrono::days{0};
    BOOST_TEST(text(deleted()) == R"(200 {"total_count":0,"items":[]})");
}

// The new owner of a domain's name sees nothing of the former one's.
BOOST_FIXTURE_TEST_CASE(a_domain_that_was_added_again_shows_nothing_of_the_former, Deleting)
{
    const auto alone = deleted_one("alice", now());
    store.create(grant(), {mailbox("bob")}, actor);
    const auto with_domain = storage_id("bob");
    auto connection = database.connect();
    admin::Admin{connection}.remove_domain(domain);
    domain_id = admin::Admin{connection}.add_domain(domain, account);
    for (const auto* query : {"", "?q=a", "?q=b"})
        BOOST_TEST(text(deleted(query)) == R"(200 {"total_count":0,"items":[]})", query);
    for (const auto& id : {alone, with_domain})
        BOOST_TEST(outcome(restore(id)) == "404 mailbox_not_found");
    const auto own = deleted_one("carol", now());
    BOOST_TEST(deleted().body.find(own) != std::string::npos);
    BOOST_TEST(deleted().body.find("\"total_count\":1,") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_is_restored, Deleting)
{
    const auto id = deleted_one("alice", now());
    BOOST_TEST(text(restore(id))
               == R"(200 {"message":"Mailbox has been restored","spec":")" + at_domain("alice")
                      + "\"}");
    BOOST_TEST(storage_id("alice") == id);
    BOOST_TEST(password("alice") == "{PLAIN}first");
    BOOST_TEST(changes().back() == "restore alice");
    BOOST_TEST(counter() == 1);
    BOOST_TEST(outcome(restore(id)) == "404 mailbox_not_found");
}

BOOST_FIXTURE_TEST_CASE(a_mailbox_is_restored_beside_another, Deleting)
{
    const auto id = deleted_one("alice", now());
    store.create(grant(), {mailbox("alice", "{PLAIN}second")}, actor);
    BOOST_TEST(text(restore(id))
               == R"(409 {"message":"There is a mailbox )" + at_domain("alice")
                      + R"( already","code":"mailbox_exists"})");
    BOOST_TEST(outcome(restore(id, "mailbox=a..b")) == "400 bad_mailbox");
    BOOST_TEST(outcome(restore(id, "mailbox=a&mailbox=b")) == "400 bad_parameter");
    BOOST_TEST(text(restore(id, "mailbox=Old"))
               == R"(200 {"message":"Mailbox has been restored","spec":")" + at_domain("old")
                      + "\"}");
    BOOST_TEST(storage_id("old") == id);
    BOOST_TEST(password("alice") == "{PLAIN}second");
    const auto all = changes();
    BOOST_TEST((Strings{all.end() - 2, all.end()}) == (Strings{"restore-as alice", "restore old"}),
               per_element());
}

BOOST_DATA_TEST_CASE_F(Deleting, an_allowance_holds_for_a_restored_one,
                       data::make({"domain", "account"}), whose)
{
    const auto id = deleted_one("alice", now());
    store.create(grant(), {mailbox("bob")}, actor);
    if (std::string_view{whose} == "domain")
        database.execute("UPDATE domain SET max_mailboxes = 1 WHERE id = ?", {domain_id});
    else database.execute("UPDATE account SET max_mailboxes = 1 WHERE name = ?", {account});
    BOOST_TEST(
        text(restore(id))
        == "409 {\"message\":\"The " + std::string{whose}
               + "'s allowance is used up: max_mailboxes is 1. Nothing was restored\",\"code\":\"allowance_used_up\"}");
    BOOST_TEST(rows() == 1);
    BOOST_TEST(counter() == 1);
    remove("bob");
    BOOST_TEST(outcome(restore(id)) == "200");
}

// A key cannot end a suspension by deleting and restoring.
BOOST_FIXTURE_TEST_CASE(a_suspended_one_is_restored_as_it_was, Deleting)
{
    suspend("alice");
    const auto id = deleted_one("alice", now());
    BOOST_TEST(outcome(restore(id, "mailbox=free")) == "200");
    BOOST_TEST(settings("free") == "disabled -");
    BOOST_TEST(outcome(post("mailbox=alice&password=secret")) == "403 suspended");
}

BOOST_FIXTURE_TEST_CASE(a_restore_that_is_repeated_gets_the_same_answer, Deleting)
{
    const auto id = deleted_one("alice", now());
    const auto target = deleted_path() + "/" + id + "/restore";
    const auto authorization = basic("api:" + key.text());
    const auto once = [&] {
        turn::Alone turn;
        return api.serve({.method = "POST",
                          .target = target,
                          .authorization = authorization,
                          .content_type = "",
                          .client = client,
                          .body = Secret{""},
                          .idempotency_key = "key-1"},
                         trace, turn);
    };
    const auto first = text(once());
    BOOST_TEST(first.starts_with("200 "));
    BOOST_TEST(text(once()) == first);
    BOOST_TEST(rows() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
