#include "mailboxd/form.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/strings.h"

namespace form {
namespace {

[[noreturn]] void refuse_json(const std::string& sentence)
{
    throw http::Error(400, "bad_json", sentence);
}

enum class Wanted { any, all };

// The parameters that an object of an array may have or not.
constexpr std::array<std::string_view, 2> kSettings{"quota_bytes", "state"};

bool is_setting(std::string_view name)
{
    return std::find(kSettings.begin(), kSettings.end(), name) != kSettings.end();
}

void take_object(const json::Document::Object& object, Wanted wanted, http::Fields& fields,
                 mailbox::As as)
{
    if (!object.is_object)
        refuse_json("The JSON body must be an object, or on POST an array of objects.");
    std::set<std::string_view> names;
    for (const auto& [name, text, scalar, is_list, list] : object.members) {
        const bool is_ours = name == "mailbox" || name == "password"
                             || (name == "login" && as == mailbox::As::credentials);
        if (!names.insert(name).second) {
            refuse_json("The JSON body has a member twice: '" + std::string{name} + "'.");
        }
        if (is_ours && !text) refuse_json("'" + std::string{name} + "' must be a JSON string.");
        if (is_setting(name) && !text && scalar.empty())
            refuse_json("'" + std::string{name} + "' must be a JSON string or number.");
        // A list is named as in a form, so that no reader takes it for one value.
        for (const auto each : list) fields.emplace_back(std::string{name} + "[]", Secret{each});
        if (!list.empty()) continue;
        fields.emplace_back(std::string{name} + (is_list ? "[]" : ""),
                            Secret{text ? *text : std::string_view{scalar}});
    }
    if (wanted == Wanted::any) return;
    if (as == mailbox::As::mailbox) {
        if (names.count("mailbox") + names.count("password") != 2)
            refuse_json("Each object of the JSON array must have 'mailbox' and 'password'.");
    } else if (names.count("mailbox") + names.count("login") == 0) {
        refuse_json("Each object of the JSON array must have 'login'.");
    }
}

// Writes the settings of an array's objects anew, so that there are as many of each as objects: an
// empty one where an object does not have it. A setting that no object has stays away.
void fill_settings(const std::vector<json::Document::Object>& objects, http::Fields& fields)
{
    std::erase_if(fields, [](const auto& field) { return is_setting(field.first); });
    for (const auto setting : kSettings) {
        http::Fields all;
        bool is_given = false;
        for (const auto& object : objects) {
            const auto found =
                std::find_if(object.members.begin(), object.members.end(),
                             [&](const auto& member) { return member.name == setting; });
            const bool has_it = found != object.members.end();
            is_given = is_given || has_it;
            const std::string_view value =
                !has_it ? std::string_view{} : found->text.value_or(found->scalar);
            all.emplace_back(setting, Secret{value});
        }
        if (!is_given) continue;
        for (auto& field : all) fields.push_back(std::move(field));
    }
}

}  // namespace

void parse_json(std::string_view text, Arrays arrays, http::Fields& fields, mailbox::As as)
{
    if (!strings::is_utf8(text)) refuse_json("The JSON body is not valid UTF-8.");
    const auto document = json::Document::parse(text);
    if (!document) refuse_json("The body is not valid JSON (RFC 8259).");
    if (document->is_array() && arrays == Arrays::refused)
        refuse_json("The JSON body must be an object here.");
    const auto wanted = document->is_array() ? Wanted::all : Wanted::any;
    const auto objects = document->objects();
    for (const auto& object : objects) take_object(object, wanted, fields, as);
    if (wanted == Wanted::all) fill_settings(objects, fields);
}

namespace {

using http::Error;

// Returns the value of the parameter `name` after a header's first semicolon, quoted or not (RFC
// 9110 5.6.6). Empty if it is absent or its quotes do not close.
std::optional<std::string> parameter(std::string_view header, std::string_view name)
{
    std::size_t i = header.find(';');
    while (i < header.size()) {
        const auto begin = i + 1;
        const auto equals = header.find_first_of("=;", begin);
        if (equals == std::string_view::npos) return std::nullopt;
        const auto key = strings::trimmed(header.substr(begin, equals - begin));
        if (header[equals] == ';') {
            i = equals;
            continue;
        }
        std::string value;
        i = header.find_first_not_of(" \t", equals + 1);
        if (i < header.size() && header[i] == '"') {
            for (++i; i < header.size() && header[i] != '"'; ++i) {
                if (header[i] == '\\' && i + 1 < header.size()) ++i;
                value += header[i];
            }
            if (i >= header.size()) return std::nullopt;
            i = header.find(';', i);
        } else {
            const auto end = std::min(header.find(';', equals), header.size());
            value = strings::trimmed(header.substr(equals + 1, end - equals - 1));
            i = end;
        }
        if (strings::equals_ignoring_case(key, name)) return value;
    }
    return std::nullopt;
}

[[noreturn]] void refuse_multipart(const std::string& sentence)
{
    throw Error(400, "bad_multipart", sentence);
}

// Takes one line off the front of `text`. Returns empty if the line has no end.
std::optional<std::string_view> take_line(std::string_view& text)
{
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 2);
    return line;
}

// True if a Content-Transfer-Encoding leaves the content as it is (RFC 2045 6.2). No known client
// sends a form with another one, and the encoded text would be taken for the password.
bool is_identity(std::string_view encoding)
{
    return strings::equals_ignoring_case(encoding, "7bit")
           || strings::equals_ignoring_case(encoding, "8bit")
           || strings::equals_ignoring_case(encoding, "binary");
}

// Takes a part's header lines, up to the empty line that ends them. Returns the part's name.
std::string take_part_name(std::string_view& text)
{
    std::optional<std::string> name;
    for (;;) {
        const auto line = take_line(text);
        if (!line) refuse_multipart("A part of the multipart body has no end of its header.");
        if (line->empty()) break;
        const auto colon = std::min(line->find(':'), line->size());
        const auto header = strings::trimmed(line->substr(0, colon));
        const auto value = strings::trimmed(line->substr(std::min(colon + 1, line->size())));
        if (strings::equals_ignoring_case(header, "Content-Disposition")) {
            name = parameter(value, "name");
        } else if (strings::equals_ignoring_case(header, "Content-Transfer-Encoding")
                   && !is_identity(value)) {
            refuse_multipart(
                "A part of the multipart body has a Content-Transfer-Encoding; it must be 7bit, 8bit or binary.");
        }
    }
    if (!name) refuse_multipart("A part of the multipart body has no name.");
    return *name;
}

// Whether a boundary separates two parts or closes the body.
enum class Boundary { between, closing };

// Takes the rest of a boundary's line. Returns empty if it is no boundary after all: a part may
// contain lines that begin like one.
std::optional<Boundary> take_boundary_end(std::string_view& text)
{
    const bool is_closing = text.starts_with("--");
    auto rest = text.substr(is_closing ? 2 : 0);
    const auto line = is_closing && rest.find("\r\n") == std::string_view::npos
                          ? std::exchange(rest, {})
                          : take_line(rest);
    if (!line || !strings::trimmed(*line).empty()) return std::nullopt;
    text = rest;
    return is_closing ? Boundary::closing : Boundary::between;
}

// Takes everything up to the next boundary, and the boundary. Returns what precedes the boundary.
std::string_view take_to_boundary(std::string_view& text, const std::string& delimiter,
                                  Boundary& boundary)
{
    for (auto end = text.find(delimiter); end != std::string_view::npos;
         end = text.find(delimiter, end + 1)) {
        auto rest = text.substr(end + delimiter.size());
        const auto found = take_boundary_end(rest);
        if (!found) continue;
        const auto before = text.substr(0, end);
        text = rest;
        boundary = *found;
        return before;
    }
    refuse_multipart(
        "The multipart body has no closing boundary, or not the one that its Content-Type names.");
}

// RFC 2046 5.1.1: [preamble CRLF] --boundary [spaces] CRLF part … CRLF --boundary-- …
// A part's own Content-Length is ignored, because the boundary decides where the part ends.
void parse_multipart(std::string_view body, std::string_view boundary_text, http::Fields& fields)
{
    if (boundary_text.empty() || boundary_text.size() > 70)
        refuse_multipart("The multipart boundary must have 1 to 70 characters.");
    const auto delimiter = "\r\n--" + std::string{boundary_text};
    auto text = body;
    auto boundary = Boundary::between;
    std::optional<Boundary>
        first;  // the first one may stand at the very beginning, without a newline before it
    if (text.starts_with(std::string_view{delimiter}.substr(2))) {
        auto rest = text.substr(delimiter.size() - 2);
        first = take_boundary_end(rest);
        if (first) text = rest;
    }
    if (first) boundary = *first;
    else take_to_boundary(text, delimiter, boundary);
    while (boundary == Boundary::between) {
        auto name = take_part_name(text);
        fields.emplace_back(std::move(name), Secret{take_to_boundary(text, delimiter, boundary)});
    }
}

// --- arrays ---------------------------------------------------------------------------

[[noreturn]] void refuse_array(const std::string& sentence)
{
    throw Error(400, "bad_parameter", sentence);
}

// Returns which of our own parameters a field's name means, with or without brackets after it.
// Empty for all other fields.
std::string_view repeatable_parameter(std::string_view name, mailbox::As as)
{
    for (const std::string_view parameter :
         {"mailbox", "password", "login", "quota_bytes", "state"}) {
        if (parameter == "login" && as != mailbox::As::credentials) continue;
        if (name == parameter || (name.starts_with(parameter) && name[parameter.size()] == '['))
            return parameter;
    }
    return {};
}

// Returns the number in `[0]`; empty for `[]` and for no brackets. Throws Error 400 for anything
// else.
std::optional<std::size_t> number_in(std::string_view brackets, std::string_view parameter)
{
    if (brackets.empty() || brackets == "[]") return std::nullopt;
    const auto number = strings::whole_number(brackets.substr(1, brackets.size() - 2));
    if (!number || brackets.back() != ']') {
        const std::string name{parameter};
        refuse_array(
            "'" + name
            + "' parameter has brackets with something else than a number in them; several are written "
            + name + "=, " + name + "[]= or " + name + "[0]=");
    }
    return number;
}

// Where the values of one parameter are among the fields.
struct Repeated {
    std::vector<std::size_t> places;                            // all of them
    std::vector<std::pair<std::size_t, std::size_t>> numbered;  // number and place, if numbered
};

// Sorts the values of a parameter by their numbers. Returns the sorted numbers.
std::vector<std::size_t> put_in_order(http::Fields& fields, Repeated& repeated)
{
    std::sort(repeated.numbered.begin(), repeated.numbered.end());
    std::vector<std::size_t> numbers;
    std::vector<Secret> values;
    for (const auto& [number, place] : repeated.numbered) {
        numbers.push_back(number);
        values.push_back(std::move(fields[place].second));
    }
    for (std::size_t i = 0; i < values.size(); ++i)
        fields[repeated.places[i]].second = std::move(values[i]);
    return numbers;
}

}  // namespace

void join_arrays(http::Fields& fields, mailbox::As as)
{
    std::map<std::string_view, Repeated> all;
    bool has_numbers = false;
    for (std::size_t place = 0; place < fields.size(); ++place) {
        auto& name = fields[place].first;
        const auto parameter = repeatable_parameter(name, as);
        if (parameter.empty()) continue;
        const auto number = number_in(std::string_view{name}.substr(parameter.size()), parameter);
        if (number) all[parameter].numbered.emplace_back(*number, place);
        all[parameter].places.push_back(place);
        has_numbers = has_numbers || number;
        name = parameter;
    }
    if (!has_numbers) return;
    std::optional<std::vector<std::size_t>> expected;
    for (auto& [parameter, repeated] : all) {
        // One setting may be for all mailboxes.
        if (is_setting(parameter) && repeated.numbered.empty() && repeated.places.size() == 1)
            continue;
        if (repeated.numbered.size() != repeated.places.size()) {
            refuse_array(
                "'" + std::string{parameter}
                + "' parameter is given without a number in brackets, and another one with it; all need one, or none");
        }
        const auto numbers = put_in_order(fields, repeated);
        if (std::adjacent_find(numbers.begin(), numbers.end()) != numbers.end()) {
            refuse_array("'" + std::string{parameter}
                         + "' parameter has the same number in brackets twice");
        }
        if (expected && *expected != numbers) {
            refuse_array(
                "'" + std::string{parameter}
                + "' parameter has other numbers in brackets than the one that it is paired with");
        }
        expected = numbers;
    }
}

namespace {

// True if a Content-Encoding leaves the body as it is: it is empty, or names identity alone (RFC
// 9110 8.4).
bool is_unencoded(std::string_view encoding)
{
    for (std::size_t begin = 0; begin < encoding.size();) {
        const auto end = std::min(encoding.find(',', begin), encoding.size());
        const auto coding = strings::trimmed(encoding.substr(begin, end - begin));
        if (!coding.empty() && !strings::equals_ignoring_case(coding, "identity")) return false;
        begin = end + 1;
    }
    return true;
}

}  // namespace

http::Fields parse(const http::Request& request, mailbox::As as)
{
    http::Fields fields;
    const auto body = request.body.text();
    // Clients send a Content-Type with every request. POST and PUT need a body, so there the type
    // counts even if the body is empty.
    if (body.empty() && request.method != "POST" && request.method != "PUT") return fields;
    if (!is_unencoded(request.content_encoding)) {
        throw Error(
            415, "unsupported_encoding",
            "The body has a Content-Encoding, which is not supported: send it without one, uncompressed");
    }
    const auto type = strings::lower_case(
        strings::trimmed(request.content_type.substr(0, request.content_type.find(';'))));
    if (type.empty() || type == "application/x-www-form-urlencoded") {
        http::parse_urlencoded(body, "body", fields);
    } else if (type == "multipart/form-data") {
        const auto boundary = parameter(request.content_type, "boundary");
        if (!boundary) refuse_multipart("The Content-Type multipart/form-data has no boundary.");
        parse_multipart(body, *boundary, fields);
    } else if (type == "application/json") {
        parse_json(body, request.method == "POST" ? Arrays::allowed : Arrays::refused, fields, as);
    } else {
        throw Error(
            415, "unsupported_type",
            "The body must be application/x-www-form-urlencoded, multipart/form-data or application/json.");
    }
    if (type != "application/json") join_arrays(fields, as);
    return fields;
}

}  // namespace form
