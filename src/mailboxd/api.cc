#include "mailboxd/api.h"

#include <cctype>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/metrics.h"
#include "db/accounts.h"
#include "db/aliases.h"
#include "mailboxd/admission.h"
#include "mailboxd/answers.h"
#include "mailboxd/handlers.h"
#include "mailboxd/routes.h"

namespace api {
namespace {

std::string_view header_for(int status, std::string_view code, std::string_view route)
{
    switch (status) {
    case 415:
        return code == "unsupported_encoding" ? "Accept-Encoding: identity"
                                              : "";  // RFC 9110 12.5.3
    case 401: return "WWW-Authenticate: Basic realm=\"mailboxes\"";
    case 405: return routes::allow_header(route);
    case 503: return "Retry-After: 1";
    default: return {};
    }
}

http::Response refusal(int status, std::string_view message, std::string_view code,
                       const Trace& trace)
{
    return {.status = status,
            .body = answers::error(message, code),
            .extra_header = header_for(status, code, trace.route)};
}

// The status of a refusal by db/accounts.h. A refusal that only mailboxctl can meet has no code, so
// it would be a fault of ours here.
int status_of(std::string_view code)
{
    if (code.empty()) throw std::logic_error("a refusal for mailboxctl");
    if (code.ends_with("_not_found")) return 404;
    if (code.starts_with("bad_")) return 400;
    if (code == alias::kSuspended) return 403;
    return 409;
}

// Returns the sentence as the API's begin. A name at the beginning stays as it is written.
std::string capitalized(std::string text)
{
    for (const std::string_view word :
         {"a ", "an ", "the ", "there ", "this ", "another ", "mail "}) {
        if (text.starts_with(word))
            text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
    }
    return text;
}

}  // namespace

// A wrong method is refused only after the key has been read, so a caller without a key gets 401.
http::Response Api::answer(http::Raw raw, Trace& trace, turn::Turn& turn)
{
    if (raw.target == routes::kAlive || raw.target == routes::kReady) {
        trace.route = raw.target == routes::kAlive ? routes::kAlive : routes::kReady;
        metrics::own().serving = metrics::Operation::probe;
        return trace.route == routes::kAlive ? handlers::alive() : handlers::ready(store_);
    }
    const auto request = http::parse(std::move(raw));
    const auto match = routes::find(request.path, request.method);
    trace.route = match.path->pattern;
    if (match.method != nullptr)
        metrics::own().serving = routes::counted_as(match.method->operation);
    const auto key = admission::key_in(request.authorization);
    trace.key_id = key.id();
    const auto operation = routes::operation_of(match);
    try {
        return handlers::handle(operation,
                                {request, match, key, config_, store_, pages_, turn, trace});
    } catch (const admin::Refused& refused) {
        throw http::Error(status_of(refused.code), refused.code, capitalized(refused.sentence));
    }
}

http::Response Api::serve(http::Raw raw, Trace& trace, turn::Turn& turn)
{
    try {
        return answer(std::move(raw), trace, turn);
    } catch (const http::Error& error) {
        return refusal(error.status, error.what(), error.code, trace);
    } catch (const store::InDoubt& error) {
        // Not 503, which promises that nothing was done. nginx says the same when the service does
        // not answer.
        logging::error("database")("error", error.what());
        return refusal(
            504,
            "The service did not answer in time; the request may or may not have been carried out",
            "no_answer", trace);
    } catch (const db::Error& error) {
        logging::error("database")("error", error.what());
        return refusal(503, "Temporarily unavailable", "unavailable", trace);
    } catch (const std::exception& fault) {
        logging::error("fault")("route", trace.route)("error", fault.what());
        auto response = refusal(500, "Internal error", "internal_error", trace);
        response.worker_is_sound = false;
        return response;
    }
}

}  // namespace api
