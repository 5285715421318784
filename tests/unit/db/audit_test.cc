// audit_test.cc - which entries the audit log returns for which name.

#include "db/audit.h"

#include <boost/test/unit_test.hpp>

#include "support/database.h"
#include "support/support.h"

using boost::test_tools::per_element;
using Strings = std::vector<std::string>;

namespace {

constexpr std::int64_t kAll = 1000;

struct Log {
    database::Database database;
    db::Connection connection = database.connect();

    // Writes the n-th entry; the entries are a second apart.
    void write(std::string actor, std::string_view action, std::string_view domain,
               std::string_view what)
    {
        audit::Id id;
        id.at = 1'000'000 * ++count;
        audit::write(connection, id, 0, {std::move(actor), "192.0.2.1"}, action, domain, what);
    }
    static Strings texts(const std::vector<audit::Entry>& entries)
    {
        Strings all;
        for (const auto& entry : entries)
            all.push_back(std::to_string(entry.at / 1'000'000) + " " + entry.action);
        return all;
    }
    std::int64_t count = 0;

    Log()
    {
        write("operator", "account-add", "", "demo");
        write("operator", "domain-add", "example.org", "");
        write("operator", "key-add", "", "aaaaaaaaaa");
        write("aaaaaaaaaa", "create", "example.org", "alice");
        write("bbbbbbbbbb", "create", "example.net", "alice");
        write("aaaaaaaaaa", "create", "example.org", "demo");
        write("operator", "password", "example.org", "alice");
        write("operator", "key-revoke", "", "aaaaaaaaaa");
    }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(audits)

BOOST_FIXTURE_TEST_CASE(an_entry_comes_back_whole, Log)
{
    const auto entries = audit::of_address(connection, "alice", "example.net", kAll);
    BOOST_TEST_REQUIRE(entries.size() == 1U);
    const auto& entry = entries.front();
    BOOST_TEST(entry.at == 5'000'000);
    BOOST_TEST((Strings{entry.actor, entry.client, entry.action, entry.domain, entry.what})
                   == (Strings{"bbbbbbbbbb", "192.0.2.1", "create", "example.net", "alice"}),
               per_element());
}

BOOST_FIXTURE_TEST_CASE(everything_in_the_order_written, Log)
{
    BOOST_TEST(texts(audit::all(connection, kAll))
                   == (Strings{"1 account-add", "2 domain-add", "3 key-add", "4 create", "5 create",
                               "6 create", "7 password", "8 key-revoke"}),
               per_element());
    BOOST_TEST(texts(audit::all(connection, 2)) == (Strings{"7 password", "8 key-revoke"}),
               per_element());
}

BOOST_FIXTURE_TEST_CASE(of_an_address, Log)
{
    BOOST_TEST(texts(audit::of_address(connection, "alice", "example.org", kAll))
                   == (Strings{"4 create", "7 password"}),
               per_element());
    BOOST_TEST(texts(audit::of_address(connection, "alice", "example.org", 1))
                   == (Strings{"7 password"}),
               per_element());
    BOOST_TEST(audit::of_address(connection, "bob", "example.org", kAll).empty());
}

BOOST_FIXTURE_TEST_CASE(of_a_domain, Log)
{
    BOOST_TEST(texts(audit::of_name(connection, "example.org", kAll))
                   == (Strings{"2 domain-add", "4 create", "6 create", "7 password"}),
               per_element());
    BOOST_TEST(texts(audit::of_name(connection, "example.org", 2))
                   == (Strings{"6 create", "7 password"}),
               per_element());
}

BOOST_FIXTURE_TEST_CASE(the_latest_of_some_actions, Log)
{
    const auto found =
        [&](const audit::Actions& actions, std::string_view domain, std::string_view what) {
        const auto entry = audit::latest(connection, actions, domain, what);
        return entry ? std::to_string(entry->at / 1'000'000) + " " + entry->action : "";
    };
    BOOST_TEST(found({"create", "password", "delete"}, "example.org", "alice") == "7 password");
    BOOST_TEST(found({"create", "create", "create"}, "example.org", "alice") == "4 create");
    BOOST_TEST(found({"delete", "delete", "delete"}, "example.org", "alice").empty());
    BOOST_TEST(found({"domain-add", "create", "account-add"}, "example.org", "") == "2 domain-add");
    BOOST_TEST(found({"account-add", "account-suspend", "account-resume"}, "", "demo")
               == "1 account-add");
}

// Changes by the key and changes to it.
BOOST_FIXTURE_TEST_CASE(of_a_key, Log)
{
    BOOST_TEST(texts(audit::of_name(connection, "aaaaaaaaaa", kAll))
                   == (Strings{"3 key-add", "4 create", "6 create", "8 key-revoke"}),
               per_element());
    BOOST_TEST(texts(audit::of_name(connection, "aaaaaaaaaa", 1)) == (Strings{"8 key-revoke"}),
               per_element());
}

// A mailbox may have the same name as an account.
BOOST_FIXTURE_TEST_CASE(of_an_account, Log)
{
    BOOST_TEST(texts(audit::of_name(connection, "demo", kAll)) == (Strings{"1 account-add"}),
               per_element());
}

// However many rows a transaction writes, their ids do not run into those of another transaction.
BOOST_AUTO_TEST_CASE(ids_have_room)
{
    const audit::Id first;
    const audit::Id second;
    BOOST_TEST(first.id != second.id);
    for (const auto& id : {first, second}) {
        BOOST_TEST(id.id >= 0);
        BOOST_TEST(id.id < std::int64_t{1} << 62);
        BOOST_TEST(id.at > 1'700'000'000'000'000);
    }
}

BOOST_AUTO_TEST_SUITE_END()
