// accounts_test.cc - the operator's changes to accounts, domains and keys, and what they leave
// behind.

#include "db/accounts.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <set>

#include "db/grants.h"
#include "db/session.h"
#include "mail/api_key.h"
#include "support/database.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using admin::NewKey;
using boost::test_tools::per_element;
using mailbox::Domain;
using support::unique;
using Strings = std::vector<std::string>;

namespace {

struct Operator {
    database::Database& database = database::shared();
    db::Connection connection = database.connect();
    admin::Admin admin{connection};
    std::string account = unique("account-");
    Domain domain = Domain::parse(unique("d") + ".example").value();

    // Returns the row that begins with this name. Empty if there is none.
    static Strings row(const admin::Table& table, const std::string& first)
    {
        for (const auto& candidate : table) {
            if (candidate.front() == first) return candidate;
        }
        return {};
    }
    NewKey key_of_account()
    {
        NewKey wanted;
        wanted.account_id = admin.account_id(account);
        return wanted;
    }
    Strings audit(std::string_view what)
    {
        return database.column(
            "SELECT CONCAT_WS(' ', actor, action, domain) FROM audit_log WHERE local_part = ? ORDER BY at, id",
            {what});
    }
    Strings audit_of_domain()
    {
        return database.column(
            "SELECT CONCAT_WS(' ', actor, action) FROM audit_log WHERE domain = ? AND local_part = '' ORDER BY at, id",
            {domain.name()});
    }
};

// An account with a domain that has two mailboxes, and a key.
struct Furnished : Operator {
    Furnished()
    {
        admin.add_account(account);
        domain_id = admin.add_domain(domain, account);
        grants::Grant grant;
        grant.domain_id = domain_id;
        store.create(grant, {mailbox("alice"), mailbox("bob")}, {"tester", ""});
        alice = database.text(
            "SELECT storage_id FROM mailbox WHERE domain_id = ? AND local_part = 'alice'",
            {domain_id});
    }
    store::NewMailbox mailbox(std::string_view name) const
    {
        return {mailbox::Address::parse(name, domain), "{PLAIN}x"};
    }
    // One row stands for all sessions. Other tests leave such rows, too.
    bool all_sessions_are_looked_at()
    {
        return std::exchange(wide_rows, count_wide_rows()) < count_wide_rows();
    }
    std::int64_t count_wide_rows()
    {
        return database.number("SELECT COUNT(*) FROM session_end WHERE storage_id = ''");
    }
    std::int64_t deleted()
    {
        return database.number("SELECT COUNT(*) FROM deleted_mailbox WHERE domain_id = ?",
                               {domain_id});
    }

    db::Session session = database::session(database.config());
    store::Store store{session};
    std::int64_t domain_id = 0;
    std::string alice;
    std::int64_t wide_rows = count_wide_rows();
};

struct Name : support::Row {
    std::string text;
};

const Name kAccounts[] = {
    {"a word", "demo"},
    {"every kind of character", "Demo_1.x-y"},
    {"64 characters", std::string(64, 'a')},
};

const Name kNoAccounts[] = {
    {"nothing", ""},
    {"65 characters", std::string(65, 'a')},
    {"a hyphen in front looks like an option", "-demo"},
    {"a space", "de mo"},
    {"a slash", "de/mo"},
    {"a quote", "de'mo"},
    {"a line end", "demo\n"},
    {"a NUL", support::bytes("de\0mo")},
    {"another script", "d\xC3\xA9mo"},
};

// These names are refused only when a domain is added: removing one must still be possible.
const Name kActors[] = {
    {"the audit log's operator", "operator"},
    {"the audit log's operator in capitals", "Operator"},
    {"the janitor", "janitor"},
};

const Name kNoMailDomains[] = {
    {"a single label", "localhost"}, {"a top-level domain", "com"}, {"an IP address", "127.0.0.1"},
    {"a path's word", "mailboxes"},  {"a map's word", "mailboxd"},
};

const Name kNoRanges[] = {
    {"a word", "localhost"},
    {"too many bits", "192.0.2.0/33"},
    {"two in one", "192.0.2.0/24 198.51.100.0/24"},
    {"nothing", ""},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(admin)

// --- accounts -------------------------------------------------------------------------

BOOST_DATA_TEST_CASE_F(Operator, an_account_is_added, data::make(kAccounts), row_)
{
    if (!row(admin.accounts(), row_.text).empty()) admin.remove_account(row_.text);
    admin.add_account(row_.text);
    const auto found = row(admin.accounts(), row_.text);
    BOOST_TEST_REQUIRE(found.size() == admin.accounts().front().size());
    BOOST_TEST(found[1] == "active");
    BOOST_TEST(found[2] == "0");
    BOOST_TEST(found[3] == "0");
    BOOST_TEST(audit(row_.text).back() == "operator account-add ");
    admin.remove_account(row_.text);
}

BOOST_DATA_TEST_CASE_F(Operator, an_account_has_a_plain_name, data::make(kNoAccounts), row_)
{
    BOOST_CHECK_THROW(admin.add_account(row_.text), admin::Refused);
    BOOST_CHECK_THROW(admin.remove_account(row_.text), admin::Refused);
}

BOOST_DATA_TEST_CASE_F(Operator, an_account_is_not_called_like_an_actor, data::make(kActors), row_)
{
    BOOST_CHECK_THROW(admin.add_account(row_.text), admin::Refused);
    BOOST_TEST(row(admin.accounts(), row_.text).empty());
    database.execute("INSERT INTO account (name, created_at) VALUES (?, 0)", {row_.text});
    admin.remove_account(row_.text);
}

BOOST_FIXTURE_TEST_CASE(an_account_is_not_called_like_a_key, Furnished)
{
    BOOST_CHECK_THROW(admin.add_account(admin.add_key(key_of_account()).id()), admin::Refused);
}

BOOST_FIXTURE_TEST_CASE(an_account_is_there_once, Operator)
{
    admin.add_account(account);
    BOOST_CHECK_THROW(admin.add_account(account), admin::Refused);
    BOOST_TEST(audit(account) == Strings{"operator account-add "}, per_element());
}

BOOST_FIXTURE_TEST_CASE(names_of_accounts_have_a_case, Operator)
{
    admin.add_account(account);
    auto capitals = account;
    capitals[0] = 'A';
    BOOST_CHECK_THROW(admin.contents_of_account(capitals), admin::Refused);
    admin.add_account(capitals);
    admin.add_key(key_of_account());
    BOOST_TEST(admin.keys(capitals).size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(accounts_are_listed_with_what_they_have, Furnished)
{
    const auto found = row(admin.accounts(), account);
    BOOST_TEST_REQUIRE(found.size() == 6U);
    BOOST_TEST(found[2] == "1");
    BOOST_TEST(found[3] == "2");
    BOOST_TEST(found[4] == "-");
    BOOST_TEST(found[5].size() == std::string{"2026-01-01T00:00:00Z"}.size());
    BOOST_TEST(admin.contents_of_account(account).mailboxes == 2);
}

BOOST_FIXTURE_TEST_CASE(an_account_goes_with_all_it_has, Furnished)
{
    const auto second = Domain::parse(unique("d") + ".example").value();
    const auto third = Domain::parse(unique("d") + ".example").value();
    admin.add_domain(second, account);
    admin.add_domain(third, account);
    auto narrow = key_of_account();
    narrow.domain = second;
    admin.add_key(narrow);
    admin.add_key(key_of_account());
    Operator other;
    other.admin.add_account(other.account);
    other.admin.add_domain(other.domain, other.account);

    admin.remove_account(account);
    BOOST_TEST(row(admin.accounts(), account).empty());
    for (const auto& gone : {domain, second, third})
        BOOST_TEST(row(admin.domains(), gone.name()).empty());
    BOOST_TEST(deleted() == 2);
    BOOST_TEST(database.number("SELECT COUNT(*) FROM mailbox WHERE domain_id = ?", {domain_id})
               == 0);
    BOOST_TEST(audit(account).back() == "operator account-remove ");
    BOOST_TEST(!row(admin.accounts(), other.account).empty());
    BOOST_TEST(!row(admin.domains(), other.domain.name()).empty());
    BOOST_CHECK_THROW(admin.keys(account), admin::Refused);
    BOOST_CHECK_THROW(admin.remove_account(account), admin::Refused);
}

// --- domains --------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_domain_is_added, Operator)
{
    admin.add_account(account);
    const auto id = admin.add_domain(domain, account);
    BOOST_TEST(id == database.number("SELECT id FROM domain WHERE name = ?", {domain.name()}));
    const auto found = row(admin.domains(), domain.name());
    BOOST_TEST_REQUIRE(found.size() == 7U);
    BOOST_TEST(found[1] == account);
    BOOST_TEST(found[2] == "active");
    BOOST_TEST(found[3] == "0");
    BOOST_TEST(found[4] == "-");
    BOOST_TEST(found[5] == "-");
    BOOST_TEST(audit_of_domain() == Strings{"operator domain-add"}, per_element());
}

BOOST_FIXTURE_TEST_CASE(a_domain_is_there_once, Operator)
{
    Operator other;
    admin.add_account(account);
    other.admin.add_account(other.account);
    admin.add_domain(domain, account);
    BOOST_CHECK_THROW(admin.add_domain(domain, account), admin::Refused);
    BOOST_CHECK_THROW(admin.add_domain(domain, other.account), admin::Refused);
    BOOST_TEST(row(admin.domains(), domain.name())[1] == account);
}

BOOST_FIXTURE_TEST_CASE(a_domain_is_there_once_in_both_forms, Operator)
{
    admin.add_account(account);
    const auto letters = unique("b");
    const auto unicode = Domain::parse(letters + "\xC3\xBC.example").value();
    const auto ascii = Domain::parse(unicode.name()).value();
    admin.add_domain(unicode, account);
    BOOST_CHECK_THROW(admin.add_domain(ascii, account), admin::Refused);
    BOOST_CHECK_THROW(admin.add_domain(unicode, account), admin::Refused);
    BOOST_TEST(
        database.number(
            "SELECT COUNT(*) FROM domain WHERE name = ? AND HEX(unicode_name) = HEX(CAST(? AS BINARY))",
            {unicode.name(), unicode.text()})
        == 1);
    admin.remove_domain(unicode);
    BOOST_TEST(row(admin.domains(), ascii.name()).empty());
}

BOOST_DATA_TEST_CASE_F(Operator, a_domain_is_one_that_mail_can_be_sent_to,
                       data::make(kNoMailDomains), row_)
{
    admin.add_account(account);
    const auto name = Domain::parse(row_.text).value();
    BOOST_CHECK_THROW(admin.add_domain(name, account), admin::Refused);
    BOOST_TEST(row(admin.domains(), name.name()).empty());
}

BOOST_FIXTURE_TEST_CASE(a_domain_needs_its_account, Operator)
{
    BOOST_CHECK_THROW(admin.add_domain(domain, account), admin::Refused);
    BOOST_TEST(row(admin.domains(), domain.name()).empty());
}

BOOST_FIXTURE_TEST_CASE(a_domain_goes_with_its_mailboxes, Furnished)
{
    database.execute("INSERT INTO mailbox_usage (username, bytes) VALUES (CONCAT(?, '@x'), 5)",
                     {alice});
    database.execute("UPDATE mailbox SET quota_bytes = 7 WHERE storage_id = ?", {alice});
    auto narrow = key_of_account();
    narrow.domain = domain;
    const auto key = admin.add_key(narrow);
    BOOST_TEST(admin.mailboxes_of_domain(domain) == 2);
    admin.remove_domain(domain);
    BOOST_TEST(row(admin.domains(), domain.name()).empty());
    BOOST_TEST(deleted() == 2);
    BOOST_TEST(
        database.text(
            "SELECT CONCAT_WS(' ', domain, local_part, size_bytes, state, password, quota_bytes, deleted_by) FROM deleted_mailbox"
            " WHERE storage_id = ?",
            {alice})
        == domain.name() + " alice 5 active {PLAIN}x 7 operator");
    BOOST_TEST(all_sessions_are_looked_at());
    BOOST_TEST(audit_of_domain().back() == "operator domain-remove");
    BOOST_TEST(row(admin.keys(account), key.id()).empty());
    BOOST_CHECK_THROW(admin.remove_domain(domain), admin::Refused);
    BOOST_CHECK_THROW(admin.mailboxes_of_domain(domain), admin::Refused);
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_comes_back_is_empty, Furnished)
{
    admin.remove_domain(domain);
    const auto id = admin.add_domain(domain, account);
    BOOST_TEST(id != domain_id);
    BOOST_TEST(admin.mailboxes_of_domain(domain) == 0);
}

struct Setting : support::Row {
    std::string name;
    std::string value;
    std::string column;  // what the table has then
};

const Setting kSettings[] = {
    {"overwrite", "on_duplicate", "update", "update - -"},
    {"do not overwrite", "on_duplicate", "reject", "reject - -"},
    {"delete all at once", "allow_delete_all", "yes", "reject - - all"},
    {"do not delete all at once", "allow_delete_all", "no", "reject - -"},
    {"an allowance", "max_mailboxes", "25", "reject 25 -"},
    {"an allowance of none", "max_mailboxes", "0", "reject 0 -"},
    {"the greatest allowance", "max_mailboxes", "4294967295", "reject 4294967295 -"},
    {"no limit", "max_mailboxes", "none", "reject - -"},
    {"a quota", "quota_bytes", "1000000", "reject - 1000000"},
    {"a quota in other words", "quota_bytes", "2G", "reject - 2147483648"},
    {"no quota", "quota_bytes", "none", "reject - -"},
};

const Setting kNoSettings[] = {
    {"an unknown name", "color", "blue", ""},
    {"no name", "", "1", ""},
    {"a column that is not for this", "mailboxes", "0", ""},
    {"an unknown word", "on_duplicate", "maybe", ""},
    {"no word", "on_duplicate", "", ""},
    {"neither yes nor no", "allow_delete_all", "1", ""},
    {"a word in capitals", "on_duplicate", "Update", ""},
    {"no number", "max_mailboxes", "", ""},
    {"a word", "max_mailboxes", "many", ""},
    {"a negative number", "max_mailboxes", "-1", ""},
    {"a number and more", "max_mailboxes", "10k", ""},
    {"a number that does not fit", "max_mailboxes", "4294967296", ""},
    {"no size", "quota_bytes", "much", ""},
};

struct Size : support::Row {
    std::string text;
    std::int64_t bytes;  // 0: refused
};

const Size kSizes[] = {
    {"a number", "1000", 1000},
    {"one", "1", 1},
    {"kibibytes", "1K", 1024},
    {"mebibytes", "500M", 524'288'000},
    {"gibibytes", "2G", 2'147'483'648},
    {"tebibytes", "3T", 3'298'534'883'328},
    {"the greatest", "1024T", 1'125'899'906'842'624},
    {"the greatest, in bytes", "1125899906842624", 1'125'899'906'842'624},
    {"too much by one", "1125899906842625", 0},
    {"too many units", "1025T", 0},
    {"more than a number holds", "99999999999999999999", 0},
    {"more than a number holds, with its unit", "9223372036854775807T", 0},
    {"nothing", "", 0},
    {"none, which would look like no limit", "0", 0},
    {"a unit alone", "M", 0},
    {"a small unit", "1k", 0},
    {"two units", "1KB", 0},
    {"a fraction", "1.5G", 0},
    {"a sign", "+1", 0},
    {"below nothing", "-1", 0},
    {"space", " 1", 0},
    {"space at the end", "1 ", 0},
};

BOOST_DATA_TEST_CASE_F(Furnished, a_domain_is_set, data::make(kSettings), setting)
{
    database.execute(
        "UPDATE domain SET max_mailboxes = IF(? = 'max_mailboxes', 9, NULL), quota_bytes = IF(? = 'quota_bytes', 9, NULL) WHERE id = ?",
        {setting.name, setting.name, domain_id});
    admin.set_domain(domain, setting.name, setting.value);
    BOOST_TEST(
        database.text(
            "SELECT CONCAT_WS(' ', on_duplicate, COALESCE(max_mailboxes, '-'), COALESCE(quota_bytes, '-'), IF(allow_delete_all, 'all', NULL)) FROM domain WHERE id = ?",
            {domain_id})
        == setting.column);
    BOOST_TEST(
        database.number("SELECT COUNT(*) FROM audit_log WHERE domain = ? AND action = 'domain-set'",
                        {domain.name()})
        == 1);
}

BOOST_DATA_TEST_CASE_F(Furnished, a_domain_is_not_set, data::make(kNoSettings), setting)
{
    BOOST_CHECK_THROW(admin.set_domain(domain, setting.name, setting.value), admin::Refused);
    BOOST_TEST(
        database.text(
            "SELECT CONCAT_WS(' ', on_duplicate, COALESCE(max_mailboxes, '-'), mailboxes) FROM domain WHERE id = ?",
            {domain_id})
        == "reject - 2");
    BOOST_TEST(
        database.number("SELECT COUNT(*) FROM audit_log WHERE domain = ? AND action = 'domain-set'",
                        {domain.name()})
        == 0);
}

BOOST_FIXTURE_TEST_CASE(a_domain_that_is_not_there_is_not_set, Operator)
{
    BOOST_CHECK_THROW(admin.set_domain(domain, "on_duplicate", "update"), admin::Refused);
}

BOOST_DATA_TEST_CASE(sizes_are_read, data::make(kSizes), row_)
{
    if (row_.bytes == 0) BOOST_CHECK_THROW(admin::parse_size(row_.text), admin::Refused);
    else BOOST_TEST(admin::parse_size(row_.text) == row_.bytes);
}

BOOST_FIXTURE_TEST_CASE(an_account_is_set, Furnished)
{
    const auto allowance = [&] {
        return database.text("SELECT COALESCE(max_mailboxes, '-') FROM account WHERE name = ?",
                             {account});
    };
    admin.set_account(account, "max_mailboxes", "25");
    BOOST_TEST(allowance() == "25");
    BOOST_TEST(row(admin.accounts(), account)[4] == "25");
    BOOST_CHECK_THROW(admin.set_account(account, "max_mailboxes", "-1"), admin::Refused);
    BOOST_CHECK_THROW(admin.set_account(account, "name", "other"), admin::Refused);
    BOOST_CHECK_THROW(admin.set_account(unique("absent-"), "max_mailboxes", "1"), admin::Refused);
    BOOST_TEST(allowance() == "25");
    admin.set_account(account, "max_mailboxes", "none");
    BOOST_TEST(allowance() == "-");
    BOOST_TEST(
        audit(account)
            == (Strings{"operator account-add ", "operator account-set ", "operator account-set "}),
        per_element());
}

// --- suspending -----------------------------------------------------------------------

struct Suspension : support::Row {
    mailbox::State state;
    std::string text;
    std::string action;
};

const Suspension kSuspensions[] = {
    {"mail still arrives", mailbox::State::no_login, "no_login", "suspend"},
    {"nothing at all", mailbox::State::disabled, "disabled", "disable"},
    {"back again", mailbox::State::active, "active", "resume"},
};

BOOST_DATA_TEST_CASE_F(Furnished, an_account_changes_its_state, data::make(kSuspensions), row_)
{
    admin.set_account_state(account, row_.state);
    BOOST_TEST(row(admin.accounts(), account)[1] == row_.text);
    BOOST_TEST(row(admin.domains(), domain.name())[2] == "active");
    BOOST_TEST(all_sessions_are_looked_at() == (row_.state != mailbox::State::active));
    BOOST_TEST(audit(account).back() == "operator account-" + row_.action + " ");
    BOOST_CHECK_THROW(admin.set_account_state(unique("absent-"), row_.state), admin::Refused);
}

BOOST_DATA_TEST_CASE_F(Furnished, a_domain_changes_its_state, data::make(kSuspensions), row_)
{
    admin.set_domain_state(domain, row_.state);
    BOOST_TEST(row(admin.domains(), domain.name())[2] == row_.text);
    BOOST_TEST(row(admin.accounts(), account)[1] == "active");
    BOOST_TEST(all_sessions_are_looked_at() == (row_.state != mailbox::State::active));
    BOOST_TEST(audit_of_domain().back() == "operator domain-" + row_.action);
    BOOST_CHECK_THROW(admin.set_domain_state(Domain::parse("absent.example").value(), row_.state),
                      admin::Refused);
}

// --- keys -----------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_key_is_added, Furnished)
{
    const auto key = admin.add_key(key_of_account());
    BOOST_TEST(api_key::Key::parse(key.text()).has_value());
    const auto found = row(admin.keys(account), key.id());
    const Strings expected{key.id(), account, "all", "read-write", "anywhere"};
    BOOST_TEST_REQUIRE(found.size() == admin.keys(account).front().size());
    BOOST_TEST(Strings(found.begin(), found.begin() + 5) == expected, per_element());
    BOOST_TEST(found[6] == "-");
    BOOST_TEST(found[7] == "-");
    BOOST_TEST(found[8] == "-");
    BOOST_TEST(audit(key.id()) == Strings{"operator key-add "}, per_element());
    BOOST_TEST(store.grant(key, domain.name()).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_key_with_everything, Furnished)
{
    NewKey wanted = key_of_account();
    wanted.domain = domain;
    wanted.is_read_only = true;
    wanted.expires_at = 1'900'000'000;
    wanted.addresses = {"192.0.2.0/24", "2001:db8::/32", "198.51.100.7"};
    wanted.label = "Zo\xC3\xAB's \"robot\" \xF0\x9F\x90\x9F";
    const auto key = admin.add_key(wanted);
    const auto found = row(admin.keys(account), key.id());
    const Strings expected{key.id(), account, domain.name(), "read",
                           "192.0.2.0/24 2001:db8::/32 198.51.100.7"};
    BOOST_TEST(Strings(found.begin(), found.begin() + 5) == expected, per_element());
    BOOST_TEST(found[6] == "2030-03-17T17:46:39Z");  // the last second
    BOOST_TEST(found[8] == wanted.label);
    const auto grant = store.grant(key, domain.name()).value();
    BOOST_TEST(grant.key_is_read_only);
    BOOST_TEST(grant.key_expires_at == wanted.expires_at);
    BOOST_TEST(grant.key_addresses == found[4]);
}

BOOST_FIXTURE_TEST_CASE(a_label_is_a_line_that_its_column_can_hold, Furnished)
{
    const std::string fish = "\xF0\x9F\x90\x9F";
    std::string longest;
    for (int i = 0; i < 100; ++i) longest += fish;
    NewKey wanted{.account_id = admin.account_id(account),
                  .domain = {},
                  .is_read_only = false,
                  .expires_at = 0,
                  .addresses = {},
                  .label = longest};
    BOOST_TEST(row(admin.keys(account), admin.add_key(wanted).id())[8] == longest);
    const auto before = admin.keys(account).size();
    for (const auto& label : {longest + fish, std::string{"two\nlines"}, std::string{"\x1B[2J"},
                              std::string{"\xC2\x85"}, std::string{"\xFF"}}) {
        wanted.label = label;
        BOOST_CHECK_THROW(admin.add_key(wanted), admin::Refused);
    }
    BOOST_TEST(admin.keys(account).size() == before);
}

BOOST_FIXTURE_TEST_CASE(more_addresses_than_a_key_can_hold, Furnished)
{
    NewKey wanted{.account_id = admin.account_id(account),
                  .domain = {},
                  .is_read_only = false,
                  .expires_at = 0,
                  .addresses = Strings(100, "192.0.2.1"),
                  .label = ""};
    admin.add_key(wanted);  // 999 characters
    wanted.addresses.emplace_back("192.0.2.1");
    BOOST_CHECK_THROW(admin.add_key(wanted), admin::Refused);
}

// One connection adds keys of every kind in turn. No value of one gets into the next.
BOOST_FIXTURE_TEST_CASE(keys_one_after_the_other, Furnished)
{
    auto narrow = key_of_account();
    narrow.domain = domain;
    narrow.addresses = {"192.0.2.1"};
    narrow.expires_at = 1'900'000'000;
    admin.add_key(narrow);
    const auto wide = admin.add_key(key_of_account());
    const auto found = row(admin.keys(account), wide.id());
    BOOST_TEST(found[2] == "all");
    BOOST_TEST(found[4] == "anywhere");
    BOOST_TEST(found[6] == "-");
    BOOST_TEST(admin.keys(account).size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(a_key_of_a_suspended_account, Furnished)
{
    database.execute("UPDATE account SET state = 'no_login' WHERE name = ?", {account});
    const auto key = admin.add_key(key_of_account());
    BOOST_TEST(!store.grant(key, domain.name()).value().account_is_active);
    database.execute("UPDATE account SET state = 'active' WHERE name = ?", {account});
    BOOST_TEST(store.grant(key, domain.name()).value().account_is_active);
}

// The hash is 32 bytes of any value. Text handling is most likely to lose these.
BOOST_FIXTURE_TEST_CASE(a_hash_with_nul_and_space_at_its_ends, Furnished)
{
    const std::set<std::string> wanted{support::bytes("\0"), " "};
    std::set<std::string> seen;
    const auto note = [&](const std::string& end, const api_key::Key& key) {
        if (!wanted.contains(end) || !seen.insert(end).second) return;
        database.execute(
            "UPDATE api_key SET id = ?, hash = ? WHERE account_id = (SELECT id FROM account WHERE name = ?)",
            {key.id(), key.sha256(), account});
        BOOST_TEST(store.grant(key, domain.name()).has_value());
        database.execute("UPDATE api_key SET hash = CONCAT(LEFT(hash, 31), 'x') WHERE id = ?",
                         {key.id()});
        BOOST_TEST(!store.grant(key, domain.name()).has_value());
    };
    admin.add_key(key_of_account());
    while (seen.size() < wanted.size()) {
        const auto key = api_key::Key::generate();
        note(key.sha256().substr(31), key);
    }
}

BOOST_FIXTURE_TEST_CASE(a_key_needs_account_and_domain, Furnished)
{
    NewKey wanted;
    wanted.account_id = 4'000'000'000;
    BOOST_CHECK_THROW(admin.add_key(wanted), admin::Refused);
    wanted = key_of_account();
    wanted.domain = Domain::parse("absent.example");
    BOOST_CHECK_THROW(admin.add_key(wanted), admin::Refused);
    Furnished other;
    wanted.domain = other.domain;
    BOOST_CHECK_THROW(admin.add_key(wanted), admin::Refused);
    BOOST_TEST(admin.keys(account).size() == 1U);
}

BOOST_DATA_TEST_CASE_F(Furnished, a_key_has_right_ranges, data::make(kNoRanges), row_)
{
    auto wanted = key_of_account();
    wanted.addresses = {"192.0.2.1", row_.text};
    BOOST_CHECK_THROW(admin.add_key(wanted), admin::Refused);
    BOOST_TEST(admin.keys(account).size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_key_is_revoked_at_once_and_once, Furnished)
{
    const auto key = admin.add_key(key_of_account());
    const auto other = admin.add_key(key_of_account());
    BOOST_TEST(store.list(key, domain, {}).has_value());
    admin.revoke_key(key.id());
    BOOST_TEST(!store.list(key, domain, {}).has_value());
    BOOST_TEST(store.grant(key, domain.name()).value().key_is_revoked);
    BOOST_TEST(store.list(other, domain, {}).has_value());
    BOOST_TEST(row(admin.keys(account), key.id())[7] != "-");
    BOOST_TEST(audit(key.id()) == (Strings{"operator key-add ", "operator key-revoke "}),
               per_element());
    BOOST_CHECK_THROW(admin.revoke_key(key.id()), admin::Refused);
    BOOST_CHECK_THROW(admin.revoke_key("absent"), admin::Refused);
    BOOST_CHECK_THROW(admin.revoke_key(""), admin::Refused);
}

BOOST_FIXTURE_TEST_CASE(keys_of_one_account_or_of_all, Furnished)
{
    Furnished other;
    const auto mine = admin.add_key(key_of_account());
    const auto theirs = admin.add_key(other.key_of_account());
    BOOST_TEST(!row(admin.keys(account), mine.id()).empty());
    BOOST_TEST(row(admin.keys(account), theirs.id()).empty());
    BOOST_TEST(!row(admin.keys(""), mine.id()).empty());
    BOOST_TEST(!row(admin.keys(""), theirs.id()).empty());
    BOOST_CHECK_THROW(admin.keys(unique("absent-")), admin::Refused);
}

// No list shows anything that gives access.
BOOST_FIXTURE_TEST_CASE(no_table_shows_a_secret, Furnished)
{
    const auto key = admin.add_key(key_of_account());
    const auto secret = key.text().substr(14, 32);
    for (const auto& table : {admin.accounts(), admin.domains(), admin.keys("")}) {
        for (const auto& line : table) {
            for (const auto& cell : line) BOOST_TEST(cell.find(secret) == std::string::npos);
        }
    }
}

BOOST_FIXTURE_TEST_CASE(all_rows_of_a_table_are_as_long_as_its_heading, Furnished)
{
    admin.add_key(key_of_account());
    for (const auto& table : {admin.accounts(), admin.domains(), admin.keys("")}) {
        BOOST_TEST(table.size() > 1U);
        for (const auto& line : table) BOOST_TEST(line.size() == table.front().size());
    }
}

// A mailbox that is created while its domain is removed is refused, or is removed with it.
BOOST_FIXTURE_TEST_CASE(a_domain_is_removed_while_mailboxes_are_added, Furnished)
{
    support::Process creator{[&] {
        auto own = database::session(database.config());
        store::Store creating{own};
        grants::Grant grant;
        grant.domain_id = domain_id;
        for (int i = 0; i < 100'000; ++i) {
            const auto outcome =
                creating.create(grant, {mailbox("m" + std::to_string(i))}, {"tester", ""}).outcome;
            if (outcome == store::Created::Outcome::no_such_domain) return 0;
            if (outcome != store::Created::Outcome::yes) return 1;
        }
        return 2;
    }};
    while (admin.mailboxes_of_domain(domain) < 10) {}
    admin.remove_domain(domain);
    BOOST_TEST(creator.wait() == 0);
    BOOST_TEST(database.number("SELECT COUNT(*) FROM mailbox WHERE domain_id = ?", {domain_id})
               == 0);
    const auto created = database.number(
        "SELECT COUNT(*) FROM audit_log WHERE domain = ? AND action = 'create'", {domain.name()});
    BOOST_TEST(deleted() == created);
}

BOOST_AUTO_TEST_SUITE_END()
