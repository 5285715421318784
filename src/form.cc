#include "form.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "json.h"

namespace form {
namespace {

using http::Error;

// The value of `name` among the parameters behind a header's first semicolon, quoted or
// not (RFC 9110 5.6.6). Nothing where it is absent or its quotes do not close.
std::optional<std::string> parameter(std::string_view header, std::string_view name)
{
    std::size_t i = header.find(';');
    while (i < header.size()) {
        const auto begin = i + 1;
        const auto equals = header.find_first_of("=;", begin);
        if (equals == std::string_view::npos) return std::nullopt;
        const auto key = http::trimmed(header.substr(begin, equals - begin));
        if (header[equals] == ';') { i = equals; continue; }
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
            value = http::trimmed(header.substr(equals + 1, end - equals - 1));
            i = end;
        }
        if (http::equals_ignoring_case(key, name)) return value;
    }
    return std::nullopt;
}

[[noreturn]] void refuse_multipart(const std::string& sentence)
{
    throw Error(400, "bad_multipart", sentence);
}

// Takes one line off the front of `text`; nothing where it has no end.
std::optional<std::string_view> take_line(std::string_view& text)
{
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 2);
    return line;
}

// Whether a Content-Transfer-Encoding leaves the content as it is (RFC 2045 6.2). Nobody who sends a form uses another
// one, and the encoded text would be taken for the password.
bool is_identity(std::string_view encoding)
{
    return http::equals_ignoring_case(encoding, "7bit") || http::equals_ignoring_case(encoding, "8bit")
           || http::equals_ignoring_case(encoding, "binary");
}

// The part's name, from its header lines, up to the empty line behind them.
std::string take_part_name(std::string_view& text)
{
    std::optional<std::string> name;
    for (;;) {
        const auto line = take_line(text);
        if (!line) refuse_multipart("A part of the multipart body has no end of its header.");
        if (line->empty()) break;
        const auto colon = std::min(line->find(':'), line->size());
        const auto header = http::trimmed(line->substr(0, colon));
        const auto value = http::trimmed(line->substr(std::min(colon + 1, line->size())));
        if (http::equals_ignoring_case(header, "Content-Disposition")) {
            name = parameter(value, "name");
        } else if (http::equals_ignoring_case(header, "Content-Transfer-Encoding") && !is_identity(value)) {
            refuse_multipart("A part of the multipart body has a Content-Transfer-Encoding; it must be 7bit, 8bit or binary.");
        }
    }
    if (!name) refuse_multipart("A part of the multipart body has no name.");
    return *name;
}

// What stands behind a boundary on its line: nothing where it is none after all, since a
// part may hold lines that begin like one.
enum class Boundary { between, closing };

std::optional<Boundary> take_boundary_end(std::string_view& text)
{
    const bool is_closing = text.starts_with("--");
    auto rest = text.substr(is_closing ? 2 : 0);
    const auto line = is_closing && rest.find("\r\n") == std::string_view::npos ? std::exchange(rest, {}) : take_line(rest);
    if (!line || !http::trimmed(*line).empty()) return std::nullopt;
    text = rest;
    return is_closing ? Boundary::closing : Boundary::between;
}

// Takes everything up to the next boundary and that, too; returns what stood before it.
std::string_view take_to_boundary(std::string_view& text, const std::string& delimiter, Boundary& boundary)
{
    for (auto end = text.find(delimiter); end != std::string_view::npos; end = text.find(delimiter, end + 1)) {
        auto rest = text.substr(end + delimiter.size());
        const auto found = take_boundary_end(rest);
        if (!found) continue;
        const auto before = text.substr(0, end);
        text = rest;
        boundary = *found;
        return before;
    }
    refuse_multipart("The multipart body has no closing boundary, or not the one that its Content-Type names.");
}

// RFC 2046 5.1.1: [preamble CRLF] --boundary [spaces] CRLF part … CRLF --boundary-- …
// A part's own Content-Length says nothing that the boundary does not.
void parse_multipart(std::string_view body, std::string_view boundary_text, http::Fields& fields)
{
    if (boundary_text.empty() || boundary_text.size() > 70) refuse_multipart("The multipart boundary must have 1 to 70 characters.");
    const auto delimiter = "\r\n--" + std::string{boundary_text};
    auto text = body;
    auto boundary = Boundary::between;
    std::optional<Boundary> first;  // the first may stand at the very beginning, without a line end before it
    if (text.starts_with(std::string_view{delimiter}.substr(2))) {
        auto rest = text.substr(delimiter.size() - 2);
        first = take_boundary_end(rest);
        if (first) text = rest;
    }
    if (first) boundary = *first; else take_to_boundary(text, delimiter, boundary);
    while (boundary == Boundary::between) {
        auto name = take_part_name(text);
        fields.emplace_back(std::move(name), Secret{take_to_boundary(text, delimiter, boundary)});
    }
}

}  // namespace

http::Fields parse(const http::Request& request, mailbox::As as)
{
    http::Fields fields;
    const auto body = request.body.text();
    // Clients send a type on everything; where a body is wanted, its type counts even if it is empty.
    if (body.empty() && request.method != "POST" && request.method != "PUT") return fields;
    const auto type = http::lower_case(http::trimmed(request.content_type.substr(0, request.content_type.find(';'))));
    if (type.empty() || type == "application/x-www-form-urlencoded") {
        http::parse_urlencoded(body, "body", fields);
    } else if (type == "multipart/form-data") {
        const auto boundary = parameter(request.content_type, "boundary");
        if (!boundary) refuse_multipart("The Content-Type multipart/form-data has no boundary.");
        parse_multipart(body, *boundary, fields);
    } else if (type == "application/json") {
        json::parse_fields(body, request.method == "POST" ? json::Arrays::allowed : json::Arrays::refused, fields, as);
    } else {
        throw Error(415, "unsupported_type",
                    "The body must be application/x-www-form-urlencoded, multipart/form-data or application/json.");
    }
    return fields;
}

}  // namespace form
