// http.h - the plain values of one exchange: Request, Response, Error.
//
// Turns CGI text into values and values into CGI text, without I/O. Every Request is well-formed:
// its path was decoded once, from the request line as the client sent it. Functions throw Error,
// which Api::serve() turns into the answer.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"

namespace http {

// A refusal of the request, with a stable word for programs and a sentence for people.
struct Error : std::runtime_error {
    Error(int error_status, std::string_view error_code, const std::string& sentence)
        : std::runtime_error{sentence}, status{error_status}, code{error_code}
    {
    }
    int status;
    std::string_view code;  // refers to a literal
};

// What the worker hands over: the CGI variables that we use and the body.
struct Raw {
    std::string_view method;
    std::string_view target;  // REQUEST_URI, never decoded or merged
    std::string_view authorization;
    std::string_view content_type;
    std::string_view content_encoding = {};
    std::string_view client;  // REMOTE_ADDR
    Secret body;
    std::string_view on_behalf_of = {};     // X-Mailgun-On-Behalf-Of
    std::string_view idempotency_key = {};  // Idempotency-Key
};

using Fields = std::vector<std::pair<std::string, Secret>>;

struct Request {
    std::string_view method;
    std::string_view authorization;
    std::string_view client;
    std::string_view content_type;
    std::string_view content_encoding;
    std::vector<std::string> path;  // decoded segments, at least one
    std::string_view query;         // as the client sent it, without the question mark
    Secret body;
    std::string_view on_behalf_of;     // the id of an account; empty: the header is missing
    std::string_view idempotency_key;  // empty: the header is missing
};

// Throws Error 400 if the path is not absolute, or if a segment has invalid percent-encoding,
// invalid UTF-8, a NUL or an encoded slash.
Request parse(Raw raw);

// Returns the decoded text (RFC 3986, 2.1). Throws Error 400, whose sentence names `where`.
enum class Plus { is_plus, is_space };
Secret percent_decoded(std::string_view text, Plus plus, std::string_view where);

// Appends the fields of `name=value&…` (application/x-www-form-urlencoded or a query string).
// Throws Error 400 for invalid percent-encoding.
void parse_urlencoded(std::string_view text, std::string_view where, Fields& fields);

struct Response {
    int status = 200;
    std::string body;                    // JSON with a newline
    std::string_view extra_header = {};  // a whole line without its end; empty: none
    bool worker_is_sound = true;         // false after a fault of ours: the worker must be replaced
};

// Returns the trace-id of a traceparent header (W3C Trace Context, 3.2). Empty if the header is
// missing or invalid.
std::string_view trace_id(std::string_view traceparent);

// Returns the header of the CGI answer: Status, Content-Type, Content-Length, extra header.
std::string cgi_header(const Response& response);

}  // namespace http
