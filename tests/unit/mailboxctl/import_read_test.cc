// import_read_test.cc - the rows of CSV and JSON, good and broken, and the values of their texts.

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "db/accounts.h"
#include "mail/password_hash.h"
#include "mailboxctl/import_ahead.h"
#include "mailboxctl/import_csv.h"
#include "mailboxctl/import_file.h"
#include "mailboxctl/import_json.h"
#include "mailboxctl/import_values.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using import_row::Kind;
using import_row::Read;
using Strings = std::vector<std::string>;

namespace {

// Returns what a source reads, a text for each row: its line, and its members or its problem.
template <typename Source>
Strings rows_of(Source& source)
{
    Strings rows;
    for (Read read; source.next(read);) {
        auto text = std::to_string(read.row.line) + ":";
        if (read.problem) {
            text += " BAD " + read.problem->reason;
        } else {
            for (const auto& [name, member] : import_csv::columns()) {
                if (!(read.row.*member).empty())
                    text += " " + std::string{name} + "=" + read.row.*member;
            }
        }
        rows.push_back(text);
    }
    return rows;
}

struct Input {
    std::string file_with(const std::string& bytes) { return folder.write("input", bytes); }
    Strings csv(const std::string& bytes)
    {
        import_file::File file{file_with(bytes)};
        import_csv::Source source{file};
        return rows_of(source);
    }
    Strings json(const std::string& bytes)
    {
        import_file::File file{file_with(bytes)};
        import_json::Source source{file};
        return rows_of(source);
    }

    support::Directory folder;
};

import_values::Hashes hashes()
{
    return {.schemes = password_hash::usual_schemes()};
}

struct BadValue : support::Row {
    import_row::Row row;
    std::string column;
    std::string value;  // that the sentence names
};
std::ostream& operator<<(std::ostream& stream, const BadValue& bad)
{
    return stream << static_cast<const support::Row&>(bad);
}
const std::string kHash = "{SSHA}DUq4XPl1KfuvN5DECT+fk8/9W7C3yEmU";
const BadValue kBadValues[] = {
    {"a quota below zero", {.address = "a@b.example", .hash = kHash, .quota = "-1"}, "quota", "-1"},
    {"a state of another system",
     {.address = "a@b.example", .hash = kHash, .state = "enabled"},
     "state",
     "enabled"},
    {"the date of an old MySQL",
     {.address = "a@b.example", .hash = kHash, .created_at = "0000-00-00 00:00:00"},
     "created_at",
     "0000-00-00"},
    {"a date that does not exist",
     {.address = "a@b.example", .hash = kHash, .created_at = "2023-02-29"},
     "created_at",
     "2023-02-29"},
    {"a date in the future",
     {.address = "a@b.example", .hash = kHash, .created_at = "9999-12-31"},
     "created_at",
     "9999-12-31"},
    {"all domains of an administrator", {.address = "a@ALL", .hash = kHash}, "address", "ALL"},
    {"a name of 300 bytes",
     {.address = std::string(300, 'a') + "@b.example", .hash = kHash},
     "address",
     "aaaaaaaa"},
    {"a character that we refuse",
     {.address = "a+b@b.example", .hash = kHash},
     "address",
     "a+b@b.example"},
    {"Latin-1", {.address = "jos\xe9@b.example", .hash = kHash}, "", "Latin-1"},
    {"a password and a hash",
     {.address = "a@b.example", .password = "correct horse battery", .hash = kHash},
     "hash",
     "one of them"},
    {"a password that is too short",
     {.address = "a@b.example", .password = "pq"},
     "password",
     "characters"},
    {"an alias that is no address",
     {.address = "a@b.example", .hash = kHash, .aliases = "info"},
     "aliases",
     "info"},
    {"a Maildir that is not there",
     {.address = "a@b.example", .hash = kHash, .maildir = "/nonexistent/b"},
     "maildir",
     "/nonexistent/b"},
    {"a Maildir that is a link",
     {.address = "a@b.example", .hash = kHash, .maildir = "/proc/self/exe"},
     "maildir",
     "/proc/self/exe"},
};

struct Time : support::Row {
    std::string text;
    std::int64_t seconds;  // -1: none
};
const Time kTimes[] = {
    {"seconds", "1317155062", 1317155062},
    {"the form of the original", "Tue, 27 Sep 2011 20:24:22 GMT", 1317155062},
    {"a DATETIME", "2011-09-27 20:24:22", 1317155062},
    {"ISO 8601", "2011-09-27T20:24:22Z", 1317155062},
    {"with an offset", "2011-09-27T22:24:22+02:00", 1317155062},
    {"with a fraction", "2011-09-27T20:24:22.123Z", 1317155062},
    {"a day", "2011-09-27", 1317081600},
    {"a 29th of February", "2012-02-29", 1330473600},
    {"one that there is not", "2011-02-29", -1},
    {"a month that there is not", "2011-13-01", -1},
    {"an hour that there is not", "2011-09-27 24:00:00", -1},
    {"zeros", "0000-00-00", -1},
    {"a word", "yesterday", -1},
    {"below zero", "-5", -1},
    {"text after it", "2011-09-27 20:24:22 or so", -1},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(import_reading)

BOOST_FIXTURE_TEST_CASE(csv_with_everything, Input)
{
    BOOST_TEST(csv("address,hash,description\r\n"
                   "a@b.example,\"{SSHA}x,\"\"y\",\r\n"
                   "\r\n"
                   "c@b.example,,\"a; b\"\r\n")
                   == (Strings{"2: address=a@b.example hash={SSHA}x,\"y",
                               "4: address=c@b.example description=a; b"}),
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(csv_with_a_mark_and_semicolons, Input)
{
    BOOST_TEST(csv("\xef\xbb\xbf"
                   "Address;Quota\na@b.example;5,5\n")
                   == (Strings{"2: address=a@b.example quota=5,5"}),
               boost::test_tools::per_element());
}

// A broken row is one row: the next line is read as if nothing had happened.
BOOST_FIXTURE_TEST_CASE(csv_that_is_broken, Input)
{
    const auto rows = csv("address,hash\n"
                          "\"a@b.example,x\n"
                          "b@b.example,\"x\"y\n"
                          "c@b.example,x\"y\n"
                          "d@b.example\n"
                          "e@b.example,x,y\n"
                          + std::string(70'000, 'f') + ",x\n"
                          + "g@b.example,x\n"
                            "h@b.example,x");
    BOOST_TEST_REQUIRE(rows.size() == 8U);
    const Strings parts{"2: BAD a quote is not closed", "3: BAD there is text after",
                        "4: BAD there is a quote",      "5: BAD the line has 1 values",
                        "6: BAD the line has 3 values", "7: BAD the line is longer",
                        "8: address=g@b.example",       "9: BAD the file ends"};
    for (std::size_t i = 0; i < parts.size(); ++i)
        BOOST_TEST(rows[i].starts_with(parts[i]), rows[i]);
}

BOOST_FIXTURE_TEST_CASE(files_that_are_no_csv, Input)
{
    BOOST_CHECK_THROW(csv(""), admin::Refused);
    BOOST_CHECK_THROW(csv("name,hash\n"), admin::Refused);
    BOOST_CHECK_THROW(csv("address,hash,Hash\n"), admin::Refused);
    BOOST_CHECK_THROW(csv("address,hash\ra@b.example,x\r"), admin::Refused);
    BOOST_CHECK_THROW(csv("\xff\xfe"
                          "a\0"),
                      admin::Refused);
    BOOST_CHECK_THROW(csv("\x1f\x8b\x08"), admin::Refused);
    BOOST_CHECK_THROW(import_file::File{folder.path("")}, admin::Refused);
    BOOST_CHECK_THROW(import_file::File{folder.path("none")}, admin::Refused);
}

BOOST_FIXTURE_TEST_CASE(a_bad_row_keeps_its_columns, Input)
{
    import_file::File file{file_with("address,reason,name,hash\n"
                                     "a@b.example,old,Alice,\"x\"\n"
                                     "\"b@b.example,,,x\n")};
    import_csv::Source source{file};
    BOOST_TEST(source.bad_heading() == "address,name,hash,reason\n");
    BOOST_TEST(source.not_imported() == Strings{"name"}, boost::test_tools::per_element());
    Read read;
    BOOST_TEST_REQUIRE(source.next(read));
    BOOST_TEST(source.bad_record(read, {2, "hash", "it is \"x\""})
               == "a@b.example,Alice,x,\"line 2, hash: it is \"\"x\"\"\"\n");
    BOOST_TEST_REQUIRE(source.next(read));
    BOOST_TEST(
        source.bad_record(read, read.problem.value())
        == "\"\"\"b@b.example,,,x\",,,line 3: a quote is not closed before the end of the line\n");
}

BOOST_FIXTURE_TEST_CASE(json_in_all_its_forms, Input)
{
    const Strings both{"1: address=a@b.example quota=5",
                       "2: address=c@b.example aliases=d@b.example e@b.example"};
    BOOST_TEST(
        json(
            "{\"address\":\"a@b.example\",\"quota\":5}\n"
            "{\"address\":\"c@b.example\",\"aliases\":[\"d@b.example\",\"e@b.example\"],\"hash\":null}\n")
            == both,
        boost::test_tools::per_element());
    BOOST_TEST(json("[{\"address\":\"a@b.example\",\"quota\":5},\n"
                    "{\"address\":\"c@b.example\",\"aliases\":\"d@b.example e@b.example\"}]")
                   == both,
               boost::test_tools::per_element());
}

// Two pages of the list, as they come.
BOOST_FIXTURE_TEST_CASE(json_of_the_original, Input)
{
    const std::string page =
        "{\n  \"total_count\": 2,\n  \"items\": [\n    {\n      \"size_bytes\": 0,\n"
        "      \"created_at\": \"Tue, 27 Sep 2011 20:24:22 GMT\",\n      \"mailbox\": \"a@b.example\"\n    }\n  ]\n}\n";
    BOOST_TEST(json(page + page)
                   == (Strings{"4: address=a@b.example created_at=Tue, 27 Sep 2011 20:24:22 GMT",
                               "14: address=a@b.example created_at=Tue, 27 Sep 2011 20:24:22 GMT"}),
               boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(json_that_is_broken, Input)
{
    const auto rows = json("{\"address\":\"a@b.example}\n"
                           "{\"address\":\"b@b.example\",}\n"
                           "{\"address\":[1]}\n"
                           "{\"address\":\"jos\xe9@b.example\"}\n"
                           "{\"address\":\"e@b.example\"}\n"
                           "{\"address\":\"f@b.example\",\"ha");
    BOOST_TEST_REQUIRE(rows.size() == 6U);
    const Strings parts{"1: BAD a quote",           "2: BAD it is not valid JSON",
                        "3: BAD address is a list", "4: BAD it is not valid UTF-8",
                        "5: address=e@b.example",   "6: BAD the file ends"};
    for (std::size_t i = 0; i < parts.size(); ++i)
        BOOST_TEST(rows[i].starts_with(parts[i]), rows[i]);
    BOOST_TEST(json(R"({"address":"a@b.example","address":"b@b.example"})")
                   == (Strings{"1: BAD there are two members address"}),
               boost::test_tools::per_element());
}

// Between two objects nothing else shows that the rest is missing.
BOOST_FIXTURE_TEST_CASE(json_that_was_cut_off_in_a_list, Input)
{
    const std::string object = R"({"address":"a@b.example"})";
    for (const std::string& text :
         {"[" + object, "[" + object + ",\n", std::string(1000, '['),
          R"({"total_count":9,"items":[)" + object + ",", R"({"items":[)" + object + "]"})
        BOOST_CHECK_THROW(json(text), admin::Refused);
    BOOST_TEST(json(R"({"items":[],"next":"[{"})").empty());
    BOOST_TEST(json("[" + object + "]" + object).size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(the_kind_of_a_row_follows_from_its_values, Input)
{
    import_file::File file{
        file_with("address,hash,targets\na@b.example,x,\nc@b.example,,a@b.example\n"
                  "@b.example,,a@b.example\nd.example,,b.example\n")};
    import_csv::Source source{file};
    std::vector<Kind> kinds;
    for (Read read; source.next(read);) kinds.push_back(read.row.kind);
    BOOST_TEST((kinds == std::vector{Kind::mailbox, Kind::alias, Kind::alias, Kind::alias_domain}));
}

BOOST_DATA_TEST_CASE(a_bad_value_is_named_with_its_column, data::make(kBadValues), bad)
{
    try {
        import_values::mailbox_of(bad.row, hashes(), Config{});
        BOOST_ERROR("accepted");
    } catch (const import_values::Bad& refused) {
        BOOST_TEST(refused.column == bad.column);
        const std::string sentence{refused.what()};
        BOOST_TEST(sentence.find(bad.value) != std::string::npos, sentence);
        BOOST_TEST(sentence.size() < 300U, sentence);
        // A sentence goes into reports, so it never has a password.
        BOOST_TEST(sentence.find("'pq'") == std::string::npos, sentence);
    }
}

BOOST_AUTO_TEST_CASE(the_values_of_a_mailbox)
{
    const auto mailbox = import_values::mailbox_of({.address = "Al@B.Example",
                                                    .hash = "!" + kHash,
                                                    .quota = "0",
                                                    .created_at = "1317155062",
                                                    .aliases = "c@b.example, d@b.example"},
                                                   hashes(), Config{});
    BOOST_TEST(mailbox.address.ascii() == "al@b.example");
    BOOST_TEST(mailbox.hash == kHash);
    BOOST_TEST(mailbox.scheme == "SSHA");
    BOOST_TEST((mailbox.state == mailbox::State::no_login));
    BOOST_TEST((mailbox.quota == store::Quota{store::kNoQuota}));
    BOOST_TEST(mailbox.created_at == 1317155062);
    BOOST_TEST(mailbox.aliases.size() == 2U);
    const auto bare = import_values::mailbox_of({.address = "a@b.example"}, hashes(), Config{});
    BOOST_TEST(!bare.quota.has_value());
    BOOST_TEST(!bare.state.has_value());
    BOOST_TEST(bare.needs_password);
}

BOOST_AUTO_TEST_CASE(a_hash_that_dovecot_cannot_verify_may_be_replaced)
{
    auto how = hashes();
    const import_row::Row row{.address = "a@b.example", .hash = "$pbkdf2-sha256$29000$a$b"};
    BOOST_CHECK_THROW(import_values::mailbox_of(row, how, Config{}), import_values::Bad);
    how.makes_passwords = true;
    const auto mailbox = import_values::mailbox_of(row, how, Config{});
    BOOST_TEST(mailbox.needs_password);
    BOOST_TEST(!mailbox.lost_hash.empty());
}

BOOST_DATA_TEST_CASE(a_date_has_several_forms, data::make(kTimes), row)
{
    BOOST_TEST(import_values::time_of(row.text).value_or(-1) == row.seconds);
}

// The rows come in order, whether or not a thread reads them.
BOOST_FIXTURE_TEST_CASE(rows_are_read_in_batches, Input)
{
    std::string csv = "address,password\n", json;
    for (int i = 0; i < 250; ++i) {
        const auto name = "u" + std::to_string(i) + "@a.org";
        csv += name + (i < 5 ? ",secret\n" : ",\n");
        json += "{\"address\":\"" + name + "\"}\n";
    }
    const auto read = [](import_row::Source& source) {
        import_ahead::Reader reader{source, 100, 3,
                                    [](const Read& row) {
            return import_check::Parsed{.problem = {.line = row.row.line}};
                                    }};
        Strings all;
        std::int64_t next = 0;
        for (import_ahead::Batch batch; reader.next(batch);) {
            all.push_back(std::to_string(batch.rows.size()));
            BOOST_TEST(batch.parsed.size() == batch.rows.size());
            for (std::size_t i = 0; i < batch.rows.size(); ++i) {
                const auto& row = batch.rows[i].row;
                BOOST_REQUIRE(row.address == "u" + std::to_string(next++) + "@a.org");
                BOOST_REQUIRE(batch.parsed[i].problem.line == row.line);
            }
        }
        return all;
    };
    import_file::File csv_file{folder.write("a.csv", csv)}, json_file{folder.write("a.json", json)};
    import_csv::Source of_csv{csv_file};
    import_json::Source of_json{json_file};
    for (int pass = 0; pass < 2; ++pass) {
        BOOST_TEST(read(of_csv) == (Strings{"3", "100", "100", "47"}),
                   boost::test_tools::per_element());
        BOOST_TEST(read(of_json) == (Strings{"100", "100", "50"}),
                   boost::test_tools::per_element());
    }
    // A reader that is not read to its end.
    import_ahead::Batch batch;
    BOOST_TEST((import_ahead::Reader{of_csv, 10, 3}.next(batch)));
    BOOST_TEST(batch.parsed.empty());
}

// What the source throws reaches the caller, after the rows before it.
BOOST_AUTO_TEST_CASE(a_source_that_breaks_off)
{
    struct Broken : import_row::Source {
        void rewind() override { rows = 0; }
        bool next(Read& /*read*/) override
        {
            if (++rows > 15) throw admin::Refused("it is broken");
            return true;
        }
        double progress() const override { return 0; }
        bool may_be_read_ahead() const override { return true; }
        std::string bad_heading() const override { return {}; }
        std::string bad_record(const Read& /*read*/,
                               const import_row::Problem& /*problem*/) const override
        {
            return {};
        }
        int rows = 0;
    } source;
    import_ahead::Reader reader{source, 10, 3};
    import_ahead::Batch batch;
    BOOST_TEST(reader.next(batch));
    BOOST_CHECK_THROW(reader.next(batch), admin::Refused);
}

BOOST_AUTO_TEST_SUITE_END()
