// form_test.cc - every kind of body that published clients send, and which bodies are refused.

#include "mailboxd/form.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "support/support.h"

namespace data = boost::unit_test::data;
using support::bytes;
using support::complaint;

namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs fields_of(std::string_view type, std::string_view body, std::string_view method = "POST")
{
    http::Raw raw;
    raw.method = method;
    raw.target = "/";
    raw.content_type = type;
    raw.body = Secret{body};
    const auto request = http::parse(std::move(raw));
    Pairs pairs;
    for (const auto& [name, value] : form::parse(request, mailbox::As::credentials))
        pairs.emplace_back(name, value.text());
    return pairs;
}

// What becomes of a body with this Content-Encoding.
std::string taken(std::string_view encoding, std::string_view body, std::string_view method)
{
    http::Raw raw;
    raw.method = method;
    raw.target = "/";
    raw.content_encoding = encoding;
    raw.body = Secret{body};
    const auto request = http::parse(std::move(raw));
    return complaint([&] { form::parse(request); });
}

void check_equal(const Pairs& fields, const Pairs& expected)
{
    BOOST_TEST_REQUIRE(fields.size() == expected.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
        BOOST_TEST(fields[i].first == expected[i].first);
        BOOST_TEST(fields[i].second == expected[i].second);
    }
}

const Pairs kAlice{{"mailbox", "alice"}, {"password", "secret"}};

struct Type : support::Row {
    std::string type;
};

const Type kUrlencoded[] = {
    {"none at all", ""},
    {"plain", "application/x-www-form-urlencoded"},
    {"with a character set", "application/x-www-form-urlencoded; charset=utf-8"},
    {"without the space", "application/x-www-form-urlencoded;charset=UTF-8"},
    {"with a superfluous semicolon", "application/x-www-form-urlencoded;"},
    {"in any case", "Application/X-WWW-Form-URLencoded"},
    {"with spaces around", " application/x-www-form-urlencoded ; charset=utf-8"},
};

const Type kUnknown[] = {
    {"text", "text/plain"},
    {"XML", "application/xml"},
    {"another multipart", "multipart/mixed; boundary=b"},
    {"a longer name", "application/x-www-form-urlencoded2"},
    {"a longer JSON", "application/json-patch+json"},
    {"JSON by another name", "text/json"},
    {"no name", "/"},
    {"two types", "application/json, application/json"},
    {"bytes", "application/octet-stream"},
};

const Type kAny[] = {
    {"none", ""},
    {"urlencoded", "application/x-www-form-urlencoded"},
    {"multipart", "multipart/form-data; boundary=b"},
    {"multipart without boundary", "multipart/form-data"},
    {"JSON", "application/json"},
    {"an unknown one", "text/plain"},
};

// Multipart as Python's poster and PHP's curl write it, with the boundary b.
const std::string kMultipart =
    "--b\r\nContent-Disposition: form-data; name=\"mailbox\"\r\n\r\nalice\r\n"
    "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nsecret\r\n"
    "--b--";

struct Boundary : support::Row {
    std::string type;
    std::string boundary;
};

const std::string k70(70, 'x');

const Boundary kBoundaries[] = {
    {"unquoted", "multipart/form-data; boundary=b", "b"},
    {"quoted", "multipart/form-data; boundary=\"b\"", "b"},
    {"without the space", "multipart/form-data;boundary=b", "b"},
    {"type in any case", "Multipart/Form-Data; boundary=b", "b"},
    {"parameter in any case", "multipart/form-data; BOUNDARY=b", "b"},
    {"the boundary's own case counts", "multipart/form-data; boundary=aB", "aB"},
    {"after another parameter", "multipart/form-data; charset=utf-8; boundary=b", "b"},
    {"after a quoted one that names it", "multipart/form-data; x=\"; boundary=a\"; boundary=b",
     "b"},
    {"in front of another parameter", "multipart/form-data; boundary=b; charset=utf-8", "b"},
    {"quoted, in front of another", "multipart/form-data; boundary=\"b\"; charset=utf-8", "b"},
    {"with a semicolon at the end", "multipart/form-data; boundary=b;", "b"},
    {"with what must be quoted", "multipart/form-data; boundary=\"=:; b\"", "=:; b"},
    {"a quoted pair", R"(multipart/form-data; boundary="a\"b")", "a\"b"},
    {"with hyphens of its own", "multipart/form-data; boundary=----WebKitFormBoundaryAb1",
     "----WebKitFormBoundaryAb1"},
    {"70 characters, the most (RFC 2046)", "multipart/form-data; boundary=" + k70, k70},
};

const Type kBadBoundaries[] = {
    {"none", "multipart/form-data"},
    {"only its name", "multipart/form-data; boundary"},
    {"empty", "multipart/form-data; boundary="},
    {"empty in quotes", "multipart/form-data; boundary=\"\""},
    {"an open quote", "multipart/form-data; boundary=\"b"},
    {"another than the body's", "multipart/form-data; boundary=c"},
    {"a shorter one than the body's", "multipart/form-data; boundary=-"},
};

struct Body : support::Row {
    std::string body;
    Pairs fields;
};

const std::string kHead = "Content-Disposition: form-data; name=\"m\"\r\n";

const Body kBodies[] = {
    {"closed with a line end", kMultipart + "\r\n", kAlice},
    {"closed without a line end", kMultipart, kAlice},
    {"text after it is no part", kMultipart + "\r\nepilogue\r\n--b\r\n", kAlice},
    {"text in front of it is no part", "preamble\r\n" + kMultipart, kAlice},
    {"a line end in front", "\r\n" + kMultipart, kAlice},
    {"no parts", "--b--\r\n", {}},
    {"no parts, no line end", "--b--", {}},
    {"no parts, after a line end", "\r\n--b--\r\n", {}},
    {"a part's length of its own",
     "--b\r\n" + kHead + "Content-Length: 5\r\n\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"a part's length that is wrong",
     "--b\r\n" + kHead + "Content-Length: 2\r\n\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"a part's type",
     "--b\r\nContent-Type: text/plain; charset=utf-8\r\n" + kHead + "\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"a transfer encoding that changes nothing",
     "--b\r\ncontent-transfer-encoding: 8BIT\r\n" + kHead + "\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"another one",
     "--b\r\n" + kHead + "Content-Transfer-Encoding:binary \r\n\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"a line that is no header",
     "--b\r\nContent-Disposition\r\n" + kHead + "\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"an empty value", "--b\r\n" + kHead + "\r\n\r\n--b--", {{"m", ""}}},
    {"a name without quotes",
     "--b\r\nContent-Disposition: form-data; name=m\r\n\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"an empty name",
     "--b\r\nContent-Disposition: form-data; name=\"\"\r\n\r\nalice\r\n--b--",
     {{"", "alice"}}},
    {"headers in any case",
     "--b\r\ncontent-disposition: form-data; NAME=\"m\"\r\n\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"a file is a field",
     "--b\r\nContent-Disposition: form-data; name=\"m\"; filename=\"f\"\r\n\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"a file's name is not the field's",
     "--b\r\nContent-Disposition: form-data; filename=\"; name=x\"; name=\"m\"\r\n\r\nalice\r\n--b--",
     {{"m", "alice"}}},
    {"spaces after the boundary", "--b \t\r\n" + kHead + "\r\nalice\r\n--b--", {{"m", "alice"}}},
    {"line ends in a value",
     "--b\r\n" + kHead + "\r\n\r\na\nb\rc\r\n\r\n--b--",
     {{"m", "\r\na\nb\rc\r\n"}}},
    {"hyphens in a value",
     "--b\r\n" + kHead + "\r\n--b--\r\n-b\r\n--c\r\n--b--",
     {{"m", "--b--\r\n-b\r\n--c"}}},
    {"a line of a value that begins like the boundary",
     "--b\r\n" + kHead + "\r\nalice\r\n--bc\r\nbob\r\n--b--",
     {{"m", "alice\r\n--bc\r\nbob"}}},
    {"a line of the preamble that begins like the boundary", "--bc\r\n" + kMultipart, kAlice},
    {"bytes in a value",
     "--b\r\n" + kHead + bytes("\r\n\0\xFF\x80%41+\r\n--b--"),
     {{"m", bytes("\0\xFF\x80%41+")}}},
    {"the same name twice, in order",
     "--b\r\n" + kHead + "\r\n2\r\n--b\r\n" + kHead + "\r\n1\r\n--b--",
     {{"m", "2"}, {"m", "1"}}},
};

const Body kBadBodies[] = {
    {"no boundary in it", "mailbox=alice&password=secret", {}},
    {"a boundary that is not at a line's begin", "x--b--", {}},
    {"only a boundary", "--b\r\n", {}},
    {"a part without header", "--b\r\n\r\nalice\r\n--b--", {}},
    {"a part without a name", "--b\r\nContent-Disposition: form-data\r\n\r\nalice\r\n--b--", {}},
    {"a name that is not closed",
     "--b\r\nContent-Disposition: form-data; name=\"m\r\n\r\nalice\r\n--b--",
     {}},
    {"a name in another header",
     "--b\r\nContent-Type: text/plain; name=\"m\"\r\n\r\nalice\r\n--b--",
     {}},
    {"a header without end", "--b\r\n" + kHead + "--b--", {}},
    {"no closing boundary", "--b\r\n" + kHead + "\r\nalice\r\n--b\r\n", {}},
    {"half a closing boundary", "--b\r\n" + kHead + "\r\nalice\r\n--b-\r\n", {}},
    {"base64, which would be taken for the value",
     "--b\r\n" + kHead + "Content-Transfer-Encoding: base64\r\n\r\nYWxpY2U=\r\n--b--",
     {}},
    {"quoted-printable",
     "--b\r\n" + kHead + "Content-Transfer-Encoding: quoted-printable\r\n\r\nal=69ce\r\n--b--",
     {}},
    {"a transfer encoding without its value",
     "--b\r\n" + kHead + "Content-Transfer-Encoding\r\n\r\nalice\r\n--b--",
     {}},
    {"a folded header",
     "--b\r\nContent-Disposition: form-data;\r\n name=\"m\"\r\n\r\nalice\r\n--b--",
     {}},
    {"line feeds alone", "--b\nContent-Disposition: form-data; name=\"m\"\n\nalice\n--b--", {}},
};

struct Json : support::Row {
    const char* type;
    const char* method;
    const char* body;
    std::string complaint;
};

const Json kJson[] = {
    {"an object", "application/json", "POST", R"({"mailbox":"alice","password":"secret"})",
     "accepted"},
    {"with a character set", "application/json; charset=utf-8", "POST", "{}", "accepted"},
    {"type in any case", "Application/JSON", "POST", "{}", "accepted"},
    {"an object on PUT", "application/json", "PUT", R"({"password":"secret"})", "accepted"},
    {"an array on POST", "application/json", "POST", R"([{"mailbox":"alice","password":"secret"}])",
     "accepted"},
    {"an array on PUT is more than one password", "application/json", "PUT",
     R"([{"mailbox":"a","password":"s"}])", "400 bad_json"},
    {"urlencoded text", "application/json", "POST", "mailbox=alice", "400 bad_json"},
};

struct Array : support::Row {
    std::string body;
    Pairs fields;
};

// Arrays as PHP's http_build_query and Ruby's Rack write them.
const Array kArrays[] = {
    {"empty brackets",
     "mailbox[]=a&mailbox[]=b&password[]=x&password[]=y",
     {{"mailbox", "a"}, {"mailbox", "b"}, {"password", "x"}, {"password", "y"}}},
    {"empty brackets, in pairs",
     "mailbox[]=a&password[]=x&mailbox[]=b&password[]=y",
     {{"mailbox", "a"}, {"password", "x"}, {"mailbox", "b"}, {"password", "y"}}},
    {"encoded brackets", "mailbox%5B%5D=a&password%5b%5d=x", {{"mailbox", "a"}, {"password", "x"}}},
    {"numbers",
     "mailbox[0]=a&mailbox[1]=b&password[0]=x&password[1]=y",
     {{"mailbox", "a"}, {"mailbox", "b"}, {"password", "x"}, {"password", "y"}}},
    {"numbers in another order",
     "mailbox[1]=b&mailbox[0]=a&password[0]=x&password[1]=y",
     {{"mailbox", "a"}, {"mailbox", "b"}, {"password", "x"}, {"password", "y"}}},
    {"numbers with gaps, as after array_filter",
     "mailbox[10]=b&mailbox[2]=a&password[10]=y&password[2]=x",
     {{"mailbox", "a"}, {"mailbox", "b"}, {"password", "x"}, {"password", "y"}}},
    {"logins", "login[0]=a&password[0]=x", {{"login", "a"}, {"password", "x"}}},
    {"logins without passwords", "login[1]=b&login[0]=a", {{"login", "a"}, {"login", "b"}}},
    {"one password", "password[]=x", {{"password", "x"}}},
    {"a plain name beside empty brackets",
     "mailbox=a&mailbox[]=b",
     {{"mailbox", "a"}, {"mailbox", "b"}}},
    {"another parameter's brackets stay",
     "tags[]=a&tags[x]=b&x[0]=c",
     {{"tags[]", "a"}, {"tags[x]", "b"}, {"x[0]", "c"}}},
    {"a longer name", "mailboxes[]=a", {{"mailboxes[]", "a"}}},
};

const Array kBadArrays[] = {
    {"a name inside", "mailbox[first]=a", {}},
    {"two dimensions", "mailbox[0][name]=a", {}},
    {"a negative number", "mailbox[-1]=a&password[-1]=x", {}},
    {"a huge number", "mailbox[99999999999999999999]=a&password[99999999999999999999]=x", {}},
    {"no closing bracket", "mailbox[=a", {}},
    {"text after the brackets", "mailbox[]x=a", {}},
    {"one number twice", "mailbox[0]=a&mailbox[0]=b&password[0]=x&password[1]=y", {}},
    {"one number twice, written otherwise",
     "mailbox[0]=a&mailbox[00]=b&password[0]=x&password[1]=y",
     {}},
    {"numbers that do not fit together",
     "mailbox[0]=a&mailbox[1]=b&password[1]=y&password[2]=x",
     {}},
    {"as many, but not the same", "mailbox[0]=a&password[1]=x", {}},
    {"numbers and none", "mailbox[0]=a&mailbox[]=b&password[0]=x&password[1]=y", {}},
    {"numbers here, none there", "mailbox[1]=b&mailbox[0]=a&password[]=x&password[]=y", {}},
    {"numbers there, none here", "mailbox=a&password[0]=x", {}},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(form)

BOOST_DATA_TEST_CASE(an_array, data::make(kArrays), row)
{
    check_equal(fields_of("", row.body), row.fields);
    std::string parts;
    std::string text = row.body;
    for (const auto& [encoded, plain] :
         {std::pair{"%5B", "["}, {"%5D", "]"}, {"%5b", "["}, {"%5d", "]"}}) {
        for (auto at = text.find(encoded); at != std::string::npos; at = text.find(encoded))
            text.replace(at, 3, plain);
    }
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('&', begin), text.size());
        const auto pair = text.substr(begin, end - begin);
        parts += "--b\r\nContent-Disposition: form-data; name=\"" + pair.substr(0, pair.find('='))
                 + "\"\r\n\r\n" + pair.substr(pair.find('=') + 1) + "\r\n";
        begin = end + 1;
    }
    check_equal(fields_of("multipart/form-data; boundary=b", parts + "--b--"), row.fields);
}

BOOST_DATA_TEST_CASE(an_array_is_refused, data::make(kBadArrays), row)
{
    BOOST_TEST(complaint([&] { fields_of("", row.body); }) == "400 bad_parameter");
}

// A compressed body must not be read as a body without parameters.
BOOST_AUTO_TEST_CASE(a_body_that_is_encoded)
{
    for (const char* method : {"POST", "PUT", "GET", "DELETE"}) {
        for (const char* encoding :
             {"", "identity", "Identity", " identity ", "identity, identity", ","}) {
            BOOST_TEST(taken(encoding, "mailbox=alice", method) == "accepted",
                       method << " " << encoding);
        }
        for (const char* encoding :
             {"gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "compress", "aws-chunked",
              "identity, gzip", "gzip, identity", "identity;q=1", "\xff"}) {
            BOOST_TEST(taken(encoding, "\x1f\x8b\x08", method) == "415 unsupported_encoding",
                       method << " " << encoding);
        }
    }
    for (const char* method : {"GET", "HEAD", "DELETE"})
        BOOST_TEST(taken("gzip", "", method) == "accepted", method);
}

BOOST_DATA_TEST_CASE(read_as_urlencoded, data::make(kUrlencoded), row)
{
    check_equal(fields_of(row.type, "mailbox=alice&password=secret"), kAlice);
}

BOOST_DATA_TEST_CASE(an_unknown_type_is_refused, data::make(kUnknown), row)
{
    BOOST_TEST(complaint([&] { fields_of(row.type, "{}"); }) == "415 unsupported_type");
}

BOOST_DATA_TEST_CASE(an_empty_body_has_no_type_and_no_fields, data::make(kAny), row)
{
    for (const char* method : {"GET", "HEAD", "DELETE"})
        check_equal(fields_of(row.type, "", method), {});
}

BOOST_AUTO_TEST_CASE(where_one_is_wanted_the_type_counts)
{
    for (const char* method : {"POST", "PUT"}) {
        check_equal(fields_of("", "", method), {});
        check_equal(fields_of("application/x-www-form-urlencoded", "", method), {});
        BOOST_TEST(complaint([&] { fields_of("multipart/form-data; boundary=b", "", method); })
                   == "400 bad_multipart");
        BOOST_TEST(complaint([&] { fields_of("application/json", "", method); }) == "400 bad_json");
        BOOST_TEST(complaint([&] { fields_of("text/plain", "", method); })
                   == "415 unsupported_type");
    }
}

BOOST_AUTO_TEST_CASE(a_broken_urlencoded_body_is_refused)
{
    BOOST_TEST(complaint([] { fields_of("", "mailbox=%"); }) == "400 bad_encoding");
}

BOOST_DATA_TEST_CASE(a_boundary, data::make(kBoundaries), row)
{
    const auto line = "--" + row.boundary;
    check_equal(fields_of(row.type, line + "\r\n" + kHead + "\r\nalice\r\n" + line + "--\r\n"),
                {{"m", "alice"}});
}

BOOST_DATA_TEST_CASE(a_boundary_is_refused, data::make(kBadBoundaries), row)
{
    BOOST_TEST(complaint([&] { fields_of(row.type, kMultipart); }) == "400 bad_multipart");
}

BOOST_AUTO_TEST_CASE(a_boundary_of_71_characters_is_refused)
{
    const auto line = "--" + k70 + "x";
    const auto body = line + "\r\n" + kHead + "\r\nalice\r\n" + line + "--\r\n";
    BOOST_TEST(complaint([&] { fields_of("multipart/form-data; boundary=" + k70 + "x", body); })
               == "400 bad_multipart");
}

BOOST_DATA_TEST_CASE(multipart, data::make(kBodies), row)
{
    check_equal(fields_of("multipart/form-data; boundary=b", row.body), row.fields);
}

BOOST_DATA_TEST_CASE(multipart_is_refused, data::make(kBadBodies), row)
{
    BOOST_TEST(complaint([&] { fields_of("multipart/form-data; boundary=b", row.body); })
               == "400 bad_multipart");
}

// A body that lost bytes on the way must not be read as a smaller request.
BOOST_AUTO_TEST_CASE(multipart_cut_short_anywhere_is_refused)
{
    for (std::size_t size = 1; size < kMultipart.size(); ++size) {
        BOOST_TEST(complaint([&] {
                       fields_of("multipart/form-data; boundary=b", kMultipart.substr(0, size));
                   }) == "400 bad_multipart",
                   "cut after " << size);
    }
}

BOOST_AUTO_TEST_CASE(multipart_of_many_parts)
{
    std::string body;
    for (int i = 0; i < 1000; ++i) body += "--b\r\n" + kHead + "\r\n" + std::to_string(i) + "\r\n";
    const auto fields = fields_of("multipart/form-data; boundary=b", body + "--b--");
    BOOST_TEST_REQUIRE(fields.size() == 1000U);
    BOOST_TEST(fields[999].second == "999");
}

BOOST_DATA_TEST_CASE(json_body, data::make(kJson), row)
{
    BOOST_TEST(complaint([&] { fields_of(row.type, row.body, row.method); }) == row.complaint);
}

BOOST_AUTO_TEST_CASE(json_becomes_fields)
{
    check_equal(fields_of("application/json", R"({"mailbox":"alice","password":"secret"})"),
                kAlice);
}

BOOST_AUTO_TEST_SUITE_END()
