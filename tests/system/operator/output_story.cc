// output_story.cc - mailboxctl with an output that cannot be written: a reader that has ended, a
// full disk, a closed descriptor. Also its message after waiting too long for a lock.

#include "system/harness/story.h"

#include <ostream>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace data = boost::unit_test::data;
using process::Arguments;
using process::Ended;
using story::has;

namespace {

constexpr int kSigpipe = 128 + 13;

// Runs the command with a pipe whose reader has already ended.
constexpr char kReaderIsGone[] = "exec 4> >(true); wait $!; \"$@\" >&4";

struct Outputs : story::Story {
    // Runs a shell line in which "$@" is the command. The exit status is that of the line's first
    // program.
    Ended shell(const std::string& line, const Arguments& arguments) const
    {
        Arguments all{"bash",
                      "-c",
                      line + "; exit ${PIPESTATUS[0]}",
                      "bash",
                      stack.setting("MAILBOXCTL"),
                      "--config",
                      stack.setting("MAILBOXD_CONF")};
        all.insert(all.end(), arguments.begin(), arguments.end());
        return process::run(all);
    }
    Ended ctl(const Arguments& arguments) const { return stack.mailboxctl(arguments); }
    std::string keys_of(const story::Tenant& who) const
    {
        return stack.value(
            "SELECT COUNT(*) FROM api_key WHERE account_id = (SELECT id FROM account WHERE name = "
            + stack::quote(who.account) + ")");
    }
};

struct Listing {
    const char* why;
    Arguments arguments;  // {domain} and {alice} are the story's own
};

std::ostream& operator<<(std::ostream& out, const Listing& row)
{
    return out << row.why;
}

const Listing kListings[] = {
    {"accounts", {"account", "list"}},
    {"domains", {"domain", "list"}},
    {"records", {"domain", "dns", "{domain}", "--host", "mail.example.org"}},
    {"keys", {"key", "list"}},
    {"mailboxes", {"mailbox", "list", "{domain}"}},
    {"mailboxes for programs", {"mailbox", "list", "{domain}", "--json"}},
    {"deleted mailboxes", {"mailbox", "list", "{domain}", "--deleted"}},
    {"a mailbox", {"mailbox", "show", "{alice}"}},
    {"what stands in the way", {"why", "{alice}"}},
    {"changes", {"audit"}},
    {"help", {"--help"}},
};

Arguments filled(Arguments arguments, const story::Tenant& who)
{
    for (auto& argument : arguments) {
        if (argument == "{domain}") argument = who.domain;
        if (argument == "{alice}") argument = who.address("alice");
    }
    return arguments;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(outputs)

BOOST_DATA_TEST_CASE_F(Outputs, a_list_whose_reader_is_gone_ends_quietly, data::make(kListings),
                       row)
{
    const auto who = tenant();
    create(who, "alice");
    const auto ended = shell(kReaderIsGone, filled(row.arguments, who));
    BOOST_TEST(ended.exit == kSigpipe);
    BOOST_TEST(ended.err == "");
}

// More lines than a pipe holds, so mailboxctl still writes after its reader has ended.
BOOST_FIXTURE_TEST_CASE(a_long_list_of_which_the_first_line_is_read, Outputs)
{
    const auto who = tenant();
    stack.sql(
        "SET @domain = (SELECT id FROM domain WHERE name = " + stack::quote(who.domain)
        + ");"
          " INSERT INTO mailbox (domain_id, id, local_part, created_at, storage_id, password)"
          " WITH RECURSIVE d (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM d WHERE i < 49),"
          " n (i) AS (SELECT a.i * 50 + b.i + 1 FROM d a JOIN d b)"
          " SELECT @domain, i, CONCAT('m', i), i, LEFT(SHA2(CONCAT(@domain, ' ', i), 256), 32), 'x' FROM n;"
          " INSERT INTO mailbox_range SELECT @domain, 0, 2500, UNHEX(GROUP_CONCAT(LPAD(HEX(c), 2, '0') ORDER BY n SEPARATOR ''))"
          " FROM (SELECT id DIV 128 AS n, COUNT(*) AS c FROM mailbox WHERE domain_id = @domain GROUP BY id DIV 128) f;"
          " UPDATE domain SET mailboxes = 2500, last_id = 2500 WHERE id = @domain");
    for (const auto& arguments :
         {Arguments{"mailbox", "list", who.domain}, {"mailbox", "list", who.domain, "--json"}}) {
        const auto ended = shell("\"$@\" | head -n 1", arguments);
        BOOST_TEST(ended.exit == kSigpipe);
        BOOST_TEST(ended.err == "");
        BOOST_TEST(!ended.out.empty());
    }
}

BOOST_FIXTURE_TEST_CASE(a_list_on_a_full_disk_says_so, Outputs)
{
    const auto ended = shell("\"$@\" >/dev/full", {"account", "list"});
    BOOST_TEST(ended.exit == 1);
    BOOST_TEST(has(ended.err, "No space left on device"), ended.err);
    BOOST_TEST(!has(ended.err, "key"), ended.err);
}

BOOST_DATA_TEST_CASE_F(Outputs, a_secret_that_could_not_be_shown_is_reported,
                       data::make({"\"$@\" >/dev/full", kReaderIsGone}), line)
{
    const auto who = tenant();
    const auto ended = shell(line, {"key", "add", "--account", who.account});
    BOOST_TEST(ended.exit == 1);
    BOOST_TEST(!has(ended.err, "mbx-"), ended.err);
    BOOST_TEST(has(ended.err, "key revoke"), ended.err);
    BOOST_TEST(has(ended.err, "the change was made"), ended.err);
}

// The closed output is noticed before anything is done.
BOOST_FIXTURE_TEST_CASE(a_secret_is_not_made_for_a_closed_output, Outputs)
{
    const auto who = tenant();
    const auto before = keys_of(who);
    const auto ended = shell("\"$@\" >&-", {"key", "add", "--account", who.account});
    BOOST_TEST(ended.exit == 1);
    BOOST_TEST(has(ended.err, "closed"), ended.err);
    BOOST_TEST(has(ended.err, "nothing was changed"), ended.err);
    BOOST_TEST(keys_of(who) == before);
}

BOOST_FIXTURE_TEST_CASE(a_change_that_could_not_be_told_is_done, Outputs)
{
    const auto who = tenant();
    create(who, "alice");
    const auto ended = shell("\"$@\" >/dev/full", {"mailbox", "suspend", who.address("alice")});
    BOOST_TEST(ended.exit == 1);
    BOOST_TEST(has(ended.err, "the change was made"), ended.err);
    BOOST_TEST(!has(ended.err, "password"), ended.err);
    BOOST_TEST(has(ctl({"mailbox", "show", who.address("alice")}).out, "no_login"));
}

// A closed standard output must not become the descriptor of the database connection.
BOOST_FIXTURE_TEST_CASE(a_closed_output_takes_nothing, Outputs)
{
    const auto ended = shell("\"$@\" >&-", {"account", "list"});
    BOOST_TEST(ended.exit == 1);
    BOOST_TEST(has(ended.err, "standard output"), ended.err);
}

BOOST_FIXTURE_TEST_CASE(a_lock_timeout_says_that_nothing_was_changed, Outputs)
{
    const auto who = tenant();
    create(who, "alice");
    const auto before = snapshot();
    auto holder = stack.connect_to_database();
    holder.execute(
        "START TRANSACTION; UPDATE domain SET last_id = last_id WHERE name = "
        + stack::quote(who.domain)
        + "; UPDATE mailbox SET state = state WHERE domain_id = (SELECT id FROM domain WHERE name = "
        + stack::quote(who.domain) + ")");
    const auto ended = ctl({"mailbox", "suspend", who.address("alice")});
    holder.execute("ROLLBACK");
    BOOST_TEST(ended.exit == 1);
    BOOST_TEST(has(ended.err, "1205"), ended.err);
    BOOST_TEST(has(ended.err, "nothing was changed"), ended.err);
    BOOST_TEST(snapshot() == before);
}

BOOST_FIXTURE_TEST_CASE(a_key_is_listed_with_the_last_day_on_which_it_is_valid, Outputs)
{
    const auto who = tenant();
    const auto added = ctl({"key", "add", "--account", who.account, "--expires", "2099-12-31"});
    BOOST_TEST(has(added.err, "2099-12-31T23:59:59Z"), added.err);
    const auto listed = ctl({"key", "list", "--account", who.account}).out;
    BOOST_TEST(has(listed, " 2099-12-31T23:59:59Z "), listed);
    BOOST_TEST(!has(listed, "2100-01-01"), listed);
    // The key expires with the second after that day.
    BOOST_TEST(stack.value("SELECT expires_at FROM api_key WHERE id = "
                           + stack::quote(added.out.substr(4, 10)))
               == "4102444800");
}

BOOST_AUTO_TEST_SUITE_END()
