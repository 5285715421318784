// http.h - the plain values of one exchange: Request, Response, Error.
//
// CGI text becomes values here and values become CGI text; no I/O. A Request that
// exists is well-formed: its path was decoded once, from the request line as the client
// sent it. Complains with Error, which serve() turns into the answer.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace http {

// The caller's mistake, with a stable word for programs and a sentence for people.
struct Error : std::runtime_error {
    Error(int error_status, std::string_view error_code, const std::string& sentence)
        : std::runtime_error{sentence}, status{error_status}, code{error_code}
    {
    }
    int status;
    std::string_view code;  // refers to a literal
};

// What the worker hands over: the CGI variables that we use, and the body.
struct Raw {
    std::string_view method;
    std::string_view target;  // REQUEST_URI, never decoded or merged
    std::string_view authorization;
    std::string_view content_type;
    std::string_view content_encoding = {};
    std::string_view client;  // REMOTE_ADDR
    Secret body;
};

using Fields = std::vector<std::pair<std::string, Secret>>;

struct Request {
    std::string_view method;
    std::string_view authorization;
    std::string_view client;
    std::string_view content_type;
    std::string_view content_encoding;
    std::vector<std::string> path;  // decoded segments, without an API version in front
    std::string_view query;         // as sent
    Secret body;
};

// Throws Error 400: a path that is not absolute, or a segment with invalid
// percent-encoding, invalid UTF-8, a NUL or an encoded slash.
Request parse(Raw raw);

// Percent-decoding (RFC 3986, 2.1). Throws Error 400 naming `where`.
enum class Plus { is_plus, is_space };
Secret percent_decoded(std::string_view text, Plus plus, std::string_view where);

// `name=value&…` into `fields` (application/x-www-form-urlencoded; a query string).
// Throws Error 400: invalid percent-encoding.
void parse_urlencoded(std::string_view text, std::string_view where, Fields& fields);

struct Response {
    int status = 200;
    std::string body;                    // JSON with a line end
    std::string_view extra_header = {};  // a whole line without its end, or empty
    bool worker_is_sound = true;         // false: a fault of ours; a fresh process is the repair
};

// What stands before the body in the CGI answer: Status, Content-Type, Content-Length.
std::string cgi_header(const Response& response);

}  // namespace http
