// systems_test.cc - what the tables of other mail systems become: rows of an import, and notes of
// what is not imported. The dumps are in tests/fixtures/import.

#include "mailboxctl/systems/systems.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

#include "base/config.h"
#include "db/accounts.h"
#include "mailboxctl/dump_tables.h"
#include "mailboxctl/import_csv.h"
#include "mailboxctl/system_source.h"
#include "support/sources.h"

namespace {

using import_row::Kind;
using import_row::Read;
using Lines = std::vector<std::string>;

constexpr std::int64_t kNow = 1'790'000'000;  // 2026-09-21

std::string fixture(const std::string& system)
{
    return (sources::directory() / "tests/fixtures/import" / (system + ".sql")).string();
}

system_source::Options options_of(const translation::Settings& settings)
{
    system_source::Options options{.settings = settings, .password_file = {}};
    options.settings.now = kNow;
    return options;
}

std::unique_ptr<system_source::Source> opened(const std::string& system,
                                              const translation::Settings& settings = {})
{
    return system_source::open(system, fixture(system), options_of(settings), Config{});
}

std::string refusal(const std::string& system, const std::string& where,
                    const translation::Settings& settings = {})
{
    try {
        system_source::open(system, where, options_of(settings), Config{});
        return "";
    } catch (const admin::Refused& refused) {
        return refused.what();
    }
}

bool has(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

// A row in one line, with the beginning of the hash.
std::string text_of(const import_row::Row& row)
{
    if (row.kind == Kind::alias_domain) return row.address + " = " + row.targets;
    if (row.kind == Kind::alias)
        return row.address + " -> " + row.targets + (row.stop.empty() ? "" : " stop " + row.stop);
    const auto form = row.hash.substr(0, row.hash.starts_with('{') ? row.hash.find('}') + 1 : 3);
    return row.address + " " + form + " " + row.quota + " " + row.state + " " + row.created_at;
}

Lines rows_of(import_row::Source& source)
{
    Lines all;
    source.rewind();
    for (Read read; source.next(read);) all.push_back(text_of(read.row));
    return all;
}

Lines notes_of(const system_source::Source& source)
{
    Lines all;
    for (const auto& note : source.notes()) all.push_back(system_source::sentence_of(note));
    return all;
}

void expect_notes(const system_source::Source& source, const Lines& wanted)
{
    const auto notes = notes_of(source);
    for (const auto& each : wanted)
        BOOST_TEST((std::find(notes.begin(), notes.end(), each) != notes.end()),
                   "no note '" << each << "'");
}

std::map<std::string, std::string> maildirs(const std::string& system, const std::string& root,
                                            std::optional<std::int64_t> server = {})
{
    import_file::File file{fixture(system)};
    const auto tables = dump_tables::read(file, systems::find(system)->wanted);
    const auto translated = system_source::translated(
        system, tables, {.mail = {.is_wanted = true, .root = root}, .server = server, .now = kNow});
    std::map<std::string, std::string> all;
    for (const auto& row : translated.rows) {
        if (row.kind == Kind::mailbox) all.emplace(row.address, row.maildir);
    }
    return all;
}

BOOST_AUTO_TEST_SUITE(import_systems)

BOOST_AUTO_TEST_CASE(rows_of_postfixadmin)
{
    const auto source = opened("postfixadmin");
    const Lines wanted{"frank@example.org pW4 102400000 active 2008-01-02 03:04:05",
                       "o'hara@example.org $1$ 1048576000 disabled 2009-11-02 16:00:01",
                       "info@shop.example {SSHA} 512000000 active 2011-09-27 20:24:22",
                       "carol@example.org {SSHA512} none active 2012-02-29 00:00:00",
                       "dora@closed.example {SHA512-CRYPT} none disabled 2013-01-01 10:00:00",
                       "alice@example.org $6$ 2147483648 active 2014-03-18 09:12:44",
                       "vera@example.org {SHA512-CRYPT} none active 2015-06-07 08:09:10",
                       "bob@example.org {BLF-CRYPT} none active ",
                       "erin@example.org {PLAIN-MD5} none active ",
                       "@shop.example -> info@shop.example",
                       "abuse@example.org -> postmaster@example.org",
                       "alice@example.org -> al@elsewhere.example stop no",
                       "postmaster@example.org -> bob@example.org",
                       "team@example.org -> alice@example.org carol@example.org",
                       "vera@example.org -> alice@example.org stop yes",
                       "brand.example = example.org",
                       "former.example = shop.example"};
    BOOST_TEST(rows_of(*source) == wanted, boost::test_tools::per_element());
    expect_notes(
        *source,
        {"domain: mail of the domain is delivered by another server: nothing of it is imported (2)",
         "domain: inactive domain: its mailboxes become disabled, its aliases are left out (1)",
         "domain: without mailboxes and aliases: not added; mailboxctl domain add adds it (1)",
         "mailbox: left out: its domain is not in the table of domains (1)",
         "mailbox: smtp_active: could not send over SMTP, but will be able to (1)",
         "mailbox: totp_secret: the second factor is not imported (1)",
         "alias: an absence message was on: it is not imported (2)",
         "alias: inactive alias: left out (1)", "alias_domain: inactive alias domain: left out (1)",
         "mailbox_app_password: additional passwords: not imported (1)",
         "vacation: absence messages: not imported (1)"});
}

BOOST_AUTO_TEST_CASE(rows_of_vimbadmin)
{
    const auto source = opened("vimbadmin");
    const Lines wanted{"gus@example.org {SHA256-CRYPT} none disabled 2015-05-05 05:05:05",
                       "alice@example.org {BLF-CRYPT} none active 2016-06-04 20:40:34",
                       "bob@example.org 1c8 1073741824 active 2016-06-04 20:40:45",
                       "fay@example.org {SHA512-CRYPT} 536870912 no_login 2017-05-05 05:05:05",
                       "info@example.net $6$ none active 2018-08-08 08:08:08",
                       "@example.net -> alice@example.org",
                       "all@example.org -> alice@example.org bob@example.org fay@example.org",
                       "info@example.net -> alice@example.org stop no",
                       "sales@example.net -> info@example.net"};
    BOOST_TEST(rows_of(*source) == wanted, boost::test_tools::per_element());
    expect_notes(*source,
                 {"mailbox: delete_pending: left out, because it was to be deleted (1)",
                  "mailbox: access_restriction IMAP,SMTP: every protocol will be permitted (1)",
                  "mailbox: access_restriction without IMAP and POP3: becomes no_login (1)",
                  "archive: mail of removed mailboxes in archives: not imported (1)"});
}

BOOST_AUTO_TEST_CASE(rows_of_mailcow)
{
    const auto source = opened("mailcow");
    const Lines wanted{"bob@example.org {SSHA256} none active 2021-05-12 07:00:00",
                       "alice@example.org {BLF-CRYPT} 3221225472 active 2021-05-12 08:00:00",
                       "off@example.org {BLF-CRYPT} none disabled 2021-05-13 08:00:00",
                       "send@example.org {ARGON2ID} none no_login 2021-05-14 08:00:00",
                       "ldap1@example.org  1073741824 active 2021-05-15 08:00:00",
                       "info@xn--exmple-cua.org {SSHA256} none no_login 2022-02-28 23:10:00",
                       "@xn--exmple-cua.org -> alice@example.org",
                       "learn@example.org -> bob@example.org",
                       "sales@example.org -> alice@example.org bob@example.org",
                       "staff@example.org -> bob@example.org",
                       "cow.example = example.org"};
    BOOST_TEST(rows_of(*source) == wanted, boost::test_tools::per_element());
    expect_notes(
        *source,
        {"mailbox: a calendar's resource: left out (1)",
         "mailbox: its password is in ldap: a new mailbox needs a new one (--passwords FILE) (1)",
         "mailbox: active 2, mail without login: becomes no_login (1)",
         "mailbox: pop3_access was off: it cannot be here (2)",
         "alias: a target that throws mail away or teaches a filter: left out (2)",
         "app_passwd: additional passwords: not imported (2)",
         "sieve_filters: sieve scripts: not imported (1)"});
}

BOOST_AUTO_TEST_CASE(rows_of_iredmail)
{
    const auto source = opened("iredmail");
    const Lines wanted{"ex@example.org $1$ 524288000 disabled 2010-01-01 00:00:00",
                       "alice@example.org {SSHA512} 1073741824 active 2013-05-06 07:08:09",
                       "moved@example.org {SSHA512} 104857600 active 2014-05-06 07:08:09",
                       "late@example.org {SSHA512} 104857600 disabled 2016-05-06 07:08:09",
                       "app@example.org {BLF-CRYPT} none no_login 2017-05-06 07:08:09",
                       "info@example.net {SSHA512} 2147483648 active 2018-05-06 07:08:09",
                       "bo@example.org {CRYPT} none active ",
                       "@example.net -> info@example.net",
                       "bo@example.org -> alice@example.org stop no",
                       "moved@example.org -> alice@example.org stop yes",
                       "sales@example.org -> alice@example.org",
                       "team@example.org -> bo@example.org alice@example.org",
                       "example.com = example.org"};
    BOOST_TEST(rows_of(*source) == wanted, boost::test_tools::per_element());
    expect_notes(
        *source,
        {"mailbox: its mail is no Maildir but mdbox: mailboxctl pull fetches it over IMAP (1)",
         "mailbox: enablepop3 was 0: the service cannot be off here (1)",
         "mailbox: inactive or expired mailbox: becomes disabled (2)",
         "forwardings: a mailing list of another program: left out (1)",
         "alias: accesspolicy: everyone will be able to send to it (1)",
         "deleted_mailboxes: removed mailboxes whose mail may still lie there: not imported (1)"});
}

BOOST_AUTO_TEST_CASE(rows_of_ispconfig)
{
    const auto source = opened("ispconfig", {.server = 1});
    // In the order of their numbers, because there are no dates.
    const Lines wanted{"alice@example.org $6$ 1073741824 active ",
                       "web@example.org $5$ none active ",
                       "cc@example.org $6$ none active ",
                       "fwd@example.org $6$ 52428800 active ",
                       "nopop@example.org $1$ none active ",
                       "app@example.org $6$ none no_login ",
                       "off@example.org $6$ none disabled ",
                       "dora@closed.example $6$ none disabled ",
                       "@example.org -> alice@example.org",
                       "cc@example.org -> alice@example.org stop no",
                       "fwd@example.org -> alice@example.org stop yes",
                       "office@example.org -> alice@example.org",
                       "sales@example.org -> alice@example.org web@example.org cc@example.org",
                       "example.net = example.org"};
    BOOST_TEST(rows_of(*source) == wanted, boost::test_tools::per_element());
    expect_notes(*source,
                 {"mail_user: of another server: left out (1)",
                  "mail_user: its user logged in by another name, and now does by the address (1)",
                  "mail_user: disablepop3 y: the protocol cannot be off here (1)",
                  "mail_user: custom_mailfilter: sieve scripts: not imported (1)",
                  "mail_get: mail that is fetched elsewhere: not imported (1)",
                  "spamfilter_wblist: not imported (1)",
                  "other tables: not about mail, not imported (2)"});
    // The other server has one mailbox and one alias of it.
    BOOST_TEST(rows_of(*opened("ispconfig", {.server = 2})).size() == 2U);
    BOOST_TEST(has(refusal("ispconfig", fixture("ispconfig")),
                   "several servers: 1 (8 mailboxes), 2 (1 mailboxes); --server-id N"));
}

BOOST_AUTO_TEST_CASE(every_read_gives_the_same_rows)
{
    const auto source = opened("postfixadmin");
    const auto first = rows_of(*source);
    BOOST_TEST(source->progress() == 1.0);
    BOOST_TEST(rows_of(*source) == first, boost::test_tools::per_element());
    source->rewind();
    BOOST_TEST(source->progress() == 0.0);
    Read read;
    for (std::int64_t line = 1; source->next(read); ++line) BOOST_TEST(read.row.line == line);
}

BOOST_AUTO_TEST_CASE(where_the_old_mail_is)
{
    BOOST_TEST(maildirs("postfixadmin", "/old/").at("info@shop.example")
               == "/old/shop.example/info@shop.example");
    BOOST_TEST(maildirs("vimbadmin", "").at("alice@example.org")
               == "/srv/vmail/example.org/alice/mail");
    BOOST_TEST(maildirs("vimbadmin", "/old").at("alice@example.org")
               == "/old/example.org/alice/mail");
    const std::string home = "/vmail1/example.org/b/o/o/bo-2020.12.31.23.59.58/Maildir";
    BOOST_TEST(maildirs("iredmail", "").at("bo@example.org") == "/var/vmail" + home);
    BOOST_TEST(maildirs("iredmail", "/old").at("bo@example.org") == "/old" + home);
    BOOST_TEST(maildirs("iredmail", "").at("ex@example.org") == "");  // mdbox
    BOOST_TEST(maildirs("ispconfig", "", 1).at("alice@example.org")
               == "/var/vmail/example.org/alice/Maildir");
    BOOST_TEST(maildirs("ispconfig", "/old", 1).at("alice@example.org")
               == "/old/example.org/alice/Maildir");
    BOOST_TEST(maildirs("ispconfig", "", 1).at("web@example.org") == "");
    // Without --adopt no row has a Maildir.
    const auto source = opened("iredmail", {.mail = {.is_wanted = false, .root = "/old"}});
    for (Read read; source->next(read);) BOOST_TEST(read.row.maildir == "");
}

// A mailbox that never got mail may have no folder. If no mailbox has one, the root is wrong.
BOOST_AUTO_TEST_CASE(maildirs_that_are_not_there)
{
    const auto root = std::filesystem::temp_directory_path()
                      / ("mailboxd_test_maildirs." + std::to_string(::getpid()));
    const translation::Settings settings{.mail = {.is_wanted = true, .root = root}};
    BOOST_TEST(has(refusal("postfixadmin", fixture("postfixadmin"), settings),
                   "none of the 9 Maildirs is there, for example " + root.string()));
    std::filesystem::create_directories(root / "example.org/alice");
    const auto source = opened("postfixadmin", settings);
    std::map<std::string, std::string> maildirs;
    for (Read read; source->next(read);) {
        if (!read.row.maildir.empty()) maildirs.emplace(read.row.address, read.row.maildir);
    }
    std::filesystem::remove_all(root);
    BOOST_TEST(maildirs.size() == 1U);
    BOOST_TEST(maildirs["alice@example.org"] == (root / "example.org/alice").string());
    expect_notes(*source, {"mailbox: has no Maildir, so no mail is taken over (8)"});
}

BOOST_AUTO_TEST_CASE(what_cannot_be_imported_is_refused)
{
    const translation::Settings adopts{.mail = {.is_wanted = true, .root = {}}};
    const translation::Settings of_server{.server = 1};
    BOOST_TEST(has(refusal("exchange", fixture("mailcow")),
                   "'exchange' is not a system that can be imported; use iredmail, ispconfig, "
                   "mailcow, postfixadmin, vimbadmin"));
    BOOST_TEST(has(refusal("mailcow", fixture("mailcow"), adopts), "compressed and encrypted"));
    BOOST_TEST(has(refusal("postfixadmin", fixture("postfixadmin"), adopts), "--mail-root DIR"));
    BOOST_TEST(
        has(refusal("iredmail", fixture("iredmail"), {.mail = {.is_wanted = true, .root = "old"}}),
            "'old' is not an absolute path"));
    BOOST_TEST(has(refusal("mailcow", fixture("mailcow"), of_server), "--server-id"));
    // The dump of one system given as another's.
    BOOST_TEST(
        has(refusal("iredmail", fixture("postfixadmin")), "the table mailbox has no column maildir")
        == false);
    BOOST_TEST(has(refusal("iredmail", fixture("postfixadmin")), "has no table forwardings"));
    BOOST_TEST(has(refusal("postfixadmin", fixture("vimbadmin")), "has no column domain"));
    BOOST_TEST(has(refusal("postfixadmin", fixture("ispconfig")), "has no table"));
    BOOST_TEST(has(refusal("postfixadmin", "/nonexistent.sql"), "No such file"));
}

// Rows that an import refuses can be corrected in the file of bad rows and imported from there.
BOOST_AUTO_TEST_CASE(bad_rows_become_csv_of_an_import)
{
    const auto source = opened("ispconfig", {.server = 1});
    Read read;
    BOOST_TEST_REQUIRE(source->next(read));
    const auto line = source->bad_record(read, {1, "quota", "'x' is not a quota"});
    BOOST_TEST(source->bad_heading().starts_with("address,password,hash,quota,state,"));
    BOOST_TEST(source->bad_heading().ends_with(",reason\n"));
    BOOST_TEST(line.starts_with("alice@example.org,,$6$"));
    BOOST_TEST(line.ends_with(",quota: 'x' is not a quota\n"));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(import_translation)

BOOST_AUTO_TEST_CASE(quotas)
{
    constexpr std::int64_t kMiB = 1024 * 1024;
    BOOST_TEST(translation::quota_of("0", 1) == "none");
    BOOST_TEST(translation::quota_of("-1", kMiB) == "none");
    BOOST_TEST(translation::quota_of("", 1) == "none");
    BOOST_TEST(translation::quota_of("000", 1) == "none");
    BOOST_TEST(translation::quota_of("1048576000", 1) == "1048576000");
    BOOST_TEST(translation::quota_of("500", kMiB) == "524288000");
    // Not understood or too large: the checking pass refuses the value as it is.
    BOOST_TEST(translation::quota_of("-2", 1) == "-2");
    BOOST_TEST(translation::quota_of("10G", kMiB) == "10G");
    BOOST_TEST(translation::quota_of("9223372036854775807", kMiB) == "9223372036854775807");
}

BOOST_AUTO_TEST_CASE(dates)
{
    for (const auto* const unknown :
         {"", "0000-00-00 00:00:00", "2000-01-01 00:00:00", "1970-01-01 01:01:01",
          "1970-01-01 00:00:00", "2011-00-00 00:00:00"})
        BOOST_TEST(translation::date_of(unknown) == "", unknown);
    BOOST_TEST(translation::date_of("2014-03-18 09:12:44") == "2014-03-18 09:12:44");
    BOOST_TEST(translation::date_of("2014-03-18 09:12:44.000123") == "2014-03-18 09:12:44");
    BOOST_TEST(translation::date_of("2000-01-01 00:00:01") == "2000-01-01 00:00:01");
}

BOOST_AUTO_TEST_CASE(transports)
{
    for (const auto* const own :
         {"", "virtual", "virtual:", "dovecot", "lmtp:unix:private/lmtp", "LMTP:inet:127.0.0.1:24"})
        BOOST_TEST(translation::is_own_transport(own), own);
    for (const auto* const other :
         {"smtp:[192.0.2.1]", "relay:mx.example.org", "mlmmj:x/y", "error:closed", "lmtpx:"})
        BOOST_TEST(!translation::is_own_transport(other), other);
}

// An alias of a whole domain to another is an alias domain only if the domain has nothing else.
BOOST_AUTO_TEST_CASE(aliases_of_whole_domains)
{
    translation::Translation to{{}};
    using Use = translation::Translation::Use;
    for (const auto* const name : {"a.example", "b.example", "c.example"})
        to.domain("domain", name, Use::on);
    to.mailbox("mailbox", "x@c.example", "");
    to.forward({"alias", "@a.example", {"@c.example"}});
    to.forward({"alias", "y@b.example", {"x@c.example"}});
    to.forward({"alias", "@b.example", {"@c.example"}});
    const auto done = to.finish();
    Lines rows;
    for (const auto& row : done.rows) rows.push_back(text_of(row));
    BOOST_TEST(rows
                   == (Lines{"x@c.example   active ", "y@b.example -> x@c.example",
                             "a.example = c.example"}),
               boost::test_tools::per_element());
    BOOST_TEST_REQUIRE(done.notes.size() == 1U);
    BOOST_TEST(done.notes.front().subjects == Lines{"@b.example"},
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
