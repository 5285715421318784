#include "mailboxd/http.h"

#include <algorithm>
#include <cstdint>

#include "base/strings.h"

namespace http {
namespace {

int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string decoded_segment(std::string_view segment)
{
    const auto bytes = percent_decoded(segment, Plus::is_plus, "path");
    const std::string text{bytes.text()};
    if (text.find('\0') != std::string::npos)
        throw Error(400, "bad_path", "The path has an encoded NUL.");
    if (text.find('/') != std::string::npos)
        throw Error(400, "bad_path", "The path has an encoded slash (%2F) in a segment.");
    if (!strings::is_utf8(text)) throw Error(400, "bad_path", "The path is not valid UTF-8.");
    return text;
}

std::vector<std::string> decoded_path(std::string_view path)
{
    if (path.empty() || path[0] != '/')
        throw Error(400, "bad_path", "The path must begin with a slash.");
    std::vector<std::string> segments;
    for (std::size_t begin = 1; begin <= path.size();) {
        const auto end = std::min(path.find('/', begin), path.size());
        segments.push_back(decoded_segment(path.substr(begin, end - begin)));
        begin = end + 1;
    }
    return segments;
}

std::string_view reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Internal Server Error";
    }
}

}  // namespace

Request parse(Raw raw)
{
    const auto question = std::min(raw.target.find('?'), raw.target.size());
    return {raw.method,
            raw.authorization,
            raw.client,
            raw.content_type,
            raw.content_encoding,
            decoded_path(raw.target.substr(0, question)),
            raw.target.substr(std::min(question + 1, raw.target.size())),
            std::move(raw.body),
            raw.on_behalf_of,
            raw.idempotency_key};
}

Secret percent_decoded(std::string_view text, Plus plus, std::string_view where)
{
    Secret decoded{text.size()};
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                throw Error(400, "bad_encoding",
                            "The " + std::string{where}
                                + " has a % that two hexadecimal digits do not follow.");
            }
            c = static_cast<char>(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus == Plus::is_space) {
            c = ' ';
        }
        decoded.data()[size++] = c;
    }
    decoded.shrink(size);
    return decoded;
}

void parse_urlencoded(std::string_view text, std::string_view where, Fields& fields)
{
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('&', begin), text.size());
        const auto pair = text.substr(begin, end - begin);
        begin = end + 1;
        if (pair.empty()) continue;
        const auto equals = std::min(pair.find('='), pair.size());
        const auto name = percent_decoded(pair.substr(0, equals), Plus::is_space, where);
        fields.emplace_back(
            name.text(),
            percent_decoded(pair.substr(std::min(equals + 1, pair.size())), Plus::is_space, where));
    }
}

std::string_view trace_id(std::string_view traceparent)
{
    constexpr std::size_t kFirst = 55;  // the length of version 00; later versions may be longer
    const auto is_hex = [](std::string_view text) {
        return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    };
    const auto is_zero = [](std::string_view text) {
        return text.find_first_not_of('0') == std::string_view::npos;
    };
    if (traceparent.size() < kFirst || traceparent[2] != '-' || traceparent[35] != '-'
        || traceparent[52] != '-')
        return {};
    const auto version = traceparent.substr(0, 2);
    const auto id = traceparent.substr(3, 32);
    const auto parent = traceparent.substr(36, 16);
    if (!is_hex(version) || !is_hex(id) || !is_hex(parent) || !is_hex(traceparent.substr(53, 2)))
        return {};
    if (version == "ff" || is_zero(id) || is_zero(parent)) return {};
    const bool has_more = traceparent.size() > kFirst;
    if (has_more && (version == "00" || traceparent[kFirst] != '-')) return {};
    return id;
}

std::string cgi_header(const Response& response)
{
    std::string text;
    text.reserve(200);
    text.append("Status: ")
        .append(std::to_string(response.status))
        .append(" ")
        .append(reason(response.status));
    text.append("\r\nContent-Type: application/json\r\nContent-Length: ")
        .append(std::to_string(response.body.size()));
    if (!response.extra_header.empty()) text.append("\r\n").append(response.extra_header);
    return text.append("\r\n\r\n");
}

}  // namespace http
