// json_test.cc - strict reading (RFC 8259, and nothing that cJSON takes beside it); writing to the
// byte.

#include "base/json.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <ctime>
#include <limits>

#include "mailboxd/answers.h"
#include "mailboxd/form.h"
#include "support/support.h"

namespace data = boost::unit_test::data;
using support::bytes;
using support::complaint;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs fields_of(std::string_view text, form::Arrays arrays = form::Arrays::allowed)
{
    http::Fields fields;
    form::parse_json(text, arrays, fields);
    Pairs pairs;
    for (const auto& [name, value] : fields) {
        if (name == "mailbox" || name == "password") pairs.emplace_back(name, value.text());
    }
    return pairs;
}

struct Text : support::Row {
    std::string text;
};

// Each stands as the value of a member that we do not know.
const Text kValues[] = {
    {"zero", "0"},
    {"minus zero", "-0"},
    {"digits", "1234567890"},
    {"a fraction", "1.05"},
    {"an exponent", "1e5"},
    {"an exponent with a sign", "1E+05"},
    {"a negative exponent", "-0.5e-5"},
    {"larger than a double", "1e999"},
    {"more digits than a double has", "123456789012345678901234567890"},
    {"more digits than cJSON has room for", std::string(70, '1')},
    {"more of a fraction than cJSON has room for", "0." + std::string(70, '1')},
    {"true", "true"},
    {"false", "false"},
    {"null", "null"},
    {"an empty string", R"("")"},
    {"every short escape", R"("\"\\\/\b\f\n\r\t")"},
    {"a hexadecimal escape in both cases", R"("\u00e9\u00E9")"},
    {"a pair of surrogates", R"("\ud83d\ude00")"},
    {"raw UTF-8", "\"\xC3\xA9\xF0\x9F\x98\x80\""},
    {"DEL is no control character to JSON", "\"\x7F\""},
    {"an empty array", "[]"},
    {"an array", "[1, \"2\", [3]]"},
    {"an empty object", "{}"},
    {"objects in arrays in objects", R"({"a":[{"b":{}}]})"},
    {"every kind of space", " \t\r\n[ \t\r\n1 \t\r\n, \t\r\n2 \t\r\n] \t\r\n"},
    {"ten deep", std::string(10, '[') + std::string(10, ']')},
};

const Text kBadValues[] = {
    {"nothing", ""},
    {"a leading zero", "01"},
    {"a negative leading zero", "-01"},
    {"a minus", "-"},
    {"a plus", "+1"},
    {"no digit before the point", ".5"},
    {"no digit after the point", "1."},
    {"no digit in the exponent", "1e"},
    {"no digit after the exponent's sign", "1e+"},
    {"two signs in the exponent", "1e+-5"},
    {"hexadecimal", "0x1"},
    {"NaN", "NaN"},
    {"infinity", "Infinity"},
    {"half a word", "tru"},
    {"a word with a capital", "True"},
    {"a word with a tail", "nullx"},
    {"undefined", "undefined"},
    {"a bare word", "alice"},
    {"single quotes", "'a'"},
    {"an open string", "\"a"},
    {"an escape that there is not", R"("\x41")"},
    {"an escape of nothing", "\"\\"},
    {"three hexadecimal digits", R"("\u00e")"},
    {"no hexadecimal digit", R"("\u00eg")"},
    {"a capital U", R"("\U00e9")"},
    {"a raw line feed in a string", "\"a\nb\""},
    {"a raw tab in a string", "\"a\tb\""},
    {"the last control character", "\"\x1F\""},
    {"a raw NUL in a string", bytes("\"a\0b\"")},
    {"an escaped NUL would end C text", R"("a\u0000b")"},
    {"a high surrogate alone", R"("\ud800")"},
    {"a low surrogate alone", R"("\udc00")"},
    {"a high surrogate in front of a letter", R"("\ud800\u0041")"},
    {"surrogates the wrong way round", R"("\ude00\ud83d")"},
    {"Latin-1", "\"caf\xE9\""},
    {"an overlong slash", "\"\xC0\xAF\""},
    {"a raw surrogate", "\"\xED\xA0\x80\""},
    {"a comma at the end of an array", "[1,]"},
    {"a comma alone", "[,]"},
    {"no comma", "[1 2]"},
    {"an open array", "[1"},
    {"the other bracket", "[1}"},
    {"a comma at the end of an object", R"({"a":1,})"},
    {"no colon", R"({"a" 1})"},
    {"no value", R"({"a":})"},
    {"no name", "{1:2}"},
    {"a name without quotes", "{a:1}"},
    {"a vertical tab is no space", "\v1"},
    {"a form feed is no space", "\f1"},
    {"a no-break space is no space", "\xC2\xA0"
                                     "1"},
    {"a comment", "/* */ 1"},
    {"a thousand deep", std::string(1000, '[') + std::string(1000, ']')},
};

const Text kBadTexts[] = {
    {"nothing but space", " "},
    {"an open object", "{"},
    {"a closed object", "}"},
    {"a tail", "{} x"},
    {"a second object", "{}{}"},
    {"a comma after it", "{},"},
    {"a NUL after it", bytes("{}\0")},
    {"a byte order mark", "\xEF\xBB\xBF{}"},
    {"invalid UTF-8 after it", "{}\xFF"},
    {"a string", R"("alice")"},
    {"a number", "1"},
    {"null", "null"},
    {"a member twice", R"({"mailbox":"a","mailbox":"b"})"},
    {"a member twice, once escaped", R"({"mailbox":"a","m\u0061ilbox":"b"})"},
    {"an unknown member twice", R"({"x":1,"x":1})"},
    {"a number as password", R"({"mailbox":"a","password":12345})"},
    {"null as password", R"({"password":null})"},
    {"true as mailbox", R"({"mailbox":true})"},
    {"an array as mailbox", R"({"mailbox":["a"]})"},
    {"an object as mailbox", R"({"mailbox":{}})"},
    {"an array of strings", R"(["alice"])"},
    {"an array of arrays", R"([[{"mailbox":"a","password":"b"}]])"},
    {"an array with an empty object", "[{}]"},
    {"an entry without password", R"([{"mailbox":"a"}])"},
    {"an entry without mailbox", R"([{"password":"a"}])"},
    {"the last entry without password", R"([{"mailbox":"a","password":"b"},{"mailbox":"c"}])"},
    {"a member twice in an entry", R"([{"mailbox":"a","mailbox":"a","password":"b"}])"},
    {"null among the entries", R"([{"mailbox":"a","password":"b"},null])"},
};

struct Read : support::Row {
    std::string text;
    Pairs fields;
};

const Read kRead[] = {
    {"an empty object", "{}", {}},
    {"both",
     R"({"mailbox":"alice","password":"secret"})",
     {{"mailbox", "alice"}, {"password", "secret"}}},
    {"with space around", " \r\n{ \"mailbox\" : \"a\" }\n", {{"mailbox", "a"}}},
    {"an empty string", R"({"mailbox":""})", {{"mailbox", ""}}},
    {"escapes",
     R"({"password":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"})",
     {{"password", "\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80"}}},
    {"an escaped name", R"({"m\u0061ilbox":"a"})", {{"mailbox", "a"}}},
    {"names have a case", R"({"mailbox":"a","Mailbox":"b","MAILBOX":1})", {{"mailbox", "a"}}},
    {"ours inside another's is not ours", R"({"x":{"mailbox":"a","mailbox":"b"}})", {}},
    {"unknown members of any kind",
     R"({"x":1,"mailbox":"a","y":null,"z":[{}]})",
     {{"mailbox", "a"}}},
    {"an empty array", "[]", {}},
    {"an array, in order",
     R"([{"mailbox":"a","password":"1"},{"password":"2","mailbox":"b","x":0}])",
     {{"mailbox", "a"}, {"password", "1"}, {"password", "2"}, {"mailbox", "b"}}},
};

struct Date : support::Row {
    std::int64_t seconds;
    const char* text;
};

const Date kDates[] = {
    {"the documentation's first", 1'317'155'062, "Tue, 27 Sep 2011 20:24:22 GMT"},
    {"the documentation's second, a two-digit day", 1'317'896'556, "Thu, 06 Oct 2011 10:22:36 GMT"},
    {"the beginning", 0, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {"the last second of a year", 1'735'689'599, "Tue, 31 Dec 2024 23:59:59 GMT"},
    {"a leap day", 1'709'164'800, "Thu, 29 Feb 2024 00:00:00 GMT"},
    {"beyond 32 bits", 4'102'444'800, "Fri, 01 Jan 2100 00:00:00 GMT"},
    {"a Sunday in March", 1'711'846'800, "Sun, 31 Mar 2024 01:00:00 GMT"},
    {"a Monday in April", 1'711'929'600, "Mon, 01 Apr 2024 00:00:00 GMT"},
    {"a Wednesday in May", 1'714'521'600, "Wed, 01 May 2024 00:00:00 GMT"},
    {"a Saturday in June", 1'717'200'000, "Sat, 01 Jun 2024 00:00:00 GMT"},
};

constexpr auto kGreatest = std::numeric_limits<std::int64_t>::max();

}  // namespace

BOOST_AUTO_TEST_SUITE(json)

BOOST_DATA_TEST_CASE(a_value_that_we_do_not_know, data::make(kValues), row)
{
    const auto text = R"({"x":)" + row.text + R"(,"mailbox":"a"})";
    BOOST_TEST(complaint([&] { fields_of(text); }) == "accepted");
}

BOOST_DATA_TEST_CASE(a_value_is_refused, data::make(kBadValues), row)
{
    BOOST_TEST(complaint([&] { fields_of(R"({"x":)" + row.text + "}"); }) == "400 bad_json");
}

BOOST_DATA_TEST_CASE(a_text_is_refused, data::make(kBadTexts), row)
{
    BOOST_TEST(complaint([&] { fields_of(row.text); }) == "400 bad_json");
}

BOOST_DATA_TEST_CASE(a_text_is_read, data::make(kRead), row)
{
    const auto fields = fields_of(row.text);
    BOOST_TEST_REQUIRE(fields.size() == row.fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
        BOOST_TEST(fields[i].first == row.fields[i].first);
        BOOST_TEST(fields[i].second == row.fields[i].second);
    }
}

BOOST_AUTO_TEST_CASE(cut_short_anywhere_is_refused)
{
    const std::string text = R"([{"mailbox":"a\u00e9","password":"b","x":[1.5e3,true]}])";
    BOOST_TEST(complaint([&] { fields_of(text); }) == "accepted");
    for (std::size_t size = 0; size < text.size(); ++size) {
        BOOST_TEST(complaint([&] { fields_of(text.substr(0, size)); }) == "400 bad_json",
                   text.substr(0, size));
    }
}

BOOST_DATA_TEST_CASE(depth_of_a_whole_body_is_refused, data::make({"[", "{\"a\":", "[{\"a\":"}),
                     open)
{
    std::string text;
    while (text.size() < 65'000) text += open;
    BOOST_TEST(complaint([&] { fields_of(text); }) == "400 bad_json");
}

BOOST_AUTO_TEST_CASE(an_array_only_where_it_is_allowed)
{
    const std::string text = R"([{"mailbox":"a","password":"b"}])";
    BOOST_TEST(complaint([&] { fields_of(text, form::Arrays::allowed); }) == "accepted");
    BOOST_TEST(complaint([&] { fields_of(text, form::Arrays::refused); }) == "400 bad_json");
    BOOST_TEST(complaint([&] { fields_of("{}", form::Arrays::refused); }) == "accepted");
}

BOOST_AUTO_TEST_CASE(the_sentence_names_the_member)
{
    BOOST_CHECK_EXCEPTION(fields_of(R"({"password":1})"), http::Error,
                          [](const http::Error& error) {
        return std::string{error.what()}.find("'password'") != std::string::npos;
    });
}

BOOST_AUTO_TEST_CASE(an_object_of_anything)
{
    BOOST_TEST(json::object({}) == "{}\n");
    BOOST_TEST(
        json::object({{"text", "a \"b\""},
                      {"number", 9'007'199'254'740'993},
                      {"nothing", {}},
                      {"below", std::int64_t{-1}}})
        == "{\"text\":\"a \\\"b\\\"\",\"number\":9007199254740993,\"nothing\":null,\"below\":-1}\n");
}

BOOST_AUTO_TEST_CASE(a_text_in_quotes)
{
    BOOST_TEST(json::quoted("a \"b\" \\") == "\"a \\\"b\\\" \\\\\"");
    BOOST_TEST(json::quoted("") == "\"\"");
}

BOOST_AUTO_TEST_CASE(anything_is_read)
{
    const auto read =
        json::parse(R"( [["word", {"name": "text", "list": [1, -23], "nothing": null}]] )");
    BOOST_TEST_REQUIRE(read.has_value());
    const auto& inner = read->members.at(0).value.members;
    BOOST_TEST_REQUIRE(inner.size() == 2U);
    BOOST_TEST(inner[0].name.empty());
    BOOST_TEST(inner[0].value.text == "word");
    const auto& members = inner[1].value.members;
    BOOST_TEST_REQUIRE(members.size() == 3U);
    BOOST_TEST(members[0].name == "name");
    BOOST_TEST(members[0].value.text == "text");
    BOOST_TEST(members[1].value.members.at(0).value.text == "1");
    BOOST_TEST(members[1].value.members.at(1).value.text == "-23");
    BOOST_TEST(members[2].value.text.empty());
    BOOST_TEST(json::parse("[]").has_value());
}

BOOST_DATA_TEST_CASE(what_is_no_json_is_not_read,
                     data::make({"", "[", "[]]", "{\"a\"}", "nothing", "[\"\xFF\"]"}), text)
{
    BOOST_TEST(!json::parse(text).has_value());
}

BOOST_AUTO_TEST_CASE(answers_to_the_byte)
{
    BOOST_TEST(answers::message("Password changed") == "{\"message\":\"Password changed\"}\n");
    BOOST_TEST(answers::error("Not found", "not_found")
               == "{\"message\":\"Not found\",\"code\":\"not_found\"}\n");
    BOOST_TEST(answers::deleted("Mailbox has been deleted", "alice@example.org")
               == "{\"message\":\"Mailbox has been deleted\",\"spec\":\"alice@example.org\"}\n");
}

BOOST_AUTO_TEST_CASE(a_list_to_the_byte)
{
    BOOST_TEST(answers::listing(0, {}, "example.org") == "{\"total_count\":0,\"items\":[]}\n");
    BOOST_TEST(
        answers::listing(2, {{"postmaster", 1'317'155'062, 0}, {"user", 1'317'896'556, 12}},
                         "samples.mailgun.org")
        == "{\"total_count\":2,\"items\":["
           "{\"size_bytes\":0,\"created_at\":\"Tue, 27 Sep 2011 20:24:22 GMT\",\"mailbox\":\"postmaster@samples.mailgun.org\"},"
           "{\"size_bytes\":12,\"created_at\":\"Thu, 06 Oct 2011 10:22:36 GMT\",\"mailbox\":\"user@samples.mailgun.org\"}]}\n");
}

BOOST_AUTO_TEST_CASE(a_list_of_credentials_to_the_byte)
{
    const auto as = mailbox::As::credentials;
    BOOST_TEST(answers::listing(0, {}, "example.org", as) == "{\"total_count\":0,\"items\":[]}\n");
    const std::string longest(64, 'x');
    BOOST_TEST(
        answers::listing(kGreatest, {{longest, 1'317'155'062, kGreatest}, {"u", 1'317'896'556, 12}},
                         "b.example", as)
        == "{\"total_count\":9223372036854775807,\"items\":["
           "{\"size_bytes\":9223372036854775807,\"created_at\":\"Tue, 27 Sep 2011 20:24:22 GMT\",\"mailbox\":\""
               + longest + "@b.example\",\"login\":\"" + longest
               + "@b.example\"},"
                 "{\"size_bytes\":12,\"created_at\":\"Thu, 06 Oct 2011 10:22:36 GMT\",\"mailbox\":\"u@b.example\",\"login\":\"u@b.example\"}]}\n");
}

BOOST_AUTO_TEST_CASE(passwords_that_were_made)
{
    BOOST_TEST(
        answers::generated("Done", {{"a@b", "secret"}, {"it's@b", "other"}})
        == "{\"message\":\"Done\",\"note\":\"Keep these passwords: they are not shown again.\","
           "\"credentials\":{\"a@b\":\"secret\",\"it's@b\":\"other\"}}\n");
    BOOST_TEST(json::object({{"message", "Done"}, {"count", kGreatest}})
               == "{\"message\":\"Done\",\"count\":9223372036854775807}\n");
}

// The day is written once for neighbours that share it.
BOOST_AUTO_TEST_CASE(rows_of_one_day_and_of_the_next)
{
    constexpr std::int64_t kMidnight = 1'317'168'000;
    std::vector<mailbox::Mailbox> items;
    for (const auto time :
         {kMidnight - 1, kMidnight, kMidnight + 86'399, kMidnight + 86'400, kMidnight,
          std::int64_t{0}, std::int64_t{-1}, std::int64_t{-86'400}, std::int64_t{-86'401}}) {
        items.push_back({"a", time, 0});
    }
    auto text = answers::listing(9, items, "b.example");
    for (const auto& item : items) {
        const auto date = "\"created_at\":\"" + answers::date(item.created_at) + "\"";
        const auto place = text.find("\"created_at\"");
        BOOST_TEST(text.substr(place, date.size()) == date);
        text.erase(0, place + date.size());
    }
}

// A double has 53 bits, and cJSON writes 1e15 as 1e+15.
BOOST_DATA_TEST_CASE(a_number_is_written_whole,
                     data::make({std::int64_t{1'000'000'000'000'000}, (std::int64_t{1} << 53) + 1,
                                 kGreatest - 1, kGreatest}),
                     number)
{
    const auto text = answers::listing(number, {{"a", 0, number}}, "b");
    BOOST_TEST(text.find("\"total_count\":" + std::to_string(number) + ",") != std::string::npos,
               text);
    BOOST_TEST(text.find("\"size_bytes\":" + std::to_string(number) + ",") != std::string::npos,
               text);
}

BOOST_AUTO_TEST_CASE(text_is_escaped)
{
    BOOST_TEST(answers::message("\"\\/\b\f\n\r\t\x01\x7F\xC3\xA9")
               == "{\"message\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7F\xC3\xA9\"}\n");
}

// The characters that a local part may have, and that mean something to somebody.
BOOST_AUTO_TEST_CASE(an_address_is_not_escaped)
{
    BOOST_TEST(answers::deleted("m", "._-$&'=^`{|}~@e.org")
               == "{\"message\":\"m\",\"spec\":\"._-$&'=^`{|}~@e.org\"}\n");
}

BOOST_DATA_TEST_CASE(a_date, data::make(kDates), row)
{
    BOOST_TEST(answers::date(row.seconds) == row.text);
}

// The C library says the same in its own language, on every day of four years.
BOOST_AUTO_TEST_CASE(every_day_has_a_date)
{
    for (std::int64_t time = 1'700'000'000; time < 1'700'000'000 + 1461 * 86'400LL;
         time += 86'399) {
        const std::time_t seconds = time;
        std::tm utc{};
        ::gmtime_r(&seconds, &utc);
        char text[64];
        std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc);
        BOOST_TEST(answers::date(time) == text);
    }
}

BOOST_AUTO_TEST_SUITE_END()
