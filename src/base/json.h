// json.h - strict reading, careful writing; the only file that includes <cJSON.h>.
//
// Everything written is compact, ends with one line end, and has its members in the
// order that the clients know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "http.h"
#include "mailbox.h"

namespace json {

std::string message(std::string_view message);
std::string error(std::string_view message, std::string_view code);
std::string deleted(std::string_view message, std::string_view spec);
std::string listing(std::int64_t total, const std::vector<mailbox::Mailbox>& items, std::string_view domain,
                    mailbox::As as = mailbox::As::mailbox);

// A change that made passwords, each beside its login. They are nowhere else.
using Logins = std::vector<std::pair<std::string, std::string_view>>;
std::string generated(std::string_view message, const Logins& logins);
std::string domain(const mailbox::Hosted& domain);
std::string domains(std::int64_t total, const std::vector<mailbox::Hosted>& items);

// Any other object. Names are literals; a value that holds nothing is null.
using Value = std::variant<std::monostate, std::int64_t, std::string>;
using Members = std::vector<std::pair<const char*, Value>>;
std::string object(const Members& members);
std::string quoted(std::string_view text);

// Anything that was read: an object's or an array's members (there without names), or the text of a string or number.
struct Member;
struct Node {
    std::string text;
    std::vector<Member> members;
};
struct Member {
    std::string name;
    Node value;
};
std::optional<Node> parse(std::string_view text);  // nothing: it is no JSON

// RFC 2822 3.3, as the original wrote it: `Tue, 27 Sep 2011 20:24:22 GMT`.
std::string date(std::int64_t seconds_since_1970);

// One object, or an array of objects, whose members are all strings, into one list of
// fields; throws http::Error 400. Strict where cJSON is not: no trailing text, no member
// twice, no NUL, valid UTF-8. The members that may be in an array's objects, and those that have to be, are those of
// what the path has a mailbox as.
enum class Arrays { allowed, refused };
void parse_fields(std::string_view text, Arrays arrays, http::Fields& fields, mailbox::As as = mailbox::As::mailbox);

}  // namespace json
