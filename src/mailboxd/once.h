// once.h - a request that the client may repeat because its answer was lost: Idempotency-Key.
//
// The same request under the same key within a day gets the same answer, and is not carried out
// again. The answer is encrypted with the caller's API key, because it may have a password in it.
#pragma once

#include <optional>
#include <string>

#include "db/connection.h"
#include "db/idempotency.h"
#include "db/mailboxes.h"
#include "mailboxd/exchange.h"
#include "mailboxd/http.h"

namespace once {

class Once {
public:
    // `fields`: what the request asks. Throws http::Error 400 if the header is not valid.
    Once(const api::Exchange& exchange, const http::Fields& fields);

    // Returns the answer to an earlier request; empty if there was none. Throws http::Error 422 if
    // the earlier request asked something else.
    std::optional<http::Response> earlier() const;

    // Returns what is added to the change's transaction: the first step alone, if the answer is
    // known within the transaction only, or both. The steps do nothing without the header.
    store::Steps steps() const;
    store::Steps steps(const std::string& answer) const;
    // The last step.
    void keep(db::Connection& connection, const std::string& answer) const;

private:
    const api::Exchange& exchange_;
    std::optional<idempotency::Claim> claim_;  // empty: the header is missing
};

// Returns the earlier answer, or the one that `carry_out` makes.
template <typename CarryOut>
http::Response answered(const api::Exchange& exchange, const http::Fields& fields,
                        CarryOut carry_out)
{
    const Once once{exchange, fields};
    if (auto earlier = once.earlier()) return *std::move(earlier);
    try {
        return carry_out(once);
    } catch (const idempotency::Claimed&) {
        // Another worker has just carried out the same request.
        return once.earlier().value();
    }
}

}  // namespace once
