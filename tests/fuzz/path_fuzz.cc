// path_fuzz.cc - the request target: path and query.

#include <algorithm>

#include "base/strings.h"
#include "fuzz/targets.h"

namespace fuzz {
namespace {

http::Request parsed(std::string_view target)
{
    return http::parse({.method = "GET",
                        .target = target,
                        .authorization = {},
                        .content_type = {},
                        .client = {},
                        .body = {}});
}

void check_path(std::string_view target, const http::Request& request)
{
    const auto path = target.substr(0, target.find('?'));
    expect(path.starts_with('/'), "a path begins with a slash");
    const auto segments = static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
    expect(request.path.size() == segments, "every slash begins a segment");

    std::string again;
    for (const auto& segment : request.path) {
        expect(segment.find('\0') == std::string::npos, "a segment has no NUL");
        expect(segment.find('/') == std::string::npos, "a segment has no slash");
        expect(is_well_formed_utf8(segment), "a segment is UTF-8");
        again += "/" + percent_encoded(segment);
    }
    expect(parsed(again).path == request.path,
           "what was decoded and is encoded again is the same path");
}

void check_query(std::string_view query)
{
    http::Fields fields;
    if (is_refused([&] { http::parse_urlencoded(query, "query string", fields); })) return;
    const auto separators = static_cast<std::size_t>(std::count(query.begin(), query.end(), '&'));
    expect(fields.size() <= separators + 1, "no more fields than separators allow");
}

}  // namespace

void path(std::string_view input)
{
    http::Request request;
    if (!is_refused([&] { request = parsed(input); })) {
        check_path(input, request);
        const auto question = input.find('?');
        expect(request.query
                   == (question == std::string_view::npos ? "" : input.substr(question + 1)),
               "the query is what stands behind the first question mark");
        check_query(request.query);
    }
    // If decoding the whole target fails, the path is not used.
    expect(strings::is_utf8(input) == is_well_formed_utf8(input),
           "http::is_utf8 says what the table says");
}

}  // namespace fuzz
