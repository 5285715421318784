// requests.h - tables of request bodies and parameter values, shared by unit tests and stories.
//
// unit/mailboxd/requests_test.cc checks every row in process. The stories send the rows that are
// marked `nginx_too` through nginx: at least one of each kind, and those that nginx itself has to
// pass on unchanged.

#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace requests {

enum class Where { process, nginx_too };

// A body that means mailbox alice, password "correct horse".
struct Form {
    const char* why;
    std::string type;
    std::string bytes;
    Where where = Where::process;
};

// A value of a parameter, in which {domain} stands for the domain. If the service refuses the
// value, its message contains all of the words.
struct Value {
    const char* why;
    std::string value;
    std::vector<std::string> words;
    Where where = Where::process;
};

inline std::ostream& operator<<(std::ostream& out, const Form& row)
{
    return out << row.why;
}

inline std::ostream& operator<<(std::ostream& out, const Value& row)
{
    return out << row.why;
}

// Returns the rows for the stories.
template <typename Row>
std::vector<Row> through_nginx(const std::vector<Row>& rows)
{
    std::vector<Row> some;
    for (const auto& row : rows) {
        if (row.where == Where::nginx_too) some.push_back(row);
    }
    return some;
}

inline std::vector<Form> forms()
{
    const std::string urlencoded = "application/x-www-form-urlencoded";
    const std::string name =
        "--B\r\nContent-Disposition: form-data; name=\"mailbox\"\r\n\r\nalice\r\n";
    const std::string password =
        "--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ncorrect horse\r\n";
    return {
        {"urlencoded", urlencoded, "mailbox=alice&password=correct+horse", Where::nginx_too},
        {"a space as %20", urlencoded, "mailbox=alice&password=correct%20horse"},
        {"lower-case escapes", urlencoded, "mailbox=%61lice&password=%63orrect%20hors%65"},
        {"everything encoded", urlencoded, "%6Dailbox=%61%6C%69%63%65&p%61ssword=correct%20horse"},
        {"the other order", urlencoded, "password=correct+horse&mailbox=alice"},
        {"empty pairs", urlencoded, "&&mailbox=alice&&password=correct+horse&"},
        {"an unknown flag", urlencoded, "flag&mailbox=alice&password=correct+horse&other="},
        {"a charset", "application/x-www-form-urlencoded; charset=utf-8",
         "mailbox=alice&password=correct+horse"},
        {"a charset without a space", "application/x-www-form-urlencoded;charset=UTF-8",
         "mailbox=alice&password=correct+horse"},
        {"the type in another case", "Application/X-WWW-Form-URLEncoded",
         "mailbox=alice&password=correct+horse"},
        {"no Content-Type", "", "mailbox=alice&password=correct+horse", Where::nginx_too},
        {"arrays of one, as Ruby writes them", urlencoded,
         "mailbox[]=alice&password[]=correct+horse"},
        {"arrays of one, as PHP writes them", urlencoded,
         "mailbox%5B0%5D=alice&password%5B0%5D=correct+horse"},

        {"multipart", "multipart/form-data; boundary=B", name + password + "--B--\r\n",
         Where::nginx_too},
        {"no CRLF at the end", "multipart/form-data; boundary=B", name + password + "--B--"},
        {"a quoted boundary", "multipart/form-data; boundary=\"B\"", name + password + "--B--\r\n"},
        {"no space in front of it", "multipart/form-data;boundary=B",
         name + password + "--B--\r\n"},
        {"a parameter in front of it", "multipart/form-data; charset=utf-8; boundary=B",
         name + password + "--B--\r\n"},
        {"a parameter after it", "multipart/form-data; boundary=B; charset=utf-8",
         name + password + "--B--\r\n"},
        {"another case", "Multipart/Form-Data; Boundary=B", name + password + "--B--\r\n"},
        {"a boundary of dashes", "multipart/form-data; boundary=--B",
         "----B\r\nContent-Disposition: form-data; name=\"mailbox\"\r\n\r\nalice\r\n"
         "----B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ncorrect horse\r\n----B--\r\n"},
        {"a boundary with all its characters", "multipart/form-data; boundary=\"B'()+_,-./:=? B\"",
         "--B'()+_,-./:=? B\r\nContent-Disposition: form-data; name=\"mailbox\"\r\n\r\nalice\r\n"
         "--B'()+_,-./:=? B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\ncorrect horse\r\n"
         "--B'()+_,-./:=? B--\r\n",
         Where::nginx_too},
        {"parts with their own Content-Length", "multipart/form-data; boundary=B",
         "--B\r\nContent-Disposition: form-data; name=\"mailbox\"\r\nContent-Length: 5\r\n\r\nalice\r\n"
         "--B\r\nContent-Disposition: form-data; name=\"password\"\r\nContent-Length: 13\r\n\r\ncorrect horse\r\n"
         "--B--\r\n"},
        {"parts with their own type", "multipart/form-data; boundary=B",
         "--B\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=\"mailbox\"\r\n"
         "Content-Transfer-Encoding: 8bit\r\n\r\nalice\r\n"
             + password + "--B--\r\n"},
        {"headers in another case", "multipart/form-data; boundary=B",
         "--B\r\ncontent-disposition: Form-Data; NAME=\"mailbox\"\r\n\r\nalice\r\n" + password
             + "--B--\r\n"},
        {"a name without quotes", "multipart/form-data; boundary=B",
         "--B\r\nContent-Disposition: form-data; name=mailbox\r\n\r\nalice\r\n" + password
             + "--B--\r\n"},
        {"a preamble and an epilogue", "multipart/form-data; boundary=B",
         "for old mail programs\r\n" + name + password + "--B--\r\nand more\r\n"},
        {"an unknown part that looks like a boundary", "multipart/form-data; boundary=B",
         name
             + "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n--C\r\n-B\r\n --B\r\n--\r\nB--\r\n"
             + password + "--B--\r\n"},
        {"an empty unknown part", "multipart/form-data; boundary=B",
         "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n" + name + password
             + "--B--\r\n"},
        {"a part that is a file", "multipart/form-data; boundary=B",
         name + password
             + "--B\r\nContent-Disposition: form-data; name=\"x\"; filename=\"a.bin\"\r\n"
               "Content-Type: application/octet-stream\r\n\r\n"
             + std::string("\0\xFF\r\n", 4) + "\r\n--B--\r\n",
         Where::nginx_too},

        {"JSON", "application/json", R"({"mailbox":"alice","password":"correct horse"})",
         Where::nginx_too},
        {"JSON with a charset", "application/json; charset=utf-8",
         R"({"mailbox":"alice","password":"correct horse"})"},
        {"JSON in the other order", "application/json",
         R"({"password":"correct horse","mailbox":"alice"})"},
        {"JSON with space", "application/json",
         "\r\n\t { \"mailbox\" : \"alice\" ,\n\"password\":\t\"correct horse\" } \n"},
        {"JSON with escapes", "application/json",
         R"({"m\u0061ilbox":"\u0061lice","password":"correct\u0020hors\u0065"})"},
        {"JSON with unknown members", "application/json",
         R"({"mailbox":"alice","name":{"first":["Alice"]},"password":"correct horse","n":1.5e3,"b":null})"},
        {"a JSON array of one", "application/json",
         R"([{"mailbox":"alice","password":"correct horse"}])", Where::nginx_too},
    };
}

// Names that no mailbox may have.
inline std::vector<Value> bad_mailboxes()
{
    return {
        {"nothing at all", "", {"'mailbox'"}, Where::nginx_too},
        {"a local part of 65", std::string(65, 'a'), {"64"}},
        {"another domain", "alice@other.example.org", {"domain"}, Where::nginx_too},
        {"two at signs", "alice@bob@{domain}", {"'mailbox'"}},
        {"no local part", "@{domain}", {"'mailbox'"}},
        {"no domain", "alice@", {"'mailbox'"}},
        {"the start of an extension", "alice+bob", {"'mailbox'"}},
        {"a slash is a path", "alice/bob", {"'mailbox'"}},
        {"a question mark is a query", "alice?bob", {"'mailbox'"}},
        {"a hash is a fragment", "alice#bob", {"'mailbox'"}},
        {"a percent sign is an escape", "alice%bob", {"'mailbox'"}},
        {"a wildcard, when sessions are ended", "alice*", {"'mailbox'"}},
        {"routing, to Postfix", "alice!bob", {"'mailbox'"}},
        {"an option, to a program", "-alice", {"hyphen"}},
        {"a dot in front", ".alice", {"dot"}},
        {"a dot at the end", "alice.", {"dot"}},
        {"two dots", "alice..bob", {"dot"}},
        {"a space", "alice bob", {"'mailbox'"}},
        {"a trailing space, which a collation may ignore", "alice ", {"'mailbox'"}},
        {"a tab", "alice\tbob", {"'mailbox'"}},
        {"a line's end", "alice\r\nbob", {"'mailbox'"}, Where::nginx_too},
        {"NUL would end C text", std::string("alice\0bob", 9), {"'mailbox'"}, Where::nginx_too},
        {"a quoted local part", "\"alice\"", {"'mailbox'"}},
        {"a comment", "alice(bob)", {"'mailbox'"}},
        {"brackets", "<alice>", {"'mailbox'"}},
        {"a backslash", "alice\\bob", {"'mailbox'"}},
        {"a comma", "alice,bob", {"'mailbox'"}},
        {"a semicolon", "alice;bob", {"'mailbox'"}},
        {"a colon", "alice:bob", {"'mailbox'"}},
        {"not ASCII: the mail programs have no SMTPUTF8", "jos\xC3\xA9", {"'mailbox'"}},
        {"invalid UTF-8", "alice\xFF", {"'mailbox'"}},
    };
}

// Passwords that the mailbox alice may not have.
inline std::vector<Value> bad_passwords()
{
    return {
        {"nothing at all", "", {"password"}},
        {"one character too few", "1234", {"password", "5"}, Where::nginx_too},
        {"one character too few, but enough bytes",
         "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F",
         {"password", "5"}},
        {"one character too many", std::string(129, 'x'), {"password", "128"}},
        {"the local part", "alice", {"password"}},
        {"the local part in another case", "ALICE", {"password"}},
        {"the address", "alice@{domain}", {"password"}, Where::nginx_too},
        {"the domain", "{domain}", {"password"}},
        {"a control character", "correct\x01horse", {"password"}},
        {"a line's end", "correct\nhorse", {"password"}},
        {"DEL", "correct\x7Fhorse", {"password"}},
        {"NUL would end C text", std::string("correct\0horse", 13), {"password"}, Where::nginx_too},
        {"a control character of the second kind", "correct\xC2\x85horse", {"password"}},
        {"invalid UTF-8", "correct\xFFhorse", {"password"}},
        {"overlong UTF-8", "correct\xC0\xAFhorse", {"password"}},
        {"a surrogate", "correct\xED\xA0\x80horse", {"password"}},
        {"UTF-8 cut short", "correct horse\xE2\x82", {"password"}},
    };
}

// Queries that a list refuses.
inline std::vector<Value> bad_queries()
{
    return {
        {"above the maximum", "limit=1001", {"limit", "1000"}, Where::nginx_too},
        {"below nothing", "limit=-1", {"limit", "1000"}},
        {"no number", "limit=", {"limit", "1000"}},
        {"no value", "limit", {"limit", "1000"}},
        {"a word", "limit=all", {"limit", "1000"}},
        {"a float", "limit=10.0", {"limit", "1000"}},
        {"an exponent", "limit=1e3", {"limit", "1000"}},
        {"hexadecimal", "limit=0x10", {"limit", "1000"}},
        {"a sign, which a form reads as a space", "limit=+1", {"limit", "1000"}},
        {"a sign", "limit=%2B1", {"limit", "1000"}},
        {"a space", "limit=%201", {"limit", "1000"}},
        {"more than 64 bits", "limit=18446744073709551617", {"limit", "1000"}},
        {"given twice", "limit=1&limit=2", {"limit"}, Where::nginx_too},
        {"given twice, equal", "limit=1&limit=1", {"limit"}},
        {"skip below nothing", "skip=-1", {"skip"}},
        {"skip without a number", "skip=", {"skip"}},
        {"skip with a word", "skip=none", {"skip"}},
        {"skip beyond 2^63-1", "skip=9223372036854775808", {"skip"}, Where::nginx_too},
        {"skip given twice", "skip=0&skip=0", {"skip"}},
        {"SQL", "limit=1;DROP+TABLE+mailbox", {"limit"}},
        {"SQL in skip", "skip=0'%20OR%20'1'='1", {"skip"}},
        {"a wildcard", "limit=%25", {"limit"}},
        {"wide digits", "limit=%EF%BC%91", {"limit"}},
        {"a NUL", "limit=1%00", {"limit"}, Where::nginx_too},
    };
}

}  // namespace requests
