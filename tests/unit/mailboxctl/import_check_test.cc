// import_check_test.cc - what an import finds to be new, same, different or bad, what it writes,
// and what it leaves behind when others change the same domain.

#include "mailboxctl/import_check.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "db/aliases.h"
#include "db/skip_index.h"
#include "mail/password_hash.h"
#include "mailboxctl/import_report.h"
#include "mailboxctl/import_write.h"
#include "support/database.h"
#include "support/support.h"

using boost::test_tools::per_element;
using import_check::Verdict;
using import_row::Kind;
using import_row::Read;
using import_row::Row;
using Strings = std::vector<std::string>;

namespace {

const std::string kHash = "{SSHA}DUq4XPl1KfuvN5DECT+fk8/9W7C3yEmU";
const std::string kOther = "{SMD5}vEOoEBDPh/1OiEK9BEkQ7d4Sz2Y=";

// Rows that a test makes.
struct Rows : import_row::Source {
    void rewind() override {}
    bool next(Read& /*read*/) override { return false; }
    double progress() const override { return 1; }
    std::string bad_heading() const override { return {}; }
    std::string bad_record(const Read& /*read*/,
                           const import_row::Problem& /*problem*/) const override
    {
        return {};
    }
};

struct House : database::Tenant {
    Read mailbox_row(const std::string& name, const std::string& hash = kHash)
    {
        Read read;
        read.row.line = ++lines;
        read.row.address = name + "@" + domain.name();
        read.row.hash = hash;
        return read;
    }
    Read alias_row(const std::string& name, const std::string& targets)
    {
        Read read;
        read.row.kind = Kind::alias;
        read.row.line = ++lines;
        read.row.address = name + "@" + domain.name();
        read.row.targets = targets;
        return read;
    }
    import_check::Checker checker(bool makes_passwords = false)
    {
        return {connection,
                account,
                {.schemes = password_hash::usual_schemes(), .makes_passwords = makes_passwords},
                database.config()};
    }
    // Returns the verdict on each mailbox, with the reason of a bad one.
    Strings verdicts(const std::vector<Read>& rows)
    {
        Strings all;
        for (const auto& each : checker().mailboxes(rows)) {
            all.push_back(std::string{text(each.verdict)}
                          + (each.verdict == Verdict::bad ? " " + each.problem.reason : ""));
        }
        return all;
    }
    void write(const std::vector<Read>& rows, bool updates = false)
    {
        auto checks = checker();
        import_report::Report report{source, "", ""};
        import_write::Writer writer{connection, checks, report, {.updates = updates}};
        writer.mailboxes(rows);
        for (int round = 1; round <= alias::kLongestChain; ++round)
            writer.aliases(rows, import_write::Writer::Round::may_wait);
        writer.aliases(rows, import_write::Writer::Round::last);
        bad = report.of(Verdict::bad);
    }
    // Returns the operator's changes in this domain.
    Strings changes()
    {
        return database.column(
            "SELECT CONCAT(action, ' ', local_part) FROM audit_log WHERE domain = ? AND actor = 'operator' ORDER BY at, id",
            {domain.name()});
    }
    // The counts that the list uses, as they are and as the mailboxes say.
    std::string ranges()
    {
        return database.text(
            "SELECT GROUP_CONCAT(number, ' ', mailboxes, ' ', HEX(counts) ORDER BY number) FROM mailbox_range WHERE domain_id = ?",
            {domain_id});
    }

    db::Connection connection = database.connect();
    Rows source;
    std::int64_t lines = 0;
    std::int64_t bad = 0;
};

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(import_checking)

BOOST_FIXTURE_TEST_CASE(each_row_is_new_same_or_different, House)
{
    write({mailbox_row("alice"), mailbox_row("bob")});
    auto quota = mailbox_row("alice");
    quota.row.quota = "5M";
    BOOST_TEST(verdicts({mailbox_row("carol"), quota, mailbox_row("bob", kOther)})
                   == (Strings{"new", "different", "different"}),
               per_element());
    BOOST_TEST(verdicts({mailbox_row("Alice"), mailbox_row("bob")}) == (Strings{"same", "same"}),
               per_element());
}

// Nothing is said of what the row does not give.
BOOST_FIXTURE_TEST_CASE(an_empty_value_is_no_difference, House)
{
    auto row = mailbox_row("alice");
    row.row.quota = "5M";
    row.row.state = "no_login";
    write({row});
    BOOST_TEST(verdicts({mailbox_row("alice")}) == Strings{"same"}, per_element());
}

BOOST_FIXTURE_TEST_CASE(two_names_that_fold_to_one, House)
{
    const auto all = verdicts({mailbox_row("alice"), mailbox_row("ALICE")});
    BOOST_TEST(all[0] == "new");
    BOOST_TEST(has(all[1], "line 1 has already"), all[1]);
}

BOOST_FIXTURE_TEST_CASE(the_allowance_counts_in_the_order_of_the_file, House)
{
    database.execute("UPDATE domain SET max_mailboxes = 2 WHERE id = ?", {domain_id});
    const auto rows = std::vector{mailbox_row("alice"), mailbox_row("bob"), mailbox_row("carol")};
    const auto all = verdicts(rows);
    BOOST_TEST(all[1] == "new");
    BOOST_TEST(has(all[2], "max_mailboxes is 2"), all[2]);
    write(rows);
    BOOST_TEST(names() == (Strings{"alice", "bob"}), per_element());
    BOOST_TEST(bad == 1);
}

BOOST_FIXTURE_TEST_CASE(domains_of_others_and_new_ones, House)
{
    database::Tenant other;
    auto theirs = mailbox_row("alice"), fresh = mailbox_row("alice"), alias = mailbox_row("alice");
    theirs.row.address = "alice@" + other.domain.name();
    fresh.row.address = "alice@new." + domain.name();
    database.execute(
        "INSERT INTO domain_name (name, domain_id, is_alias, created_at) VALUES (CONCAT('alias.', ?), ?, 1, 1)",
        {domain.name(), domain_id});
    alias.row.address = "alice@alias." + domain.name();
    const auto all = verdicts({theirs, fresh, alias});
    BOOST_TEST(has(all[0], "belongs to the account " + other.account), all[0]);
    BOOST_TEST(all[1] == "new");
    BOOST_TEST(has(all[2], "is an alias domain of " + domain.name()), all[2]);
    write({theirs, fresh});
    BOOST_TEST(database.number("SELECT mailboxes FROM domain WHERE name = CONCAT('new.', ?)",
                               {domain.name()})
               == 1);
    BOOST_TEST(other.rows() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_row_without_a_secret, House)
{
    const auto all = verdicts({mailbox_row("alice", "")});
    BOOST_TEST(has(all[0], "--passwords"), all[0]);
    BOOST_TEST((checker(true).mailboxes({mailbox_row("bob", "")})[0].verdict == Verdict::is_new));
}

BOOST_FIXTURE_TEST_CASE(a_plain_password_is_hashed_and_compared, House)
{
    auto row = mailbox_row("alice", "");
    row.row.password = "correct horse battery";
    write({row});
    BOOST_TEST(password("alice").starts_with("{ARGON2ID}"));
    BOOST_TEST(verdicts({row}) == Strings{"same"}, per_element());
    row.row.password = "another horse battery";
    BOOST_TEST(verdicts({row}) == Strings{"different"}, per_element());
}

BOOST_FIXTURE_TEST_CASE(many_mailboxes_leave_every_count_right, House)
{
    store.create(grant(), {mailbox("first")}, actor);
    std::vector<Read> rows;
    for (int i = 0; i < 777; ++i) rows.push_back(mailbox_row("user" + std::to_string(i)));
    write(rows);
    const auto by_import = ranges();
    BOOST_TEST(rows.size() + 1 == static_cast<std::size_t>(counter()));
    BOOST_TEST(this->rows() == counter());
    BOOST_TEST(names().front() == "first");
    BOOST_TEST(names().back() == "user776");
    // The same counts, made one by one.
    database.execute("DELETE FROM mailbox_range WHERE domain_id = ?", {domain_id});
    for (std::int64_t id = 1; id <= counter(); ++id) skip_index::add(connection, domain_id, id);
    BOOST_TEST(ranges() == by_import);
    BOOST_TEST(changes().size() == rows.size() + 1);  // and domain-add
    BOOST_TEST(database.number("SELECT COUNT(DISTINCT storage_id) FROM mailbox WHERE domain_id = ?",
                               {domain_id})
               == counter());
}

BOOST_AUTO_TEST_CASE(counts_of_ids_in_several_ranges)
{
    database::Tenant one, other;
    auto connection = one.database.connect();
    constexpr std::int64_t kFirst = 65'500, kLast = 131'200;
    skip_index::add_newest(connection, one.domain_id, 1, kFirst - 1);
    skip_index::add_newest(connection, one.domain_id, kFirst, kLast);
    skip_index::add_newest(connection, one.domain_id, kLast + 1, kLast + 1);
    skip_index::fill(connection, other.domain_id, kLast + 1);
    const auto counts = [&](std::int64_t id) {
        return one.database.text(
            "SELECT GROUP_CONCAT(number, ' ', mailboxes, ' ', SHA2(counts, 256) ORDER BY number) FROM mailbox_range WHERE domain_id = ?",
            {id});
    };
    BOOST_TEST(counts(one.domain_id) == counts(other.domain_id));
}

// The triggers do nothing for the import, so it does the same for all rows at once.
BOOST_FIXTURE_TEST_CASE(suspended_names_and_aliases_are_as_if_added_alone, House)
{
    store.create(grant(), {mailbox("alice")}, actor);
    alias::Changes changes{connection};
    alias::Settings settings;
    settings.expression = "match_recipient(\"bob@" + domain.name() + "\")";
    settings.actions = Strings{"forward(\"alice@" + domain.name() + "\")"};
    changes.add({.whose = {}, .is_operator = true}, settings);
    database.execute(
        "INSERT INTO suspended_name (domain_id, local_part, state) VALUES (?, 'carol', 'disabled')",
        {domain_id});
    write({mailbox_row("bob"), mailbox_row("carol"), mailbox_row("dave")});
    BOOST_TEST(
        database.text("SELECT t.storage_id FROM alias_target t JOIN alias a ON a.id = t.alias_id"
                      " WHERE a.domain_id = ? AND t.number = 0",
                      {domain_id})
        == storage_id("bob"));
    BOOST_TEST(
        database.column(
            "SELECT CONCAT(local_part, ' ', state) FROM mailbox WHERE domain_id = ? ORDER BY id",
            {domain_id})
            == (Strings{"alice active", "bob active", "carol disabled", "dave active"}),
        per_element());
    BOOST_TEST(
        database.number("SELECT COUNT(*) FROM suspended_name WHERE domain_id = ?", {domain_id})
        == 0);
    // The triggers work for this connection again.
    BOOST_TEST(connection.query("SELECT @mailboxd_bulk IS NULL").only<bool>());
}

BOOST_FIXTURE_TEST_CASE(a_second_run_changes_nothing, House)
{
    auto alice = mailbox_row("alice");
    alice.row.aliases = "info@" + domain.name();
    const auto rows = std::vector{
        alice, mailbox_row("bob"),
        alias_row("team", "alice@" + domain.name() + " second@" + domain.name()),
        alias_row("second", "bob@" + domain.name()), alias_row("", "alice@" + domain.name())};
    write(rows);
    BOOST_TEST(bad == 0);
    const auto log = changes();
    BOOST_TEST(log.size() == 7U);
    write(rows);
    BOOST_TEST(changes() == log, per_element());
    auto checks = checker();
    checks.mailboxes(rows);
    for (const auto& each : rows) {
        for (const auto& alias : checks.aliases(each.row))
            BOOST_TEST(text(alias.verdict) == "same", each.row.address);
    }
}

BOOST_FIXTURE_TEST_CASE(aliases_that_are_bad, House)
{
    const auto reason = [&](const Read& row) {
        auto checks = checker();
        checks.mailboxes({mailbox_row("alice"), row});
        return checks.aliases(row.row).at(0).problem.reason;
    };
    const auto alice = "alice@" + domain.name();
    BOOST_TEST(reason(alias_row("info", alice)) == "");
    BOOST_TEST(
        has(reason(alias_row("info", alice + " al@elsewhere.example")), "al@elsewhere.example"));
    BOOST_TEST(has(reason(alias_row("info", "nobody@" + domain.name())), "nobody@"));
    database.execute("UPDATE domain SET max_aliases = 0 WHERE id = ?", {domain_id});
    BOOST_TEST(has(reason(alias_row("info", alice)), "max_aliases is 0"));
}

// Targets on other servers need the operator's permission, and are the same in the next run.
BOOST_FIXTURE_TEST_CASE(an_alias_sends_outside_where_that_is_permitted, House)
{
    const auto rows = std::vector{alias_row("info", "al@elsewhere.example")};
    auto checks = checker();
    const auto refused = checks.aliases(rows[0].row)[0];
    BOOST_TEST((refused.verdict == Verdict::bad));
    BOOST_TEST(has(refused.problem.reason,
                   "mailboxctl domain set " + domain.name() + " forward_outside=yes"),
               refused.problem.reason);
    database.execute("UPDATE domain SET forward_outside = 1 WHERE id = ?", {domain_id});
    write(rows);
    BOOST_TEST(bad == 0);
    const auto info = alias::find(connection, domain.name(), "info").value();
    BOOST_TEST(alias::recipients(connection, info.number) == Strings{"al@elsewhere.example"},
               per_element());
    auto again = checker();
    BOOST_TEST((again.aliases(rows[0].row)[0].verdict == Verdict::same));
    const auto own = again.aliases(alias_row("sales", "nobody@" + domain.name()).row)[0];
    BOOST_TEST((own.verdict == Verdict::bad));
    BOOST_TEST(has(own.problem.reason, "neither a mailbox nor an alias"), own.problem.reason);
    const auto local = again.aliases(alias_row("x", "root@localhost").row)[0];
    BOOST_TEST((local.verdict == Verdict::bad));
}

// Aliases are written in groups. A chain, a mailbox with an alias of its own and a mailbox's own
// alias are written one by one; nobody sees the difference.
BOOST_FIXTURE_TEST_CASE(aliases_in_groups_are_as_if_added_alone, House)
{
    const auto at = "@" + domain.name();
    database.execute("UPDATE domain SET forward_outside = 1 WHERE id = ?", {domain_id});
    std::vector rows{mailbox_row("alice"), mailbox_row("bob"), mailbox_row("carol")};
    for (int i = 0; i < 40; ++i) rows.push_back(alias_row("a" + std::to_string(i), "alice" + at));
    auto stopped = alias_row("stopped", "bob" + at + " al@elsewhere.example");
    stopped.row.stop = "yes";
    stopped.row.description = "a note";
    const std::vector others{stopped, alias_row("", "carol" + at), alias_row("chain", "a7" + at),
                             alias_row("bob", "carol" + at), alias_row("to_bob", "bob" + at)};
    rows.insert(rows.end(), others.begin(), others.end());
    write(rows);
    BOOST_TEST(bad == 0);
    const auto recipients = [&](const std::string& name) {
        return alias::recipients(connection,
                                 alias::find(connection, domain.name(), name).value().number);
    };
    BOOST_TEST(recipients("a39") == Strings{"alice" + at}, per_element());
    BOOST_TEST(recipients("stopped") == (Strings{"al@elsewhere.example", "bob" + at, "carol" + at}),
               per_element());
    BOOST_TEST(recipients("chain") == Strings{"alice" + at}, per_element());
    BOOST_TEST(recipients("to_bob") == (Strings{"bob" + at, "carol" + at}), per_element());
    const auto made = alias::find(connection, domain.name(), "stopped").value();
    BOOST_TEST(made.description == "a note");
    BOOST_TEST(made.actions
                   == (Strings{"forward(\"bob" + at + "\")", "forward(\"al@elsewhere.example\")",
                               "stop()"}),
               per_element());
    BOOST_TEST(
        database.column("SELECT local_part FROM alias WHERE domain_id = ? ORDER BY id DESC LIMIT 6",
                        {domain_id})
            == (Strings{"to_bob", "bob", "chain", "", "stopped", "a39"}),
        per_element());
    BOOST_TEST(database.column(
                   "SELECT CONCAT(a.local_part, ' ', t.kind) FROM alias_target t JOIN alias a ON"
                   " a.id = t.alias_id WHERE a.domain_id = ? AND t.number = 0 AND (a.local_part"
                   " IN ('a0', 'stopped', 'bob')) ORDER BY a.id",
                   {domain_id})
                   == (Strings{"a0 own", "stopped stopped", "bob own"}),
               per_element());
    BOOST_TEST(database.number("SELECT aliases FROM domain WHERE id = ?", {domain_id}) == 45);
    const auto log = changes();
    BOOST_TEST(std::count_if(log.begin(), log.end(),
                             [](const auto& each) { return each.starts_with("alias-add "); })
               == 45);
    write(rows);
    BOOST_TEST(changes() == log, per_element());
}

BOOST_FIXTURE_TEST_CASE(the_allowance_of_aliases_counts_in_a_group, House)
{
    const auto at = "@" + domain.name();
    const std::vector rows{mailbox_row("alice"), alias_row("one", "alice" + at),
                           alias_row("two", "alice" + at), alias_row("three", "alice" + at)};
    auto checks = checker();
    checks.mailboxes(rows);
    import_report::Report report{source, "", ""};
    import_write::Writer writer{connection, checks, report, {}};
    writer.mailboxes(rows);
    // Too late for the check.
    database.execute("UPDATE domain SET max_aliases = 2 WHERE id = ?", {domain_id});
    writer.aliases(rows, import_write::Writer::Round::last);
    BOOST_TEST(
        database.column("SELECT local_part FROM alias WHERE domain_id = ? ORDER BY id", {domain_id})
            == (Strings{"one", "two"}),
        per_element());
    BOOST_TEST(report.of(Verdict::bad) == 1);
    BOOST_TEST(database.number("SELECT aliases FROM domain WHERE id = ?", {domain_id}) == 2);
}

// A loop is only seen when it is written; the others are written.
BOOST_FIXTURE_TEST_CASE(a_loop_is_bad_and_the_others_are_written, House)
{
    const auto at = "@" + domain.name();
    write({mailbox_row("alice"), alias_row("one", "two" + at), alias_row("two", "one" + at),
           alias_row("three", "alice" + at)});
    BOOST_TEST(bad == 2);
    BOOST_TEST(database.column("SELECT local_part FROM alias WHERE domain_id = ?", {domain_id})
                   == Strings{"three"},
               per_element());
    BOOST_TEST(database.number("SELECT aliases FROM domain WHERE id = ?", {domain_id}) == 1);
}

BOOST_FIXTURE_TEST_CASE(what_is_different_changes_only_if_asked, House)
{
    write({mailbox_row("alice"), mailbox_row("bob"), alias_row("info", "alice@" + domain.name())});
    auto alice = mailbox_row("alice", kOther);
    alice.row.quota = "7";
    alice.row.state = "no_login";
    const auto rows = std::vector{alice, alias_row("info", "bob@" + domain.name())};
    write(rows);
    BOOST_TEST(password("alice") == kHash);
    write(rows, true);
    BOOST_TEST(password("alice") == kOther);
    BOOST_TEST(
        database.text(
            "SELECT CONCAT(quota_bytes, ' ', state) FROM mailbox WHERE domain_id = ? AND local_part = 'alice'",
            {domain_id})
        == "7 no_login");
    BOOST_TEST(session_ends("alice") > 0);
    const auto info = alias::find(connection, domain.name(), "info").value();
    const auto targets = alias::targets(connection, info.number);
    BOOST_TEST_REQUIRE(targets.size() == 1U);
    BOOST_TEST(targets.front().address == "bob@" + domain.name());
    auto checks = checker();
    BOOST_TEST((checks.mailboxes(rows)[0].verdict == Verdict::same));
}

// A mailbox that the API adds between the check and the INSERT is not added twice.
BOOST_FIXTURE_TEST_CASE(another_program_is_faster, House)
{
    auto checks = checker();
    const auto rows = std::vector{mailbox_row("alice"), mailbox_row("bob")};
    BOOST_TEST((checks.mailboxes(rows)[1].verdict == Verdict::is_new));
    // Nobody looks for what was new once more, not even where there are mailboxes.
    store.create(grant(), {mailbox("dave"), mailbox("bob")}, actor);
    checks.refresh();
    import_report::Report report{source, "", ""};
    import_write::Writer writer{connection, checks, report, {}};
    writer.mailboxes(rows);
    BOOST_TEST(names() == (Strings{"dave", "bob", "alice"}), per_element());
    BOOST_TEST(counter() == 3);
    BOOST_TEST(password("bob") == "{PLAIN}first");
}

// The file of new passwords has no password for a mailbox that another program has added.
BOOST_FIXTURE_TEST_CASE(a_password_that_was_made_in_vain_is_not_told, House)
{
    auto checks = checker(true);
    const auto rows = std::vector{mailbox_row("alice", ""), mailbox_row("bob", "")};
    checks.mailboxes(rows);
    store.create(grant(), {mailbox("bob")}, actor);
    const support::Directory directory;
    const auto path = directory.path("passwords");
    import_passwords::File passwords{path};
    import_report::Report report{source, "", ""};
    import_write::Writer writer{connection, checks, report, {.passwords = &passwords}};
    writer.mailboxes(rows);
    std::ifstream file{path};
    const std::string told{std::istreambuf_iterator<char>{file}, {}};
    BOOST_TEST(has(told, "alice@"), told);
    BOOST_TEST(!has(told, "bob@"), told);
    BOOST_TEST(std::count(told.begin(), told.end(), '\n') == 1);
}

BOOST_AUTO_TEST_CASE(many_names_are_told_apart)
{
    import_check::Seen seen;
    for (std::int64_t line = 1; line <= 100'000; ++line)
        BOOST_REQUIRE(seen.note("m user" + std::to_string(line), line) == line);
    BOOST_TEST(seen.note("m user77777", 5) == 77'777);
    BOOST_TEST(seen.has("m user1"));
    BOOST_TEST(!seen.has("a user1"));
    BOOST_TEST(!import_check::Seen{}.has("m user1"));
    // The documented bound, in docs/performance.md also.
    BOOST_TEST(seen.bytes() <= 20U * 100'000U);
}

BOOST_AUTO_TEST_SUITE_END()
