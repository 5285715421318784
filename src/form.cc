#include "form.h"

#include <algorithm>
#include <optional>

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

// The part's name, from its header lines, up to the empty line behind them.
std::string take_part_name(std::string_view& text)
{
    std::optional<std::string> name;
    for (;;) {
        const auto line = take_line(text);
        if (!line) refuse_multipart("A part of the multipart body has no end of its header.");
        if (line->empty()) break;
        const auto colon = line->find(':');
        if (http::equals_ignoring_case(http::trimmed(line->substr(0, colon)), "Content-Disposition")) {
            name = parameter(*line, "name");
        }
    }
    if (!name) refuse_multipart("A part of the multipart body has no name.");
    return *name;
}

// RFC 2046 5.1.1: [preamble CRLF] --boundary [spaces] CRLF part … CRLF --boundary-- …
// A part's own Content-Length says nothing that the boundary does not.
void parse_multipart(std::string_view text, std::string_view boundary, http::Fields& fields)
{
    if (boundary.empty() || boundary.size() > 70) refuse_multipart("The multipart boundary must have 1 to 70 characters.");
    const auto delimiter = "\r\n--" + std::string{boundary};
    if (text.starts_with(std::string_view{delimiter}.substr(2))) {
        text.remove_prefix(delimiter.size() - 2);
    } else if (const auto first = text.find(delimiter); first != std::string_view::npos) {
        text.remove_prefix(first + delimiter.size());
    } else {
        refuse_multipart("The multipart body does not have its boundary.");
    }
    while (!text.starts_with("--")) {
        const auto line = take_line(text);
        if (!line || !http::trimmed(*line).empty()) refuse_multipart("The multipart body has text behind a boundary.");
        auto name = take_part_name(text);
        const auto end = text.find(delimiter);
        if (end == std::string_view::npos) refuse_multipart("The multipart body ends without its closing boundary.");
        fields.emplace_back(std::move(name), Secret{text.substr(0, end)});
        text.remove_prefix(end + delimiter.size());
    }
}

}  // namespace

http::Fields parse(const http::Request& request)
{
    http::Fields fields;
    const auto body = request.body.text();
    if (body.empty()) return fields;
    const auto type = http::lower_case(http::trimmed(request.content_type.substr(0, request.content_type.find(';'))));
    if (type.empty() || type == "application/x-www-form-urlencoded") {
        http::parse_urlencoded(body, "body", fields);
    } else if (type == "multipart/form-data") {
        const auto boundary = parameter(request.content_type, "boundary");
        if (!boundary) refuse_multipart("The Content-Type multipart/form-data has no boundary.");
        parse_multipart(body, *boundary, fields);
    } else if (type == "application/json") {
        json::parse_fields(body, request.method == "POST" ? json::Arrays::allowed : json::Arrays::refused, fields);
    } else {
        throw Error(415, "unsupported_type",
                    "The body must be application/x-www-form-urlencoded, multipart/form-data or application/json.");
    }
    return fields;
}

}  // namespace form
