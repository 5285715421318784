// http_test.cc - how a request line becomes decoded segments; nothing is decoded twice.

#include "base/strings.h"
#include "mailboxd/http.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>

#include "support/support.h"

namespace data = boost::unit_test::data;
using support::bytes;
using support::complaint;

namespace {

using Strings = std::vector<std::string>;

http::Request parsed(std::string_view target)
{
    http::Raw raw;
    raw.target = target;
    return http::parse(std::move(raw));
}

struct Target : support::Row {
    std::string target;
    Strings path;
    std::string query = {};
};

const Target kTargets[] = {
    {"the collection", "/example.org/mailboxes", {"example.org", "mailboxes"}},
    {"a mailbox", "/example.org/mailboxes/alice", {"example.org", "mailboxes", "alice"}},
    {"a version is a segment like others here",
     "/v3/example.org/mailboxes",
     {"v3", "example.org", "mailboxes"}},
    {"an empty segment stays, and does not match",
     "//example.org/mailboxes",
     {"", "example.org", "mailboxes"}},
    {"a slash at the end", "/example.org/mailboxes/", {"example.org", "mailboxes", ""}},
    {"the root", "/", {""}},
    {"dots are names here, not directions", "/a/../b/.", {"a", "..", "b", "."}},
    {"an encoded dot is no direction either", "/a/%2E%2e/b", {"a", "..", "b"}},
    {"an encoded @", "/e.org/mailboxes/alice%40e.org", {"e.org", "mailboxes", "alice@e.org"}},
    {"a raw @", "/e.org/mailboxes/alice@e.org", {"e.org", "mailboxes", "alice@e.org"}},
    {"encoded letters, digits of both cases", "/%61%4A%4a", {"aJJ"}},
    {"decoded once, not twice", "/%2561lice", {"%61lice"}},
    {"a plus is a plus in a path", "/a+b%2Bc", {"a+b+c"}},
    {"an encoded space", "/a%20b", {"a b"}},
    {"raw UTF-8", "/\xC3\xA9", {"\xC3\xA9"}},
    {"encoded UTF-8", "/%C3%A9", {"\xC3\xA9"}},
    {"a control character is somebody else's to refuse", "/a%01", {bytes("a\x01")}},
    {"a query", "/a?limit=1&skip=2", {"a"}, "limit=1&skip=2"},
    {"a query is not decoded yet", "/a?x=%zz", {"a"}, "x=%zz"},
    {"a second question mark is the query's", "/a?x=?", {"a"}, "x=?"},
    {"slashes after the question mark are the query's", "/a?/b/c", {"a"}, "/b/c"},
    {"a question mark with nothing after it", "/a?", {"a"}},
    {"an encoded question mark is the segment's", "/a%3Fx=1", {"a?x=1"}},
    {"the root with a query", "/?a", {""}, "a"},
};

struct BadTarget : support::Row {
    std::string target;
    std::string complaint;
};

const BadTarget kBadTargets[] = {
    {"nothing", "", "400 bad_path"},
    {"only a query", "?x=1", "400 bad_path"},
    {"not absolute", "example.org/mailboxes", "400 bad_path"},
    {"the whole server", "*", "400 bad_path"},
    {"a proxy's form", "http://example.org/mailboxes", "400 bad_path"},
    {"an encoded slash would be two segments to somebody", "/a%2Fb", "400 bad_path"},
    {"an encoded slash in lower case", "/a%2fb", "400 bad_path"},
    {"an encoded NUL would end C text", "/alice%00", "400 bad_path"},
    {"a raw NUL", bytes("/al\0ice"), "400 bad_path"},
    {"a percent sign at the end", "/a%", "400 bad_encoding"},
    {"one digit at the end", "/a%4", "400 bad_encoding"},
    {"one digit in front of a slash", "/a%4/b", "400 bad_encoding"},
    {"no hexadecimal digits", "/a%zz", "400 bad_encoding"},
    {"one hexadecimal digit", "/a%4g", "400 bad_encoding"},
    {"a sign is no digit", "/a%+1", "400 bad_encoding"},
    {"a space is no digit", "/a% 1", "400 bad_encoding"},
    {"the %u form is in no standard", "/a%u0041", "400 bad_encoding"},
    {"an overlong slash", "/a%C0%AFb", "400 bad_path"},
    {"an overlong NUL", "/a%C0%80", "400 bad_path"},
    {"a surrogate", "/%ED%A0%80", "400 bad_path"},
    {"Latin-1", "/caf%E9", "400 bad_path"},
    {"a character split over two segments", "/%C3/%A9", "400 bad_path"},
    {"a fault in the last of many segments", "/a/b/c/%", "400 bad_encoding"},
};

struct Encoded : support::Row {
    std::string text;
    http::Plus plus;
    std::string decoded;
};

const Encoded kEncoded[] = {
    {"nothing", "", http::Plus::is_space, ""},
    {"plain", "abc", http::Plus::is_space, "abc"},
    {"plus in a form", "a+b", http::Plus::is_space, "a b"},
    {"plus in a path", "a+b", http::Plus::is_plus, "a+b"},
    {"an encoded plus in a form", "a%2Bb", http::Plus::is_space, "a+b"},
    {"NUL is a byte like others here", "a%00b", http::Plus::is_space, bytes("a\0b")},
    {"any byte", "%FF%80%01", http::Plus::is_plus, "\xFF\x80\x01"},
    {"decoded once", "%2525", http::Plus::is_space, "%25"},
    {"the last three bytes", "a%41", http::Plus::is_space, "aA"},
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

struct Form : support::Row {
    std::string text;
    Pairs fields;
};

const Form kForms[] = {
    {"nothing", "", {}},
    {"one", "a=1", {{"a", "1"}}},
    {"two", "a=1&b=2", {{"a", "1"}, {"b", "2"}}},
    {"the same twice, in order", "a=2&a=1", {{"a", "2"}, {"a", "1"}}},
    {"an empty value", "a=", {{"a", ""}}},
    {"no value", "a", {{"a", ""}}},
    {"no name", "=1", {{"", "1"}}},
    {"superfluous ampersands", "&&a=1&&b=2&", {{"a", "1"}, {"b", "2"}}},
    {"the first = divides", "a=1=2", {{"a", "1=2"}}},
    {"a semicolon does not divide", "a=1;b=2", {{"a", "1;b=2"}}},
    {"name and value are decoded", "%61+b=%3D+%26", {{"a b", "= &"}}},
    {"an encoded & does not divide", "a=1%26b=2", {{"a", "1&b=2"}}},
    {"an encoded = does not divide", "a%3D1", {{"a=1", ""}}},
    {"NUL stays", "a=%001", {{"a", bytes("\0001")}}},
    {"line ends stay", "a=1\r\n", {{"a", "1\r\n"}}},
};

struct Utf8 : support::Row {
    std::string text;
};

const Utf8 kUtf8[] = {
    {"nothing", ""},
    {"ASCII", "alice"},
    {"NUL", bytes("\0")},
    {"U+007F, the last of one byte", "\x7F"},
    {"U+0080, the first of two", "\xC2\x80"},
    {"U+07FF, the last of two", "\xDF\xBF"},
    {"U+0800, the first of three", "\xE0\xA0\x80"},
    {"U+D7FF, below the surrogates", "\xED\x9F\xBF"},
    {"U+E000, above the surrogates", "\xEE\x80\x80"},
    {"U+FFFF, the last of three", "\xEF\xBF\xBF"},
    {"U+10000, the first of four", "\xF0\x90\x80\x80"},
    {"U+10FFFF, the last", "\xF4\x8F\xBF\xBF"},
    {"several in a row", "p\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80w"},
};

const Utf8 kNotUtf8[] = {
    {"NUL in two bytes", "\xC0\x80"},
    {"a slash in two bytes", "\xC0\xAF"},
    {"U+007F in two bytes", "\xC1\xBF"},
    {"U+0000 in three bytes", "\xE0\x80\x80"},
    {"U+07FF in three bytes", "\xE0\x9F\xBF"},
    {"U+0000 in four bytes", "\xF0\x80\x80\x80"},
    {"U+FFFF in four bytes", "\xF0\x8F\xBF\xBF"},
    {"U+D800, the first surrogate", "\xED\xA0\x80"},
    {"U+DFFF, the last surrogate", "\xED\xBF\xBF"},
    {"a pair of surrogates (CESU-8)", "\xED\xA0\xBD\xED\xB8\x80"},
    {"U+110000, after the last", "\xF4\x90\x80\x80"},
    {"five bytes", "\xF8\x88\x80\x80\x80"},
    {"FE", "\xFE"},
    {"FF", "\xFF"},
    {"a continuation without a lead", "\x80"},
    {"one continuation too many", "\xC3\xA9\xA9"},
    {"two bytes cut short", "\xC3"},
    {"three bytes cut short", "\xE2\x82"},
    {"four bytes cut short", "\xF0\x9F\x98"},
    {"a lead in front of ASCII", "\xC3(a"},
    {"a lead in front of a lead", "\xC3\xC3\xA9"},
    {"Latin-1", "caf\xE9"},
};

struct Reason {
    int status;
    const char* phrase;
};
std::ostream& operator<<(std::ostream& out, const Reason& row)
{
    return out << row.status;
}

const Reason kReasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(http)

BOOST_DATA_TEST_CASE(a_target, data::make(kTargets), row)
{
    const auto request = parsed(row.target);
    BOOST_TEST(request.path == row.path, boost::test_tools::per_element());
    BOOST_TEST(request.query == row.query);
}

BOOST_DATA_TEST_CASE(a_target_is_refused, data::make(kBadTargets), row)
{
    BOOST_TEST(complaint([&] { parsed(row.target); }) == row.complaint);
}

BOOST_AUTO_TEST_CASE(the_rest_is_passed_on)
{
    const auto request = http::parse({.method = "PUT",
                                      .target = "/a",
                                      .authorization = "Basic x",
                                      .content_type = "t/t",
                                      .content_encoding = "gzip",
                                      .client = "192.0.2.1",
                                      .body = Secret{"body"}});
    BOOST_TEST(request.method == "PUT");
    BOOST_TEST(request.authorization == "Basic x");
    BOOST_TEST(request.content_type == "t/t");
    BOOST_TEST(request.content_encoding == "gzip");
    BOOST_TEST(request.client == "192.0.2.1");
    BOOST_TEST(request.body.text() == "body");
}

BOOST_DATA_TEST_CASE(percent_decoding, data::make(kEncoded), row)
{
    BOOST_TEST(http::percent_decoded(row.text, row.plus, "body").text() == row.decoded);
}

BOOST_AUTO_TEST_CASE(every_byte_can_be_encoded)
{
    constexpr char kDigits[] = "0123456789aBcDeF";
    for (int byte = 0; byte < 256; ++byte) {
        const std::string encoded{'%', kDigits[byte / 16], kDigits[byte % 16]};
        const std::string decoded(1, static_cast<char>(byte));
        BOOST_TEST(http::percent_decoded(encoded, http::Plus::is_space, "body").text() == decoded,
                   encoded);
    }
}

BOOST_AUTO_TEST_CASE(the_sentence_says_where_the_encoding_is_wrong)
{
    BOOST_CHECK_EXCEPTION(http::percent_decoded("%", http::Plus::is_space, "query string"),
                          http::Error,
                          [](const http::Error& error) {
        return std::string{error.what()}.find("query string") != std::string::npos;
    });
}

BOOST_DATA_TEST_CASE(urlencoded, data::make(kForms), row)
{
    http::Fields fields;
    http::parse_urlencoded(row.text, "body", fields);
    BOOST_TEST_REQUIRE(fields.size() == row.fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
        BOOST_TEST(fields[i].first == row.fields[i].first);
        BOOST_TEST(fields[i].second.text() == row.fields[i].second);
    }
}

BOOST_DATA_TEST_CASE(urlencoded_is_refused, data::make({"a=%", "a=%4", "%zz=1", "a=1&b=%g0"}), text)
{
    http::Fields fields;
    BOOST_TEST(complaint([&] { http::parse_urlencoded(text, "body", fields); })
               == "400 bad_encoding");
}

BOOST_AUTO_TEST_CASE(urlencoded_adds_to_what_is_there)
{
    http::Fields fields;
    http::parse_urlencoded("a=1", "query string", fields);
    http::parse_urlencoded("a=2", "body", fields);
    BOOST_TEST(fields.size() == 2U);
}

BOOST_DATA_TEST_CASE(this_is_utf8, data::make(kUtf8), row)
{
    BOOST_TEST(strings::is_utf8(row.text));
}

BOOST_DATA_TEST_CASE(this_is_no_utf8, data::make(kNotUtf8), row)
{
    BOOST_TEST(!strings::is_utf8(row.text));
    BOOST_TEST(!strings::is_utf8("ok" + row.text));
    BOOST_TEST(!strings::is_utf8(row.text + "ok"));
}

// Of all texts of three bytes, exactly as many are UTF-8 as there are valid encodings.
BOOST_AUTO_TEST_CASE(of_three_bytes_just_the_right_ones_are_utf8)
{
    constexpr int kOne = 128;
    constexpr int kTwo = 0x800 - 0x80;
    constexpr int kThree = 0x10000 - 0x800 - 0x800;  // without the surrogates
    int count = 0;
    std::string text(3, '\0');
    for (std::uint32_t i = 0; i < 1U << 24; ++i) {
        text[0] = static_cast<char>(i >> 16);
        text[1] = static_cast<char>(i >> 8);
        text[2] = static_cast<char>(i);
        count += strings::is_utf8(text) ? 1 : 0;
    }
    BOOST_TEST(count == kOne * kOne * kOne + 2 * kOne * kTwo + kThree);
}

BOOST_AUTO_TEST_CASE(every_code_point_of_four_bytes_is_utf8)
{
    for (std::uint32_t point = 0x10000; point < 0x110000; ++point) {
        const std::string text{static_cast<char>(0xF0 | point >> 18),
                               static_cast<char>(0x80 | (point >> 12 & 0x3F)),
                               static_cast<char>(0x80 | (point >> 6 & 0x3F)),
                               static_cast<char>(0x80 | (point & 0x3F))};
        if (!strings::is_utf8(text)) BOOST_ERROR("U+" << std::hex << point);
    }
}

BOOST_AUTO_TEST_CASE(only_ascii_has_a_case)
{
    BOOST_TEST(strings::lower_case("AZ@[`az{09\xC3\x84") == "az@[`az{09\xC3\x84");
    BOOST_TEST(strings::equals_ignoring_case("Basic", "bASIC"));
    BOOST_TEST(strings::equals_ignoring_case("", ""));
    BOOST_TEST(!strings::equals_ignoring_case("Basic", "Basi"));
    BOOST_TEST(!strings::equals_ignoring_case("Basi", "Basic"));
    BOOST_TEST(!strings::equals_ignoring_case("@", "`"));
    BOOST_TEST(!strings::equals_ignoring_case("\xC3\x84", "\xC3\xA4"));
}

BOOST_AUTO_TEST_CASE(trimming_leaves_what_is_inside)
{
    BOOST_TEST(strings::trimmed(" \ta b\t ") == "a b");
    BOOST_TEST(strings::trimmed("a") == "a");
    BOOST_TEST(strings::trimmed("") == "");
    BOOST_TEST(strings::trimmed(" \t ") == "");
    BOOST_TEST(strings::trimmed("a\r\n") == "a\r\n");
}

BOOST_AUTO_TEST_CASE(a_header_to_the_byte)
{
    BOOST_TEST(http::cgi_header({.body = "{}\n"})
               == "Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n");
    BOOST_TEST(
        http::cgi_header({.status = 405, .body = "", .extra_header = "Allow: PUT, DELETE"})
        == "Status: 405 Method Not Allowed\r\nContent-Type: application/json\r\nContent-Length: 0\r\n"
           "Allow: PUT, DELETE\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(the_length_counts_bytes)
{
    const auto text = http::cgi_header({.body = bytes("\xC3\xA9\0x")});
    BOOST_TEST(text.find("Content-Length: 4\r\n") != std::string::npos);
}

BOOST_DATA_TEST_CASE(every_status_has_its_phrase, data::make(kReasons), row)
{
    const auto expected = "Status: " + std::to_string(row.status) + " " + row.phrase + "\r\n";
    BOOST_TEST(http::cgi_header({.status = row.status, .body = ""}).substr(0, expected.size())
               == expected);
}

namespace {

struct Trace : support::Row {
    std::string header;
    std::string id;
};

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const Trace kTraces[] = {
    {"as in the standard", "00-" + kTrace + "-00f067aa0ba902b7-01", kTrace},
    {"a later version with more", "01-" + kTrace + "-00f067aa0ba902b7-01-more", kTrace},
    {"none", "", ""},
    {"too short", "00-" + kTrace + "-00f067aa0ba902b7-0", ""},
    {"more than version 00 has", "00-" + kTrace + "-00f067aa0ba902b7-01-more", ""},
    {"a later version without a hyphen", "01-" + kTrace + "-00f067aa0ba902b7-01more", ""},
    {"the forbidden version", "ff-" + kTrace + "-00f067aa0ba902b7-01", ""},
    {"no version", "0x-" + kTrace + "-00f067aa0ba902b7-01", ""},
    {"capitals", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", ""},
    {"only zeros", "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01", ""},
    {"a parent of zeros", "00-" + kTrace + "-" + std::string(16, '0') + "-01", ""},
    {"a quote", "00-" + std::string(31, 'a') + "\"-00f067aa0ba902b7-01", ""},
};

}  // namespace

BOOST_DATA_TEST_CASE(the_id_of_a_trace, data::make(kTraces), row)
{
    BOOST_TEST(http::trace_id(row.header) == row.id);
}

BOOST_AUTO_TEST_SUITE_END()
